namespace Nano.Tests;

public class DropoutTests
{
    [Fact]
    public void An_element_is_dropped_or_scaled_and_the_mean_is_kept()
    {
        const int n = 200_000;
        const float p = 0.2f;
        using var compute = new Compute(1);
        var ones = new Tensor(new Shape(n));
        ones.Data.Fill(1);
        float[] y = new Dropout(p, 1, 0).Forward(compute, ones, 0).Data.ToArray();
        Assert.All(y, value => Assert.True(value is 0 or 1 / (1 - p), $"{value}"));
        Assert.Equal(p, y.Count(value => value == 0) / (double)n, 5 * Math.Sqrt(p * (1 - p) / n));
        Assert.Equal(1, y.Average(value => (double)value), 5 * Math.Sqrt(p / (1 - p) / n));
    }

    [Fact]
    public void Masks_differ_by_step_and_use_and_seed_and_repeat_for_the_same()
    {
        using var compute = new Compute(1);
        var ones = new Tensor(new Shape(1000));
        ones.Data.Fill(1);
        float[] Mask(Dropout dropout, int use = 0) => dropout.Forward(compute, ones, use).Data.ToArray();
        var first = new Dropout(0.5f, 1, 4);
        float[][] masks = [Mask(first), Mask(first, 1), Mask(new Dropout(0.5f, 1, 5)), Mask(new Dropout(0.5f, 2, 4))];
        Assert.Equal(masks[0], Mask(new Dropout(0.5f, 1, 4)));
        Assert.Equal(masks[1], Mask(first, 1));
        // Two independent masks of 1,000 fair bits agree in 500 places, give or take 16.
        for (int i = 0; i < masks.Length; i++)
            for (int j = 0; j < i; j++)
                Assert.InRange(masks[i].Zip(masks[j], (a, b) => a == b).Count(same => same), 400, 600);
    }

    [Fact]
    public void A_model_in_training_drops_anew_each_step_and_without_masks_not_at_all()
    {
        var config = Models.Small with { VocabSize = 50, Channels = 64, Heads = 4 };
        using var model = Models.Random(config with { Dropout = 0.5f });
        using var plain = Models.Random(config);
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(12, 50);
        float[] Masked(ulong step) =>
            model.Forward(compute, Tensor.FromIds(new Shape(1, 12), ids),
                new() { Masks = new Dropout(0.5f, 1, step) }).Data.ToArray();
        Assert.Equal(Masked(1), Masked(1));
        Assert.NotEqual(Masked(1), Masked(2));
        Assert.Equal(Models.Bits(Models.Logits(plain, compute, ids)), Models.Bits(Models.Logits(model, compute, ids)));
    }

    [Fact]
    public void The_embedding_and_each_residual_branch_have_masks_of_their_own()
    {
        using var model = Models.Random(Models.Small with { Channels = 64, Layers = 2, Dropout = 0.5f });
        using var compute = new Compute(1);
        var stream = new List<float[]>();
        var input = Tensor.FromIds(new Shape(1, 12), Models.RandomIds(12, 11));
        model.Forward(compute, input, new()
        {
            Masks = new Dropout(0.5f, 1, 1),
            Watch = (name, tensor) => stream.Add(tensor.Data.ToArray())
        });
        int n = 12 * 64;
        // Half of the embedding is dropped. A block adds two branches, so an element passes it unchanged when
        // both drop it: a quarter.
        Assert.Equal(0.5, stream[0].Count(value => value == 0) / (double)n, 5 * Math.Sqrt(0.25 / n));
        for (int i = 0; i < 2; i++)
            Assert.Equal(0.25, stream[i].Zip(stream[i + 1], (a, b) => a == b).Count(same => same) / (double)n,
                5 * Math.Sqrt(0.1875 / n));
    }

    /// <summary>
    /// Rows of 15 elements: most begin within one of the groups of four in which masks are drawn.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_row_has_the_same_mask_in_any_micro_batch(int rows)
    {
        using var compute = new Compute(3);
        float[] Mask(int first, int count)
        {
            var ones = new Tensor(new Shape(count, 3, 5));
            ones.Data.Fill(1);
            return new Dropout(0.5f, 1, 4, first).Forward(compute, ones, 2).Data.ToArray();
        }
        float[] whole = Mask(0, 8);
        Assert.Equal(whole, Enumerable.Range(0, 8 / rows).SelectMany(i => Mask(i * rows, rows)));
        Assert.NotEqual(whole[..15], whole[15..30]);
    }
}
