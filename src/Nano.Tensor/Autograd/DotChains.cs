namespace Nano;

/// <summary>
/// Nothing but vdpbf16ps on registers, or vpdpbusd with four bytes of memory, as machine code written at run time: 24
/// independent chains of sums, as in a register tile of products, and more than the units need to never wait.
/// </summary>
/// <param name="areBytes">True for products of bytes.</param>
internal readonly unsafe struct DotChains(bool areBytes) : IKernel
{
    private const int Chains = 24, Rounds = 4096, Lanes = 16;

    private static readonly Lazy<nint> Pairs = new(() => Emit(areBytes: false)),
        Bytes = new(() => Emit(areBytes: true));

    /// <summary>Multiplications and additions of one item of work.</summary>
    public double FlopsPerItem => 2.0 * Rounds * Chains * Lanes * (areBytes ? 4 : 2);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        float* four = scratch.Allocate(1);
        *four = 0;
        ((delegate* unmanaged<nint, float*, void>)(areBytes ? Bytes : Pairs).Value)((end - begin) * Rounds, four);
    }

    private static nint Emit(bool areBytes)
    {
        const int left = Chains, right = Chains + 1;
        var code = new Assembler();
        for (int register = 0; register <= right; register++)
            code.Clear(register);
        int loop = code.Position;
        for (int sum = 0; sum < Chains; sum++)
            if (areBytes)
                code.DotBytes(sum, left, Register.Rsi, 0); // the second argument
            else
                code.DotBFloat16(sum, left, right);
        code.Decrement(Register.Rdi); // the first argument: rounds that are left
        code.JumpUnlessZero(loop);
        code.ZeroUpper();
        code.Return();
        nint address = ExecutableMemory.TryAdd(code.ToArray());
        return address != 0 ? address : throw new NanoException("the system refuses memory with code",
            "set NANO_EMIT=0");
    }
}
