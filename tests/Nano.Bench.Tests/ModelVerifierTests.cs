using System.Buffers.Binary;
using System.Text;

namespace Nano.Tests;

public class ModelVerifierTests
{
    static readonly string Model = Goldens.Path("gpt2_tiny");
    static readonly string Golden = Goldens.Path("gpt2_tiny/golden.safetensors");

    public static TheoryData<string, SimdWidth, int> WidthsAndThreads
    {
        get
        {
            var all = new TheoryData<string, SimdWidth, int>();
            foreach (var width in SimdWidths.All)
                foreach (int threads in new[] { 1, 3 })
                {
                    all.Add("gpt2_tiny", width, threads);
                    all.Add("llama_tiny", width, threads);
                }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(WidthsAndThreads))]
    public void Every_golden_tensor_is_reproduced_at_every_width_and_team_size(string folder, SimdWidth width,
        int threads)
    {
        using var compute = new Compute(threads, width);
        string path = Goldens.Path(folder + "/golden.safetensors");
        var rows = ModelVerifier.Run(Goldens.Path(folder), path, compute);
        Assert.Empty(rows.Where(row => !row.Pass)
            .Select(row => $"{row.Name}: error {row.Error}, scale {row.Scale}, PyTorch's {row.ReferenceError}"));
        // No golden tensor is passed over: every one that is not an input has its row, the greedy text two.
        using var golden = SafetensorsReader.Open(path);
        var expected = golden.Entries.Keys.Except(["input_ids", "targets", "greedy_prompt", "greedy_ids"])
            .Concat(["greedy_ids (cached)", "greedy_ids (whole text)"]);
        Assert.Equal(expected.Order(StringComparer.Ordinal),
            rows.Select(row => row.Name).Order(StringComparer.Ordinal));
        Assert.Equal(folder == "gpt2_tiny" ? 66 : 52, rows.Count);
        Assert.Null(compute.Tape);
    }

    [Theory]
    [InlineData("act.embed")]
    [InlineData("act.block1")]
    [InlineData("logits")]
    [InlineData("loss")]
    [InlineData("grad.transformer.wte.weight")]
    [InlineData("grad.transformer.h.0.attn.c_attn.weight")]
    [InlineData("losses")]
    [InlineData("grad_norms")]
    [InlineData("after3.transformer.wpe.weight")]
    public void One_wrong_value_fails_its_tensor_and_no_other(string name)
    {
        using var folder = new TempFolder();
        string path = Damage(folder, name, (bytes, entry) =>
        {
            var at = bytes.AsSpan((int)entry.Offset + (int)(entry.Bytes / 8 * 4)); // the middle element
            BinaryPrimitives.WriteSingleLittleEndian(at, BinaryPrimitives.ReadSingleLittleEndian(at) + 0.01f);
        });
        // where single stray elements are tolerated, damage four
        if (name.StartsWith("after3", StringComparison.Ordinal))
            path = Damage(folder, name, (bytes, entry) => bytes.AsSpan((int)entry.Offset, 16).Clear());
        using var compute = new Compute(1);
        Assert.Equal([name], ModelVerifier.Run(Model, path, compute).Where(row => !row.Pass).Select(row => row.Name));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_no_number_fails(float bad)
    {
        using var folder = new TempFolder();
        string path = Damage(folder, "logits",
            (bytes, entry) => BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan((int)entry.Offset), bad));
        using var compute = new Compute(1);
        Assert.Equal(["logits"], ModelVerifier.Run(Model, path, compute).Where(row => !row.Pass)
            .Select(row => row.Name));
    }

    [Fact]
    public void One_wrong_id_fails_both_greedy_texts()
    {
        using var folder = new TempFolder();
        string path = Damage(folder, "greedy_ids", (bytes, entry) => bytes[(int)entry.Offset + (8 * 20)] ^= 1);
        using var compute = new Compute(1);
        Assert.Equal(["greedy_ids (cached)", "greedy_ids (whole text)"],
            ModelVerifier.Run(Model, path, compute).Where(row => !row.Pass).Select(row => row.Name));
    }

