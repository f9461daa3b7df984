using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

public class BpeMergerTests
{
    /// <summary>
    /// Rules over few symbols, some of equal rank, so that merges overlap and follow each other in
    /// every way.
    /// </summary>
    static readonly Gen<List<Merge>> Rules = Gen.Choose(0, int.MaxValue).Select(seed =>
    {
        var random = new Random(seed);
        int symbols = random.Next(1, 4), ranks = random.Next(1, 12);
        var rules = new List<Merge>();
        var lengths = Enumerable.Repeat(1, symbols).ToList();
        for (int i = random.Next(1, 20); i > 0; i--)
        {
            int left = random.Next(lengths.Count), right = random.Next(lengths.Count);
            if (rules.Any(rule => rule.Left == left && rule.Right == right))
                continue;
            rules.Add(new Merge(left, right, random.Next(ranks), lengths.Count));
            lengths.Add(lengths[left] + lengths[right]);
        }
        return rules;
    });

    [Theory]
    [InlineData(12)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(300)]
    public void The_lowest_rank_goes_first_and_the_leftmost_of_equal_ones(int length)
    {
        Prop.ForAll(Rules.ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (rules, seed) =>
        {
            var random = new Random(seed);
            int[] symbols = [.. Enumerable.Range(0, length).Select(_ => random.Next(-1, 3))];
            var merger = new BpeMerger(new MergeTable(rules));
            for (int again = 0; again < 2; again++) // the second time with what the first left behind
            {
                int[] mine = [.. symbols];
                Assert.Equal(Naive(symbols, rules), mine[..merger.Run(mine)]);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(Math.Min(300, 15_000 / length)));
    }

    [Fact]
    public void Nothing_and_one_symbol_stay()
    {
        var merger = new BpeMerger(new MergeTable([]));
        Assert.Equal(0, merger.Run([]));
        Assert.Equal(1, merger.Run([5]));
    }

    [Fact]
    public void Positions_come_by_rank_and_then_from_left_to_right_whatever_order_they_went_in()
    {
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var queue = new RankQueue(8);
            var reference = new SortedSet<(int Rank, int Position)>();
            for (int i = 0; i < 600; i++)
            {
                (int rank, int position) = (random.Next(8), random.Next(1000));
                if (random.Next(3) > 0 && reference.Add((rank, position)))
                    queue.Push(rank, position);
                else if (reference.Count > 0)
                {
                    Assert.True(queue.TryPop(out int gotRank, out int gotPosition));
                    Assert.Equal(reference.Min, (gotRank, gotPosition));
                    reference.Remove(reference.Min);
                }
            }
            foreach (var expected in reference)
            {
                Assert.True(queue.TryPop(out int rank, out int position));
                Assert.Equal(expected, (rank, position));
            }
            Assert.False(queue.TryPop(out _, out _));
        }).QuickCheckThrowOnFailure();
    }

    static List<int> Naive(int[] symbols, List<Merge> rules)
    {
        var left = symbols.ToList();
        while (true)
        {
            (int At, Merge Rule)? best = null;
            for (int i = 0; i + 1 < left.Count; i++)
                foreach (var rule in rules.Where(rule => rule.Left == left[i] && rule.Right == left[i + 1]))
                    if (best is null || rule.Rank < best.Value.Rule.Rank)
                        best = (i, rule);
            if (best is not { } found)
                return left;
            left[found.At] = found.Rule.Id;
            left.RemoveAt(found.At + 1);
        }
    }
}
