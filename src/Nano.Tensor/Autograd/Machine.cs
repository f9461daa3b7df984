using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// The measured peak performance of this machine: the ceilings with which all figures are compared.
/// </summary>
/// <param name="PeakGflops">Fused multiply-adds of float32 on registers, counted as two operations, all
/// threads together.</param>
/// <param name="ReadGigabytesPerSecond">Reading memory that does not fit the caches, all threads together.</param>
/// <param name="TriadGigabytesPerSecond"> a = b + s c on such memory (STREAM's triad; McCalpin,
/// 1995): two streams read and one written past the caches, each counted once, all threads
/// together. </param>
public sealed record Machine(double PeakGflops, double ReadGigabytesPerSecond, double TriadGigabytesPerSecond)
{
    private const int FmaRounds = 4096, Chains = 16, ItemsPerThread = 16;
    private const double Agreement = 0.02, NearAllThreads = 0.95;
    private static readonly TimeSpan LongestPeak = TimeSpan.FromMilliseconds(300);

    /// <summary>
    /// The time in which a cache line goes from one worker to another, in nanoseconds: about 25
    /// where the two have a cache in common, 150 and more where they do not. NaN for one thread.
    /// </summary>
    public double CacheLineNanoseconds { get; init; } = double.NaN;

    /// <summary>
    /// Products of bfloat16 operands and their sums, on registers, all threads together; NaN where the processor's
    /// instruction for them is not used.
    /// </summary>
    public double BFloat16Gflops { get; init; } = double.NaN;

    /// <summary>
    /// Products of codes of up to 6 bits with bytes and their sums, on registers, all threads together, with the
    /// instructions that such quantised weights are multiplied with; NaN where not measured.
    /// </summary>
    public double NarrowCodeGops { get; init; } = double.NaN;

    /// <summary>The peak of products of codes of 8 bits, like <see cref="NarrowCodeGops"/>.</summary>
    public double WideCodeGops { get; init; } = double.NaN;

    /// <summary>The peak of arithmetic whose products are of float32, or have bfloat16 operands.</summary>
    public double PeakOf(bool isRounded) =>
        isRounded && double.IsFinite(BFloat16Gflops) ? BFloat16Gflops : PeakGflops;

    /// <summary>
    /// Measures for about half a second: the best of several short runs, since a ceiling is a
    /// maximum.
    /// </summary>
    public static Machine Measure(Compute compute)
    {
        double peak = MeasurePeak(compute);
        var (read, triad) = MeasureMemory(compute);
        return new Machine(peak, read, triad)
        {
            CacheLineNanoseconds = CacheLineTime.Measure(compute),
            BFloat16Gflops = compute.EmittedCodeProblem is null ? MeasurePeak(compute, isRounded: true) : double.NaN,
        };
    }

    /// <summary>These ceilings and those of products of whole numbers, measured now.</summary>
    public Machine WithCodes(Compute compute)
    {
        if (compute.BytesProblem is null)
        {
            var emitted = new DotChains(areBytes: true);
            double any = PeakOf(compute, emitted, emitted.FlopsPerItem);
            return this with { NarrowCodeGops = any, WideCodeGops = any };
        }
        double narrow = PeakOf(compute, new CodeChains(), CodeChains.FlopsPerItem(compute.Width));
        return this with { NarrowCodeGops = narrow, WideCodeGops = narrow / 2 };
    }

    /// <summary>
    /// The higher of each ceiling, and the shorter time of a cache line: two measurements are both
    /// disturbed by whatever else runs.
    /// </summary>
    public Machine Best(Machine other) =>
        new(Math.Max(PeakGflops, other.PeakGflops),
            Math.Max(ReadGigabytesPerSecond, other.ReadGigabytesPerSecond),
            Math.Max(TriadGigabytesPerSecond, other.TriadGigabytesPerSecond))
        {
            BFloat16Gflops = double.MaxNumber(BFloat16Gflops, other.BFloat16Gflops),
            NarrowCodeGops = double.MaxNumber(NarrowCodeGops, other.NarrowCodeGops),
            WideCodeGops = double.MaxNumber(WideCodeGops, other.WideCodeGops),
            CacheLineNanoseconds = double.IsNaN(CacheLineNanoseconds) ? other.CacheLineNanoseconds
                : double.IsNaN(other.CacheLineNanoseconds) ? CacheLineNanoseconds
                : Math.Min(CacheLineNanoseconds, other.CacheLineNanoseconds),
        };

    /// <summary>
    /// The arithmetic ceiling alone, in 10 to 300 ms: measured until two rounds agree and all threads
    /// together come near to as many times one thread. When a process starts, its threads may still
    /// share a processor.
    /// </summary>
    /// <param name="compute">The threads.</param>
    /// <param name="isRounded">True for products of bfloat16 operands, where the processor's instruction is
    /// used.</param>
    public static double MeasurePeak(Compute compute, bool isRounded = false) =>
        isRounded && compute.EmittedCodeProblem is null
        ? PeakOf(compute, new DotChains(areBytes: false), new DotChains(areBytes: false).FlopsPerItem)
        : PeakOf(compute, new FmaChains(), 2.0 * FmaRounds * Chains * ((int)compute.Width / 32));

