namespace Nano.Tests;

public class TrainStepTests
{
    static readonly Gpt2Config WideModel = new()
    {
        VocabSize = 29,
        ContextLength = 72,
        Layers = 2,
        Heads = 3,
        Channels = 24
    };

    /// <summary>
    /// Rows of one update: more than a block of the product's inner dimension (512), in windows
    /// longer than a key block of attention (64).
    /// </summary>
    static readonly TrainOptions Wide = Runs.Tiny with
    {
        Model = WideModel,
        Batch = 8,
        Time = 72,
        Steps = 3,
    };

    sealed class Session : IDisposable
    {
        public readonly LanguageModel Model;
        public readonly Compute Compute;
        public readonly TrainStep Step;

        public Session(TrainOptions options, int threads = 1, SimdWidth? width = null, int[]? tokens = null)
        {
            Model = Runs.NewModel(options);
            Compute = new Compute(threads, width);
            Step = new TrainStep(Model, Compute, new BatchLoader(tokens
                ?? Runs.RandomTokens(500, options.Model.VocabSize), options.Batch, options.Time, "test"), options);
        }

        public Tensor Parameter(string name) => Model.Parameters.All.Single(parameter => parameter.Name == name);

        public void Dispose()
        {
            Step.Optimizer.Dispose();
            Compute.Dispose();
            Model.Dispose();
        }
    }

    /// <summary>All that three updates compute, in bits.</summary>
    static (int[] Parameters, int[] Moments, StepResult[] Results) Train(TrainOptions options, int threads = 1,
        SimdWidth? width = null)
    {
        using var session = new Session(options, threads, width);
        StepResult[] results = [.. Enumerable.Range(0, 3).Select(step => session.Step.Run(step, 1e-2))];
        return (Runs.Bits(session.Model), Runs.Bits(session.Step.Optimizer), results);
    }

    static void AssertSame((int[] Parameters, int[] Moments, StepResult[] Results) expected,
        (int[] Parameters, int[] Moments, StepResult[] Results) actual)
    {
        Assert.Equal(expected.Results, actual.Results);
        Assert.True(expected.Parameters.AsSpan().SequenceEqual(actual.Parameters), "parameters differ");
        Assert.True(expected.Moments.AsSpan().SequenceEqual(actual.Moments), "moments differ");
    }

    [Fact]
    public void A_text_learned_by_heart_loses_next_to_nothing()
    {
        var options = Runs.Tiny with { Steps = 150, Batch = 2, Time = 12 };
        using var session = new Session(options, tokens: Runs.RandomTokens(13, 11)); // one window only
        double first = session.Step.Run(0, 1e-2).Loss, last = first;
        for (int step = 1; step < options.Steps; step++)
            last = session.Step.Run(step, 1e-2).Loss;
        Assert.Equal(Math.Log(11), first, 0.1);
        Assert.True(last < 0.02, $"loss {last}");
    }

    [Fact]
    public void Loss_and_norm_are_those_of_the_batch_before_the_update()
    {
        var options = Runs.Tiny with { ClipNorm = 0.1 };
        using var session = new Session(options);
        using var before = Runs.NewModel(options);
        var result = session.Step.Run(3, 1e-2);
        double squares = session.Model.Parameters.All
            .Sum(parameter => parameter.Gradient.Data.ToArray().Sum(value => (double)value * value));
        Assert.Equal(Math.Sqrt(squares), result.GradientNorm, 1e-6);
        Assert.True(result.GradientNorm > 0.1, "the norm is reported before clipping");

        var loader = new BatchLoader(Runs.RandomTokens(500, 11), 4, 8, "test");
        var (ids, targets) = (new Tensor(new Shape(4, 8), DType.Int32), new Tensor(new Shape(4, 8), DType.Int32));
        loader.Random(options.Seed, RandomPurpose.TrainingWindows, 3, ids, targets);
        Assert.Equal(session.Compute.CrossEntropy(before.Forward(session.Compute, ids), targets).Loss.Data[0],
            result.Loss, 1e-6);
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(2, 4)]
    [InlineData(1, 8)]
    public void A_batch_in_micro_batches_gives_the_same_bits(int batch, int accumulate)
    {
        foreach (bool tied in new[] { false, true })
        {
            var options = Wide with { Model = Wide.Model with { TiedHead = tied } };
            AssertSame(Train(options), Train(options with { Batch = batch, Accumulate = accumulate }));
        }
    }

    public static TheoryData<SimdWidth, int> WidthsAndThreads
    {
        get
        {
            var all = new TheoryData<SimdWidth, int>();
            foreach (var width in SimdWidths.All)
                foreach (int threads in new[] { 1, 2, 3, 7 })
                    all.Add(width, threads);
            return all;
        }
    }

