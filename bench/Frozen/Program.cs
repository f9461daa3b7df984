using System.Diagnostics;
using Nano;

// Memory and time of a training step of GPT-2 (random weights), with everything trainable and with everything
// frozen but
// one bias: Frozen [MODEL] [ROWS] [TOKENS] [THREADS]. The time is the processor's, which other processes do
// not distort.
string name = args.Length > 0 ? args[0] : "gpt2";
int rows = Argument(1, 4), tokens = Argument(2, 64), threads = Argument(3, 0);
const int Steps = 5;

Console.WriteLine($"{name}, {rows} x {tokens} tokens, medians of {Steps} steps");
Console.WriteLine($"{"trained",-24}{"loss",12}{"cpu ms",9}"
    + $"{"parameters' gradients",25}{"step's peak",16}{"optimizer",14}");
foreach (string? only in new[] { null, "h.0.attn.c_attn.bias", "h.11.mlp.c_proj.bias", "ln_f.bias" })
    Measure(only);

int Argument(int index, int otherwise) => args.Length > index ? int.Parse(args[index]) : otherwise;

void Measure(string? only)
{
    var config = Gpt2Config.Named(name);
    var options = new TrainOptions
    {
        Preset = name, Model = config, Batch = rows, Time = tokens, Steps = 1000, LearningRate = 1e-4,
        MinLearningRate = 1e-5,
    };
    using var model = LanguageModel.Create(config);
    model.Initialize(1);
    long values = model.Parameters.ReservedBytes;
    if (only is not null)
        model.Parameters.Freeze(parameter => parameter.Name != only);
    var text = new int[(rows * tokens * 4) + 1];
    for (int i = 0; i < text.Length; i++)
        text[i] = (int)Philox.Below(7, 0, (ulong)i, config.VocabSize);
    using var compute = new Compute(threads);
    using var step = new TrainStep(model, compute, new BatchLoader(text, rows, tokens, "benchmark"), options);
    double loss = 0;
    var times = new List<double>();
    for (int i = 0; i <= Steps; i++)
    {
        var start = Process.GetCurrentProcess().TotalProcessorTime;
        var result = step.Run(i, options.LearningRate);
        if (i == 0)
            loss = result.Loss;
        else
            times.Add((Process.GetCurrentProcess().TotalProcessorTime - start).TotalMilliseconds);
    }
    times.Sort();
    Console.WriteLine($"{only ?? "everything",-24}{loss,12:F9}{times[Steps / 2],9:F0}"
        + $"{Megabytes(model.Parameters.ReservedBytes - values),25}{Megabytes(compute.StepArena.PeakBytes),16}"
        + $"{Megabytes(step.Optimizer.ReservedBytes),14}");
}

static string Megabytes(long bytes) => $"{bytes / 1e6:F1} MB";
