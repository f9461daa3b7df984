namespace Nano.Tests;

/// <summary>
/// The cases of the benchmarks on ONNX Runtime's providers: each agrees with ours, and the check
/// notices a device that computes something else.
/// </summary>
public class BenchmarkTests
{
    private static IEnumerable<BenchCase> Small() =>
    [
        .. Enum.GetValues<GemmProduct>().Select(product => BenchCases.Gemm("small", new(product, 37, 19, 23))),
        BenchCases.Gemm("few", new(GemmProduct.Forward, 2, 1900, 2300)), // eight copies of the weight take turns
        BenchCases.Attention(2, 70, 3, 8, backward: false),
        BenchCases.Attention(2, 70, 3, 8, backward: true),
        .. BenchCases.Ops(rows: 12, wide: 37, channels: 21, vocabulary: 80).Where(of => of.Family != "update"),
        BenchCases.TrainStep("shakespeare-char", 2, 16),
        .. BenchCases.Generation("shakespeare-char"),
    ];

    public static TheoryData<string> Names => [.. Small().Select(of => of.ToString())];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_kind_of_case_agrees_on_the_processor(string name) =>
        Agrees(Small().Single(of => of.ToString() == name), "onnx-cpu");

    [Fact]
    public void A_case_agrees_on_a_device_whose_transfers_are_counted()
    {
        var peer = Agrees(BenchCases.Gemm("small", new(GemmProduct.Forward, 37, 19, 23)), "webgpu");
        Assert.Equal(sizeof(float) * ((37 * 23) + (19 * 23) + (37 * 19)), peer.TransferBytes);
        Assert.NotNull(peer.Finish);
    }

    private static BenchPeer Agrees(BenchCase of, string provider)
    {
        var device = Providers.Needs(provider);
        using var compute = new Compute(2);
        using var devices = new OnnxPeers(compute, [device]);
        using var work = of.Create();
        if (of.Training is not null)
            work.Twin!(compute);
        BenchPeer? seen = null;
        using var peers = new BenchPeers(compute, of, work, (c, w) => devices.Of(c, w).Select(peer => seen = peer));
        Assert.Empty(devices.LeftOut);
        Assert.NotNull(seen);
        Assert.Equal(of.Name.Contains("backward", StringComparison.Ordinal), seen.Besides is not null);
        Assert.Equal(device.MemoryName is not null, seen.Transfer is not null);
        return seen;
    }

    [Theory]
    [InlineData("add", "multiply", "y")]
    [InlineData("multiply", "swiglu", "y")]
    [InlineData("add backward", "multiply backward", "y")]
    [InlineData("layer norm backward", "layer norm backward", "dx1")] // right but for one element, which is spoiled
    public void A_device_that_computes_something_else_is_refused(string asked, string computed, string wrong)
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using var compute = new Compute(1);
        BenchCase of = Ops(asked), other = Ops(computed);
        using BenchWork work = of.Create(), otherWork = other.Create();
        var right = RecordedCase.Of(of, work, compute).Single();
        using var run = new OnnxRun(device, RecordedCase.Of(other, otherWork, compute).Single().Whole(), right);
        run.Run();
        var outputs = run.Outputs();
        if (asked == computed)
            outputs.Single(output => output.Name == wrong).Theirs[^1] += 0.01f;
        var thrown = Assert.Throws<NanoException>(() =>
            BenchCheck.Compare(of, new BenchPeer("liar", run.Run, () => outputs)));
        Assert.Contains("liar computes", thrown.Message, StringComparison.Ordinal);
        Assert.Contains($" of {wrong}, Nano ", thrown.Message, StringComparison.Ordinal);
    }

    private static BenchCase Ops(string name) => BenchCases.Ops(rows: 12, wide: 37, channels: 21, vocabulary: 80)
        .Single(of => of.Name == name);

    [Fact]
    public void Rules_without_an_ONNX_form_have_no_peer()
    {
        var device = Providers.Needs("onnx-cpu");
        using var compute = new Compute(1);
        using var devices = new OnnxPeers(compute, [device]);
        var of = Ops("lion");
        using var work = of.Create();
        Assert.Empty(devices.Of(of, work));
        Assert.Empty(devices.LeftOut);
    }
}
