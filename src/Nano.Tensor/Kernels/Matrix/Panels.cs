using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Weights W [N, K] of a model that only runs, packed once as products read them: panels of 32 rows, in a panel one
/// step of all its rows after the other. A step is a word of 32 bits for each row: one float32, or two 16-bit weights
/// that follow each other along k. So a decoding step reads memory from the first byte to the last, each lane has
/// the chain of its own row, and a product of many rows finds its panels made.
/// <code>word [row / 32][k / weights per word][row % 32]</code>
/// N is padded to a multiple of 64 and an odd K of 16-bit weights by one, with zeros.
/// </summary>
internal readonly unsafe struct Panels(float* first, int n, int k, WeightForm form)
{
    /// <summary>Rows of W in a panel.</summary>
    public const int Width = 32;

    /// <summary>Rows come in multiples of this, so that a step of a whole group can be read.</summary>
    public const int Group = 2 * Width;

    public readonly float* First = first;
    public readonly int N = n, K = k;
    public readonly WeightForm Form = form;

    /// <summary>Weights in a word.</summary>
    public int PerWord => Form == WeightForm.Float32 ? 1 : 2;

    /// <summary>Words of a row.</summary>
    public int Steps => (K + PerWord - 1) / PerWord;

    /// <summary>Weights [N, K] in the memory of an arena, zero if that was not used before.</summary>
    public static Tensor New(Arena arena, Shape shape, WeightType type)
    {
        int perWord = type == WeightType.F32 ? 1 : 2;
        return Tensor.Packed(arena, shape, type,
            ((long)shape[0] + Group - 1) / Group * Group * (((long)shape[1] + perWord - 1) / perWord));
    }

    /// <summary>The panels of packed weights.</summary>
    public static Panels Of(Tensor weight) => new(weight.PackedPointer, weight.Shape[0], weight.Shape[1],
        weight.PackedAs switch
        {
            WeightType.F32 => WeightForm.Float32,
            WeightType.BF16 => WeightForm.BFloat16,
            _ => weight.IsFinite ? WeightForm.FiniteFloat16 : WeightForm.Float16,
        });

    /// <summary>Packs rows of weights, as a file holds them.</summary>
    /// <param name="weight">[N, K], of plain numbers.</param>
    /// <param name="row">The first row, a multiple of 32.</param>
    /// <param name="stored">Whole rows in the weight's type.</param>
    public static void Pack(Tensor weight, int row, ReadOnlySpan<byte> stored)
    {
        var halves = MemoryMarshal.Cast<byte, ushort>(stored);
        if (weight.PackedAs == WeightType.F16 && (halves.ContainsAnyInRange((ushort)0x7c00, (ushort)0x7fff)
            || halves.ContainsAnyInRange((ushort)0xfc00, ushort.MaxValue)))
            weight.IsFinite = false;
        int rowBytes = weight.Shape[1] * WeightTypes.SizeOf(weight.PackedAs!.Value);
        fixed (byte* rows = stored)
            Of(weight).Pack(row, rowBytes == 0 ? 0 : stored.Length / rowBytes, rows);
    }

    /// <summary>The word of a row's step.</summary>
    public float* At(int row, int step) => First + (((nint)(row / Width) * Steps) + step) * Width + (row % Width);

    private void Pack(int row, int count, byte* rows)
    {
        int bytes = K * sizeof(float) / PerWord;
        for (; count > 0; row += Width, count -= Width, rows += (nint)Width * bytes)
            if (Steps * PerWord == K)
                Nano.Pack.Transpose(Steps, Math.Min(Width, count), (float*)rows, Steps, Width, Width, At(row, 0));
            else
                for (int r = 0; r < Math.Min(Width, count); r++) // an odd number of 16-bit weights
                    for (int i = 0; i < K; i++)
                        ((ushort*)At(row + r, i / 2))[i % 2] = ((ushort*)(rows + (r * (nint)bytes)))[i];
    }

    /// <summary>A row of W as floats [K].</summary>
    public void Unpack(int row, float* to)
    {
        float* words = At(row, 0);
        for (int i = 0; i < K; i++, to++)
        {
            float word = words[i / PerWord * (nint)Width];
            *to = Form switch
            {
                WeightForm.Float32 => word,
                WeightForm.BFloat16 => One<BFloat16Weights>(word, i),
                _ => One<Float16Weights>(word, i),
            };
        }

        static float One<W>(float word, int i) where W : IWeightForm =>
            i % 2 == 0 ? W.First<SimdScalar, float>(word) : W.Second<SimdScalar, float>(word);
    }
}

/// <summary>
/// Some steps of some panels in float32: the panels that <see cref="GemmBlocks"/> multiplies.
/// </summary>
/// <param name="panels">16-bit weights.</param>
/// <param name="row">The first row, a multiple of 32.</param>
/// <param name="k">The first step, even.</param>
/// <param name="depth">Floats of each row.</param>
/// <param name="to">[panels][depth][32]</param>
internal readonly unsafe struct WidenPanels(Panels panels, int row, int k, int depth, float* to) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        switch (panels.Form)
        {
            case WeightForm.BFloat16:
                Walk<S, V, BFloat16Weights>(begin, end);
                break;
            case WeightForm.FiniteFloat16:
                Walk<S, V, FiniteFloat16Weights>(begin, end);
                break;
            default:
                Walk<S, V, Float16Weights>(begin, end);
                break;
        }
    }

    private void Walk<S, V, W>(nint begin, nint end) where S : ISimd<V> where V : unmanaged where W : IWeightForm
    {
        for (nint panel = begin; panel < end; panel++)
        {
            float* from = panels.At(row + ((int)panel * Panels.Width), k / 2), c = to + (panel * depth * Panels.Width);
            for (int i = 0; i < depth; i += 2, from += Panels.Width, c += 2 * Panels.Width)
                for (int lane = 0; lane < Panels.Width; lane += S.Lanes)
                {
                    V words = S.Load(from + lane);
                    S.Store(c + lane, W.First<S, V>(words));
                    if (i + 1 < depth)
                        S.Store(c + Panels.Width + lane, W.Second<S, V>(words));
                }
        }
    }
}
