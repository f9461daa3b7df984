using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Nano.Ladder;

/// <summary>
/// y = W x with W [N, K] in Q4_0, one token of a decoding step: blocks of 32 weights d (q - 8), 18
/// bytes each, a float16 d and two codes q of 4 bits in a byte (byte j: weight j low, weight j + 16
/// high). Each weight is used once, so the ceiling is memory, and 4 bits are a seventh of float32's
/// bytes: seven times the speed, if the arithmetic keeps up. At 20 GB/s it has to do 35 billion
/// multiplications and additions a second.
/// <para>
/// From the second step on x is rounded to 8 bits in blocks of 32 (x = d_x q_x, d_x = max |x| /
/// 127): that is the error in the table, a few thousandths, and it is Nano's too.
/// </para>
/// </summary>
internal sealed unsafe class Quant<S, V> : Ladder where S : ISimd<V> where V : unmanaged
{
    private const int Block = 32, BlockBytes = 18, PanelRows = 16, UnitBytes = PanelRows * BlockBytes;
    private const int CodeBytes = 256, Ahead = 16384, BaseRows = 32;

    /// <summary>
    /// The definition: each code becomes a float, then one chain of FMAs per row. Each waits 4
    /// cycles for the one before, and each weight costs a shift or a mask, a subtraction, a
    /// conversion and a multiplication besides. Expect a few percent of the memory's speed.
    /// </summary>
    public static void Naive(int n, int k, byte* w, float* x, float* y)
    {
        for (int row = 0; row < n; row++)
        {
            float sum = 0;
            for (int at = 0; at < k; at += Block, w += BlockBytes)
            {
                float d = (float)*(Half*)w;
                for (int j = 0; j < Block / 2; j++)
                {
                    sum = MathF.FusedMultiplyAdd(((w[2 + j] & 15) - 8) * d, x[at + j], sum);
                    sum = MathF.FusedMultiplyAdd(((w[2 + j] >> 4) - 8) * d, x[at + j + 16], sum);
                }
            }
            y[row] = sum;
        }
    }

    /// <summary>
    /// x in 8 bits, once for all rows; then a block is a sum of whole numbers, exact in any order,
    /// and floats come in once per 32 weights. The offset leaves the loop too: the sum of (q - 8)
    /// q_x is that of q q_x less 8 times the sum of q_x. What binds now is an instruction or two
    /// for each single weight.
    /// </summary>
    public static void WholeNumbers(int n, int k, byte* w, Rounded x, float* y)
    {
        for (int row = 0; row < n; row++)
        {
            float sum = 0;
            for (int block = 0; block < k / Block; block++, w += BlockBytes)
            {
                sbyte* codes = x.Codes + (block * Block);
                int whole = -8 * x.Sums[block];
                for (int j = 0; j < Block / 2; j++)
                    whole += ((w[2 + j] & 15) * codes[j]) + ((w[2 + j] >> 4) * codes[j + 16]);
                sum = MathF.FusedMultiplyAdd(whole, (float)*(Half*)w * x.Scales[block], sum);
            }
            y[row] = sum;
        }
    }

    /// <summary>
    /// Vectors along k: the 16 bytes of a block are one vector of 128 bits, its low halves 16 codes
    /// and its high halves the other 16. One instruction multiplies 16 bytes and adds them in pairs
    /// (vpmaddubsw; its 16-bit sums hold: 4 x 15 x 127 = 7,620), one more adds those in pairs. Four
    /// lanes keep a float sum each and meet once per row. Wider vectors do not fit: a float16 lies
    /// between one block and the next, and its conversion is now the dearest part.
    /// </summary>
    public static void OneRow(int n, int k, byte* w, Rounded x, float* y)
    {
        for (int row = 0; row < n; row++)
        {
            var sum = Simd128.Splat(0);
            float offset = 0;
            for (int block = 0; block < k / Block; block++, w += BlockBytes)
            {
                var codes = Simd128.Load((float*)(w + 2));
                float* xs = (float*)(x.Codes + (block * Block));
                var whole = Simd128.SumShorts(Simd128.AddShorts(
                    Simd128.DotBytes(Simd128.BitsOfBytes(codes, 0, 15), Simd128.Load(xs)),
                    Simd128.DotBytes(Simd128.BitsOfBytes(codes, 4, 15), Simd128.Load(xs + 4))));
                float scale = (float)*(Half*)w * x.Scales[block];
                sum = Simd128.Fma(Simd128.ToFloats(whole), Simd128.Splat(scale), sum);
                offset = MathF.FusedMultiplyAdd(-8 * x.Sums[block], scale, offset);
            }
            y[row] = offset + Lanes.Sum<Simd128, System.Runtime.Intrinsics.Vector128<float>>(sum);
        }
    }

