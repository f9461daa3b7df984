namespace Nano.Tests;

public class Gpt2Tests
{
    static readonly Gpt2Config ShakespeareChar = new()
    {
        VocabSize = 65,
        ContextLength = 64,
        Layers = 4,
        Heads = 4,
        Channels = 128,
        Bias = false,
        Gelu = GeluForm.Erf,
    };

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void ParameterShapes_are_the_declared_parameters(bool bias, bool tied)
    {
        var config = Models.Small with { Bias = bias, TiedHead = tied };
        using var model = new Gpt2(config);
        Assert.Equal(model.Parameters.All
            .Select(parameter => new DeclaredParameter(parameter.Name!, parameter.Shape, parameter.Parameter!)),
            config.ParameterShapes());
        Assert.Equal(model.Parameters.Count, config.ParameterShapes().Sum(parameter => parameter.Shape.Length));
        Assert.All(model.Parameters.All, parameter => Assert.True(parameter.Data.IndexOfAnyExcept(0f) < 0));
    }

    // Published: 124M, 355M, 774M, 1558M; the exact numbers are those of the checkpoints of transformers.
    [Theory]
    [InlineData("gpt2", 124_439_808)]
    [InlineData("gpt2-medium", 354_823_168)]
    [InlineData("gpt2-large", 774_030_080)]
    [InlineData("gpt2-xl", 1_557_611_200)]
    public void A_published_size_has_the_published_number_of_parameters(string name, long count) =>
        Assert.Equal(count, Gpt2Config.Named(name).ParameterShapes().Sum(parameter => parameter.Shape.Length));

    [Fact]
    public void The_nanoGPT_model_for_a_processor_has_804096_parameters()
    {
        using var model = new Gpt2(ShakespeareChar);
        Assert.Equal(804_096, model.Parameters.Count);
    }

    [Fact]
    public void A_training_token_costs_six_operations_per_multiplying_weight_and_attention()
    {
        // 6 * (804,096 - 64 * 128) + 12 * 4 * 128 * 64
        double flops = ShakespeareChar.TrainingFlopsPerToken(64);
        Assert.Equal(5_168_640, flops);
        Assert.InRange(flops * 12 * 64, 3.9e9, 4.1e9);
    }

