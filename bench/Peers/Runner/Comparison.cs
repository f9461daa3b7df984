namespace Nano.Peers;

/// <summary>How the results of two contenders must agree.</summary>
/// <param name="Text">The rule in words.</param>
/// <param name="Tolerance">Allowed difference as a fraction of Nano's largest number; negative where a difference
/// is shown and allowed.</param>
internal readonly record struct Agreement(string Text, double Tolerance)
{
    /// <summary>Numbers within a fraction of the largest.</summary>
    public static Agreement Within(string of, double tolerance) => new($"{of} within {tolerance}", tolerance);

    /// <summary>Equal numbers.</summary>
    public static Agreement Equal(string of) => new($"{of} equal", 0);

    /// <summary>The agreement of two results in words.</summary>
    /// <exception cref="NanoException">They must agree and do not.</exception>
    public string Check(string of, double[] nano, double[] peer)
    {
        if (nano.Length != peer.Length)
            throw new NanoException($"{of}: the peer gives {peer.Length} numbers, Nano {nano.Length}");
        if (Tolerance < 0)
            return $"{nano.Zip(peer).Count(pair => pair.First == pair.Second)} of {nano.Length} {Text}";
        double largest = nano.Max(Math.Abs);
        for (int i = 0; i < nano.Length; i++)
            if (!(Math.Abs(nano[i] - peer[i]) <= Tolerance * largest))
                throw new NanoException($"{of}: number {i} is {peer[i]:R} by the peer and {nano[i]:R} by Nano; "
                    + $"expected: {Text}");
        return Text;
    }
}

/// <summary>Work that Nano and a peer both do.</summary>
/// <param name="Group">The part of the page: train, products, text, tokens.</param>
/// <param name="Name">The work in words.</param>
/// <param name="Peer">The peer.</param>
/// <param name="Threads">Threads of each.</param>
/// <param name="Task">The arguments of both processes.</param>
/// <param name="Agreement">How their results must agree.</param>
internal sealed record Comparison(string Group, string Name, Peer Peer, int Threads, string[] Task, Agreement Agreement)
{
    /// <summary>What a run processes, for speeds; null where its time is shown alone.</summary>
    public (double Amount, string Unit)? Work { get; init; }

    /// <summary>True for one of many that the page shows as one row.</summary>
    public bool IsPart { get; init; }

    public override string ToString() => $"{Group} {Name}, {Threads} thread{(Threads == 1 ? "" : "s")}, {Peer.Name}";
}

/// <summary>The measured turns of a comparison.</summary>
/// <param name="Of">The comparison.</param>
/// <param name="Nano">Seconds of Nano's runs, turn by turn.</param>
/// <param name="Peer">Seconds of the peer's.</param>
internal sealed record Measured(Comparison Of, double[] Nano, double[] Peer)
{
    /// <summary>How the results agreed.</summary>
    public required string Agreed { get; init; }

    /// <summary>The most memory of each process.</summary>
    public (long Nano, long Peer) Bytes { get; init; }

    /// <summary>The peer's time over Nano's, turn by turn, in order of size.</summary>
    public double[] Ratios => [.. Nano.Zip(Peer, (nano, peer) => peer / nano).Order()];

    public double NanoMedian => Median(Nano);

    public double PeerMedian => Median(Peer);

    public double Ratio => Median(Ratios);

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