    /// <summary>
    /// The weights repacked, once, into panels of 16 rows: a lane of 32 bits holds four codes of its
    /// own row, the same four activations go to all lanes, and 16 scales are converted at once. A
    /// block of 16 rows adds up in 16 bits to the end (16 x 15 x 127 = 30,480 is below 32,768), so
    /// 512 weights cost 8 multiplications, 7 additions and one conversion, and every width has the same
    /// whole numbers. A core reads memory no faster than this.
    /// </summary>
    public static void Panels(int panels, int k, byte* w, Rounded x, float* y) =>
        Panels(panels, k, w, x, y, fetch: false);

    /// <summary>
    /// Lines 16 KB ahead are asked for in each step (prefetch). One stream of bytes, panel after
    /// panel, is what the processor guesses best by itself: expect nothing here, and a loss if the
    /// request comes late (4 KB ahead took a third longer). A kernel that reads codes and scales
    /// from two places gains more.
    /// </summary>
    public static void FetchedAhead(int panels, int k, byte* w, Rounded x, float* y) =>
        Panels(panels, k, w, x, y, fetch: true);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Panels(int panels, int k, byte* w, Rounded x, float* y, bool fetch)
    {
        int units = k / Block;
        for (int panel = 0; panel < panels; panel++, w += units * UnitBytes, y += PanelRows)
            for (int lane = 0; lane < PanelRows; lane += S.Lanes)
            {
                V sum = S.Splat(0);
                byte* unit = w;
                for (int at = 0; at < units; at++, unit += UnitBytes)
                {
                    for (int line = 0; fetch && lane == 0 && line < UnitBytes; line += 64)
                        FetchList.FetchLater(unit + Ahead + line);
                    V whole = S.AddIntegers(Sum(unit + (4 * lane), x.Codes + (at * Block)),
                        S.Splat(BitConverter.Int32BitsToSingle(-8 * x.Sums[at])));
                    V scale = S.Multiply(S.LoadHalves((ushort*)(unit + CodeBytes) + lane), S.Splat(x.Scales[at]));
                    sum = S.Fma(S.ToFloats(whole), scale, sum);
                }
                S.Store(y + lane, sum);
            }
    }

