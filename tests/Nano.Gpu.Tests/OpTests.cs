namespace Nano.Tests;

/// <summary>
/// Every op alone: its ONNX form forward and backward on ONNX Runtime against our kernels, also in
/// sizes for which a GPU has other shaders.
/// </summary>
public class OpTests
{
    private sealed record Case(string Name, Shape[] Shapes, Func<Compute, Tensor[], Tensor> Run)
    {
        /// <summary>False where ONNX has a node for the forward pass only.</summary>
        public bool HasGradients { get; init; } = true;

        /// <summary>The node that ONNX Runtime's WebGPU provider lacks, or null.</summary>
        public string? MissingOnWebGpu { get; init; }
    }

    private const int B = 2, T = 5;

    private static Case[] Cases =>
    [
        new("linear", [new(B, T, 6), new(4, 6), new(4)], (c, x) => c.Linear(x[0], x[1], x[2])),
        new("linear without bias", [new(B, T, 6), new(4, 6)], (c, x) => c.Linear(x[0], x[1], null)),
        new("linear of many rows", [new(2, 40, 70), new(65, 70), new(65)], (c, x) => c.Linear(x[0], x[1], x[2])),
        new("matmul", [new(B, 3, 4, 6), new(B, 3, 6, 5)], (c, x) => c.MatMul(x[0], x[1])),
        new("matmul, both turned", [new(B, 4, 6), new(B, 5, 4)], (c, x) => c.MatMul(x[0], x[1], true, true)),
        new("matmul, right turned", [new(4, 6), new(5, 6)], (c, x) => c.MatMul(x[0], x[1], false, true)),
        new("add", [new(B, T, 6), new(B, T, 6)], (c, x) => c.Add(x[0], x[1])),
        new("add a suffix", [new(B, T, 6), new(6)], (c, x) => c.Add(x[0], x[1])),
        new("add later rows of a table", [new(B, T, 6), new(9, 6)], (c, x) => c.Add(x[0], x[1].SliceRows(2, T))),
        new("add the first rows of a table", [new(B, T, 6), new(9, 6)], (c, x) => c.Add(x[0], x[1].SliceRows(0, T))),
        new("multiply", [new(B, T, 6), new(B, T, 6)], (c, x) => c.Multiply(x[0], x[1])),
        new("scale", [new(B, T, 6)], (c, x) => c.Scale(x[0], -1.5f)),
        new("sum", [new(B, T, 6)], (c, x) => c.Sum(x[0])),
        new("softmax", [new(B, T, 6)], (c, x) => c.Softmax(x[0])),
        new("softmax of long rows", [new(2, 3, 1000)], (c, x) => c.Softmax(x[0])),
        .. Enum.GetValues<ActivationKind>()
            .Select(kind => new Case(kind.ToString(), [new(B, T, 6)],
                (c, x) => c.Activation(kind, kind is ActivationKind.Log or ActivationKind.Sqrt ? c.Exp(x[0]) : x[0]))),
        .. new[] { ActivationKind.LeakyRelu, ActivationKind.Elu, ActivationKind.SoftCap, ActivationKind.Huber }
            .Select(kind => new Case($"{kind}, parameter given", [new(B, T, 6)],
                (c, x) => c.Activation(kind, x[0], 0.6f))),
        .. new[] { ActivationKind.GeluTanh, ActivationKind.GeluErf, ActivationKind.Relu, ActivationKind.ReluSquared,
            ActivationKind.Sigmoid }.Select(kind => new Case($"gated {kind}", [new(B, T, 6), new(B, T, 6)],
                (c, x) => c.Gated(kind, x[0], x[1]))),
        new("scale and a term", [new(B, T, 6)], (c, x) => c.Scale(x[0], -1.5f, 3)),
        new("divide", [new(B, T, 6), new(B, T, 6)], (c, x) => c.Divide(x[0], c.Exp(x[1]))),
        new("multiply by a column", [new(B, T, 6), new(T, 1)], (c, x) => c.Multiply(x[0], x[1])),
        new("permute", [new(B, T, 6, 3)], (c, x) => c.Permute(x[0], 3, 0, 2, 1)),
        new("activation of columns", [new(B, T, 12)], (c, x) => c.Multiply(
            c.Exp(x[0].SliceColumns(0, 6)), c.Exp(x[0].SliceColumns(6, 6)))),
        new("concat", [new(B, T, 6), new(B, 2, 6)], (c, x) => c.Concat(1, x[0], x[1])),
        new("gather", [new(3, 7, 6)], (c, x) => c.Gather(x[0], Ids.Reshape(new Shape(B * T)), 1)),
        new("gather in the last dimension", [new(3, 7)], (c, x) => c.Gather(x[0], Ids.Reshape(new Shape(B * T)), 1)),
        new("scatter-add", [new(3, B * T, 6)],
            (c, x) => c.ScatterAdd(x[0], Ids.Reshape(new Shape(B * T)), 1, 8)),
        new("sum over dimensions", [new(B, T, 6, 3)], (c, x) => c.Sum(x[0], [1, 3])),
        new("mean over a dimension, kept", [new(B, T, 6)], (c, x) => c.Mean(x[0], 1, keep: true)),
        new("max", [new(B, T, 6)], (c, x) => c.Max(x[0], 1)),
        new("max, kept", [new(B, T, 6)], (c, x) => c.Max(x[0], 2, keep: true)),
        new("swiglu", [new(B, T, 6), new(B, T, 6)], (c, x) => c.SwiGlu(x[0], x[1])),
        new("layernorm", [new(B, T, 6), new(6), new(6)], (c, x) => c.LayerNorm(x[0], x[1], x[2], 1e-5f)),
        new("layernorm without bias", [new(B, T, 6), new(6)], (c, x) => c.LayerNorm(x[0], x[1], null, 1e-5f)),
        new("layernorm of long rows", [new(2, 3, 1000), new(1000), new(1000)],
            (c, x) => c.LayerNorm(x[0], x[1], x[2], 1e-5f)),
        new("rmsnorm", [new(B, T, 6), new(6)], (c, x) => c.RmsNorm(x[0], x[1], 1e-5f)),
        new("l2 normalize", [new(B, T, 6)], (c, x) => c.L2Normalize(x[0])),
        new("group norm", [new(B, 6, 4, 3), new(6), new(6)], (c, x) => c.GroupNorm(x[0], x[1], x[2], 3, 1e-5f)),
        new("batch norm", [new(B, 6, 7), new(6), new(6)], (c, x) => c.BatchNorm(x[0], x[1], x[2],
            (new Tensor(new Shape(6)), new Tensor(new Shape(6))), true, 1e-5f)),
        new("embedding", [new(7, 6)], (c, x) => c.Embedding(x[0], Ids)),
        new("embedding in parts", [new(7, 6)], (c, x) => c.Embedding(x[0], Ids)),
        new("embedding and head in parts", [new(7, 6)], (c, x) => c.Linear(c.Embedding(x[0], Ids), x[0], null)),
        new("rope", [new(B, T, 12)], (c, x) => c.Rope(x[0], new RopeTable(6, 100, null, T), RopePairing.RotateHalf)),
        new("rope, interleaved", [new(B, T, 12)],
            (c, x) => c.Rope(x[0], new RopeTable(6, 100, null, T), RopePairing.Interleaved)),
        .. new[] { RopePairing.RotateHalf, RopePairing.Interleaved }.Select(pairing => new Case(
            $"rope of some channels, {pairing}", [new(B, T, 18)], (c, x) => c.Rope(x[0], new RopeTable(4, 100, null, T),
                pairing, channels: new RotatedChannels(9, 2)))),
        new("rope, two tables", [new(B, T, 12)], (c, x) => c.Rope(c.Rope(x[0], new RopeTable(6, 100, null, T),
            RopePairing.RotateHalf), new RopeTable(6, 10, null, T), RopePairing.RotateHalf)),
        new("attention", [new(B, T, 12), new(B, T, 12), new(B, T, 12)],
            (c, x) => c.CausalAttention(x[0], x[1], x[2], 2, 2)),
        new("attention, groups and a window", [new(B, T, 12), new(B, T, 6), new(B, T, 6)],
            (c, x) => c.CausalAttention(x[0], x[1], x[2], 4, 2, window: 3)),
        new("attention, many heads on one key head", [new(B, T, 48), new(B, T, 4), new(B, T, 4)],
            (c, x) => c.CausalAttention(x[0], x[1], x[2], 12, 1)),
        .. AttentionCases(), .. WindowCases(), .. RecurrentCases(),
        new("cross-entropy", [new(B, T, 7)], (c, x) => c.CrossEntropy(x[0], Targets).Loss),
        new("cross-entropy of many classes", [new(B, T, 1003)], (c, x) => c.CrossEntropy(x[0], Targets).Loss),
        new("cross-entropy, smoothed and with z-loss", [new(B, T, 7)],
            (c, x) => c.CrossEntropy(x[0], Targets, new LossOptions(0, 0.1, 0.01)).Loss),
        new("linear cross-entropy", [new(B, T, 6), new(7, 6)],
            (c, x) => c.LinearCrossEntropy(x[0], x[1], Targets, new LossOptions(0, 0.2, 0.02)).Loss),
        new("columns of one tensor", [new(B, T, 12)],
            (c, x) => c.Multiply(c.Activation(ActivationKind.Tanh, x[0]).SliceColumns(0, 12), x[0])),
    ];

