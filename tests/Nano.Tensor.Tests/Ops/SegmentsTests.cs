using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Nano.Tests;

/// <summary>
/// Packed documents: each has the bits that it has alone, outputs and gradients, wherever it lies
/// in the batch.
/// </summary>
public class SegmentsTests
{
    /// <summary>Documents, sizes of an attention over them, and where it runs.</summary>
    public sealed record Packing(int[] Lengths, int KeyHeads, int Group, int HeadDim, int Window, SimdWidth Width,
        int Threads, int Seed)
    {
        public int Heads => KeyHeads * Group;

        public override string ToString() =>
            $"[{string.Join(", ", Lengths)}], {Heads}:{KeyHeads} heads of {HeadDim}, window {Window}, {Width}, "
            + $"{Threads} threads, seed {Seed}";
    }

    private static readonly Gen<Packing> AnyPacking =
        from count in Gen.Choose(1, 6)
        from lengths in Gen.Frequency((3, Gen.Choose(1, 40)), (1, Gen.Choose(90, 210))).ArrayOf(count)
        from keyHeads in Gen.Choose(1, 2)
        from groups in Gen.Choose(1, 3)
        from headDim in Gen.Elements(4, 10, 32)
        from window in Gen.Elements(0, 0, 1, 7, 100, 500)
        from width in Gen.Elements(SimdWidth.Scalar, SimdWidth.W128, SimdWidth.W256, SimdWidth.W512)
        from threads in Gen.Elements(1, 2, 3, 7)
        from seed in Gen.Choose(0, 1 << 20)
        select new Packing(lengths, keyHeads, groups, headDim, window, width, threads, seed);

    [Fact]
    public void Attention_within_documents_has_the_bits_of_each_alone()
    {
        var config = Config.QuickThrowOnFailure.WithMaxTest(80).WithQuietOnSuccess(true)
            .WithReplay(FSharpOption<Replay>.Some(new Replay(new Rnd(20261121, 97), FSharpOption<int>.None)));
        Check.One(config, Prop.ForAll(AnyPacking.ToArbitrary(), AttentionAgrees));
    }

    [Fact]
    public void Every_width_and_team_gives_the_bits_of_each_document_alone()
    {
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
                foreach (int keyHeads in new[] { 1, 2 }) // with one, a large team takes two passes
                    Assert.True(AttentionAgrees(new Packing([30, 1, 250, 97, 8, 9], keyHeads, 2, 12, 0, width, threads,
                        5)), $"{width}, {threads} threads, {keyHeads} key heads");
    }

    private static bool AttentionAgrees(Packing p)
    {
        using var compute = TestTensors.Dirty(p.Threads, p.Width);
        compute.Tape = new Tape();
        var random = new Random(p.Seed);
        int rows = p.Lengths.Sum(), queries = p.Heads * p.HeadDim, keys = p.KeyHeads * p.HeadDim;
        Tensor all = random.Normal(1, rows, queries + (2 * keys)), dy = random.Normal(1, rows, queries);
        int[] packed = Attend(compute, all, dy, p, new Segments(compute, p.Lengths));
        var expected = new List<int>();
        var gradients = new List<int>();
        int start = 0;
        foreach (int length in p.Lengths)
        {
            int[] bits = Attend(compute, Rows(all, start, length), Rows(dy, start, length), p, null);
            expected.AddRange(bits[..(length * queries)]);
            gradients.AddRange(bits[(length * queries)..]);
            start += length;
        }
        return packed.AsSpan().SequenceEqual([.. expected, .. gradients]);
    }

    /// <summary>Output and gradient of q, k and v, side by side in x.</summary>
    private static int[] Attend(Compute c, Tensor x, Tensor dy, Packing p, Segments? segments)
    {
        int queries = p.Heads * p.HeadDim, keys = p.KeyHeads * p.HeadDim;
        var y = c.CausalAttention(x.SliceColumns(0, queries), x.SliceColumns(queries, keys),
            x.SliceColumns(queries + keys, keys), p.Heads, p.KeyHeads, window: p.Window, segments: segments);
        int[] output = y.Bits();
        c.Tape!.Backward(c, y, dy);
        int[] bits = [.. output, .. x.Gradient.Bits()];
        c.NextStep();
        return bits;
    }

