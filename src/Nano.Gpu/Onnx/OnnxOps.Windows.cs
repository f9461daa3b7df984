namespace Nano;

/// <summary>Convolution and pooling. The sizes of planes are those of the record; the batch stays open.</summary>
internal sealed partial class OnnxOps
{
    /// <summary>A number for each dimension of a plane.</summary>
    private static int[] Both(int rank, int value) => [.. Enumerable.Repeat(value, rank - 2)];

    private static int[] Around(int rank, int value) => [.. Enumerable.Repeat(value, 2 * (rank - 2))];

    private static long[] Planes(Shape shape) => [.. shape.ToArray()[2..].Select(size => (long)size)];

    private string Forward(ConvOp op)
    {
        int rank = op.X.Shape.Rank;
        string[] from = op.Bias is null ? [Value(op.X), Value(op.Weight)]
            : [Value(op.X), Value(op.Weight), Value(op.Bias)];
        return graph.Node("Conv", from, ("strides", Both(rank, op.Options.Stride)),
            ("pads", Around(rank, op.Options.Padding)), ("dilations", Both(rank, op.Options.Dilation)),
            ("group", op.Options.Groups));
    }

    private void Backward(ConvOp op, string dy)
    {
        int rank = op.X.Shape.Rank;
        if (op.Bias is not null)
            AddGradient(op.Bias, graph.Node("ReduceSum",
                [dy, graph.Integers([0, .. Enumerable.Range(2, rank - 2).Select(i => (long)i)])], ("keepdims", 0)));
        AddGradient(op.X, graph.Node("ConvTranspose", [dy, Value(op.Weight)],
            ("strides", Both(rank, op.Options.Stride)), ("pads", Around(rank, op.Options.Padding)),
            ("dilations", Both(rank, op.Options.Dilation)), ("group", op.Options.Groups),
            ("output_padding", Unread(op.X.Shape, op.Weight.Shape, op.Options))));
        AddGradient(op.Weight, GradientOfKernel(op, dy));
    }

    /// <summary>Places behind the last window, which nothing reads.</summary>
    private static int[] Unread(Shape x, Shape weight, ConvOptions options) => [.. Enumerable.Range(2, x.Rank - 2)
        .Select(i => (x[i] + (2 * options.Padding) - (options.Dilation * (weight[i] - 1)) - 1) % options.Stride)];

    /// <summary>
    /// dW[g o, c, k] = the sum over images b and places p of dy[b, g o, p] x[b, g c, stride p + dilation k - padding]:
    /// a convolution again, of batch c and channels g b, with dy [g o, b, places] as kernel; stride and dilation change
    /// places. Behind the taps it may have more, which are cut off.
    /// </summary>
    private string GradientOfKernel(ConvOp op, string dy)
    {
        var (options, rank, G) = (op.Options, op.X.Shape.Rank, op.Options.Groups);
        int inputs = op.Weight.Shape[1], outputs = op.Weight.Shape[0] / G;
        int[] places = [.. Enumerable.Range(3, rank - 2)], back = [1, 0, .. Enumerable.Range(2, rank - 2)];
        // x [B, G C, ..] to [C, G B, ..], dy [B, G O, ..] to [G O, B, ..]
        string x = Reshaped(Value(op.X), [0, G, inputs, .. Planes(op.X.Shape)]);
        x = Reshaped(Transposed(x, [2, 1, 0, .. places]), [inputs, -1, .. Planes(op.X.Shape)]);
        string all = graph.Node("Conv", [x, Transposed(dy, back)], ("strides", Both(rank, options.Dilation)),
            ("pads", Around(rank, options.Padding)), ("dilations", Both(rank, options.Stride)), ("group", G));
        for (int i = 2; i < rank; i++)
            all = Columns(all, i, 0, op.Weight.Shape[i]);
        return Reshaped(Transposed(all, back), [G * outputs, inputs, .. Planes(op.Weight.Shape)]);
    }

    private string Forward(PoolOp op) => graph.Node(op.Kind == PoolKind.Max ? "MaxPool" : "AveragePool", [Value(op.X)],
        ("kernel_shape", Both(op.X.Shape.Rank, op.Kernel)), ("strides", Both(op.X.Shape.Rank, op.Stride)));

    /// <summary>
    /// The taps of windows as channels, which a convolution with ones and zeros makes, and their gradients back in
    /// place by the same turned round. Of the largest number the first tap gets everything, of a mean each an equal
    /// part.
    /// </summary>
    private void Backward(PoolOp op, string dy)
    {
        int rank = op.X.Shape.Rank, taps = rank == 3 ? op.Kernel : op.Kernel * op.Kernel;
        long[] numbers = [.. Enumerable.Range(0, taps).Select(i => (long)i)],
            kernel = [taps, 1, .. Enumerable.Repeat((long)op.Kernel, rank - 2)];
        // [taps, 1, K, ..]: tap k alone
        string each = Reshaped(graph.Cast(Node("Equal", Reshaped(graph.Integers(numbers), -1, 1),
            graph.Integers(numbers)), OnnxType.Float32), kernel);
        string upstream = Reshaped(dy, [-1, 1, .. Planes(op.Y.Shape)]);
        if (op.Kind == PoolKind.Average)
            upstream = graph.Node("Expand", [Times(upstream, 1f / taps),
                graph.Integers([1, taps, .. Enumerable.Repeat(1L, rank - 2)])]);
        else
        {
            string read = graph.Node("Conv", [Reshaped(Value(op.X), [-1, 1, .. Planes(op.X.Shape)]), each],
                ("strides", Both(rank, op.Stride)));
            string largest = graph.Node("ArgMax", [read], ("axis", 1), ("keepdims", 1));
            upstream = Node("Mul", upstream, graph.Cast(Node("Equal", largest,
                Reshaped(graph.Integers(numbers), [1, -1, .. Enumerable.Repeat(1L, rank - 2)])), OnnxType.Float32));
        }
        string dx = graph.Node("ConvTranspose", [upstream, each], ("strides", Both(rank, op.Stride)),
            ("output_padding", Unread(op.X.Shape, new Shape([.. kernel.Select(size => (int)size)]), new(op.Stride))));
        AddGradient(op.X, Reshaped(dx, [-1, op.X.Shape[1], .. Planes(op.X.Shape)]));
    }
}
