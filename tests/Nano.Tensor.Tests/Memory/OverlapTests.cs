namespace Nano.Tests;

public class OverlapTests
{
    private static Tensor Row(int length) => new(new Shape(length));

    [Fact]
    public void Sharing_is_found_to_the_element()
    {
        var x = Row(12);
        Assert.True(Overlap.Share(x, x));
        Assert.True(Overlap.Share(x.SliceRows(0, 5), x.SliceRows(4, 3)));
        Assert.True(Overlap.Share(x.SliceRows(4, 3), x.SliceRows(0, 5)));
        Assert.False(Overlap.Share(x.SliceRows(0, 5), x.SliceRows(5, 3)));
        Assert.False(Overlap.Share(x, Row(12)));
        Assert.False(Overlap.Share(x, x.SliceRows(3, 0)));
    }

    [Fact]
    public void Views_may_lie_in_each_others_gaps()
    {
        var x = new Tensor(new Shape(4, 6));
        var (left, right) = (x.SliceColumns(0, 3), x.SliceColumns(3, 3));
        Assert.False(Overlap.Share(left, right));
        Assert.False(Overlap.Share(right, left));
        Assert.True(Overlap.Share(left, x.SliceColumns(2, 3)));
        Assert.True(Overlap.Share(right, x));
        Assert.False(Overlap.Share(left.SliceRows(0, 2), left.SliceRows(2, 2)));
        // Rows of different strides: a gap of x at 3, 4, 5 of each row; elements 9 to 11 of the whole.
        var flat = x.Reshape(new Shape(24));
        Assert.False(Overlap.Share(left, flat.SliceRows(9, 3)));
        Assert.True(Overlap.Share(left, flat.SliceRows(9, 4)));
        Assert.True(Overlap.Share(left, flat.SliceRows(8, 4)));
    }

    [Fact]
    public void Agrees_with_looking_at_every_element()
    {
        var random = new Random(8);
        var x = new Tensor(new Shape(60));
        for (int round = 0; round < 500; round++)
        {
            var (a, b) = (View(), View());
            Assert.Equal(Elements(a).Overlaps(Elements(b)), Overlap.Share(a, b));
        }

        Tensor View()
        {
            int columns = random.Next(1, 9), rows = random.Next(1, 60 / columns + 1),
                start = random.Next(61 - (rows * columns)), width = random.Next(columns + 1);
            return x.SliceRows(start, rows * columns).Reshape(new Shape(rows, columns))
                .SliceColumns(random.Next(columns - width + 1), width);
        }

        static unsafe HashSet<nint> Elements(Tensor t) =>
            [.. from row in Enumerable.Range(0, (int)t.Shape.Rows) from column in Enumerable.Range(0, t.Shape.Columns)
                select Address(t, row, column)];

        static unsafe nint Address(Tensor t, int row, int column) => (nint)(t.Pointer + (row * t.RowStride) + column);
    }

    [Fact]
    public void The_refusal_names_the_op_and_both_tensors()
    {
        var x = Row(5);
        x.Name = "h.0.mlp.c_fc.weight";
        var e = Assert.Throws<ArgumentException>(() => Overlap.Check("adamw", x, Row(5), x.SliceRows(1, 4)));
        Assert.Equal("adamw: h.0.mlp.c_fc.weight [5] and [4] overlap in memory", e.Message);
        Overlap.Check("adamw", x, Row(5), Row(5));
        var ids = new Tensor(new Shape(5), DType.Int32);
        Assert.Throws<ArgumentException>(() => Overlap.Check("copy", ids, ids));
    }

    [Fact]
    public void The_same_view_twice_is_no_partial_overlap()
    {
        var x = new Tensor(new Shape(4, 6));
        Overlap.CheckPartial("attention", x.SliceColumns(0, 3), x.SliceColumns(0, 3));
        Overlap.CheckPartial("attention", x.SliceColumns(0, 3), x.SliceColumns(3, 3));
        var e = Assert.Throws<ArgumentException>(() =>
            Overlap.CheckPartial("attention", x.SliceColumns(0, 3), x.SliceColumns(2, 3)));
        Assert.Equal("attention: [4, 3] and [4, 3] overlap in memory without being the same", e.Message);
        Assert.Throws<ArgumentException>(() => Overlap.CheckPartial("attention", x, x.SliceColumns(0, 3)));
        Assert.Throws<ArgumentException>(() => Overlap.CheckPartial("copy", x.Reshape(new Shape(24)).SliceRows(0, 20),
            x.Reshape(new Shape(24)).SliceRows(1, 20)));
    }

#if DEBUG
    [Fact]
    public void Debug_builds_refuse_it_in_every_op_that_cannot_have_it()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var (x, g) = (Row(12), Row(4));
        Tensor Part(int start) => x.SliceRows(start, 4);
        Action[] wrong =
        [
            () => Part(0).CopyFrom(Part(1)),
            () => compute.AdamW(Part(0), Part(3), Row(4), Row(4), default),
            () => compute.AdamW(Part(0), g, Part(3), Row(4), default),
            () => compute.AdamW(Part(0), g, Row(4), Part(0), default),
            () => compute.AdamW(Row(4), g, Row(4), g, default),
            () => compute.AdamW(Row(4), g, g, Row(4), default),
            () => compute.AdamW(Row(4), Row(4), g, g, default),
            () => compute.Adam(Part(0), g, Part(3), Row(4), default),
            () => compute.Adam(Row(4), g, Row(4), g, default),
            () => compute.Adam(Row(4), Row(4), g, g, default),
            () => compute.Lion(Part(0), Part(3), Row(4), default),
            () => Attend(0, 2, 8),
            () => Attend(0, 4, 6),
            () => Attend(0, 4, 2),
        ];
        Assert.All(wrong, action => Assert.Contains("overlap", Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal));
        Attend(0, 4, 8);
        Attend(0, 0, 0);
        Part(0).CopyFrom(Part(4));

        void Attend(int q, int k, int v)
        {
            var qkv = new Random(1).Normal(1, 3, 12);
            compute.NextStep();
            compute.Tape!.Backward(compute, compute.CausalAttention(qkv.SliceColumns(q, 4), qkv.SliceColumns(k, 4), qkv.SliceColumns(v, 4), 2, 2));
        }
    }
#endif
}