    static readonly TrainOptions Dropping = Wide with
    {
        Model = WideModel with { Dropout = 0.2f, Gelu = GeluForm.Erf },
        Batch = 4,
        Accumulate = 2
    };
    static readonly Lazy<(int[], int[], StepResult[])> Expected = new(() => Train(Dropping, 1, SimdWidth.W128));

    [Theory]
    [MemberData(nameof(WidthsAndThreads))]
    public void Every_width_and_team_size_gives_the_same_bits_dropout_included(SimdWidth width, int threads) =>
        AssertSame(Expected.Value, Train(Dropping, threads, width));

    [Theory]
    [InlineData(0)]
    [InlineData(0.2f)]
    public void Activations_computed_again_give_the_same_bits(float dropout)
    {
        var options = Wide with { Model = Wide.Model with { Dropout = dropout }, Batch = 4, Accumulate = 2 };
        AssertSame(Train(options, 2), Train(options with { KeptActivations = Keep.Nothing }, 3));
    }

    [Fact]
    public void Dropout_changes_what_is_learned_and_differs_between_micro_batches()
    {
        Assert.NotEqual(Train(Wide).Results, Train(Wide with { Model = Wide.Model with { Dropout = 0.2f } }).Results);
        // One window only: all rows of all micro-batches are equal, so without dropout halving the batch and
        // doubling the micro-batches changes
        // nothing; equal masks in both micro-batches would give a batch that saw one mask twice.
        var options = Runs.Tiny with
        {
            Model = Runs.Tiny.Model with { Dropout = 0.5f },
            Batch = 1,
            Time = 12,
            Accumulate = 2
        };
        using var two = new Session(options, tokens: Runs.RandomTokens(13, 11));
        using var one = new Session(options with { Accumulate = 1 }, tokens: Runs.RandomTokens(13, 11));
        Assert.NotEqual(one.Step.Run(0, 1e-2).Loss, two.Step.Run(0, 1e-2).Loss);
    }

    [Theory]
    [InlineData("h.1.mlp.c_fc.weight", float.NaN)]
    [InlineData("ln_f.bias", float.PositiveInfinity)]
    public void A_bad_weight_stops_the_step_which_names_it_and_changes_nothing(string name, float bad)
    {
        using var session = new Session(Runs.Tiny);
        for (int step = 0; step < 2; step++)
            session.Step.Run(step, 1e-2);
        session.Parameter(name).Data[7] = bad;
        AssertFails(session, 2, $"step 3: the loss is not finite; first in {name} ", "element 7");
    }

    [Fact]
    public void An_overflow_on_the_way_is_named_by_the_place_where_it_starts()
    {
        using var session = new Session(Runs.Tiny);
        session.Parameter("h.1.mlp.c_proj.bias").Data.Fill(3e38f);
        session.Parameter("h.1.attn.c_proj.bias").Data.Fill(3e38f);
        AssertFails(session, 0, "step 1: the loss is not finite; first in block1 [4, 8, 16], element 0");
    }

    [Fact]
    public void A_gradient_that_overflows_where_the_loss_does_not_stops_the_step_too()
    {
        // Normed rows (final norm weights 0) meet a huge head: logits 0, loss log V, but the norm's weights
        // get gradients of some 10^38 times x-hat,
        // the same sign in every row since all rows are the same token.
        using var session = HugeHead(3e38f);
        AssertFails(session, 0, "step 1: the gradient is not finite; first in ln_f.weight [16], element");
    }

    [Fact]
    public void A_gradient_whose_norm_overflows_is_reported_as_such()
    {
        using var session = HugeHead(1e30f); // each gradient is finite, their squares are not
        AssertFails(session, 0, "step 1", "norm");
    }

    static Session HugeHead(float size)
    {
        var options = Runs.Tiny with { Model = Runs.Tiny.Model with { VocabSize = 4, TiedHead = false } };
        var session = new Session(options, tokens: new int[20]);
        session.Parameter("wpe.weight").Data.Clear();
        session.Parameter("ln_f.weight").Data.Clear();
        var head = session.Parameter("lm_head.weight").Data;
        for (int i = 0; i < head.Length; i++)
            head[i] = i / 16 < 2 ? size : -size;
        return session;
    }

