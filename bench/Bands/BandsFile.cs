using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Nano.Bands;

/// <summary>data/bands.json as text: a band a line.</summary>
internal static class BandsFile
{
    public static string Text(IEnumerable<string> runs)
    {
        var logs = runs.Select(run => RunLog.Read(Path.Combine(run, "log.jsonl"))).ToList();
        var recipes = logs.GroupBy(log => (First(log).Preset, Corpus(First(log)))).Select(recipe =>
            RecipeBands.Measure(recipe.Key.Item2, $"nano train {recipe.Key.Preset} --seed N", [.. recipe]));
        return "[\n" + string.Join(",\n", recipes.Select(Text)) + "\n]\n";
    }

    private static RunEntry First(IReadOnlyList<RunLogEntry> log) => log.OfType<RunEntry>().First();

    private static string Corpus(RunEntry run) => run.Corpus.StartsWith("built-in", StringComparison.Ordinal)
        ? BuiltInCorpus.Name : Path.GetFileNameWithoutExtension(run.Corpus);

    private static string Text(RecipeBands recipe)
    {
        var text = new StringBuilder("  {\n");
        text.Append(string.Create(CultureInfo.InvariantCulture,
            $"    \"preset\": {Quote(recipe.Preset)},\n    \"corpus\": {Quote(recipe.Corpus)},\n    \"command\": "
            + $"{Quote(recipe.Command)},\n"));
        text.Append(string.Create(CultureInfo.InvariantCulture,
            $"    \"seeds\": [{string.Join(", ", recipe.Seeds)}],\n    \"config\": {{\n"));
        text.AppendJoin(",\n", recipe.Config.Select(option => $"      {Quote(option.Key)}: {Quote(option.Value)}"))
            .Append("\n    },\n    \"signals\": {\n");
        text.AppendJoin(",\n",
            recipe.Signals.Select(signal =>
                $"      {Quote(signal.Key)}: [\n{string.Join(",\n", signal.Value.Select(Text))}\n      ]"));
        return text.Append("\n    }\n  }").ToString();
    }

    private static string Text(Band band) =>
        string.Create(CultureInfo.InvariantCulture,
            $"        {{ \"step\": {band.Step}, \"mean\": {band.Mean:0.0000}, \"low\": {band.Low:0.0000}, "
        + $"\"high\": {band.High:0.0000} }}");

    private static string Quote(string text) => JsonSerializer.Serialize(text);
}
