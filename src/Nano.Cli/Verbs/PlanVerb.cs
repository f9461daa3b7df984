using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano plan: what nano train with the same options would cost.</summary>
internal static class PlanVerb
{
    /// <summary>Seconds that a step may take to be tried out.</summary>
    private const double LongestStep = 2;

    private static readonly Argument<string> Preset =
        new("preset")
        {
            Description = $"Recipe: {string.Join(", ", Presets.Names)}, or a file like those in data/recipes",
        };
    private static readonly Option<long?> DataTokens =
        new("--data-tokens") { Description = "Number of tokens of text; shows how often a run reads them" };
    private static readonly Option<double?> Share =
        Common.Number("--share",
            "Share of the machine's peak to expect (default: measured by a few steps if one takes less than 2 s, "
            + "else 0.6)");
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new GroupedCommand("plan", "Show the cost of nano train with these options: parameters, "
            + "arithmetic, memory, time on this machine, and the amount of text that suits the model.\n\nExample:\n"
            + "  nano plan gpt2-124m --batch 4 --accumulate 1 --data-tokens 300000000")
        {
            Preset,
        };
        verb.Add(SettingGroup.Data, DataTokens);
        TrainArguments.AddToPlan(verb);
        verb.Add(SettingGroup.Run, Json);
        verb.Add(SettingGroup.Machine, Share, Threads);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var plan = TrainingPlan.Of(TrainArguments.Read(args, Presets.Get(args.GetValue(Preset)!)));
        long? data = args.GetValue(DataTokens);
        double? share = args.GetValue(Share);
        if (data is < 1)
            throw new NanoException($"--data-tokens must be 1 or more, got {data}");
        if (share is not (null or > 0 and <= 1))
            throw new NanoException(string.Create(CultureInfo.InvariantCulture,
                $"--share must be above 0 and at most 1, got {share}"));
        using var compute = Common.NewCompute(args.GetValue(Threads));
        double peak = Machine.MeasurePeak(compute);
        TrainingEstimate[] ways = [plan.Estimate(compute, peak, recompute: false, share, LongestStep),
            plan.Estimate(compute, peak, recompute: true, share, LongestStep)];
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        ShowRun(human, plan, data);
        ShowWays(human, plan, ways,
            $"{Machine.CpuName()}, {compute.Threads} threads, {SimdWidths.NameOf(compute.Width)}, peak {peak:F0} "
            + "GFLOP/s (measured)", share is not null);
        if (json)
            Common.PrintJson(PlanJson(plan, data, peak, ways));
        return 0;
    }

    private static void ShowRun(TextWriter human, TrainingPlan plan, long? data)
    {
        var (o, model) = (plan.Options, plan.Options.Model);
        Line(human, $"model       {model.Layers} layers, {model.Heads} heads, {model.Channels:N0} channels, context "
            + $"{model.ContextLength:N0}, vocabulary {model.VocabSize:N0}");
        Line(human, $"parameters  {plan.Parameters:N0}; {plan.ParametersWithoutEmbeddings:N0} without embeddings");
        Line(human, $"run         {o.Steps:N0} steps of {o.Accumulate:N0} x {o.Batch:N0} x {o.Time:N0} tokens: "
            + $"{plan.Tokens:N0} tokens{Epochs(plan.Tokens, data)}");
        Line(human, $"            {plan.FlopsPerToken:0.000E+0} FLOPs per token as counted, "
            + $"{plan.FlopsPerToken * plan.Tokens:0.000E+0} in all");
        Line(human, $"            {plan.EstimatedFlopsPerToken:0.000E+0} FLOPs per token by 6 N, "
            + $"{plan.EstimatedFlopsPerToken * plan.Tokens:0.000E+0} in all by 6 N D");
        Line(human, $"best use    {plan.OptimalTokens:N0} tokens ({TrainingPlan.OptimalTokensPerParameter} per "
            + $"parameter; Hoffmann et al., 2022): {plan.OptimalSteps:N0} such "
            + $"steps{Epochs(plan.OptimalTokens, data)}");
        Line(human, $"            {plan.FlopsPerToken * plan.OptimalTokens:0.000E+0} FLOPs as counted, "
            + $"{plan.EstimatedFlopsPerToken * plan.OptimalTokens:0.000E+0} by 6 N D");
    }

    private static string Epochs(long tokens, long? data) => data is null ? ""
        : string.Create(CultureInfo.InvariantCulture, $", {tokens / (double)data:N2} epochs of {data:N0}");

    private static void ShowWays(TextWriter human, TrainingPlan plan, TrainingEstimate[] ways,
        string machine, bool given)
    {
        Line(human, $"machine     {machine}");
        Line(human, $"{"",-24}{"as it is",20}{"--recompute",28}");
        Row("parameters", way => $"{way.Memory.Parameters:N0} bytes");
        Row("gradients", way => $"{way.Memory.Gradients:N0} bytes");
        Row("moments", way => $"{way.Memory.Moments:N0} bytes");
        Row("activations", way => $"{way.Memory.Activations:N0} bytes");
        Row("scratch", way => $"{way.Memory.Scratch:N0} bytes");
        Row("runtime", _ => $"{MemoryPlan.Runtime:N0} bytes");
        Row("memory", way => $"{way.Memory.Total:N0} bytes");
        Row("share of peak",
            way => $"{100 * way.Share:F0} % {(given ? "given" : way.Measured ? "measured" : "assumed")}");
        Row("one step", way => Duration(way.StepSeconds));
        Row("the run", way => Duration(way.Seconds));
        Row("best use", way => Duration(way.OptimalSeconds));
        if (plan.Options.KeptActivations == Keep.Nothing)
            Line(human, $"note        nano train {plan.Options.Preset} computes activations again, as on the right");

        void Row(string name, Func<TrainingEstimate, FormattableString> of) =>
            Line(human, $"  {name,-22}{of(ways[0]).ToString(CultureInfo.InvariantCulture),20}"
                + $"{of(ways[1]).ToString(CultureInfo.InvariantCulture),28}");
    }

    /// <summary>Writes a line; the program has no culture but the invariant one, so numbers need none.</summary>
    private static void Line(TextWriter human, string text) => human.WriteLine(text);

    private static FormattableString Duration(double seconds) => seconds switch
    {
        < 1 => $"{seconds * 1000:F1} ms",
        < 120 => $"{seconds:F1} s",
        < 7200 => $"{seconds / 60:F1} minutes",
        < 172_800 => $"{seconds / 3600:F1} hours",
        < 2 * 31_557_600 => $"{seconds / 86_400:F1} days",
        _ => $"{seconds / 31_557_600:N1} years",
    };

    private static JsonFields PlanJson(TrainingPlan plan, long? data, double peak, TrainingEstimate[] ways) => new()
    {
        ["preset"] = plan.Options.Preset,
        ["parameters"] = plan.Parameters,
        ["parameters_without_embeddings"] = plan.ParametersWithoutEmbeddings,
        ["steps"] = plan.Options.Steps,
        ["tokens_per_step"] = plan.Options.TokensPerStep,
        ["tokens"] = plan.Tokens,
        ["flops_per_token"] = plan.FlopsPerToken,
        ["flops_per_token_6n"] = plan.EstimatedFlopsPerToken,
        ["flops"] = plan.FlopsPerToken * plan.Tokens,
        ["flops_6nd"] = plan.EstimatedFlopsPerToken * plan.Tokens,
        ["recomputed_flops_per_token"] = plan.RecomputedFlopsPerToken,
        ["optimal_tokens"] = plan.OptimalTokens,
        ["optimal_steps"] = plan.OptimalSteps,
        ["optimal_flops"] = plan.FlopsPerToken * plan.OptimalTokens,
        ["optimal_flops_6nd"] = plan.EstimatedFlopsPerToken * plan.OptimalTokens,
        ["data_tokens"] = data,
        ["epochs"] = plan.Tokens / (double?)data,
        ["optimal_epochs"] = plan.OptimalTokens / (double?)data,
        ["peak_gflops"] = peak,
        ["estimates"] = ways.Select(way => new JsonFields
        {
            ["checkpoint_activations"] = way.Recompute,
            ["parameters_bytes"] = way.Memory.Parameters,
            ["gradients_bytes"] = way.Memory.Gradients,
            ["moments_bytes"] = way.Memory.Moments,
            ["activations_bytes"] = way.Memory.Activations,
            ["scratch_bytes"] = way.Memory.Scratch,
            ["runtime_bytes"] = MemoryPlan.Runtime,
            ["total_bytes"] = way.Memory.Total,
            ["share_of_peak"] = way.Share,
            ["share_measured"] = way.Measured,
            ["step_seconds"] = way.StepSeconds,
            ["seconds"] = way.Seconds,
            ["optimal_seconds"] = way.OptimalSeconds,
        }),
    };
}
