using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public sealed class ShapeTests
{
    [Fact]
    public void Sizes_are_those_of_the_dimensions()
    {
        var dims = Gen.Choose(0, 50).ListOf().Where(list => list.Count <= 4).Select(list => list.ToArray())
            .ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(dims, d =>
        {
            var shape = new Shape(d);
            Assert.Equal(d.Length, shape.Rank);
            Assert.Equal(d.Aggregate(1L, (product, dim) => product * dim), shape.Length);
            Assert.Equal(d.Length == 0 ? 1 : d[^1], shape.Columns);
            Assert.Equal(d.SkipLast(1).Aggregate(1L, (product, dim) => product * dim), shape.Rows);
            Assert.Equal(shape.Length, shape.Rows * shape.Columns);
            Assert.Equal($"[{string.Join(", ", d)}]", shape.ToString());
            Assert.Equal(shape, new Shape(d));
            for (int i = 0; i < d.Length; i++)
            {
                Assert.Equal(d[i], shape[i]);
                Assert.Equal(d[i], shape[i - d.Length]);
            }
            if (d.Length > 0)
                Assert.Equal(new Shape([.. d.SkipLast(1), 7]), shape.WithColumns(7));
        }));
    }

    [Fact]
    public void A_scalar_has_one_element_however_it_is_written()
    {
        Assert.Equal(1, new Shape().Length);
        Assert.Equal(1, default(Shape).Length);
        Assert.Equal(1, new Shape([]).Length);
        Assert.Equal(new Shape([]), new Shape());
        Assert.Equal(1, new Shape().Columns);
        Assert.Equal(1, new Shape().Rows);
        Assert.Equal("[]", new Shape().ToString());
    }

    [Fact]
    public void Shapes_of_different_rank_differ()
    {
        Assert.NotEqual(new Shape(3), new Shape(3, 1));
        Assert.NotEqual(new Shape(3), new Shape(1, 3));
        Assert.NotEqual(new Shape(0), new Shape());
        Assert.NotEqual(new Shape(1), new Shape());
    }

    [Fact]
    public void Wrong_dimensions_are_refused()
    {
        Assert.Contains("4", Assert.Throws<ArgumentException>(() => new Shape(1, 2, 3, 4, 5)).Message);
        Assert.Contains("-2", Assert.Throws<ArgumentException>(() => new Shape(3, -2)).Message);
        Assert.Throws<InvalidOperationException>(() => new Shape().WithColumns(3));
    }

    [Theory]
    [InlineData(new[] { int.MaxValue, int.MaxValue, 3 })]
    [InlineData(new[] { int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue })]
    public void Too_many_elements_are_refused_by_name(int[] dims) =>
        Assert.Contains("[2147483647, 2147483647, ", Assert.Throws<ArgumentException>(() => new Shape(dims)).Message);

    [Fact]
    public void A_huge_shape_with_an_empty_dimension_is_empty() =>
        Assert.Equal(0, new Shape(int.MaxValue, 1, 0, int.MaxValue).Length);

    [Theory]
    [InlineData(2)]
    [InlineData(-3)]
    public void A_dimension_that_is_not_there_is_named(int dimension)
    {
        string message = Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(5, 6)[dimension]).Message;
        Assert.Contains("[5, 6]", message);
        Assert.Contains($"{dimension}", message);
    }
}
