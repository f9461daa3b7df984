using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The rule of a scan: how a step changes the state of a head, N keys by some values, and what it reads from it.
/// Values are independent of each other, so vectors lie along them and sums over keys run in the order of the keys.
/// </summary>
internal unsafe interface IScanRule
{
    /// <summary>Sums over the values of a head that a backward step makes.</summary>
    int Sums { get; }

    /// <summary>Rows of values that a forward step leaves for the backward step.</summary>
    int Extras { get; }

    /// <summary>
    /// One step for S.Lanes values: reads the state before it, writes the state after it (both may be one), and
    /// the output. Rows of a state lie a stride apart.
    /// </summary>
    /// <param name="at">The row of the batch and the time, as one number.</param>
    /// <param name="head">The head.</param>
    /// <param name="channel">The first value, counted through all heads.</param>
    /// <param name="before">Their state before the step.</param>
    /// <param name="after">Their state after it.</param>
    /// <param name="stride">From one key of the state to the next.</param>
    /// <param name="extras">The place for extras, as many rows with the same stride; null in the forward pass, which
    /// writes outputs instead.</param>
    void Step<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras)
        where S : ISimd<V> where V : unmanaged;

    /// <summary>
    /// One step backwards for S.Lanes values: turns the gradient of the state after the step into that of the state
    /// before it, writes the gradients of values, and adds to sums over values, 16 lanes for each.
    /// </summary>
    void Back<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras,
        float* gradient, float* sums) where S : ISimd<V> where V : unmanaged;

    /// <summary>Adds complete sums, 16 lanes each, to the gradients that they belong to.</summary>
    void Sum<S, V>(nint at, int head, float* sums) where S : ISimd<V> where V : unmanaged;
}

/// <summary>
/// The sizes of a scan. The state of a row of the batch is [H, N, values] or, with keys outside, [N, channels].
/// </summary>
/// <param name="Rows">B.</param>
/// <param name="Times">T.</param>
/// <param name="Heads">H.</param>
/// <param name="Keys">N.</param>
/// <param name="Channels">Values of all heads.</param>
/// <param name="Width">Values of a head; the last one may have fewer.</param>
/// <param name="KeysOutside">Whether the state of a row is one matrix [N, channels].</param>
internal readonly record struct ScanSizes(int Rows, int Times, int Heads, int Keys, int Channels, int Width,
    bool KeysOutside)
{
    /// <summary>Steps from one retained state to the next; the backward pass computes those between again.</summary>
    public const int Chunk = 32;

    /// <summary>Lanes of a sum over values, whatever the width of vectors.</summary>
    public const int SumLanes = 16;

    public int Chunks => (Times + Chunk - 1) / Chunk;

    /// <summary>Numbers of the state of one row of the batch.</summary>
    public nint StateLength => (nint)Keys * Channels;

    public int KeyStride => KeysOutside ? Channels : Width;

    public nint Items => (nint)Rows * Heads;

    public int ValuesOf(int head) => Math.Min(Width, Channels - (head * Width));

    /// <summary>The first number of a head's state in a state of the whole batch.</summary>
    public nint Offset(nint row, int head) =>
        (row * StateLength) + ((nint)head * Width * (KeysOutside ? 1 : Keys));

    /// <summary>Scratch of a worker in the backward pass.</summary>
    public long BackwardFloats(int extras, int sums) => Scratch.RoundUp((Chunk + 1L) * Keys * Width)
        + Scratch.RoundUp((long)Chunk * extras * Width) + Scratch.RoundUp((long)Keys * Width)
        + Scratch.RoundUp((long)sums * SumLanes);
}

