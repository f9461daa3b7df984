using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Nano.Tests;

/// <summary>
/// Laws that hold for any size and any numbers. Cases are drawn from a fixed seed, so a failure
/// repeats.
/// </summary>
public class PropertyTests
{
    /// <summary>Sizes (up to 40) of an op and the seed of its numbers.</summary>
    public sealed record Sizes(int B, int M, int N, int K, int Seed)
    {
        public Random Random() => new(Seed);
    }

    private static readonly Gen<Sizes> AnySizes =
        from b in Gen.Choose(1, 3)
        from m in Gen.Choose(1, 40)
        from n in Gen.Choose(1, 40)
        from k in Gen.Choose(1, 40)
        from seed in Gen.Choose(0, 1 << 20)
        select new Sizes(b, m, n, k, seed);

    private static void ForAll(Func<Compute, Sizes, bool> law)
    {
        using var compute = new Compute(2);
        var config = Config.QuickThrowOnFailure.WithMaxTest(60).WithQuietOnSuccess(true)
            .WithReplay(FSharpOption<Replay>.Some(new Replay(new Rnd(20261121, 97), FSharpOption<int>.None)));
        Check.One(config, Prop.ForAll(AnySizes.ToArbitrary(), sizes => law(compute, sizes)));
    }

    private static bool Close(Tensor a, Tensor b, double roundings)
    {
        double scale = Math.Max(1, b.Data.ToArray().Max(MathF.Abs));
        return a.Shape == b.Shape && TestTensors.Error(a.Data, b.Doubles()) <= roundings * GradCase.Rounding * scale;
    }

    [Fact]
    public void Outputs_have_the_shapes_that_are_promised() => ForAll((c, s) =>
    {
        var r = s.Random();
        var x = r.Normal(s.B, s.M, s.K);
        var ids = Tensor.FromIds(new Shape(s.B, s.M), r.Ids(s.B * s.M, s.N));
        var (loss, nll) = c.CrossEntropy(r.Normal(s.B, s.M, s.N), ids);
        var table = new RopeTable(RopeTable.InverseFrequencies(2 * s.K, 10000), new int[s.M]);
        return c.Linear(x, r.Normal(s.N, s.K), null).Shape == new Shape(s.B, s.M, s.N)
            && c.MatMul(x, r.Normal(s.B, s.K, s.N)).Shape == new Shape(s.B, s.M, s.N)
            && c.MatMul(x, r.Normal(s.B, s.M, s.N), transposeA: true).Shape == new Shape(s.B, s.K, s.N)
            && c.Embedding(r.Normal(s.N, s.K), ids).Shape == new Shape(s.B, s.M, s.K)
            && c.LayerNorm(x, r.AroundOne(s.K), null, 1e-5f).Shape == x.Shape
            && c.RmsNorm(x, r.AroundOne(s.K), 1e-5f).Shape == x.Shape
            && c.Softmax(x).Shape == x.Shape && c.Activation(ActivationKind.Silu, x).Shape == x.Shape
            && c.SwiGlu(x, x).Shape == x.Shape
            && c.Add(x, r.Normal(s.K)).Shape == x.Shape && c.Multiply(x, x).Shape == x.Shape
            && c.Scale(x, 2).Shape == x.Shape && c.Dropout(x, 0.5f, 1, 1).Shape == x.Shape
            && c.Rope(r.Normal(s.B, s.M, 6 * s.K), table, RopePairing.Interleaved).Shape == new Shape(s.B, s.M, 6 * s.K)
            && c.CausalAttention(r.Normal(s.B, s.M, 4 * s.K), r.Normal(s.B, s.M + s.N, 2 * s.K),
                r.Normal(s.B, s.M + s.N, 2 * s.K), 4, 2).Shape == new Shape(s.B, s.M, 4 * s.K)
            && loss.Shape == new Shape() && nll.Shape == ids.Shape && c.Sum(x).Shape == new Shape()
            && c.Mean(x).Shape == new Shape();
    });

