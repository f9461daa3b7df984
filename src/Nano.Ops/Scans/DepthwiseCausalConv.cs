using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// A causal convolution of each channel by itself, as in Mamba: y_t = b + sum_k w_k x_{t-K+1+k}, so the last of K taps
/// meets the current step; inputs before the first are those of the tail, or zeros.
/// <para>
/// Backward. dx_t = sum_k w_k dy_{t+K-1-k}; dw_k = sum over rows and times of dy_t x_{t-K+1+k}; db = sum dy. Inputs of
/// the tail receive theirs likewise.
/// </para>
/// Vectors lie along channels; the sums of dw and db run over rows and times in order.
/// </summary>
internal readonly record struct DepthwiseCausalConvOp(Tensor X, Tensor Weight, Tensor? Bias, Tensor? Tail, Tensor Taps,
    Tensor Final, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient || Bias is { WantsGradient: true }
        || Tail is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("causal conv forward", 2.0 * Kernel * Y.Length, X, Weight, Bias, Tail, Final, Y);

    public Work? BackwardWork => Work.Of("causal conv backward", 4.0 * Kernel * Y.Length, X, Weight, Y,
        Work.GradientOf(X), Work.GradientOf(Weight));

    private int Kernel => Taps.Shape[0];

    private Sizes Size => new(X.Shape[0], X.Shape[1], X.Shape[2], Kernel);

    internal unsafe void Forward(Compute compute)
    {
        var size = Size;
        compute.For(size.Channels, Compute.RowsPerChunk(Kernel), 0,
            new Transpose(Weight.Contiguous("causal-conv").Pointer, size.Channels, Kernel, Taps.Pointer));
        var inputs = Inputs;
        compute.For((nint)size.Batch * size.Times, Compute.RowsPerChunk(size.Channels), 0,
            new ForwardRows(size, inputs, Taps.Pointer, Bias is null ? null : Bias.Pointer, Y.Pointer));
        compute.For((nint)size.Batch * (Kernel - 1), Compute.RowsPerChunk(size.Channels), 0,
            new TailRows(size, inputs, Final.Pointer));
    }

    private unsafe Source Inputs => new(Rows.Of(X), Tail is null ? null : Tail.Pointer, Size);

    public unsafe void Backward(Compute compute)
    {
        var size = Size;
        float* dy = Y.Gradient.Pointer, final = Final.HasGradient ? Final.Gradient.Pointer : null;
        if (X.TargetIfWanted(compute) is { Pointer: not null } dx)
            compute.For((nint)size.Batch * size.Times, Compute.RowsPerChunk(size.Channels), 0,
                new InputGradient(size, 0, size.Times, dy, final, Taps.Pointer, X.RowStride, dx));
        if (Tail.TargetIfWanted(compute) is { Pointer: not null } tail)
            compute.For((nint)size.Batch * (Kernel - 1), Compute.RowsPerChunk(size.Channels), 0,
                new InputGradient(size, 1 - Kernel, Kernel - 1, dy, final, Taps.Pointer, size.Channels, tail));
        if (Bias.TargetIfWanted(compute) is { Pointer: not null } db)
            ColumnSums.Run(compute, size.Batch * size.Times, size.Channels, dy, size.Channels, db);
        if (Weight.TargetIfWanted(compute) is { Pointer: not null } dw)
            compute.For(size.Channels, ScanSizes.SumLanes, (long)Kernel * ScanSizes.SumLanes,
                new WeightGradient(size, Inputs, dy, dw));
    }

    /// <summary>B, T, C and K.</summary>
    private readonly record struct Sizes(int Batch, int Times, int Channels, int Kernel);

    /// <summary>Rows of inputs by time, which is negative in the tail.</summary>
    private readonly unsafe struct Source(Rows x, float* tail, Sizes size)
    {
        /// <summary>The channels of a time; null where they are zero.</summary>
        public float* At(nint row, nint time) => time >= 0 ? x.At((row * size.Times) + time)
            : tail == null ? null : tail + (((row * (size.Kernel - 1)) + time + size.Kernel - 1) * size.Channels);
    }

    /// <summary>Weights [C, 1, K] as taps [K, C].</summary>
    private readonly unsafe struct Transpose(float* weight, int channels, int kernel, float* taps) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint c = begin; c < end; c++)
                for (nint k = 0; k < kernel; k++)
                    taps[(k * channels) + c] = weight[(c * kernel) + k];
        }
    }

    private readonly unsafe struct ForwardRows(Sizes size, Source x, float* taps, float* bias, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint at = begin; at < end; at++)
            {
                nint row = at / size.Times, time = at % size.Times;
                float* to = y + (at * size.Channels);
                if (bias == null)
                    new Span<float>(to, size.Channels).Clear();
                else
                    new ReadOnlySpan<float>(bias, size.Channels).CopyTo(new Span<float>(to, size.Channels));
                for (int k = 0; k < size.Kernel; k++)
                {
                    float* from = x.At(row, time - size.Kernel + 1 + k);
                    if (from != null)
                        new ElementwiseLoop<AddProduct>(new(taps + ((nint)k * size.Channels), from, to))
                            .Run<S, V>(0, size.Channels, scratch);
                }
            }
        }
    }

    /// <summary>The last K - 1 rows of inputs.</summary>
    private readonly unsafe struct TailRows(Sizes size, Source x, float* final) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            int length = size.Kernel - 1;
            for (nint i = begin; i < end; i++)
                ScanStates.Copy(1, size.Channels, x.At(i / length, size.Times - length + (i % length)), 0,
                    final + (i * size.Channels), 0);
        }
    }

    private readonly unsafe struct AddProduct(float* w, float* x, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Fma(S.Load(w + i), S.Load(x + i), S.Load(y + i)));
    }

    /// <summary>
    /// Gradients of the inputs of times [first, first + count), in rows of their own: the terms of later times first,
    /// so that parts of a sequence continue the sums of the whole.
    /// </summary>
    private readonly unsafe struct InputGradient(Sizes size, int first, int count, float* dy, float* final, float* taps,
        nint stride, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint at = begin; at < end; at++)
            {
                nint row = at / count, time = first + (at % count), inTail = time - size.Times + size.Kernel - 1;
                var target = dx.At(at * stride);
                target.Begin(0, size.Channels);
                if (final != null && inTail >= 0)
                    new ElementwiseLoop<GradientTargetExtensions.Copy>(new(
                        final + (((row * (size.Kernel - 1)) + inTail) * size.Channels), new(target.Pointer, true)))
                        .Run<S, V>(0, size.Channels, scratch);
                for (int k = 0; k < size.Kernel; k++)
                {
                    nint reached = time + size.Kernel - 1 - k;
                    if (reached >= 0 && reached < size.Times)
                        new ElementwiseLoop<AddProduct>(new(taps + ((nint)k * size.Channels),
                            dy + (((row * size.Times) + reached) * size.Channels), target.Pointer))
                            .Run<S, V>(0, size.Channels, scratch);
                }
            }
        }
    }

    /// <summary>dw of some channels: sums in scratch, one row of lanes for each tap.</summary>
    private readonly unsafe struct WeightGradient(Sizes size, Source x, float* dy, GradientTarget dw) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            float* sums = scratch.Allocate((long)size.Kernel * ScanSizes.SumLanes);
            for (nint first = begin; first < end; first += ScanSizes.SumLanes)
            {
                int width = (int)nint.Min(ScanSizes.SumLanes, end - first);
                for (nint k = 0; k < size.Kernel; k++)
                    for (nint c = 0; c < width; c++)
                        sums[(k * ScanSizes.SumLanes) + c] =
                            dw.Accumulate ? dw.Pointer[((first + c) * size.Kernel) + k] : 0;
                for (nint row = 0; row < size.Batch; row++)
                    for (nint time = 0; time < size.Times; time++)
                        Add<S, V>(row, time, first, width, sums, scratch);
                for (nint k = 0; k < size.Kernel; k++)
                    for (nint c = 0; c < width; c++)
                        dw.Pointer[((first + c) * size.Kernel) + k] = sums[(k * ScanSizes.SumLanes) + c];
            }
        }

        private void Add<S, V>(nint row, nint time, nint first, int width, float* sums, Scratch scratch)
            where S : ISimd<V> where V : unmanaged
        {
            float* upstream = dy + (((row * size.Times) + time) * size.Channels) + first;
            for (int k = 0; k < size.Kernel; k++)
            {
                float* from = x.At(row, time - size.Kernel + 1 + k);
                if (from != null)
                    new ElementwiseLoop<AddProduct>(new(upstream, from + first, sums + (k * ScanSizes.SumLanes)))
                        .Run<S, V>(0, width, scratch);
            }
        }
    }
}

