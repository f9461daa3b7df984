namespace Nano.Peers;

/// <summary>Two contenders at one task, taking turns.</summary>
internal static class Turns
{
    private const double ShortRun = 0.1; // seconds: quicker work is repeated within a turn
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(20); // until the other's threads sleep

    /// <summary>Checks that both compute the same, then measures Nano, the peer, Nano, the peer and so forth.</summary>
    /// <param name="of">The work.</param>
    /// <param name="nanoFile">Nano's program.</param>
    /// <param name="peerFile">The peer's.</param>
    /// <param name="turns">Turns of each.</param>
    /// <param name="about">Receives the descriptions of both.</param>
    /// <exception cref="PeerException">A contender does not load or run.</exception>
    /// <exception cref="NanoException">They compute something else.</exception>
    public static Measured Run(Comparison of, string nanoFile, string peerFile, int turns, ISet<string> about)
    {
        using var nano = new PeerProcess(nanoFile, ["work", .. of.Task]);
        using var peer = new PeerProcess(peerFile, of.Task);
        about.Add(nano.About);
        about.Add(peer.About);
        string agreed = of.Agreement.Check(of.ToString(), nano.Values(), peer.Values());
        PeerProcess[] both = [nano, peer];
        int[] counts = [.. both.Select(one => (int)Math.Clamp(Math.Ceiling(ShortRun / Warm(one)), 1, 1000))];
        var seconds = new double[both.Length][];
        for (int i = 0; i < both.Length; i++)
            seconds[i] = new double[turns];
        for (int turn = 0; turn < turns; turn++)
            for (int i = 0; i < both.Length; i++)
            {
                seconds[i][turn] = both[i].Run(counts[i]);
                Thread.Sleep(Rest);
            }
        return new Measured(of, seconds[0], seconds[1])
        {
            Agreed = agreed,
            Bytes = (nano.PeakBytes(), peer.PeakBytes())
        };
    }

    /// <summary>Seconds of a run after the first ones, which compile and fetch.</summary>
    private static double Warm(PeerProcess one)
    {
        one.Run(1);
        return Math.Max(1e-6, one.Run(1));
    }
}
