using System.Text.Json;

namespace Nano.Tests;

/// <summary>
/// Every switch of the family against double precision, and the bits against themselves: cached, in
/// batches, at every width, on any number of threads.
/// </summary>
public class LlamaTests
{
    private static readonly DecoderConfig Plain = new()
    {
        VocabSize = 23,
        ContextLength = 120,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 24,
        Intermediate = 40,
        NormEpsilon = 1e-5f
    };

    private static readonly Dictionary<string, DecoderConfig> Variants = new()
    {
        ["Llama 2"] = Plain with { KvHeads = 4, TiedHead = false },
        ["Llama 3"] = Plain with
        {
            TiedHead = false,
            RopeTheta = 500000,
            RopeScaling = new RopeScaling.Llama3(8, 1, 4, 64)
        },
        ["llama2.c"] = Plain with { Pairing = RopePairing.Interleaved },
        ["one key head"] = Plain with { KvHeads = 1 },
        ["Mistral"] = Plain with { HeadDim = 10, Window = 33 },
        ["Qwen2 with a window"] = Plain with { QkvBias = true, Window = 5, FirstWindowLayer = 1 },
        ["Qwen3"] = Plain with { QkNorm = true, HeadDim = 16, RopeTheta = 1e6 },
        ["all biases"] = Plain with { QkvBias = true, OutputBias = true, MlpBias = true },
        ["linear"] = Plain with { RopeScaling = new RopeScaling.Linear(4) },
        ["dynamic"] = Plain with { RopeScaling = new RopeScaling.Dynamic(4, 30) },
        ["yarn"] = Plain with { RopeScaling = new RopeScaling.Yarn(4, 30) },
    };

    public static TheoryData<string> Names => [.. Variants.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Logits_agree_with_double_precision(string name)
    {
        var config = Variants[name];
        using var model = Models.Random(config);
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(100, config.VocabSize);
        double[] expected = [.. new LlamaReference(model, config).Logits(ids).SelectMany(row => row)];
        float[] actual = Models.Logits(model, compute, ids);
        double scale = expected.Max(Math.Abs);
        Assert.True(scale > 0.1, $"largest logit {scale}");
        Assert.Equal(0, expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() / scale, 5e-6);
    }

    [Theory, MemberData(nameof(Names))]
    public void Cached_pieces_and_batch_rows_have_the_bits_of_the_whole_text_alone(string name)
    {
        const int T = 110;
        var config = Variants[name];
        using var model = Models.Random(config);
        using var compute = new Compute(2);
        int[] ids = Models.RandomIds(2 * T, config.VocabSize), first = ids[..T];
        int[] whole = Models.Bits(Models.Logits(model, compute, first));
        foreach (int[] pieces in new int[][] { [.. Enumerable.Repeat(1, T)], [5, T - 5], [96, 1, T - 97],
            [9, 20, T - 29], [T - 1, 1] })
        {
            using var cache = new KvCache(config.Layers, config.ContextLength, config.KvHeads * config.HeadDim);
            var bits = new List<int>();
            foreach (int length in pieces)
            {
                compute.NextStep();
                bits.AddRange(Models.Bits(model.Forward(compute,
                    Tensor.FromIds(new Shape(1, length), first.AsSpan(cache.Length, length)),
                    new() { Cache = cache }).Data));
            }
            Assert.Equal(whole, bits);
        }
        compute.NextStep();
        Assert.Equal(whole, Models.Bits(model.Forward(compute,
            Tensor.FromIds(new Shape(2, T), ids)).Data[..(T * config.VocabSize)]));
    }

    [Theory, MemberData(nameof(Names))]
    public void All_widths_team_sizes_and_ways_give_the_same_loss_and_gradients(string name)
    {
        var config = Variants[name] with { Dropout = 0.2f };
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                int[] bits = Gradients(config, width, threads, threads == 2);
                expected ??= bits;
                Assert.True(expected.AsSpan().SequenceEqual(bits), $"{width}, {threads} threads");
            }
    }