    private static readonly Tensor Lengths = Tensor.FromIds(new Shape(B), [3, 0]);

    private static IEnumerable<Case> AttentionCases()
    {
        var plain = new AttentionOptions(4, 2);
        var slopes = Tensor.From(new Shape(4), Alibi.Slopes(4));
        Shape q = new(B, T, 12), k = new(B, T, 6), more = new(B, 7, 6), wide = new(B, T, 10);
        Case Of(string name, AttentionOptions options, params Shape[] shapes) =>
            new($"attention, {name}", shapes, (c, x) => c.Attention(x[0], x[1], x[2], options));
        yield return Of("capped, with slopes", plain with { SoftCap = 0.5f, Slopes = slopes }, q, k, k);
        yield return Of("not causal", plain with { IsCausal = false }, q, k, k);
        yield return Of("lengths, slopes", plain with { IsCausal = false, Lengths = Lengths, Slopes = slopes },
            q, k, k);
        yield return Of("causal lengths", plain with { Lengths = Lengths, Window = 2 }, q, k, k);
        yield return Of("cross", plain with { IsCausal = false, Lengths = Lengths }, q, more, more);
        yield return Of("sinks", plain with { Window = 2, Sinks = 1 }, q, k, k);
        yield return Of("values of another width", plain, q, k, wide);
        yield return new("attention, learned sink", [q, k, k, new(4)],
            (c, x) => c.Attention(x[0], x[1], x[2], plain with { LearnedSink = x[3] }));
        foreach (bool isCausal in (bool[])[true, false])
            yield return new($"attention, {(isCausal ? "causal " : "")}table of biases, capped", [q, k, k, new(6, 4)],
                (c, x) => c.Attention(x[0], x[1], x[2], plain with
                {
                    IsCausal = isCausal,
                    SoftCap = 0.7f,
                    RelativeBias = new RelativeBias(x[3], !isCausal, 4),
                }));
    }

