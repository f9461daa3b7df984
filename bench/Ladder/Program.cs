using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;

namespace Nano.Ladder;

/// <summary>
/// Climbs the ladders: checks each step against double precision, times it, and prints one row of a
/// table. `make ladder`, or `Ladder [--only matmul|softmax|layernorm|attention|quant] [--size N]
/// [--markdown] [--check]`.
/// </summary>
internal static class Program
{
    private static readonly string[] Names = ["matmul", "softmax", "layernorm", "attention", "quant"];

    private static int Main(string[] args)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            var options = Options.Parse(args);
            if (options.Check)
                CheckAll();
            else
                TimeAll(options);
            return 0;
        }
        catch (NanoException e)
        {
            Console.Error.WriteLine($"error: {e.Message}\nhint:  {e.Hint}");
            return 1;
        }
    }

    private sealed record Options(IReadOnlyList<string> Only, int Size, bool Markdown, bool Check)
    {
        public static Options Parse(string[] args)
        {
            const string hint = "use [--only matmul|softmax|layernorm|attention|quant] [--size N] [--markdown] [--check]";
            var options = new Options(Names, 0, false, false);
            for (int i = 0; i < args.Length; i++)
            {
                string next = i + 1 < args.Length ? args[i + 1] : "";
                options = args[i] switch
                {
                    "--only" when Names.Contains(next) => options with { Only = [next] },
                    "--size" when int.TryParse(next, out int size) && size is > 0 and <= 100_000 =>
                        options with { Size = size },
                    "--markdown" => options with { Markdown = true },
                    "--check" => options with { Check = true },
                    _ => throw new NanoException($"cannot make sense of '{string.Join(' ', args)}'", hint),
                };
                i += args[i] is "--only" or "--size" ? 1 : 0;
            }
            return options.Size == 0 || options.Only.Count == 1 ? options
                : throw new NanoException("--size means something else for each ladder", "name one with --only");
        }
    }

    /// <summary>Every step at every width, at sizes that fill no vector, tile or block.</summary>
    private static void CheckAll()
    {
        var bits = new HashSet<int>(); // of the products, at every width
        foreach (var width in SimdWidths.All)
        {
            using Compute one = new(1, width), two = new(2, width);
            Ladder[] ladders = width switch
            {
                SimdWidth.W512 => Odd<Simd512, Vector512<float>>(),
                SimdWidth.W256 => Odd<Simd256, Vector256<float>>(),
                SimdWidth.W128 => Odd<Simd128, Vector128<float>>(),
                _ => Odd<SimdScalar, float>(),
            };
            foreach (var ladder in ladders)
            {
                var steps = ladder.Steps(one, two);
                Check(ladder, steps);
                if (ladder.SameBits)
                    bits.UnionWith(steps.Select(step => Ladder.Bits(step.RunAfresh())));
                CheckHard(ladder, steps);
                Console.WriteLine($"{width}: {ladder.Name}, {ladder.Problem}: {steps.Count} steps are right");
            }
        }
        if (bits.Count != 1)
            throw new NanoException("matmul: steps or widths differ in some bit",
                "each sum must run over k in order, one FMA per term");
    }

    private static Ladder[] Odd<S, V>() where S : ISimd<V> where V : unmanaged =>
        [new MatMul<S, V>(61, 77, 301), new Softmax<S, V>(5, 2503), new LayerNorm<S, V>(7, 333),
            new Attention<S, V>(3, 131, 64), new Quant<S, V>(37, 96)];

    private static Ladder Usual<S, V>(string name, int size) where S : ISimd<V> where V : unmanaged => name switch
    {
        "matmul" => size == 0 ? new MatMul<S, V>(768, 768, 768) : new MatMul<S, V>(size, size, size),
        "softmax" => new Softmax<S, V>(256, size == 0 ? 50257 : size),
        "layernorm" => new LayerNorm<S, V>(8192, size == 0 ? 768 : size),
        "quant" => new Quant<S, V>(size == 0 ? 32768 : size, 4096),
        _ => new Attention<S, V>(4, size == 0 ? 1024 : size, 64),
    };

    private static double[] Check(Ladder ladder, IReadOnlyList<Step> steps)
    {
        double[] reference = ladder.Reference();
        return [.. steps.Select(step => Check(ladder, step, Ladder.Error(step.RunAfresh(), reference), ladder.Tolerance,
            mayFail: false))];
    }

    /// <summary>
    /// The same on the hard rows, where those steps must fail that are shown for failing. Changes
    /// the input.
    /// </summary>
    private static double[] CheckHard(Ladder ladder, IReadOnlyList<Step> steps)
    {
        if (ladder.HardTolerance == 0)
            return [];
        ladder.MakeHard();
        double[] reference = ladder.Reference();
        return [.. steps.Select(step => Check(ladder, step, Ladder.Error(step.RunAfresh(), reference),
            ladder.HardTolerance, step.FailsOnHardRows))];
    }

    private static double Check(Ladder ladder, Step step, double error, double tolerance, bool mayFail) =>
        error <= tolerance != mayFail ? error
        : throw new NanoException(
            $"{ladder.Name}, {ladder.Problem}, step '{step.Name}': error {error:g2} with {tolerance:g2} "
            + $"allowed{(mayFail ? ", but it was expected to fail" : "")}",
            "a wrong result is not worth timing");

    private static void TimeAll(Options options)
    {
        using Compute one = new(1), all = new();
        Console.WriteLine($"{Machine.CpuName()}, {all.Threads} threads, {one.Width}, .NET {Environment.Version}; "
            + "medians; one thread in processor time");
        foreach (string name in options.Only)
        {
            var ladder = one.Width switch
            {
                SimdWidth.W512 => Usual<Simd512, Vector512<float>>(name, options.Size),
                SimdWidth.W256 => Usual<Simd256, Vector256<float>>(name, options.Size),
                SimdWidth.W128 => Usual<Simd128, Vector128<float>>(name, options.Size),
                _ => Usual<SimdScalar, float>(name, options.Size),
            };
            var machine = Machine.Measure(one);
            var steps = ladder.Steps(one, all);
            double[] errors = Check(ladder, steps);
            double[] seconds = [.. steps.Select(Time)];
            double[] hardErrors = CheckHard(ladder, steps);
            Table.Print(ladder, steps, seconds, errors, hardErrors, machine, options.Markdown);
        }
    }

    /// <summary>
    /// Seconds of one run: the median of samples of at least 10 ms, for about a second, at least
    /// three.
    /// </summary>
    private static double Time(Step step)
    {
        double once = Sample(step, 1);
        if (once > 2)
            return once;
        for (var warm = Stopwatch.StartNew(); warm.ElapsedMilliseconds < 150;) // until the JIT has finished with it
            once = Sample(step, 1);
        int runs = (int)Math.Ceiling(0.01 / once);
        var samples = new double[Math.Clamp((int)(0.8 / (once * runs)), 3, 41)];
        for (int i = 0; i < samples.Length; i++)
            samples[i] = Sample(step, runs);
        Array.Sort(samples);
        return samples[samples.Length / 2];
    }

    /// <summary>
    /// Processor time for a single thread, so that a busy neighbour on the machine does not count
    /// (much); time by the clock for several.
    /// </summary>
    private static double Sample(Step step, int runs)
    {
        var clock = Stopwatch.StartNew();
        var before = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < runs; i++)
            step.Compute();
        double seconds = step.Threads == 1 ? (Environment.CpuUsage.TotalTime - before).TotalSeconds
            : clock.Elapsed.TotalSeconds;
        GC.KeepAlive(step);
        return Math.Max(seconds, 1e-6) / runs;
    }
}