/// <summary>The causal convolution of single channels as a method of <see cref="Compute"/>.</summary>
public static class DepthwiseCausalConvExtensions
{
    /// <summary>
    /// y_t = b + sum_k w_k x_{t-K+1+k}, channel by channel. Steps from a tail give the bits of the whole sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Inputs [B, T, C]; columns of a wider tensor are fine.</param>
    /// <param name="weight">Taps [C, 1, K]; the last meets the current step.</param>
    /// <param name="bias">[C], or null for none.</param>
    /// <param name="tail">The K - 1 inputs before the first [B, K - 1, C], or null for zeros.</param>
    /// <returns>y [B, T, C] and the last K - 1 inputs [B, K - 1, C].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor Tail) DepthwiseCausalConv(this Compute compute, Tensor x, Tensor weight,
        Tensor? bias = null, Tensor? tail = null)
    {
        bool fits = x.Shape.Rank == 3 && weight.Shape.Rank == 3 && weight.Shape[0] == x.Shape[2] && weight.Shape[1] == 1
            && weight.Shape[2] > 0 && (bias is null || bias.Shape == new Shape(x.Shape[2]))
            && (tail is null || tail.Shape == new Shape(x.Shape[0], weight.Shape[2] - 1, x.Shape[2]));
        if (!fits)
            throw new ArgumentException(
                $"causal-conv: x {x}, weight {weight}, bias {bias?.ToString() ?? "none"}, tail "
                + $"{tail?.ToString() ?? "none"} do not fit; wanted [B, T, C], [C, 1, K], [C], [B, K - 1, C]");
        int kernel = weight.Shape[2], channels = x.Shape[2];
        var op = new DepthwiseCausalConvOp(x, weight, bias, tail?.Contiguous("causal-conv"),
            compute.NewStatistic(new Shape(kernel, channels)),
            compute.New(new Shape(x.Shape[0], kernel - 1, channels)), compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
