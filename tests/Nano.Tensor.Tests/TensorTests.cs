using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public sealed class TensorTests
{
    [Fact]
    public void A_new_tensor_is_zero_and_keeps_values()
    {
        var x = new Tensor(new Shape(2, 3));
        Assert.Equal(new float[6], x.ToArray());
        Assert.Equal([1f, 2f, 3f, 4f, 5f, 6f], Counting(2, 3).ToArray());
        Assert.Equal([7, 8], Tensor.FromIds(new Shape(2), [7, 8]).Ids.ToArray());
        Assert.Equal(1, new Tensor(new Shape()).Data.Length);
    }

    [Fact]
    public void Whole_numbers_make_floats_and_only_FromIds_makes_ids()
    {
        Assert.Equal(DType.Float32, Tensor.From(new Shape(2), [0, 1]).Type);
        Assert.Equal(DType.Int32, Tensor.FromIds(new Shape(2), [0, 1]).Type);
    }

    [Fact]
    public void Text_shows_the_shape_and_the_first_values()
    {
        var x = Tensor.From(new Shape(2, 3), [1, -0.5f, 1e-9f, 4, 12345.6f, float.NaN]);
        Assert.Equal("[2, 3]\n  1 -0.5 1E-09\n  4 1.235E+04 NaN", x.ToString());
        Assert.Equal("[2, 2]\n  -0.5 1E-09\n  1.235E+04 NaN", x.SliceColumns(1, 2).ToString());
        x.Name = "w";
        Assert.Equal("w [2, 3]", $"{x}");
        Assert.Equal("w [2, 3]\n  1 ...\n  ...", $"{x:v1}");
        Assert.Equal("[]\n  7", Tensor.FromIds(new Shape(), [7]).ToString());
        Assert.Equal("[2, 0]", new Tensor(new Shape(2, 0)).ToString());
        string[] lines = new Tensor(new Shape(9, 9, 9)).ToString().Split('\n');
        Assert.Equal(8, lines.Length); // the shape, six rows, and that there are more
        Assert.Equal("  0 0 0 0 0 0 0 0 ...", lines[6]);
        Assert.Contains("\"v\"", Assert.Throws<FormatException>(() => $"{x:G}").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_a_tensor_whose_memory_is_gone_says_so()
    {
        using var compute = new Compute(1);
        var x = compute.New(new Shape(2));
        compute.NextStep();
        Assert.Equal("[2] (its memory has been freed)", x.ToString());
    }

    /// <summary>
    /// Of 100,000 numbers: the deviation, and the largest of a uniform draw, by the formulas.
    /// </summary>
    [Fact]
    public void Initial_weights_have_the_deviation_that_their_rule_states()
    {
        var weight = new Tensor(new Shape(250, 400));
        foreach (var (fill, square, most) in new (Action<Tensor>, double, double)[]
        {
            (w => w.XavierUniform(1, 2), 2.0 / 650, Math.Sqrt(6.0 / 650)),
            (w => w.XavierNormal(1, 2), 2.0 / 650, double.PositiveInfinity),
            (w => w.HeUniform(1, 2), 2.0 / 400, Math.Sqrt(6.0 / 400)),
            (w => w.HeNormal(1, 2), 2.0 / 400, double.PositiveInfinity),
        })
        {
            fill(weight);
            float[] values = weight.Data.ToArray();
            Assert.InRange(values.Average(value => (double)value * value), 0.98 * square, 1.02 * square);
            Assert.InRange(values.Average(value => (double)value), -0.01 * Math.Sqrt(square), 0.01 * Math.Sqrt(square));
            Assert.True(values.Max(Math.Abs) <= most);
        }
        float first = weight.Data[0];
        weight.HeNormal(1, 3);
        Assert.NotEqual(first, weight.Data[0]);
        Assert.Contains("[3]", Assert.Throws<ArgumentException>(() => new Tensor(new Shape(3)).HeNormal(1, 2)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_do_not_fill_the_shape_are_refused()
    {
        Assert.Contains("[2, 3]", Assert.Throws<ArgumentException>(() => Tensor.From(new Shape(2, 3), [1f])).Message);
        Assert.Contains("2 ids", Assert.Throws<ArgumentException>(() => Tensor.FromIds(new Shape(3), [1, 2])).Message);
    }

    [Fact]
    public void Ids_and_floats_are_not_mixed_up()
    {
        var ids = new Tensor(new Shape(2), DType.Int32) { Name = "tokens" };
        Assert.Contains("tokens [2]", Assert.Throws<InvalidOperationException>(() => ids.Data.Length).Message);
        Assert.Throws<InvalidOperationException>(() => new Tensor(new Shape(2)).Ids.Length);
    }

    [Fact]
    public void Ids_of_a_view_with_gaps_are_refused()
    {
        var ids = Tensor.FromIds(new Shape(2, 3), [1, 2, 3, 4, 5, 6]);
        Assert.Equal([4, 5, 6], ids.SliceRows(1, 1).Ids.ToArray());
        Assert.Equal([5, 6], ids.SliceRows(1, 1).SliceColumns(1, 2).Ids.ToArray());
        Assert.Throws<ArgumentException>(() => ids.SliceColumns(0, 2).Ids.Length);
    }

    [Fact]
    public unsafe void Slices_of_slices_see_the_right_elements()
    {
        var sizes = from b in Gen.Choose(1, 4)
                    from t in Gen.Choose(1, 5)
                    from c in Gen.Choose(1, 9)
                    from b0 in Gen.Choose(0, b)
                    from bn in Gen.Choose(0, b - b0)
                    from c0 in Gen.Choose(0, c)
                    from cn in Gen.Choose(0, c - c0)
                    select (b, t, c, b0, bn, c0, cn);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(sizes.ToArbitrary(), s =>
        {
            var whole = Counting(s.b, s.t, s.c);
            foreach (var view in new[] { whole.SliceRows(s.b0, s.bn).SliceColumns(s.c0, s.cn),
                whole.SliceColumns(s.c0, s.cn).SliceRows(s.b0, s.bn) })
            {
                Assert.Equal(new Shape(s.bn, s.t, s.cn), view.Shape);
                Assert.Equal(s.c, view.RowStride);
                var flat = view.Reshape(new Shape(s.bn * s.t, s.cn));
                for (int row = 0; row < s.bn * s.t; row++)
                    for (int column = 0; column < s.cn; column++)
                    {
                        float expected = 1 + (((s.b0 * s.t) + row) * s.c) + s.c0 + column;
                        Assert.Equal(expected, view.Pointer[(row * view.RowStride) + column]);
                        Assert.Equal(expected, flat.Pointer[(row * flat.RowStride) + column]);
                    }
            }
            GC.KeepAlive(whole);
        }));
    }

    [Fact]
    public void A_view_shares_its_elements()
    {
        var x = Counting(3, 4);
        x.SliceRows(1, 1).Reshape(new Shape(2, 2)).Data[3] = 99;
        Assert.Equal(99, x.Data[7]);
        Assert.Equal([5f, 6f, 7f, 99f], x.SliceRows(1, 1).ToArray());
        Assert.Equal([2f, 3f], Counting(5).SliceRows(1, 2).ToArray());
    }

    [Fact]
    public void A_view_with_gaps_can_split_its_rows_but_not_its_columns()
    {
        var view = Counting(4, 6).SliceColumns(1, 4);
        Assert.False(view.IsContiguous);
        Assert.Equal(6, view.Reshape(new Shape(2, 2, 4)).RowStride);
        string message = Assert.Throws<ArgumentException>(() => view.Reshape(new Shape(8, 2))).Message;
        Assert.Contains("[4, 4]", message);
        Assert.Contains("[8, 2]", message);
        Assert.Contains("6", message);
        Assert.Contains("row stride 6", Assert.Throws<ArgumentException>(() => view.Data.Length).Message);
        Assert.Equal([8f, 9f, 10f, 11f], view.SliceRows(1, 1).Reshape(new Shape(2, 2)).ToArray());
    }

    [Fact]
    public void Wrong_reshapes_and_slices_name_the_shapes()
    {
        var x = Counting(2, 6);
        string message = Assert.Throws<ArgumentException>(() => x.Reshape(new Shape(5))).Message;
        Assert.Contains("[2, 6]", message);
        Assert.Contains("12", message);
        Assert.Contains("[5]", message);
        foreach (var (start, count) in new[] { (-1, 1), (0, -1), (3, 4), (7, 0), (1, int.MaxValue),
            (int.MaxValue, int.MaxValue) })
            Assert.Contains("[2, 6]", Assert.Throws<ArgumentException>(() => x.SliceColumns(start, count)).Message);
        foreach (var (start, count) in new[] { (-1, 1), (0, -1), (1, 2), (3, 0), (1, int.MaxValue) })
            Assert.Contains("[2, 6]", Assert.Throws<ArgumentException>(() => x.SliceRows(start, count)).Message);
        Assert.Throws<ArgumentException>(() => new Tensor(new Shape()).SliceRows(0, 1));
    }

    [Fact]
    public unsafe void Copy_goes_around_the_gaps()
    {
        Tensor from = Counting(3, 5), to = new(new Shape(3, 4));
        to.SliceColumns(1, 2).CopyFrom(from.SliceColumns(2, 2));
        Assert.Equal([0f, 3f, 4f, 0f, 0f, 8f, 9f, 0f, 0f, 13f, 14f, 0f], to.ToArray());
        Assert.Throws<ArgumentException>(() => to.CopyFrom(from));
    }

    [Fact]
    public void Names_appear_in_messages() =>
        Assert.Equal("wte [2, 3]", $"{new Tensor(new Shape(2, 3)) { Name = "wte" }}");

    [Fact]
    public void A_tensor_no_machine_can_hold_is_an_error_for_people() =>
        Assert.Throws<NanoException>(() => new Tensor(new Shape(int.MaxValue, int.MaxValue)));

    internal static Tensor Counting(params int[] dims) =>
        Tensor.From(new Shape(dims), Enumerable.Range(1, dims.Aggregate(1, (a, b) => a * b)).Select(i => (float)i)
            .ToArray());
}
