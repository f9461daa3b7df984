using System.Text.Json;

namespace Nano.Tests;

/// <summary>Sets of quantised models and their report.</summary>
public class QuantisationSetTests
{
    static readonly GgufFileType[] Types = [GgufFileType.Q8_0, GgufFileType.Q4_K_M, GgufFileType.Q4_0];

    static QuantisationSetOptions Options(params GgufFileType[] types) => new()
    {
        Types = types,
        Quantisation = new QuantisationOptions { FileType = GgufFileType.Q8_0 },
    };

    static QuantisationSet Make(string input, string folder, QuantisationSetOptions options,
        IProgress<QuantisationSetProgress>? progress = null)
    {
        using var compute = new Compute(2);
        return QuantisationSet.Make(input, folder, options, compute, progress);
    }

    /// <summary>A model of random weights in a folder with a name that HTML must not hold as it is.</summary>
    static string Small(TempFolder folder)
    {
        using var model = LanguageModel.Create(new Gpt2Config
        {
            VocabSize = 11,
            ContextLength = 12,
            Layers = 1,
            Heads = 2,
            Channels = 32,
        });
        model.Initialize(1);
        using var source = ModelSource.Of(model);
        string path = folder.File("<b>&.gguf");
        GgufModel.Write(path, source);
        return path;
    }

    /// <summary>Losses and divergences of the same files, computed by another program in double precision.</summary>
    [Fact]
    public void Losses_and_divergences_of_a_set_are_those_of_the_goldens()
    {
        using var folder = new TempFolder();
        using var golden = SafetensorsReader.Open(Goldens.Path("quant_models/golden.safetensors"));
        using var index = JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant_models/index.json")));
        var ids = new long[golden.Entries["stories260K.ids"].Count];
        golden.ReadInt64("stories260K.ids", ids);
        JsonElement model = index.RootElement.GetProperty("models").EnumerateArray()
            .Single(entry => entry.GetProperty("name").GetString() == "stories260K");
        QuantisationSet set = Make(PublicFiles.Path("stories260K/stories260K.gguf"), folder.File("set"),
            Options(Types) with { Text = ids.Select(id => (int)id).ToArray(), TextName = "golden" });
        Assert.Equal(["F32", "Q8_0", "Q4_K_M", "Q4_0"], set.Models.Select(made => made.Type));
        Assert.Equal(model.GetProperty("nll_source").GetDouble(), set.Models[0].Difference!.Loss, 1e-5);
        Assert.Equal((0, 1), (set.Models[0].Difference!.Divergence, set.Models[0].Difference!.SameTop));
        foreach (QuantisedModel made in set.Models.Skip(1))
        {
            JsonElement file = model.GetProperty("files").EnumerateArray()
                .Single(entry => entry.GetProperty("type").GetString() == made.Type);
            Assert.Equal(file.GetProperty("sha256").GetString(), Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(folder.File($"set/{made.File}")))));
            JsonElement divergence = file.GetProperty("kl_from_source");
            double exact = divergence.GetProperty("exact").GetDouble(),
                expected = divergence.GetProperty("nano8").GetDouble();
            Assert.Equal(file.GetProperty("nll").GetProperty("exact").GetDouble(), made.Difference!.Loss, 2e-3);
            // activations in 8 bits cost what they cost there, give or take as much again
            Assert.Equal(expected, made.Difference.Divergence, expected - exact);
            Assert.True(made.TokensPerSecond > 0);
        }
        Assert.Equal([32, 9.97, 7.92, 7.18], set.Models.Select(made => Math.Round(made.BitsPerWeight, 2)));
    }

    [Fact]
    public void A_set_is_a_folder_of_files_and_a_page_that_needs_nothing_else()
    {
        using var folder = new TempFolder();
        QuantisationSet set = Make(Small(folder), folder.File("set"), Options(Types) with
        {
            Text = new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3 },
            TextName = "</p><script>alert(1)</script>",
        });
        Assert.Equal(["<b>&-Q4_0.gguf", "<b>&-Q4_K_M.gguf", "<b>&-Q8_0.gguf", "report.html"],
            Directory.GetFileSystemEntries(folder.File("set")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string page = File.ReadAllText(folder.File("set/report.html"));
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<b>&", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;&amp;-Q4_0.gguf", page, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", page, StringComparison.Ordinal);
        foreach (QuantisedModel model in set.Models)
            Assert.Contains($"<td>{model.Bytes.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)}</td>",
                page, StringComparison.Ordinal);
        Assert.Contains("Q5_0 instead of Q4_K for", page, StringComparison.Ordinal);
        System.Xml.Linq.XDocument.Parse(page.Replace("<!DOCTYPE html>", "", StringComparison.Ordinal)); // well formed
    }

    [Fact]
    public void Without_a_text_only_sizes_and_speeds_are_measured()
    {
        using var folder = new TempFolder();
        QuantisationSet set = Make(Small(folder), folder.File("set"), Options(GgufFileType.Q8_0));
        Assert.All(set.Models, model => Assert.Null(model.Difference));
        Assert.Contains("No text was given", File.ReadAllText(folder.File("set/report.html")),
            StringComparison.Ordinal);
    }

    /// <summary>Stopped while it quantises, compares or times any of the models.</summary>
    [Theory]
    [InlineData(0, "comparing")]
    [InlineData(1, "quantising")]
    [InlineData(1, "comparing")]
    [InlineData(2, "timing")]
    public void A_set_that_is_stopped_leaves_nothing_behind(int models, string work)
    {
        using var folder = new TempFolder();
        string input = Small(folder);
        Assert.Throws<OperationCanceledException>(() => Make(input, folder.File("set"),
            Options(Types) with { Text = new[] { 1, 2, 3, 4 } }, new Stop(models, work)));
        Assert.Equal([input], Directory.GetFileSystemEntries(folder.Root));
    }

    sealed class Stop(int models, string work) : IProgress<QuantisationSetProgress>
    {
        public void Report(QuantisationSetProgress value)
        {
            Assert.Equal(4, value.Total);
            if (value.Done == models && value.Work == work)
                throw new OperationCanceledException();
        }
    }

    [Fact]
    public void A_folder_is_replaced_if_that_is_asked_for_and_it_holds_only_such_a_set()
    {
        using var folder = new TempFolder();
        string input = Small(folder), set = folder.File("set");
        Make(input, set, Options(GgufFileType.Q8_0));
        Assert.Contains("is there already", Assert.Throws<NanoException>(
            () => Make(input, set, Options(GgufFileType.Q4_0))).Message, StringComparison.Ordinal);
        Make(input, set, Options(GgufFileType.Q4_0) with { Overwrite = true });
        Assert.Equal(["<b>&-Q4_0.gguf", "report.html"],
            Directory.GetFileSystemEntries(set).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        File.WriteAllText(Path.Combine(set, "mine.txt"), "");
        Assert.Contains("holds 'mine.txt'", Assert.Throws<NanoException>(() => Make(input, set,
            Options(GgufFileType.Q8_0) with { Overwrite = true })).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(set, "<b>&-Q4_0.gguf")));
    }
}
