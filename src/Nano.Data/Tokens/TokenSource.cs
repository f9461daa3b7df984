namespace Nano;

/// <summary>The ids of a split, in memory or in files.</summary>
public abstract class TokenSource : IDisposable
{
    /// <summary>Number of ids.</summary>
    public abstract long Length { get; }

    /// <summary>Copies the ids from a position on, as many as the destination holds.</summary>
    public abstract void CopyTo(long start, Span<int> ids);

    /// <summary>Ids in an array.</summary>
    public static TokenSource Of(int[] ids) => new InMemory(ids);

    /// <summary>All of them.</summary>
    /// <exception cref="NanoException">They are too many for an array.</exception>
    public int[] ToArray()
    {
        if (Length > Array.MaxLength)
            throw new NanoException(
                FormattableString.Invariant($"{Length:N0} tokens are too many to be in memory at once"), "use fewer");
        int[] ids = new int[Length];
        CopyTo(0, ids);
        return ids;
    }

    /// <summary>Closes what is open.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected virtual void Dispose(bool disposing)
    {
    }

    private sealed class InMemory(int[] ids) : TokenSource
    {
        public override long Length => ids.Length;

        public override void CopyTo(long start, Span<int> destination) =>
            ids.AsSpan(checked((int)start), destination.Length).CopyTo(destination);
    }
}
