using System.Diagnostics;
using System.Globalization;

namespace Nano;

/// <summary>One measured case.</summary>
/// <param name="Name">What was run.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="MedianMs">Median time of one run, in milliseconds.</param>
/// <param name="Gflops">Arithmetic done, in GFLOP/s.</param>
/// <param name="Gbps">Bytes of operands and result, each counted once, in GB/s; null where that says nothing.</param>
/// <param name="PercentOfPeak">Of the peak measured in the same process.</param>
/// <param name="Note">More, for people.</param>
public sealed record BenchResult(string Name, string Shape, double MedianMs, double Gflops, double? Gbps, double PercentOfPeak, string Note = "");

/// <summary>Quick figures without a benchmark framework: medians of repeated runs after a warm-up.</summary>
public static class QuickBench
{
    /// <summary>The matrix products of a GPT-2 training step and of the small Shakespeare model: forward (Y = X W^T), dX = dY W, dW = dY^T X. M tokens, N outputs, K inputs.</summary>
    private static readonly (int M, int N, int K)[] Shapes =
    [
        (256, 2304, 768), (256, 768, 768), (256, 3072, 768), (256, 768, 3072), (256, 50257, 768),
        (768, 384, 128), (768, 128, 128), (768, 512, 128), (768, 128, 512), (64, 64, 64), (1024, 1024, 1024),
    ];

    /// <summary>Measures every shape, forward and both backward products.</summary>
    public static IEnumerable<BenchResult> Gemm(Compute compute, Machine machine)
    {
        foreach (var (m, n, k) in Shapes)
        {
            Tensor x = Random(m, k, 1), w = Random(n, k, 2), dy = Random(m, n, 3);
            yield return Measure("forward", () => compute.MatMul(x, w, transposeB: true));
            yield return Measure("dX", () => compute.MatMul(dy, w));
            yield return Measure("dW", () => compute.MatMul(dy, x, transposeA: true));

            BenchResult Measure(string name, Action run)
            {
                double seconds = Median(minSeconds: 0.15, () =>
                {
                    compute.NextStep();
                    run();
                });
                double gflops = 2.0 * m * n * k / seconds / 1e9;
                return new BenchResult(name, $"{m} x {n} x {k}", seconds * 1000, gflops, sizeof(float) * (((double)m * k) + ((double)n * k) + ((double)m * n)) / seconds / 1e9, 100 * gflops / machine.PeakGflops);
            }
        }
    }

    /// <summary>Measures a whole training step (forward, backward, clipping, AdamW) of a named model with random weights and tokens.</summary>
    /// <exception cref="NanoException">No such model or preset.</exception>
    public static BenchResult TrainStep(Compute compute, Machine machine, string name, int batch, int time)
    {
        var preset = Presets.All.GetValueOrDefault(name);
        var config = preset is null ? Gpt2Config.Named(name) : preset.Model with { VocabSize = 65 };
        var options = new TrainOptions { Preset = name, Model = config, Batch = batch, Time = time, Steps = 1000, LearningRate = 1e-4, MinLearningRate = 1e-5 };
        options.Validate();
        using var model = new Gpt2(config);
        model.Initialize(1);
        var tokens = new int[(batch * time * 4) + 1];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = (int)Philox.Below(7, 0, (ulong)i, config.VocabSize);
        using var step = new TrainStep(model, compute, new BatchLoader(tokens, batch, time, "benchmark"), options);
        long number = 0;
        double seconds = Median(minSeconds: 3, () => step.Run(number++, 1e-4));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            step.Run(number++, 1e-4);
        long allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        using var process = Process.GetCurrentProcess();
        double gflops = (double)batch * time * Gpt2.TrainingFlopsPerToken(config, time) / seconds / 1e9;
        return new BenchResult("train-step", $"{name} B {batch} T {time}", seconds * 1000, gflops, null, 100 * gflops / machine.PeakGflops,
            string.Create(CultureInfo.InvariantCulture, $", {batch * time / seconds:N0} tokens/s, {process.WorkingSet64 / 1e9:F3} GB resident, {allocated:N0} managed bytes per step"));
    }

    private static double Median(double minSeconds, Action action)
    {
        for (int i = 0; i < 3; i++)
            action();
        var times = new List<double>();
        var total = Stopwatch.StartNew();
        while (times.Count < 5 || total.Elapsed.TotalSeconds < minSeconds)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        times.Sort();
        return times[times.Count / 2];
    }

    private static Tensor Random(int rows, int columns, ulong seed)
    {
        var tensor = new Tensor(new Shape(rows, columns));
        Philox.Normal(seed, 0, 1, tensor.Data);
        return tensor;
    }
}