    private static IEnumerable<Case> WindowCases()
    {
        Case Conv(string name, Shape x, Shape weight, ConvOptions options) => new($"conv, {name}",
            [x, weight, new(weight[0])], (c, t) => c.Conv(t[0], t[1], t[2], options));
        Shape signals = new(B, 4, 11), images = new(B, 4, 7, 9);
        yield return Conv("signals", signals, new(6, 4, 3), new(1, 1));
        yield return Conv("signals in steps", signals, new(6, 4, 3), new(2, 1));
        yield return Conv("signals, groups and gaps", signals, new(6, 2, 3), new(3, 2, 2, 2));
        yield return Conv("images", images, new(6, 4, 3, 2), new(1, 1));
        yield return Conv("patches", new(B, 3, 8, 8), new(5, 3, 4, 4), new(4));
        yield return Conv("images, some places unread", images, new(6, 4, 2, 3), new(4, 1));
        yield return Conv("images, single channels", images, new(4, 1, 3, 3), new(2, 1, 1, 4));
        yield return Conv("images, all options", images, new(6, 2, 2, 3), new(2, 2, 2, 2));
        yield return new("conv without bias", [images, new(6, 4, 3, 3)], (c, x) => c.Conv(x[0], x[1]));
        foreach (var kind in Enum.GetValues<PoolKind>())
        {
            yield return new($"pool of signals, {kind}", [signals], (c, x) => c.Pool(kind, x[0], 3, 3));
            yield return new($"pool of images, {kind}", [images], (c, x) => c.Pool(kind, x[0], 3, 2));
            yield return new($"pool with gaps, {kind}", [images], (c, x) => c.Pool(kind, x[0], 2, 3));
        }
    }

