namespace Nano;

/// <summary>
/// The products of a panel of quantised weights as machine code written at run time: one or four tokens times 16 rows,
/// over all units. vpdpbusd multiplies 64 codes with four activations and adds four products in each row, where
/// <see cref="Codes"/> takes three instructions or more; the whole numbers and the chains are the same.
/// </summary>
internal static unsafe class ByteTile
{
    /// <summary>Tokens of the larger tile.</summary>
    public const int Tokens = 4;

    private const int VectorBytes = Codes.VectorBytes, Vectors = 8;

    // Vector registers: codes 0 to 7, masks of the planes, scales, minima, the chains of tokens, then three numbers
    // for each token.
    private const int LowMask = 8, HighMask = 9, Scales = 10, Minima = 12, Chains = 14, Numbers = 18, PerToken = 3;

    private static readonly Dictionary<(int Bits, int Offset, bool HasMinimum), nint[]> Written = [];

    /// <summary>
    /// The tile of this many tokens for the codes of some weights: codes, the first token's units, bytes from a token
    /// to the next, the number of units, expanded scales, and the chains [tokens, 16], which it continues.
    /// </summary>
    public static delegate* unmanaged<byte*, QuantUnit*, nint, nint, float*, float*, void> Code(QuantPanels w,
        int tokens)
    {
        lock (Written)
        {
            var key = (w.Bits, w.Offset, w.Scales.HasMinimum);
            if (!Written.TryGetValue(key, out nint[]? tiles))
                Written[key] = tiles = [.. ((int[])[1, Tokens]).Select(count => Write(w, count))];
            return (delegate* unmanaged<byte*, QuantUnit*, nint, nint, float*, float*, void>)
                tiles[tokens == 1 ? 0 : 1];
        }
    }

    /// <summary>
    /// One tile. The calling convention of Linux on x86-64 gives the arguments in these registers; all vector registers
    /// and the other ones named are free to use.
    /// </summary>
    private static nint Write(QuantPanels w, int tokens)
    {
        const Register codes = Register.Rdi, units = Register.Rcx, scales = Register.R8, sums = Register.R9;
        Register[] x = [Register.Rsi, Register.Rax, Register.R10, Register.R11];
        var code = new Assembler();
        code.Constant(LowMask, Register.Rax, 0x01010101u * ((1u << w.LowBits) - 1));
        code.Constant(HighMask, Register.Rax, 0x01010101u * (((1u << w.HighBits) - 1) << w.LowBits));
        for (int t = 1; t < tokens; t++)
        {
            code.Move(x[t], x[t - 1]);
            code.Add(x[t], Register.Rdx);
        }
        for (int t = 0; t < tokens; t++)
            code.LoadVector(Chains + t, sums, t * VectorBytes);
        int loop = code.Position;
        for (int line = 0; line < w.UnitBytes && tokens == 1; line += CacheSizes.Line)
            code.Fetch(codes, QuantProduct.Ahead + line);
        for (int v = 0; v < Vectors; v++)
            TakeApart(code, w, v, codes);
        int parts = w.Scales.Parts;
        for (int i = 0; i < parts * (w.Scales.HasMinimum ? 2 : 1); i++)
            code.LoadVector(i < parts ? Scales + i : Minima + i - parts, scales, i * VectorBytes);
        for (int t = 0; t < tokens; t++)
            AddUnit(code, w, t, x[t]);
        code.Add(codes, w.UnitBytes);
        code.Add(scales, w.Scales.FloatsOfUnit * sizeof(float));
        for (int t = 0; t < tokens; t++)
            code.Add(x[t], sizeof(QuantUnit));
        code.Decrement(units);
        code.JumpUnlessZero(loop);
        for (int t = 0; t < tokens; t++)
            code.StoreVector(sums, t * VectorBytes, Chains + t);
        code.ZeroUpper();
        code.Return();
        nint address = ExecutableMemory.TryAdd(code.ToArray());
        return address != 0 ? address
            : throw new NanoException("the system refuses memory with code", "set NANO_EMIT=0");
    }

    /// <summary>Vector v of a unit, as <see cref="Codes.Vector"/> computes it.</summary>
    private static void TakeApart(Assembler code, QuantPanels w, int v, Register codes)
    {
        int low = w.LowBits, high = w.HighBits, shift = v / low * low;
        code.LoadVector(v, codes, v % low * VectorBytes);
        if (shift > 0)
            code.ShiftRight(v, v, shift);
        if (low < 8)
            code.And(v, v, LowMask);
        if (high == 0)
            return;
        code.LoadVector(Numbers, codes, (low + (v % high)) * VectorBytes);
        if (v / high * high != low)
            code.ShiftRight(Numbers, Numbers, (v / high * high) - low);
        code.And(Numbers, Numbers, HighMask);
        code.Or(v, v, Numbers);
    }

    /// <summary>The unit of a token: the products, less the codes' offset, then the chain.</summary>
    private static void AddUnit(Assembler code, QuantPanels w, int token, Register x)
    {
        int chain = Chains + token, first = Numbers + (PerToken * token), second = first + 1, number = first + 2,
            parts = w.Scales.Parts;
        Start(code, first, x, parts == 1 ? QuantUnit.SumAt : QuantUnit.FirstAt, w.Offset);
        Start(code, second, x, QuantUnit.SecondAt, parts == 1 ? 0 : w.Offset);
        for (int v = 0; v < Vectors / 2; v++)
        {
            code.DotBytes(first, v, x, 4 * v);
            code.DotBytes(second, v + (Vectors / 2), x, 16 + (4 * v));
        }
        if (parts == 1)
            code.AddIntegers(first, first, second);
        for (int part = 0; part < parts; part++)
        {
            code.ToFloats(first + part, first + part);
            code.Multiply(number, Scales + part, x, QuantUnit.ScaleAt);
            code.MultiplyAdd(chain, first + part, number);
            if (!w.Scales.HasMinimum)
                continue;
            code.BroadcastToFloats(first + part, x,
                parts == 1 ? QuantUnit.SumAt : part == 0 ? QuantUnit.FirstAt : QuantUnit.SecondAt);
            code.Multiply(number, Minima + part, x, QuantUnit.ScaleAt);
            code.MultiplySubtract(chain, first + part, number); // the sum is negated
        }
    }

    /// <summary>Products begin with less offset times the sum of activations; it is a power of two, or zero.</summary>
    private static void Start(Assembler code, int vector, Register x, int sumAt, int offset)
    {
        if (offset == 0)
            code.Clear(vector);
        else
            code.BroadcastShifted(vector, x, sumAt, int.Log2(offset));
    }
}
