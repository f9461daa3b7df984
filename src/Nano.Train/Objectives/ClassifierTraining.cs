namespace Nano;

/// <summary>A step of a classifier's training.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps of the whole training.</param>
/// <param name="Loss">Mean loss over the batch before the update.</param>
/// <param name="LearningRate">The learning rate of the update.</param>
public sealed record ClassifierProgress(long Step, long Steps, double Loss, double LearningRate)
{
    /// <summary>Mean loss over the rows that are held out, at the end of an epoch; else null.</summary>
    public double? HeldOutLoss { get; init; }

    /// <summary>Share of right classes among these; else null.</summary>
    public double? Accuracy { get; init; }
}

/// <summary>
/// Trains an encoder to tell classes of texts (Devlin et al., "BERT", 2018, section 4.1): AdamW, a linear warm-up over
/// a tenth of the steps and a linear way down. The model is an encoder that is there, with a new head unless it has
/// these classes already, or a small one with random weights and a vocabulary of the texts. The bits depend on the
/// seed, and not on the number of threads.
/// </summary>
public sealed class ClassifierTraining : IDisposable
{
    private const double WarmupShare = 0.1;
    private static readonly Schedule Schedule = new("linear");

    private readonly ClassifierOptions options;
    private readonly Compute compute;
    private readonly ITokenizer tokenizer;
    private readonly ClassifierData data;
    private readonly Bert model;
    private readonly ModelStep step;

    /// <summary>Prepares a training.</summary>
    /// <exception cref="NanoException">The options are impossible, or there are less than two classes.</exception>
    /// <exception cref="BadFileException">The folder of the encoder is damaged.</exception>
    public ClassifierTraining(ClassifierOptions options, IReadOnlyList<LabelledText> rows, Compute compute)
    {
        options.Validate();
        (this.options, this.compute) = (options, compute);
        Labels = [.. rows.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)];
        if (Labels.Count < 2)
            throw new NanoException($"all {rows.Count} texts are of one class, {Quoted.Of(Labels[0])}",
                "give texts of at least two");
        tokenizer = options.From is { } folder ? TokenizerLoader.Load(ModelFolder.Resolve(folder))
            : WordPieceTrainer.Train(rows.Select(row => row.Text), options.Vocabulary);
        model = options.From is { } from ? Started(from) : Small(tokenizer.VocabSize);
        var config = (BertConfig)model.Architecture;
        data = new ClassifierData(rows, Labels, new(tokenizer, config.VocabSize, config.LongestText), options);
        Batch = Math.Min(options.Batch, data.TrainingCount);
        Steps = (long)Math.Ceiling((double)(options.Epochs ?? (options.From is null ? 20 : 3)) * data.TrainingCount
            / Batch);
        step = new ModelStep(model, compute, number => data.BatchOf(compute, number, Batch, config.PadToken));
    }

    /// <summary>The names of the classes.</summary>
    public ValueList<string> Labels { get; }

    /// <summary>Texts of an update.</summary>
    public int Batch { get; }

    /// <summary>Steps of the whole training.</summary>
    public long Steps { get; }

    /// <summary>The model that is trained.</summary>
    public Bert Model => model;

    /// <summary>Texts that are trained on, held out, and those of both that lost their ends.</summary>
    public (int Training, int HeldOut, int Cut) Counts => (data.TrainingCount, data.HeldOut.Length, data.Cut);

    private Bert Small(int vocabulary)
    {
        var small = new Bert(new BertConfig
        {
            VocabSize = vocabulary,
            ContextLength = 128,
            Layers = 2,
            Heads = 4,
            Channels = 64,
            Intermediate = 256,
            TokenTypes = 1,
            Head = BertHead.Classes,
            Labels = Labels,
            Classes = Labels.Count,
        });
        small.Initialize(options.Seed);
        return small;
    }

    /// <summary>An encoder that is there, under a head of these classes.</summary>
    private Bert Started(string path)
    {
        string folder = ModelFolder.Resolve(path);
        if (ConfigFile.LoadAny(Path.Combine(folder, ModelFolder.ConfigFile)) is not BertConfig config)
            throw new NanoException($"{Quoted.Path(path)} holds no encoder", "give the folder of BERT or a relative");
        using var before = AnyModel.Load(folder);
        var started = new Bert(config with { Head = BertHead.Classes, Labels = Labels, Classes = Labels.Count });
        started.Initialize(options.Seed);
        bool hasTheseClasses = config.Head == BertHead.Classes && config.Labels.Equals(Labels);
        var values = before.Parameters.All.ToDictionary(parameter => parameter.Name!);
        foreach (var parameter in started.Parameters.All)
            if (values.TryGetValue(parameter.Name!, out var value)
                && (hasTheseClasses || parameter.Parameter!.Role != ParameterRole.Head)
                && value.Shape == parameter.Shape)
                value.Data.CopyTo(parameter.Data);
        return started;
    }

    /// <summary>Trains until the last step or until asked to stop, which finishes the step at hand.</summary>
    /// <exception cref="DivergedException">A loss or gradient is not finite.</exception>
    public IEnumerable<ClassifierProgress> Run(CancellationToken stop)
    {
        double peak = options.LearningRate ?? (options.From is null ? 1e-3 : 5e-5);
        int warmup = (int)Math.Ceiling(WarmupShare * Steps);
        long perEpoch = Math.Max(1, data.TrainingCount / Batch);
        for (long number = 0; number < Steps && !stop.IsCancellationRequested; number++)
        {
            double rate = Schedule.At(number, peak, 0, warmup, (int)Math.Min(Steps, int.MaxValue));
            var result = step.Run(number, rate);
            var progress = new ClassifierProgress(number + 1, Steps, result.Loss, rate);
            if (data.HeldOut.Length > 0 && ((number + 1) % perEpoch == 0 || number + 1 == Steps))
            {
                var (loss, accuracy) = data.Evaluate(compute, model);
                progress = progress with { HeldOutLoss = loss, Accuracy = accuracy };
            }
            yield return progress;
        }
    }

    /// <summary>Writes model and tokenizer as a Hugging Face folder.</summary>
    /// <exception cref="NanoException">It cannot be written.</exception>
    public void Save(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot make the folder {Quoted.Path(folder)}: {Quoted.Reason(e)}", null, e);
        }
        tokenizer.Save(Path.Combine(folder, "tokenizer.json"));
        AnyModel.Save(folder, model);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        step.Dispose();
        model.Dispose();
    }
}
