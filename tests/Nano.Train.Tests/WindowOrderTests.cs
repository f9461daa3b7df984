using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Data;

public class WindowOrderTests
{
    [Fact]
    public void Every_epoch_has_each_number_once()
    {
        var cases = from count
            in Gen.OneOf(Gen.Choose(1, 70), Gen.Choose(1, 3000), Gen.Elements(255, 256, 257, 1023, 1024, 1025))
                    from
                seed in Gen.Choose(0, 1 << 20)
                    from epoch in Gen.Choose(0, 1 << 20)
                    select (count, (ulong)seed, (long)epoch);
        Prop.ForAll(cases.ToArbitrary(), of =>
        {
            var (count, seed, epoch) = of;
            var order = new WindowOrder(seed, count);
            Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i),
                Enumerable.Range(0, count).Select(i => order[(epoch * count) + i]).Order());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
    }

    [Fact]
    public void Orders_differ_by_seed_and_epoch_and_are_pure()
    {
        static long[] Order(ulong seed, long epoch) =>
            [.. Enumerable.Range(0, 1000).Select(i => new WindowOrder(seed, 1000)[(epoch * 1000) + i])];
        Assert.Equal(Order(1, 0), Order(1, 0));
        Assert.NotEqual(Order(1, 0), Order(1, 1));
        Assert.NotEqual(Order(1, 0), Order(2, 0));
    }

    /// <summary>
    /// In 3,000 epochs every one of 7 numbers comes at every place about as often, and neighbours
    /// are no more often neighbours again than by chance.
    /// </summary>
    [Fact]
    public void Every_number_is_equally_likely_everywhere()
    {
        const int count = 7, epochs = 3000;
        var order = new WindowOrder(5, count);
        var at = new int[count, count];
        int successive = 0;
        for (int epoch = 0; epoch < epochs; epoch++)
            for (int i = 0; i < count; i++)
            {
                long now = order[(epoch * count) + i];
                at[i, now]++;
                if (i > 0 && now == order[(epoch * count) + i - 1] + 1)
                    successive++;
            }
        double p = 1.0 / count, deviation = Math.Sqrt(epochs * p * (1 - p));
        foreach (int times in at)
            Assert.Equal(epochs * p, times, 5 * deviation);
        // 6 pairs of places, 6 of 42 ordered pairs of numbers
        Assert.Equal(epochs * (count - 1.0) / count, successive, 5 * Math.Sqrt(epochs * (count - 1.0) / count));
    }

    [Fact]
    public void Numbers_beyond_any_array()
    {
        const long count = 3_000_000_000_000;
        var order = new WindowOrder(1, count);
        long[] first = [.. Enumerable.Range(0, 1000).Select(i => order[i])];
        Assert.Equal(1000, first.Distinct().Count());
        Assert.All(first, number => Assert.InRange(number, 0, count - 1));
        Assert.Equal(count / 2.0, first.Average(), 5 * count / Math.Sqrt(12 * 1000));
    }
}
