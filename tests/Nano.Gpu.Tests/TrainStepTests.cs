namespace Nano.Tests;

/// <summary>The training step on a device against ours.</summary>
public class TrainStepTests
{
    private static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = 61,
        ContextLength = 19,
        Layers = 2,
        Heads = 2,
        Channels = 32
    };
    private static readonly DecoderConfig Llama = new()
    {
        VocabSize = 61,
        ContextLength = 19,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 32,
        Intermediate = 56
    };

    private static TrainOptions Options(ModelConfig model) => new()
    {
        Preset = "tiny",
        Model = model,
        Batch = 4,
        Time = 16,
        Steps = 50,
        LearningRate = 3e-3,
        MinLearningRate = 3e-4,
        WarmupSteps = 5,
        ClipNorm = 0.5,
        Seed = 5,
    };

    /// <summary>Text with something to learn: each token decides most of the next.</summary>
    private static int[] Tokens()
    {
        var random = new Random(3);
        int[] tokens = new int[2000];
        for (int i = 1; i < tokens.Length; i++)
            tokens[i] = random.Next(4) == 0 ? random.Next(61) : ((tokens[i - 1] * 7) + 3) % 61;
        return tokens;
    }

    /// <summary>A model and a step of it, ours or a device's.</summary>
    private sealed class Side : IDisposable
    {
        private readonly Compute compute = new(1);

        public Side(TrainOptions options, OrtDevice? device, Precision precision = Precision.Float32)
        {
            Model = LanguageModel.Create(options.Model);
            Model.Initialize(options.Seed);
            var loader = new BatchLoader(Tokens(), options.Batch, options.Time, "test");
            Step = device is null ? new TrainStep(Model, compute, loader, options)
                : new OnnxTrainStep(Model, compute, loader, options with { Precision = precision }, device);
            Step.FromHost();
        }

        public LanguageModel Model { get; }

        public ITrainStep Step { get; }

        public StepResult Run(TrainOptions options, long step)
        {
            var found = Step.FindGradients(step);
            Step.Update(options.LearningRateAt(step), found);
            return found;
        }

        public void Dispose()
        {
            Step.Dispose();
            Model.Dispose();
            compute.Dispose();
        }
    }

    public static TheoryData<string, string> Cases => Providers.With(["gpt2", "gpt2, accumulating", "llama, smoothed"]);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fifty_steps_are_those_of_our_kernels(string name, string provider)
    {
        using var device = new OrtDevice(Providers.Needs(provider), 1);
        var options = Options(name.StartsWith("llama", StringComparison.Ordinal) ? Llama : Gpt2);
        options = name switch
        {
            "gpt2, accumulating" => options with { Batch = 2, Accumulate = 3 },
            "llama, smoothed" => options with { LabelSmoothing = 0.1, ZLoss = 1e-3 },
            _ => options,
        };
        using Side ours = new(options, null), theirs = new(options, device);
        double first = 0, last = 0;
        for (long step = 0; step < options.Steps; step++)
        {
            var (expected, actual) = (ours.Run(options, step), theirs.Run(options, step));
            Assert.Equal(expected.Loss, actual.Loss, 1e-3);
            Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-2);
            Assert.Equal(ours.Step.Norm.ByGroup()["block1"], theirs.Step.Norm.ByGroup()["block1"], 1e-2);
            (first, last) = (step == 0 ? expected.Loss : first, expected.Loss);
        }
        Assert.True(last < first - 0.5, $"nothing was learnt: {first} to {last}");
        theirs.Step.ToHost();
        Assert.Equal(50, theirs.Step.Optimizer.StepCount);
        foreach (var (mine, other) in ours.Model.Parameters.All.Zip(theirs.Model.Parameters.All))
            Assert.True(Distance(mine, other) < 0.02, $"{mine.Name}: {Distance(mine, other)}");
        var rows = new BatchLoader(Tokens(), 4, 16, "test");
        Assert.Equal(EvaluateRows.OnRandomRows(ours.Step.Losses, rows, 10, 1, RandomPurpose.ValidationEvaluation),
            EvaluateRows.OnRandomRows(theirs.Step.Losses, rows, 10, 1, RandomPurpose.ValidationEvaluation), 1e-3);
    }

    /// <summary>Norm of the difference over the norm.</summary>
    private static double Distance(Tensor a, Tensor b)
    {
        double difference = 0, square = 0;
        for (int i = 0; i < a.Length; i++)
            (difference, square) = (difference + Math.Pow(a.Data[i] - b.Data[i], 2), square + Math.Pow(a.Data[i], 2));
        return Math.Sqrt(difference / square);
    }

    /// <summary>What a rollback does: the host's copy is replaced, and the device takes it over.</summary>
    [Theory]
    [InlineData("onnx-cpu")]
    [InlineData("webgpu")]
    public void A_step_goes_on_from_what_was_put_into_the_hosts_copy(string provider)
    {
        using var device = new OrtDevice(Providers.Needs(provider), 1);
        var options = Options(Gpt2);
        using var side = new Side(options, device);
        for (long step = 0; step < 3; step++)
            side.Run(options, step);
        side.Step.ToHost();
        Tensor[] state = [.. side.Model.Parameters.All, .. side.Step.Optimizer.State.Select(one => one.Tensor)];
        float[][] kept = [.. state.Select(tensor => tensor.Data.ToArray())];
        StepResult[] first = [side.Run(options, 3), side.Run(options, 4)];
        side.Step.ToHost();
        Assert.NotEqual(kept[0], state[0].Data.ToArray());
        foreach (var (tensor, values) in state.Zip(kept))
            values.CopyTo(tensor.Data);
        side.Step.Optimizer.StepCount = 3;
        side.Step.FromHost();
        StepResult[] again = [side.Run(options, 3), side.Run(options, 4)];
        if (provider == "onnx-cpu")
            Assert.Equal(first, again);
        // WebGPU adds the gradients of equal ids in whatever order its threads come
        for (int i = 0; i < first.Length; i++)
            Assert.Equal((first[i].Loss, first[i].GradientNorm), (again[i].Loss, again[i].GradientNorm), Nearly);

    }

    private static bool Nearly((double, double) a, (double, double) b) =>
        Math.Abs(a.Item1 - b.Item1) <= 1e-6 * a.Item1 && Math.Abs(a.Item2 - b.Item2) <= 1e-6 * a.Item2;

    public static TheoryData<string, string> Models => Providers.With(["gpt2", "llama"]);

    /// <summary>
    /// Each operand is rounded to 11 bits, so losses agree to about three digits while the two runs
    /// see the same weights, and both learn the same.
    /// </summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void With_products_of_float16_a_model_learns_as_well(string name, string provider)
    {
        using var device = new OrtDevice(Providers.Needs(provider), 1);
        var options = Options(name == "gpt2" ? Gpt2 : Llama);
        using Side ours = new(options, null), theirs = new(options, device, Precision.Float16);
        double first = 0, ourSum = 0, theirSum = 0;
        for (long step = 0; step < options.Steps; step++)
        {
            var (expected, actual) = (ours.Run(options, step), theirs.Run(options, step));
            if (step == 0)
                (first, _) = (expected.Loss, Near(expected.GradientNorm, actual.GradientNorm, 2e-2));
            Near(expected.Loss, actual.Loss, 2e-2);
            if (step >= 40)
                (ourSum, theirSum) = (ourSum + expected.Loss, theirSum + actual.Loss);
        }
        Assert.True(theirSum / 10 < first - 0.5, $"nothing was learnt: {first} to {theirSum / 10}");
        Assert.Equal(ourSum / 10, theirSum / 10, 1e-2);
        Assert.NotEqual(ourSum, theirSum);

        static bool Near(double expected, double actual, double tolerance)
        {
            Assert.InRange(actual, expected * (1 - tolerance), expected * (1 + tolerance));
            return true;
        }
    }

    [Fact]
    public void A_gradient_too_large_for_float16_is_computed_again_with_a_smaller_factor_on_the_loss()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        var options = Options(Gpt2) with { ZLoss = 300 };
        using Side ours = new(options, null), theirs = new(options, device, Precision.Float16);
        var step = (OnnxTrainStep)theirs.Step;
        Assert.Equal(65536, step.LossScale);
        double norm = ours.Step.FindGradients(0).GradientNorm;
        Assert.InRange(theirs.Step.FindGradients(0).GradientNorm, norm * 0.98, norm * 1.02);
        Assert.InRange(step.LossScale, 1, 32768);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(511, 1)]
    [InlineData(1024, 2)]
    [InlineData(4096, 8)]
    [InlineData(1500, 2)]
    [InlineData(1031, 1)] // a prime
    public void Blocks_of_the_loss_divide_its_rows(long rows, int blocks) =>
        Assert.Equal(blocks, OnnxTraining.LossBlocks(rows));

    [Fact]
    public void Losses_are_ours_for_batches_of_any_shape_in_turn()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using var compute = new Compute(1);
        using var model = LanguageModel.Create(Gpt2);
        model.Initialize(2);
        using var there = new OnnxLosses(model, device);
        var here = new ModelLosses(model, compute);
        var random = new Random(1);
        foreach (var (B, T) in new[] { (64, 16), (1, 3), (64, 16), (2, 19) })
        {
            int[] ids = [.. Enumerable.Range(0, B * T).Select(_ => random.Next(61))],
                targets = [.. ids.Select(id => id % 5 == 0 ? -100 : (id + 1) % 61)];
            void Fill(Tensor to, Tensor wanted)
            {
                ids.CopyTo(to.Ids);
                targets.CopyTo(wanted.Ids);
            }
            double expected = here.Add(1, B, T, Fill);
            Assert.Equal(expected, there.Add(1, B, T, Fill), expected * 1e-6);
        }
    }

    [Fact]
    public void The_factor_on_the_loss_is_doubled_after_two_thousand_steps_and_never_below_one()
    {
        var scale = new LossScale(Precision.Float16);
        for (int i = 0; i < 2000; i++)
            scale.Succeeded();
        Assert.Equal(1 << 17, scale.Value);
        for (int i = 0; i < 17; i++)
            Assert.True(scale.Halve());
        Assert.Equal(1, scale.Value);
        Assert.False(scale.Halve());
        Assert.False(new LossScale(Precision.Float32).Halve());
    }

    [Fact]
    public void Per_step_only_tokens_and_a_few_numbers_cross()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        var options = Options(Gpt2);
        using var side = new Side(options, device);
        side.Run(options, 0);
        long up = device.Traffic.Up, down = device.Traffic.Down;
        side.Run(options, 1);
        Assert.Equal(2 * 4 * 16 * sizeof(int) + (6 * sizeof(float)), device.Traffic.Up - up);
        Assert.Equal((1 + side.Model.Parameters.All.Count) * sizeof(float), device.Traffic.Down - down);
    }

    [Theory]
    [MemberData(nameof(Wholes))]
    public void The_whole_step_is_one_graph(string name, string provider)
    {
        using var device = new OrtDevice(Providers.Needs(provider), 1);
        var options = Options(name == "gpt2" ? Gpt2 : Llama);
        using Side ours = new(options, null);
        var graph = OnnxTraining.Whole(ours.Model, new(), default, options.Optimizer);
        using var session = device.Open(graph);
        var state = ours.Model.Parameters.All
            .Select(parameter =>
                (parameter.Name!, Value: OrtTensor.OfFloats(parameter.Shape.ToArray()),
                    Next: OrtTensor.OfFloats(parameter.Shape.ToArray()))).ToList();
        foreach (var ((_, value, _), parameter) in state.Zip(ours.Model.Parameters.All))
            parameter.Data.CopyTo(value.Floats);
        foreach (string moment in (string[])[".mean", ".square"])
            state.AddRange(ours.Model.Parameters.All
                .Select(parameter =>
                    (parameter.Name + moment, OrtTensor.OfFloats(parameter.Shape.ToArray()),
                        OrtTensor.OfFloats(parameter.Shape.ToArray()))));
        Tensor ids = new(new Shape(4, 16), DType.Int32), targets = new(new Shape(4, 16), DType.Int32);
        var loader = new BatchLoader(Tokens(), 4, 16, "test");
        using OrtTensor loss = OrtTensor.OfFloats(), norm = OrtTensor.OfFloats();
        for (int step = 0; step < 3; step++)
        {
            loader.Training(options.Seed, step, ids, targets);
            double rate = options.LearningRateAt(step);
            using OrtTensor lr = Scalar(rate), mean = Scalar(1 / (1 - Math.Pow(0.9, step + 1))),
                root = Scalar(1 / Math.Sqrt(1 - Math.Pow(0.95, step + 1))), clip = Scalar(options.ClipNorm);
            using OrtTensor inputIds = Given(ids), inputTargets = Given(targets);
            session.Run([("input_ids", inputIds), ("targets", inputTargets), ("learning_rate", lr),
                ("mean_correction", mean), ("root_correction", root), ("clip_norm", clip),
                    .. state.Select(one => (one.Item1, one.Value))],
                [("loss", loss), ("gradient_norm", norm), .. state.Select(one => ("next." + one.Item1, one.Next))]);
            state = [.. state.Select(one => (one.Item1, one.Next, one.Value))];
            var expected = ours.Run(options, step);
            Assert.Equal(expected.Loss, loss.Floats[0], 1e-4);
            Assert.Equal(expected.GradientNorm, norm.Floats[0], 1e-3);
        }
        foreach (var (parameter, (_, value, next)) in ours.Model.Parameters.All.Zip(state))
            for (int i = 0; i < parameter.Length; i++)
                Assert.Equal(parameter.Data[i], value.Floats[i], 1e-3);
        foreach (var (_, value, next) in state)
        {
            value.Dispose();
            next.Dispose();
        }
    }

    public static TheoryData<string, string> Wholes => Providers.With(["gpt2", "llama"]);

    private static OrtTensor Scalar(double value)
    {
        var scalar = OrtTensor.OfFloats();
        scalar.Floats[0] = (float)value;
        return scalar;
    }

    private static OrtTensor Given(Tensor ids) =>
        OrtTensor.OfLongs([.. ids.Ids.ToArray().Select(id => (long)id)], ids.Shape[0], ids.Shape[1]);
}
