using System.Runtime.InteropServices;

namespace Nano.Tests.Formats;

/// <summary>
/// llm.c's files, put together here byte for byte from the golden GPT-2 and its layout as llm.c
/// documents it.
/// </summary>
public class LlmcFileTests
{
    const int V = 97, Padded = 128, T = 64, L = 2, H = 4, C = 64;

    static readonly string[] PerLayer =
    [
        "ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight", "attn.c_proj.bias",
        "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias",
    ];

    /// <summary>
    /// All of one prefix's tensors (weights, or gradients) in llm.c's order; matrices are turned
    /// from [in, out].
    /// </summary>
    static float[] InOrder(SafetensorsReader file, string prefix)
    {
        var all = new List<float>();
        void Add(string name)
        {
            float[] values = Models.Floats(file, prefix + name);
            var shape = file.Entries[prefix + name].Shape;
            bool conv1D = name.Contains(".c_", StringComparison.Ordinal) && shape.Count == 2;
            for (int i = 0; i < values.Length; i++)
                all.Add(conv1D ? values[(i % (int)shape[0] * (int)shape[1]) + (i / (int)shape[0])] : values[i]);
        }
        Add("wte.weight");
        all.AddRange(new float[(Padded - V) * C]);
        Add("wpe.weight");
        foreach (string name in PerLayer)
            for (int layer = 0; layer < L; layer++)
                Add($"h.{layer}.{name}");
        Add("ln_f.weight");
        Add("ln_f.bias");
        return [.. all];
    }

    static byte[] Header(params int[] fields) =>
        MemoryMarshal.AsBytes([.. fields, .. new int[256 - fields.Length]]).ToArray();