    private static double PeakOf<K>(Compute compute, K kernel, double flopsPerItem) where K : unmanaged, IKernel
    {
        long start = Stopwatch.GetTimestamp();
        double all = compute.Threads * Round(1), best = 0;
        while (true)
        {
            double round = Round(compute.Threads);
            bool agrees = Math.Abs(round - best) <= Agreement * round;
            best = Math.Max(best, round);
            if ((agrees && best >= NearAllThreads * all) || Stopwatch.GetElapsedTime(start) > LongestPeak)
                return best;
        }

        // the best of a dozen runs on one thread or on all, in GFLOP/s
        double Round(int threads)
        {
            nint items = threads * ItemsPerThread;
            double seconds = Best(12, () => compute.For(items, threads == 1 ? items : 1, 16, kernel));
            return items * flopsPerItem / seconds / 1e9;
        }
    }

    /// <summary>The processor's name as the system tells it.</summary>
    public static string CpuName()
    {
        const string linux = "/proc/cpuinfo";
        string? line = File.Exists(linux) ? File.ReadLines(linux)
            .FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':') + 1)..].Trim()
            ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static (double Read, double Triad) MeasureMemory(Compute compute)
    {
        const int floats = 1 << 25; // 128 MiB, which the triad takes as two halves
        using NativeBuffer source = new(floats), target = new(floats / 2);
        double read, triad;
        unsafe
        {
            new Span<float>(source.Pointer, floats).Fill(1); // memory that nobody has written is no memory yet
            var readAll = new ReadAll(source.Pointer);
            read = Best(40, () => compute.For(floats, 1 << 20, 16, readAll));
            var addScaled = new AddScaled(source.Pointer, source.Pointer + (floats / 2), target.Pointer);
            triad = Best(40, () => compute.For(floats / 2, 1 << 18, 0, addScaled));
        }
        return (sizeof(float) * (double)floats / read / 1e9, sizeof(float) * 1.5 * floats / triad / 1e9);
    }

    private static double Best(int runs, Action action)
    {
        double best = double.MaxValue;
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    /// <summary>Sixteen independent chains: more than latency (4) times units (2), so the units never wait.</summary>
    private readonly unsafe struct FmaChains : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            V x = S.Splat(0.999f), y = S.Splat(0.001f);
            V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = y, j = y, k = y, l = y, m = y, n = y,
                o = y, p = y;
            for (nint round = (end - begin) * FmaRounds; round > 0; round--)
            {
                a = S.Fma(a, x, y); b = S.Fma(b, x, y); c = S.Fma(c, x, y); d = S.Fma(d, x, y);
                e = S.Fma(e, x, y); f = S.Fma(f, x, y); g = S.Fma(g, x, y); h = S.Fma(h, x, y);
                i = S.Fma(i, x, y); j = S.Fma(j, x, y); k = S.Fma(k, x, y); l = S.Fma(l, x, y);
                m = S.Fma(m, x, y); n = S.Fma(n, x, y); o = S.Fma(o, x, y); p = S.Fma(p, x, y);
            }
            V sum = S.Add(S.Add(S.Add(a, b), S.Add(c, d)), S.Add(S.Add(e, f), S.Add(g, h)));
            sum = S.Add(sum, S.Add(S.Add(S.Add(i, j), S.Add(k, l)), S.Add(S.Add(m, n), S.Add(o, p))));
            S.Store(scratch.Allocate(16), sum); // a result nobody uses would be optimised away
        }
    }

    private readonly unsafe struct ReadAll(float* x) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            V a = S.Splat(0), b = a, c = a, d = a;
            for (nint i = begin; i <= end - (4 * S.Lanes); i += 4 * S.Lanes)
            {
                a = S.Add(a, S.Load(x + i));
                b = S.Add(b, S.Load(x + i + S.Lanes));
                c = S.Add(c, S.Load(x + i + (2 * S.Lanes)));
                d = S.Add(d, S.Load(x + i + (3 * S.Lanes)));
            }
            S.Store(scratch.Allocate(16), S.Add(S.Add(a, b), S.Add(c, d)));
        }
    }

    /// <summary>
    /// Stores past the caches, whatever the width of kernels: a plain store would first read the
    /// line that it overwrites.
    /// </summary>
    private readonly unsafe struct AddScaled(float* b, float* c, float* a) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            var scale = Vector512.Create(3f);
            for (nint i = begin; i < end; i += Vector512<float>.Count)
                Vector512.StoreAlignedNonTemporal(
                    Vector512.FusedMultiplyAdd(Vector512.Load(c + i), scale, Vector512.Load(b + i)), a + i);
        }
    }
}
