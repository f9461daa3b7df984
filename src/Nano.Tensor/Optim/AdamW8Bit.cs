using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// AdamW with moments of 8 bits (Dettmers et al., "8-bit Optimizers via Block-wise Quantization",
/// 2022): blocks of 2,048 elements, each scaled by its own largest. The codes are not the paper's
/// dynamic tree but powers, which have its shape (fine near zero, coarse near the largest) and need
/// no table: squares for the mean, fourth powers for the second moment. As in the authors' code,
/// tensors of fewer than 4,096 elements keep floats. The codes are saved as they are, four to an
/// int, so a resumed run has the same bits.
/// </summary>
public sealed class AdamW8Bit : Optimizer
{
    private const int SmallestLength = 4096;

    private readonly (Tensor Codes, Tensor? Roots)[] mean, square; // floats where there are no roots

    /// <summary>The rule over these parameters.</summary>
    public AdamW8Bit(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 20, streams: 4) =>
        (mean, square) = (NewMoments("mean"), NewMoments("square"));

    private (Tensor, Tensor?)[] NewMoments(string name) => [.. Parameters.Select((parameter, index) =>
    {
        if (parameter.Length < SmallestLength)
            return (NewState(index, name, parameter.Shape), (Tensor?)null);
        var (codes, roots) = AdamW8BitExtensions.Moment8BitShapes(parameter.Length);
        return (NewState(index, name + ".codes", codes, DType.Int32), NewState(index, name + ".roots", roots));
    })];

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var numbers = MomentNumbers(index, learningRate, gradientScale);
        if (mean[index].Roots is { } meanRoots && square[index].Roots is { } squareRoots)
            compute.AdamW8Bit(Parameters[index], Parameters[index].Gradient, (mean[index].Codes, meanRoots),
                (square[index].Codes, squareRoots), numbers);
        else
            compute.AdamW(Parameters[index], Parameters[index].Gradient, mean[index].Codes,
                square[index].Codes, numbers);
    }
}

/// <summary>
/// AdamW whose moments are bytes, in one pass over memory, block by block. A block of a moment is
/// one float, the root of its largest element, and codes: m = sign(q) (q / 127 sqrt(max |m|))^2
/// with q from -127 to 127, v = (q / 255 max(v)^(1/4))^4 with q from 0 to 255. The update itself is
/// <see cref="AdamWKernel"/>'s. An element of v that is not 0 gets a code that is not 0: m without
/// v would be divided by next to nothing.
/// </summary>
internal readonly unsafe struct AdamW8BitKernel(float* gradient, nint length, AdamWNumbers n, float* parameter,
    sbyte* mean, float* meanRoots, byte* square, float* squareRoots) : IKernel
{
    /// <summary>Elements of a block.</summary>
    public const int Block = 2048;

    /// <summary>Floats of working memory.</summary>
    public const int ScratchFloats = 3 * Block;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        float* m = scratch.Allocate(Block), v = scratch.Allocate(Block), sizes = scratch.Allocate(Block);
        for (nint block = begin; block < end; block++)
        {
            nint start = block * Block, count = nint.Min(Block, length - start);
            ByteCodes.ToFloats(mean + start, count, m);
            ByteCodes.ToFloats(square + start, count, v);
            new ElementwiseLoop<Update>(new Update(gradient + start, n, meanRoots[block] / 127,
                squareRoots[block] / 255, parameter + start, m, v, sizes)).Run<S, V>(0, count, scratch);
            float meanRoot = RowReduce.Max<S, V>(count, sizes), squareRoot = RowReduce.Max<S, V>(count, v);
            new ElementwiseLoop<Encode>(new Encode(meanRoot > 0 ? 127 / meanRoot : 0,
                squareRoot > 0 ? 255 / squareRoot : 0, m, v)).Run<S, V>(0, count, scratch);
            ByteCodes.FromFloats(m, count, (byte*)mean + start);
            ByteCodes.FromFloats(v, count, square + start);
            (meanRoots[block], squareRoots[block]) = (meanRoot, squareRoot);
        }
    }

    /// <summary>
    /// Codes to moments, the step, and the new moments' roots: signed ones of m, their sizes, and
    /// fourth ones of v.
    /// </summary>
    private readonly struct Update(float* gradient, AdamWNumbers n, float meanUnit, float squareUnit, float* parameter,
        float* m, float* v, float* sizes) : IElementwise
    {
        private readonly float scale = (float)n.GradientScale;
        private readonly float keep1 = (float)n.Beta1, take1 = (float)(1 - n.Beta1), keep2 = (float)n.Beta2,
            take2 = (float)(1 - n.Beta2);
        private readonly float shrink = n.Shrink;
        private readonly float rate = n.Rate;
        private readonly float rootCorrection = n.RootCorrection;
        private readonly float epsilon = (float)n.Epsilon;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V g = S.Multiply(S.Load(gradient + i), S.Splat(scale));
            V a = S.Multiply(S.Load(m + i), S.Splat(meanUnit)), b = S.Multiply(S.Load(v + i), S.Splat(squareUnit));
            b = S.Multiply(b, b);
            V first = S.Fma(S.Multiply(a, S.Abs(a)), S.Splat(keep1), S.Multiply(g, S.Splat(take1)));
            V second = S.Fma(S.Multiply(b, b), S.Splat(keep2), S.Multiply(S.Multiply(g, g), S.Splat(take2)));
            V root = S.Sqrt(second), size = S.Sqrt(S.Abs(first));
            S.Store(m + i, S.CopySign(size, first));
            S.Store(sizes + i, size);
            S.Store(v + i, S.Sqrt(root));
            V step = S.Divide(S.Multiply(first, S.Splat(rate)), S.Fma(root, S.Splat(rootCorrection), S.Splat(epsilon)));
            S.Store(parameter + i, S.Subtract(S.Multiply(S.Load(parameter + i), S.Splat(shrink)), step));
        }
    }

    /// <summary>Roots to codes, in place.</summary>
    private readonly struct Encode(float perMean, float perSquare, float* m, float* v) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V zero = S.Splat(0), root = S.Load(v + i);
            S.Store(m + i, S.Round(S.Multiply(S.Load(m + i), S.Splat(perMean))));
            S.Store(v + i, S.Max(S.Round(S.Multiply(root, S.Splat(perSquare))),
                S.IfGreater(root, zero, S.Splat(1), zero)));
        }
    }
}

