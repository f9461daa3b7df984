namespace Nano.Tests;

/// <summary>
/// The loss in blocks, with a denominator of its own, and row by row, on ONNX Runtime against our
/// kernels.
/// </summary>
public class LossTests
{
    private const int B = 2, T = 6, C = 8, V = 11;

    private static readonly Tensor Targets = Tensor.FromIds(new Shape(B, T),
        [3, -100, 10, 1, 2, 0, 0, -100, 4, 5, 5, -100]);

    public static TheoryData<bool, int, double, double, double, string> Cases
    {
        get
        {
            var cases = new TheoryData<bool, int, double, double, double, string>();
            foreach (string provider in (string[])["onnx-cpu", "webgpu"])
            {
                cases.Add(false, 1, 0, 0, 0, provider);
                cases.Add(false, 1, 0.1, 0.01, 40, provider);
                cases.Add(true, 1, 0, 0, 0, provider);
                cases.Add(true, 2, 0, 0, 0, provider);
                cases.Add(true, 3, 0.2, 0, 0, provider);
                cases.Add(true, 4, 0, 0.02, 40, provider);
                cases.Add(true, 12, 0.2, 0.02, 0.5, provider);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Loss_rows_and_gradients_are_those_of_our_kernels(bool withHead, int blocks, double smoothing,
        double zLoss, double denominator, string provider)
    {
        var where = Providers.Needs(provider);
        Tensor[] inputs = withHead ? [Random(1, new(B, T, C)), Random(2, new(V, C))] : [Random(3, new(B, T, V))];
        (Tensor Loss, Tensor Nll) Run(Compute c, LossOptions options) =>
            withHead ? c.LinearCrossEntropy(inputs[0], inputs[1], Targets, options)
                : c.CrossEntropy(inputs[0], Targets, options);
        const float Upstream = 8;

        var graph = new OnnxGraph("loss");
        var ops = Begin(graph, inputs, denominator > 0 ? "denominator" : null, blocks, gradients: true);
        using var plan = new Compute(1) { OnlyPlans = true, Tape = new Tape { RetainsAll = true } };
        var planned = Run(plan, new(denominator, smoothing, zLoss)).Loss;
        var op = Assert.Single(plan.Tape!.Ops);
        ops.Forward(op);
        Output(graph, ops.Value(planned), "loss", []);
        Output(graph, ops.NegativeLogLikelihoods(op), "nll", [B, T]);
        ops.AddGradient(planned, graph.Constant(Upstream));
        ops.Backward(op);
        foreach (var input in inputs)
            Output(graph, ops.Gradient(input), "d" + input.Name, Sizes(input.Shape));

        using var session = new OrtSession(graph.ToModel().Span, where, 1);
        using OrtTensor loss = OrtTensor.OfFloats(), nll = OrtTensor.OfFloats(B, T), divisor = OrtTensor.OfFloats();
        divisor.Floats[0] = (float)denominator;
        var gradients = inputs.Select(input => OrtTensor.OfFloats(Sizes(input.Shape))).ToArray();
        session.Run(denominator > 0 ? [("denominator", divisor)] : [], [("loss", loss), ("nll", nll),
            .. inputs.Zip(gradients, (input, gradient) => ("d" + input.Name, gradient))]);

        using var compute = new Compute(1) { Tape = new Tape { RetainsAll = true } };
        var expected = Run(compute, new(denominator, smoothing, zLoss));
        compute.Tape!.Backward(compute, expected.Loss);
        AssertClose("loss", expected.Loss.Data, loss.Floats, 1);
        AssertClose("nll", expected.Nll.Data, nll.Floats, 1);
        for (int i = 0; i < inputs.Length; i++)
        {
            AssertClose("d" + inputs[i].Name, inputs[i].Gradient.Data, gradients[i].Floats, Upstream);
            gradients[i].Dispose();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Without_gradients_only_the_loss_is_made(int blocks)
    {
        ExportTests.NeedsLibrary();
        Tensor[] inputs = [Random(1, new(B, T, C)), Random(2, new(V, C))];
        var graph = new OnnxGraph("loss");
        var ops = Begin(graph, inputs, null, blocks, gradients: false);
        using var plan = new Compute(1) { OnlyPlans = true, Tape = new Tape { RetainsAll = true } };
        var planned = plan.LinearCrossEntropy(inputs[0], inputs[1], Targets).Loss;
        var op = Assert.Single(plan.Tape!.Ops);
        ops.Forward(op);
        Output(graph, ops.Value(planned), "loss", []);
        Output(graph, ops.NegativeLogLikelihoods(op), "nll", [B, T]);
        Assert.Equal(-1, graph.ToModel().Span.IndexOf("ScatterElements"u8));
        using var session = new OrtSession(graph.ToModel().Span, OrtProvider.Cpu, 1);
        using OrtTensor loss = OrtTensor.OfFloats(), nll = OrtTensor.OfFloats(B, T);
        session.Run([], [("loss", loss), ("nll", nll)]);
        using var compute = new Compute(1);
        var expected = compute.LinearCrossEntropy(inputs[0], inputs[1], Targets);
        AssertClose("loss", expected.Loss.Data, loss.Floats, 1);
        AssertClose("nll", expected.Nll.Data, nll.Floats, 1);
        ops.AddGradient(planned, graph.Constant(1));
        Assert.Throws<InvalidOperationException>(() => ops.Backward(op));
    }

    private static OnnxOps Begin(OnnxGraph graph, Tensor[] inputs, string? denominator, int blocks, bool gradients)
    {
        graph.Weight(OnnxWeight.Of("positions",
            Tensor.From(new Shape(B, T), [.. Enumerable.Range(0, B * T).Select(i => (float)(i % T))])));
        graph.Weight(new("targets", OnnxType.Int32, [B, T], B * T * sizeof(int),
            stream => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Targets.Ids))));
        if (denominator is not null)
            graph.Input(denominator, OnnxType.Float32);
        var ops = new OnnxOps(graph)
        {
            FloatPositions = "positions",
            Positions = graph.Cast("positions", OnnxType.Int32),
            ContextLength = T,
            Denominator = denominator,
            LossBlocks = blocks,
            Gradients = gradients,
        };
        ops.Define(Targets, "targets");
        foreach (var input in inputs)
        {
            graph.Weight(OnnxWeight.Of(input.Name!, input));
            ops.Define(input, input.Name!);
        }
        return ops;
    }

    private static Tensor Random(int key, Shape shape)
    {
        var tensor = new Tensor(shape) { Name = $"x{key}" };
        Philox.Normal(9, (ulong)key, 1, tensor.Data);
        return tensor;
    }

    private static void Output(OnnxGraph graph, string value, string name, long[] shape)
    {
        graph.Node("Identity", [value], [name]);
        graph.Output(name, OnnxType.Float32, [.. shape.Cast<object>()]);
    }

    private static long[] Sizes(Shape shape) => [.. Enumerable.Range(0, shape.Rank).Select(i => (long)shape[i])];

    private static void AssertClose(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs, float factor)
    {
        float largest = ours.ToArray().Max(Math.Abs);
        Assert.True(largest > 0, what);
        for (int i = 0; i < ours.Length; i++)
            Assert.True(Math.Abs((factor * ours[i]) - theirs[i]) <= 1e-5 * factor * Math.Max(largest, 1),
                $"{what}[{i}]: {theirs[i]}, ours {factor * ours[i]}");
    }
}
