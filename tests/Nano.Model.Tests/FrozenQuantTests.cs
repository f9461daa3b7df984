namespace Nano.Tests;

/// <summary>
/// Training steps over a frozen quantised base: losses, gradients and updates have the bits of the
/// dequantised model.
/// </summary>
public class FrozenQuantTests
{
    const int B = 2, T = 24, Steps = 3;

    public static TheoryData<string, Keep> Cases()
    {
        var cases = new TheoryData<string, Keep>();
        foreach (string file in (string[])["llama256-Q8_0", "gpt2_256-Q4_K_M"])
            foreach (var keep in Enum.GetValues<Keep>())
                cases.Add(file, keep);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Steps_over_a_frozen_quantised_base_are_those_over_the_dequantised_one(string file, Keep keep)
    {
        using var source = ModelLoader.Open(Goldens.Path($"quant_models/{file}.gguf"));
        var stored = source.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Type);
        using LanguageModel plain = source.Load(), quantised = source.LoadFrozen();
        plain.Parameters.Freeze(parameter => WeightTypes.IsQuantised(stored[parameter.Name!]));
        Assert.All(quantised.Parameters.All, parameter => Assert.Equal(
            WeightTypes.IsQuantised(stored[parameter.Name!]), parameter.IsPacked));
        var (expected, actual) = (Train(plain, keep), Train(quantised, keep));
        Assert.True(expected.Count > Steps * 4);
        Assert.Equal(expected.Keys, actual.Keys);
        Assert.All(expected, pair => Assert.Equal(pair.Value, actual[pair.Key]));
        Assert.NotEqual(expected["0 loss"], expected[$"{Steps - 1} loss"]);
    }

    /// <summary>The bits of losses, of gradients, and of parameters after each step.</summary>
    static Dictionary<string, int[]> Train(LanguageModel model, Keep keep)
    {
        var bits = new Dictionary<string, int[]>();
        using var compute = new Compute(2) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        using var optimizer = new AdamW(model.Parameters.All, new OptimizerOptions());
        for (int step = 0; step < Steps; step++)
        {
            compute.NextStep();
            model.Parameters.ForgetGradients();
            Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 320, step)),
                targets = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 320, 7 + step));
            var (loss, _) = model.Loss(compute, ids, targets, 0, new() { Keep = keep });
            bits[$"{step} loss"] = Models.Bits(loss.Data);
            compute.Tape.Backward(compute, loss);
            foreach (var parameter in model.Parameters.All.Where(parameter => parameter.HasGradient))
                bits[$"{step} gradient {parameter.Name}"] = Models.Bits(parameter.Gradient.Data);
            optimizer.Step(compute, 1e-2, 1);
            foreach (var parameter in model.Parameters.All.Where(parameter => parameter.WantsGradient))
                bits[$"{step} value {parameter.Name}"] = Models.Bits(parameter.Data);
        }
        return bits;
    }
}
