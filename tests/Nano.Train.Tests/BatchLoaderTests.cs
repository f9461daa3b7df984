namespace Nano.Tests;

public class BatchLoaderTests
{
    /// <summary>Tokens that say where they are.</summary>
    static BatchLoader Counting(int tokens, int batch, int time) =>
        new([.. Enumerable.Range(0, tokens)], batch, time, "training");

    static (int[] Ids, int[] Targets) Random(BatchLoader loader, ulong seed, ulong stream, long step) =>
        Fill(loader, (ids, targets) => loader.Random(seed, (RandomPurpose)stream, step, ids, targets));

    static (int[] Ids, int[] Targets) InOrder(BatchLoader loader, int first) =>
        Fill(loader, (ids, targets) => loader.InOrder(first, ids, targets));

    static (int[] Ids, int[] Targets) Fill(BatchLoader loader, Action<Tensor, Tensor> fill)
    {
        var (ids, targets) = (new Tensor(new Shape(loader.Batch, loader.Time),
            DType.Int32), new Tensor(new Shape(loader.Batch, loader.Time), DType.Int32));
        ids.Ids.Fill(-1);
        targets.Ids.Fill(-1);
        fill(ids, targets);
        return (ids.Ids.ToArray(), targets.Ids.ToArray());
    }

    [Fact]
    public void Windows_are_a_function_of_seed_stream_and_step()
    {
        var loader = Counting(10_000, 4, 8);
        var first = Random(loader, 1, 2, 3);
        foreach (var (seed, stream, step) in new[] { (2UL, 2UL, 3L), (1UL, 3UL, 3L), (1UL, 2UL, 4L) })
            Assert.NotEqual(first.Ids, Random(loader, seed, stream, step).Ids);
        Assert.Equal(first.Ids, Random(loader, 1, 2, 3).Ids);
        Assert.Equal(first.Ids, Random(Counting(10_000, 4, 8), 1, 2, 3).Ids);
    }

    [Fact]
    public void Inputs_are_windows_of_the_text_and_targets_the_same_one_later()
    {
        var loader = Counting(100, 5, 7);
        for (long step = 0; step < 200; step++)
        {
            var (ids, targets) = Random(loader, 1, 1, step);
            for (int i = 0; i < ids.Length; i++)
            {
                Assert.Equal(ids[i] + 1, targets[i]);
                if (i % 7 > 0)
                    Assert.Equal(ids[i - 1] + 1, ids[i]);
                Assert.InRange(ids[i], 0, 98);
            }
        }
    }

    /// <summary>As llm.c's loader reads a file: row r is the tokens from r T on, one epoch like the other.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void In_order_rows_follow_each_other_from_the_first_token_and_begin_again_behind_the_last(int batch)
    {
        // 7 rows, of 28 tokens
        var loader = new BatchLoader(TokenSource.Of([.. Enumerable.Range(0, 30)]), batch, 4, "training",
            Sampling.InOrder);
        var starts = Enumerable.Range(0, 21 / batch)
            .SelectMany(number => Fill(loader, (ids, targets) => loader.Training(5, number, ids, targets)).Ids.Chunk(4))
            .ToList();
        Assert.Equal(Enumerable.Range(0, 21).Select(row => row % 7 * 4), starts.Select(row => row[0]));
        Assert.All(starts, row => Assert.Equal(Enumerable.Range(row[0], 4), row));
    }

    [Fact]
    public void Every_start_is_equally_likely_the_last_included()
    {
        const int steps = 5000, batch = 4, starts = 7; // 10 tokens, windows of 3 + 1
        var loader = Counting(10, batch, 3);
        var counts = new int[starts];
        for (long step = 0; step < steps; step++)
            for (int row = 0; row < batch; row++)
                counts[Random(loader, 9, 1, step).Ids[row * 3]]++;
        double n = steps * batch, p = 1.0 / starts;
        Assert.All(counts, count => Assert.Equal(p, count / n, 5 * Math.Sqrt(p * (1 - p) / n)));
    }

    [Fact]
    public void Micro_batches_see_the_rows_of_the_whole_batch()
    {
        var whole = Random(Counting(1000, 8, 5), 1, 1, 6);
        var (half, single) = (Counting(1000, 4, 5), Counting(1000, 1, 5));
        Assert.Equal(whole.Ids, Random(half, 1, 1, 12).Ids.Concat(Random(half, 1, 1, 13).Ids));
        Assert.Equal(whole.Targets, Enumerable.Range(48, 8).SelectMany(step => Random(single, 1, 1, step).Targets));
    }

