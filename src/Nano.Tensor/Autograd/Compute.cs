namespace Nano;

/// <summary>
/// The context in which ops run: the worker team, the SIMD width, the memory of the current step,
/// and the tape (null for inference). One thread at a time uses a Compute.
/// </summary>
public sealed unsafe class Compute : IDisposable
{
    private readonly WorkerTeam team;
    private readonly Scratch shared = new();
    // within ReleasingIntermediates and TrackAllocations, the step tensors so far
    private readonly List<Tensor> made = [];
    private int scopes;
    private bool recordsLater;
    private long largestScratch;

    /// <summary>
    /// A context with this many threads (0: NANO_THREADS or all processors) and this width (null:
    /// NANO_SIMD or the best).
    /// </summary>
    public Compute(int threads = 0, SimdWidth? width = null)
    {
        Width = width ?? SimdWidths.Best();
        EmittedCodeProblem = Width == SimdWidth.W512 ? EmittedCode.Problem : "vectors are not 512 bits wide";
        BytesProblem = Width == SimdWidth.W512 ? EmittedCode.BytesProblem : "vectors are not 512 bits wide";
        team = new WorkerTeam(threads == 0 ? WorkerTeam.DefaultSize() : threads);
    }

    /// <summary>The SIMD width of its kernels.</summary>
    public SimdWidth Width { get; }

    /// <summary>
    /// The reason for which kernels use no machine code written at run time; null if they do, where
    /// there is some. It changes no bit.
    /// </summary>
    public string? EmittedCodeProblem { get; internal init; }

    /// <summary>The reason for which products of quantised weights use no such code, or null if they do.</summary>
    public string? BytesProblem { get; internal init; }

    /// <summary>The number of threads, the caller included.</summary>
    public int Threads => team.Size;

    /// <summary>The sizes of the caches, to which kernels cut their blocks; no result depends on them.</summary>
    public CacheSizes Caches { get; init; } = CacheSizes.OfMachine;

    /// <summary>
    /// True to allocate memory without running any kernel, which measures how much memory is
    /// needed.
    /// </summary>
    public bool OnlyPlans { get; init; }

    /// <summary>Bytes of working memory that the workers have at most grown to.</summary>
    public long ScratchBytes => ((Threads * Scratch.RoundUp(largestScratch)) + shared.Length) * sizeof(float);

    /// <summary>Memory of activations and their gradients; emptied by <see cref="NextStep"/>.</summary>
    public Arena StepArena => StepTensors.Arena;

    /// <summary>The tensors in it.</summary>
    internal StepTensors StepTensors { get; } = new(new Arena());

    /// <summary>Records ops for the backward pass while set.</summary>
    public Tape? Tape { get; set; }

    /// <summary>
    /// The gradients of looked-up rows that are deferred between the micro-batches of one update;
    /// null to add them at once.
    /// </summary>
    public DeferredRows? DeferredRows { get; set; }

    /// <summary>
    /// True to round the operands of linear layers' products, of the head's too, to bfloat16,
    /// forward and backward; sums and everything else stay float32.
    /// </summary>
    public bool RoundsProducts { get; set; }

    /// <summary>
    /// Is shown the weight [N, K] and the input [.., K] of each linear map, of the head's too, before its forward
    /// product, while set; a block that is recomputed shows them again. Rows of the input may lie apart
    /// (<see cref="Tensor.RowStride"/>), and it may have been released when the next op ends.
    /// </summary>
    public Action<Tensor, Tensor>? WatchLinear { get; set; }

    /// <summary>Forgets every tensor of the step that has just ended.</summary>
    public void NextStep()
    {
        Tape?.Clear();
        made.Clear();
        StepArena.Reset();
    }

    /// <summary>
    /// Runs something as inference: nothing is recorded, and the tape is back afterwards, also when
    /// it throws.
    /// </summary>
    public T WithoutTape<T>(Func<T> action) => Untaped(action, recordsLater: false);

