namespace Nano.Tests.Benchmarks;

/// <summary>What a case says about itself, against numbers worked out by hand.</summary>
public class BenchCasesTests
{
    public static IEnumerable<BenchCase> Every => BenchCases.Groups.SelectMany(BenchCases.Of);

    [Theory]
    [InlineData("gemm gpt2 forward 256 x 3072 x 768", 1_207_959_552, 13_369_344)] // 2 MNK; 4 (MK + NK + MN)
    [InlineData("gemm gpt2 dW 64 x 50257 x 768", 4_940_464_128, 167_451_904)]
    [InlineData("gemm llama dX 1024 x 2048 x 8192", 34_359_738_368, 109_051_904)]
    [InlineData("gemm square forward 64 x 64 x 64", 524_288, 49_152)]
    [InlineData("gemm skinny forward 1 x 768 x 3072", 4_718_592, 9_452_544)]
    [InlineData("attention gpt2 forward B 1 T 1024 H 12 D 64", 1_610_612_736, 12_582_912)] // 4 T T/2 D H; q, k, v, y
    [InlineData("attention gpt2 backward B 1 T 1024 H 12 D 64", 4_026_531_840, 25_165_824)] // 2.5 times; eight tensors
    [InlineData("attention llama forward B 16 T 64 H 8 D 128", 134_217_728, 16_777_216)]
    [InlineData("ops stream add 8192 x 3072", 25_165_824, 301_989_888)] // a, b, y
    [InlineData("ops stream gelu 8192 x 3072", 226_492_416, 201_326_592)] // x, y
    [InlineData("ops stream swiglu backward 8192 x 3072", 251_658_240, 503_316_480)] // gate, up, dy, dgate, dup
    [InlineData("ops stream layer norm backward 32768 x 768", 452_984_832, 301_989_888)] // x, dy, dx
    [InlineData("ops stream cross-entropy 768 x 50257", 154_389_504, 154_389_504)] // logits
    [InlineData("ops stream embedding backward 8192 of 50257 x 768", 6_291_456, 179_555_328)] // dy, dW
    [InlineData("ops stream adamw 4096 x 3072", 176_160_768, 352_321_536)] // g; p, m, v in and out
    [InlineData("ops stream sum of squares 16384 x 3072", 100_663_296, 201_326_592)]
    // 256 (6 x 123,653,376 + 12 x 12 x 768 x 64)
    [InlineData("train-step gpt2 train-step gpt2 B 4 T 64", 191_743_524_864, 0)]
    // 8 x 123,653,376 weights, 2 and 4 bytes; 17 + ... + 24 = 164 keys, 4 x 9,216 and 2 x 4 x 9,216 bytes
    [InlineData("decode gpt2 decode 8 tokens after 16", 1_984_499_712, 3_968_999_424)]
    // 2 (512 x 85,056,000 + 38,597,376); 512 x 513 / 2 pairs x 4 x 9,216
    [InlineData("decode gpt2 prefill 512 tokens", 92_015_814_144, 0)]
    // 8192 x 64 blocks of 18 bytes, x and y
    [InlineData("quant Q4_0 one token 1 x 8192 x 2048", 33_554_432, 9_478_144)]
    [InlineData("quant Q6_K tokens 256 x 2048 x 2048", 2_147_483_648, 7_634_944)] // 2048 x 8 x 210, x and y
    public void Flops_and_bytes(string name, double flops, double bytes)
    {
        var of = Assert.Single(Every, of => of.ToString() == name);
        Assert.Equal(flops, of.Flops);
        Assert.Equal(bytes, of.Bytes);
    }

