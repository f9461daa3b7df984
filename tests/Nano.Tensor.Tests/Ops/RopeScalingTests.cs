namespace Nano.Tests;

/// <summary>
/// Stretched rotary angles. The expected frequencies were computed in Python from the formulas of
/// the papers and of transformers, for the settings of published models.
/// </summary>
public class RopeScalingTests
{
    public static TheoryData<string, double, (int Pair, double Frequency)[]> Published => new()
    {
        {
            "llama3", 500000, // Llama 3.1
            [(0, 1.0), (20, 0.016560440080994446), (28, 0.0032114459947525913), (29, 0.002166570763503359),
                (33, 0.00031269375038406517), (40, 3.428102195952591e-05), (63, 3.068925988914511e-07)]
        },
        {
            "yarn", 1000000, // Qwen2.5: the ramp goes from pair 23 to pair 40
            [(0, 1.0), (22, 0.008659643233600653), (24, 0.005375321490790102), (30, 0.0010643609812470017),
                (38, 9.262301704129459e-05), (41, 3.582531425592407e-05), (63, 3.102344401879299e-07)]
        },
        {
            "yarn, not truncated", 10000, // 64 channels: the ramp goes from 8.064 to 20.105
            [(0, 1.0), (7, 0.1333521432163324), (10, 0.048322912683723025), (16, 0.004233133441317673),
                (20, 0.00041945916862360614), (31, 1.666901790204155e-05)]
        },
        { "linear", 10000, [(0, 0.25), (16, 0.0025), (31, 3.3338035804083095e-05)] },
    };

    private static (RopeScaling Scaling, int HeadDim) Named(string name) => name switch
    {
        "llama3" => (new RopeScaling.Llama3(8, 1, 4, 8192), 128),
        "yarn" => (new RopeScaling.Yarn(4, 32768), 128),
        "linear" => (new RopeScaling.Linear(4), 64),
        _ => (new RopeScaling.Yarn(8, 2048, Truncate: false), 64),
    };

    [Theory, MemberData(nameof(Published))]
    public void Frequencies_are_those_of_the_formulas(string name, double theta,
        (int Pair, double Frequency)[] expected)
    {
        var (scaling, headDim) = Named(name);
        double[] frequencies = scaling.Frequencies(headDim, theta);
        Assert.Equal(headDim / 2, frequencies.Length);
        foreach (var (pair, frequency) in expected)
            Assert.Equal(1, frequencies[pair] / frequency, 1e-12);
    }

    [Fact]
    public void The_dynamic_base_grows_with_the_position_once_beyond_the_original_context()
    {
        var table = new RopeTable(64, 10000, new RopeScaling.Dynamic(2, 2048), 4096);
        var plain = new RopeTable(64, 10000, null, 2048);
        Assert.Equal(plain.Cos.Data, table.Cos.Data[..(2048 * 32)]);
        Assert.Equal(plain.Sin.Data, table.Sin.Data[..(2048 * 32)]);
        foreach (var (position, pair, frequency) in new[] { (2048, 1, 0.7498705980519518),
            (2048, 16, 0.009994963405703411), (2048, 31, 0.00013322204356441402), (4095, 1, 0.7237840223942559),
                (4095, 16, 0.005672099864306926), (4095, 31, 4.445071440544414e-05) })
        {
            Assert.Equal(Math.Cos(position * frequency), table.Cos.Data[(position * 32) + pair], 1e-7);
            Assert.Equal(Math.Sin(position * frequency), table.Sin.Data[(position * 32) + pair], 1e-7);
        }
    }

    // The paper: 0.1 ln(s) + 1; ln 4 = 1.3862943611198906.
    [Fact]
    public void Yarn_multiplies_cosines_and_sines()
    {
        var table = new RopeTable(128, 1e6, new RopeScaling.Yarn(4, 32768), 3);
        Assert.Equal(1.13862943611, table.Cos.Data[0], 1e-6);
        Assert.Equal(1.13862943611 * Math.Sin(2), table.Sin.Data[2 * 64], 1e-6);
        Assert.Equal(1, new RopeScaling.Yarn(1, 32768).Magnitude);
        Assert.Equal(0.8, new RopeScaling.Yarn(4, 32768, AttentionFactor: 0.8).Magnitude);
    }

    [Fact]
    public void A_table_from_0_on_is_that_of_its_positions_and_a_slice_is_a_part_of_it()
    {
        var scaling = new RopeScaling.Llama3(8, 1, 4, 8192);
        var table = new RopeTable(16, 500000, scaling, 9);
        var listed = new RopeTable(scaling.Frequencies(16, 500000), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal(listed.Cos.Data, table.Cos.Data);
        Assert.Equal(listed.Sin.Data, table.Sin.Data);
        Assert.Equal(table.Cos.Data[(3 * 8)..(8 * 8)], table.Slice(3, 5).Cos.Data);
        Assert.Equal(table.Sin.Data[(3 * 8)..(8 * 8)], table.Slice(3, 5).Sin.Data);
    }
}
