namespace Nano;

/// <summary>
/// A case of the benchmarks as ONNX graphs: its own code runs once under a tape, and what was recorded is lowered; there is no second description. Operands are inputs of
/// the graph, except the weight of a product for 16 tokens or fewer: that is inference, where a weight stays and a device may prepare it. Of a backward case there are
/// two graphs, forward alone and both passes, whose difference is the backward pass as a training graph has it.
/// </summary>
internal sealed class RecordedCase
{
    private const string Upstream = "dy", Result = "y";

    private readonly BenchCase of;
    private readonly Op[] ops;
    private readonly Tensor[] leaves;

    private RecordedCase(BenchCase of, BenchWork work, Compute compute)
    {
        this.of = of;
        compute.NextStep();
        compute.Tape = new Tape { KeepsAll = true };
        work.Prepare?.Invoke(compute);
        IsBackward = compute.Tape.Ops.Count > 0;
        if (!IsBackward)
            (work.Record ?? work.Run)(compute);
        ops = [.. compute.Tape.Ops];
        if (ops.Length == 0)
            (leaves, Inputs, Outputs) = ([], [], []);
        else
        {
            var known = new Leaves(this);
            Lower(known, gradients: IsBackward);
            leaves = [.. known.All];
            (Inputs, Outputs) = Values(work, compute);
        }
        compute.Tape = null;
    }

    /// <summary>Whether the case times a backward pass.</summary>
    public bool IsBackward { get; }

    /// <summary>What the graphs are given, by name.</summary>
    public IReadOnlyList<(string Name, Tensor Values)> Inputs { get; }

    /// <summary>What they make, and what we made of the same operands; a forward graph makes only the first.</summary>
    public IReadOnlyList<(string Name, long[] Shape, float[] Ours)> Outputs { get; }

    /// <summary>The case as it is recorded now, or each of its turns where copies of a weight take turns; nothing where its code records no ops.</summary>
    public static IReadOnlyList<RecordedCase> Of(BenchCase of, BenchWork work, Compute compute)
    {
        var turns = new List<RecordedCase>();
        for (var next = new RecordedCase(of, work, compute); next.ops.Length > 0 && (turns.Count == 0 || !next.leaves.SequenceEqual(turns[0].leaves)); next = new RecordedCase(of, work, compute))
        {
            turns.Add(next);
            if (!next.HoldsWeight)
                break;
        }
        return turns;
    }

    /// <summary>The graph of the whole case, or of its forward pass alone.</summary>
    public OnnxGraph Graph(bool forwardOnly = false) => Lower(new Leaves(this), gradients: IsBackward && !forwardOnly);

    private bool HoldsWeight => of.Gemm is { M: <= 16 };

    private OnnxGraph Lower(Leaves known, bool gradients)
    {
        var graph = known.Graph;
        var lowered = known.Ops;
        foreach (var op in ops)
            lowered.Forward(op);
        var y = ops[^1].Output;
        graph.Node("Identity", [lowered.Value(y)], [Result]);
        graph.Output(Result, OnnxType.Float32, Dimensions(y.Shape));
        if (!gradients)
            return graph;
        graph.Input(Upstream, OnnxType.Float32, Dimensions(y.Shape));
        lowered.Give(y, Upstream);
        foreach (var op in ops.Reverse())
            lowered.Backward(op);
        for (int i = 0; i < known.All.Count; i++)
            if (lowered.HasGradient(known.All[i]))
            {
                graph.Node("Identity", [lowered.Gradient(known.All[i])], ["d" + Name(i)]);
                graph.Output("d" + Name(i), OnnxType.Float32, Dimensions(known.All[i].Shape));
            }
        return graph;
    }

    /// <summary>Operands, and our own results as they are now; the backward pass runs here.</summary>
    private (List<(string, Tensor)> Inputs, List<(string, long[], float[])> Outputs) Values(BenchWork work, Compute compute)
    {
        var y = ops[^1].Output;
        var inputs = leaves.Select((leaf, i) => (Name(i), leaf)).ToList();
        var outputs = new List<(string, long[], float[])>();
        if (!IsBackward)
        {
            if (work.Record is not null)
                work.Run(compute);
            outputs.Add((Result, Sizes(y.Shape), (work.Record is null ? y : work.Result!()).Data.ToArray()));
            return (inputs, outputs);
        }
        outputs.Add((Result, Sizes(y.Shape), y.Data.ToArray()));
        inputs.Add((Upstream, BenchData.Copy(y.Gradient)));
        work.Run(compute);
        for (int i = 0; i < leaves.Length; i++)
            if (leaves[i].HasGradient)
                outputs.Add(("d" + Name(i), Sizes(leaves[i].Shape), leaves[i].Gradient.Data.ToArray()));
        return (inputs, outputs);
    }

    private static string Name(int leaf) => $"x{leaf}";

    private static long[] Sizes(Shape shape) => [.. Enumerable.Range(0, shape.Rank).Select(i => (long)shape[i])];

    private static object[] Dimensions(Shape shape) => [.. Sizes(shape).Cast<object>()];

    /// <summary>A graph in the making, and the tensors that it needs and no op has made, in the order in which they are met.</summary>
    private sealed class Leaves
    {
        private readonly RecordedCase of;

        public Leaves(RecordedCase of)
        {
            this.of = of;
            // Only attention asks for positions; all its sequences begin at 0.
            var attention = of.ops.OfType<CausalAttentionOp>().FirstOrDefault();
            if (attention is not null)
                Graph.Weight(OnnxWeight.Of("positions", Positions(attention.Q.Shape[0], attention.Q.Shape[1])));
            Ops = new OnnxOps(Graph) { FloatPositions = "positions", Positions = "positions", ContextLength = attention?.Q.Shape[1] ?? 0, Leaf = Declare };
        }

        public OnnxGraph Graph { get; } = new("case");

        public OnnxOps Ops { get; }

        public List<Tensor> All { get; } = [];

        private string Declare(Tensor tensor)
        {
            string name = Name(All.Count);
            All.Add(tensor);
            if (of.HoldsWeight && of.ops is [MatMulOp product] && product.B == tensor)
                Graph.Weight(OnnxWeight.Of(name, tensor));
            else
                Graph.Input(name, tensor.Type == DType.Int32 ? OnnxType.Int32 : OnnxType.Float32, Dimensions(tensor.Shape));
            return name;
        }

        private static Tensor Positions(int batch, int time)
        {
            var positions = new Tensor(new Shape(batch, time));
            for (int i = 0; i < positions.Length; i++)
                positions.Data[i] = i % time;
            return positions;
        }
    }
}