/// <summary>
/// The steps of a scan, in order of time; an item is a head of a row. Retains the states that the backward pass
/// starts from, where there is a place for them: [chunks, states of the batch].
/// </summary>
internal readonly unsafe struct ScanForward<R>(R rule, ScanSizes sizes, float* initial, float* retained, float* state)
    : IKernel where R : unmanaged, IScanRule
{
    public static void Run(Compute compute, R rule, ScanSizes sizes, Tensor? initial, Tensor? retained, Tensor state) =>
        compute.For(sizes.Items, 1, 0, new ScanForward<R>(rule, sizes, initial is null ? null : initial.Pointer,
            retained is null ? null : retained.Pointer, state.Pointer));

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int stride = sizes.KeyStride;
        for (nint item = begin; item < end; item++)
        {
            nint row = item / sizes.Heads, offset = sizes.Offset(row, (int)(item % sizes.Heads));
            int head = (int)(item % sizes.Heads), width = sizes.ValuesOf(head);
            nint first = (nint)head * sizes.Width;
            float* h = state + offset;
            ScanStates.Copy(sizes.Keys, width, initial == null ? null : initial + offset, stride, h, stride);
            for (int t = 0; t < sizes.Times; t++)
            {
                if (retained != null && t % ScanSizes.Chunk == 0)
                    ScanStates.Copy(sizes.Keys, width, h, stride,
                        retained + (t / ScanSizes.Chunk * sizes.Rows * sizes.StateLength) + offset, stride);
                nint at = (row * sizes.Times) + t, p = 0;
                for (; p <= width - S.Lanes; p += S.Lanes)
                    rule.Step<S, V>(at, head, first + p, h + p, h + p, stride, null);
                for (; p < width; p++)
                    rule.Step<SimdScalar, float>(at, head, first + p, h + p, h + p, stride, null);
            }
        }
    }
}

