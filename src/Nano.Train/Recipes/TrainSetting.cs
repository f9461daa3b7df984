using System.Globalization;

namespace Nano;

/// <summary>A heading under which settings and options are shown together.</summary>
public enum SettingGroup
{
    /// <summary>The text and the rows made of it.</summary>
    Data,

    /// <summary>The model and its sizes.</summary>
    Model,

    /// <summary>Updates, rows per update, learning rate.</summary>
    Schedule,

    /// <summary>The loss and the update rule.</summary>
    Optimizer,

    /// <summary>Memory against time.</summary>
    Memory,

    /// <summary>Loss spikes, averages, early stopping.</summary>
    Safety,

    /// <summary>The folder of the run, evaluations, checkpoints.</summary>
    Run,

    /// <summary>Threads and devices.</summary>
    Machine,
}

/// <summary>The form of a setting's value.</summary>
public enum SettingKind
{
    /// <summary>A 32-bit whole number.</summary>
    Whole,

    /// <summary>A 64-bit whole number from 0.</summary>
    Seed,

    /// <summary>A number with a decimal point.</summary>
    Number,

    /// <summary>True or false.</summary>
    Switch,

    /// <summary>One of <see cref="Setting.Words"/>.</summary>
    Word,
}

/// <summary>A setting as it is described to people.</summary>
/// <param name="Key">The name in recipes, logs and messages.</param>
/// <param name="Kind">The form of its value.</param>
/// <param name="Help">The text of help pages and of the documentation.</param>
public record Setting(string Key, SettingKind Kind, string Help)
{
    /// <summary>The heading it stands under.</summary>
    public SettingGroup Group { get; init; }

    /// <summary>The name on a command line, without dashes in front.</summary>
    public string Option { get; init; } = Key.Replace('_', '-');

    /// <summary>The key that recipes of earlier versions have; null for most.</summary>
    public string? FormerKey { get; init; }

    /// <summary>The numbers that are accepted, where they do not depend on other settings.</summary>
    public NumberRange? Range { get; init; }

    /// <summary>The upper bound that another setting gives, in words; null for none.</summary>
    public string? Bound { get; init; }

    /// <summary>The hint of the error about a number outside of the range.</summary>
    public string? Advice { get; init; }

    /// <summary>The words that are accepted; empty for numbers and switches.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>
    /// True if the words are names, which are looked up, and refused, where they are used.
    /// </summary>
    public bool IsName { get; init; }

    /// <summary>
    /// The source of the value where a recipe leaves it out, in words; null where it is a fixed value.
    /// </summary>
    public string? DefaultSource { get; init; }

    /// <summary>True if a recipe must give the setting.</summary>
    public bool IsRequired { get; init; }

    /// <summary>True if the memory or the time of a run depends on the setting.</summary>
    public bool ChangesCost { get; init; }

    /// <summary>The values that are accepted, in words.</summary>
    public string Accepts => string.Join(", ", ((string?[])[KindText, Range?.Text, Bound]).OfType<string>());

    private string? KindText => Kind switch
    {
        SettingKind.Switch => "true or false",
        SettingKind.Word => Listed(Words),
        SettingKind.Seed => "a whole number from 0",
        SettingKind.Whole => "a whole number",
        _ => Range?.Text.Contains("number", StringComparison.Ordinal) == true ? null : "a number",
    };

    /// <summary>Reads a number of this kind; a comma, which .NET would pass over, is an error.</summary>
    internal bool TryParse(string text, out double value) =>
        double.TryParse(text, Styles, CultureInfo.InvariantCulture, out value)
        && (Kind == SettingKind.Number || Math.Abs(value) <= int.MaxValue);

    private NumberStyles Styles => Kind == SettingKind.Number ? NumberStyles.Float : NumberStyles.AllowLeadingSign;

    /// <summary>Words with commas and "or" between them.</summary>
    public static string Listed(IReadOnlyList<string> words) =>
        words.Count < 2 ? string.Concat(words) : $"{string.Join(", ", words.SkipLast(1))} or {words[^1]}";
}

