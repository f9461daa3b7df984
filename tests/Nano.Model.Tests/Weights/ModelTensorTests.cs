using System.Runtime.InteropServices;

namespace Nano.Tests.Formats;

/// <summary>Views of tensors against the same change made element by element.</summary>
public class ModelTensorTests
{
    /// <summary>A matrix whose elements are their own numbers, and how often it has been read.</summary>
    static (ModelTensor Tensor, Func<int> Reads) Numbered(int rows, int columns)
    {
        int reads = 0;
        return (new ModelTensor("t", new Shape(rows, columns), WeightType.F32, (start, destination) =>
        {
            reads++;
            Span<float> floats = MemoryMarshal.Cast<byte, float>(destination);
            for (int i = 0; i < floats.Length; i++)
                floats[i] = start + i;
        }), () => reads);
    }

    static float[] Range(ModelTensor tensor, int start, int count)
    {
        var values = new float[count];
        tensor.Read(start, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    [Fact]
    public void Any_range_of_a_transposed_matrix_is_that_of_the_whole()
    {
        ModelTensor turned = Numbered(5, 7).Tensor.Transposed();
        Assert.Equal(new Shape(7, 5), turned.Shape);
        float[] whole = [.. Enumerable.Range(0, 35).Select(i => (float)((i % 5 * 7) + (i / 5)))];
        for (int start = 0; start <= 35; start++)
            for (int count = 0; count <= 35 - start; count++)
                Assert.Equal(whole[start..(start + count)], Range(turned, start, count));
    }

    [Fact]
    public void Transposed_twice_is_the_matrix_itself_under_its_new_name_and_read_at_once()
    {
        var (tensor, reads) = Numbered(64, 48);
        int told = 0;
        ModelTensor twice = tensor.Transposed().Watched(bytes => told += bytes).Named("new").Transposed();
        Assert.Equal(("new", new Shape(64, 48)), (twice.Name, twice.Shape));
        Assert.Equal(Enumerable.Range(0, 64 * 48).Select(i => (float)i), Range(twice, 0, 64 * 48));
        Assert.Equal((1, 64 * 48 * sizeof(float)), (reads(), told));
    }

    [Fact]
    public void Any_range_of_moved_rows_is_that_of_the_whole()
    {
        int[] from = [3, 0, 4, 1, 2];
        ModelTensor moved = Numbered(5, 3).Tensor.WithRows(row => from[row]);
        float[] whole = [.. from.SelectMany(row => new[] { row * 3f, (row * 3f) + 1, (row * 3f) + 2 })];
        for (int start = 0; start <= 15; start++)
            for (int count = 0; count <= 15 - start; count++)
                Assert.Equal(whole[start..(start + count)], Range(moved, start, count));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(128)]
    public void The_two_orders_of_rotary_pairs_undo_each_other(int headDim)
    {
        ModelTensor tensor = Numbered(2 * headDim, 1).Tensor;
        float[] there = Range(RopeLayout.ToInterleaved(tensor, headDim), 0, 2 * headDim);
        Assert.Equal([0f, headDim / 2], there[..2]); // pair 0 of rotate-half is channels 0 and D / 2
        Assert.Equal(Range(tensor, 0, 2 * headDim),
            Range(RopeLayout.ToRotateHalf(RopeLayout.ToInterleaved(tensor, headDim), headDim), 0, 2 * headDim));
    }
}
