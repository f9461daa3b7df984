using System.Runtime.InteropServices;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>A view of a tensor that quantises its rows as they are read, several at a time.</summary>
internal static class QuantisedRows
{
    /// <summary>The tensor in a quantised type.</summary>
    /// <param name="tensor">A tensor whose rows are whole blocks of the type.</param>
    /// <param name="type">The type.</param>
    /// <param name="importance">The mean squared input of each column, or nothing.</param>
    public static ModelTensor Of(ModelTensor tensor, WeightType type, float[] importance)
    {
        BlockFormat format = BlockFormat.Of(type);
        int columns = tensor.Shape.Columns;
        if (!format.Divides(columns))
            throw new NanoException($"tensor {Quoted.Of(tensor.Name)} has rows of {columns}; {type} stores multiples "
                + $"of {format.Weights}");
        if (importance.Length > 0 && importance.Length != columns)
            throw new NanoException($"tensor {Quoted.Of(tensor.Name)} has rows of {columns}; the importance is that of "
                + $"{importance.Length} columns");
        ModelTensor floats = tensor.As(WeightType.F32);
        return new ModelTensor(tensor.Name, tensor.Shape, type, (start, destination) =>
        {
            long first = start / columns,
                end = (start + ((long)destination.Length / format.Bytes * format.Weights) + columns - 1) / columns;
            using var bytes = MemoryOwner<byte>.Allocate((int)format.BytesOf((end - first) * columns));
            Quantise(floats, first, format, importance, bytes.Memory);
            bytes.Span.Slice((int)format.BytesOf(start - (first * columns)), destination.Length).CopyTo(destination);
        });
    }

    /// <summary>Quantises whole rows from one on.</summary>
    private static void Quantise(ModelTensor floats, long first, BlockFormat format, float[] importance,
        Memory<byte> bytes)
    {
        int columns = floats.Shape.Columns, rowBytes = (int)format.BytesOf(columns), rows = bytes.Length / rowBytes;
        using var values = MemoryOwner<float>.Allocate(rows * columns);
        floats.Read(first * columns, MemoryMarshal.AsBytes(values.Span));
        Memory<float> read = values.Memory;
        var problems = new QuantisationException?[rows];
        var threads = new ParallelOptions { MaxDegreeOfParallelism = WorkerTeam.DefaultSize() };
        Parallel.For(0, rows, threads, row =>
        {
            try
            {
                format.Quantise(read.Span.Slice(row * columns, columns), bytes.Span.Slice(row * rowBytes, rowBytes),
                    importance);
            }
            catch (QuantisationException e)
            {
                problems[row] = e;
            }
        });
        if (Array.FindIndex(problems, problem => problem is not null) is var bad and >= 0)
            throw new NanoException($"tensor {Quoted.Of(floats.Name)}, row {first + bad}, column "
                + $"{problems[bad]!.Index}: {problems[bad]!.Problem}", inner: problems[bad]);
    }
}
