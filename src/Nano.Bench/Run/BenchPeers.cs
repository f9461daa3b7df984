namespace Nano;

/// <summary>The peers of one case, each proved to compute what we do before it is timed.</summary>
internal sealed class BenchPeers : IDisposable
{
    private readonly BenchPeer[] peers;

    /// <summary>Makes and checks them.</summary>
    /// <param name="compute">Where we run.</param>
    /// <param name="of">The case.</param>
    /// <param name="work">Ours, proved right already.</param>
    /// <param name="make">Who can do it; null for nobody.</param>
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

    /// <summary>Whether a peer works elsewhere while the processor waits: its time is seen on the wall only.</summary>
    public bool WaitsForDevice => peers.Any(peer => peer.Finish is not null);

    /// <summary>
    /// Our median and that of each peer, all taking turns. A peer whose time is lost in the noise
    /// of what it does besides is left out.
    /// </summary>
    public (double Seconds, IReadOnlyList<PeerResult> Peers) Times(Contender ours, bool processorTime,
        double minSeconds)
    {
        var contenders = peers.SelectMany(peer => ((Action?[])[peer.Run, peer.Besides, peer.Transfer]).OfType<Action>()
            .Select(action => new Contender(peer.Prepare, action, peer.Finish)));
        double[] seconds = BenchTimer.Medians(processorTime, minSeconds, [ours, .. contenders]);
        var results = new List<PeerResult>();
        int next = 1;
        foreach (var peer in peers)
        {
            double whole = seconds[next++], besides = peer.Besides is null ? 0 : seconds[next++];
            double? transfer = peer.Transfer is null ? null : seconds[next++];
            if (whole > besides)
                results.Add(new PeerResult(peer.Name, (whole - besides) * 1000) { TransferMs = transfer * 1000,
                    TransferGbps = peer.TransferBytes / transfer / 1e9 });
        }
        return (seconds[0], results);
    }

    public void Dispose()
    {
        foreach (var peer in peers)
            peer.Dispose();
    }
}
