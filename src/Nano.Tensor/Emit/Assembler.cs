using System.Buffers.Binary;

namespace Nano;

/// <summary>The general registers of x86-64 by their numbers in machine code.</summary>
internal enum Register
{
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// <summary>
/// Writes x86-64 machine code: a few instructions on general registers and on the 32 vector
/// registers of AVX-512 (zmm0 to zmm31, 64 bytes each), among them two that .NET does not name.
/// <para>
/// An instruction is a prefix, an opcode and its operands. The operands' byte, "ModRM", holds two
/// bits of mode and two register numbers of three bits: "reg" and "rm", which is a register (mode
/// 3) or the base of a memory address (mode 0: no displacement, 1: one byte, 2: four bytes). The
/// higher bits of the numbers lie in the prefix: REX for general registers, EVEX for vectors
/// (Intel, "64 and IA-32 Architectures Software Developer's Manual", volume 2, sections 2.1, 2.2
/// and 2.7).
/// </para>
/// </summary>
internal sealed class Assembler
{
    /// <summary>The mandatory prefix of an opcode, as EVEX abbreviates it.</summary>
    private const int None = 0, Prefix66 = 1, PrefixF3 = 2;

    /// <summary>The table in which an opcode is looked up.</summary>
    private const int Table0F = 1, Table0F38 = 2;

    private const int VectorBytes = 64, LaneBytes = 4;

    private readonly List<byte> code = [];

    /// <summary>The number of bytes so far: a place to jump to.</summary>
    public int Position => code.Count;

    /// <summary>The code so far.</summary>
    public byte[] ToArray() => [.. code];

    /// <summary>vmovups: sixteen floats from memory.</summary>
    public void LoadVector(int vector, Register address, int displacement) =>
        Evex(None, Table0F, 0x10, vector, 0, address, displacement, VectorBytes);

    /// <summary>vmovups: sixteen floats to memory.</summary>
    public void StoreVector(Register address, int displacement, int vector) =>
        Evex(None, Table0F, 0x11, vector, 0, address, displacement, VectorBytes);

    /// <summary>vpbroadcastd: one lane of memory in all lanes.</summary>
    public void Broadcast(int vector, Register address, int displacement) =>
        Evex(Prefix66, Table0F38, 0x58, vector, 0, address, displacement, LaneBytes);

    /// <summary>vpxord: a register with itself, which makes it zero.</summary>
    public void Clear(int vector) => Evex(Prefix66, Table0F, 0xEF, vector, vector, vector);

    /// <summary>
    /// vdpbf16ps: in each lane of sum, adds the product of the upper bfloat16 numbers of left and
    /// right, then that of the lower ones.
    /// </summary>
    public void DotBFloat16(int sum, int left, int right) => Evex(PrefixF3, Table0F38, 0x52, sum, left, right);

    /// <summary>
    /// vpdpbusd: in each lane of sum, adds the four products of a byte of codes (without sign) and one of a lane of
    /// memory (with sign), which stands in all lanes.
    /// </summary>
    public void DotBytes(int sum, int codes, Register address, int displacement) =>
        EvexBroadcast(Prefix66, Table0F38, 0x50, sum, codes, address, displacement);

    /// <summary>vpandd: the bits that both have.</summary>
    public void And(int vector, int left, int right) => Evex(Prefix66, Table0F, 0xDB, vector, left, right);

    /// <summary>vpord: the bits that either has.</summary>
    public void Or(int vector, int left, int right) => Evex(Prefix66, Table0F, 0xEB, vector, left, right);

    /// <summary>vpsrld, vpslld: lanes moved that many bits to the right; to the left if they are below 0.</summary>
    public void ShiftRight(int vector, int from, int bits)
    {
        Evex(Prefix66, Table0F, 0x72, bits < 0 ? 6 : 2, vector, from);
        code.Add((byte)Math.Abs(bits));
    }

    /// <summary>vpslld: a lane of memory in all lanes, moved to the left.</summary>
    public void BroadcastShifted(int vector, Register address, int displacement, int left)
    {
        EvexBroadcast(Prefix66, Table0F, 0x72, 6, vector, address, displacement);
        code.Add((byte)left);
    }

    /// <summary>vpaddd: sums of whole numbers.</summary>
    public void AddIntegers(int vector, int left, int right) => Evex(Prefix66, Table0F, 0xFE, vector, left, right);

    /// <summary>vcvtdq2ps: whole numbers as floats.</summary>
    public void ToFloats(int vector, int from) => Evex(None, Table0F, 0x5B, vector, 0, from);

    /// <summary>vcvtdq2ps: a whole number of memory as floats in all lanes.</summary>
    public void BroadcastToFloats(int vector, Register address, int displacement) =>
        EvexBroadcast(None, Table0F, 0x5B, vector, 0, address, displacement);

    /// <summary>vmulps: floats times a float of memory.</summary>
    public void Multiply(int vector, int left, Register address, int displacement) =>
        EvexBroadcast(None, Table0F, 0x59, vector, left, address, displacement);

    /// <summary>vfmadd231ps: sum + left * right, rounded once.</summary>
    public void MultiplyAdd(int sum, int left, int right) => Evex(Prefix66, Table0F38, 0xB8, sum, left, right);