    static void AssertFails(Session session, long step, params string[] expected)
    {
        var (parameters, moments, count) =
            (Runs.Bits(session.Model), Runs.Bits(session.Step.Optimizer), session.Step.Optimizer.StepCount);
        var e = Assert.Throws<DivergedException>(() => session.Step.Run(step, 1e-2));
        Assert.All(expected, text => Assert.Contains(text, e.Message, StringComparison.Ordinal));
        Assert.Contains("`lr`", e.Hint, StringComparison.Ordinal);
        Assert.Equal(parameters, Runs.Bits(session.Model));
        Assert.Equal(moments, Runs.Bits(session.Step.Optimizer));
        Assert.Equal(count, session.Step.Optimizer.StepCount);
    }

    [Fact]
    public void A_far_too_high_learning_rate_ends_in_an_error_and_not_in_nonsense()
    {
        using var session = new Session(Runs.Tiny);
        var e = Assert.Throws<DivergedException>(() =>
        {
            for (int step = 0; step < 20; step++)
                session.Step.Run(step, 1e30);
        });
        Assert.Contains("not finite", e.Message, StringComparison.Ordinal);
        Assert.All(session.Model.Parameters.All,
            parameter => Assert.All(parameter.Data.ToArray(), value => Assert.True(float.IsFinite(value))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_the_first_steps_a_step_allocates_next_to_nothing(bool checkpoint)
    {
        using var session = new Session(Wide with
        {
            Batch = 4,
            Accumulate = 2,
            KeptActivations = checkpoint ? Keep.Nothing : Keep.All,
            Model = Wide.Model with { Dropout = 0.1f }
        }, threads: 2);
        for (int step = 0; step < 3; step++)
            session.Step.Run(step, 1e-3);
        long reserved = session.Step.ReservedBytes, before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(reserved > session.Compute.StepArena.ReservedBytes);
        for (int step = 3; step < 13; step++)
            session.Step.Run(step, 1e-3);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(perStep < 48 * 1024, $"{perStep} bytes per step");
        for (int step = 13; step < 200; step++)
        {
            session.Step.Run(step, 1e-3);
            Assert.Equal(reserved, session.Step.ReservedBytes);
        }
    }

    /// <summary>As many parameters, ops and tensors as in GPT-2 124M.</summary>
    [Fact]
    public void A_step_through_twelve_layers_allocates_at_most_4_KB()
    {
        using var session = new Session(Runs.Tiny with { Model = Runs.Tiny.Model with { Layers = 12 } }, threads: 2);
        int step = 0;
        void RunTen()
        {
            for (int i = 0; i < 10; i++)
                session.Step.Run(step++, 1e-3);
        }
        RunTen();
        Assert.InRange(Allocations.Of(RunTen) / 10, 0, 4096);
    }

    [Fact]
    public void A_profile_has_every_op_of_an_update_as_often_as_it_runs()
    {
        using var session = new Session(Runs.Tiny with
        {
            Accumulate = 2,
            Model = Runs.Tiny.Model with { Dropout = 0.1f }
        });
        session.Compute.Profiler = new Profiler();
        for (int step = 0; step < 3; step++)
            session.Step.Run(step, 1e-3);
        // Two micro-batches of 4 x 8 tokens through two layers of 16 channels, 11 characters: products and
        // their gradients four times, of the head twice.
        (int Inputs, int Outputs, double Calls)[] layers = [(16, 48, 4), (16, 16, 4), (16, 64, 4), (64, 16, 4),
            (16, 11, 2)];
        (string, string, double)[] expected =
        [
            .. layers.Select(l => ("linear forward", $"32 x {l.Outputs} x {l.Inputs}", l.Calls)),
            .. layers.Select(l => ("linear dX", $"32 x {l.Inputs} x {l.Outputs}", l.Calls)),
            .. layers.Select(l => ("linear dW", $"{l.Outputs} x {l.Inputs} x 32", l.Calls)),
            ("linear db", "", 16), ("layernorm forward", "", 10), ("layernorm backward", "", 10),
                ("attention forward", "", 4), ("attention backward", "", 4),
            ("activation forward", "", 4), ("activation backward", "", 4), ("add forward", "", 10),
                ("add backward", "", 10), ("dropout forward", "", 10), ("dropout backward", "", 10),
            ("embedding forward", "", 2), ("embedding rows deferred", "", 2), ("embedding backward", "", 2),
                ("cross-entropy both ways", "", 2), ("mean loss", "", 2), ("head gradient handed on", "", 2),
            ("batch", "", 1), ("gradient norm", "", 1), ("adamw", "", 1), ("other", "", 1),
        ];
        Assert.Equal(expected.Order(), session.Compute.Profiler.Rows(new Machine(1, 1, 1))
            .Select(row => (row.Name, row.Shape, row.Calls)).Order());
        Assert.Equal(3, session.Compute.Profiler.Steps);
    }
}
