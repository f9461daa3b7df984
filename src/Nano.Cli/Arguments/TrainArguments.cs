using System.CommandLine;

namespace Nano.Cli;

/// <summary>The options of nano train that change what a run computes; what is left out comes from the preset.</summary>
internal static class TrainArguments
{
    private static readonly Option<int?> Steps = new("--steps") { Description = "Updates" };
    private static readonly Option<int?> Batch = new("--batch") { Description = "Rows per micro-batch; an update takes so many times --accumulate rows" };
    private static readonly Option<int?> Seq = new("--seq") { Description = "Tokens per row, and the model's context" };
    private static readonly Option<int?> Accumulate = new("--accumulate") { Description = "Micro-batches per update: 8 x 1, 4 x 2 and 1 x 8 rows give the same bits" };
    private static readonly Option<bool?> CheckpointActivations = new("--checkpoint-activations")
    {
        Description = "Less memory for more time: compute each block again in the backward pass (default: the preset's, but not with --activations bf16)",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Option<ActivationStorage?> Activations = Common.Activations();
    private static readonly Option<double?> LabelSmoothing = Common.Number("--label-smoothing", "Share of each target's weight that is spread evenly over all tokens, below 1 (default: 0)");
    private static readonly Option<double?> ZLoss = Common.Number("--z-loss", "Factor on the squared log of each position's sum of exponentials, such as 1e-4 (default: 0)");
    private static readonly Option<double?> Lr = Common.Number("--lr", "Peak learning rate");
    private static readonly Option<double?> MinLr = Common.Number("--min-lr", "Learning rate at the end (default: the preset's share of --lr)");
    private static readonly Option<int?> EvalInterval = new("--eval-interval") { Description = "Steps between evaluations; each saves a checkpoint" };
    private static readonly Option<int?> Keep = new("--keep") { Description = "Checkpoints that stay, besides the best: the newest so many (default: 1)" };
    private static readonly Option<int?> Layers = new("--layers") { Description = "Layers of the model" };
    private static readonly Option<int?> Heads = new("--heads") { Description = "Attention heads; they divide the channels" };
    private static readonly Option<int?> Channels = new("--channels") { Description = "Width of the model" };
    private static readonly Option<double?> Dropout = Common.Number("--dropout", "Probability of zeroing an activation while training (default: the preset's)");
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<Sampling?> Sampling = Common.Word("--sampling",
        "How rows are chosen: random; epochs: each once per pass over the data, in an order of its own for each pass; in-order: from the first to the last (default: random)",
        TrainSettings.ParseSampling);
    private static readonly Option<bool> Pack = new("--pack") { Description = "Rows hold whole documents, which see nothing of each other; takes data with marks between documents, see 'nano data prepare'" };

    public static void AddTo(Command verb)
    {
        foreach (var option in new Option[] { Steps, Batch, Seq, Accumulate, CheckpointActivations, Activations, LabelSmoothing, ZLoss, Lr, MinLr, EvalInterval, Keep, Layers, Heads, Channels, Seed, Sampling, Pack })
            verb.Options.Add(option);
        verb.Options.Add(Dropout);
        StabilityArguments.AddTo(verb);
        OptimizerArguments.AddTo(verb);
    }

    /// <summary>A preset's or a run's options with what the command line says otherwise.</summary>
    public static TrainOptions Read(ParseResult args, TrainOptions preset)
    {
        preset = OptimizerArguments.Read(args, preset);
        double lr = args.GetValue(Lr) ?? preset.LearningRate;
        int time = args.GetValue(Seq) ?? preset.Time;
        return preset with
        {
            Model = Sized(args, preset, time) with { Dropout = (float?)args.GetValue(Dropout) ?? preset.Model.Dropout },
            Steps = args.GetValue(Steps) ?? preset.Steps,
            Batch = args.GetValue(Batch) ?? preset.Batch,
            Time = time,
            Accumulate = args.GetValue(Accumulate) ?? preset.Accumulate,
            CheckpointActivations = Switch(args, CheckpointActivations) ?? (preset.CheckpointActivations && args.GetValue(Activations) != ActivationStorage.BFloat16),
            Activations = args.GetValue(Activations) ?? preset.Activations,
            LabelSmoothing = args.GetValue(LabelSmoothing) ?? preset.LabelSmoothing,
            ZLoss = args.GetValue(ZLoss) ?? preset.ZLoss,
            LearningRate = lr,
            MinLearningRate = args.GetValue(MinLr) ?? (lr == preset.LearningRate ? preset.MinLearningRate : preset.MinLearningRate * lr / preset.LearningRate),
            EvalInterval = args.GetValue(EvalInterval) ?? preset.EvalInterval,
            Stability = StabilityArguments.Read(args, preset.Stability),
            Keep = args.GetValue(Keep) ?? preset.Keep,
            Seed = args.GetResult(Seed) is { Implicit: false } ? args.GetValue(Seed) : preset.Seed,
            Sampling = args.GetValue(Sampling) ?? preset.Sampling,
            Pack = args.GetValue(Pack) || preset.Pack,
        };
    }

    /// <summary>The model in the sizes that are named; one that the run starts from keeps its own, its context included.</summary>
    private static ModelConfig Sized(ParseResult args, TrainOptions preset, int time)
    {
        if (preset.From is null)
            return preset.Model.WithSizes(time, args.GetValue(Layers), args.GetValue(Heads), args.GetValue(Channels));
        foreach (var (option, given, own) in new[] { (Layers, args.GetValue(Layers), preset.Model.Layers), (Heads, args.GetValue(Heads), preset.Model.Heads), (Channels, args.GetValue(Channels), preset.Model.Channels) })
            if (given is { } value && value != own)
                throw new NanoException($"{option.Name} is {value}, and the model '{preset.From}' has {own}", $"leave out {option.Name}: a model that is trained further keeps its sizes");
        return preset.Model;
    }

    /// <summary>A switch that may be followed by true or false; null where it is not there.</summary>
    private static bool? Switch(ParseResult args, Option<bool?> option) => args.GetResult(option) is { Implicit: false } ? args.GetValue(option) ?? true : null;
}
