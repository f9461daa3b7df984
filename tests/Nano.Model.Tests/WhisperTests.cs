namespace Nano.Tests;

/// <summary>What Whisper refuses, and how it begins; its arithmetic has golden values.</summary>
public sealed class WhisperTests : IDisposable
{
    private readonly Whisper model = (Whisper)AnyModel.Load(Goldens.Zoo("whisper"));
    private readonly Compute compute = new(1);

    private NanoException Refused(Shape features) =>
        Assert.Throws<NanoException>(() => model.Encode(compute, new Tensor(features)));

    [Fact]
    public void Frames_must_fit_the_positions()
    {
        foreach (int frames in (int[])[20, 21, 23, 3000])
            Assert.Contains($"features of shape [1, 10, {frames}]; the model reads [B, 10, 22]",
                Refused(new(1, 10, frames)).Message, StringComparison.Ordinal);
        Assert.Contains("[1, 80, 22]", Refused(new(1, 80, 22)).Message, StringComparison.Ordinal);
        Assert.Equal(new Shape(2, 11, 24), model.Encode(compute, new Tensor(new Shape(2, 10, 22))).Shape);
    }

    [Fact]
    public void Texts_end_where_the_positions_end()
    {
        Batch sound = new(new Dictionary<string, Tensor> { ["input_features"] = new(new Shape(1, 10, 22)) });
        Assert.Equal(17, model.Write(compute, sound, [50, 1, 2], 17).Count);
        Assert.Contains("21 tokens do not fit the model's context of 20", Assert.Throws<NanoException>(() =>
            model.Write(compute, sound, [50, 1, 2, 3], 18)).Message, StringComparison.Ordinal);
    }

    /// <summary>The positions of a new model are those of published files, which numpy computed.</summary>
    [Fact]
    public void A_new_model_has_the_sines_and_cosines_of_files()
    {
        static Tensor Of(Model model) => model.Parameters.All.First(parameter =>
            parameter.Name == "model.encoder.embed_positions.weight");
        using var made = new Whisper((WhisperConfig)model.Architecture);
        made.Initialize(1);
        Tensor expected = Of(model), found = Of(made);
        Assert.False(found.WantsGradient);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected.Data[i], found.Data[i], 1e-6);
    }

    public void Dispose()
    {
        model.Dispose();
        compute.Dispose();
    }
}
