using System.CommandLine;

namespace Nano.Cli.Tests;

/// <summary>The help of every verb in the program's own tree.</summary>
public class HelpTests
{
    private static readonly RootCommand Root = Application.Commands();

    private static IEnumerable<(string Path, Command Verb)> Verbs(Command of, string path) =>
        of.Subcommands.SelectMany(verb =>
        Verbs(verb, $"{path} {verb.Name}").Prepend(($"{path} {verb.Name}", verb)));

    public static TheoryData<string> Paths() => [.. Verbs(Root, "nano").Select(verb => verb.Path)];

    private static Command Find(string path) => Verbs(Root, "nano").First(verb => verb.Path == path).Verb;

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_verb_has_help_with_an_example_within_100_columns(string path)
    {
        string[] lines = [.. HelpPage.Lines(Find(path))];
        int example = Array.IndexOf(lines, "Example:");
        Assert.True(example > 0, "there is no example");
        Assert.Contains(lines.Skip(example + 1).TakeWhile(line => line.Length > 0),
            line => line.Contains(path, StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(line.Length <= 100, $"{line.Length} columns: {line}"));
        Assert.Single(lines, line => line.StartsWith($"Usage: {path} ", StringComparison.Ordinal));
        foreach (var option in Find(path).Options)
            Assert.Contains(lines, line => line.Contains(option.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void An_option_with_words_accepts_exactly_those_that_its_help_shows()
    {
        int words = 0;
        foreach (var (path, verb) in Verbs(Root, "nano"))
            foreach (var option in verb.Options)
            {
                bool isEnum = (Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType).IsEnum;
                Assert.False(isEnum && option is not IWordOption, $"{path} {option.Name}");
                if (option is not IWordOption choice
                    || (verb is GroupedCommand grouped && grouped.WithoutEffect.Contains(option)))
                    continue;
                string shown = $"  {option.Name} {string.Join('|', choice.Words)}";
                Assert.Contains(HelpPage.Lines(verb), line => line.StartsWith(shown, StringComparison.Ordinal));
                foreach (string word in choice.Words)
                {
                    words++;
                    Assert.Empty(Errors(path, option, word));
                    Assert.Contains($"{option.Name} takes ",
                        Assert.Single(Errors(path, option, word.ToUpperInvariant())), StringComparison.Ordinal);
                    Assert.Single(Errors(path, option, word + "x"));
                }
            }
        Assert.True(words >= 15, $"only {words} words");
    }

    /// <summary>What is wrong with an option's value, whatever else the verb misses.</summary>
    private static string[] Errors(string path, Option option, string word) =>
        [.. Root.Parse([.. path.Split(' ').Skip(1), option.Name, word]).Errors.Select(error => error.Message)
            .Where(message => message.Contains(option.Name, StringComparison.Ordinal))];

    /// <summary>Every name that the help of an option names is the name of a rule.</summary>
    [Theory]
    [InlineData("optimizer")]
    [InlineData("schedule")]
    public void Names_are_shown_and_accepted(string key)
    {
        var setting = TrainSettings.All.First(setting => setting.Key == key);
        string page = string.Join(' ', HelpPage.Lines(Find("nano train")).Select(line => line.Trim()));
        foreach (string name in setting.Words)
        {
            Assert.Contains(name, page, StringComparison.Ordinal);
            var args = Root.Parse(["train", "shakespeare-char", $"--{key}", name]);
            TrainArguments.Read(args, Presets.Get("shakespeare-char")).Validate();
        }
    }

    [Fact]
    public void Options_of_train_stand_under_headings_and_those_that_cost_nothing_apart_in_plan()
    {
        string[] train = [.. HelpPage.Lines(Find("nano train"))], plan = [.. HelpPage.Lines(Find("nano plan"))];
        string[] headings = ["Data:", "Model:", "Schedule:", "Loss and optimizer:", "Memory:", "Safety:", "Run:",
            "Machine:"];
        Assert.Equal(headings, train.Where(headings.Contains));
        Assert.DoesNotContain(plan, line => line.StartsWith("  --lr ", StringComparison.Ordinal));
        Assert.Contains("--min-lr", string.Join(' ',
            plan.SkipWhile(line => line != "Accepted, without effect on the plan:")), StringComparison.Ordinal);
        Assert.Contains(plan, line => line.StartsWith("  --batch ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_verb_below_another_does_not_show_its_argument() =>
        Assert.Contains("Usage: nano data prepare [INPUTS...] [options]", HelpPage.Lines(Find("nano data prepare")));

    [Fact]
    public void Settings_in_messages_of_libraries_are_shown_as_options()
    {
        Assert.Equal("--warmup must be 0 or more; see --min-lr, `other` and 'lr'",
            OptionNames.In("`warmup_steps` must be 0 or more; see `min_lr`, `other` and 'lr'"));
        string[] options = [.. Verbs(Root, "nano").SelectMany(verb => verb.Verb.Options).Select(option => option.Name)];
        Assert.All(OptionNames.Others, key => Assert.Contains(OptionNames.Of(key), options));
        Assert.All(OptionNames.Others, key => Assert.Null(TrainSettings.Find(key)));
    }

    /// <summary>
    /// Keys that libraries name and that are no settings, each an option of a verb; that none is
    /// missing is a rule of the architecture.
    /// </summary>
    [Fact]
    public void Keys_that_are_no_settings_are_options()
    {
        var options = Verbs(Root, "nano").SelectMany(verb => verb.Verb.Options).Select(option => option.Name)
            .ToHashSet();
        Assert.All(OptionNames.Others, key => Assert.Contains(OptionNames.Of(key), options));
        Assert.DoesNotContain(OptionNames.Others, key => TrainSettings.Find(key) is not null);
    }

    /// <summary>
    /// A recipe's option under its name of before, in runs and sweeps that were written down with
    /// it.
    /// </summary>
    [Fact]
    public void A_former_option_still_works()
    {
        foreach (string option in (string[])["--recompute", "--checkpoint-activations"])
            Assert.Equal(Keep.Nothing, TrainArguments.Read(Root.Parse(["train", option]),
                Presets.Get("shakespeare-char")).KeptActivations);
    }
}