    static byte[] Checkpoint()
    {
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "model.safetensors"));
        return [.. Header(20240326, 3, T, V, L, H, C, Padded),
            .. MemoryMarshal.AsBytes(InOrder(golden, "transformer.").AsSpan())];
    }

    [Fact]
    public void A_float32_checkpoint_is_written_as_llm_c_has_it_and_read_back()
    {
        using var folder = new TempFolder();
        string path = folder.File("gpt2.bin");
        using (var source = ModelLoader.Open(Models.GoldenFolder))
            LlmcFile.Write(path, source);
        Assert.Equal(Checkpoint(), File.ReadAllBytes(path));
        using var read = ModelLoader.Open(path);
        using var model = read.Load();
        using var golden = ModelDirectory.Load(Models.GoldenFolder).Model;
        Assert.Equal(Models.Bits(golden), Models.Bits(model));
    }

    [Fact]
    public void A_bfloat16_checkpoint_holds_the_upper_halves()
    {
        using var folder = new TempFolder();
        using (var source = ModelLoader.Open(Models.GoldenFolder))
            LlmcFile.Write(folder.File("a.bin"), source, WeightType.BF16);
        byte[] bytes = File.ReadAllBytes(folder.File("a.bin"));
        float[] expected = MemoryMarshal.Cast<byte, float>(Checkpoint().AsSpan(1024)).ToArray();
        ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan(1024));
        Assert.Equal(5, BitConverter.ToInt32(bytes, 4));
        Assert.Equal(expected.Length, halves.Length);
        for (int i = 0; i < halves.Length; i++)
        {
            float stored = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
            Assert.True(Math.Abs(stored - expected[i]) <= Math.Abs(expected[i]) / 256,
                $"{i}: {stored} for {expected[i]}");
        }
        using var read = ModelLoader.Open(folder.File("a.bin"));
        Assert.All(read.Tensors, tensor => Assert.Equal(WeightType.BF16, tensor.Type));
        LlmcFile.Write(folder.File("b.bin"), read);
        Assert.Equal(bytes, File.ReadAllBytes(folder.File("b.bin")));
    }

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(-2f, 0xC000)]
    [InlineData(1.00390625f, 0x3F80)] // half way: to the even one below
    [InlineData(1.01171875f, 0x3F82)] // half way: to the even one above
    [InlineData(1.0039064f, 0x3F81)]
    [InlineData(float.MaxValue, 0x7F80)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(1e-40f, 0x0001)]
    [InlineData(0f, 0)]
    public void Rounding_to_bfloat16_is_to_nearest_even(float value, int expected)
    {
        Span<byte> stored = stackalloc byte[2];
        WeightTypes.Narrow(WeightType.BF16, [value], stored);
        Assert.Equal(expected, BitConverter.ToUInt16(stored));
        WeightTypes.Narrow(WeightType.BF16, [float.NaN], stored);
        Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(stored) << 16)));
    }

    [Theory]
    [InlineData(4, 4, "version 4")]
    [InlineData(8, 0, "context length is 0")]
    [InlineData(16, 3, "asks for")]
    [InlineData(16, 1 << 16, "asks for")]
    [InlineData(16, -1, "layers is -1")]
    [InlineData(20, 5, "64 channels")]
    [InlineData(24, 1 << 20, "asks for")]
    [InlineData(28, 96, "padded vocabulary is 96")]
    [InlineData(28, int.MaxValue, "padded vocabulary")]
    public void A_header_that_cannot_be_is_refused(int at, int value, string expected)
    {
        using var folder = new TempFolder();
        byte[] bytes = Checkpoint();
        BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
        File.WriteAllBytes(folder.File("a.bin"), bytes);
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("a.bin"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_debug_state_is_read_and_refused_when_it_is_of_another_model()
    {
        using var folder = new TempFolder();
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "golden.safetensors"));
        int[] ids = Models.Ids(golden, "input_ids"), targets = Models.Ids(golden, "targets");
        float[] logits = Models.Floats(golden, "logits"), loss = Models.Floats(golden, "loss");
        string prefix = golden.Entries.ContainsKey("grad.transformer.wte.weight") ? "grad.transformer." : "grad.";
        byte[] bytes =
        [
            .. Header(20240327, 2, 2, 48), .. MemoryMarshal.AsBytes(ids.AsSpan()),
                .. MemoryMarshal.AsBytes(targets.AsSpan()),
            .. MemoryMarshal.AsBytes(logits.AsSpan()), .. MemoryMarshal.AsBytes(loss.AsSpan()),
                .. MemoryMarshal.AsBytes(InOrder(golden, prefix).AsSpan()),
        ];
        string path = folder.File("debug_state.bin");
        File.WriteAllBytes(path, bytes);
        var config = (Gpt2Config)ModelLoaderTests.Config(Models.GoldenFolder);
        using (var state = LlmcDebugState.Open(path, config, Padded))
        {
            Assert.Equal((2, 48, loss[0]), (state.Batch, state.Time, state.Loss));
            Assert.Equal(ids, state.Ids);
            Assert.Equal(targets, state.Targets);
            Assert.Equal(logits, All(state.Logits));
            float[] turned = All(state.Gradients.Single(tensor => tensor.Name == "h.1.mlp.c_fc.weight")),
                stored = Models.Floats(golden, prefix + "h.1.mlp.c_fc.weight");
            Assert.Equal(stored[(3 * 4 * C) + 5], turned[(5 * C) + 3]);
            Assert.Equal(Models.Floats(golden, prefix + "ln_f.bias"),
                All(state.Gradients.Single(tensor => tensor.Name == "ln_f.bias")));
        }
        Assert.Contains("asks for",
            Assert.Throws<BadFileException>(() => LlmcDebugState.Open(path, config with { Layers = 3 },
                Padded)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, bytes[..^1]);
        Assert.Throws<BadFileException>(() => LlmcDebugState.Open(path, config, Padded));
        BitConverter.TryWriteBytes(bytes.AsSpan(1024), V);
        File.WriteAllBytes(path, bytes);
        Assert.Contains($"token id is {V}",
            Assert.Throws<BadFileException>(() => LlmcDebugState.Open(path, config, Padded)).Message,
            StringComparison.Ordinal);
    }

    static float[] All(ModelTensor tensor)
    {
        var values = new float[tensor.Shape.Length];
        tensor.ReadFloat32(values);
        return values;
    }
}
