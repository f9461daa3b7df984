using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>The options of nano train that choose an update rule and a schedule.</summary>
internal static class OptimizerArguments
{
    private static readonly Option<string?> Name = new("--optimizer")
    {
        Description = "Update rule (default: the preset's, adamw); where --lr is not given, it is the preset's times a factor of the rule: "
            + string.Join(", ", OptimizerKind.All.Select(kind => string.Create(CultureInfo.InvariantCulture, $"{kind.Name} {kind.RateFactor}"))),
    };

    private static readonly Option<double?> Beta1 = Common.Number("--beta1", "Decay of the mean of gradients");
    private static readonly Option<double?> Beta2 = Common.Number("--beta2", "Decay of the mean of squared gradients (lion: of the mean)");
    private static readonly Option<double?> Epsilon = Common.Number("--epsilon", "What keeps the division by the second moment finite");
    private static readonly Option<double?> WeightDecay = Common.Number("--weight-decay", "Decay of matrices and embeddings");
    private static readonly Option<double?> Momentum = Common.Number("--momentum", "What is kept of the velocity");
    private static readonly Option<bool?> Nesterov = new("--nesterov") { Description = "Whether momentum looks ahead: true or false" };
    private static readonly Option<double?> Rho = Common.Number("--rho", "How much curvature counts against the mean");
    private static readonly Option<double?> ClipNorm = Common.Number("--clip-norm", "Norm that all gradients together are scaled down to where they exceed it; Infinity for never");
    private static readonly Option<string?> Schedule = new("--schedule") { Description = "Learning rate after the warm-up: " + string.Join(", ", Nano.Schedule.Names) + " (default: cosine)" };
    private static readonly Option<int?> Warmup = new("--warmup") { Description = "Steps over which the learning rate rises to --lr" };
    private static readonly Option<int?> DecaySteps = new("--decay-steps") { Description = "Steps of the last phase of wsd and wsd-linear (default: a fifth of --steps)" };

    private static readonly (Option Option, string Constant)[] Constants =
        [(Beta1, "beta1"), (Beta2, "beta2"), (Epsilon, "epsilon"), (WeightDecay, "weight_decay"), (Momentum, "momentum"), (Nesterov, "nesterov"), (Rho, "rho")];

    public static void AddTo(Command verb)
    {
        foreach (var option in (Option[])[Name, .. Constants.Select(constant => constant.Option), ClipNorm, Schedule, Warmup, DecaySteps])
            verb.Options.Add(option);
    }

    /// <summary>A preset with what the command line says otherwise; its learning rates become those of the rule.</summary>
    public static TrainOptions Read(ParseResult args, TrainOptions preset)
    {
        var kind = OptimizerKind.Get(args.GetValue(Name) ?? preset.Optimizer.Name);
        foreach (var (option, constant) in Constants)
            if (args.GetResult(option) is not null && !kind.Has(constant))
                throw new NanoException($"{option.Name} does not apply to {kind.Name}", $"its constants: {string.Join(", ", Constants.Where(other => kind.Has(other.Constant)).Select(other => other.Option.Name))}");
        var usual = kind.Under(preset.Optimizer);
        double factor = kind.Name == preset.Optimizer.Name ? 1 : kind.RateFactor;
        return preset with
        {
            Optimizer = usual with
            {
                Beta1 = args.GetValue(Beta1) ?? usual.Beta1,
                Beta2 = args.GetValue(Beta2) ?? usual.Beta2,
                Epsilon = args.GetValue(Epsilon) ?? usual.Epsilon,
                WeightDecay = args.GetValue(WeightDecay) ?? usual.WeightDecay,
                Momentum = args.GetValue(Momentum) ?? usual.Momentum,
                Nesterov = args.GetValue(Nesterov) ?? usual.Nesterov,
                Rho = args.GetValue(Rho) ?? usual.Rho,
            },
            LearningRate = preset.LearningRate * factor,
            MinLearningRate = preset.MinLearningRate * factor,
            ClipNorm = args.GetValue(ClipNorm) ?? preset.ClipNorm,
            Schedule = new Schedule(args.GetValue(Schedule) ?? preset.Schedule.Name, args.GetValue(DecaySteps) ?? preset.Schedule.DecaySteps),
            WarmupSteps = args.GetValue(Warmup) ?? preset.WarmupSteps,
        };
    }
}
