using System.Diagnostics;

namespace Nano.Tests;

/// <summary>
/// Graphs with a cache, fed as other programs feed them, against our model without one.
/// </summary>
public class CacheTests
{
    private const int Layers = 2;

    /// <summary>
    /// Ids, which of them are no padding, keys and values: what a graph with a cache takes and
    /// gives.
    /// </summary>
    private sealed class Fed(LanguageModel model, OrtSession session, int rows)
    {
        private readonly ModelConfig config = model.Config;
        private OrtTensor[] past = Keys(model.Config, rows, 0);
        private long[][] seen = [.. Enumerable.Repeat(Array.Empty<long>(), rows)];

        private static OrtTensor[] Keys(ModelConfig config, int rows, int length) =>
            [.. Enumerable.Range(0, 2 * Layers)
                .Select(_ => OrtTensor.OfFloats(rows, config.KvHeads, length, config.HeadDim))];

        /// <summary>The logits [B, T, V] of more tokens, of which -1 is padding.</summary>
        public float[] Next(int[][] news)
        {
            int T = news[0].Length, total = seen[0].Length + T;
            long[] positions = [.. news.SelectMany((row, b) =>
                row.Select((id, t) => id < 0 ? 1 : seen[b].Sum() + row[..t].Count(id => id >= 0)))];
            seen = [.. seen.Zip(news, (held, row) => (long[])[.. held, .. row.Select(id => id < 0 ? 0L : 1)])];
            using OrtTensor ids =
                OrtTensor.OfLongs([.. news.SelectMany(row => row).Select(id => (long)Math.Max(id, 0))], rows, T),
                mask = OrtTensor.OfLongs([.. seen.SelectMany(row => row)], rows, total);
            using var places = OrtTensor.OfLongs(positions, rows, T);
            using var logits = OrtTensor.OfFloats(rows, T, config.VocabSize);
            var present = Keys(config, rows, total);
            session.Run([("input_ids", ids), ("attention_mask", mask), ("position_ids", places),
                .. Named("past_key_values", past)], [("logits", logits), .. Named("present", present)]);
            foreach (var tensor in past)
                tensor.Dispose();
            past = present;
            return logits.Floats.ToArray();
        }

        private static IEnumerable<(string, OrtTensor)> Named(string what, OrtTensor[] tensors) =>
            tensors.Select((tensor, i) => ($"{what}.{i / 2}.{(i % 2 == 0 ? "key" : "value")}", tensor));
    }

    private static OrtSession Open(LanguageModel model, OrtProvider provider) =>
        new(OnnxExporter.Build(model, new() { Cache = true }).ToModel().Span, provider, 1);

    private static float[] Ours(LanguageModel model, int[] ids)
    {
        using var compute = new Compute(1);
        return model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray();
    }

    private static int[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(61))];
    }

    private static void AssertClose(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs)
    {
        Assert.Equal(ours.Length, theirs.Length);
        for (int i = 0; i < ours.Length; i++)
            Assert.True(Math.Abs(ours[i] - theirs[i]) < 1e-5, $"{what}, element {i}: {theirs[i]}, ours {ours[i]}");
    }

    [Theory]
    [MemberData(nameof(ExportTests.Names), MemberType = typeof(ExportTests))]
    public void Logits_with_a_cache_are_those_without_however_the_text_is_divided(string name, string provider)
    {
        var where = Providers.Needs(provider);
        using var model = LanguageModel.Create(ExportTests.Models[name]);
        model.Initialize(3);
        using var session = Open(model, where);
        int[] ids = Random(19, 1);
        float[] expected = Ours(model, ids);
        foreach (int[] chunks in new[] { [19], new[] { 1, 7, 1, 1, 9 }, [5, 13, 1] })
        {
            var fed = new Fed(model, session, 1);
            int at = 0;
            foreach (int count in chunks)
            {
                AssertClose($"{name}, {count} tokens at {at}", expected.AsSpan(at * 61, count * 61),
                    fed.Next([ids[at..(at + count)]]));
                at += count;
            }
        }
    }

    [Theory]
    [MemberData(nameof(ExportTests.Names), MemberType = typeof(ExportTests))]
    public void A_row_behind_padding_has_the_logits_it_has_alone(string name, string provider)
    {
        var where = Providers.Needs(provider);
        using var model = LanguageModel.Create(ExportTests.Models[name]);
        model.Initialize(3);
        using var session = Open(model, where);
        int[][] texts = [Random(14, 1), Random(11, 2), Random(8, 3)];
        var fed = new Fed(model, session, 3);
        int[][] padded = [.. texts.Select(text => (int[])[.. Enumerable.Repeat(-1, 14 - text.Length), .. text])];
        foreach (var (from, to) in new[] { (0, 9), (9, 10), (10, 14) })
        {
            float[] logits = fed.Next([.. padded.Select(row => row[from..to])]);
            for (int b = 0; b < 3; b++)
                for (int t = from; t < to; t++)
                    if (padded[b][t] >= 0)
                        AssertClose($"{name}, row {b} column {t}",
                            Ours(model, texts[b][..(t - 13 + texts[b].Length)]).AsSpan(^61..),
                            logits.AsSpan((((b * (to - from)) + t - from) * 61), 61));
        }
    }

    [Fact]
    public void Of_the_last_position_only_with_small_integers_the_logits_are_the_same()
    {
        ExportTests.NeedsLibrary();
        using var model = LanguageModel.Create(ExportTests.Models["gpt2"]);
        model.Initialize(3);
        using var session = new OrtSession(OnnxExporter.Build(model, new() { LastLogits = true, Int32 = true })
            .ToModel().Span, OrtProvider.Cpu, 1);
        int[] ids = Random(12, 4);
        using var input = OrtTensor.OfInts(ids, 2, 6);
        using var logits = OrtTensor.OfFloats(2, 1, 61);
        session.Run([("input_ids", input)], [("logits", logits)]);
        AssertClose("first", Ours(model, ids[..6]).AsSpan(^61..), logits.Floats[..61]);
        AssertClose("second", Ours(model, ids[6..]).AsSpan(^61..), logits.Floats[61..]);
    }

    [Fact]
    public void Gradients_do_not_go_with_a_cache()
    {
        using var model = LanguageModel.Create(ExportTests.Models["gpt2"]);
        using var folder = new TempFolder();
        Assert.Throws<NanoException>(() => OnnxExporter.Export(model, folder.File("a.onnx"),
            new() { Gradients = true, Cache = true }));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    public static TheoryData<string> Names => [.. ExportTests.Models.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_checker_of_ONNX_finds_nothing(string name)
    {
        string? python = Array.Find(["python3", "/usr/bin/python3"], python => Run(python, "import onnx") is null);
        Assert.SkipWhen(python is null, "needs python3 with onnx");
        using var model = LanguageModel.Create(ExportTests.Models[name]);
        using var folder = new TempFolder();
        foreach (var options in new OnnxExportOptions[] { new(), new() { Cache = true },
            new() { Cache = true, LastLogits = true, Int32 = true }, new() { Gradients = true } })
        {
            string file = folder.File("model.onnx");
            OnnxExporter.Export(model, file, options);
            Assert.Null(Run(python,
                "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)", file));
        }
    }

    /// <summary>What a program of Python says is wrong, or null.</summary>
    private static string? Run(string python, params string[] args)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("/usr/bin/env",
                [python, "-c", .. args])
            { RedirectStandardError = true })!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : error;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}
