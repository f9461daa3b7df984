using System.Text;

namespace Nano.Tests;

/// <summary>docs/settings.md is the table of settings, written out.</summary>
public class SettingsPageTests
{
    /// <summary>Set to any text, it makes the test write the page instead of comparing it.</summary>
    private const string Regenerate = "NANO_WRITE_DOCS";

    [Fact]
    public void The_page_of_settings_is_what_the_table_gives()
    {
        string path = Path.Combine(Goldens.Path("."), "..", "..", "docs", "settings.md");
        if (Environment.GetEnvironmentVariable(Regenerate) is { Length: > 0 })
            File.WriteAllText(path, Page());
        Assert.True(File.Exists(path) && File.ReadAllText(path) == Page(),
            "docs/settings.md is not what the table of settings gives; "
            + $"write it with: {Regenerate}=1 dotnet test tests/Nano.Train.Tests --filter SettingsPageTests");
    }

    private static string Page()
    {
        var page = new StringBuilder("""
            # Settings of a training run

            A setting has one name in recipes (`training`, see [data/recipes](../data/recipes/README.md)), logs and
            checkpoints, and one as an option of `nano train`, `nano plan` and `nano sweep`. An option that is left out has
            the value of the preset or recipe; a setting that a recipe leaves out has the default below. The sizes of the
            model stand in a recipe's `model`.

            This page is generated from the table in `src/Nano.Train/Recipes`; a test compares the two and says how to
            write it anew.

            """.ReplaceLineEndings("\n"));
        foreach (var group in TrainSettings.OfModel.Concat(TrainSettings.All).GroupBy(setting => setting.Group)
            .OrderBy(group => group.Key))
        {
            page.Append($"\n## {Title(group.Key)}\n\n| setting | option | accepts | default | meaning "
                + $"|\n|---|---|---|---|---|\n");
            foreach (var setting in group)
                page.Append($"| `{setting.Key}` | `--{setting.Option}` | {setting.Accepts} | {Default(setting)} | "
                    + $"{Meaning(setting)} |\n");
        }
        return page.ToString();
    }

    private static string Title(SettingGroup group) =>
        group == SettingGroup.Optimizer ? "Loss and optimizer" : group.ToString();

    private static string Default(Setting setting) => setting switch
    {
        TrainSetting { IsRequired: true } => "(a recipe must say it)",
        TrainSetting run => run.Default!,
        _ => "the model's",
    };

    private static string Meaning(Setting setting) =>
        setting.Help + (setting.FormerKey is { } former ? $". Recipes of earlier versions call it `{former}`" : "");
}
