using System.CommandLine;

namespace Nano.Cli;

/// <summary>
/// The run that a command line of nano train means: a new one, with the options of a preset, or a
/// resumed one, with those of its checkpoint.
/// </summary>
/// <param name="Run">The run's folder.</param>
/// <param name="Preset">The preset or recipe of a new run.</param>
/// <param name="Saved">The state that it resumes from, or null for a new run.</param>
internal sealed record RunPlan(string Run, string Preset, RunState? Saved)
{
    private const string DefaultPreset = "shakespeare-char";

    private static readonly Argument<string?> PresetArgument = new("preset")
    {
        Description = $"Recipe: {string.Join(", ", Presets.Names)}, {AutoRecipe.Name} (chosen by the text), or a "
            + $"file like those in data/recipes (default: {DefaultPreset}, with --data or --from {AutoRecipe.Name})",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Out =
        new("--out")
        {
            Description =
            "Folder of the run (default: runs/PRESET, with --from and no preset runs/MODEL-tuned)"
        };
    private static readonly Option<string?> Resume = new("--resume")
    {
        Description = "Resume the run in RUN (default: --out) from its newest checkpoint, with the options that it "
            + "was started with; --batch and --accumulate may change if their product stays the same",
        HelpName = "RUN",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Option<bool> Overwrite =
        new("--overwrite") { Description = "Replace the run in --out by a new one" };

    public static void AddTo(GroupedCommand verb)
    {
        verb.Arguments.Add(PresetArgument);
        verb.Add(SettingGroup.Run, Out, Resume, Overwrite);
    }

    /// <summary>Reads the run from a command line.</summary>
    /// <exception cref="NanoException">There is no such checkpoint, it is of another preset than
    /// the one named, or there is a run already where a new one should be.</exception>
    /// <param name="args">The command line.</param>
    /// <param name="data">The text that it names, or null.</param>
    /// <param name="from">The model to start from that it names, or null.</param>
    public static RunPlan Read(ParseResult args, string? data, string? from)
    {
        string? named = args.GetValue(PresetArgument), folder = args.GetValue(Resume);
        if (folder is not null && named is null && Presets.Names.Contains(folder) && !Directory.Exists(folder))
            (named, folder) = (folder, null); // "--resume PRESET" continues the run of that preset
        if (folder is not null && args.GetValue(Out) is { } other && other != folder)
            throw new NanoException($"--resume names the run '{folder}' and --out '{other}'", "name it once");
        string preset = named ?? (data is null && from is null ? DefaultPreset : AutoRecipe.Name);
        string name = named is null && from is not null
            ? $"{Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(from))}-tuned" : preset;
        string run = folder ?? args.GetValue(Out) ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(name));
        bool resumes = args.GetResult(Resume) is { Implicit: false };
        bool overwrites = args.GetValue(Overwrite);
        if (!resumes && !overwrites)
            Checkpoint.RefuseRun(run);
        return new RunPlan(run, preset, resumes ? Checkpoint.Read(run) : null)
        {
            IsNamed = named is not null,
            Overwrites = overwrites
        };
    }

    /// <summary>True if a new run may replace an existing one.</summary>
    public bool Overwrites { get; private init; }

    /// <summary>True if the command line names the preset.</summary>
    private bool IsNamed { get; init; }

    /// <summary>
    /// The options of the checkpoint, under the preset's name that the command line gives if it
    /// gives one: where it is another, the run will be refused.
    /// </summary>
    public TrainOptions SavedOptions => !IsNamed ? Saved!.Options
        : Saved!.Options with { Preset = Preset == AutoRecipe.Name ? Preset : Presets.Get(Preset).Preset };

    /// <summary>The tokenizer of the checkpoint; null for the characters of the text.</summary>
    public ITokenizer? SavedTokenizer() => Saved!.Data.ContainsKey(TrainingData.TokenizerDigest)
        ? TokenizerLoader.Load(Checkpoint.Newest(Run)) : null;
}