/// <summary>
/// The backward pass of a scan: chunk by chunk from the last, the states of a chunk are computed again from the one
/// retained at its start, then its steps are walked back.
/// </summary>
internal readonly unsafe struct ScanBackward<R>(R rule, ScanSizes sizes, float* retained, float* final,
    GradientTarget initial) : IKernel where R : unmanaged, IScanRule
{
    /// <summary>Runs it; final is the final state, whose gradient it reads if there is one.</summary>
    public static void Run(Compute compute, R rule, ScanSizes sizes, Tensor retained, Tensor final, Tensor? initial) =>
        compute.For(sizes.Items, 1, sizes.BackwardFloats(rule.Extras, rule.Sums), new ScanBackward<R>(rule, sizes,
            retained.Pointer, final.HasGradient ? final.Gradient.Pointer : null, initial.TargetIfWanted(compute)));

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int stride = sizes.KeyStride;
        nint length = (nint)sizes.Keys * sizes.Width;
        float* states = scratch.Allocate((ScanSizes.Chunk + 1) * length);
        float* extras = scratch.Allocate((nint)ScanSizes.Chunk * rule.Extras * sizes.Width);
        float* gradient = scratch.Allocate(length);
        float* sums = scratch.Allocate((nint)rule.Sums * ScanSizes.SumLanes);
        for (nint item = begin; item < end; item++)
        {
            nint row = item / sizes.Heads, offset = sizes.Offset(row, (int)(item % sizes.Heads));
            int head = (int)(item % sizes.Heads), width = sizes.ValuesOf(head);
            ScanStates.Copy(sizes.Keys, width, final == null ? null : final + offset, stride, gradient, sizes.Width);
            for (int chunk = sizes.Chunks - 1; chunk >= 0; chunk--)
            {
                ScanStates.Copy(sizes.Keys, width, retained + (chunk * sizes.Rows * sizes.StateLength) + offset, stride,
                    states, sizes.Width);
                int start = chunk * ScanSizes.Chunk, count = Math.Min(ScanSizes.Chunk, sizes.Times - start);
                nint at = (row * sizes.Times) + start;
                for (int i = 0; i < count; i++)
                    Again<S, V>(at + i, head, width, states + (i * length), extras + Extra(i));
                for (int i = count - 1; i >= 0; i--)
                    Back<S, V>(at + i, head, width, states + (i * length), extras + Extra(i), gradient, sums);
            }
            if (initial.Pointer != null)
                ScanStates.Put<S, V>(sizes.Keys, width, gradient, sizes.Width, initial.At(offset), stride);
        }
    }

    private nint Extra(int step) => (nint)step * rule.Extras * sizes.Width;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Again<S, V>(nint at, int head, int width, float* before, float* extras) where S : ISimd<V>
        where V : unmanaged
    {
        float* after = before + ((nint)sizes.Keys * sizes.Width);
        nint first = (nint)head * sizes.Width, p = 0;
        for (; p <= width - S.Lanes; p += S.Lanes)
            rule.Step<S, V>(at, head, first + p, before + p, after + p, sizes.Width, extras + p);
        for (; p < width; p++)
            rule.Step<SimdScalar, float>(at, head, first + p, before + p, after + p, sizes.Width, extras + p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Back<S, V>(nint at, int head, int width, float* before, float* extras, float* gradient, float* sums)
        where S : ISimd<V> where V : unmanaged
    {
        const int LaneMask = ScanSizes.SumLanes - 1;
        new Span<float>(sums, rule.Sums * ScanSizes.SumLanes).Clear();
        float* after = before + ((nint)sizes.Keys * sizes.Width);
        nint first = (nint)head * sizes.Width, p = 0;
        for (; p <= width - S.Lanes; p += S.Lanes)
            rule.Back<S, V>(at, head, first + p, before + p, after + p, sizes.Width, extras + p, gradient + p,
                sums + (p & LaneMask));
        for (; p < width; p++)
            rule.Back<SimdScalar, float>(at, head, first + p, before + p, after + p, sizes.Width, extras + p,
                gradient + p, sums + (p & LaneMask));
        rule.Sum<S, V>(at, head, sums);
    }
}

/// <summary>Parts of scans that all rules share: states, sums over values, sums over heads and rows.</summary>
internal static unsafe class ScanStates
{
    /// <summary>Copies a head's state, or clears it without a source.</summary>
    public static void Copy(int keys, int width, float* from, int fromStride, float* to, int toStride)
    {
        for (nint n = 0; n < keys; n++)
            if (from == null)
                new Span<float>(to + (n * toStride), width).Clear();
            else
                new ReadOnlySpan<float>(from + (n * fromStride), width)
                    .CopyTo(new Span<float>(to + (n * toStride), width));
    }

    /// <summary>Adds a head's state to a gradient.</summary>
    public static void Put<S, V>(int keys, int width, float* from, int fromStride, GradientTarget to, int toStride)
        where S : ISimd<V> where V : unmanaged
    {
        for (nint n = 0; n < keys; n++)
            new ElementwiseLoop<GradientTargetExtensions.Copy>(new(from + (n * fromStride), to.At(n * toStride)))
                .Run<S, V>(0, width, null!);
    }

    /// <summary>Adds values to the lanes of a sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<S, V>(float* sums, nint index, V v) where S : ISimd<V> where V : unmanaged
    {
        float* lanes = sums + (index * ScanSizes.SumLanes);
        S.Store(lanes, S.Add(S.Load(lanes), v));
    }

    /// <summary>The sum of the lanes, by the tree of all sums along rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Total<S, V>(float* sums, nint index) where S : ISimd<V> where V : unmanaged =>
        RowReduce.Sum<S, V, PlainTerm>(ScanSizes.SumLanes, new PlainTerm(sums + (index * ScanSizes.SumLanes)));

    /// <summary>Adds sums [first, first + count) to a gradient.</summary>
    public static void PutTotals<S, V>(float* sums, nint first, int count, GradientTarget to) where S : ISimd<V>
        where V : unmanaged
    {
        if (to.Pointer == null)
            return;
        for (nint n = 0; n < count; n++)
            to.Put<SimdScalar, float>(n, Total<S, V>(sums, first + n));
    }
}

/// <summary>
/// target[at, g, n] += the sum over the heads of group g of x[at, h, n], in the order of the heads.
/// </summary>
internal readonly unsafe struct HeadSums(int heads, int groups, int columns, float* x, nint rowStride,
    GradientTarget target) : IKernel
{
    /// <summary>Sums what the heads [rows, heads, columns] have for a tensor [rows, groups columns].</summary>
    public static void Run(Compute compute, int heads, int groups, int columns, Tensor x, Tensor of)
    {
        var target = of.TargetIfWanted(compute);
        if (target.Pointer != null)
            compute.For((nint)of.Shape.Rows, Compute.RowsPerChunk(heads * columns), 0,
                new HeadSums(heads, groups, columns, x.Pointer, of.RowStride, target));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int each = heads / groups;
        for (nint at = begin; at < end; at++)
            for (int group = 0; group < groups; group++)
                new ElementwiseLoop<Element>(new(each, columns, x + (((at * heads) + (group * each)) * columns),
                    target.At((at * rowStride) + (group * columns)))).Run<S, V>(0, columns, scratch);
    }

    private readonly struct Element(int heads, nint columns, float* x, GradientTarget target) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V sum = S.Splat(0);
            for (int head = 0; head < heads; head++)
                sum = S.Add(sum, S.Load(x + (head * columns) + i));
            target.Put<S, V>(i, sum);
        }
    }
}
