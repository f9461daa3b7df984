using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano imatrix, and nano quantize with its files and with --all.</summary>
public sealed class QuantizeSetTests : IDisposable
{
    private readonly TempFolder inputs = new();

    /// <summary>A Llama of random weights with a vocabulary of characters, and a text for it.</summary>
    public QuantizeSetTests()
    {
        Data = Tiny.WriteText(inputs);
        var tokenizer = CharTokenizer.FromText(Tiny.Text());
        Model = Directory.CreateDirectory(inputs.File("model")).FullName;
        using var model = LanguageModel.Create(new DecoderConfig
        {
            VocabSize = tokenizer.VocabSize,
            ContextLength = 16,
            Layers = 2,
            Heads = 2,
            KvHeads = 1,
            Channels = 128,
            Intermediate = 256,
        });
        model.Initialize(1);
        using var source = ModelSource.Of(model);
        ModelDirectory.Write(Model, source);
        tokenizer.Save(Path.Combine(Model, "tokenizer.json"));
    }

    private string Model { get; }

    private string Data { get; }

    private string[] Imatrix => ["imatrix", Model, "--data", Data];

    public void Dispose() => inputs.Dispose();

    [Fact]
    public void A_matrix_of_importance_is_collected_and_changes_the_files_made_with_it()
    {
        using var folder = new TempFolder();
        string gguf = folder.File("i.gguf"), dat = folder.File("i.dat");
        var made = Cli.Run([.. Imatrix, "--out", gguf, "--chunks", "4", "--json"]).Succeeds();
        Assert.Equal(["output", "tensors", "chunks", "tokens"], made.JsonKeys);
        Assert.Equal((4, 64), (made.Json.GetProperty("chunks").GetInt32(), made.Json.GetProperty("tokens").GetInt32()));
        Assert.Contains("chunk 4 of 4, loss ", made.Error, StringComparison.Ordinal);
        Cli.Run([.. Imatrix, "--out", dat, "--chunks", "4", "--threads", "3"]).Succeeds();
        ImportanceMatrix first = ImportanceFile.Read(gguf), second = ImportanceFile.Read(dat);
        foreach (string tensor in first.Tensors.Keys)
            Assert.All(first.Tensors[tensor].Means().Zip(second.Tensors[tensor].Means()),
                pair => Assert.Equal(pair.First, pair.Second, 1e-5f * pair.First));
        Cli.Run("quantize", Model, folder.File("plain.gguf"), "--type", "Q4_0").Succeeds();
        Cli.Run("quantize", Model, folder.File("with.gguf"), "--type", "Q4_0", "--imatrix", gguf).Succeeds();
        Assert.NotEqual(File.ReadAllBytes(folder.File("plain.gguf")), File.ReadAllBytes(folder.File("with.gguf")));
        using var file = GgufReader.Open(folder.File("with.gguf"));
        Assert.Equal((gguf, Data), (file.Metadata.String("quantize.imatrix.file"),
            file.Metadata.String("quantize.imatrix.dataset")));
    }

    [Fact]
    public void Texts_and_matrices_that_do_not_serve_are_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        string file = folder.File("a.gguf");
        File.WriteAllText(folder.File("short.txt"), "to be");
        Cli.Run(["imatrix", Model, "--data", folder.File("short.txt"), "--out", file])
            .Fails(1, "the text is too short: it has ", "hint: use more text");
        Cli.Run(["imatrix", Model, "--data", folder.File("none.txt"), "--out", file]).Fails(1, "none.txt");
        Cli.Run("quantize", Model, file, "--imatrix", folder.File("none.gguf")).Fails(1, "none.gguf");
        Cli.Run("quantize", Model, file, "--imatrix", folder.File("short.txt")).Fails(1, "neither starts with 'GGUF'");
        Cli.Run("quantize", Model, file, "--imatrix", Goldens.Path("quant_models/llama256-Q8_0.gguf"))
            .Fails(1, "it is no importance matrix");
        Assert.Equal([folder.File("short.txt")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_set_is_reported_as_a_table_a_page_and_JSON()
    {
        using var folder = new TempFolder();
        string set = folder.File("set");
        var made = Cli.Run("quantize", Model, set, "--all", "--types", "q8_0,Q4_0", "--data", Data,
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
        string set = folder.File("set");
        string[] all = ["quantize", Model, set, "--all"];
        Cli.Run([.. all, "--type", "Q8_0"]).Fails(1, "--type is that of a single file", "--types");
        Cli.Run([.. all, "--types", "Q8_0,Q9"]).Fails(1, "there is no type 'Q9'", "Q4_K_M");
        Cli.Run([.. all, "--data", Data, "--limit", "1"]).Fails(1, "--limit must be 2 or more");
        Cli.Run("quantize", Model, set, "--types", "Q8_0").Fails(1, "--types goes with --all");
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
        Cli.RunLimited(64, "quantize", Model, folder.File("q.gguf"), "--type", "Q8_0").Fails(1, "q.gguf",
            "nothing was written");
        Cli.RunLimited(64, "quantize", Model, folder.File("set"), "--all", "--types", "Q8_0").Fails(1,
            "model-Q8_0.gguf", "nothing was written");
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
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
        using (var program = Cli.Start(["quantize", Model, folder.File("set"), "--all"]))
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
