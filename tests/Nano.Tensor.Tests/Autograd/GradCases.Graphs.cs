namespace Nano.Tests;

/// <summary>Attention, views, and tensors with several users.</summary>
internal static partial class GradCases
{
    private static IEnumerable<GradCase> Attentions()
    {
        yield return Attention("attention, one query", 2, 1, 2, 2, 5);
        yield return Attention("attention", 2, 7, 2, 2, 5);
        yield return Attention("attention, head dimension 16", 1, 5, 2, 2, 16);
        yield return Attention("attention, head dimension 33", 1, 6, 2, 2, 33);
        yield return Attention("attention, grouped 4:2", 2, 6, 4, 2, 5);
        yield return Attention("attention, grouped 3:1", 1, 9, 3, 1, 16);
        yield return Attention("attention, two blocks of keys", 1, 70, 1, 1, 5);
        yield return Attention("attention, two blocks, grouped 2:1", 1, 66, 2, 1, 3);
        yield return Attention("attention, given scale", 1, 7, 2, 1, 5, 0.9f);
        yield return Attention("attention, window of 1", 1, 5, 2, 1, 4, window: 1);
        yield return Attention("attention, window of 3, grouped 4:2", 2, 9, 4, 2, 5, window: 3);
        yield return Attention("attention, window of 40, two blocks of keys", 1, 100, 1, 1, 3, window: 40);
        yield return Attention("attention, window beyond the text", 1, 7, 2, 2, 5, window: 8);
        yield return new("attention in one [B, T, 3C]", typeof(AttentionOp), r => [r.Normal(2, 7, 3 * 10)],
            (c, x) => c.CausalAttention(x[0].SliceColumns(0, 10), x[0].SliceColumns(10, 10),
                x[0].SliceColumns(20, 10), 2, 2),
            x => Reference.Attention(Reference.SliceColumns(x[0], 30, 0, 10), Reference.SliceColumns(x[0], 30, 10, 10),
                Reference.SliceColumns(x[0], 30, 20, 10),
                2, 7, 7, 2, 2, 5, 1 / Math.Sqrt(5)), 4, 8);
        yield return InSegments("attention in segments", 2, 6, 4, 2, 5, 0, 5, 1, 6);
        yield return InSegments("attention in segments, window of 3", 1, 13, 2, 2, 6, 3, 2, 7, 4);
        yield return InSegments("attention in segments, two blocks of keys", 1, 112, 1, 1, 5, 0, 8, 99, 5);
        yield return new("attention of one tensor to itself", typeof(AttentionOp), r => [r.Normal(2, 5, 6)],
            (c, x) => c.CausalAttention(x[0], x[0], x[0], 2, 2),
            x => Reference.Attention(x[0], x[0], x[0], 2, 5, 5, 2, 2, 3, 1 / Math.Sqrt(3)), 4, 8);
    }

    private static IEnumerable<GradCase> AttentionOptionCases()
    {
        var plain = new AttentionOptions(4, 2);
        Tensor slopes = Tensor.From(new Shape(4), Alibi.Slopes(4)), table = new Random(8).Normal(8, 4),
            lengths = Tensor.FromIds(new Shape(2), [3, 6]);
        yield return Option("softcap", plain with { SoftCap = 1.5f });
        yield return Option("ALiBi", plain with { Slopes = slopes });
        yield return Option("softcap, ALiBi, window", plain with { SoftCap = 2, Slopes = slopes, Window = 3 });
        yield return Option("not causal", plain with { IsCausal = false });
        yield return Option("lengths", plain with { IsCausal = false, Lengths = lengths });
        yield return Option("lengths, causal, window", plain with { Lengths = lengths, Window = 4 });
        yield return Option("cross", plain with { IsCausal = false, Lengths = lengths }, 9);
        yield return Option("sinks", plain with { Window = 2, Sinks = 2 });
        yield return Option("values of another width", plain, valueDim: 8);
        yield return Option("learned sink", plain with { LearnedSink = new Random(8).Normal(4) });
        yield return Option("table of biases", plain with
        {
            IsCausal = false,
            Scale = 1,
            RelativeBias = new RelativeBias(table, true, 20),
        }, isBidirectional: true);
        yield return Option("softcap, causal table of biases", plain with
        {
            SoftCap = 2,
            RelativeBias = new RelativeBias(table, false, 20),
        });

        static GradCase Option(string name, AttentionOptions options, int queries = 6, int valueDim = 5,
            bool isBidirectional = false)
        {
            var naive = new NaiveAttention(2, queries, 6, 5, valueDim, options, isBidirectional);
            return new($"attention, {name}", typeof(AttentionOp), naive.Inputs, naive.Run, naive.Forward, 6, 12);
        }
    }

