using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>The width of the vectors that kernels use, in bits of float32 lanes.</summary>
public enum SimdWidth
{
    /// <summary>One float at a time.</summary>
    Scalar = 32,

    /// <summary>Four lanes: SSE or NEON.</summary>
    W128 = 128,

    /// <summary>Eight lanes: AVX2.</summary>
    W256 = 256,

    /// <summary>Sixteen lanes: AVX-512.</summary>
    W512 = 512,
}

/// <summary>The one place that looks at the CPU. Everything else is told the width.</summary>
public static class SimdWidths
{
    /// <summary>
    /// Every width; each one runs on every machine (slowly where the hardware lacks it), so each
    /// can be tested anywhere.
    /// </summary>
    public static IReadOnlyList<SimdWidth> All { get; } = [SimdWidth.Scalar, SimdWidth.W128, SimdWidth.W256,
        SimdWidth.W512];

    /// <summary>
    /// The width named by the environment variable NANO_SIMD (512, 256, 128 or scalar), else the
    /// widest that this machine runs fast. Vector512.IsHardwareAccelerated is false on processors
    /// that slow down under 512-bit code, so it is asked, not Avx512F. Without FMA hardware a fused
    /// multiply-add is a library call in any vector, and the scalar code is no slower.
    /// </summary>
    public static SimdWidth Best() => Environment.GetEnvironmentVariable("NANO_SIMD") is { Length: > 0 } wish
        ? Parse(wish)
        : Vector512.IsHardwareAccelerated ? SimdWidth.W512
        : Vector256.IsHardwareAccelerated && Fma.IsSupported ? SimdWidth.W256
        : Vector128.IsHardwareAccelerated && (Fma.IsSupported || !Sse.IsSupported) ? SimdWidth.W128
        : SimdWidth.Scalar;

    /// <summary>The name of a width's instruction set on this machine, for people.</summary>
    public static string NameOf(SimdWidth width) => (width, Sse.IsSupported) switch
    {
        (SimdWidth.Scalar, _) => "no SIMD",
        (SimdWidth.W512, true) => "AVX-512",
        (SimdWidth.W256, true) => "AVX2",
        (SimdWidth.W128, true) => "SSE",
        (SimdWidth.W128, false) => "NEON",
        _ => $"{(int)width}-bit vectors",
    };

    /// <summary>Reads 512, 256, 128 or scalar.</summary>
    /// <exception cref="NanoException">Anything else.</exception>
    public static SimdWidth Parse(string text) => text switch
    {
        "512" => SimdWidth.W512,
        "256" => SimdWidth.W256,
        "128" => SimdWidth.W128,
        "scalar" => SimdWidth.Scalar,
        _ => throw new NanoException($"NANO_SIMD is {Quoted.Of(text)}",
            "use 512, 256, 128 or scalar, or leave it unset"),
    };
}
