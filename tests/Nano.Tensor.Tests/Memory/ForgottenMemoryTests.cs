using System.Runtime.CompilerServices;

namespace Nano.Tests;

[Collection(AloneCollection.Name)]
public sealed class ForgottenMemoryTests
{
    [Fact]
    public void Forgotten_tensors_bring_the_collector_before_they_fill_the_machine()
    {
        int collections = GC.CollectionCount(0);
        for (int i = 0; i < 64; i++)
            Write(new NativeBuffer(4 << 20)); // 1 GiB in all, which the collector alone would take for a few kilobytes
        Assert.True(GC.CollectionCount(0) > collections);
    }

    /// <summary>
    /// Memory counts once it is written; and the collector leaves some time between its rounds,
    /// which writing takes.
    /// </summary>
    private static unsafe void Write(NativeBuffer buffer)
    {
        new Span<float>(buffer.Pointer, (int)buffer.Length).Fill(1);
        GC.KeepAlive(buffer); // a span of native memory does not
    }

    [Fact]
    public void A_tensor_is_not_freed_while_a_kernel_reads_it()
    {
        using var compute = new Compute(2);
        bool done = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        try
        {
            for (int i = 0; i < 20; i++)
            {
                Assert.Equal(1 << 20, SumOfForgotten(compute));
                StepOfForgotten(compute);
                compute.NextStep();
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            collector.Join();
        }
    }

    /// <summary>
    /// Optimised from the first call: only then does a variable end with its last use instead of
    /// with the method.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static double SumOfForgotten(Compute compute) => compute.SumOfSquares(Ones());

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void StepOfForgotten(Compute compute) =>
        compute.AdamW(Ones(), Ones(), Ones(), Ones(), new(1, 0.9, 0.9, 1, 0, 1, 1));

    private static Tensor Ones()
    {
        var x = new Tensor(new Shape(1 << 20));
        x.Data.Fill(1);
        GC.KeepAlive(x);
        return x;
    }
}
