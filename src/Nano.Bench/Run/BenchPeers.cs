namespace Nano;

/// <summary>
/// The peers of one case, each verified to compute the same as Nano before it is timed.
/// </summary>
internal sealed class BenchPeers : IDisposable
{
    private readonly BenchPeer[] peers;

    /// <summary>Makes the peers of a case and checks their results.</summary>
    /// <param name="compute">The context of Nano's work.</param>
    /// <param name="of">The case.</param>
    /// <param name="work">Nano's work, already verified.</param>
    /// <param name="make">Makes the peers that can run the case; null for none.</param>
    /// <exception cref="NanoException">A peer computes something else.</exception>
    public BenchPeers(Compute compute, BenchCase of, BenchWork work,
        Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? make)
    {
        peers = make is null ? [] : [.. make(of, work)];
        try
        {
            if (peers.Length > 0 && of.Training is null) // a step is compared by its twin
            {
                work.Prepare?.Invoke(compute);
                work.Run(compute);
            }
            foreach (var peer in peers)
            {
                peer.Prepare?.Invoke();
                peer.Run();
                BenchCheck.Compare(of, peer);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// True if a peer computes elsewhere while the CPU waits: only wall-clock time includes its
    /// work.
    /// </summary>
    public bool WaitsForDevice => peers.Any(peer => peer.Finish is not null);

    /// <summary>
    /// Nano's median and that of each peer, all taking turns. A peer whose time is lost in the
    /// noise of its additional work is left out.
    /// </summary>
    public (double Seconds, IReadOnlyList<PeerResult> Peers) Times(Contender nano, bool processorTime,
        double minSeconds)
    {
        var contenders = peers.SelectMany(peer => ((Action?[])[peer.Run, peer.Besides, peer.Transfer]).OfType<Action>()
            .Select(action => new Contender(peer.Prepare, action, peer.Finish)));
        double[] seconds = BenchTimer.Medians(processorTime, minSeconds, [nano, .. contenders]);
        var results = new List<PeerResult>();
        int next = 1;
        foreach (var peer in peers)
        {
            double whole = seconds[next++], besides = peer.Besides is null ? 0 : seconds[next++];
            double? transfer = peer.Transfer is null ? null : seconds[next++];
            if (whole > besides)
                results.Add(new PeerResult(peer.Name, (whole - besides) * 1000)
                {
                    TransferMs = transfer * 1000,
                    TransferGbps = peer.TransferBytes / transfer / 1e9
                });
        }
        return (seconds[0], results);
    }

    public void Dispose()
    {
        foreach (var peer in peers)
            peer.Dispose();
    }
}