    /// <summary>Rows of the lengths 3 and 5 of 5: y, and behind it the final states.</summary>
    private static IEnumerable<Case> RecurrentCases()
    {
        const int I = 6, H = 3;
        foreach (var (kind, gates) in new[] { (CellKind.Tanh, 1), (CellKind.Gru, 3), (CellKind.Lstm, 4) })
            foreach (bool reverse in (bool[])[false, true])
                foreach (bool some in (bool[])[false, true])
                    yield return new($"recurrent {kind}{(reverse ? " back" : "")}{(some ? ", lengths and states" : "")}",
                        [new(B, T, I), new(gates * H, I), new(gates * H, H), new(gates * H), new(gates * H), new(B, H),
                            new(B, H)], (c, x) => Run(c, x, kind, some, reverse))
                    { HasGradients = false, MissingOnWebGpu = kind == CellKind.Tanh ? "RNN" : null };
        yield return new("recurrent Lstm with one bias", [new(B, T, I), new(4 * H, I), new(4 * H, H), new(4 * H)],
            (c, x) => c.Lstm(x[0], new(x[1], x[2], x[3])).Y)
        { HasGradients = false };

        static Tensor Run(Compute c, Tensor[] x, CellKind kind, bool some, bool reverse)
        {
            var weights = some ? new RecurrentWeights(x[1], x[2], x[3], x[4]) : new RecurrentWeights(x[1], x[2]);
            var (h, lengths) = some ? (x[5], RowLengths) : (null, null);
            if (kind == CellKind.Lstm)
            {
                var (y, last, memory) = c.Lstm(x[0], weights, h, some ? x[6] : null, lengths, reverse);
                return c.Concat(1, c.Concat(1, y, Row(last)), Row(memory));
            }
            var (all, state) = kind == CellKind.Gru ? c.Gru(x[0], weights, h, lengths, reverse)
                : c.Rnn(x[0], weights, h, lengths, reverse);
            return c.Concat(1, all, Row(state));
        }

        static Tensor Row(Tensor state) => state.Reshape(new Shape(B, 1, H));
    }

    private static readonly Tensor RowLengths = Tensor.FromIds(new Shape(B), [3, 5]);

    private static readonly Tensor Ids = Tensor.FromIds(new Shape(B, T), [0, 3, 3, 6, 1, 2, 0, 0, 5, 4]),
        Targets = Tensor.FromIds(new Shape(B, T), [3, -100, 6, 1, 2, 0, 0, -100, 4, 5]);

