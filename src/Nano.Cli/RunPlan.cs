using System.CommandLine;
using System.CommandLine.Parsing;

namespace Nano.Cli;

/// <summary>The run that a command line of nano train means: a new one, with the options of a preset, or one that goes on, with those of its checkpoint.</summary>
/// <param name="Run">The run's folder.</param>
/// <param name="Preset">The preset or recipe of a new run.</param>
/// <param name="Saved">The state that it goes on from, or null for a new run.</param>
/// <param name="Options">What it computes; null where that is to be chosen by the text.</param>
internal sealed record RunPlan(string Run, RunState? Saved, TrainOptions? Options)
{
    private const string DefaultPreset = "shakespeare-char";

    private static readonly Argument<string?> Preset = new("preset")
    {
        Description = $"Recipe: {string.Join(", ", Presets.All.Keys)}, {AutoRecipe.Name}, which chooses by the text, or a file like those in data/recipes (default: {DefaultPreset}, with --data {AutoRecipe.Name})",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Out = new("--out") { Description = "Folder of the run (default: runs/PRESET)" };
    private static readonly Option<string?> Resume = new("--resume")
    {
        Description = "Continue the run in RUN, or else in --out, from its newest checkpoint, with the options that it was started with; --batch and --accumulate may be chosen anew if their product stays",
        HelpName = "RUN",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Option<bool> Overwrite = new("--overwrite") { Description = "Start again although --out holds a run" };

    /// <summary>Whether it goes on from a checkpoint.</summary>
    public bool Resumes => Saved is not null;

    public static void AddTo(Command verb)
    {
        verb.Arguments.Add(Preset);
        foreach (var option in new Option[] { Out, Resume, Overwrite })
            verb.Options.Add(option);
    }

    /// <summary>Reads the command line.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="ownText">Whether it names a text.</param>
    /// <exception cref="NanoException">There is no such preset, no such checkpoint, or a run already where a new one should be.</exception>
    public static RunPlan Read(ParseResult args, bool ownText)
    {
        string? preset = args.GetValue(Preset), folder = args.GetValue(Resume);
        if (folder is not null && preset is null && (Presets.All.ContainsKey(folder) || folder == AutoRecipe.Name) && !Directory.Exists(folder))
            (preset, folder) = (folder, null); // "--resume PRESET" continues the run of that preset
        if (folder is not null && args.GetValue(Out) is { } other && other != folder)
            throw new NanoException($"--resume names the run '{folder}' and --out '{other}'", "name it once");
        bool resumes = args.GetResult(Resume) is { Implicit: false };
        string name = preset ?? (ownText ? AutoRecipe.Name : DefaultPreset);
        var known = name == AutoRecipe.Name || (resumes && preset is null) ? null : Presets.Get(name);
        string run = folder ?? args.GetValue(Out) ?? Path.Combine("runs", known?.Preset ?? name);
        if (!resumes && !args.GetValue(Overwrite) && Checkpoint.Exists(run))
            throw new NanoException($"'{run}' already holds a run", "--resume continues it, --overwrite starts again, --out FOLDER puts the new one elsewhere");
        var saved = resumes ? Checkpoint.Read(run) : null;
        var start = saved is null ? known : saved.Options with { Preset = known?.Preset ?? preset ?? saved.Options.Preset };
        return new RunPlan(run, saved, start is null ? null : TrainArguments.Read(args, start));
    }

    /// <summary>The tokenizer named, or that of the checkpoint, or the preset's; null for the characters of the text.</summary>
    public ITokenizer? OpenTokenizer(string? named, TrainOptions options) => named is not null || Saved is null ? CorpusTokenizer.Load(named, options)
        : Saved.Data.ContainsKey(TrainingData.TokenizerDigest) ? TokenizerLoader.Load(Checkpoint.Folder(Run, Saved.Step)) : null;
}
