using System.Runtime.InteropServices;
using System.Text.Json;

namespace Nano.Tests.Formats;

/// <summary>
/// The published stories260K in both of its formats: the recorded logits and ids, and each made
/// from the other.
/// </summary>
public class StoriesTests
{
    const string Bin = "stories260K/stories260K.bin", GgufFile = "stories260K/stories260K.gguf";

    [Theory]
    [InlineData(Bin)]
    [InlineData(GgufFile)]
    public void The_greedy_ids_and_texts_are_the_recorded_ones(string file)
    {
        var tokenizer = TokenizerLoader.Load(PublicFiles.Path("stories260K/tok512.bin"));
        using var source = ModelLoader.Open(PublicFiles.Path(file));
        using var model = source.Load();
        using var compute = new Compute(1);
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Goldens.Path("stories260K/greedy.json")));
        Assert.Equal(4, golden.RootElement.GetProperty("cases").GetArrayLength());
        foreach (JsonElement one in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            // which end with the last step, or with BOS
            int[] prompt = Ids(one, "prompt_ids"), expected = Ids(one, "ids");
            using var generator = new Generator(model, compute);
            int[] ids = [.. prompt, .. generator.Continue(prompt, new SamplerOptions { Temperature = 0 })
                .Take(expected.Length - prompt.Length)];
            Assert.Equal(expected, ids);
            Assert.Equal(prompt, (int[])[1, .. tokenizer.Encode(one.GetProperty("prompt").GetString())]);
            Assert.Equal(one.GetProperty("text").GetString(), tokenizer.Decode(ids.AsSpan()[1..].TrimEnd(1)));
        }
    }

    static int[] Ids(JsonElement one, string name) =>
        [.. one.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    [Theory]
    [InlineData(Bin)]
    [InlineData(GgufFile)]
    public void The_logits_are_the_recorded_ones(string file)
    {
        using var source = ModelLoader.Open(PublicFiles.Path(file));
        using var model = source.Load();
        using var compute = new Compute(1);
        using var golden = SafetensorsReader.Open(Goldens.Path("stories260K/logits.safetensors"));
        float[] expected = Models.Floats(golden, "logits");
        compute.NextStep();
        var logits = model.Forward(compute, Tensor.FromIds(new Shape(1, 64), Models.Ids(golden, "ids")));
        float worst = 0;
        for (int i = 0; i < expected.Length; i++)
            worst = Math.Max(worst, Math.Abs(expected[i] - logits.Data[i]));
        // float32 PyTorch is off by 1.44e-5 of 22; ten times that, plus 1e-6 of the largest value.
        Assert.True(worst <= (10 * 1.44e-5) + (1e-6 * 22), $"{worst}");
    }

    [Fact]
    public void The_gguf_made_of_the_bin_has_the_published_tensors_byte_for_byte()
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(PublicFiles.Path(Bin), folder.File("made.gguf"), new());
        using var made = GgufReader.Open(folder.File("made.gguf"));
        using var published = GgufReader.Open(PublicFiles.Path(GgufFile));
        Assert.Equal(["output.weight"], published.Tensors.Keys.Except(made.Tensors.Keys)); // it repeats the token table
        Assert.Equal(47, made.Tensors.Count);
        foreach (GgufTensor tensor in made.Tensors.Values)
            Assert.Equal(Bytes(published, tensor.Name), Bytes(made, tensor.Name));
    }

    [Fact]
    public void The_bin_made_of_the_bin_differs_in_the_last_bits_of_its_tables_only()
    {
        using var folder = new TempFolder();
        string published = PublicFiles.Path(Bin);
        ModelConverter.Convert(published, folder.File("a.gguf"), new());
        ModelConverter.Convert(folder.File("a.gguf"), folder.File("b.bin"), new());
        byte[] before = File.ReadAllBytes(published), after = File.ReadAllBytes(folder.File("b.bin"));
        int tables = 2 * 512 * 4 * sizeof(float);
        Assert.Equal(before.Length, after.Length);
        Assert.Equal(before[..^tables], after[..^tables]);
        ReadOnlySpan<float> old = MemoryMarshal.Cast<byte, float>(before.AsSpan(before.Length - tables)),
            made = MemoryMarshal.Cast<byte, float>(after.AsSpan(after.Length - tables));
        for (int i = 0; i < old.Length; i++)
            Assert.Equal(old[i], made[i], 1e-6f);
    }

    [Fact]
    public void Gguf_to_gguf_keeps_metadata_and_tensors_byte_for_byte()
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(PublicFiles.Path(GgufFile), folder.File("made.gguf"), new());
        using var made = GgufReader.Open(folder.File("made.gguf"));
        using var published = GgufReader.Open(PublicFiles.Path(GgufFile));
        Assert.Equal(Stored(published.Metadata), Stored(made.Metadata));
        Assert.Equal(published.Tensors.Keys.Order(), made.Tensors.Keys.Order());
        foreach (string name in made.Tensors.Keys)
            Assert.Equal(Bytes(published, name), Bytes(made, name));
    }

    [Fact]
    public void The_int8_checkpoint_rounds_each_group_to_its_scale()
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(PublicFiles.Path(Bin), folder.File("q.bin"), new() { Llama2cVersion = 2 });
        byte[] bytes = File.ReadAllBytes(folder.File("q.bin"));
        Assert.Equal((0x616b3432u, 2, 64, 172, 5, 8, 4, 512, 512),
            (BitConverter.ToUInt32(bytes), Int(4), Int(8), Int(12), Int(16), Int(20), Int(24), Int(28), Int(32)));
        Assert.Equal((1, 64), (bytes[36], Int(37)));
        // The token table: behind 11 norms of 64 floats, 512 * 64 numbers, then a scale for each 64 of them.
        int at = 256 + (11 * 64 * sizeof(float));
        using var source = ModelLoader.Open(PublicFiles.Path(Bin));
        var table = new float[512 * 64];
        source.Tensors[0].ReadFloat32(table);
        for (int i = 0; i < table.Length; i++)
        {
            float scale = BitConverter.ToSingle(bytes, at + table.Length + (i / 64 * sizeof(float)));
            Assert.Equal(table.Skip(i / 64 * 64).Take(64).Max(Math.Abs) / 127f, scale);
            Assert.True(Math.Abs(((sbyte)bytes[at + i] * scale) - table[i]) <= scale * 0.50001f);
        }
        using var read = ModelLoader.Open(folder.File("q.bin"));
        Assert.Equal(source.Config, read.Config);
        foreach (var (exact, rounded) in source.Tensors.Zip(read.Tensors))
        {
            var a = new float[exact.Shape.Length];
            var b = new float[a.Length];
            exact.ReadFloat32(a);
            rounded.ReadFloat32(b);
            float largest = a.Max(Math.Abs);
            Assert.True(a.Zip(b).All(pair => Math.Abs(pair.First - pair.Second) <= largest / 250), exact.Name);
        }

        int Int(int offset) => BitConverter.ToInt32(bytes, offset);
    }

    static byte[] Stored(GgufMetadata metadata)
    {
        using var stream = new MemoryStream();
        metadata.WriteTo(stream);
        return stream.ToArray();
    }

    static byte[] Bytes(GgufReader file, string name)
    {
        var bytes = new byte[file.Tensors[name].Count * sizeof(float)];
        file.Copy(file.Tensors[name].Offset, bytes);
        return bytes;
    }
}