    /// <summary>vfnmadd231ps: sum - left * right, rounded once.</summary>
    public void MultiplySubtract(int sum, int left, int right) => Evex(Prefix66, Table0F38, 0xBC, sum, left, right);

    /// <summary>mov, vpbroadcastd: a number in all lanes, by way of a register of number below 8.</summary>
    public void Constant(int vector, Register by, uint number)
    {
        code.Add((byte)(0xB8 + (int)by));
        Number((int)number);
        Evex(Prefix66, Table0F38, 0x7C, vector, 0, (int)by);
    }

    /// <summary>prefetcht1: asks the second-level cache for a line; the register's number is below 8.</summary>
    public void Fetch(Register address, int displacement)
    {
        code.AddRange([0x0F, 0x18]);
        Address(2, address, displacement, 1);
    }

    /// <summary>vzeroupper: ends the use of vectors, for the code that comes after.</summary>
    public void ZeroUpper() => code.AddRange([0xC5, 0xF8, 0x77]);

    /// <summary>mov: register = other.</summary>
    public void Move(Register register, Register other)
    {
        Rex((int)other, register);
        code.Add(0x89);
        code.Add(ModRM(3, (int)other, (int)register));
    }

    /// <summary>add: register += other.</summary>
    public void Add(Register register, Register other)
    {
        Rex((int)other, register);
        code.Add(0x01);
        code.Add(ModRM(3, (int)other, (int)register));
    }

    /// <summary>add: register += number.</summary>
    public void Add(Register register, int number)
    {
        Rex(0, register);
        code.Add(0x81);
        code.Add(ModRM(3, 0, (int)register));
        Number(number);
    }

    /// <summary>dec: register -= 1, and a note of whether that made it 0.</summary>
    public void Decrement(Register register)
    {
        Rex(0, register);
        code.Add(0xFF);
        code.Add(ModRM(3, 1, (int)register));
    }

    /// <summary>jnz: goes back to a place unless the last count reached 0.</summary>
    public void JumpUnlessZero(int position)
    {
        code.AddRange([0x0F, 0x85]);
        Number(position - (Position + sizeof(int)));
    }

    /// <summary>ret: back to the caller.</summary>
    public void Return() => code.Add(0xC3);

    /// <summary>An instruction on three vector registers.</summary>
    private void Evex(int prefix, int table, byte opcode, int vector, int other, int last)
    {
        EvexPrefix(prefix, table, vector, other, last >> 3, last >> 4);
        code.Add(opcode);
        code.Add(ModRM(3, vector, last));
    }

    /// <summary>A vector instruction with an operand in memory.</summary>
    private void Evex(int prefix, int table, byte opcode, int vector, int other, Register address, int displacement,
        int unit)
    {
        EvexPrefix(prefix, table, vector, other, (int)address >> 3, 0);
        code.Add(opcode);
        Address(vector, address, displacement, unit);
    }

    /// <summary>A vector instruction with one lane of memory for all.</summary>
    private void EvexBroadcast(int prefix, int table, byte opcode, int vector, int other, Register address,
        int displacement)
    {
        EvexPrefix(prefix, table, vector, other, (int)address >> 3, 0);
        code[^1] |= 1 << 4;
        code.Add(opcode);
        Address(vector, address, displacement, LaneBytes);
    }

    /// <summary>
    /// The prefix of an instruction on whole zmm registers. Of the numbers of reg and of the third
    /// operand it holds bits 3 and 4, of rm those given, all of them inverted.
    /// </summary>
    private void EvexPrefix(int prefix, int table, int reg, int other, int rmBit3, int rmBit4)
    {
        code.Add(0x62);
        code.Add((byte)(Inverted(reg >> 3, 7) | Inverted(rmBit4, 6) | Inverted(rmBit3, 5) | Inverted(reg >> 4, 4)
            | table));
        code.Add((byte)(((~other & 15) << 3) | 4 | prefix));
        code.Add((byte)(2 << 5 | Inverted(other >> 4, 3))); // 2: 512 bits; no mask

        static int Inverted(int bit, int place) => (~bit & 1) << place;
    }

    /// <summary>The prefix of an instruction on 64-bit registers.</summary>
    private void Rex(int reg, Register rm) => code.Add((byte)(0x48 | (reg >> 3 << 2) | ((int)rm >> 3)));

    /// <summary>
    /// The operand [address + displacement]. A displacement of one byte counts units, which are the
    /// operand's size under EVEX.
    /// </summary>
    private void Address(int reg, Register address, int displacement, int unit)
    {
        bool isShort = displacement % unit == 0 && displacement / unit is >= sbyte.MinValue and <= sbyte.MaxValue;
        int low = (int)address & 7, mode = displacement == 0 && low != 5 ? 0 : isShort ? 1 : 2; // 5: no mode 0
        code.Add(ModRM(mode, reg, low));
        if (low == 4)
            code.Add(0x24); // this number of a base announces a byte with an index: none
        if (mode == 1)
            code.Add((byte)(displacement / unit));
        else if (mode == 2)
            Number(displacement);
    }

    private static byte ModRM(int mode, int reg, int rm) => (byte)((mode << 6) | ((reg & 7) << 3) | (rm & 7));

    private void Number(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        code.AddRange(bytes);
    }
}
