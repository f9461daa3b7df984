using static System.FormattableString;
using static Nano.TrainSetting;

namespace Nano;

/// <summary>The rows of <see cref="TrainSettings.All"/>: one setting each.</summary>
internal static class TrainSettingTable
{
    public static IEnumerable<TrainSetting> Rows() =>
    [
        .. Under(SettingGroup.Data, OfData()), .. Under(SettingGroup.Schedule, OfSchedule()),
        .. Under(SettingGroup.Optimizer, OfLossAndRule()), .. Under(SettingGroup.Memory, OfMemory()),
        .. Under(SettingGroup.Safety, OfSafety()), .. Under(SettingGroup.Run, OfRun()),
        .. Under(SettingGroup.Machine, OfMachine()),
    ];

    private static IEnumerable<TrainSetting> Under(SettingGroup group, TrainSetting[] rows) =>
        rows.Select(row => row with { Group = group });

    private static TrainSetting[] OfData() =>
    [
        Whole("seq", "Tokens per row, and the context of a new model",
            o => o.Time, (o, value) => o with { Time = value }) with
        {
            Range = NumberRange.AtLeastOne,
            Bound = "at most the model's context",
            DefaultSource = "the model's context",
            ChangesCost = true,
        },
        Word("sampling", "Order of the rows: random windows; epochs: every row once per pass, shuffled anew "
            + "for each pass; in-order: every row once per pass, from the first to the last",
            [("random", Sampling.Random), ("epochs", Sampling.Epochs), ("in-order", Sampling.InOrder)],
            o => o.Sampling, (o, value) => o with { Sampling = value }),
        Switch("pack", "Fill rows with whole documents that do not see each other; the data needs separators between "
            + "documents, see 'nano data prepare'", o => o.Pack, (o, value) => o with { Pack = value }),
    ];

    private static TrainSetting[] OfSchedule() =>
    [
        Whole("batch", "Rows per micro-batch; batch size = batch x accumulate",
            o => o.Batch, (o, value) => o with { Batch = value }) with
        {
            Range = NumberRange.AtLeastOne,
            IsRequired = true,
            ChangesCost = true,
        },
        Whole("accumulate", "Micro-batches per update: 8 x 1, 4 x 2 and 1 x 8 rows give the same bits",
            o => o.Accumulate, (o, value) => o with { Accumulate = value }) with
        {
            Range = NumberRange.AtLeastOne,
            ChangesCost = true,
        },
        Whole("steps", "Updates",
            o => o.Steps, (o, value) => o with { Steps = value }) with
        {
            Range = NumberRange.NotNegative,
            IsRequired = true,
            ChangesCost = true,
        },
        Number("lr", "Peak learning rate",
            o => o.LearningRate, (o, value) => o with { LearningRate = value }) with
        {
            Range = NumberRange.Positive,
            IsRequired = true,
        },
        Number("min_lr", "Final learning rate; it scales with the peak if only that is changed",
            o => o.MinLearningRate, (o, value) => o with { MinLearningRate = value }) with
        {
            Bound = "from 0 to `lr`",
            DefaultSource = "a tenth of `lr`",
        },
        Whole("warmup_steps", "Steps over which the learning rate rises to its peak",
            o => o.WarmupSteps, (o, value) => o with { WarmupSteps = value }) with
        {
            Option = "warmup",
            Range = NumberRange.NotNegative,
        },
        Name("schedule", "Shape of the learning rate after the warm-up", Schedule.Names,
            o => o.Schedule.Name, (o, value) => o with { Schedule = o.Schedule with { Name = value } }),
        new("decay_steps", SettingKind.Whole, "Steps of the last phase of the schedules wsd and wsd-linear",
            o => o.Schedule.DecayPhase(o.Steps)?.ToString(System.Globalization.CultureInfo.InvariantCulture),
            (o, text) => o with { Schedule = o.Schedule with { DecaySteps = ParseWhole(text) } })
        {
            Bound = "from 0 to `steps`",
            DefaultSource = "a fifth of `steps`",
        },
    ];