    [Fact]
    public void Softmax_rows_are_positive_and_sum_to_one() => ForAll((c, s) =>
    {
        var y = c.Softmax(c.Scale(s.Random().Normal(s.M, s.N), 5));
        return Enumerable.Range(0, s.M)
            .All(row => Math.Abs(y.SliceRows(row, 1).Doubles().Sum() - 1) < 4 * GradCase.Rounding)
            && y.Data.ToArray().All(p => p is >= 0 and <= 1);
    });

    [Fact]
    public void Softmax_and_cross_entropy_ignore_a_common_shift_to_the_bit() => ForAll((c, s) =>
    {
        // Logits that are multiples of 1/64 stay exact when 1,024 is added.
        var (x, shifted) = (s.Random().Normal(s.M, s.N), new Tensor(new Shape(s.M, s.N)));
        for (int i = 0; i < x.Length; i++)
        {
            x.Data[i] = MathF.Round(x.Data[i] * 64) / 64;
            shifted.Data[i] = x.Data[i] + 1024;
        }
        int[] targets = s.Random().Ids(s.M, s.N);
        return c.Softmax(x).Bits().AsSpan().SequenceEqual(c.Softmax(shifted).Bits())
            && LossGradient(c, x, targets).AsSpan().SequenceEqual(LossGradient(c, shifted, targets));
    });

    private static int[] LossGradient(Compute c, Tensor logits, int[] targets)
    {
        c.Tape = new Tape();
        var (loss, nll) = c.CrossEntropy(logits, Tensor.FromIds(new Shape(targets.Length), targets));
        c.Tape.Backward(c, loss);
        c.Tape = null;
        return [.. loss.Bits(), .. nll.Bits(), .. logits.Gradient.Bits()];
    }

    [Fact]
    public void Cross_entropy_gradients_of_a_row_sum_to_zero() => ForAll((c, s) =>
    {
        var x = s.Random().Normal(s.M, s.N);
        LossGradient(c, x, s.Random().Ids(s.M, s.N));
        return Enumerable.Range(0, s.M)
            .All(row => Math.Abs(x.Gradient.SliceRows(row, 1).Doubles().Sum()) < 4 * GradCase.Rounding);
    });

    [Fact]
    public void Layernorm_rows_have_mean_zero_and_variance_one() => ForAll((c, s) =>
    {
        // in a row of two or three, values may happen to be nearly equal, and x - mean loses its digits
        int columns = s.N + 7;
        var ones = new Tensor(new Shape(columns));
        ones.Data.Fill(1);
        var y = c.LayerNorm(c.Add(c.Scale(s.Random().Normal(s.M, columns), 3), ones), ones, null, 0);
        return Enumerable.Range(0, s.M).All(row =>
        {
            double[] values = y.SliceRows(row, 1).Doubles();
            double mean = values.Average(), variance = values.Sum(v => (v - mean) * (v - mean)) / columns;
            return Math.Abs(mean) < 1e-6 && Math.Abs(variance - 1) < 1e-6;
        });
    });

    [Fact]
    public void Rmsnorm_rows_have_mean_square_one() => ForAll((c, s) =>
    {
        var ones = new Tensor(new Shape(s.N));
        ones.Data.Fill(1);
        var y = c.RmsNorm(s.Random().Normal(s.M, s.N), ones, 0);
        return Enumerable.Range(0, s.M)
            .All(row => Math.Abs((y.SliceRows(row, 1).Doubles().Sum(v => v * v) / s.N) - 1) < 8 * GradCase.Rounding);
    });

    [Fact]
    public void Linear_is_linear() => ForAll((c, s) =>
    {
        var r = s.Random();
        var (x, z, w) = (r.Normal(s.M, s.K), r.Normal(s.M, s.K), r.Normal(s.N, s.K));
        var ofSum = c.Linear(c.Add(c.Scale(x, 2), z), w, null);
        var sumOf = c.Add(c.Scale(c.Linear(x, w, null), 2), c.Linear(z, w, null));
        var doubled = c.Linear(c.Scale(x, 2), w, null); // a power of two changes no digit
        return Close(ofSum, sumOf, 40)
            && doubled.Bits().AsSpan().SequenceEqual(c.Scale(c.Linear(x, w, null), 2).Bits());
    });

