using System.CommandLine;

namespace Nano.Cli;

/// <summary>A verb whose help shows its options under headings.</summary>
internal sealed class GroupedCommand(string name, string description) : Command(name, description)
{
    private readonly SortedDictionary<SettingGroup, List<Option>> groups = [];
    private readonly List<Option> withoutEffect = [];

    /// <summary>The options by heading.</summary>
    public IEnumerable<(string Title, IReadOnlyList<Option> Options)> Groups =>
        groups.Select(group => (TitleOf(group.Key), (IReadOnlyList<Option>)group.Value));

    /// <summary>Options that are accepted and change nothing; their help is a list of names.</summary>
    public IReadOnlyList<Option> WithoutEffect => withoutEffect;

    /// <summary>The heading of an option.</summary>
    public SettingGroup GroupOf(Option option) => groups.First(group => group.Value.Contains(option)).Key;

    /// <summary>Adds options under a heading.</summary>
    public void Add(SettingGroup group, params ReadOnlySpan<Option> options)
    {
        if (!groups.TryGetValue(group, out var list))
            groups.Add(group, list = []);
        foreach (var option in options)
        {
            list.Add(option);
            Options.Add(option);
        }
    }

    /// <summary>Adds an option that is accepted and changes nothing.</summary>
    public void AddWithoutEffect(Option option)
    {
        withoutEffect.Add(option);
        Options.Add(option);
    }

    private static string TitleOf(SettingGroup group) =>
        group == SettingGroup.Optimizer ? "Loss and optimizer" : group.ToString();
}
