namespace Nano;

/// <summary>A figure of a task.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Value">The measured value.</param>
/// <param name="Expected">What another program reached, or null where none has been measured.</param>
public sealed record TaskFigure(string Name, double Value, double? Expected = null);

/// <summary>A task at work: where it runs, with which seed, for how many steps, and who watches.</summary>
/// <param name="compute">The context to run in.</param>
/// <param name="seed">The seed of weights and data.</param>
/// <param name="steps">Steps of each training in place of the task's own, or null.</param>
/// <param name="progress">Is told of steps done, of all, and of the loss.</param>
public sealed class TaskRun(Compute compute, ulong seed, int? steps = null,
    Action<string, int, int, double>? progress = null)
{
    private const int Warmup = 50;
    private const double LeastRate = 0.1;

    private Characters? characters;

    /// <summary>The context to run in.</summary>
    public Compute Compute => compute;

    /// <summary>The seed of weights and data.</summary>
    public ulong Seed => seed;

    /// <summary>The text of tasks that have one; Shakespeare's where nothing is said.</summary>
    public Corpus? Corpus { get; init; }

    /// <summary>That text as ids.</summary>
    internal Characters Characters => characters ??= new(Corpus ?? Shakespeare());

    private static Corpus Shakespeare()
    {
        using var store = new CorpusStore();
        return store.LoadTextAsync(CorpusStore.DefaultCorpus).GetAwaiter().GetResult();
    }

    /// <summary>Random numbers of held-out data.</summary>
    internal Draws HeldOut => new(Philox.Key(seed, (ulong)RandomPurpose.ValidationEvaluation), 0);

    /// <summary>
    /// Trains a model: AdamW with 0.9 and 0.99, a warm-up of 50 steps, a cosine to a tenth of the rate, gradients
    /// clipped at 1.
    /// </summary>
    /// <returns>The loss of the last batch.</returns>
    internal double Fit(string what, Model model, int steps, double rate, double decay, Func<Draws, Batch> batch)
    {
        int count = Math.Max(1, StepsOf(steps));
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.TrainingWindows);
        using var step = new ModelStep(model, compute, number => batch(new Draws(key, (ulong)number)),
            new("adamw", Beta2: 0.99, WeightDecay: decay));
        double loss = double.NaN;
        for (int i = 0; i < count; i++)
        {
            double share = LeastRate + ((1 - LeastRate) / 2 * (1 + Math.Cos(Math.PI * i / count)));
            loss = step.Run(i, rate * share * Math.Min(1, (i + 1.0) / Warmup)).Loss;
            progress?.Invoke(what, i + 1, count, loss);
        }
        return loss;
    }

    /// <summary>The steps of a training that has some of its own where nothing else is asked for.</summary>
    internal int StepsOf(int own) => steps ?? own;

    /// <summary>
    /// Random weights as PyTorch's layers begin: matrices uniform within 1 / sqrt(inputs), tables normal with the
    /// deviation <paramref name="tables"/>, positions with <paramref name="positions"/>, biases zero.
    /// </summary>
    internal T Initialized<T>(T model, double tables = 1, double positions = 1) where T : Model
    {
        model.Initialize(seed);
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.Weights);
        for (int i = 0; i < model.Parameters.All.Count; i++)
        {
            Tensor parameter = model.Parameters.All[i];
            if (parameter.Shape.Rank < 2)
                continue;
            switch (parameter.Parameter!.Role)
            {
                case ParameterRole.Embedding when parameter.Shape.Rank == 2:
                    Philox.Normal(key, (ulong)i, tables, parameter.Data);
                    break;
                case ParameterRole.Position:
                    Philox.Normal(key, (ulong)i, positions, parameter.Data);
                    break;
                case ParameterRole.Norm:
                    break;
                default:
                    Philox.Uniform(key, (ulong)i, Math.Sqrt((double)parameter.Shape[0] / parameter.Length),
                        parameter.Data);
                    break;
            }
        }
        return model;
    }
}

/// <summary>Random numbers one after another, a pure function of a key and a stream.</summary>
internal sealed class Draws(ulong key, ulong stream)
{
    private ulong next;

    /// <summary>A number between two others.</summary>
    public double Uniform(double low, double high) => low + ((high - low) * Philox.Uniform(key, stream, next++));

    /// <summary>A whole number from 0 to below a limit.</summary>
    public int Below(int limit) => (int)Philox.Below(key, stream, next++, limit);

    /// <summary>A number of the standard normal distribution (Box and Muller, 1958).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform(0, 1))) * Math.Cos(2 * Math.PI * Uniform(0, 1));
}