    /// <summary>
    /// Runs a function without recording it; if it runs again with a tape later, its outputs want
    /// gradients already.
    /// </summary>
    internal T Untaped<T>(Func<T> action, bool recordsLater)
    {
        var (tape, before) = (Tape, this.recordsLater);
        (Tape, this.recordsLater) = (null, recordsLater);
        try
        {
            return action();
        }
        finally
        {
            (Tape, this.recordsLater) = (tape, before);
        }
    }

    /// <summary>
    /// True if the ops that run now are differentiated, from this record or from that of a second
    /// run.
    /// </summary>
    internal bool Differentiates => Tape is not null || recordsLater;

    /// <summary>A tensor that lives until <see cref="NextStep"/>, not cleared.</summary>
    public Tensor New(Shape shape, DType type = DType.Float32) => Made(Tensor.InStep(StepTensors, shape, type));

    /// <summary>
    /// A tensor of one number per row that an op computes (see <see cref="Tensor.IsStatistic"/>),
    /// in the step's arena.
    /// </summary>
    internal Tensor NewStatistic(Shape shape) => Made(Tensor.InStep(StepTensors, shape, isStatistic: true));

    private Tensor Made(Tensor tensor)
    {
        if (scopes > 0)
            made.Add(tensor);
        return tensor;
    }

    /// <summary>
    /// Releases a step tensor's memory before the step ends; reading it is an error from now on.
    /// For values that no backward pass reads, such as a branch that has been added to the residual
    /// stream. The tensor can still receive a gradient. No effect on other tensors.
    /// </summary>
    public void Release(Tensor tensor) => tensor.ReleaseValues(StepArena);

    /// <summary>
    /// Runs a function and, if nothing of it was recorded for a backward pass, releases every step
    /// tensor that it allocated, except the result.
    /// </summary>
    public Tensor ReleasingUnrecorded(Func<Tensor> action) => ReleasingUnrecorded(action, static action => action());

    /// <summary>
    /// <see cref="ReleasingUnrecorded(Func{Tensor})"/> for a function of some arguments; one that captures
    /// nothing is a single object for all calls.
    /// </summary>
    public Tensor ReleasingUnrecorded<T>(T arguments, Func<T, Tensor> action) =>
        ReleasingIntermediates(arguments, action, unlessRecorded: true)!;

    /// <summary>
    /// Runs a function and releases every step tensor that it allocated, except the result.
    /// </summary>
    internal Tensor? ReleasingIntermediates(Func<Tensor?> action) =>
        ReleasingIntermediates(action, static action => action(), unlessRecorded: false);

    private Tensor? ReleasingIntermediates<T>(T arguments, Func<T, Tensor?> action, bool unlessRecorded)
    {
        int start = made.Count, recorded = Tape?.Count ?? 0;
        Tensor? result = null;
        scopes++;
        try
        {
            return result = action(arguments);
        }
        finally
        {
            scopes--;
            if (!unlessRecorded || (Tape?.Count ?? 0) == recorded)
                ReleaseFrom(start, result?.Root);
            else if (scopes == 0)
                made.Clear();
        }
    }

    private void ReleaseFrom(int start, Tensor? result)
    {
        bool resultIsNew = false;
        for (int i = start; i < made.Count; i++)
            if (made[i] == result)
                resultIsNew = true;
            else
                made[i].Release(StepArena);
        made.RemoveRange(start, made.Count - start);
        if (resultIsNew && scopes > 0)
            made.Add(result!);
    }

    /// <summary>
    /// Runs a function and lists the step tensors that it allocated and did not release, except the
    /// result, in the order of allocation.
    /// </summary>
    internal Tensor TrackAllocations(Func<Tensor> action, List<Tensor> held)
    {
        int start = made.Count;
        scopes++;
        try
        {
            var result = action();
            for (int i = start; i < made.Count; i++)
                if (made[i] != result.Root && !made[i].IsGone)
                    held.Add(made[i]);
            return result;
        }
        finally
        {
            if (--scopes == 0)
                made.Clear();
        }
    }

    /// <summary>
    /// Is told what each op costs and when it has ended, while set; its trace, if it has one, is
    /// told what each worker does.
    /// </summary>
    public Profiler? Profiler
    {
        get;
        set
        {
            team.Trace = value?.Trace;
            field = value;
        }
    }