    /// <summary>The products of a block with S.Lanes rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Sum(byte* codes, sbyte* x) => S.SumShorts(S.AddShorts(
        S.AddShorts(Eight(codes, x), Eight(codes + 64, x + 4)),
        S.AddShorts(Eight(codes + 128, x + 8), Eight(codes + 192, x + 12))));

    /// <summary>Eight weights of each row: four in the low halves of its bytes, four in the high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Eight(byte* codes, sbyte* x)
    {
        V both = S.Load((float*)codes);
        return S.AddShorts(S.DotBytes(S.BitsOfBytes(both, 0, 15), S.Splat(*(float*)x)),
            S.DotBytes(S.BitsOfBytes(both, 4, 15), S.Splat(*(float*)(x + 16))));
    }

    /// <summary>x in 8 bits: codes, and of each 32 of them the scale and the sum.</summary>
    public readonly struct Rounded(int k, float* memory)
    {
        public readonly float* Scales = memory;
        public readonly int* Sums = (int*)(memory + (k / Block));
        public readonly sbyte* Codes = (sbyte*)(memory + (2 * k / Block));

        /// <summary>Floats of the memory.</summary>
        public static int Floats(int k) => (2 * k / Block) + (k / 4);

        /// <summary>Rounds x to nearest, ties to even.</summary>
        public Rounded Of(float* x)
        {
            for (int block = 0; block < k / Block; block++, x += Block)
            {
                float max = 0;
                for (int i = 0; i < Block; i++)
                    max = MathF.Max(max, MathF.Abs(x[i]));
                (Scales[block], Sums[block]) = (max / 127, 0);
                for (int i = 0; i < Block; i++)
                    Sums[block] += Codes[(block * Block) + i] = (sbyte)MathF.Round(x[i] * (127 / max));
            }
            return this;
        }
    }

    private readonly int n, k;
    private readonly Tensor x, rows; // the first rows as floats, of which all others are copies
    private readonly byte[] blocks;

    /// <param name="n">Rows.</param>
    /// <param name="k">Columns, a multiple of 32.</param>
    public Quant(int n, int k) : base("quant", $"y = W x, N = {n}, K = {k}, W in Q4_0",
        (double)n * k / Block * BlockBytes, Unit.Bytes, 1e-2)
    {
        (this.n, this.k) = (n, k);
        (x, rows) = (Random(new Shape(1, k), 1), Random(new Shape(BaseRows, k), 2));
        var format = BlockFormat.Of(WeightType.Q4_0);
        blocks = new byte[BaseRows * k / Block * BlockBytes];
        for (int row = 0; row < BaseRows; row++)
            format.Quantise(rows.Data.Slice(row * k, k), BaseRow(row));
        format.Dequantise(blocks, rows.Data);
    }

    private Span<byte> BaseRow(int row)
    {
        int bytes = k / Block * BlockBytes;
        return blocks.AsSpan(row % BaseRows * bytes, bytes);
    }

    /// <summary>
    /// Steps 6 and 7 are the product of Nano's decoding step: panels from any format, codes of 8
    /// bits too; then panels shared by threads.
    /// </summary>
    public override IReadOnlyList<Step> Steps(Compute one, Compute all)
    {
        int panels = (n + PanelRows - 1) / PanelRows, words = panels * PanelRows * (k / Block * BlockBytes) / 4;
        Tensor stored = new(new Shape(words)), packed = new(new Shape(words + 16)),
            padded = new(new Shape(1, panels * PanelRows)), rounded = new(new Shape(Rounded.Floats(k)));
        var nano = QuantPanels.New(new Arena(), new Shape(n, k), WeightType.Q4_0);
        byte* w = (byte*)PointerOf(stored), p = (byte*)PointerOf(packed);
        for (int row = 0; row < n; row++)
        {
            BaseRow(row).CopyTo(new Span<byte>(w + ((nint)row * k / Block * BlockBytes), k / Block * BlockBytes));
            Pack(row, p);
            QuantPanels.Of(nano).Pack(row, BaseRow(row));
        }
        float* px = PointerOf(x), py = PointerOf(padded);
        var memory = new Rounded(k, PointerOf(rounded));
        Step With(string name, string adds, Action run) => new(name, adds, padded.SliceColumns(0, n), run,
            [stored, packed, padded, rounded, x]);
        return
        [
            With("naive", "codes to floats, one chain", () => Naive(n, k, w, px, py)),
            With("whole numbers", "x in 8 bits, floats once a block", () => WholeNumbers(n, k, w, memory.Of(px), py)),
            With("vectors", "16 bytes per instruction", () => OneRow(n, k, w, memory.Of(px), py)),
            With("panels", "16 rows side by side", () => Panels(panels, k, p, memory.Of(px), py)),
            With("fetched ahead", "16 KB before the need", () => FetchedAhead(panels, k, p, memory.Of(px), py)),
            Step.OfNano("Nano, one thread", "every format", one, () => one.Linear(x, nano, null)),
            Step.OfNano("Nano, all threads", "panels shared by threads", all, () => all.Linear(x, nano, null)),
        ];
    }

    /// <summary>
    /// A row into its panel: a unit of 16 rows has 4 x 64 bytes of codes, in which byte 4 r + i of
    /// the v-th 64 holds weights 4 v + i and 16 + 4 v + i of row r, and 16 scales.
    /// </summary>
    private void Pack(int row, byte* panels)
    {
        var (panel, r) = Math.DivRem(row, PanelRows);
        byte* unit = panels + (panel * (nint)(k / Block) * UnitBytes);
        for (var from = BaseRow(row); !from.IsEmpty; from = from[BlockBytes..], unit += UnitBytes)
        {
            for (int j = 0; j < Block / 2; j++)
                unit[(j / 4 * 64) + (4 * r) + (j % 4)] = from[2 + j];
            MemoryMarshal.Cast<byte, ushort>(from)[..1].CopyTo(
                new Span<ushort>((ushort*)(unit + CodeBytes) + r, 1));
        }
    }

    public override double[] Reference()
    {
        var y = new double[n];
        for (int row = 0; row < n; row++)
        {
            var weights = Row(rows, row % BaseRows);
            var values = Row(x, 0);
            for (int i = 0; i < k; i++)
                y[row] += (double)weights[i] * values[i];
        }
        return y;
    }
}