    private static int[] Gradients(DecoderConfig config, SimdWidth width, int threads, bool checkpoint)
    {
        const int B = 2, T = 40;
        using var model = Models.Random(config);
        using var compute = new Compute(threads, width) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, config.VocabSize)),
            targets = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, config.VocabSize, 2));
        var (loss, nll) = model.Loss(compute, ids, targets,
            pass: new() { Masks = new Dropout(config.Dropout, 1, 1), Keep = checkpoint ? Keep.Nothing : Keep.All });
        var bits = new List<int>([.. Models.Bits(loss.Data), .. Models.Bits(nll.Data)]);
        compute.Tape.Backward(compute, loss);
        foreach (var parameter in model.Parameters.All)
        {
            Assert.True(parameter.Gradient.Data.IndexOfAnyExcept(0f) >= 0, $"{parameter} has no gradient");
            bits.AddRange(Models.Bits(parameter.Gradient.Data));
        }
        return [.. bits];
    }

    [Theory, MemberData(nameof(Names))]
    public void ParameterShapes_are_the_declared_parameters(string name)
    {
        using var model = LanguageModel.Create(Variants[name]);
        Assert.Equal(model.Parameters.All
            .Select(parameter => new DeclaredParameter(parameter.Name!, parameter.Shape, parameter.Parameter!)),
            Variants[name].ParameterShapes());
        Assert.Equal(model.Parameters.Count, Variants[name].ParameterShapes().Sum(parameter => parameter.Shape.Length));
    }

    [Fact]
    public void What_multiplies_a_token_is_everything_but_the_tables_it_is_looked_up_in()
    {
        // Per layer 24 x 24 (q) + 2 x 12 x 24 (k, v) + 24 x 24 (o) + 3 x 24 x 40 + two norms; a final norm; a head.
        const long weights = (2 * ((2 * 24 * 24) + (2 * 12 * 24) + (3 * 24 * 40) + 48)) + 24 + (23 * 24);
        Assert.Equal(weights, Plain.MultiplyingWeights());
        Assert.Equal(weights, (Plain with { TiedHead = false }).MultiplyingWeights());
        Assert.Equal((6.0 * weights) + (12 * 2 * 24 * 50), Plain.TrainingFlopsPerToken(50));
        Assert.Equal(2 * 2 * 12 * 4, Plain.CacheBytesPerToken);
    }

    [Fact]
    public void Initial_weights_are_ones_in_norms_and_smaller_where_branches_end()
    {
        using var model = LanguageModel.Create(Variants["Qwen3"] with { Channels = 96, Intermediate = 200 });
        model.Initialize(3);
        foreach (var parameter in model.Parameters.All)
            if (parameter.Shape.Rank == 1)
                Assert.True(parameter.Data.IndexOfAnyExcept(1f) < 0, parameter.ToString());
            else
            {
                double expected = parameter.Name!.Contains("o_proj", StringComparison.Ordinal)
                    || parameter.Name.Contains("down_proj", StringComparison.Ordinal) ? 0.02 / Math.Sqrt(4) : 0.02;
                double deviation = Math.Sqrt(parameter.Data.ToArray().Average(value => (double)value * value));
                Assert.True(Math.Abs(deviation - expected) < 5 * expected / Math.Sqrt(2 * parameter.Length),
                    $"{parameter}: deviation {deviation}");
            }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_written_model_reads_back_with_equal_bits(string name)
    {
        using var folder = new TempFolder();
        var config = Variants[name] with { Dropout = 0.1f, BosToken = 1, EosTokens = [2, 3] };
        using var model = Models.Random(config);
        if (config.Pairing == RopePairing.Interleaved)
        {
            Assert.Contains("interleaved",
                Assert.Throws<NanoException>(() => ModelDirectory.Save(folder.Root, model, null)).Message,
                StringComparison.Ordinal);
            return;
        }
        ModelDirectory.Save(folder.Root, model, null);
        using var read = ModelDirectory.Load(folder.Root).Model;
        Assert.Equal(config, read.Config);
        Assert.Equal((1, "2, 3"), (read.Config.BosToken, string.Join(", ", read.Config.EosTokens)));
        Assert.Equal(Models.Bits(model), Models.Bits(read));
    }

    private static string TinyRandomLlama2
    {
        get
        {
            string folder = Path.Combine(Environment.GetEnvironmentVariable("NANO_DATA") ?? "", "tiny-random-llama-2");
            Assert.SkipUnless(File.Exists(Path.Combine(folder, "model.safetensors")),
                "NANO_DATA does not name a folder with tiny-random-llama-2");
            return folder;
        }
    }

    [Fact]
    public void A_published_checkpoint_in_BF16_gives_the_recorded_logits()
    {
        using var model = ModelDirectory.Load(TinyRandomLlama2).Model;
        using var golden = SafetensorsReader.Open(Goldens.Path("tiny_random_llama2/logits.safetensors"));
        using var tolerances =
            JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("tiny_random_llama2/tolerances.json")));
        using var compute = new Compute(2);
        float[] expected = Models.Floats(golden, "logits"),
            actual = Models.Logits(model, compute, Models.Ids(golden, "input_ids"));
        double[] error = [.. tolerances.RootElement.GetProperty("logits_f32_err").EnumerateArray()
            .Select(number => number.GetDouble())];
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(0, expected.Zip(actual, (e, a) => Math.Abs((double)e - a)).Max(),
            (10 * error[1]) + (1e-6 * error[0]));
    }

    [Fact]
    public void A_published_checkpoint_continues_as_transformers_does()
    {
        string folder = TinyRandomLlama2;
        using var model = ModelDirectory.Load(folder).Model;
        using var corpus = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "corpus.json")));
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        var cases = corpus.RootElement.GetProperty("model_cases");
        Assert.Equal(3, cases.GetArrayLength());
        foreach (var test in cases.EnumerateArray())
        {
            int[] Ids(string key) => [.. test.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
            int[] prompt = Ids("input_ids");
            var last = Models.Logits(model, compute, prompt).AsSpan(^model.Config.VocabSize..);
            foreach (var logit in test.GetProperty("sampled_logits").EnumerateObject())
                Assert.Equal(logit.Value.GetDouble(),
                    last[int.Parse(logit.Name, System.Globalization.CultureInfo.InvariantCulture)], 1e-5);
            int[] continuation = Ids("greedy_continuation");
            Assert.Equal(continuation, generator.Continue(prompt, new SamplerOptions { Temperature = 0 })
                .Take(continuation.Length));
        }
    }
}