    /// <summary>
    /// Remembers an op for the backward pass, if its output wants a gradient. Its forward pass has
    /// just ended.
    /// </summary>
    internal void Record<T>(in T op) where T : struct, IOp
    {
        Profiler?.Lap(op.ForwardWork);
        op.Output.WantsGradient = Differentiates && op.WantsGradient;
        if (Tape is { } tape && (op.Output.WantsGradient || tape.RecordsAll))
            tape.Record(op);
    }

    /// <summary>
    /// Runs a kernel over [0, count) in chunks that the team shares, at this context's SIMD width.
    /// The width is chosen here and nowhere else.
    /// </summary>
    internal void For<K>(nint count, nint chunk, long scratchFloats, in K kernel) where K : unmanaged, IKernel
    {
        largestScratch = Math.Max(largestScratch, scratchFloats);
        if (OnlyPlans)
            return;
        var job = new Job<K>(kernel, scratchFloats);
        team.Run(Width switch
        {
            SimdWidth.W512 => &Job<K>.Run<Simd512, System.Runtime.Intrinsics.Vector512<float>>,
            SimdWidth.W256 => &Job<K>.Run<Simd256, System.Runtime.Intrinsics.Vector256<float>>,
            SimdWidth.W128 => &Job<K>.Run<Simd128, System.Runtime.Intrinsics.Vector128<float>>,
            _ => &Job<K>.Run<SimdScalar, float>,
        }, &job, count, chunk, team.Trace is null ? null : KernelName<K>.Value);
    }

    /// <summary>Working memory that all workers share during one op; grows to the largest wish and stays.</summary>
    internal float* Shared(long floats)
    {
        shared.Begin(Scratch.RoundUp(floats));
        return shared.Allocate(floats);
    }

    /// <summary>
    /// Runs an elementwise body over [0, count). Small jobs stay on the calling thread: a dispatch
    /// costs about a microsecond.
    /// </summary>
    internal void ForEach<T>(nint count, in T body) where T : unmanaged, IElementwise =>
        For(count, ElementsPerChunk, 0, new ElementwiseLoop<T>(body, WorthStreaming(count)));

    /// <summary>Elements of a chunk of elementwise work.</summary>
    internal const int ElementsPerChunk = 1 << 13;

    /// <summary>
    /// True if a result of this many floats (32 MB and more) leaves the caches before the next op
    /// reads it.
    /// </summary>
    internal static bool WorthStreaming(long floats) => floats >= 1 << 23;

    /// <summary>Rows per chunk so that a chunk holds some thousand elements, whatever a row's length.</summary>
    internal static nint RowsPerChunk(nint columns) => Math.Max(1, ElementsPerChunk / Math.Max(1, columns));

    /// <inheritdoc/>
    public void Dispose()
    {
        team.Dispose();
        shared.Dispose();
        StepArena.Dispose();
    }

    /// <summary>A kernel's name in a trace: of an elementwise loop, its body's.</summary>
    private static class KernelName<K>
    {
        public static readonly string Value = Of(typeof(K));

        private static string Of(Type type)
        {
            if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ElementwiseLoop<>))
                return Of(type.GenericTypeArguments[0]);
            string name = type.Name.Split('`')[0];
            if (type.DeclaringType is { } outer)
                name = $"{outer.Name.Split('`')[0]}.{name}";
            return type.IsGenericType ? $"{name}<{string.Join(", ", type.GenericTypeArguments.Select(Of))}>" : name;
        }
    }

    private struct Job<K>(K kernel, long scratchFloats) where K : unmanaged, IKernel
    {
        private K kernel = kernel;
        private readonly long scratchFloats = scratchFloats;

        public static void Run<S, V>(void* job, nint begin, nint end, Scratch scratch) where S : ISimd<V>
            where V : unmanaged
        {
            var self = (Job<K>*)job;
            scratch.Begin(self->scratchFloats);
            self->kernel.Run<S, V>(begin, end, scratch);
        }
    }
}