    /// <summary>All matrices of the file but the positions, of which rows are only looked up.</summary>
    [Fact]
    public void A_model_in_a_file_is_read_as_it_is_stored()
    {
        string path = Goldens.Path("quant_models/gpt2_256-Q4_K_M.gguf");
        var decode = BenchCases.Generation(path).Single(of => of.Name == "decode");
        double stored = StoredTensors.Of(path).Where(tensor => tensor.Name != "position_embd.weight")
            .Sum(tensor => tensor.Bytes!.Value);
        const double keys = 8 * (16 + 4.5);
        Assert.Equal((8 * stored) + (keys * 2 * sizeof(float) * 256), decode.Bytes);
        Assert.Equal("gpt2_256-Q4_K_M", decode.Family);
        // Q4_K: attn_output, ffn_up; Q6_K: token_embd, attn_qkv, ffn_down. Multiplied by 8 tokens each.
        Assert.Equal(16 * (327_680 + 540_672) / decode.Flops, decode.Codes.Narrow, 1e-12);
        Assert.Equal(0, decode.Codes.Wide);
        Assert.Equal(default, BenchCases.Generation("gpt2").First().Codes);
    }

    [Fact]
    public void The_peak_of_a_mixture_is_that_of_its_times()
    {
        var machine = new Machine(100, 10, 10) { NarrowCodeGops = 400, WideCodeGops = 200 };
        // of 4 operations 2 take 1/400 each, one 1/200, one 1/100
        Assert.Equal(4 / ((2 / 400.0) + (1 / 200.0) + (1 / 100.0)),
            new CodeShares(0.5, 0.25).PeakOf(machine, false), 1e-9);
        Assert.Equal(100, default(CodeShares).PeakOf(machine, false));
        var of = BenchCases.Quantised(WeightType.Q4_0, 256, 128, 256);
        Assert.Equal(100 * (of.Flops / 1e9) / 400, BenchResult.Of(of, machine, 1, false).PercentOfPeak, 1e-9);
    }

    public static TheoryData<WeightType> StoredTypes => [.. BenchCases.Quantised()
        .Select(of => Enum.Parse<WeightType>(of.Family)).Distinct()];

    [Theory]
    [MemberData(nameof(StoredTypes))]
    public void Products_with_weights_of_every_type_are_right(WeightType type)
    {
        using var compute = new Compute(2);
        foreach (int tokens in (int[])[1, 5])
        {
            var of = BenchCases.Quantised(type, tokens, 128, 256);
            using var work = of.Create();
            BenchCheck.Verify(of, work, compute);
        }
    }

    [Fact]
    public void Names_are_unique() => Assert.Equal(Every.Count(), Every.Select(of => of.ToString()).Distinct().Count());

    [Fact]
    public void Streams_fit_no_cache() =>
        Assert.All(BenchCases.Ops(), of => Assert.True(of.Bytes >= 128e6, of.ToString()));

    [Fact]
    public void Few_tokens_and_streams_are_held_against_memory()
    {
        Assert.All(BenchCases.Gemm(),
            of => Assert.Equal(of.Gemm!.M <= 16 ? BenchBound.Read : BenchBound.Arithmetic, of.Bound));
        Assert.All(BenchCases.Ops(),
            of => Assert.Equal(of.Name is "cross-entropy" or "sum of squares" ? BenchBound.Read
                : BenchBound.Triad, of.Bound));
        Assert.All(BenchCases.Attention(), of =>
            Assert.Equal(of.Name == "step" ? BenchBound.Read : BenchBound.Arithmetic, of.Bound));
    }

    [Fact]
    public void A_filter_wants_all_its_parts()
    {
        var of = BenchCases.Gemm("llama", new(GemmProduct.InputGradient, 64, 512, 2048));
        Assert.True(of.Matches(""));
        Assert.True(of.Matches("x 512, LLAMA dx 64"));
        Assert.False(of.Matches("llama, dW"));
        Assert.False(of.Matches("512 x 64"));
    }

    [Fact]
    public void An_unknown_group_is_refused() => Assert.Contains("'gem'",
        Assert.Throws<ArgumentException>(() => BenchCases.Of("gem")).Message, StringComparison.Ordinal);
}