    [Fact]
    public void Transposed_products_agree_to_the_bit() => ForAll((c, s) =>
    {
        var r = s.Random();
        var (a, b) = (r.Normal(s.M, s.K), r.Normal(s.K, s.N));
        var (at, bt) = (Transposed(a), Transposed(b));
        int[] y = c.MatMul(a, b).Bits();
        return y.AsSpan().SequenceEqual(c.MatMul(at, b, transposeA: true).Bits())
            && y.AsSpan().SequenceEqual(c.MatMul(a, bt, transposeB: true).Bits())
            && y.AsSpan().SequenceEqual(c.MatMul(at, bt, true, true).Bits())
            && y.AsSpan().SequenceEqual(c.Linear(a, bt, null).Bits())
            && y.AsSpan().SequenceEqual(Transposed(c.MatMul(bt, at)).Bits());
    });

    private static Tensor Transposed(Tensor x)
    {
        var y = new Tensor(new Shape(x.Shape[1], x.Shape[0]));
        for (int i = 0; i < x.Shape[0]; i++)
            for (int j = 0; j < x.Shape[1]; j++)
                y.Data[(j * x.Shape[0]) + i] = x.Data[(i * x.Shape[1]) + j];
        return y;
    }

    [Fact]
    public void Attention_over_equal_values_returns_that_value() => ForAll((c, s) =>
    {
        var r = s.Random();
        int times = 2 * s.M;
        var (value, v) = (r.Normal(2 * s.K), new Tensor(new Shape(s.B, times, 2 * s.K)));
        for (int row = 0; row < s.B * times; row++)
            value.Data.CopyTo(v.Data[(row * 2 * s.K)..]);
        var y = c.CausalAttention(r.Normal(s.B, times, 4 * s.K), r.Normal(s.B, times, 2 * s.K), v, 4, 2);
        var expected = new Tensor(y.Shape);
        for (int row = 0; row < s.B * times; row++)
            for (int column = 0; column < 4 * s.K; column++)
                expected.Data[(row * 4 * s.K) + column] = value.Data[(column / (2 * s.K) * s.K) + (column % s.K)];
        return Close(y, expected, 16);
    });

    [Fact]
    public void Rope_keeps_lengths_and_angles_between_positions() => ForAll((c, s) =>
    {
        // q at position p + n and k at p have a product that depends on n alone.
        var r = s.Random();
        int headDim = 2 * s.K;
        var (q, k) = (r.Normal(1, headDim), r.Normal(1, headDim));
        double[] frequencies = RopeTable.InverseFrequencies(headDim, 10000);
        Tensor Turned(Tensor x, int position) =>
            c.Rope(x, new RopeTable(frequencies, [position]), RopePairing.RotateHalf);
        double Product(int p) =>
            Reference.Sum(Reference.Multiply(Turned(q, p + s.N).Doubles(), Turned(k, p).Doubles()))[0];
        double length = Reference.Sum(Reference.Multiply(q.Doubles(), q.Doubles()))[0],
            turned = Reference.Sum(Reference.Multiply(Turned(q, s.M).Doubles(), Turned(q, s.M).Doubles()))[0];
        return Math.Abs(length - turned) < 8 * GradCase.Rounding * length
            && Math.Abs(Product(0) - Product(1000 * s.M)) < 8 * GradCase.Rounding * headDim;
    });

    [Fact]
    public void Dropout_keeps_the_promised_share_and_repeats_its_mask() => ForAll((c, s) =>
    {
        var ones = new Tensor(new Shape(40000));
        ones.Data.Fill(1);
        float p = s.N / 50f;
        var y = c.Dropout(ones, p, (ulong)s.Seed, 3);
        double kept = y.Data.ToArray().Count(v => v != 0) / 40000.0;
        bool scaled = y.Data.ToArray().All(v => v == 0 || v == 1 / (1 - p));
        // Five standard deviations of the share of 40,000 draws are below 0.0125.
        return scaled && Math.Abs(kept - (1 - p)) < 0.0125
            && y.Bits().AsSpan().SequenceEqual(c.Dropout(ones, p, (ulong)s.Seed, 3).Bits())
            && !y.Bits().AsSpan().SequenceEqual(c.Dropout(ones, p, (ulong)s.Seed, 4).Bits());
    });
}
