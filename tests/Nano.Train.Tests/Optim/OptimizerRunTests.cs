namespace Nano.Tests;

/// <summary>Runs under every update rule and schedule: learning, resuming, planning, describing.</summary>
public class OptimizerRunTests
{
    public static TheoryData<string> Names => [.. OptimizerKind.All.Select(kind => kind.Name)];

    static readonly TrainOptions Learning = Runs.Tiny with
    {
        Model = Runs.TinyModel with { Channels = 64, Layers = 1 },
        Steps = 40,
        Batch = 4,
        Time = 12
    };

    /// <summary>A small run under the rule's own constants and rate.</summary>
    static TrainOptions Under(string name) => Learning with
    {
        Optimizer = OptimizerKind.Get(name).Defaults,
        LearningRate = 3e-3 * OptimizerKind.Get(name).RateFactor,
        MinLearningRate = 0,
    };

    static (LanguageModel Model, TrainStep Step) NewRun(TrainOptions options, Compute compute)
    {
        var model = Runs.NewModel(options);
        return (model, new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(13, 11), options.Batch, options.Time, "test"), options));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_text_is_learned_and_a_step_allocates_next_to_nothing(string name)
    {
        var options = Under(name);
        using var compute = new Compute(2);
        var (model, step) = NewRun(options, compute);
        using (model)
        using (step)
        {
            double first = step.Run(0, options.LearningRateAt(0)).Loss, last = first;
            for (int i = 1; i < 20; i++)
                step.Run(i, options.LearningRateAt(i));
            long reserved = step.ReservedBytes, before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 20; i < 40; i++)
                last = step.Run(i, options.LearningRateAt(i)).Loss;
            long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 20;
            Assert.InRange(perStep, 0, 4096);
            Assert.Equal(reserved, step.ReservedBytes);
            Assert.True(last < 0.8 * first, $"the loss went from {first} to {last}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_run_resumed_has_the_bits_of_one_never_stopped(string name)
    {
        var options = Under(name);
        using var run = new TempFolder();
        using var compute = new Compute(2);
        var tokenizer = CharTokenizer.FromText("abcdefghijk");
        int[] Whole()
        {
            var (model, step) = NewRun(options, compute);
            using (model)
            using (step)
            {
                for (int i = 0; i < 14; i++)
                {
                    if (i == 5)
                        Checkpoint.Save(run.Root, model, tokenizer,
                            new RunState(options, new Dictionary<string, string>(),
                                [.. step.Optimizer.State])
                            { Step = 5 });
                    step.Run(i, options.LearningRateAt(i));
                }
                return [.. Runs.Bits(model), .. Runs.Bits(step.Optimizer)];
            }
        }
        int[] Resumed()
        {
            var (model, step) = NewRun(options with { Seed = options.Seed }, compute);
            using (model)
            using (step)
            {
                var state = new RunState(options, new Dictionary<string, string>(), [.. step.Optimizer.State]);
                Checkpoint.Load(run.Root, model, state);
                step.Optimizer.StepCount = state.Step;
                for (int i = 5; i < 14; i++)
                    step.Run(i, options.LearningRateAt(i));
                return [.. Runs.Bits(model), .. Runs.Bits(step.Optimizer)];
            }
        }
        int[] whole = Whole();
        Assert.True(whole.AsSpan().SequenceEqual(Resumed()), "other bits after resuming");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_plan_counts_the_state(string name)
    {
        var options = Under(name) with { Model = Learning.Model with { Channels = 128 } };
        using var compute = new Compute(1);
        var (model, step) = NewRun(options, compute);
        using (model)
        using (step)
        {
            long bytes = step.Optimizer.State.Sum(slot => slot.Tensor.Length * sizeof(float)),
                parameters = model.Parameters.Count;
            Assert.Equal(bytes, MemoryPlan.Of(options, 1).Moments);
            Assert.InRange((double)bytes / sizeof(float) / parameters, OptimizerKind.Get(name).StateFloats,
                OptimizerKind.Get(name).StateFloats + 0.1);
        }
    }

    [Fact]
    public void A_steps_curvature_is_the_squared_gradient_of_labels_that_the_model_drew()
    {
        var options = Learning with
        {
            Optimizer = OptimizerKind.Get("sophia").Defaults,
            Accumulate = 2,
            Model = Learning.Model with { Dropout = 0.2f }
        };
        using var compute = new Compute(2);
        var (model, step) = NewRun(options, compute);
        using var twin = Runs.NewModel(options);
        using (model)
        using (step)
        {
            step.FindGradients(0);
            float[] gradient = model.Parameters.All[0].Gradient.Data.ToArray();
            // The same by hand: the whole batch at once, labels drawn on their own, their gradient without dropout.
            var loader = new BatchLoader(Runs.RandomTokens(13, 11), options.Batch, options.Time, "test");
            var shape = new Shape(2 * options.Batch, options.Time);
            Tensor ids = new(shape, DType.Int32), labels = new(shape, DType.Int32);
            for (int micro = 0; micro < 2; micro++)
                loader.Random(options.Seed, RandomPurpose.TrainingWindows, micro,
                    ids.SliceRows(micro * options.Batch, options.Batch),
                    labels.SliceRows(micro * options.Batch, options.Batch));
            int[] text = labels.Ids.ToArray();
            using var other = new Compute(1);
            twin.Loss(other, ids, labels,
                new(Draw: new LabelDraw(Philox.Key(options.Seed, (ulong)RandomPurpose.CurvatureLabels), 0)));
            Assert.NotEqual(text, labels.Ids.ToArray());
            other.NextStep();
            other.Tape = new Tape();
            other.Tape.Backward(other, other.CrossEntropy(twin.Forward(other, ids), labels).Loss);
            var state = step.Optimizer.State.ToDictionary(slot => slot.Name, slot => slot.Tensor);
            foreach (var parameter in twin.Parameters.All)
            {
                float[] curvature = state[parameter.Name + ".curvature"].Data.ToArray();
                double largest = curvature.Max();
                Assert.True(largest > 0);
                for (int i = 0; i < curvature.Length; i++)
                    Assert.Equal(0.01 * shape.Length * parameter.Gradient.Data[i] * parameter.Gradient.Data[i],
                        curvature[i], 1e-4 * largest);
            }
            // What the step then learns from is not touched by it.
            step.Optimizer.StepCount = 1;
            step.FindGradients(0);
            Assert.Equal(gradient, model.Parameters.All[0].Gradient.Data.ToArray());
        }
    }

    [Theory]
    [InlineData("adagrd", "adagrad")]
    [InlineData("lyon", "lion")]
    [InlineData("rmspropp", "rmsprop")]
    public void An_unknown_rule_is_refused_with_the_nearest(string wrong, string nearest)
    {
        var e = Assert.Throws<NanoException>((Runs.Tiny with { Optimizer = new(wrong) }).Validate);
        Assert.Contains(wrong, e.Message, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{nearest}'", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void The_default_is_the_cosine_to_the_bit()
    {
        for (long step = 0; step < 2100; step++)
            Assert.Equal(Schedule.WarmupCosine(step, 1e-3, 1e-4, 100, 2000),
                Presets.Get("shakespeare-char").LearningRateAt(step));
    }

    [Fact]
    public void The_constants_that_a_rule_has_decide_a_run_and_the_others_do_not()
    {
        foreach (var kind in OptimizerKind.All)
        {
            var o = kind.Defaults;
            foreach (var (constant, changed) in new[] { ("beta1", o with { Beta1 = 0.5 }),
                ("beta2", o with { Beta2 = 0.5 }), ("epsilon", o with { Epsilon = 0.5 }),
                ("weight_decay", o with { WeightDecay = 0.5 }), ("momentum", o with { Momentum = 0.5 }),
                    ("nesterov", o with { Nesterov = !o.Nesterov }), ("rho", o with { Rho = 0.5 }) })
                Assert.Equal(kind.Has(constant), !(Runs.Tiny with { Optimizer = o }).Describe()
                    .SequenceEqual((Runs.Tiny with { Optimizer = changed }).Describe()));
        }
    }

    [Fact]
    public void A_rule_with_AdamWs_moments_takes_their_decays_from_the_preset()
    {
        var preset = Presets.Get("shakespeare-char").Optimizer;
        Assert.Same(preset, OptimizerKind.Get("adamw").Under(preset));
        Assert.Equal(new OptimizerOptions("adam", 0.9, 0.99, WeightDecay: 0), OptimizerKind.Get("adam").Under(preset));
        Assert.Equal(OptimizerKind.Get("lion").Defaults, OptimizerKind.Get("lion").Under(preset));
    }

    [Fact]
    public void A_schedule_decides_a_run()
    {
        string[] all = [.. Schedule.Names.Select(name => Text(new Schedule(name))), Text(new Schedule("wsd", 7)),
            Text(new Schedule("wsd-linear", 7))];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.Equal(Text(new Schedule("wsd")), Text(new Schedule("wsd", 20))); // a fifth of 100

        static string Text(Schedule schedule) =>
            string.Join(", ", (Runs.Tiny with { Steps = 100, Schedule = schedule }).Describe());
    }
}
