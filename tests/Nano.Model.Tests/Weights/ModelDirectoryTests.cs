namespace Nano.Tests;

public class ModelDirectoryTests
{
    [Fact]
    public void A_written_model_reads_back_with_equal_bits()
    {
        using var folder = new TempFolder();
        var tokenizer = CharTokenizer.FromText("hello world\n, m");
        foreach (var config in new[] { Models.Small,
            Models.Small with { Bias = false, TiedHead = false, Gelu = GeluForm.Erf, Dropout = 0.2f } })
        {
            using var model = Models.Random(config with { VocabSize = tokenizer.VocabSize });
            ModelDirectory.Save(folder.Root, model, tokenizer);
            var (read, readTokenizer) = ModelDirectory.Load(folder.Root);
            Assert.Equal(model.Config, read.Config);
            Assert.Equal(Models.Bits(model), Models.Bits(read));
            Assert.Equal(tokenizer.Symbols, Assert.IsType<CharTokenizer>(readTokenizer).Symbols);
            read.Dispose();
        }
    }

    [Fact]
    public void The_golden_model_is_written_back_tensor_for_tensor()
    {
        using var folder = new TempFolder();
        var (model, _) = ModelDirectory.Load(Models.GoldenFolder);
        ModelDirectory.Save(folder.Root, model, null);
        Assert.Equal(["config.json", "model.safetensors"], Names(folder));
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "model.safetensors"));
        using var written = SafetensorsReader.Open(folder.File("model.safetensors"));
        Assert.Equal(golden.Entries.Keys.Order(), written.Entries.Keys.Order());
        foreach (var (name, entry) in golden.Entries)
        {
            Assert.Equal(entry.Shape, written.Entries[name].Shape);
            Assert.Equal(entry.Type, written.Entries[name].Type);
            Assert.Equal(Models.Bits(Models.Floats(golden, name)), Models.Bits(Models.Floats(written, name)));
        }
        model.Dispose();
    }

    [Fact]
    public void A_file_matrix_is_transposed_on_the_way()
    {
        var (model, _) = ModelDirectory.Load(Models.GoldenFolder);
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "model.safetensors"));
        var ours = model.Parameters.All.Single(parameter => parameter.Name == "h.1.mlp.c_fc.weight");
        float[] stored = Models.Floats(golden, "transformer.h.1.mlp.c_fc.weight");
        Assert.Equal(new Shape(256, 64), ours.Shape);
        for (int row = 0; row < 256; row++)
            for (int column = 0; column < 64; column++)
                Assert.Equal(stored[(column * 256) + row], ours.Data[(row * 64) + column]);
        model.Dispose();
    }

    [Fact]
    public void The_same_model_gives_the_same_bytes()
    {
        using var first = new TempFolder();
        using var second = new TempFolder();
        var tokenizer = CharTokenizer.FromText("abcdefghijk");
        using var model = Models.Random(Models.Small);
        ModelDirectory.Save(first.Root, model, tokenizer);
        var (read, readTokenizer) = ModelDirectory.Load(first.Root);
        ModelDirectory.Save(second.Root, read, readTokenizer);
        Assert.Equal(Names(first), Names(second));
        foreach (string name in Names(first))
            Assert.Equal(File.ReadAllBytes(first.File(name)), File.ReadAllBytes(second.File(name)));
        read.Dispose();
    }

    [Fact]
    public void Names_without_prefix_masks_and_a_repeated_head_are_read()
    {
        using var folder = new TempFolder();
        var stored = Stored();
        var plain = stored.ToDictionary(pair => pair.Key["transformer.".Length..], pair => pair.Value);
        plain["h.0.attn.bias"] = ([1, 1, 12, 12], new float[144]);
        plain["h.1.attn.masked_bias"] = ([], [-1e4f]);
        plain["lm_head.weight"] = plain["wte.weight"];
        Write(folder, plain);
        var (read, _) = ModelDirectory.Load(folder.Root);
        using var model = Models.Random(Models.Small);
        Assert.Equal(Models.Bits(model), Models.Bits(read));
        read.Dispose();
    }

    [Fact]
    public void A_repeated_head_that_differs_from_the_tied_table_is_refused() => AssertRefused(
        tensors => tensors["lm_head.weight"] =
            (tensors["transformer.wte.weight"].Item1, [.. tensors["transformer.wte.weight"].Item2.Reverse()]),
            "lm_head.weight", "tied");

    [Fact]
    public void A_missing_tensor_is_named() =>
        AssertRefused(tensors => tensors.Remove("transformer.h.1.mlp.c_fc.bias"), "h.1.mlp.c_fc.bias", "missing");

    [Fact]
    public void A_tensor_of_another_shape_is_named_with_both_shapes() =>
        AssertRefused(tensors => tensors["transformer.h.0.attn.c_attn.weight"] = ([24, 8], new float[192]),
            "h.0.attn.c_attn.weight", "[24, 8]", "[8, 24]");

    [Fact]
    public void A_tensor_that_does_not_belong_is_named() =>
        AssertRefused(tensors => tensors["transformer.h.2.ln_1.weight"] = ([8], new float[8]),
            "transformer.h.2.ln_1.weight");

    [Fact]
    public void A_tensor_given_under_both_names_is_refused() =>
        AssertRefused(tensors => tensors["ln_f.weight"] = tensors["transformer.ln_f.weight"],
            "transformer.ln_f.weight");

    [Fact]
    public void A_model_with_weights_cut_short_is_refused_by_name_wherever_it_ends()
    {
        using var folder = new TempFolder();
        Write(folder, Stored());
        string path = folder.File("model.safetensors");
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(1);
        foreach (int length in Enumerable.Range(0, 60).Select(_ => random.Next(whole.Length)).Append(0)
            .Append(whole.Length - 1))
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Equal(path, Assert.Throws<BadFileException>(() => ModelDirectory.Load(folder.Root)).Path);
        }
    }

    [Fact]
    public void A_damaged_configuration_is_refused_by_name_or_describes_the_same_weights()
    {
        using var folder = new TempFolder();
        Write(folder, Stored());
        string path = folder.File("config.json");
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 400; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, damaged);
            try
            {
                ModelDirectory.Load(folder.Root).Model.Dispose();
            }
            catch (BadFileException)
            {
                refused++;
            }
        }
        Assert.True(refused > 100, $"{refused} refused");
    }

    [Fact]
    public void A_tokenizer_of_another_size_is_refused_with_both_sizes()
    {
        using var folder = new TempFolder();
        Write(folder, Stored());
        CharTokenizer.FromText("abc").Save(folder.File("tokenizer.json"));
        var e = Assert.Throws<BadFileException>(() => ModelDirectory.Load(folder.Root));
        Assert.Equal(folder.File("tokenizer.json"), e.Path);
        Assert.Contains("3 tokens", e.Message, StringComparison.Ordinal);
        Assert.Contains("11", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_are_not_there_are_named()
    {
        using var folder = new TempFolder();
        Write(folder, Stored());
        File.Delete(folder.File("model.safetensors"));
        Assert.Contains("model.safetensors",
            Assert.Throws<NanoException>(() => ModelDirectory.Load(folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_folder_a_run_folder_and_a_file_in_either_lead_to_the_model()
    {
        using var run = new TempFolder();
        string step = Directory.CreateDirectory(run.File("step-000007")).FullName;
        File.WriteAllText(Path.Combine(step, "config.json"), "{}");
        File.WriteAllText(run.File(ModelFolder.Latest), "step-000007\n");
        File.WriteAllText(run.File("log.jsonl"), "");
        Assert.Equal(step, ModelFolder.Resolve(step));
        Assert.Equal(step, ModelFolder.Resolve(Path.Combine(step, "config.json")));
        Assert.Equal(step, ModelFolder.Resolve(run.Root));
        Assert.Equal(step, ModelFolder.Resolve(run.File("log.jsonl")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("../elsewhere")]
    [InlineData("a/b")]
    [InlineData("/etc")]
    [InlineData("step-1\nstep-2")]
    public void A_pointer_that_leads_out_of_the_run_is_refused(string content)
    {
        using var outer = new TempFolder();
        string run = Directory.CreateDirectory(outer.File("run")).FullName;
        foreach (string folder in new[] { outer.Root, run })
            File.WriteAllText(Path.Combine(folder, "config.json"), "{}");
        File.WriteAllText(Path.Combine(run, ModelFolder.Latest), content);
        Assert.Equal(Path.Combine(run, ModelFolder.Latest),
            Assert.Throws<BadFileException>(() => ModelFolder.Resolve(run)).Path);
    }

    [Fact]
    public void Where_there_is_no_model_the_path_and_a_way_out_are_told()
    {
        using var folder = new TempFolder();
        foreach (string path in new[] { folder.Root, folder.File("none") })
        {
            var e = Assert.Throws<NanoException>(() => ModelFolder.Resolve(path));
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains("nano train", e.Hint, StringComparison.Ordinal);
        }
        File.WriteAllText(folder.File(ModelFolder.Latest), "step-000001\n");
        Assert.Contains("config.json", Assert.Throws<NanoException>(() => ModelFolder.Resolve(folder.Root)).Message,
            StringComparison.Ordinal);
    }

    static void AssertRefused(Action<Dictionary<string, (long[] Shape, float[] Values)>> change,
        params string[] expected)
    {
        using var folder = new TempFolder();
        var tensors = Stored();
        change(tensors);
        Write(folder, tensors);
        var e = Assert.Throws<BadFileException>(() => ModelDirectory.Load(folder.Root));
        Assert.Equal(folder.File("model.safetensors"), e.Path);
        Assert.All(expected, text => Assert.Contains(text, e.Message, StringComparison.Ordinal));
    }

    /// <summary>The tensors of a saved small model, as they lie in its file.</summary>
    static Dictionary<string, (long[] Shape, float[] Values)> Stored()
    {
        using var folder = new TempFolder();
        using var model = Models.Random(Models.Small);
        ModelDirectory.Save(folder.Root, model, null);
        using var file = SafetensorsReader.Open(folder.File("model.safetensors"));
        return file.Entries.ToDictionary(pair => pair.Key,
            pair => (pair.Value.Shape.ToArray(), Models.Floats(file, pair.Key)));
    }

    static void Write(TempFolder folder, Dictionary<string, (long[] Shape, float[] Values)> tensors)
    {
        File.WriteAllText(folder.File("config.json"), Models.Small.ToJson());
        SafetensorsWriter.Write(folder.File("model.safetensors"),
            [.. tensors.Select(pair => new SafetensorsTensor(pair.Key, pair.Value.Shape, () => pair.Value.Values))]);
    }

    static IEnumerable<string> Names(TempFolder folder) =>
        Directory.GetFiles(folder.Root).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);
}