    private static GradCase Attention(string name, int batch, int times, int heads, int keyHeads, int headDim,
        float scale = 0, int window = 0) => new(name, typeof(AttentionOp),
        r => [r.Normal(batch, times, heads * headDim), r.Normal(batch, times, keyHeads * headDim),
            r.Normal(batch, times, keyHeads * headDim)],
        (c, x) => c.CausalAttention(x[0], x[1], x[2], heads, keyHeads, scale, window),
        x => Reference.Attention(x[0], x[1], x[2], batch, times, times, heads, keyHeads, headDim,
            scale == 0 ? 1 / Math.Sqrt(headDim) : scale, window == 0 ? int.MaxValue : window), 4, 8);

    /// <summary>
    /// Documents of these lengths in a batch; the reference runs them one by one.
    /// </summary>
    private static GradCase InSegments(string name, int batch, int times, int heads, int keyHeads, int headDim,
        int window, params int[] lengths) => new(name, typeof(AttentionOp),
        r => [r.Normal(batch, times, heads * headDim), r.Normal(batch, times, keyHeads * headDim),
            r.Normal(batch, times, keyHeads * headDim)],
        (c, x) => c.CausalAttention(x[0], x[1], x[2], heads, keyHeads, window: window,
            segments: new Segments(c, lengths)),
        x => [.. lengths.SelectMany((length, i) =>
        {
            int start = lengths[..i].Sum(), queries = heads * headDim, keys = keyHeads * headDim;
            return Reference.Attention(x[0][(start * queries)..((start + length) * queries)],
                x[1][(start * keys)..((start + length) * keys)], x[2][(start * keys)..((start + length) * keys)],
                1, length, length, heads, keyHeads, headDim, 1 / Math.Sqrt(headDim),
                window == 0 ? int.MaxValue : window);
        })], 4, 8);

    private static IEnumerable<GradCase> Views()
    {
        yield return new("reshape of an input", typeof(ScaleOp), r => [r.Normal(6, 5)],
            (c, x) => c.Scale(x[0].Reshape(new Shape(2, 15)), 3), x => Reference.Scale(x[0], 3), 1, 1);
        yield return new("reshape as output", typeof(ScaleOp), r => [r.Normal(6, 5)],
            (c, x) => c.Scale(x[0], 3).Reshape(new Shape(30)), x => Reference.Scale(x[0], 3), 1, 1);
        yield return new("reshape between ops", typeof(ScaleOp), r => [r.Normal(6, 5), r.Normal(10)],
            (c, x) => c.Add(c.Scale(x[0], 3).Reshape(new Shape(3, 10)), x[1]),
            x => Reference.Add(Reference.Scale(x[0], 3), x[1]), 2, 2);
        yield return new("columns of an input", typeof(LinearOp), r => [r.Normal(3, 4, 17), r.Normal(5, 7)],
            (c, x) => c.Linear(x[0].SliceColumns(3, 7), x[1], null),
            x => Reference.Linear(Reference.SliceColumns(x[0], 17, 3, 7), x[1], null, 5, 7), 2, 2);
        yield return new("rows of an input", typeof(ActivationOp), r => [r.Normal(5, 7)],
            (c, x) => c.Activation(ActivationKind.Tanh, x[0].SliceRows(1, 3)),
            x => Reference.Activation(ActivationKind.Tanh, x[0][7..28]), 4, 4);
        yield return new("columns of rows of a reshape", typeof(LinearOp), r => [r.Normal(4, 3, 9), r.Normal(2, 5)],
            (c, x) => c.Linear(x[0].Reshape(new Shape(12, 9)).SliceRows(2, 7).SliceColumns(3, 5), x[1], null),
            x => Reference.Linear(Reference.SliceColumns(x[0][18..81], 9, 3, 5), x[1], null, 2, 5), 2, 2);
        yield return new("columns between ops", typeof(RopeOp), r => [r.Normal(3, 10)],
            (c, x) => c.Rope(c.Scale(x[0], 3).SliceColumns(2, 8),
                new RopeTable(RopeTable.InverseFrequencies(4, 100), [0, 1, 2]), RopePairing.RotateHalf),
            x => Reference.Rope(Reference.Scale(Reference.SliceColumns(x[0], 10, 2, 8), 3), [0, 1, 2], 2, 4, 100,
                false), 2, 2);
        yield return new("two slices that overlap", typeof(MultiplyOp), r => [r.Normal(4, 7)],
            (c, x) => c.Multiply(x[0].SliceRows(0, 3), x[0].SliceRows(1, 3)),
            x => Reference.Multiply(x[0][..21], x[0][7..]), 1, 2);
        yield return new("a parent and its view", typeof(LinearOp),
            r => [r.Normal(4, 9), r.Normal(5, 9), r.Normal(5, 6)],
            (c, x) => c.Add(c.Linear(x[0], x[1], null), c.Linear(x[0].SliceColumns(2, 6), x[2], null)),
            x => Reference.Add(Reference.Linear(x[0], x[1], null, 5, 9),
                Reference.Linear(Reference.SliceColumns(x[0], 9, 2, 6), x[2], null, 5, 6)), 3, 3);
        yield return new("a view and its parent", typeof(LinearOp),
            r => [r.Normal(4, 9), r.Normal(5, 9), r.Normal(5, 6)],
            (c, x) => c.Add(c.Linear(x[0].SliceColumns(2, 6), x[2], null), c.Linear(x[0], x[1], null)),
            x => Reference.Add(Reference.Linear(Reference.SliceColumns(x[0], 9, 2, 6), x[2], null, 5, 6),
                Reference.Linear(x[0], x[1], null, 5, 9)), 3, 3);
    }