    private static TrainSetting[] OfLossAndRule() =>
    [
        Name("optimizer", "Update rule. If it is changed and no learning rate is given, the preset's is "
            + $"multiplied by the rule's factor: {RateFactors()}", [.. OptimizerKind.All.Select(kind => kind.Name)],
            o => o.Optimizer.Name,
            (o, value) => o with { Optimizer = OptimizerKind.Get(value).Under(o.Optimizer) }) with
        {
            ChangesCost = true,
        },
        Constant("beta1", "Decay of the mean of gradients",
            o => o.Beta1, (o, value) => o with { Beta1 = value }),
        Constant("beta2", "Decay of the mean of squared gradients (lion: of the mean)",
            o => o.Beta2, (o, value) => o with { Beta2 = value }),
        Constant("epsilon", "Term added to the root of the second moment, against division by zero",
            o => o.Epsilon, (o, value) => o with { Epsilon = value }),
        Constant("weight_decay", "Decay of matrices and embeddings",
            o => o.WeightDecay, (o, value) => o with { WeightDecay = value }),
        Constant("momentum", "Momentum factor",
            o => o.Momentum, (o, value) => o with { Momentum = value }),
        Constant("rho", "Sophia's scale of the curvature",
            o => o.Rho, (o, value) => o with { Rho = value }),
        new("nesterov", SettingKind.Switch, "Use Nesterov momentum",
            o => !OptimizerKind.Get(o.Optimizer.Name).Has("nesterov") ? null : o.Optimizer.Nesterov ? "true" : "false",
            (o, text) => o with { Optimizer = o.Optimizer with { Nesterov = bool.Parse(text) } })
        {
            DefaultSource = "the rule's",
        },
        Number("clip_norm", "Largest norm of all gradients together; larger ones are scaled down (Infinity: no "
            + "clipping)",
            o => o.ClipNorm, (o, value) => o with { ClipNorm = value }) with
        {
            Range = NumberRange.PositiveOrInfinite,
            Advice = "Infinity clips nothing",
        },
        Number("label_smoothing",
            "Label smoothing: share of each target's weight that is spread evenly over all tokens",
            o => o.LabelSmoothing, (o, value) => o with { LabelSmoothing = value }) with
        {
            Range = NumberRange.BelowOne,
        },
        Number("z_loss", "Weight of the z-loss, the squared log of each position's sum of exponentials, such as 1e-4",
            o => o.ZLoss, (o, value) => o with { ZLoss = value }) with
        {
            Range = NumberRange.NotNegative,
        },
        new("router_bias_rate", SettingKind.Number, "Change after each step of the biases by which DeepSeek-V3's "
            + "experts are chosen, towards even use, such as 1e-3; 0 leaves them as they are",
            o => o.RouterBiasRate != 0 ? o.RouterBiasRate.ToString(System.Globalization.CultureInfo.InvariantCulture)
                : null,
            (o, text) => o with { RouterBiasRate = Real(text) })
        {
            Range = NumberRange.NotNegative,
            DefaultSource = "0",
        },
        Word("fake_quant", "Quantisation-aware training: type to whose numbers the matrices in blocks are rounded "
            + "while losses and gradients are computed, for models that will be quantised", FakeQuantTypes,
            o => o.FakeQuant, (o, value) => o with { FakeQuant = value }) with
        {
            ChangesCost = true,
        },
    ];

    /// <summary>Types whose numbers lie at equal distances.</summary>
    private static readonly (string, WeightType)[] FakeQuantTypes =
    [
        ("none", WeightType.F32), ("q4_0", WeightType.Q4_0), ("q4_1", WeightType.Q4_1), ("q5_0", WeightType.Q5_0),
        ("q5_1", WeightType.Q5_1), ("q8_0", WeightType.Q8_0), ("q2_k", WeightType.Q2_K), ("q3_k", WeightType.Q3_K),
        ("q4_k", WeightType.Q4_K), ("q5_k", WeightType.Q5_K), ("q6_k", WeightType.Q6_K), ("tq2_0", WeightType.TQ2_0),
    ];

    private static string RateFactors() =>
        string.Join(", ", OptimizerKind.All.Select(kind => Invariant($"{kind.Name} {kind.RateFactor}")));

