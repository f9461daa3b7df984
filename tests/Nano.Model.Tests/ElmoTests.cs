namespace Nano.Tests;

/// <summary>ELMo's layers and their mixture; the values of its losses are those of goldens/zoo_more, see ZooTests.</summary>
public class ElmoTests
{
    private static readonly ElmoConfig Config = new() { VocabSize = 11, HiddenSize = 6, Layers = 2 };

    private static Batch Text(params ReadOnlySpan<int> ids) =>
        new(new Dictionary<string, Tensor> { ["input_ids"] = Tensor.FromIds(new Shape(1, ids.Length), ids) });

    /// <summary>By the formula: softmax of (0, ln 2, ln 5) is (1, 2, 5) / 8.</summary>
    [Fact]
    public void A_mixture_of_layers_is_their_weighted_sum()
    {
        using var model = new Elmo(Config);
        model.Initialize(3);
        using var compute = new Compute(2);
        var layers = model.Layers(compute, Text(4, 5, 6, 7));
        Assert.Equal(3, layers.Length);
        var mixed = Elmo.Mix(compute, layers, Tensor.From(new Shape(3), [0, MathF.Log(2), MathF.Log(5)]),
            Tensor.From(new Shape(1), [3]));
        for (int i = 0; i < mixed.Length; i++)
            Assert.Equal(3 * (layers[0].Data[i] + (2 * layers[1].Data[i]) + (5 * layers[2].Data[i])) / 8,
                mixed.Data[i], 1e-5f);
    }

    /// <summary>The first half of a vector knows what is left of a token, the second what is right of it.</summary>
    [Fact]
    public void Each_direction_sees_its_side_alone()
    {
        using var model = new Elmo(Config);
        model.Initialize(3);
        using var compute = new Compute(2);
        float[] before = model.Layers(compute, Text(4, 5, 6, 7))[2].Data.ToArray(),
            after = model.Layers(compute, Text(4, 5, 6, 8))[2].Data.ToArray();
        for (int t = 0; t < 3; t++)
        {
            Assert.Equal(before[(t * 12)..((t * 12) + 6)], after[(t * 12)..((t * 12) + 6)]);
            Assert.NotEqual(before[((t * 12) + 6)..((t * 12) + 12)], after[((t * 12) + 6)..((t * 12) + 12)]);
        }
    }
}
