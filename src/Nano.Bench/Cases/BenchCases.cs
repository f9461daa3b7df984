namespace Nano;

/// <summary>Every case by group: the one list that <c>nano bench</c>, BenchmarkDotNet and the report share.</summary>
public static partial class BenchCases
{
    /// <summary>The names of the groups.</summary>
    public static IReadOnlyList<string> Groups { get; } = ["gemm", "attention", "ops", "train-step", "decode",
        "quant"];

    /// <summary>The cases of a group.</summary>
    /// <exception cref="ArgumentException">There is no such group.</exception>
    public static IEnumerable<BenchCase> Of(string group) => group switch
    {
        "gemm" => Gemm(),
        "attention" => Attention(),
        "ops" => Ops(),
        "train-step" => [TrainStep("shakespeare-char", 12, 64), TrainStep("gpt2", 4, 64)],
        "decode" => Generation("gpt2"),
        "quant" => Quantised(),
        _ => throw new ArgumentException($"there is no group of benchmarks called '{group}'"),
    };

    /// <summary>
    /// The cases for comparing devices: products at 256 tokens, few tokens and small sizes,
    /// attention, the ops of a training step, and whole steps and generation, of a small model too.
    /// </summary>
    public static IEnumerable<BenchCase> ForDevices() =>
    [
        .. Gemm().Where(of => of.Family is not ("gpt2" or "llama") || of.Gemm!.M == 256), .. Attention(),
            .. Ops().Where(of => of.Family != "update"),
        .. Of("train-step"), .. Generation("gpt2"), .. Generation("shakespeare-char"),
    ];

    /// <summary>
    /// The arithmetic that the scalar code may spend on checking a case: a fraction of a second.
    /// </summary>
    private const double ScalarFlops = 5e8;

    /// <summary>
    /// A case whose backward pass is timed: the forward pass is recorded anew before each run,
    /// outside the timing.
    /// </summary>
    /// <param name="forward">Records the op.</param>
    /// <param name="dy">The gradient at its output.</param>
    /// <param name="outputs">The gradients to check.</param>
    private static BenchWork Backward(Func<Compute, Tensor> forward, Tensor dy,
        Func<IReadOnlyList<BenchOutput>> outputs) => new(RunBackward, outputs)
        {
            Prepare = c => RecordForward(c, forward, dy),
        };

    // The gradient is put where the op's consumer would have left it, so that no copy of it is timed.
    private static void RecordForward(Compute compute, Func<Compute, Tensor> forward, Tensor dy)
    {
        compute.NextStep();
        compute.Tape = new Tape();
        var y = forward(compute);
        var gradient = compute.New(dy.Shape);
        gradient.CopyFrom(dy);
        y.SetGradient(gradient);
    }

    private static void RunBackward(Compute compute)
    {
        compute.Tape!.Backward(compute, compute.New(new Shape()));
        compute.Tape = null;
    }
}