    [Theory]
    [InlineData(5, 2, 4, 1)] // the shortest text
    [InlineData(9, 2, 4, 2)]
    [InlineData(12, 2, 4, 2)]
    [InlineData(13, 2, 4, 3)]
    [InlineData(100, 3, 7, 14)]
    public void In_order_each_token_is_a_target_once_and_the_rest_is_left_out(int tokens, int batch, int time,
        int windows)
    {
        var loader = Counting(tokens, batch, time);
        Assert.Equal(windows, loader.WindowCount);
        var (seen, ignored) = (new List<int>(), 0);
        for (int first = 0; first < windows; first += batch)
        {
            var (ids, targets) = InOrder(loader, first);
            for (int i = 0; i < ids.Length; i++)
            {
                if (targets[i] == -100)
                {
                    Assert.Equal(0, ids[i]);
                    ignored++;
                    continue;
                }
                Assert.Equal(ids[i] + 1, targets[i]);
                seen.Add(targets[i]);
            }
        }
        Assert.Equal(Enumerable.Range(1, windows * time), seen);
        Assert.InRange(tokens - 1 - (windows * time), 0, time - 1);
        Assert.Equal(((windows + batch - 1) / batch * batch * time) - (windows * time), ignored);
    }

    [Fact]
    public void A_text_shorter_than_a_window_is_refused_with_both_numbers()
    {
        var e = Assert.Throws<NanoException>(() => new BatchLoader(new int[64], 2, 64, "validation"));
        Assert.Contains("validation", e.Message, StringComparison.Ordinal);
        Assert.Contains("64 tokens", e.Message, StringComparison.Ordinal);
        Assert.Contains("65", e.Message, StringComparison.Ordinal);
        Assert.Contains("`seq`", e.Hint, StringComparison.Ordinal);
        Assert.Equal(0, Random(Counting(65, 1, 64), 1, 1, 1).Ids[0]);
    }

    /// <summary>The rows of some training steps, however they are divided into micro-batches.</summary>
    static List<string> Rows(Sampling sampling, int? separator, int batch, int steps, int accumulate)
    {
        int[] tokens = [.. Enumerable.Range(0, 1000).Select(i => i % 13 == 0 ? 0 : i)];
        var loader = new BatchLoader(TokenSource.Of(tokens), batch, 8, "training", sampling, separator);
        var rows = new List<string>();
        for (int micro = 0; micro < steps * accumulate; micro++)
        {
            var (ids, targets) = Fill(loader, (ids, targets) => loader.Training(7, micro, ids, targets));
            for (int row = 0; row < batch; row++)
                rows.Add(string.Join(' ', ids[(row * 8)..((row + 1) * 8)]) + " > "
                    + string.Join(' ', targets[(row * 8)..((row + 1) * 8)]));
        }
        return rows;
    }

    [Theory]
    [InlineData(Sampling.Random, null)]
    [InlineData(Sampling.Epochs, null)]
    [InlineData(Sampling.Random, 0)]
    [InlineData(Sampling.Epochs, 0)]
    public void The_rows_of_a_step_do_not_depend_on_how_it_is_divided(Sampling sampling, int? separator)
    {
        var whole = Rows(sampling, separator, 12, 9, 1);
        Assert.True(whole.Distinct().Count() > 40);
        foreach (var (batch, accumulate) in new[] { (6, 2), (3, 4), (1, 12) })
            Assert.Equal(whole, Rows(sampling, separator, batch, 9, accumulate));
    }

    [Fact]
    public void Random_sampling_is_what_it_always_was()
    {
        var loader = Counting(1000, 4, 8);
        Assert.Equal(Random(loader, 3, (ulong)RandomPurpose.TrainingWindows, 5).Ids,
            Fill(loader, (ids, targets) => loader.Training(3, 5, ids, targets)).Ids);
    }

    [Fact]
    public void An_epoch_has_every_window_once_and_can_be_entered_anywhere()
    {
        // 25 windows, 5 steps
        var loader = new BatchLoader(TokenSource.Of([.. Enumerable.Range(0, 101)]), 5, 4, "training", Sampling.Epochs);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            var starts = Enumerable.Range(0, 5)
                .SelectMany(step => Fill(loader, (ids, targets) =>
                    loader.Training(1, (epoch * 5) + step, ids, targets)).Ids.Chunk(4).Select(row => row[0]));
            Assert.Equal(Enumerable.Range(0, 25).Select(window => window * 4), starts.Order());
        }
    }
}
