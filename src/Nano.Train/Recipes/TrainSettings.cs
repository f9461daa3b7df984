namespace Nano;

/// <summary>
/// The settings of a run: recipes, command lines, refusals, help pages and docs/settings.md are made
/// from the tables here and in <see cref="TrainSettingTable"/>. The preset's name and the model, whose own
/// form is config.json, are not settings.
/// </summary>
public static class TrainSettings
{
    /// <summary>All settings, in the order in which they are applied and shown.</summary>
    public static IReadOnlyList<TrainSetting> All { get; } = [.. TrainSettingTable.Rows()];

    /// <summary>
    /// The sizes of the model, which a recipe gives as a config.json and a command line by these names.
    /// </summary>
    public static IReadOnlyList<Setting> OfModel { get; } =
    [
        new("layers", SettingKind.Whole, "Layers of the model") { Group = SettingGroup.Model, ChangesCost = true },
        new("heads", SettingKind.Whole, "Attention heads; they divide the channels")
        {
            Group = SettingGroup.Model,
            ChangesCost = true,
        },
        new("channels", SettingKind.Whole, "Width of the model") { Group = SettingGroup.Model, ChangesCost = true },
        new("dropout", SettingKind.Number, "Probability of zeroing an activation while training")
        {
            Group = SettingGroup.Model,
            Range = NumberRange.BelowOne,
            ChangesCost = true,
        },
    ];

    /// <summary>The options of a recipe that leaves out everything that it may.</summary>
    internal static TrainOptions Unsaid { get; } = new()
    {
        Preset = "",
        Model = new DecoderConfig
        {
            VocabSize = 1,
            Layers = 1,
            Heads = 1,
            Channels = 2,
            Intermediate = 2,
            ContextLength = 1,
        },
        Batch = 1,
        Time = 1,
        Steps = 1,
        LearningRate = 1,
        MinLearningRate = 1,
    };

    /// <summary>The setting of a key, of a run or of its model; null if there is none.</summary>
    public static Setting? Find(string key) => All.Concat(OfModel).FirstOrDefault(setting => setting.Key == key);

    /// <summary>The options with the named values.</summary>
    /// <exception cref="FormatException">
    /// There is no such setting, or its value is of another kind; the message names it.
    /// </exception>
    /// <exception cref="NanoException">
    /// There is no update rule of that name, or activations are to be recomputed and stored as bfloat16 at once.
    /// </exception>
    public static TrainOptions Apply(TrainOptions options, IEnumerable<KeyValuePair<string, string>> values)
    {
        var given = values.ToDictionary(StringComparer.Ordinal);
        foreach (string key in given.Keys)
            RefuseUnknown(key);
        RefuseRecomputedBFloat16(options, given);
        foreach (var setting in All) // in this order: an optimizer brings its constants, which may be named as well
            if (given.TryGetValue(setting.Key, out string? value))
                options = Apply(options, setting, value);
        return options;
    }

    /// <summary>Refuses to recompute what is stored as bfloat16, by these values or by the options before.</summary>
    private static void RefuseRecomputedBFloat16(TrainOptions options, Dictionary<string, string> given)
    {
        bool recompute = bool.TryParse(given.GetValueOrDefault("recompute"), out bool value) && value;
        if (recompute && (given.TryGetValue("activations", out string? stored) ? stored == "bf16"
            : options.KeptActivations == Keep.BFloat16))
            throw new NanoException("`activations` bf16 says how activations are stored, and `recompute` stores none",
                "leave out one of them; `recompute` saves more memory and costs more time");
    }

    private static TrainOptions Apply(TrainOptions options, TrainSetting setting, string value)
    {
        try
        {
            return setting.Set(options, value);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw Wrong(setting, value, e);
        }
    }

    private static FormatException Wrong(Setting setting, string value, Exception? inner = null) =>
        new($"'{setting.Key}' cannot be {Quoted.Of(value)}: it takes {setting.Accepts}", inner);

