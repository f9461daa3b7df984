using System.Diagnostics;

namespace Nano;

/// <summary>Tasks of Shakespeare's characters.</summary>
internal static class TextTasks
{
    private const int T = 64, Long = 256, Written = 200;

    public static IReadOnlyList<TaskFigure> Lstm(TaskRun run)
    {
        using var model = NewLstm(run);
        double last = run.Fit("lstm", model, 700, 4e-3, 0, draws => run.Characters.Batch(run.Compute, draws, 24, T));
        return [new("validation loss, the state carried on", CarriedLoss(run, model)),
            new("loss of the last batch", last)];
    }

    private static Rnn NewLstm(TaskRun run)
    {
        var model = new Rnn(new RnnConfig
        {
            VocabSize = run.Characters.Vocabulary,
            EmbeddingSize = 64,
            HiddenSize = 192,
        });
        model.Initialize(run.Seed);
        return model;
    }

    /// <summary>Mean loss over the whole validation text in sixteen parts, each read from its beginning to its end.
    /// </summary>
    private static double CarriedLoss(TaskRun run, Rnn model)
    {
        const int Parts = 16;
        var c = run.Compute;
        int[] text = run.Characters.Validation;
        int length = text.Length / Parts;
        double sum = 0;
        RecurrentState[]? states = null;
        using Arena even = new(), odd = new(); // of states, which outlive a step
        for (int start = 0, i = 0; start < length - 1; start += Long, i++)
        {
            c.NextStep();
            int count = Math.Min(Long, length - 1 - start);
            Tensor ids = c.New(new Shape(Parts, count), DType.Int32), targets = c.New(ids.Shape, DType.Int32);
            for (int part = 0; part < Parts; part++)
            {
                text.AsSpan((part * length) + start, count).CopyTo(ids.Ids[(part * count)..]);
                text.AsSpan((part * length) + start + 1, count).CopyTo(targets.Ids[(part * count)..]);
            }
            Arena next = i % 2 == 0 ? even : odd;
            next.Reset();
            (double loss, states) = c.WithoutTape(() =>
            {
                var (logits, behind) = model.Forward(c, ids, null, states);
                return ((double)c.CrossEntropy(logits, targets).Loss.Data[0],
                    Array.ConvertAll(behind, state => state.CopyTo(next)));
            });
            sum += loss * count / (length - 1);
        }
        return sum;
    }

    /// <summary>
    /// Attention that falls with the distance holds on texts four times as long as in training (Press et al., "Train
    /// Short, Test Long", 2021); rotated heads do not.
    /// </summary>
    public static IReadOnlyList<TaskFigure> Slopes(TaskRun run)
    {
        var figures = new List<TaskFigure>();
        foreach (var (name, kind) in new[] { ("slopes", PositionKind.Slopes), ("rotated", PositionKind.Rotary) })
        {
            using var model = new Decoder(Wide(run, 64, 2) with { Positions = kind });
            model.Initialize(run.Seed);
            run.Fit(name, model, 600, 2e-3, 0.1, draws => run.Characters.Batch(run.Compute, draws, 16, T));
            double near = run.Characters.Loss(run.Compute, model, T),
                far = run.Characters.Loss(run.Compute, model, Long);
            figures.AddRange([new($"validation loss at {T}, {name}", near), new($"at {Long}", far),
                new($"ratio of perplexities, {name}", Math.Exp(far - near))]);
        }
        return figures;
    }

    private static DecoderConfig Wide(TaskRun run, int channels, int layers) => new()
    {
        VocabSize = run.Characters.Vocabulary,
        ContextLength = Long,
        Layers = layers,
        Heads = 4,
        Channels = channels,
        Intermediate = 4 * channels,
        NormKind = NormKind.Layer,
        NormEpsilon = 1e-5f,
        Activation = ActivationKind.GeluErf,
        IsGated = false,
        QkvBias = true,
        OutputBias = true,
        MlpBias = true,
        TiedHead = false,
    };

    /// <summary>Four kinds of models with as many parameters and the same batches.</summary>
    public static IReadOnlyList<TaskFigure> BesideEachOther(TaskRun run)
    {
        const int B = 24, Steps = 700;
        int V = run.Characters.Vocabulary;
        var figures = new List<TaskFigure>();
        foreach (var (name, rate, make) in new (string, double, Func<Model>)[]
        {
            ("LSTM", 4e-3, () => NewLstm(run)),
            ("GPT-2", 2e-3, () => new Gpt2(new Gpt2Config
            {
                VocabSize = V, ContextLength = Long, Layers = 3, Heads = 4, Channels = 72,
            })),
            ("Llama", 2e-3, () => new Decoder(new DecoderConfig
            {
                VocabSize = V, ContextLength = Long, Layers = 3, Heads = 4, Channels = 72, Intermediate = 192,
            })),
            ("Mamba", 4e-3, () => new Mamba(new MambaConfig
            {
                VocabSize = V, ContextLength = Long, Layers = 3, Heads = 1, Channels = 96, Intermediate = 192,
                StateSize = 16, StepRank = 6,
            })),
        })
        {
            using var model = make();
            if (model is LanguageModel)
                model.Initialize(run.Seed);
            long start = Stopwatch.GetTimestamp();
            run.Fit(name, model, Steps, rate, 0.1, draws => run.Characters.Batch(run.Compute, draws, B, T));
            double trained = Stopwatch.GetElapsedTime(start).TotalSeconds;
            figures.AddRange(
            [
                new($"{name}: parameters", model.Parameters.Count),
                new("validation loss", run.Characters.Loss(run.Compute, model, T)),
                new("tokens/s of training", run.StepsOf(Steps) * (double)B * T / trained),
                new("tokens/s written", WrittenPerSecond(run, model)),
            ]);
        }
        return figures;
    }

    private static double WrittenPerSecond(TaskRun run, Model model)
    {
        int[] prompt = run.Characters.Validation[..T];
        double seconds = double.PositiveInfinity;
        for (int i = 0; i < 3; i++)
        {
            long start = Stopwatch.GetTimestamp();
            int count = model is Rnn recurrent
                ? run.Compute.WithoutTape(() => recurrent.Continue(run.Compute, prompt, Written)).Count
                : Continue((LanguageModel)model);
            seconds = Math.Min(seconds, Stopwatch.GetElapsedTime(start).TotalSeconds / count);
        }
        return 1 / seconds;

        int Continue(LanguageModel language)
        {
            using var generator = new Generator(language, run.Compute);
            return generator.Continue(prompt, new SamplerOptions { Temperature = 0 })
                .Take(Math.Min(Written, Long - T)).Count();
        }
    }
}
