using System.Buffers;

namespace Nano;

/// <summary>Some elements of working memory, given back when disposed. They are not cleared.</summary>
internal readonly ref struct Rented<T>(int length) : IDisposable
{
    private readonly T[] array = ArrayPool<T>.Shared.Rent(length);

    public Span<T> Span => array.AsSpan(0, length);

    public void Dispose() => ArrayPool<T>.Shared.Return(array);
}