    private static TrainSetting[] OfMemory() =>
    [
        Switch("recompute", "Recompute each block in the backward pass: less memory, more time",
            o => o.KeptActivations == Keep.Nothing,
            (o, value) => (o.KeptActivations == Keep.Nothing) == value ? o
                : o with { KeptActivations = value ? Keep.Nothing : Keep.All }) with
        {
            FormerKey = "checkpoint_activations",
            ChangesResults = false,
            ChangesCost = true,
        },
        Word("activations", "Storage format of activations: bf16 halves their memory and rounds gradients slightly",
            [("float32", Keep.All), ("bf16", Keep.BFloat16)],
            o => o.KeptActivations == Keep.Nothing ? Keep.All : o.KeptActivations,
            (o, value) => o.KeptActivations == Keep.Nothing && value == Keep.All ? o
                : o with { KeptActivations = value }) with
        {
            ChangesCost = true,
        },
    ];

    private static TrainSetting[] OfSafety() =>
    [
        Word("on_spike", "Response to a spike of loss or gradient norm: off, warn, skip (its update) or "
            + "rollback (to the last evaluation, without the batches since)",
            [("off", OnSpike.Off), ("warn", OnSpike.Warn), ("skip", OnSpike.Skip), ("rollback", OnSpike.Rollback)],
            o => o.Stability.OnSpike,
            (o, value) => o with { Stability = o.Stability with { OnSpike = value } }),
        Number("spike_z", "Threshold of a spike, in standard deviations above the running mean",
            o => o.Stability.SpikeScore,
            (o, value) => o with { Stability = o.Stability with { SpikeScore = value } }) with
        {
            Range = NumberRange.Positive,
        },
        Whole("max_rollbacks", "Rollbacks before the run ends with an error",
            o => o.Stability.MaxRollbacks,
            (o, value) => o with { Stability = o.Stability with { MaxRollbacks = value } }) with
        {
            Range = NumberRange.AtLeastOne,
        },
        Number("ema", "Decay of a moving average of the weights, 0.999 for example, which is evaluated, sampled from "
            + "and saved in step-N/ema; 0 for none",
            o => o.Stability.AverageDecay,
            (o, value) => o with { Stability = o.Stability with { AverageDecay = value } }) with
        {
            Range = NumberRange.BelowOne,
            Advice = "0.999 averages over about the last thousand steps",
        },
        Whole("patience", "Number of evaluations without a better validation loss before the run ends; 0 for no "
            + "early stopping",
            o => o.Stability.Patience,
            (o, value) => o with { Stability = o.Stability with { Patience = value } }) with
        {
            Range = NumberRange.NotNegative,
        },
        Number("min_delta", "Smallest decrease of the validation loss that counts as better, in nats per token",
            o => o.Stability.MinDelta,
            (o, value) => o with { Stability = o.Stability with { MinDelta = value } }) with
        {
            Range = NumberRange.NotNegative,
        },
    ];

    private static TrainSetting[] OfRun() =>
    [
        Whole("eval_interval", "Steps between evaluations, each of which saves a checkpoint",
            o => o.EvalInterval, (o, value) => o with { EvalInterval = value }) with
        {
            Range = NumberRange.AtLeastOne,
        },
        Whole("eval_batches", "Batches of each split per evaluation",
            o => o.EvalBatches, (o, value) => o with { EvalBatches = value }) with
        {
            Range = NumberRange.AtLeastOne,
        },
        Whole("keep", "Number of newest checkpoints to keep, besides the best",
            o => o.Keep, (o, value) => o with { Keep = value }) with
        {
            Range = NumberRange.AtLeastOne,
            ChangesResults = false,
        },
        new("seed", SettingKind.Seed, "Seed of all random numbers",
            o => o.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture),
            (o, text) => o with { Seed = ulong.Parse(text, System.Globalization.CultureInfo.InvariantCulture) }),
    ];

    private static TrainSetting[] OfMachine() =>
    [
        Word("precision", "Number format of the operands of matrix products in training steps: float32; bf16, faster "
            + "on processors with AVX512_BF16; float16, on devices only. Weights, sums and all else are float32",
            [("float32", Precision.Float32), ("bf16", Precision.BFloat16), ("float16", Precision.Float16)],
            o => o.Precision, (o, value) => o with { Precision = value }) with
        {
            ChangesCost = true,
        },
    ];
}
