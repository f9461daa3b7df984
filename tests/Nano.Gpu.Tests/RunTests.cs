namespace Nano.Tests;

/// <summary>Whole runs of the trainer whose steps a device takes.</summary>
public class RunTests
{
    private static readonly TrainOptions Options = new()
    {
        Preset = "tiny",
        Model = new Gpt2Config { VocabSize = 11, ContextLength = 16, Layers = 2, Heads = 2, Channels = 32 },
        Batch = 4,
        Time = 16,
        Steps = 30,
        LearningRate = 3e-3,
        MinLearningRate = 3e-4,
        WarmupSteps = 5,
        EvalInterval = 5,
        EvalBatches = 2,
        Seed = 5,
    };

    /// <summary>
    /// Goes on with a run up to a step; the losses of the steps, and the last loss on validation
    /// text.
    /// </summary>
    private static (List<double> Losses, double Validation) Train(string run, OrtDevice? device, int until,
        TrainOptions? options = null)
    {
        using var compute = new Compute(1);
        var on = device is null ? null : new TrainingDevice(device.Provider.Name,
            (model, compute, loader, options) => new OnnxTrainStep(model, compute, loader, options, device));
        using var trainer = new Trainer(options ?? Options,
            TrainingData.FromText(new Corpus("test", PatternedText.Sentences(), "made here"), null), run,
            Checkpoint.Exists(run), compute, 100, "test", on);
        using var stop = new CancellationTokenSource();
        var losses = new List<double>();
        double validation = double.NaN;
        foreach (var happened in trainer.Run(stop.Token))
        {
            if (happened is StepDone done)
            {
                losses.Add(done.Result.Loss);
                if (done.Step == until)
                    stop.Cancel();
            }
            validation = happened is Evaluated evaluated ? evaluated.ValLoss : validation;
        }
        return (losses, validation);
    }

    public static TheoryData<string> Devices => ["onnx-cpu", "webgpu"];

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_run_moves_from_our_kernels_to_a_device_and_back(string name)
    {
        using var device = new OrtDevice(Providers.Needs(name), 1);
        using TempFolder alone = new(), moved = new();
        var (expected, validation) = Train(alone.Root, null, 30);
        var first = Train(moved.Root, null, 12).Losses;
        var second = Train(moved.Root, device, 23).Losses;
        var (third, last) = Train(moved.Root, null, 30);
        Assert.Equal((12, 11, 7), (first.Count, second.Count, third.Count));
        double[] all = [.. first, .. second, .. third];
        for (int i = 0; i < expected.Count; i++)
            Assert.Equal(expected[i], all[i], i < 12 ? 0 : 1e-3);
        Assert.Equal(validation, last, 1e-3);
        Assert.NotEqual(expected.Skip(12), all.Skip(12)); // another's arithmetic was at work
    }

    [Fact]
    public void A_run_on_a_device_ends_with_the_same_bits_if_it_was_stopped_in_between()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using TempFolder alone = new(), stopped = new();
        var (expected, validation) = Train(alone.Root, device, 30);
        double[] all = [.. Train(stopped.Root, device, 7).Losses, .. Train(stopped.Root, device, 30).Losses];
        Assert.Equal(expected, all);
        foreach (string file in Directory.GetFiles(Path.Combine(alone.Root, "step-000030")))
            Assert.Equal(File.ReadAllBytes(file),
                File.ReadAllBytes(Path.Combine(stopped.Root, "step-000030", Path.GetFileName(file))));
        Assert.True(validation < expected[0] - 0.5);
    }

    [Fact]
    public void A_run_that_diverges_says_where_and_leaves_the_last_checkpoint_whole()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using var run = new TempFolder();
        var options = Options with { LearningRate = 1e30, MinLearningRate = 1e30, ClipNorm = double.PositiveInfinity };
        var e = Assert.Throws<DivergedException>(() => Train(run.Root, device, 30, options));
        Assert.StartsWith("step ", e.Message, StringComparison.Ordinal);
        Assert.Contains("is not finite; first in", e.Message, StringComparison.Ordinal);
        Assert.True(Checkpoint.Exists(run.Root));
    }

    [Fact]
    public void A_model_with_frozen_parameters_is_refused()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using var model = LanguageModel.Create(Options.Model);
        model.Parameters.Freeze(parameter => parameter.Name != "ln_f.bias");
        using var compute = new Compute(1);
        var e = Assert.Throws<NanoException>(() =>
            new OnnxTrainStep(model, compute, new BatchLoader(new int[100], 4, 16, "test"), Options, device));
        Assert.Equal("a device trains all parameters, and some of this model are frozen", e.Message);
        Assert.Equal("train on the processor, or freeze none", e.Hint);
    }

    public static TheoryData<string> Refused => ["`optimizer` lion", "`dropout`", "`activations` bf16",
        "`precision` bf16", "`pack`", "`ema`"];

    [Theory]
    [MemberData(nameof(Refused))]
    public void An_option_that_has_no_form_on_a_device_is_refused(string what)
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        var options = what switch
        {
            "`optimizer` lion" => Options with { Optimizer = OptimizerKind.Get("lion").Defaults },
            "`dropout`" => Options with { Model = Options.Model with { Dropout = 0.1f } },
            "`activations` bf16" => Options with { KeptActivations = Keep.BFloat16 },
            "`precision` bf16" => Options with { Precision = Precision.BFloat16 },
            "`pack`" => Options with { Pack = true },
            _ => Options with { Stability = new() { AverageDecay = 0.99 } },
        };
        using var model = LanguageModel.Create(options.Model);
        using var compute = new Compute(1);
        var e = Assert.Throws<NanoException>(() =>
            new OnnxTrainStep(model, compute, new BatchLoader(new int[100], 4, 16, "test"), options, device));
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
    }
}