    private static void RefuseUnknown(string key)
    {
        if (All.Any(setting => setting.Key == key))
            return;
        if (All.FirstOrDefault(setting => setting.FormerKey == key || setting.Option == key) is { } renamed)
            throw new FormatException(renamed.FormerKey == key ? $"'{key}' is now called '{renamed.Key}'"
                : $"'{key}' is called '{renamed.Key}' in a recipe");
        string[] known = [.. All.Select(setting => setting.Key)];
        throw new FormatException($"there is no setting {Quoted.Of(key)}; {NearestMatch.Hint(key, known, "settings")}");
    }

    /// <summary>
    /// The options of a preset or of a run with values that someone asks for instead. An update rule
    /// brings its learning rate, a learning rate the lowest one, a length the model's context.
    /// </summary>
    /// <param name="options">The options to start from.</param>
    /// <param name="values">Values by the keys of <see cref="All"/> and <see cref="OfModel"/>.</param>
    /// <exception cref="FormatException">A value is of another kind; the message names the setting.</exception>
    /// <exception cref="NanoException">
    /// There is no such update rule, it lacks a constant that is given, or the model that the run starts
    /// from has other sizes.
    /// </exception>
    public static TrainOptions Override(TrainOptions options, IReadOnlyDictionary<string, string> values)
    {
        options = WithRule(options, values);
        var (rate, lowest) = (options.LearningRate, options.MinLearningRate);
        options = Apply(options, values.Where(value => OfModel.All(size => size.Key != value.Key)));
        if (!values.ContainsKey("min_lr") && options.LearningRate != rate)
            options = options with { MinLearningRate = lowest * options.LearningRate / rate };
        return options with { Model = Sized(options, values) };
    }

    /// <summary>The learning rates of the update rule that is asked for; its constants come with its name.</summary>
    private static TrainOptions WithRule(TrainOptions options, IReadOnlyDictionary<string, string> values)
    {
        var kind = OptimizerKind.Get(values.GetValueOrDefault("optimizer", options.Optimizer.Name));
        foreach (string constant in OptimizerOptions.Constants)
            if (values.ContainsKey(constant) && !kind.Has(constant))
            {
                var own = OptimizerOptions.Constants.Where(kind.Has).Select(other => $"`{other}`");
                throw new NanoException($"`{constant}` does not apply to {kind.Name}",
                    $"its constants: {string.Join(", ", own)}");
            }
        double factor = kind.Name == options.Optimizer.Name ? 1 : kind.RateFactor;
        return options with
        {
            LearningRate = options.LearningRate * factor,
            MinLearningRate = options.MinLearningRate * factor,
        };
    }

    /// <summary>
    /// The model in the sizes that are asked for; one that the run starts from keeps its own, its context
    /// included.
    /// </summary>
    private static ModelConfig Sized(TrainOptions options, IReadOnlyDictionary<string, string> values)
    {
        int? layers = Size("layers"), heads = Size("heads"), channels = Size("channels");
        var model = options.Model;
        if (options.From is null)
            model = model.WithSizes(options.Time, layers, heads, channels);
        else
            foreach (var (key, given, own) in new[]
            {
                ("layers", layers, model.Layers), ("heads", heads, model.Heads), ("channels", channels, model.Channels),
            })
                if (given is { } value && value != own)
                    throw new NanoException($"`{key}` is {value}, and the model '{options.From}' has {own}",
                        $"leave out `{key}`: a model that is trained further keeps its sizes");
        return Given("dropout") is { } dropout ? model with { Dropout = (float)dropout } : model;

        int? Size(string key) => (int?)Given(key);

        double? Given(string key) => !values.TryGetValue(key, out string? text) ? null
            : OfModel.First(size => size.Key == key) is var size && size.TryParse(text, out double value) ? value
            : throw Wrong(size, text);
    }
}