/// <summary>One of the <see cref="TrainOptions"/>, as text under its key.</summary>
public sealed record TrainSetting : Setting
{
    internal TrainSetting(string key, SettingKind kind, string help, Func<TrainOptions, string?> get,
        Func<TrainOptions, string, TrainOptions> set) : base(key, kind, help) => (Get, Set) = (get, set);

    /// <summary>Reads its value; null where it means nothing, as the momentum of a rule that has none.</summary>
    public Func<TrainOptions, string?> Get { get; }

    /// <summary>Gives the options another value.</summary>
    /// <exception cref="FormatException">The text is no such value.</exception>
    /// <exception cref="NanoException">There is no update rule of that name.</exception>
    public Func<TrainOptions, string, TrainOptions> Set { get; }

    /// <summary>True if runs that differ in the setting may differ in their results.</summary>
    public bool ChangesResults { get; init; } = true;

    /// <summary>
    /// The value where a recipe leaves it out, or its source in words; null if a recipe must have it.
    /// </summary>
    public string? Default => DefaultSource ?? (IsRequired ? null : Get(TrainSettings.Unsaid));

    /// <summary>Refuses options whose number lies outside of the range.</summary>
    /// <exception cref="NanoException">It does; the message names the key.</exception>
    public void Check(TrainOptions options)
    {
        if (Range is not null && Get(options) is { } text)
            Range.Check(Key, double.Parse(text, CultureInfo.InvariantCulture), Advice);
    }

    internal static TrainSetting Whole(string key, string help, Func<TrainOptions, int> get,
        Func<TrainOptions, int, TrainOptions> set) =>
        new(key, SettingKind.Whole, help, options => Text(get(options)),
            (options, text) => set(options, ParseWhole(text)));

    internal static TrainSetting Number(string key, string help, Func<TrainOptions, double> get,
        Func<TrainOptions, double, TrainOptions> set) =>
        new(key, SettingKind.Number, help, options => Text(get(options)),
            (options, text) => set(options, Real(text)));

    internal static TrainSetting Switch(string key, string help, Func<TrainOptions, bool> get,
        Func<TrainOptions, bool, TrainOptions> set) =>
        new(key, SettingKind.Switch, help, options => get(options) ? "true" : "false",
            (options, text) => set(options, bool.Parse(text)));

    /// <summary>A setting that takes a name, which is looked up where it is used, and refused there.</summary>
    internal static TrainSetting Name(string key, string help, IReadOnlyList<string> names,
        Func<TrainOptions, string> get, Func<TrainOptions, string, TrainOptions> set) =>
        new(key, SettingKind.Word, help, get, set) { Words = names, IsName = true };

    /// <summary>A setting that takes one of a few words.</summary>
    internal static TrainSetting Word<T>(string key, string help, IReadOnlyList<(string Word, T Value)> words,
        Func<TrainOptions, T> get, Func<TrainOptions, T, TrainOptions> set) where T : struct, Enum
    {
        return new(key, SettingKind.Word, help, options => words.First(word => word.Value.Equals(get(options))).Word,
            (options, text) => set(options, ValueOf(text)))
        {
            Words = [.. words.Select(word => word.Word)],
        };

        T ValueOf(string text)
        {
            foreach (var (word, value) in words)
                if (word == text)
                    return value;
            throw new FormatException($"there is no {Quoted.Of(text)}");
        }
    }

    /// <summary>A constant of the update rule, if the rule has it.</summary>
    internal static TrainSetting Constant(string key, string help, Func<OptimizerOptions, double> get,
        Func<OptimizerOptions, double, OptimizerOptions> set) =>
        new(key, SettingKind.Number, help,
            options => OptimizerKind.Get(options.Optimizer.Name).Has(key) ? Text(get(options.Optimizer)) : null,
            (options, text) => options with { Optimizer = set(options.Optimizer, Real(text)) })
        {
            Range = OptimizerOptions.RangeOf(key),
            DefaultSource = "the rule's",
        };

    private static string Text<T>(T value) where T : IFormattable =>
        value.ToString(null, CultureInfo.InvariantCulture);

    internal static int ParseWhole(string text) =>
        int.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    internal static double Real(string text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
}