    private static Tensor Rows(Tensor x, int start, int length)
    {
        int columns = x.Shape.Columns;
        return Tensor.From(new Shape(1, length, columns), x.Data.Slice(start * columns, length * columns));
    }

    [Theory]
    [InlineData(RopePairing.RotateHalf)]
    [InlineData(RopePairing.Interleaved)]
    public void Rotary_positions_begin_again_with_each_document(RopePairing pairing)
    {
        int[] lengths = [5, 1, 9, 3];
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(2, width);
            compute.Tape = new Tape();
            var random = new Random(6);
            Tensor x = random.Normal(2, 9, 24), dy = random.Normal(2, 9, 24);
            var table = new RopeTable(12, 10000, null, 14);
            var y = compute.Rope(x, table, pairing, new Segments(compute, lengths));
            int[] output = y.Bits();
            compute.Tape.Backward(compute, y, dy);
            int start = 0;
            foreach (int length in lengths)
            {
                var alone = Rows(x, start, length);
                var expected = compute.Rope(alone, table.Slice(0, length), pairing);
                Assert.Equal(expected.Bits(), output.AsSpan(start * 24, length * 24).ToArray());
                compute.Tape.Backward(compute, expected, Rows(dy, start, length));
                Assert.Equal(alone.Gradient.Bits(), x.Gradient.Bits().AsSpan(start * 24, length * 24).ToArray());
                start += length;
            }
        }
    }

    [Fact]
    public void Segments_know_their_rows_and_positions()
    {
        using var compute = new Compute(1);
        var segments = new Segments(compute, 3, 1, 4);
        Assert.Equal((3, 8, 4), (segments.Count, segments.Rows, segments.Longest));
        Assert.Equal([0, 1, 2, 0, 0, 1, 2, 3], segments.Positions.Ids.ToArray());
        Assert.Equal([3, 1, 4], Enumerable.Range(0, 3).Select(segments.LengthOf));
        var none = new Segments(compute);
        Assert.Equal((0, 0, 0), (none.Count, none.Rows, none.Longest));
        Tensor empty = new(new Shape(0, 5, 8));
        Assert.Equal(empty.Shape, compute.CausalAttention(empty, empty, empty, 2, 2, segments: none).Shape);
    }

    [Fact]
    public void Only_the_rows_of_a_document_count_as_work()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(1, 6, 4);
        compute.CausalAttention(x, x, x, 2, 2, segments: new Segments(compute, 1, 3, 2));
        // Pairs of a query and a key: 1 + (1 + 2 + 3) + (1 + 2); a product takes 2 x 4 operations for each,
        // and forward has two.
        Assert.Equal(2 * 8 * 10, compute.Tape.Ops[^1].ForwardWork.Flops);
    }

    [Fact]
    public void Segments_that_do_not_fit_are_refused()
    {
        using var compute = new Compute(1);
        var x = new Random(1).Normal(2, 4, 8);
        var table = new RopeTable(4, 10000, null, 5);
        foreach (var (action, says) in new (Action, string)[]
        {
            (() => _ = new Segments(compute, 3, 0), "got 0"),
            (() => _ = new Segments(compute, 3, -1), "got -1"),
            (() => _ = new Segments(compute, int.MaxValue, 1), "too many"),
            (() => compute.CausalAttention(x, x, x, 2, 2, segments: new Segments(compute, 4, 3)),
                "2 segments of 7 rows"),
            (() => compute.CausalAttention(x.SliceRows(0, 1), x.Reshape(new Shape(1, 8, 8)),
                x.Reshape(new Shape(1, 8, 8)), 2, 2, segments: new Segments(compute, 4)), "1 segments of 4 rows"),
            (() => compute.Rope(x, table, RopePairing.RotateHalf, new Segments(compute, 4, 3)), "2 segments of 7 rows"),
            (() => compute.Rope(x, table, RopePairing.RotateHalf, new Segments(compute, 6, 2)), "the longest of 6"),
        })
            Assert.Contains(says, Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal);
    }
}
