using System.Runtime.Intrinsics;

namespace Nano.Tests;

/// <summary>Products of bytes by instructions of some processors.</summary>
public unsafe class ByteDotsTests
{
    private const string Reason = "this processor has no instruction for it at this width: run on one with AVX-VNNI "
        + "(such as Zen 5 and Alder Lake) or on ARM with dot products";

    [Fact]
    public void At_256_bits_they_are_those_of_whole_numbers()
    {
        Assert.SkipUnless(Simd256.HasByteDots, Reason);
        AreExact<Simd256, Vector256<float>>();
    }

    [Fact]
    public void At_128_bits_they_are_those_of_whole_numbers()
    {
        Assert.SkipUnless(Simd128.HasByteDots, Reason);
        AreExact<Simd128, Vector128<float>>();
    }

    private static void AreExact<S, V>() where S : ISimd<V> where V : unmanaged
    {
        byte* codes = stackalloc byte[64];
        sbyte* x = stackalloc sbyte[64];
        int* sums = stackalloc int[16], made = stackalloc int[16];
        for (ulong seed = 0; seed < 1000; seed++)
        {
            for (int i = 0; i < 4 * S.Lanes; i++)
            {
                int pick = (int)Philox.Below(seed, 0, (ulong)i, 3);
                codes[i] = (byte)(pick == 0 ? 255 : Philox.Below(seed, 1, (ulong)i, 256));
                x[i] = (sbyte)(pick == 1 ? -128 : pick == 2 ? 127 : Philox.Below(seed, 2, (ulong)i, 256) - 128);
                sums[i / 4] = (int)Philox.Below(seed, 3, (ulong)i, 1 << 20) - (1 << 19);
            }
            S.Store((float*)made, S.AddByteDots(S.Load((float*)sums), S.Load((float*)codes), S.Load((float*)x)));
            for (int i = 0; i < 4 * S.Lanes; i++)
                sums[i / 4] += codes[i] * x[i];
            Assert.Equal(new ReadOnlySpan<int>(sums, S.Lanes), new ReadOnlySpan<int>(made, S.Lanes));
        }
    }
}
