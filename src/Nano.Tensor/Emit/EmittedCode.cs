using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>
/// The one place that decides whether kernels may use machine code written at run time. It is for
/// instructions that .NET does not name; whatever it computes, other code computes with the same
/// bits.
/// </summary>
public static unsafe class EmittedCode
{
    /// <summary>The bit of AVX512_BF16 in EAX of CPUID leaf 7, subleaf 1.</summary>
    private const int BFloat16Bit = 1 << 5;

    /// <summary>The bit of AVX512_VNNI in ECX of CPUID leaf 7, subleaf 0.</summary>
    private const int BytesBit = 1 << 11;

    private static readonly string? MachineProblem = FindMachineProblem();

    /// <summary>
    /// The reason for which the bfloat16 instruction is not used, or null if it is: the environment
    /// variable NANO_EMIT is 0, the processor or .NET lacks it, or the system refuses memory with
    /// code.
    /// </summary>
    /// <exception cref="NanoException">NANO_EMIT is something other than 0 or 1.</exception>
    public static string? Problem => ProblemOf("AVX512_BF16", leaf => (leaf(1).Eax & BFloat16Bit) != 0);

    /// <summary>The reason for which the instruction for products of bytes is not used, or null.</summary>
    /// <inheritdoc cref="Problem"/>
    public static string? BytesProblem => ProblemOf("AVX512_VNNI", leaf => (leaf(0).Ecx & BytesBit) != 0);

    private static string? ProblemOf(string name,
        Func<Func<int, (int Eax, int Ebx, int Ecx, int Edx)>, bool> isThere) =>
        Environment.GetEnvironmentVariable("NANO_EMIT") switch
        {
            "0" => "NANO_EMIT is 0",
            null or "" or "1" => MachineProblem ?? (isThere(subleaf => X86Base.CpuId(7, subleaf)) ? null
                : $"this processor has no {name}"),
            var other => throw new NanoException($"NANO_EMIT is {Quoted.Of(other)}",
                "set it to 0 to use no machine code written at run time, or leave it unset"),
        };

    private static string? FindMachineProblem()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !OperatingSystem.IsLinux())
            return "code is emitted for Linux on x86-64 only";
        if (!Avx512F.IsSupported || !Avx512BW.IsSupported || X86Base.CpuId(0, 0).Eax < 7)
            return "this processor has no AVX-512";
        var returnsAtOnce = new Assembler();
        returnsAtOnce.Return();
        nint address = ExecutableMemory.TryAdd(returnsAtOnce.ToArray());
        if (address == 0)
            return "the system refuses memory with code";
        ((delegate* unmanaged<void>)address)();
        return null;
    }
}
