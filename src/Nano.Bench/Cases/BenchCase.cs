namespace Nano;

/// <summary>The ceiling with which a case is compared.</summary>
public enum BenchBound
{
    /// <summary>The fused multiply-adds of all threads.</summary>
    Arithmetic,

    /// <summary>Memory bandwidth of reading alone.</summary>
    Read,

    /// <summary>Memory bandwidth of two streams read and one written.</summary>
    Triad,
}

/// <summary>
/// The product of a linear layer: Y = X W^T, dX = dY W or dW = dY^T X, with X [M, K], W [N, K], Y
/// [M, N].
/// </summary>
public enum GemmProduct
{
    /// <summary>Y = X W^T.</summary>
    Forward,

    /// <summary>dX = dY W.</summary>
    InputGradient,

    /// <summary>dW = dY^T X.</summary>
    WeightGradient,
}

/// <summary>The sizes of a matrix product case: M tokens, N outputs, K inputs.</summary>
public sealed record GemmSizes(GemmProduct Product, int M, int N, int K);

/// <summary>
/// The shares of a case's arithmetic that are products of whole numbers: quantised weights, as codes
/// of up to 6 or of 8 bits, by activations of 8 bits.
/// </summary>
/// <param name="Narrow">The share of codes of up to 6 bits, from 0 to 1.</param>
/// <param name="Wide">The share of codes of 8 bits.</param>
public readonly record struct CodeShares(double Narrow, double Wide)
{
    /// <summary>The peak of arithmetic of which these shares are products of whole numbers.</summary>
    /// <param name="machine">The ceilings.</param>
    /// <param name="isRounded">True if the rest has bfloat16 operands.</param>
    public double PeakOf(Machine machine, bool isRounded)
    {
        double plain = machine.PeakOf(isRounded);
        return Narrow + Wide == 0 || double.IsNaN(machine.NarrowCodeGops) ? plain
            : 1 / ((Narrow / machine.NarrowCodeGops) + (Wide / machine.WideCodeGops)
                + (Math.Max(0, 1 - Narrow - Wide) / plain));
    }
}

/// <summary>
/// One thing to measure, defined once for every runner. Bytes are compulsory traffic: each operand
/// that is read and each result that is written counts once, whatever the caches and the
/// write-allocation of lines do; an operand updated in place counts twice. Flops count additions,
/// multiplications, divisions, roots, exponentials and the like as one each, from the formula, not
/// from the code.
/// </summary>
/// <param name="Group">gemm, attention, ops, train-step, decode or quant.</param>
/// <param name="Family">The origin of its sizes, e.g. gpt2.</param>
/// <param name="Name">The computation.</param>
/// <param name="Shape">Sizes, as text.</param>
/// <param name="Flops">Floating-point operations of one run.</param>
/// <param name="Bytes">Compulsory memory traffic of one run.</param>
/// <param name="Bound">The ceiling that matters.</param>
/// <param name="Create">Makes the data; only the cases that run are given any.</param>
public sealed record BenchCase(string Group, string Family, string Name, string Shape, double Flops, double Bytes,
    BenchBound Bound, Func<BenchWork> Create)
{
    /// <summary>True if products have bfloat16 operands.</summary>
    public bool RoundsProducts { get; init; }

    /// <summary>The shares of products of whole numbers.</summary>
    public CodeShares Codes { get; init; }

    /// <summary>The sizes, where the case is a matrix product.</summary>
    public GemmSizes? Gemm { get; init; }

    /// <summary>The case with another step instead of Nano's, for a training step.</summary>
    internal Func<Func<TrainStepSetup, Compute, ITrainStep>, BenchWork>? Training { get; init; }

    /// <summary>The case with another decoder instead of Nano's, for text generation.</summary>
    internal Func<Func<LanguageModel, Compute, IDecoder>, BenchWork>? Decoding { get; init; }

    /// <summary>Tokens that one run processes; 0 where that says nothing.</summary>
    public int Tokens { get; init; }

    /// <summary>
    /// True if every part of a filter (separated by commas) occurs in "group family name shape".
    /// </summary>
    public bool Matches(string filter) =>
        filter.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .All(part => ToString().Contains(part, StringComparison.OrdinalIgnoreCase));

    /// <inheritdoc/>
    public override string ToString() => $"{Group} {Family} {Name} {Shape}";
}

/// <summary>The data of a case and what is done with it.</summary>
/// <param name="Run">The timed part.</param>
/// <param name="Outputs">The outputs of the last run, or the part of them that is checked.</param>
public sealed record BenchWork(Action<Compute> Run, Func<IReadOnlyList<BenchOutput>> Outputs) : IDisposable
{
    /// <summary>
    /// Runs before each <see cref="Run"/> outside the timing, e.g. the forward pass of a backward
    /// case.
    /// </summary>
    public Action<Compute>? Prepare { get; init; }

    /// <summary>
    /// Makes the outputs that are checked, where it is not <see cref="Prepare"/> and
    /// <see cref="Run"/>: a small twin of something large.
    /// </summary>
    public Action<Compute>? Twin { get; init; }

    /// <summary>
    /// Makes the same outputs in scalar code where all of the work would take too long: the part
    /// that <see cref="Outputs"/> shows.
    /// </summary>
    public Action<Compute>? Part { get; init; }

    /// <summary>
    /// The computation as ops that a tape records, where <see cref="Run"/> calls kernels; the last
    /// op produces the <see cref="Result"/>.
    /// </summary>
    public Action<Compute>? Record { get; init; }

    /// <summary>The initial state of an AdamW case, a kernel that no tape records.</summary>
    public AdamWStart? AdamW { get; init; }

    /// <summary>
    /// The operands of the next run, for peers; successive calls may give copies elsewhere in
    /// memory.
    /// </summary>
    public Func<IReadOnlyList<Tensor>>? Inputs { get; init; }

    /// <summary>The whole result of the last run, for comparison with peers.</summary>
    public Func<Tensor>? Result { get; init; }

    /// <summary>
    /// The largest allowed difference of a peer from Nano's result, as a fraction of the result's
    /// largest element.
    /// </summary>
    public float PeerTolerance { get; init; } = 1e-4f;

    /// <summary>Frees what the collector does not.</summary>
    public Action? Release { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Release?.Invoke();
}

/// <summary>Parameter, gradient and moments before an update, and its numbers.</summary>
public sealed record AdamWStart(Tensor Parameter, Tensor Gradient, Tensor Mean, Tensor Square, AdamWNumbers Numbers);

/// <summary>A result and a way to compute any element of it independently, in double precision.</summary>
/// <param name="Name">For the message when it is wrong.</param>
/// <param name="Values">The output of the op; contiguous.</param>
/// <param name="Expected">Element i as it must be, and the size of the terms it is summed from;
/// null where only the bits are compared.</param>
/// <param name="Tolerance">Allowed difference, as a fraction of that size.</param>
public sealed record BenchOutput(string Name, Tensor Values, Func<long, (double Value, double Scale)>? Expected,
    double Tolerance = 1e-5);
