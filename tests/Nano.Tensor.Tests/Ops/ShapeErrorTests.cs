namespace Nano.Tests;

/// <summary>
/// Wrong shapes are refused with the op's name and the shapes at hand; so are views with gaps where
/// an op cannot walk them.
/// </summary>
public class ShapeErrorTests
{
    private static Tensor T(params ReadOnlySpan<int> dims) => new(new Shape(dims));

    private static Tensor Ids(params int[] ids) => Tensor.FromIds(new Shape(ids.Length), ids);

    /// <summary>Attention that is not causal, of two heads, with changed options.</summary>
    private static void Attend(Compute c, Tensor q, Tensor k, Func<AttentionOptions, AttentionOptions> change) =>
        c.Attention(q, k, k, change(new AttentionOptions(2, 2) { IsCausal = false }));

    private static readonly RopeTable Table = new(RopeTable.InverseFrequencies(4, 10000), [0, 1, 2]);

    private static readonly (string Op, string[] Shapes, Action<Compute> Run)[] Wrong =
    [
        ("linear", ["[2, 3]", "[5, 4]"], c => c.Linear(T(2, 3), T(5, 4), null)),
        ("linear", ["[2, 3]", "[5, 3]", "[3]"], c => c.Linear(T(2, 3), T(5, 3), T(3))),
        ("linear", ["[2, 3]", "[3]"], c => c.Linear(T(2, 3), T(3), null)),
        ("linear", ["[]", "[5, 1]"], c => c.Linear(T(), T(5, 1), null)),
        ("matmul", ["[2, 3]", "[4, 2]"], c => c.MatMul(T(2, 3), T(4, 2))),
        ("matmul", ["[2, 3]", "[2, 3]"], c => c.MatMul(T(2, 3), T(2, 3))),
        ("matmul", ["[2, 3]^T", "[3, 2]"], c => c.MatMul(T(2, 3), T(3, 2), transposeA: true)),
        ("matmul", ["[2, 3]", "[3, 2]^T"], c => c.MatMul(T(2, 3), T(3, 2), transposeB: true)),
        ("matmul", ["[2, 3, 4]", "[3, 4, 5]"], c => c.MatMul(T(2, 3, 4), T(3, 4, 5))),
        ("matmul", ["[2, 3, 4]", "[4, 5]"], c => c.MatMul(T(2, 3, 4), T(4, 5))),
        ("matmul", ["[2, 2, 3, 4]", "[2, 3, 4, 5]"], c => c.MatMul(T(2, 2, 3, 4), T(2, 3, 4, 5))),
        ("matmul", ["[3]", "[3]"], c => c.MatMul(T(3), T(3))),
        ("add", ["[2, 3]", "[2]", "got 3 and 2"], c => c.Add(T(2, 3), T(2))),
        ("add", ["[3]", "[2, 2]"], c => c.Add(T(3), T(2, 2))),
        ("subtract", ["[2, 3]", "[2]"], c => c.Subtract(T(2, 3), T(2))),
        ("multiply", ["[2, 3]", "[3, 2]"], c => c.Multiply(T(2, 3), T(3, 2))),
        ("divide", ["[2, 3]", "[3, 2]"], c => c.Divide(T(2, 3), T(3, 2))),
        ("balance loss", ["[3, 4]", "[2, 2]"],
            c => c.BalanceLoss([T(3, 4)], [new Tensor(new Shape(2, 2), DType.Int32)])),
        ("balance loss", ["[3, 4]", "mask", "[4]"],
            c => c.BalanceLoss([T(3, 4)], [new Tensor(new Shape(3, 2), DType.Int32)], T(4))),
        ("sequence balance loss", ["[3, 4]", "[3, 2]", "of 2 tokens"],
            c => c.SequenceBalanceLoss([T(3, 4)], [new Tensor(new Shape(3, 2), DType.Int32)],
                RouterScoring.Softmax, 2)),
        ("combine", ["[6, 4]", "[2, 2]", "6 rows"],
            c => new Dispatch(c, new Tensor(new Shape(3, 2), DType.Int32), 4).Combine(c, T(6, 4), T(2, 2))),
        ("expert choice", ["4 tokens", "[3, 4]"], c => _ = new ExpertChoice(c, T(3, 4), 4)),
        ("rmsnorm", ["[12, 6]", "[5]"], c => c.DifferentialAttention((T(2, 3, 6), T(2, 3, 6)),
            (T(2, 3, 6), T(2, 3, 6)), T(2, 3, 12), new(T(3), T(3), T(3), T(3), 0.5f), T(5), new(2, 2))),
        ("expand", ["[2, 3]", "[3, 2, 2]"], c => c.Expand(T(2, 3), new Shape(3, 2, 2))),
        ("expand", ["[2, 3]", "[3]"], c => c.Expand(T(2, 3), new Shape(3))),
        ("activation", ["LeakyRelu", "got 0"], c => c.Activation(ActivationKind.LeakyRelu, T(2), 0)),
        ("activation", ["SoftCap", "got NaN"], c => c.SoftCap(T(2), float.NaN)),
        ("permute", ["(0, 0)", "[2, 3]"], c => c.Permute(T(2, 3), 0, 0)),
        ("permute", ["(0)", "[2, 3]"], c => c.Permute(T(2, 3), 0)),
        ("permute", ["(0, 2)", "[2, 3]"], c => c.Permute(T(2, 3), 0, 2)),
        ("transpose", ["[2]", "dimension -2"], c => c.Transpose(T(2))),
        ("concat", ["[2, 3]", "[3, 3]", "dimension 1"], c => c.Concat(1, T(2, 3), T(3, 3))),
        ("concat", ["[2, 3]", "[2]"], c => c.Concat(0, T(2, 3), T(2))),
        ("concat", ["[2, 3]", "dimension 2"], c => c.Concat(2, T(2, 3), T(2, 3))),
        ("concat", ["no tensors"], c => c.Concat(0)),
        ("stack", ["[2]", "[3]"], c => c.Stack(0, T(2), T(3))),
        ("stack", ["[2]", "dimension 2"], c => c.Stack(2, T(2))),
        ("stack", ["no tensors"], c => c.Stack(0)),
        ("slice", ["[2, 3, 4]", "dimension 1", "2 to 4"], c => c.Slice(T(2, 3, 4), 1, 2, 2)),
        ("gather", ["id 3", "position 1", "[2, 3]"], c => c.Gather(T(2, 3), Ids(0, 3), 1)),
        ("gather", ["id -1", "position 0"], c => c.SelectRows(T(2, 3), Ids(-1))),
        ("gather", ["[2, 3]", "dimension 2"], c => c.Gather(T(2, 3), Ids(0), 2)),
        ("gather", ["[1, 1]", "[2, 3]"], c => c.Gather(T(2, 3), new Tensor(new Shape(1, 1), DType.Int32), 0)),
        ("scatter-add", ["2 ids", "[3, 2]"], c => c.ScatterAdd(T(3, 2), Ids(0, 1), 0, 5)),
        ("scatter-add", ["id 5", "below 5"], c => c.ScatterAdd(T(2, 2), Ids(0, 5), 0, 5)),
        ("sum", ["[2, 3]", "dimension 2"], c => c.Sum(T(2, 3), 2)),
        ("mean", ["[2, 3]", "dimension -3"], c => c.Mean(T(2, 3), -3)),
        ("sum", ["[2, 3]", "dimension 1", "twice"], c => c.Sum(T(2, 3), [1, -1])),
        ("max", ["[2, 3]", "dimension 2"], c => c.Max(T(2, 3), 2)),
        ("max", ["[2, 0]", "dimension 1", "empty"], c => c.Max(T(2, 0), 1)),
        ("masked mean", ["[2, 3, 4]", "[2, 4]"], c => c.MaskedMean(T(2, 3, 4), T(2, 4))),
        ("group norm", ["[2, 6]", "4 groups"], c => c.GroupNorm(T(2, 6), T(6), T(6), 4, 1e-5f)),
        ("group norm", ["[2, 6]", "[5]"], c => c.GroupNorm(T(2, 6), T(5), T(6), 2, 1e-5f)),
        ("batch norm", ["[2, 6]", "[5]"], c => c.BatchNorm(T(2, 6), T(6), T(6), (T(5), T(6)), true, 1e-5f)),
        ("batch norm", ["[6]"], c => c.BatchNorm(T(6), T(6), T(6), (T(6), T(6)), true, 1e-5f)),
        ("mean squared error", ["[2, 3]", "[3]"], c => c.MeanSquaredError(T(2, 3), T(3))),
        ("mean absolute error", ["[2, 3]", "[3]"], c => c.MeanAbsoluteError(T(2, 3), T(3))),
        ("huber loss", ["[2, 3]", "[3]"], c => c.HuberLoss(T(2, 3), T(3))),
        ("binary cross-entropy", ["[2, 3]", "[3]"], c => c.BinaryCrossEntropy(T(2, 3), T(3))),
        ("kl divergence", ["[2, 3]", "[3]"], c => c.KlDivergence(T(2, 3), T(3))),
        ("contrastive loss", ["[2, 3]", "[2, 4]"], c => c.ContrastiveLoss(T(2, 3), T(2, 4), T())),
        ("info nce", ["[2, 3]", "[3, 3]"], c => c.InfoNce(T(2, 3), T(3, 3), 1)),
        ("sigmoid pair loss", ["[2, 3]", "[3]"], c => c.SigmoidPairLoss(T(2, 3), T(3), T(), T())),
        ("triplet loss", ["[2, 3]", "[2, 4]"], c => c.TripletLoss(T(2, 3), T(2, 3), T(2, 4), 1)),
        ("einsum", ["ij->k", "ij,jk->ik"], c => c.Einsum("ij->k", T(2, 3), T(3))),
        ("einsum", ["\"ijk\"", "3 dimensions", "[2, 3]"], c => c.Einsum("ijk,k->i", T(2, 3), T(3))),
        ("einsum", ["'j'", "size 3 in [2, 3]", "4 in [4, 5]"], c => c.Einsum("ij,jk->ik", T(2, 3), T(4, 5))),
        ("einsum", ["'i'", "twice"], c => c.Einsum("ii,ij->j", T(2, 2), T(2, 3))),
        ("einsum", ["'1'", "no letter"], c => c.Einsum("i1,ij->j", T(2, 2), T(2, 3))),
        ("einsum", ["'z'", "neither"], c => c.Einsum("ij,jk->iz", T(2, 3), T(3, 4))),
        ("einsum", ["more than 4"], c => c.Einsum("abc,def->abcde", T(1, 1, 1), T(1, 1, 1))),
        ("gated", ["Mish", "Silu"], c => c.Gated(ActivationKind.Mish, T(2), T(2))),
        ("gated", ["[2, 3]", "[2, 4]"], c => c.SwiGlu(T(2, 3), T(2, 4))),
        ("layernorm", ["[2, 3]", "[4]"], c => c.LayerNorm(T(2, 3), T(4), null, 1e-5f)),
        ("layernorm", ["[2, 3]", "[3]", "[4]"], c => c.LayerNorm(T(2, 3), T(3), T(4), 1e-5f)),
        ("layernorm", ["[2, 3]", "[1, 3]"], c => c.LayerNorm(T(2, 3), T(1, 3), null, 1e-5f)),
        ("rmsnorm", ["[2, 3]", "[1, 3]"], c => c.RmsNorm(T(2, 3), T(1, 3), 1e-5f)),
        ("rmsnorm", ["[2, 3]", "[2]"], c => c.RmsNorm(T(2, 3), T(2), 1e-5f)),
        ("embedding", ["[5]", "[2]"], c => c.Embedding(T(5), Ids(0, 1))),
        ("embedding", ["[5, 2]", "[1, 1, 1, 1]"], c =>
            c.Embedding(T(5, 2), new Tensor(new Shape(1, 1, 1, 1), DType.Int32))),
        ("embedding", ["id 5", "position 1", "size 5"], c => c.Embedding(T(5, 2), Ids(0, 5))),
        ("embedding", ["id -1", "position 0"], c => c.Embedding(T(5, 2), Ids(-1))),
        ("rope", ["[3, 6]", "head dimension 4"], c => c.Rope(T(3, 6), Table, RopePairing.RotateHalf)),
        ("rope", ["[5, 8]", "3 positions"], c => c.Rope(T(5, 8), Table, RopePairing.Interleaved)),
        ("rope", ["[8]", "3 positions"], c => c.Rope(T(8), Table, RopePairing.Interleaved)),
        ("rope", ["[3, 8]", "head dimension 0"], c =>
            c.Rope(T(3, 8), new RopeTable([], [0, 1, 2]), RopePairing.Interleaved)),
        ("rope", ["got 3"], _ => RopeTable.InverseFrequencies(3, 10000)),
        ("attention", ["[1, 3, 8]", "[1, 3, 6]", "4 heads"], c =>
            c.CausalAttention(T(1, 3, 8), T(1, 3, 6), T(1, 3, 6), 4, 2)),
        ("attention", ["[1, 3, 8]", "4 heads", "3 key heads"], c =>
            c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 8), 4, 3)),
        ("attention", ["[1, 4, 8]", "[1, 3, 8]"], c => c.CausalAttention(T(1, 4, 8), T(1, 3, 8), T(1, 3, 8), 2, 2)),
        ("attention", ["[2, 3, 8]", "[1, 3, 8]"], c => c.CausalAttention(T(2, 3, 8), T(1, 3, 8), T(1, 3, 8), 2, 2)),
        ("attention", ["[1, 3, 8]", "[1, 3, 5]", "2 key heads"],
            c => c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 5), 2, 2)),
        ("attention", ["[1, 4, 8]", "[2, 3, 8]"], c => Attend(c, T(1, 4, 8), T(2, 3, 8), o => o)),
        ("attention", ["window (2)"], c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Window = 2 })),
        ("attention", ["sinks (2)"], c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Sinks = 2 })),
        ("attention", ["got -1"], c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Sinks = -1 })),
        ("attention", ["cap", "got NaN"], c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { SoftCap = float.NaN })),
        ("attention", ["slopes [3]", "2 heads"],
            c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Slopes = T(3) })),
        ("attention", ["sinks [1]", "2 heads"],
            c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { LearnedSink = T(1) })),
        ("attention", ["[8, 3]", "[buckets, 2]"], c => Attend(c, T(1, 4, 8), T(1, 3, 8),
            o => o with { RelativeBias = new RelativeBias(T(8, 3), true, 20) })),
        ("attention", ["[2]", "[1, 3, 8]"],
            c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Lengths = Ids(1, 2) })),
        ("attention", ["length of 4", "[1, 3, 8]"],
            c => Attend(c, T(1, 4, 8), T(1, 3, 8), o => o with { Lengths = Tensor.FromIds(new Shape(1), [4]) })),
        ("attention", ["segments", "lengths"], c => Attend(c, T(1, 3, 8), T(1, 3, 8),
            o => o with { Lengths = Ids(1), Segments = new Segments(c, 3) })),
        ("relative bias", ["[8]"], _ => new RelativeBias(T(8), true, 20)),
        ("relative bias", ["3 buckets"], _ => new RelativeBias(T(3, 2), true, 20)),
        ("relative bias", ["distance of 2"], _ => new RelativeBias(T(8, 2), true, 2)),
        ("alibi", ["got 0"], _ => Alibi.Slopes(0)),
        ("attention", ["[3, 8]"], c => c.CausalAttention(T(3, 8), T(3, 8), T(3, 8), 2, 2)),
        ("attention", ["[1, 3, 8]", "0 heads"], c => c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 8), 0, 1)),
        ("attention", ["[1, 3, 8]", "0 key heads"], c => c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 8), 2, 0)),
        ("attention", ["[1, 3, 9]", "2 heads"], c => c.CausalAttention(T(1, 3, 9), T(1, 3, 9), T(1, 3, 9), 2, 2)),
        ("attention", ["got -1"], c => c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 8), 2, 2, -1)),
        ("attention", ["got NaN"], c => c.CausalAttention(T(1, 3, 8), T(1, 3, 8), T(1, 3, 8), 2, 2, float.NaN)),
        ("cross-entropy", ["[2, 5]", "[3]"], c => c.CrossEntropy(T(2, 5), Ids(0, 1, 2))),
        ("cross-entropy", ["target 5", "size 5"], c => c.CrossEntropy(T(2, 5), Ids(0, 5))),
        ("cross-entropy", ["target -1"], c => c.CrossEntropy(T(2, 5), Ids(0, -1))),
        ("cross-entropy", ["all of the 2 targets"], c => c.CrossEntropy(T(2, 5), Ids(-100, -100))),
        ("cross-entropy", ["label smoothing", "got 1"], c => c.CrossEntropy(T(2, 5), Ids(0, 1), new LossOptions(0, 1))),
        ("cross-entropy", ["label smoothing", "got NaN"], c =>
            c.CrossEntropy(T(2, 5), Ids(0, 1), new LossOptions(0, double.NaN))),
        ("cross-entropy", ["z-loss", "got -1"], c => c.CrossEntropy(T(2, 5), Ids(0, 1), new LossOptions(0, 0, -1))),
        ("linear-cross-entropy", ["label smoothing",
            "got -0.1"], c => c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(0, 1), new LossOptions(0, -0.1))),
        ("linear-cross-entropy", ["z-loss", "0 or more"], c =>
            c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(0, 1), new LossOptions(0, 0, double.PositiveInfinity))),
        ("linear-cross-entropy", ["[2, 5]", "[7, 4]"], c => c.LinearCrossEntropy(T(2, 5), T(7, 4), Ids(0, 1))),
        ("linear-cross-entropy", ["[2, 5]", "[7, 5]",
            "[3]"], c => c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(0, 1, 2))),
        ("linear-cross-entropy", ["[2, 5]", "[5]"], c => c.LinearCrossEntropy(T(2, 5), T(5), Ids(0, 1))),
        ("linear-cross-entropy", ["target 7", "size 7"], c => c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(0, 7))),
        ("linear-cross-entropy", ["target -1"], c => c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(0, -1))),
        ("linear-cross-entropy", ["all of the 2 targets"], c =>
            c.LinearCrossEntropy(T(2, 5), T(7, 5), Ids(-100, -100))),
        ("dropout", ["got 1"], c => c.Dropout(T(2), 1, 0, 0)),
        ("dropout", ["got -0.5"], c => c.Dropout(T(2), -0.5f, 0, 0)),
        ("dropout", ["got NaN"], c => c.Dropout(T(2), float.NaN, 0, 0)),
        ("backward", ["[3]", "[2]"], c => new Tape().Backward(c, T(2), T(3))),
        ("adamw", ["[2]", "[3]"], c => c.AdamW(T(2), T(3), T(2), T(2), default)),
        ("adamw", ["[2]", "[3]"], c => c.AdamW(T(2), T(2), T(3), T(2), default)),
        ("adamw", ["[2]", "[3]"], c => c.AdamW(T(2), T(2), T(2), T(3), default)),
        ("sgd", ["[2]", "[3]"], c => c.Sgd(T(2), T(3), T(2), default)),
        ("sgd", ["[2]", "[3]"], c => c.Sgd(T(2), T(2), T(3), default)),
        ("sgd", ["[2]", "[3]"], c => c.Sgd(T(2), T(3), null, default)),
        ("adagrad", ["[2]", "[3]"], c => c.AdaGrad(T(2), T(2), T(3), default)),
        ("adam", ["[2]", "[3]"], c => c.Adam(T(2), T(2), T(2), T(3), default)),
        ("lion", ["[2]", "[3]"], c => c.Lion(T(2), T(2), T(3), default)),
        ("lamb", ["[2]", "[3]"], c => c.Lamb(T(2), T(2), T(3), T(2), default, true)),
        ("sophia", ["[2]", "[3]"], c => c.Sophia(T(2), T(2), T(2), T(3), default)),
        ("sophia", ["[2]", "[3]"], c => c.SophiaEstimate(T(2), T(3), 1, 0.9)),
        ("adafactor", ["[2]", "[3]"], c => c.Adafactor(T(2), T(2), T(3), default)),
        ("selective-scan", ["[2, 3, 4]", "[4, 5]", "[2, 3, 6]"], c =>
            c.SelectiveScan(T(2, 3, 4), T(2, 3, 4), T(4, 5), T(2, 3, 6), T(2, 3, 6))),
        ("selective-scan", ["[2, 4, 5]"], c =>
            c.SelectiveScan(T(2, 3, 4), T(2, 3, 4), T(4, 5), T(2, 3, 5), T(2, 3, 5), null, T(2, 4, 5))),
        ("causal-conv", ["[2, 3, 4]", "[4, 3]"], c => c.DepthwiseCausalConv(T(2, 3, 4), T(4, 3))),
        ("causal-conv", ["[2, 3, 4]", "[4, 1, 3]", "[2, 3, 3]"], c =>
            c.DepthwiseCausalConv(T(2, 3, 4), T(4, 1, 3), null, T(2, 3, 3))),
        ("lstm", ["[2, 3, 4]", "[20, 3]", "[20, 5]"], c => c.Lstm(T(2, 3, 4), new(T(20, 3), T(20, 5)))),
        ("lstm", ["[2, 3, 4]", "[20, 4]", "[2, 4]"], c => c.Lstm(T(2, 3, 4), new(T(20, 4), T(20, 5)), T(2, 4))),
        ("gru", ["[2, 3, 4]", "[20, 4]", "[20, 5]"], c => c.Gru(T(2, 3, 4), new(T(20, 4), T(20, 5)))),
        ("gru", ["[2, 3, 4]", "length 4"], c =>
            c.Gru(T(2, 3, 4), new(T(15, 4), T(15, 5)), lengths: Ids(3, 4))),
        ("rnn", ["[2, 3, 4]", "[3]"], c => c.Rnn(T(2, 3, 4), new(T(5, 4), T(5, 5)), lengths: Ids(3, 3, 3))),
        ("ssd", ["[2, 3, 8]", "[2, 3, 4]", "3 groups"], c =>
            c.Ssd(T(2, 3, 8), T(2, 3, 4), T(4), T(2, 3, 6), T(2, 3, 6), 3)),
        ("retention", ["[2, 3, 8]", "[2, 3, 7]"], c =>
            c.Retention(T(2, 3, 8), T(2, 3, 8), T(2, 3, 7), T(2))),
        ("linear-attention", ["[2, 3, 8]", "3 heads"], c =>
            c.LinearAttention(T(2, 3, 8), T(2, 3, 8), T(2, 3, 8), 3)),
        ("wkv7", ["[2, 3, 8]", "[2, 2, 4, 5]"], c => c.Wkv7(T(2, 3, 8), T(2, 3, 8), T(2, 3, 8), T(2, 3, 8), T(2, 3, 8),
            T(2, 3, 8), 2, T(2, 2, 4, 5))),
        ("gated-delta-rule", ["[2, 3, 8]", "[2, 3, 3]"], c =>
            c.GatedDeltaRule(T(2, 3, 8), T(2, 3, 8), T(2, 3, 8), T(2, 3, 3), T(2, 3, 3))),
        ("conv", ["[2, 3, 8]", "[4, 2, 3]"], c => c.Conv(T(2, 3, 8), T(4, 2, 3))),
        ("conv", ["[2, 4, 8, 8]", "[5, 2, 3, 3]", "2 groups"], c =>
            c.Conv(T(2, 4, 8, 8), T(5, 2, 3, 3), null, new ConvOptions(Groups: 2))),
        ("pool", ["[2, 3]"], c => c.Pool(PoolKind.Max, T(2, 3), 2)),
        ("adafactor", ["[2, 3]", "[3]", "[2]"], c => c.Adafactor(T(2, 3), T(2, 3), T(3), T(2), default)),
        ("adafactor", ["[2, 3]", "[3, 2]"], c => c.Adafactor(T(2, 3), T(3, 2), T(2), T(3), default)),
        ("muon", ["[2, 3]", "[3, 2]"], c => c.Muon(T(2, 3), T(2, 3), T(3, 2), 1, default)),
        ("muon", ["[4, 3]", "3 matrices"], c => c.Muon(T(4, 3), T(4, 3), T(4, 3), 3, default)),
        ("orthogonalize", ["[2, 3, 4]"], c => c.Orthogonalize(T(2, 3, 4))),
        ("adamw8bit", ["[2]", "[3]"], c => c.AdamW8Bit(T(2), T(3), (Ids(0), T(1)), (Ids(0), T(1)), default)),
        ("adamw8bit", ["[2]", "[5]"], c => c.AdamW8Bit(T(5), T(5), (Ids(0, 0), T(1)), (Ids(0, 0), T(2)), default)),
        ("adamw8bit", ["[1]", "[5]"], c => c.AdamW8Bit(T(5), T(5), (Ids(0, 0), T(1)), (Ids(0), T(1)), default)),
        ("copy", ["[2]", "[3]"], _ => T(2).CopyFrom(T(3))),
        ("reshape", ["[2, 3]", "[7]"], _ => T(2, 3).Reshape(new Shape(7))),
        ("slice", ["[2, 3]", "2 to 4"], _ => T(2, 3).SliceColumns(2, 2)),
        ("slice", ["[2, 3]", "1 to 3"], _ => T(2, 3).SliceRows(1, 2)),
    ];

    /// <summary>Two columns of three: rows with gaps between them.</summary>
    private static Tensor Gaps(int rows = 2) => T(rows, 3).SliceColumns(0, 2);

    private static readonly (string Op, Action<Compute> Run)[] WithGaps =
    [
        ("linear", c => c.Linear(T(4, 2), Gaps(), null)),
        ("matmul", c => c.MatMul(Gaps(), T(2, 2))),
        ("matmul", c => c.MatMul(T(2, 2), Gaps())),
        ("layernorm", c => c.LayerNorm(Gaps(), T(2), null, 1e-5f)),
        ("rmsnorm", c => c.RmsNorm(Gaps(), T(2), 1e-5f)),
        ("softmax", c => c.Softmax(Gaps())),
        ("embedding", c => c.Embedding(Gaps(), Ids(0, 1))),
        ("cross-entropy", c => c.CrossEntropy(Gaps(), Ids(0, 1))),
        ("linear-cross-entropy", c => c.LinearCrossEntropy(Gaps(), T(4, 2), Ids(0, 1))),
        ("linear-cross-entropy", c => c.LinearCrossEntropy(T(4, 2), Gaps(), Ids(0, 1, 1, 0))),
        ("dropout", c => c.Dropout(Gaps(), 0.5f, 0, 0)),
        ("sum of squares", c => c.SumOfSquares(Gaps())),
        ("adamw", c => c.AdamW(Gaps(), T(2, 2), T(2, 2), T(2, 2), default)),
        ("adamw", c => c.AdamW(T(2, 2), Gaps(), T(2, 2), T(2, 2), default)),
        ("sgd", c => c.Sgd(Gaps(), T(2, 2), null, default)),
        ("lion", c => c.Lion(T(2, 2), Gaps(), T(2, 2), default)),
        ("lion", c => c.Lion(T(2, 2), T(2, 2), Gaps(), default)),
        ("adafactor", c => c.Adafactor(T(2, 2), Gaps(), T(2), T(2), default)),
        ("orthogonalize", c => c.Orthogonalize(Gaps())),
        ("Data", _ => Gaps().Data.Clear()),
        ("Ids", _ => new Tensor(new Shape(2, 3), DType.Int32).SliceColumns(0, 2).Ids.Clear()),
    ];

    [Fact]
    public void Wrong_shapes_are_refused_by_name()
    {
        using var compute = new Compute(1);
        foreach (var (op, shapes, run) in Wrong)
        {
            var e = Assert.Throws<ArgumentException>(() => run(compute));
            Assert.StartsWith(op + ":", e.Message, StringComparison.Ordinal);
            foreach (string shape in shapes)
                Assert.Contains(shape, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Views_with_gaps_are_refused_by_name()
    {
        using var compute = new Compute(1);
        foreach (var (op, run) in WithGaps)
        {
            var e = Assert.Throws<ArgumentException>(() => run(compute));
            Assert.StartsWith(op + ":", e.Message, StringComparison.Ordinal);
            Assert.Contains("[2, 2]", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Names_of_tensors_appear_in_errors()
    {
        using var compute = new Compute(1);
        var weight = T(5, 4);
        weight.Name = "h.0.mlp.c_fc.weight";
        Assert.Contains("h.0.mlp.c_fc.weight [5, 4]",
            Assert.Throws<ArgumentException>(() => compute.Linear(T(2, 3), weight, null)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_and_floats_are_not_mixed_up()
    {
        using var compute = new Compute(1);
        Assert.Throws<InvalidOperationException>(() => compute.Scale(Ids(1, 2), 2));
        Assert.Throws<InvalidOperationException>(() => compute.Embedding(T(5, 2), T(2)));
        Assert.Throws<InvalidOperationException>(() => compute.CrossEntropy(T(2, 5), T(2)));
    }
}
