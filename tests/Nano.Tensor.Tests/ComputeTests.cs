namespace Nano.Tests;

public sealed unsafe class ComputeTests
{
    [Fact]
    public void A_kernel_runs_at_the_width_that_was_asked_for()
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = new Compute(2, width);
            Assert.Equal(width, compute.Width);
            Assert.Equal(2, compute.Threads);
            int lanes = 0;
            compute.For(1, 1, 0, new LanesKernel(&lanes));
            Assert.Equal((int)width / 32, lanes);
        }
    }

    [Fact]
    public void Elements_are_visited_once_by_vectors_and_tails()
    {
        foreach (var compute in KernelData.EveryCompute())
            using (compute)
                foreach (int n in new[] { 0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 8191, 8192, 8193, 30_001 })
                {
                    var counts = new float[n + 1];
                    fixed (float* p = counts)
                        compute.ForEach(n, new AddOne(p));
                    Assert.True(counts.AsSpan(0, n).IndexOfAnyExcept(1f) < 0);
                    Assert.Equal(0, counts[n]);
                }
    }

    [Fact]
    public void Every_worker_gets_scratch_of_the_size_asked_for()
    {
        using var compute = new Compute(3);
        long sum = 0;
        compute.For(100, 1, 1024, new ScratchKernel(1024, &sum));
        compute.For(100, 1, 48_000, new ScratchKernel(48_000, &sum));
        Assert.Equal(100 * 49_024, sum);
    }

    [Fact]
    public void Next_step_empties_the_tape_and_reuses_the_memory()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        Tensor x = TensorTests.Counting(2, 3), weight = TensorTests.Counting(4, 3);
        nint at = (nint)compute.Linear(x, weight, null).Pointer;
        Assert.Single(compute.Tape.Ops);
        compute.NextStep();
        Assert.Empty(compute.Tape.Ops);
        Assert.Equal(at, (nint)compute.New(new Shape(2, 4)).Pointer);
    }

    [Fact]
    public void Without_a_tape_nothing_is_recorded_and_a_step_still_ends()
    {
        using var compute = new Compute(1);
        _ = compute.Linear(TensorTests.Counting(2, 3), TensorTests.Counting(4, 3), null);
        compute.NextStep();
        Assert.Null(compute.Tape);
    }

    [Fact]
    public void Two_tensors_of_a_step_do_not_share_memory()
    {
        using var compute = new Compute(1);
        Tensor scalar = compute.New(new Shape()), next = compute.New(new Shape(3));
        scalar.Data[0] = 1;
        next.Data.Fill(2);
        Assert.Equal(1, scalar.Data[0]);
    }

    [Fact]
    public void Steps_that_repeat_allocate_almost_nothing()
    {
        using var compute = new Compute(2) { Tape = new Tape() };
        Tensor x = TensorTests.Counting(40, 24), weight = TensorTests.Counting(36, 24), bias = TensorTests.Counting(36);
        Tensor weightGradient = new(weight.Shape), biasGradient = new(bias.Shape);
        weight.SetGradient(weightGradient);
        bias.SetGradient(biasGradient);
        for (int step = 0; step < 10; step++)
            Step(compute, x, weight, bias);
        long reserved = compute.StepArena.ReservedBytes, before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 50; step++)
            Step(compute, x, weight, bias);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 50;
        Assert.InRange(perStep, 0, 3000);
        Assert.Equal(reserved, compute.StepArena.ReservedBytes);
        GC.KeepAlive((weightGradient, biasGradient));
    }

    [Fact]
    public void Steps_larger_than_a_chunk_settle_after_the_first()
    {
        using var compute = new Compute(2) { Tape = new Tape() };
        Tensor x = new(new Shape(700, 600)), weight = new(new Shape(900, 600)), bias = new(new Shape(900));
        Step(compute, x, weight, bias);
        long reserved = compute.StepArena.ReservedBytes;
        Assert.True(reserved > 4 << 20);
        for (int step = 0; step < 3; step++)
        {
            Step(compute, x, weight, bias);
            Assert.Equal(reserved, compute.StepArena.ReservedBytes);
        }
    }

    [Fact]
    public void The_machines_ceilings_are_positive_numbers()
    {
        using var compute = new Compute(2);
        var machine = Machine.Measure(compute);
        Assert.True(double.IsFinite(machine.PeakGflops) && machine.PeakGflops > 0);
        Assert.True(double.IsFinite(machine.ReadGigabytesPerSecond) && machine.ReadGigabytesPerSecond > 0);
        Assert.False(machine.CacheLineNanoseconds <= 0);
        Assert.Equal(compute.EmittedCodeProblem is null, machine.BFloat16Gflops > 0);
        Assert.Equal(compute.EmittedCodeProblem is null ? machine.BFloat16Gflops : machine.PeakGflops,
            machine.PeakOf(isRounded: true));
        Assert.Equal(machine.PeakGflops, machine.PeakOf(isRounded: false));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void The_time_of_a_cache_line_is_positive_or_not_known(int threads)
    {
        using var compute = new Compute(threads);
        double time = CacheLineTime.Measure(compute);
        Assert.True(threads == 1 ? double.IsNaN(time) : !(time <= 0), $"{time}");
    }

    [Fact]
    public void The_better_of_two_measurements_has_the_higher_ceilings_and_the_shorter_time()
    {
        Machine one = new(100, 20, 30) { CacheLineNanoseconds = 150, BFloat16Gflops = 180 },
            other = new(90, 25, 28) { CacheLineNanoseconds = 25, BFloat16Gflops = 200 };
        var expected = new Machine(100, 25, 30) { CacheLineNanoseconds = 25, BFloat16Gflops = 200 };
        Assert.Equal(expected, one.Best(other));
        Assert.Equal(expected, other.Best(one));
        Machine unknown = new(1, 1, 1);
        Assert.Equal(one, one.Best(unknown));
        Assert.Equal(one, unknown.Best(one));
    }

    [Fact]
    public void The_watcher_of_linear_maps_sees_weight_and_input_once_and_changes_no_bit()
    {
        using var compute = new Compute(2);
        Tensor x = TensorTests.Counting(5, 6), weight = TensorTests.Counting(4, 3), head = TensorTests.Counting(7, 3),
            targets = Tensor.FromIds(new Shape(5), [1, 2, 3, 4, 5]);
        var left = x.SliceColumns(0, 3);
        float[] y = compute.Linear(left, weight, null).Data.ToArray();
        float loss = compute.LinearCrossEntropy(TensorTests.Counting(5, 3), head, targets).Loss.Data[0];
        var seen = new List<(Tensor Weight, float FirstOfLastRow)>();
        compute.WatchLinear = (of, input) => seen.Add((of, input.Pointer[4 * input.RowStride]));
        Assert.Equal(y, compute.Linear(left, weight, null).Data.ToArray());
        Assert.Equal(loss, compute.LinearCrossEntropy(TensorTests.Counting(5, 3), head, targets).Loss.Data[0]);
        Assert.Equal([(weight, x.Data[4 * 6]), (head, TensorTests.Counting(5, 3).Data[4 * 3])], seen);
        compute.WatchLinear = null;
        _ = compute.Linear(left, weight, null);
        Assert.Equal(2, seen.Count);
    }

    private static void Step(Compute compute, Tensor x, Tensor weight, Tensor bias)
    {
        var y = compute.Linear(x, weight, bias);
        compute.Tape!.Backward(compute, y);
        compute.NextStep();
    }

    private readonly struct LanesKernel(int* lanes) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
            *lanes = S.Lanes;
    }

    private readonly struct AddOne(float* x) : IElementwise
    {
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(x + i, S.Add(S.Load(x + i), S.Splat(1)));
    }

    private readonly struct ScratchKernel(int floats, long* sum) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            var part = new Span<float>(scratch.Allocate(floats), floats);
            part.Fill(begin);
            Thread.Yield();
            if (part.IndexOfAnyExcept((float)begin) < 0)
                Interlocked.Add(ref *sum, (end - begin) * floats);
        }
    }
}