/// <summary>AdamW8Bit as a method of <see cref="Compute"/>.</summary>
public static class AdamW8BitExtensions
{
    /// <summary>
    /// Shapes of a moment of this many elements: codes, four to an int, and one float per block.
    /// </summary>
    public static (Shape Codes, Shape Roots) Moment8BitShapes(long length) =>
        (new Shape(checked((int)((length + 3) / 4))),
            new Shape(checked((int)((length + AdamW8BitKernel.Block - 1) / AdamW8BitKernel.Block))));

    /// <summary>
    /// Moves a parameter by one AdamW step along its gradient; updates both moments, see
    /// <see cref="Moment8BitShapes"/>, in place.
    /// </summary>
    public static unsafe void AdamW8Bit(this Compute compute, Tensor parameter, Tensor gradient,
        (Tensor Codes, Tensor Roots) mean, (Tensor Codes, Tensor Roots) square, AdamWNumbers numbers)
    {
        UpdateTensors.CheckGradient("adamw8bit", parameter, gradient);
        var shapes = Moment8BitShapes(parameter.Length);
        if ((mean.Codes.Shape, mean.Roots.Shape) != shapes || (square.Codes.Shape, square.Roots.Shape) != shapes)
            throw new ArgumentException(
                $"adamw8bit: moments of codes {mean.Codes}, {square.Codes} and roots {mean.Roots}, {square.Roots} "
                + $"do not fit the parameter {parameter}");
        compute.For((nint)shapes.Roots.Length, 4, AdamW8BitKernel.ScratchFloats,
            new AdamW8BitKernel(gradient.Pointer, (nint)parameter.Length, numbers, parameter.Pointer,
            (sbyte*)mean.Codes.IdPointer, mean.Roots.Pointer, (byte*)square.Codes.IdPointer, square.Roots.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean.Codes);
        GC.KeepAlive(mean.Roots);
        GC.KeepAlive(square.Codes);
        GC.KeepAlive(square.Roots);
    }
}
