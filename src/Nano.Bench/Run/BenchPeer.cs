namespace Nano;

/// <summary>Somebody else's code for the case that <see cref="BenchWork"/> holds.</summary>
/// <param name="Name">The name of the peer.</param>
/// <param name="Run">The timed part; takes its operands from <see cref="BenchWork.Inputs"/>, or has
/// them already.</param>
/// <param name="Outputs">The results of the peer's last run, each beside Nano's.</param>
public sealed record BenchPeer(string Name, Action Run, Func<IReadOnlyList<PeerOutput>> Outputs) : IDisposable
{
    /// <summary>
    /// Allowed difference from Nano's result, as a fraction of its largest element.
    /// </summary>
    public float Tolerance { get; init; } = 1e-4f;

    /// <summary>Runs before each <see cref="Run"/> outside the timing; null for nothing.</summary>
    public Action? Prepare { get; init; }

    /// <summary>
    /// Work that <see cref="Run"/> does in addition, and Nano does outside the timing: its own time
    /// is subtracted. Null for none.
    /// </summary>
    public Action? Besides { get; init; }

    /// <summary>
    /// Waits until a device has done all that it was told to do; null where <see cref="Run"/>
    /// returns then only.
    /// </summary>
    public Action? Finish { get; init; }

    /// <summary>
    /// Brings all operands to a device and all results back, which <see cref="Run"/> does not; null
    /// where it computes in the host's memory.
    /// </summary>
    public Action? Transfer { get; init; }

    /// <summary>Bytes that <see cref="Transfer"/> moves.</summary>
    public long TransferBytes { get; init; }

    /// <summary>Frees what the collector does not.</summary>
    public Action? Release { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Release?.Invoke();
}

/// <summary>One result of a peer, and Nano's.</summary>
public sealed record PeerOutput(string Name, float[] Theirs, float[] Own);
