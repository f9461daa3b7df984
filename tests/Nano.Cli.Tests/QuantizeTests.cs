using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano quantize.</summary>
public class QuantizeTests
{
    [Fact]
    public void A_quantised_model_is_smaller_and_answers()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), file = folder.File("q8.gguf");
        var made = Cli.Run("quantize", golden, file, "--type", "Q8_0", "--json").Succeeds();
        Assert.Equal(["input", "output", "from", "to", "bytes", "bits_per_weight", "notes"], made.JsonKeys);
        Assert.InRange(made.Json.GetProperty("bits_per_weight").GetDouble(), 8.5, 12);
        Cli.Run("convert", golden, folder.File("f32.gguf")).Succeeds();
        Assert.True(new FileInfo(file).Length < new FileInfo(folder.File("f32.gguf")).Length);
    }

    [Fact]
    public void Bad_types_and_tensors_are_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), file = folder.File("a.gguf");
        Cli.Run("quantize", golden, file, "--type", "IQ1_S").Fails(2, "IQ1_S");
        Cli.Run("quantize", golden, file, "--type", "F16").Fails(2, "F16");
        Cli.Run("quantize", golden, file, "--tensor", "output.weight=7").Fails(1, "there is no type '7'");
        Cli.Run("quantize", golden, file, "--tensor", "Q8_0").Fails(1, "'Q8_0' is no NAME=TYPE");
        Cli.Run("quantize", golden, file, "--tensor", "blk.9.attn_q.weight=Q8_0")
            .Fails(1, "there is no tensor 'blk.9.attn_q.weight'");
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_quantised_model_is_quantised_again_only_if_that_is_allowed()
    {
        using var folder = new TempFolder();
        string first = folder.File("q8.gguf"), second = folder.File("q4.gguf");
        Cli.Run("quantize", Goldens.Path("llama_tiny"), first, "--type", "Q8_0").Succeeds();
        Cli.Run("quantize", first, second, "--type", "Q4_0").Fails(1, "is quantised already", "hint: ");
        Cli.Run("quantize", first, second, "--type", "Q4_0", "--requantize").Succeeds();
    }

    private static readonly string[] Imatrix = ["imatrix", Goldens.Path("llama_tiny"), "--seq", "16"];

    private static string Text(TempFolder folder, int sentences)
    {
        File.WriteAllText(folder.File("text.txt"), PatternedText.Sentences(sentences));
        return folder.File("text.txt");
    }

    [Fact]
    public void A_matrix_of_importance_is_collected_and_changes_the_files_made_with_it()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), text = Text(folder, 20), gguf = folder.File("i.gguf"),
            dat = folder.File("i.dat");
        var made = Cli.Run([.. Imatrix, "--data", text, "--out", gguf, "--chunks", "4", "--json"]).Succeeds();
        Assert.Equal(["output", "tensors", "chunks", "tokens"], made.JsonKeys);
        Assert.Equal((4, 64), (made.Json.GetProperty("chunks").GetInt32(), made.Json.GetProperty("tokens").GetInt32()));
        Assert.Contains("chunk 4 of 4, loss ", made.Error, StringComparison.Ordinal);
        Cli.Run([.. Imatrix, "--data", text, "--out", dat, "--chunks", "4", "--threads", "3"]).Succeeds();
        ImportanceMatrix first = ImportanceFile.Read(gguf), second = ImportanceFile.Read(dat);
        foreach (string tensor in first.Tensors.Keys)
            Assert.All(first.Tensors[tensor].Means().Zip(second.Tensors[tensor].Means()),
                pair => Assert.Equal(pair.First, pair.Second, 1e-5f * pair.First));
        Cli.Run("quantize", golden, folder.File("plain.gguf"), "--type", "Q4_0").Succeeds();
        Cli.Run("quantize", golden, folder.File("with.gguf"), "--type", "Q4_0", "--imatrix", gguf).Succeeds();
        Assert.NotEqual(File.ReadAllBytes(folder.File("plain.gguf")), File.ReadAllBytes(folder.File("with.gguf")));
        using var file = GgufReader.Open(folder.File("with.gguf"));
        Assert.Equal((gguf, text), (file.Metadata.String("quantize.imatrix.file"),
            file.Metadata.String("quantize.imatrix.dataset")));
    }

    [Fact]
    public void Texts_and_matrices_that_do_not_serve_are_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), file = folder.File("a.gguf");
        File.WriteAllText(folder.File("short.txt"), "a");
        Cli.Run([.. Imatrix, "--data", folder.File("short.txt"), "--out", file])
            .Fails(1, "the text is too short: it has ", "hint: use more text");
        Cli.Run([.. Imatrix, "--data", folder.File("none.txt"), "--out", file]).Fails(1, "none.txt");
        Cli.Run("quantize", golden, file, "--imatrix", folder.File("none.gguf")).Fails(1, "none.gguf");
        Cli.Run("quantize", golden, file, "--imatrix", folder.File("short.txt")).Fails(1, "the file ends at byte 1");
        Cli.Run("quantize", golden, file, "--imatrix", Goldens.Path("quant_models/llama256-Q4_0.gguf"))
            .Fails(1, "it is no importance matrix");
        Assert.Equal([folder.File("short.txt")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_set_is_reported_as_a_table_a_page_and_JSON()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), set = folder.File("set");
        var made = Cli.Run("quantize", golden, set, "--all", "--types", "q8_0,Q4_0", "--data", Text(folder, 20),
            "--limit", "64", "--json").Succeeds();
        Assert.Equal(["input", "output", "report", "text", "tokens", "models"], made.JsonKeys);
        Assert.Equal(64, made.Json.GetProperty("tokens").GetInt32());
        var models = made.Json.GetProperty("models").EnumerateArray().ToList();
        Assert.Equal(["type", "file", "bytes", "bits_per_weight", "loss", "loss_of_original", "divergence", "same_top",
            "decode_tokens_per_second", "notes"], models[0].EnumerateObject().Select(property => property.Name));
        Assert.Equal(["F32", "Q8_0", "Q4_0"], models.Select(model => model.GetProperty("type").GetString()));
        Assert.True(models[1].GetProperty("divergence").GetDouble() < models[2].GetProperty("divergence").GetDouble());
        Assert.All(models.Skip(1), model => Assert.True(File.Exists(model.GetProperty("file").GetString())));
        Assert.True(File.Exists(made.Json.GetProperty("report").GetString()));
        Assert.Contains("\nQ4_0 ", made.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_set_without_a_text_says_so_and_options_of_one_file_are_refused()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), set = folder.File("set");
        string[] all = ["quantize", golden, set, "--all"];
        Cli.Run([.. all, "--type", "Q8_0"]).Fails(1, "--type is that of a single file", "--types");
        Cli.Run([.. all, "--types", "Q8_0,Q9"]).Fails(1, "there is no type 'Q9'", "Q4_K_M");
        Cli.Run([.. all, "--data", Text(folder, 20), "--limit", "1"]).Fails(1, "--limit must be 2 or more");
        Cli.Run("quantize", golden, set, "--types", "Q8_0").Fails(1, "--types goes with --all");
        Assert.False(Directory.Exists(set));
        var made = Cli.Run([.. all, "--types", "Q8_0"]).Succeeds();
        Assert.Contains("note: without --data nothing is compared", made.Out, StringComparison.Ordinal);
        Cli.Run([.. all, "--types", "Q8_0"]).Fails(1, "is there already", "--overwrite");
    }

    /// <summary>A limit on the size of a file stands for a full disk.</summary>
    [Fact]
    public void A_disk_that_fills_leaves_nothing_behind()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "'ulimit -f' is the shell's");
        using var folder = new TempFolder();
        using var model = LanguageModel.Create(new Gpt2Config
        {
            VocabSize = 300,
            ContextLength = 16,
            Layers = 2,
            Heads = 2,
            Channels = 128,
        });
        model.Initialize(1);
        string input = folder.File("model.gguf");
        using (var source = ModelSource.Of(model))
            GgufModel.Write(input, source);
        Cli.RunLimited(64, "quantize", input, folder.File("q.gguf"), "--type", "Q8_0").Fails(1, "q.gguf",
            "nothing was written");
        Cli.RunLimited(64, "quantize", input, folder.File("set"), "--all", "--types", "Q8_0").Fails(1,
            "model-Q8_0.gguf", "nothing was written");
        Assert.Equal([input], Directory.GetFileSystemEntries(folder.Root));
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void A_signal_ends_a_set_and_leaves_nothing_behind(string signal, int exitCode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(signal == "INT" && SignalTests.InterruptsAreIgnored(), "SIGINT is ignored here");
        using var folder = new TempFolder();
        CliResult result;
        using (var program = Cli.Start(["quantize", Goldens.Path("llama_tiny"), folder.File("set"), "--all"]))
        {
            program.WaitFor("Q8_0, timing"); // half a second of it for each of sixteen types
            program.Signal(signal);
            result = program.Finish();
        }
        Assert.True(result.ExitCode == exitCode, result.ToString());
        Assert.Contains("stopped; nothing was written", result.Out, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }
}