    [Fact]
    public void A_wrong_model_fails()
    {
        using var folder = new TempFolder();
        var (model, _) = ModelDirectory.Load(Model);
        model.Parameters.All.Single(parameter => parameter.Name == "h.0.mlp.c_fc.bias").Data[3] += 0.01f;
        ModelDirectory.Save(folder.Root, model, null);
        model.Dispose();
        using var compute = new Compute(1);
        var failed = ModelVerifier.Run(folder.Root, Golden, compute).Where(row => !row.Pass)
            .Select(row => row.Name).ToList();
        Assert.Contains("act.block0", failed);
        Assert.Contains("logits", failed);
        Assert.DoesNotContain("act.embed", failed);
    }

    [Theory]
    [InlineData("input_ids", "input_idx")]
    [InlineData("targets", "targetx")]
    [InlineData("greedy_prompt", "greedy_prompx")]
    public void A_golden_without_what_it_must_hold_is_refused_by_name(string name, string other)
    {
        using var folder = new TempFolder();
        string path = Damage(folder, name, (bytes, _) =>
        {
            int at = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes($"\"{name}\""));
            Encoding.UTF8.GetBytes($"\"{other}\"").CopyTo(bytes, at);
        });
        AssertBad(path, path, name);
    }

    [Fact]
    public void Ids_that_are_not_rows_are_refused_by_name()
    {
        using var folder = new TempFolder();
        string path = Damage(folder, "input_ids", (bytes, _) =>
        {
            int name = bytes.AsSpan().IndexOf("\"input_ids\""u8);
            "[96  ]"u8.CopyTo(bytes.AsSpan(name + bytes.AsSpan(name).IndexOf("[2,48]"u8)));
        });
        AssertBad(path, path, "input_ids", "[96]");
    }

    [Theory]
    [InlineData("input_ids", 97)]
    [InlineData("input_ids", -1)]
    [InlineData("input_ids", 1L << 40)]
    [InlineData("targets", 97)]
    [InlineData("targets", -2)]
    [InlineData("greedy_prompt", 97)]
    public void Ids_outside_the_vocabulary_are_refused_by_name(string name, long id)
    {
        using var folder = new TempFolder();
        string path = Damage(folder, name,
            (bytes, entry) => BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan((int)entry.Offset), id));
        AssertBad(path, path, name, id.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"optimizer\":{\"lr\":0.001}}")]
    [InlineData("{\"optimizer\":7}")]
    public void Tolerances_that_lack_the_optimizer_are_refused_by_name(string content)
    {
        using var folder = new TempFolder();
        string path = Damage(folder, "loss", (_, _) => { });
        File.WriteAllText(folder.File("tolerances.json"), content);
        AssertBad(path, folder.File("tolerances.json"), "");
    }

    [Fact]
    public void Missing_files_are_named()
    {
        using var folder = new TempFolder();
        using var compute = new Compute(1);
        string path = Damage(folder, "loss", (_, _) => { });
        File.Delete(folder.File("tolerances.json"));
        Assert.Contains("tolerances.json",
            Assert.Throws<NanoException>(() => ModelVerifier.Run(Model, path, compute)).Message,
            StringComparison.Ordinal);
        Assert.Contains("none.safetensors",
            Assert.Throws<NanoException>(() => ModelVerifier.Run(Model, folder.File("none.safetensors"),
                compute)).Message, StringComparison.Ordinal);
        Assert.Contains("config.json",
            Assert.Throws<NanoException>(() => ModelVerifier.Run(folder.File("none"), Golden, compute)).Message,
            StringComparison.Ordinal);
    }

    static void AssertBad(string golden, string file, params string[] expected)
    {
        using var compute = new Compute(1);
        var e = Assert.Throws<BadFileException>(() => ModelVerifier.Run(Model, golden, compute));
        Assert.Equal(file, e.Path);
        Assert.All(expected, text => Assert.Contains(text, e.Message, StringComparison.Ordinal));
        Assert.Null(compute.Tape);
    }

    /// <summary>A copy of the golden file, beside its tolerances, with some bytes changed.</summary>
    static string Damage(TempFolder folder, string name, Action<byte[], SafetensorsEntry> change)
    {
        byte[] bytes = File.ReadAllBytes(Golden);
        using (var golden = SafetensorsReader.Open(Golden))
            change(bytes, golden.Entries[name]);
        File.WriteAllBytes(folder.File("golden.safetensors"), bytes);
        File.Copy(Goldens.Path("gpt2_tiny/tolerances.json"), folder.File("tolerances.json"), overwrite: true);
        return folder.File("golden.safetensors");
    }
}
