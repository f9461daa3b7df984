namespace Nano;

/// <summary>
/// A case of the benchmarks, lowered: its own code runs once under a tape, and what was recorded
/// becomes nodes; there is no second description. Operands are inputs of the graph, except the
/// weight of a product for 16 tokens or fewer: that is inference, where a weight stays and a device
/// may prepare it. Of a backward case there are two graphs, both passes and forward alone, whose
/// difference is the backward pass as a training graph has it.
/// </summary>
internal sealed class RecordedCase
{
    private const string Upstream = "dy", Y = "y";

    private readonly bool holdsWeight, backward;
    private readonly IOp[] ops;
    private readonly Tensor[] leaves;

    private RecordedCase(BenchCase of, BenchWork work, Compute compute)
    {
        holdsWeight = of.Gemm is { M: <= 16 };
        compute.NextStep();
        compute.Tape = new Tape { RetainsAll = true };
        try
        {
            work.Prepare?.Invoke(compute);
            backward = compute.Tape.Ops.Count > 0;
            if (!backward)
                (work.Record ?? work.Run)(compute);
            ops = [.. compute.Tape.Ops];
            leaves = ops.Length == 0 ? [] : [.. new Lowering(this).Lower(gradients: backward)];
            Case = ops.Length == 0 ? null : NewCase(work, compute);
        }
        finally
        {
            compute.Tape = null;
        }
    }

    /// <summary>Null where the code recorded nothing.</summary>
    private OnnxCase? Case { get; }

    /// <summary>
    /// The case as it is recorded now, or each of its turns where copies of a weight take turns;
    /// nothing where its code records no ops.
    /// </summary>
    public static IReadOnlyList<OnnxCase> Of(BenchCase of, BenchWork work, Compute compute)
    {
        var turns = new List<RecordedCase>();
        for (var next = new RecordedCase(of, work, compute); next.Case is not null
            && (turns.Count == 0 || !next.leaves.SequenceEqual(turns[0].leaves));
            next = new RecordedCase(of, work, compute))
        {
            turns.Add(next);
            if (!next.holdsWeight)
                break;
        }
        return [.. turns.Select(turn => turn.Case!)];
    }

    /// <summary>
    /// Operands, and Nano's results as they are now; the backward pass runs here.
    /// </summary>
    private OnnxCase NewCase(BenchWork work, Compute compute)
    {
        var y = ops[^1].Output;
        var inputs = leaves.Select((leaf, i) => (Name(i), leaf)).ToList();
        if (!backward)
        {
            if (work.Record is not null)
                work.Run(compute);
            return new(() => Graph(), null, inputs, [Result(Y, y, work.Record is null ? y : work.Result!())]);
        }
        var outputs = new List<OnnxResult> { Result(Y, y, y) };
        inputs.Add((Upstream, BenchData.Copy(y.Gradient)));
        work.Run(compute);
        for (int i = 0; i < leaves.Length; i++)
            if (leaves[i].HasGradient)
                outputs.Add(Result("d" + Name(i), leaves[i], leaves[i].Gradient));
        return new(() => Graph(gradients: true), () => Graph(), inputs, outputs);
    }

    private OnnxGraph Graph(bool gradients = false)
    {
        var lowering = new Lowering(this);
        lowering.Lower(gradients);
        return lowering.Graph;
    }

    private static OnnxResult Result(string name, Tensor like, Tensor values) =>
        new(name, like.Shape.ToArray(), values.Data.ToArray());

    private static string Name(int leaf) => $"x{leaf}";

    /// <summary>A graph in the making.</summary>
    private sealed class Lowering
    {
        private readonly RecordedCase of;
        private readonly OnnxOps lowered;
        private readonly List<Tensor> leaves = [];

        public Lowering(RecordedCase of)
        {
            this.of = of;
            // Only attention asks for positions; all its sequences begin at 0.
            var queries = of.ops.OfType<AttentionOp>().Select(attention => attention.Q).FirstOrDefault();
            if (queries is not null)
                Graph.Weight(OnnxWeight.Of("positions", Positions(queries.Shape[0], queries.Shape[1])));
            lowered = new OnnxOps(Graph)
            {
                FloatPositions = "positions",
                Positions = "positions",
                ContextLength = queries?.Shape[1] ?? 0,
                Leaf = Declare
            };
        }

        public OnnxGraph Graph { get; } = new("case");

        /// <summary>Adds all nodes.</summary>
        /// <returns>The tensors that no op has made, in the order in which they are met.</returns>
        public List<Tensor> Lower(bool gradients)
        {
            foreach (var op in of.ops)
                lowered.Forward(op);
            var y = of.ops[^1].Output;
            Graph.Result(Y, lowered.Value(y), OnnxGraph.Dimensions(y));
            if (!gradients)
                return leaves;
            Graph.Input(Upstream, OnnxType.Float32, OnnxGraph.Dimensions(y));
            lowered.AddGradient(y, Upstream);
            foreach (var op in of.ops.Reverse())
                lowered.Backward(op);
            for (int i = 0; i < leaves.Count; i++)
                if (lowered.HasGradient(leaves[i]))
                    Graph.Result("d" + Name(i), lowered.Gradient(leaves[i]), OnnxGraph.Dimensions(leaves[i]));
            return leaves;
        }

        private string Declare(Tensor tensor)
        {
            string name = Name(leaves.Count);
            leaves.Add(tensor);
            if (of.holdsWeight && of.ops is [MatMulOp product] && product.B == tensor)
                Graph.Weight(OnnxWeight.Of(name, tensor));
            else
                Graph.Input(name, tensor.Type == DType.Int32 ? OnnxType.Int32 : OnnxType.Float32,
                    OnnxGraph.Dimensions(tensor));
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
