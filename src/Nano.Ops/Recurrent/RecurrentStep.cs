using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>Places of a recurrent layer's numbers at one time.</summary>
internal readonly unsafe struct RecurrentLayout(int times, int width, int time, bool reverse, int* lengths)
{
    public int Width => width;

    public int Times => times;

    /// <summary>The row of a matrix [B T, ..] at the time.</summary>
    public nint At(nint row) => (row * times) + time;

    /// <summary>False for padding.</summary>
    public bool IsActive(nint row) => IsActive(row, time);

    public bool IsActive(nint row, nint at) => lengths == null || at < lengths[row];

    /// <summary>
    /// The numbers before a step in a matrix [B, T, H] of those after each step: those of the step before it, or the
    /// initial ones, which may be null.
    /// </summary>
    public float* Before(nint row, nint at, float* states, float* initial)
    {
        nint before = reverse ? at + 1 : at - 1;
        return before >= 0 && before < times && IsActive(row, before) ? states + (((row * times) + before) * width)
            : initial == null ? null : initial + (row * width);
    }

    public float* Before(nint row, float* states, float* initial) => Before(row, time, states, initial);
}

/// <summary>One step of all rows: gates to activated gates, state, memory, output and what is retained.</summary>
internal readonly unsafe struct RecurrentStep<C>(RecurrentLayout layout, float* a, float* b, float* h, float* c,
    float* retained, float* y) : IKernel where C : unmanaged, ICell
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int width = layout.Width, gates = C.Gates * width;
        for (nint row = begin; row < end; row++)
        {
            nint at = layout.At(row);
            if (!layout.IsActive(row))
                new Span<float>(y + (at * width), width).Clear();
            else
                new ElementwiseLoop<Element>(new(a + (at * gates), b + (row * gates), width, h + (row * width),
                    C.HasMemory ? c + (row * width) : null, retained == null ? null : retained + (at * width),
                    y + (at * width))).Run<S, V>(0, width, scratch);
        }
    }

    private readonly struct Element(float* a, float* b, int width, float* h, float* c, float* retained, float* y)
        : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V next = C.Step<S, V>(a, b, width, i, S.Load(h + i), c, out V kept);
            S.Store(h + i, next);
            S.Store(y + i, next);
            if (retained != null)
                S.Store(retained + i, kept);
        }
    }
}

/// <summary>
/// One step of all rows backwards: gates become their gradients da, db goes beside them (or is da), dh and dc become
/// those before the step, but for what reaches h through b.
/// </summary>
internal readonly unsafe struct RecurrentBack<C>(RecurrentLayout layout, float* gates, float* db, float* retained,
    float* initialH, float* initialC, float* y, float* dy, float* dh, float* dc) : IKernel where C : unmanaged, ICell
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int width = layout.Width, columns = C.Gates * width;
        for (nint row = begin; row < end; row++)
        {
            nint at = layout.At(row);
            float* da = gates + (at * columns), other = db + (at * columns);
            if (!layout.IsActive(row))
            {
                new Span<float>(da, columns).Clear();
                new Span<float>(other, columns).Clear();
                continue;
            }
            new ElementwiseLoop<Element>(new(da, other, width, retained + (at * width),
                layout.Before(row, y, initialH), C.HasMemory ? layout.Before(row, retained, initialC) : null,
                dy + (at * width), dh + (row * width), C.HasMemory ? dc + (row * width) : null))
                .Run<S, V>(0, width, scratch);
        }
    }

    private readonly struct Element(float* da, float* db, int width, float* retained, float* h, float* c, float* dy,
        float* dh, float* dc) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V before = h == null ? S.Splat(0) : S.Load(h + i), memory = c == null ? S.Splat(0) : S.Load(c + i);
            V upstream = S.Add(S.Load(dh + i), S.Load(dy + i));
            S.Store(dh + i, C.Back<S, V>(da, width, i, S.Load(retained + i), before, memory, upstream, dc, da, db));
        }
    }
}

/// <summary>The state before each step as a matrix [B T, H]; zeros in padding.</summary>
internal readonly unsafe struct StatesBefore(RecurrentLayout layout, float* initial, float* y, float* before) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint at = begin; at < end; at++)
        {
            nint row = at / layout.Times, time = at % layout.Times;
            ScanStates.Copy(1, layout.Width,
                layout.IsActive(row, time) ? layout.Before(row, time, y, initial) : null, 0,
                before + (at * layout.Width), 0);
        }
    }
}
