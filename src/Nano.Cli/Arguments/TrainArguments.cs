using System.CommandLine;

namespace Nano.Cli;

/// <summary>
/// The options of nano train that change what a run computes, made from the table of settings; the
/// others come from the preset.
/// </summary>
internal static class TrainArguments
{
    private static readonly (Setting Setting, Option Option)[] All =
        [.. TrainSettings.OfModel.Concat(TrainSettings.All).Select(setting => (setting, OptionOf(setting)))];

    /// <summary>Adds all of them under the headings of their settings.</summary>
    public static void AddTo(GroupedCommand verb)
    {
        foreach (var (setting, option) in All)
            verb.Add(setting.Group, option);
    }

    /// <summary>Adds all of them, those that change neither memory nor time as options without effect.</summary>
    public static void AddToPlan(GroupedCommand verb)
    {
        foreach (var (setting, option) in All)
            if (setting.ChangesCost)
                verb.Add(setting.Group, option);
            else
                verb.AddWithoutEffect(option);
    }

    /// <summary>A preset's or a run's options with what the command line says otherwise.</summary>
    /// <exception cref="NanoException">A value does not go with the rest; the message names the setting.</exception>
    public static TrainOptions Read(ParseResult args, TrainOptions preset)
    {
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (setting, option) in All)
            if (args.GetResult(option) is { Implicit: false } result)
                given.Add(setting.Key, result.Tokens is [var token, ..] ? token.Value : "true"); // a switch
        return TrainSettings.Override(preset, given);
    }

    private static Option OptionOf(Setting setting)
    {
        string name = OptionNames.Of(setting.Key), description = Describe(setting);
        Option option = setting.Kind switch
        {
            SettingKind.Whole => new Option<int?>(name) { Description = description },
            SettingKind.Seed => new Option<ulong?>(name) { Description = description },
            SettingKind.Number => Common.Number(name, description),
            SettingKind.Switch => new Option<bool?>(name)
            {
                Description = description,
                Arity = ArgumentArity.ZeroOrOne,
            },
            _ when setting.IsName => new Option<string?>(name) { Description = description, HelpName = "NAME" },
            _ => new WordOption<string>(name, description, [.. setting.Words.Select(word => (word, word))]),
        };
        if (setting.FormerKey is { } former)
            option.Aliases.Add("--" + former.Replace('_', '-'));
        return option;
    }

    /// <summary>The help of a setting, with its bounds and its default.</summary>
    private static string Describe(Setting setting)
    {
        bool listsWords = setting.IsName && !setting.Words.All(setting.Help.Contains);
        string? words = listsWords ? string.Join(", ", setting.Words) : null;
        string? usual = setting is TrainSetting { IsRequired: false, Default: { } value } ? $"default: {value}" : null;
        var details = ((string?[])[words, setting.Range?.Text, setting.Bound, usual]).OfType<string>();
        return OptionNames.In(setting.Help + (details.Any() ? $" ({string.Join("; ", details)})" : ""));
    }
}
