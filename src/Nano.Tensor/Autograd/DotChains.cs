namespace Nano;

/// <summary>
/// Nothing but vdpbf16ps on registers, as machine code written at run time: 24 independent chains of
/// sums, as in a register tile of products, and more than the units need to never wait.
/// </summary>
internal readonly unsafe struct DotChains : IKernel
{
    private const int Chains = 24, Rounds = 4096, Lanes = 16, Products = 2;

    /// <summary>Multiplications and additions of one item of work.</summary>
    public const double FlopsPerItem = 2.0 * Rounds * Chains * Lanes * Products;

    private static readonly nint Code = Emit();

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
        ((delegate* unmanaged<nint, void>)Code)((end - begin) * Rounds);

    private static nint Emit()
    {
        const int left = Chains, right = Chains + 1;
        var code = new Assembler();
        for (int register = 0; register <= right; register++)
            code.Clear(register);
        int loop = code.Position;
        for (int sum = 0; sum < Chains; sum++)
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
