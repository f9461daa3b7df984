namespace Nano.Tests;

/// <summary>
/// Every op against golden values computed in double precision by another program, at every SIMD
/// width; and that damage is noticed.
/// </summary>
public class OpVerifierTests
{
    private static readonly string Folder = Goldens.Path("ops");

    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.All];

    [Theory, MemberData(nameof(Widths))]
    public void Every_op_agrees_with_its_golden_values(SimdWidth width)
    {
        using var compute = new Compute(2, width);
        var rows = OpVerifier.Run(Folder, compute);
        Assert.Equal(98, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
        Assert.Null(compute.Tape);
    }

    /// <summary>Biases, masks, caps and sinks; slopes of any number of heads; every bucket.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Every_kind_of_attention_agrees_with_its_golden_values(SimdWidth width)
    {
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using var compute = new Compute(threads, width);
            var rows = OpVerifier.Run(Goldens.Path("zoo_attention"), compute);
            Assert.Equal(24, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
            Assert.All(rows, row =>
                Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Functions_gates_norms_and_the_contrastive_loss_agree_with_their_golden_values(SimdWidth width)
    {
        using var compute = new Compute(2, width);
        var rows = OpVerifier.Run(Goldens.Path("ops_room"), compute);
        Assert.Equal(16, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
    }

    [Fact]
    public void Sinusoids_and_steps_of_diffusion_agree_with_their_golden_values()
    {
        using var compute = new Compute(1);
        var rows = OpVerifier.Run(Goldens.Path("zoo_diffusion"), compute);
        Assert.Equal(5, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
    }

    [Theory, MemberData(nameof(Widths))]
    public void Routers_mixtures_and_rotated_parts_of_heads_agree_with_their_golden_values(SimdWidth width)
    {
        using var compute = new Compute(2, width);
        var rows = OpVerifier.Run(Goldens.Path("zoo_mixture"), compute);
        Assert.Equal(12, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
    }

    [Theory, MemberData(nameof(Widths))]
    public void Forms_of_attention_balance_losses_and_sounds_agree_with_their_golden_values(SimdWidth width)
    {
        using var compute = new Compute(3, width);
        var rows = OpVerifier.Run(Goldens.Path("zoo_forms"), compute);
        Assert.Equal(14, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
    }

    /// <summary>Recurrent nets, scans, convolutions and pools.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Scans_and_windows_agree_with_their_golden_values(SimdWidth width)
    {
        using var compute = new Compute(3, width);
        var rows = OpVerifier.Run(Goldens.Path("zoo_scans"), compute);
        Assert.Equal(26, rows.Select(row => row.Name[..row.Name.LastIndexOf('.')]).Distinct().Count());
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
    }

    [Fact]
    public void Rows_tell_the_golden_scale_and_the_reference_error()
    {
        using var compute = new Compute(1);
        var row = OpVerifier.Run(Folder, compute).Single(row => row.Name == "linear_5_100_to37.dw");
        Assert.Equal(11.4, row.Scale, 0.05); // index.json: [11.4, 7.37e-07]
        Assert.Equal(7.37e-7, row.ReferenceError);
        Assert.InRange(row.Error, 1e-9, 10 * 7.37e-7);
    }

    [Theory]
    [InlineData("linear_5_100_to37.y", 1e-3f)]
    [InlineData("linear_5_100_to37.dw", float.NaN)]
    [InlineData("softmax_5_33.dx", float.PositiveInfinity)]
    [InlineData("layernorm_1_1.dx", 1e-3f)]
    [InlineData("attention_gqa_b1_h4_kv2_t33_d16.dk", 1e-3f)]
    [InlineData("rope_interleaved_2_3_7_16_theta10000_pos0.inv_freq", 1e-3f)]
    [InlineData("cross_entropy_5_1000_sum.nll", 1e-3f)]
    [InlineData("adamw_other.p2_after5", 1e-3f)]
    public void A_changed_golden_value_fails_alone(string tensor, float change)
    {
        using var folder = Copy();
        using var compute = new Compute(1);
        Change(folder.File("ops.safetensors"), tensor, change);
        var failed = OpVerifier.Run(folder.Root, compute).Where(row => !row.Pass).ToList();
        Assert.Equal(tensor, Assert.Single(failed).Name);
    }

    [Fact]
    public void A_value_that_is_not_a_number_fails_the_case()
    {
        using var folder = Copy();
        using var compute = new Compute(1);
        Change(folder.File("ops.safetensors"), "linear_5_100_to37.x", float.NaN);
        var failed = OpVerifier.Run(folder.Root, compute).Where(row => !row.Pass).ToList();
        Assert.Equal(["linear_5_100_to37.y", "linear_5_100_to37.dw"], failed.Select(row => row.Name));
        Assert.All(failed, row => Assert.Equal(double.PositiveInfinity, row.Error));
    }

    [Theory]
    [InlineData("\"rotate_half\"", "\"sideways\"", "rope style 'sideways'")]
    [InlineData("\"case\": \"silu_3_37\"", "\"case\": \"silu_9_9\"", "tensor 'silu_9_9.x'")]
    [InlineData("\"cases\": [", "\"cases\": [ {}, ", "index.json")]
    [InlineData("\"naming\"", "naming", "index.json")]
    public void A_damaged_index_is_refused(string from, string to, string inMessage)
    {
        using var folder = Copy();
        using var compute = new Compute(1);
        string index = File.ReadAllText(folder.File("index.json"));
        Assert.Contains(from, index, StringComparison.Ordinal);
        File.WriteAllText(folder.File("index.json"), index.Replace(from, to, StringComparison.Ordinal));
        var e = Assert.Throws<BadFileException>(() => OpVerifier.Run(folder.Root, compute));
        Assert.Contains(inMessage, e.Message, StringComparison.Ordinal);
    }

    // A larger folder may hold ops that came later.
    [Fact]
    public void A_case_of_an_unknown_op_fails_by_name_and_the_others_are_checked()
    {
        using var folder = Copy();
        using var compute = new Compute(1);
        string index = File.ReadAllText(folder.File("index.json"));
        File.WriteAllText(folder.File("index.json"), index.Replace("\"op\": \"silu\"", "\"op\": \"mystery\"",
            StringComparison.Ordinal));
        var rows = OpVerifier.Run(folder.Root, compute);
        var failed = rows.Where(row => !row.Pass).ToList();
        Assert.NotEmpty(failed);
        Assert.All(failed, row => Assert.Contains("op 'mystery' is not known", row.Name, StringComparison.Ordinal));
        Assert.Contains(rows, row => row.Name == "linear_5_100_to37.y");
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        using var compute = new Compute(1);
        Assert.Contains("nowhere", Assert.Throws<NanoException>(() => OpVerifier.Run("nowhere", compute)).Message,
            StringComparison.Ordinal);
    }

    private static TempFolder Copy()
    {
        var folder = new TempFolder();
        foreach (string name in new[] { "index.json", "ops.safetensors" })
            File.WriteAllBytes(folder.File(name), File.ReadAllBytes(Path.Combine(Folder, name)));
        return folder;
    }

    /// <summary>
    /// Adds to the second element of a float32 tensor in a file (or the only one).
    /// </summary>
    private static void Change(string path, string tensor, float change)
    {
        long offset;
        using (var reader = SafetensorsReader.Open(path))
            offset = reader.Entries[tensor].Offset + (reader.Entries[tensor].Count > 1 ? sizeof(float) : 0);
        byte[] bytes = File.ReadAllBytes(path);
        var element = bytes.AsSpan((int)offset, sizeof(float));
        BitConverter.TryWriteBytes(element, BitConverter.ToSingle(element) + change);
        File.WriteAllBytes(path, bytes);
    }
}