    private static IEnumerable<GradCase> Repeats()
    {
        yield return new("x + x", typeof(AddOp), r => [r.Normal(3, 7)], (c, x) => c.Add(x[0], x[0]),
            x => Reference.Scale(x[0], 2), 0, 0);
        yield return new("x * x", typeof(MultiplyOp), r => [r.Normal(3, 7)], (c, x) => c.Multiply(x[0], x[0]),
            x => Reference.Multiply(x[0], x[0]), 1, 2);
        yield return new("swiglu of x and x", typeof(GatedOp), r => [r.Normal(3, 7)], (c, x) => c.SwiGlu(x[0], x[0]),
            x => Reference.SwiGlu(x[0], x[0]), 3, 2);
        yield return new("x x^T", typeof(MatMulOp), r => [r.Normal(2, 4, 5)],
            (c, x) => c.MatMul(x[0], x[0], transposeB: true),
            x => Reference.MatMul(x[0], x[0], 2, 4, 4, 5, false, true), 2, 2);
        yield return new("x + f(x)", typeof(AddOp), r => [r.Normal(3, 7)],
            (c, x) => c.Add(x[0], c.Activation(ActivationKind.Tanh, x[0])),
            x => Reference.Add(x[0], Reference.Activation(ActivationKind.Tanh, x[0])), 2, 3);
        yield return new("f(x) + x", typeof(AddOp), r => [r.Normal(3, 7)],
            (c, x) => c.Add(c.Activation(ActivationKind.Tanh, x[0]), x[0]),
            x => Reference.Add(x[0], Reference.Activation(ActivationKind.Tanh, x[0])), 2, 3);
        yield return new("a + a b, all of a intermediate", typeof(AddOp), r => [r.Normal(3, 7), r.Normal(3, 7)],
            (c, x) => { var a = c.Scale(x[0], 3); return c.Add(a, c.Multiply(a, x[1])); },
            x => Reference.Add(Reference.Scale(x[0], 3), Reference.Multiply(Reference.Scale(x[0], 3), x[1])), 3, 3);
        yield return new("two residual blocks", typeof(RmsNormOp),
            r => [r.Normal(3, 7), r.AroundOne(7), r.Normal(7, 7)],
            (c, x) => Block(c, Block(c, x[0], x[1], x[2]), x[1], x[2]),
            x => Block(Block(x[0], x[1], x[2]), x[1], x[2]), 2, 4);
        yield return new("two residual blocks, checkpointed", typeof(CheckpointOp),
            r => [r.Normal(3, 7), r.AroundOne(7), r.Normal(7, 7)],
            (c, x) => c.Checkpoint(c.Checkpoint(x[0], (c, t) => Block(c, t, x[1], x[2])),
                (c, t) => Block(c, t, x[1], x[2])),
            x => Block(Block(x[0], x[1], x[2]), x[1], x[2]), 2, 4);
    }

    /// <summary>
    /// Gradients at numbers with a relative error of 2^-9, which is 2^15 roundings; a product of a
    /// few of them.
    /// </summary>
    private static IEnumerable<GradCase> Stored()
    {
        yield return new("two residual blocks, stored as bfloat16", typeof(BFloat16StorageOp),
            r => [r.Normal(3, 7), r.AroundOne(7), r.Normal(7, 7)],
            (c, x) => c.StoringBFloat16(c.StoringBFloat16(x[0], (c, t) => Block(c, t, x[1], x[2])),
                (c, t) => Block(c, t, x[1], x[2])),
            x => Block(Block(x[0], x[1], x[2]), x[1], x[2]), 2, 4 << 15);
        yield return new("linear functions, stored as bfloat16", typeof(BFloat16StorageOp), r => [r.Normal(3, 7)],
            (c, x) => c.StoringBFloat16(x[0], (c, t) => c.Add(c.Scale(c.Scale(t, 3), 2), t)),
            x => Reference.Scale(x[0], 7), 2, 1);
    }

    private static Tensor Block(Compute c, Tensor x, Tensor norm, Tensor w) =>
        c.Add(x, c.Activation(ActivationKind.Silu, c.Linear(c.RmsNorm(x, norm, 1e-5f), w, null)));

    private static double[] Block(double[] x, double[] norm, double[] w) =>
        Reference.Add(x, Reference.Activation(ActivationKind.Silu,
            Reference.Linear(Reference.RmsNorm(x, norm, 1e-5f), w, null, 7, 7)));
}