    [Fact]
    public void The_golden_logits_are_reproduced()
    {
        var (model, tokenizer) = ModelDirectory.Load(Models.GoldenFolder);
        using var compute = new Compute(1);
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "golden.safetensors"));
        Assert.Null(tokenizer);
        var logits = model.Forward(compute, Tensor.FromIds(new Shape(2, 48), Models.Ids(golden, "input_ids"))).Data;
        float[] expected = Models.Floats(golden, "logits");
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], logits[i], 1e-4f);
        model.Dispose();
    }

    [Fact]
    public void A_row_of_a_batch_has_the_bits_it_has_alone_and_a_position_those_it_has_without_its_future()
    {
        const int B = 3, T = 12;
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(2);
        int V = model.Config.VocabSize;
        int[] ids = Models.RandomIds(B * T, V);
        float[] together = model.Forward(compute, Tensor.FromIds(new Shape(B, T), ids)).Data.ToArray();
        for (int row = 0; row < B; row++)
        {
            var own = together.AsSpan(row * T * V, T * V);
            for (int length = 1; length <= T; length++)
                Assert.Equal(Models.Bits(own[..(length * V)]),
                    Models.Bits(Models.Logits(model, compute, ids.AsSpan(row * T, length))));
        }
    }

    [Fact]
    public void The_tensors_shown_on_the_way_are_the_residual_stream_and_the_logits()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        var seen = new List<(string, Shape)>();
        model.Forward(compute, Tensor.FromIds(new Shape(2, 3), [1, 2, 3, 4, 5, 6]),
            new() { Watch = (name, tensor) => seen.Add((name, tensor.Shape)) });
        var stream = new Shape(2, 3, 8);
        Assert.Equal([("embed", stream), ("block0", stream), ("block1", stream), ("final_norm", stream),
            ("logits", new Shape(2, 3, 11))], seen);
    }

    [Fact]
    public void An_untied_head_is_a_matrix_of_its_own()
    {
        using var model = Models.Random(Models.Small with { TiedHead = false });
        using var compute = new Compute(1);
        float[] before = Models.Logits(model, compute, 1, 2, 3);
        model.Parameters.All.Single(parameter => parameter.Name == "lm_head.weight").Data.Clear();
        Assert.All(before, logit => Assert.NotEqual(0, logit));
        Assert.All(Models.Logits(model, compute, 1, 2, 3), logit => Assert.Equal(0, logit));
    }

    [Fact]
    public void Initial_weights_have_the_deviations_of_nanoGPT()
    {
        using var model = new Gpt2(Models.Small with
        {
            Channels = 64,
            VocabSize = 97,
            ContextLength = 50,
            Layers = 3,
            TiedHead = false
        });
        model.Initialize(7);
        foreach (var parameter in model.Parameters.All)
        {
            float[] values = parameter.Data.ToArray();
            if (parameter.Shape.Rank == 1)
            {
                Assert.All(values, value =>
                    Assert.Equal(parameter.Name!.EndsWith(".bias", StringComparison.Ordinal) ? 0f : 1f, value));
                continue;
            }
            double expected = parameter.Name!.EndsWith("c_proj.weight", StringComparison.Ordinal)
                ? 0.02 / Math.Sqrt(6) : 0.02;
            double n = values.Length, mean = values.Average(value => (double)value),
                deviation = Math.Sqrt(values.Average(value => (double)value * value));
            // Five standard errors of a mean and of a deviation of n normal numbers; then the share within
            // one deviation.
            Assert.True(Math.Abs(mean) < 5 * expected / Math.Sqrt(n), $"{parameter}: mean {mean}");
            Assert.True(Math.Abs(deviation - expected) < 5 * expected / Math.Sqrt(2 * n),
                $"{parameter}: deviation {deviation}");
            Assert.Equal(0.6827, values.Count(value => Math.Abs(value) < expected) / n, 5 * Math.Sqrt(0.22 / n));
        }
    }

    [Fact]
    public void Initial_weights_are_a_function_of_the_seed()
    {
        using var a = new Gpt2(Models.Small);
        using var b = new Gpt2(Models.Small);
        a.Initialize(7);
        b.Initialize(7);
        Assert.Equal(Models.Bits(a), Models.Bits(b));
        b.Initialize(8);
        foreach (var (x, y) in a.Parameters.All.Zip(b.Parameters.All).Where(pair => pair.First.Shape.Rank == 2))
            Assert.DoesNotContain(true, x.Data.ToArray().Zip(y.Data.ToArray(), (p, q) => p == q));
        var tables = a.Parameters.All.Where(parameter => parameter.Shape == new Shape(8, 8))
            .Select(parameter => Models.Bits(parameter.Data)).ToList();
        Assert.NotEqual(tables[0], tables[1]); // the same shape, another stream
    }

    [Fact]
    public void More_tokens_than_the_context_are_refused_with_both_numbers()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var cache = new KvCache(2, 12, 8);
        var e = Assert.Throws<NanoException>(() => Models.Logits(model, compute, new int[13]));
        Assert.Contains("13", e.Message, StringComparison.Ordinal);
        Assert.Contains("12", e.Message, StringComparison.Ordinal);
        model.Forward(compute, Tensor.FromIds(new Shape(1, 10), new int[10]), new() { Cache = cache });
        e = Assert.Throws<NanoException>(() => model.Forward(compute, Tensor.FromIds(new Shape(1, 5), new int[5]),
            new() { Cache = cache }));
        Assert.Contains("15", e.Message, StringComparison.Ordinal);
        Assert.Contains("12", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Heads_that_do_not_divide_the_channels_are_refused_with_both_numbers()
    {
        var e = Assert.Throws<NanoException>(() => new Gpt2(Models.Small with { Channels = 32, Heads = 5 }));
        Assert.Contains("32 channels", e.Message, StringComparison.Ordinal);
        Assert.Contains("5 heads", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gradient_reaches_every_parameter()
    {
        using var model = Models.Random(Models.Small with { TiedHead = false });
        using var compute = new Compute(1) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        var logits = model.Forward(compute, Tensor.FromIds(new Shape(1, 12), Models.RandomIds(12, 11)));
        compute.Tape.Backward(compute,
            compute.CrossEntropy(logits, Tensor.FromIds(new Shape(1, 12), Models.RandomIds(12, 11, 2))).Loss);
        Assert.All(model.Parameters.All,
            parameter => Assert.True(parameter.HasGradient && parameter.Gradient.Data.IndexOfAnyExcept(0f) >= 0,
                parameter.ToString()));
    }
}