    public static TheoryData<string, string> Names => Providers.With(Cases.Select(one => one.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_and_backward_agree(string name, string provider)
    {
        var where = Providers.Needs(provider);
        var one = Cases.Single(one => one.Name == name);
        var inputs = one.Shapes.Select((shape, i) => new Tensor(shape) { Name = $"x{i}" }).ToArray();
        for (int i = 0; i < inputs.Length; i++)
            Philox.Normal(9, (ulong)i, 1, inputs[i].Data);
        bool isLoss = name.Contains("entropy", StringComparison.Ordinal);
        var (graph, planned) = Graph(one, inputs);
        var upstream = new Tensor(planned.Shape);
        if (isLoss)
            upstream.Data.Fill(1);
        else
            Philox.Normal(9, 99, 1, upstream.Data);
        var positions = new Tensor(new Shape(B, T));
        for (int i = 0; i < B * T; i++)
            positions.Data[i] = i % T;

        if (provider == "webgpu" && one.MissingOnWebGpu is { } missing)
        {
            var refusal = Assert.Throws<NanoException>(() => new OrtSession(graph.ToModel().Span, where, 1));
            Assert.Contains($"'webgpu' cannot compute {missing} in node", refusal.Message, StringComparison.Ordinal);
            return;
        }
        using var session = new OrtSession(graph.ToModel().Span, where, 1);
        using var y = OrtTensor.OfFloats(Sizes(planned.Shape));
        var gradients = inputs.Select(input => OrtTensor.OfFloats(Sizes(input.Shape))).ToArray();
        using OrtTensor ids = OrtTensor.OfInts(Ids.Ids, B, T), targets = OrtTensor.OfInts(Targets.Ids, B, T),
            lengths = OrtTensor.OfInts(Lengths.Ids, B), rowLengths = OrtTensor.OfInts(RowLengths.Ids, B);
        var given = inputs.Select(input => (input.Name!, Floats(input)))
            .Concat([("ids", ids), ("targets", targets), ("lengths", lengths), ("row_lengths", rowLengths),
                ("upstream", Floats(upstream)),
                ("positions", Floats(positions))]).ToList();
        session.Run(given.Where(input => session.Inputs.Contains(input.Item1)),
            [("y", y), .. inputs.Zip(gradients, (input, gradient) => ("d" + input.Name, gradient))
                .Where(_ => one.HasGradients)]);

        using var compute = new Compute(1) { Tape = new Tape { RetainsAll = true } };
        var expected = one.Run(compute, inputs);
        AssertClose("y", expected.Data, y.Floats);
        if (one.HasGradients)
            AssertGradients(compute, expected, isLoss ? null : upstream, inputs, gradients);
        foreach (var tensor in gradients.Concat(given.Select(input => input.Item2)))
            tensor.Dispose();
    }

    private static void AssertGradients(Compute compute, Tensor y, Tensor? upstream, Tensor[] inputs,
        OrtTensor[] gradients)
    {
        compute.Tape!.Backward(compute, y, upstream);
        for (int i = 0; i < inputs.Length; i++)
            AssertClose("d" + inputs[i].Name, inputs[i].Gradient.Data, gradients[i].Floats);
    }

    /// <summary>
    /// A case as a graph of y and all gradients; everything it reads is an input, for what is
    /// constant would be computed while the session opens, on the processor.
    /// </summary>
    private static (OnnxGraph Graph, Tensor Y) Graph(Case one, Tensor[] inputs)
    {
        using var plan = new Compute(1) { OnlyPlans = true, Tape = new Tape { RetainsAll = true } };
        var graph = new OnnxGraph("op");
        graph.Input("positions", OnnxType.Float32, B, T);
        var ops = new OnnxOps(graph)
        {
            FloatPositions = "positions",
            Positions = graph.Cast("positions", OnnxType.Int32),
            ContextLength = T,
            LargestTarget = one.Name.EndsWith("in parts", StringComparison.Ordinal) ? 3 * 6 * sizeof(float)
                    : int.MaxValue
        };
        foreach (var (name, tensor) in new[] { ("ids", Ids), ("targets", Targets) })
        {
            graph.Input(name, OnnxType.Int32, B, T);
            ops.Define(tensor, name);
        }
        graph.Input("lengths", OnnxType.Int32, B);
        ops.Define(Lengths, "lengths");
        graph.Input("row_lengths", OnnxType.Int32, B);
        ops.Define(RowLengths, "row_lengths");
        foreach (var input in inputs)
        {
            graph.Input(input.Name!, OnnxType.Float32, Dimensions(input.Shape));
            ops.Define(input, input.Name!);
        }
        var planned = one.Run(plan, inputs);
        graph.Input("upstream", OnnxType.Float32, Dimensions(planned.Shape));
        foreach (var op in plan.Tape!.Ops)
            ops.Forward(op);
        graph.Node("Identity", [ops.Value(planned)], ["y"]);
        graph.Output("y", OnnxType.Float32, Dimensions(planned.Shape));
        if (!one.HasGradients)
            return (graph, planned);
        ops.AddGradient(planned, "upstream");
        foreach (var op in plan.Tape.Ops.Reverse())
            ops.Backward(op);
        foreach (var input in inputs)
        {
            graph.Node("Identity", [ops.Gradient(input)], ["d" + input.Name]);
            graph.Output("d" + input.Name, OnnxType.Float32, Dimensions(input.Shape));
        }
        return (graph, planned);
    }

    private static OrtTensor Floats(Tensor from)
    {
        var tensor = OrtTensor.OfFloats(Sizes(from.Shape));
        from.Data.CopyTo(tensor.Floats);
        return tensor;
    }

    private static long[] Sizes(Shape shape) => [.. Enumerable.Range(0, shape.Rank).Select(i => (long)shape[i])];

    private static object[] Dimensions(Shape shape) => [.. Sizes(shape).Cast<object>()];

    private static void AssertClose(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs)
    {
        float largest = ours.ToArray().Max(Math.Abs);
        for (int i = 0; i < ours.Length; i++)
            Assert.True(Math.Abs(ours[i] - theirs[i]) <= 2e-5 * Math.Max(largest, 1),
                $"{what}[{i}]: {theirs[i]}, ours {ours[i]}");
    }

    /// <summary>Every op has a form, or a reason why not, which the error says.</summary>
    [Fact]
    public void Every_op_has_an_ONNX_form_or_is_known_to_have_none()
    {
        var all = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)))
            .Select(type => type.Name).Order();
        Assert.Equal(all, OnnxOps.Known.Concat(OnnxOps.WithoutForm.Keys).Select(type => type.Name).Order());
        Assert.All(OnnxOps.WithoutForm.Values, reason => Assert.False(string.IsNullOrWhiteSpace(reason)));
    }

    /// <summary>A layer whose node has no gradient says so where one is asked for.</summary>
    [Fact]
    public void A_recurrence_has_no_gradient()
    {
        var one = RecurrentCases().First() with { HasGradients = true };
        var error = Assert.Throws<NanoException>(() => Graph(one,
            [.. one.Shapes.Select((shape, i) => new Tensor(shape) { Name = $"x{i}" })]));
        Assert.Contains("has no ONNX form: ONNX has a node for its forward pass and none for its gradient",
            error.Message, StringComparison.Ordinal);
    }

    /// <summary>No op goes untested: the cases between them record every kind that is lowered.</summary>
    [Fact]
    public void Every_op_that_is_lowered_is_in_some_case()
    {
        var seen = new HashSet<Type>();
        foreach (var one in Cases)
        {
            using var plan = new Compute(1) { OnlyPlans = true, Tape = new Tape { RetainsAll = true } };
            one.Run(plan, [.. one.Shapes.Select((shape, i) => new Tensor(shape) { Name = $"x{i}" })]);
            seen.UnionWith(plan.Tape!.Ops.Select(op => op.GetType()));
        }
        Assert.Equal(OnnxOps.Known.Select(type => type.Name).Order(), seen.Select(type => type.Name).Order());
    }
}
