namespace Nano.Tests;

/// <summary>Texts made on a device against those made by our kernels, through the same generator.</summary>
public class DecodeTests
{
    private static readonly SamplerOptions Greedy = new() { Temperature = 0 };

    /// <summary>A device, or a skipped test where there is none.</summary>
    private static OrtDevice Open(string name) => new(Providers.Needs(name), 1);

    public static TheoryData<string, string> GoldenModels => Providers.With(["gpt2_tiny", "llama_tiny"]);

    [Theory]
    [MemberData(nameof(GoldenModels))]
    public void Greedy_text_is_the_golden_and_that_of_our_kernels_beyond_it(string name, string provider)
    {
        using var device = Open(provider);
        using var golden = SafetensorsReader.Open(Path.Combine(Goldens.Path(name), "golden.safetensors"));
        int[] prompt = Ids(golden, "greedy_prompt"), expected = Ids(golden, "greedy_ids");
        var (model, _) = ModelDirectory.Load(Goldens.Path(name));
        using var disposeModel = model;
        using var compute = new Compute(1);
        using var ours = new Generator(model, compute);
        using var theirs = new Generator(new OnnxDecoder(model, device));
        int[] text = [.. theirs.Continue(prompt, Greedy).Take(30)];
        Assert.Equal(expected[prompt.Length..], text[..(expected.Length - prompt.Length)]);
        Assert.Equal(ours.Continue(prompt, Greedy).Take(30), text);
    }

    private static int[] Ids(SafetensorsReader file, string name)
    {
        var values = new long[file.Entries[name].Count];
        file.ReadInt64(name, values);
        return Array.ConvertAll(values, value => checked((int)value));
    }

    public static TheoryData<string, string> Names => Providers.With(["gpt2", "llama, interleaved, window"]);

    private static LanguageModel Random(string name)
    {
        var model = LanguageModel.Create(ExportTests.Models[name]);
        model.Initialize(3);
        foreach (var parameter in model.Parameters.All) // far enough apart that no rounding decides between two tokens
            for (int i = 0; parameter.Shape.Rank > 1 && i < parameter.Length; i++)
                parameter.Data[i] *= 5;
        return model;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Several_texts_of_different_lengths_slide_on_beyond_the_context(string name, string provider)
    {
        using var device = Open(provider);
        using var model = Random(name);
        using var compute = new Compute(1);
        using var ours = new Generator(model, compute);
        using var theirs = new Generator(new OnnxDecoder(model, device));
        int[][] prompts = [[5, 7, 1], [60, 2, 33, 4, 41, 9, 0, 12], [8]];
        foreach (bool slide in new[] { true, false })
        {
            var options = new GenerationOptions
            {
                Sampler = new() { Temperature = 1, TopK = 0 },
                MaxTokens = 30,
                Slide = slide,
                EndIds = [17],
                LogProbabilities = 2
            };
            Generation one = ours.Start(prompts, options), two = theirs.Start(prompts, options);
            while (one.Step() | two.Step())
            {
            }
            Assert.Contains(one.Texts, text => text.Ids.Count > 19 == slide);
            foreach (var (expected, text) in one.Texts.Zip(two.Texts))
            {
                Assert.Equal(expected.Ids, text.Ids);
                Assert.Equal(expected.Finished, text.Finished);
                foreach (var (a, b) in expected.LogProbabilities.Zip(text.LogProbabilities))
                {
                    Assert.Equal(a.Chosen.LogProbability, b.Chosen.LogProbability, 1e-4);
                    Assert.Equal(a.Top.Select(top => top.Id), b.Top.Select(top => top.Id));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Beams_find_the_same_texts(string name, string provider)
    {
        using var device = Open(provider);
        using var model = Random(name);
        using var compute = new Compute(1);
        using var ours = new Generator(model, compute);
        using var theirs = new Generator(new OnnxDecoder(model, device));
        var options = new BeamOptions { Beams = 4, MaxTokens = 12, EndIds = [17, 40] };
        var (expected, found) = (ours.Search([5, 7, 1], options), theirs.Search([5, 7, 1], options));
        Assert.Equal(expected.Select(beam => string.Join(' ', beam.Ids)),
            found.Select(beam => string.Join(' ', beam.Ids)));
        foreach (var (a, b) in expected.Zip(found))
            Assert.Equal(a.LogProbability, b.LogProbability, 1e-4);
    }

    [Fact]
    public void Only_ids_go_up_and_the_last_logits_come_down()
    {
        using var device = Open("onnx-cpu");
        using var model = Random("gpt2");
        using var decoder = new OnnxDecoder(model, device);
        decoder.Reserve(1, 19);
        decoder.Next([0], [1, 2, 3, 4, 5]);
        var (up, down) = (device.Traffic.Up, device.Traffic.Down);
        Assert.Equal((3 * 5 * sizeof(int), 61 * sizeof(float)), (up, down));
        decoder.Next([0], [6]);
        Assert.Equal(((1 + 1 + 6) * sizeof(int), 61 * sizeof(float)),
            (device.Traffic.Up - up, device.Traffic.Down - down));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Weights_too_large_for_a_message_pass_through_files_that_are_gone_afterwards(string name,
        string provider)
    {
        using var device = Open(provider);
        using var model = Random(name);
        using var inside = new OnnxDecoder(model, device);
        inside.Reserve(1, 19);
        float[] expected = inside.Next([0], [1, 2, 3]).Data.ToArray();
        string folder;
        using (var outside = new OnnxDecoder(model, device, largest: 1000))
        {
            folder = outside.TemporaryFolder!;
            outside.Reserve(1, 19);
            Assert.Equal(expected, outside.Next([0], [1, 2, 3]).Data.ToArray());
        }
        Assert.False(Directory.Exists(folder));
        Assert.Null(inside.TemporaryFolder);
    }

    [Fact]
    public void A_tensor_that_is_gone_is_refused_and_does_not_end_the_process()
    {
        using var device = Open("onnx-cpu");
        var tensor = device.New(OnnxType.Float32, 3);
        tensor.Dispose();
        using var host = OrtTensor.OfFloats(3);
        Assert.Throws<ObjectDisposedException>(() => device.Copy(tensor, host));
    }
}
