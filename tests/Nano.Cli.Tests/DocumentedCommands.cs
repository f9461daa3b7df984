using System.Text.RegularExpressions;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>The commands that README.md and docs/commands.md show, run one after the other as a reader would.</summary>
public sealed partial class DocumentedCommands : IDisposable
{
    /// <summary>The documents whose commands are run.</summary>
    public static IReadOnlyList<string> Run { get; } = ["README.md", "docs/commands.md", "docs/encoders.md"];

    /// <summary>
    /// Commands that are not run here, by a part of their text, each with the reason. One that no document
    /// shows any more fails a test.
    /// </summary>
    private static readonly (string Part, string Reason)[] Skipped =
    [
        ("make ", "a target of make: .ci/run runs these"),
        ("dotnet ", "builds; these tests run what it built"),
        ("alias ", "changes the reader's shell"),
        ("--device", "needs ONNX Runtime; DeviceTests run its commands"),
        ("nano pull", "needs a network; PullTests run it against a server of their own"),
        ("nano data shakespeare", "needs a network"),
        ("nano chat", "needs a model from the hub; ChatTests run it with a small one"),
        ("--from HuggingFaceTB", "needs a network; TrainFromTests run it with a small model"),
        ("nano train gpt2-124m", "takes minutes, and needs a tokenizer from the network"),
        ("hellaswag", "needs a file of llm.c's scripts and GPT-2; EvalTests run it with small ones"),
        ("nano bench", "takes minutes"),
        ("--ops tests/goldens/ops", "takes a minute; make verify runs it"),
    ];

    /// <summary>Whole lines that are not run here, as <see cref="Skipped"/>.</summary>
    private static readonly (string Line, string Reason)[] SkippedLines =
        [("nano train shakespeare-char", "2,000 steps take half a minute on an idle machine; .ci/run trains 300")];

    private readonly List<TempFolder> folders = [];
    private readonly Dictionary<(string, string), CliResult> results = [];

    public DocumentedCommands()
    {
        foreach (string document in Run)
        {
            var temp = new TempFolder();
            folders.Add(temp);
            File.WriteAllText(temp.File("my.txt"), BuiltInCorpus.Generate()[..20_000]);
            foreach (Match file in SampleFile().Matches(Text(document)))
                File.WriteAllText(temp.File(file.Groups[1].Value), file.Groups[2].Value);
            foreach (string command in In(document).Where(command => Reason(command) is null))
                results.Add((document, command), Execute(command, temp.Root));
        }
    }

    public void Dispose() => folders.ForEach(folder => folder.Dispose());

    /// <summary>The folder of the repository.</summary>
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Goldens.Path("."), "..", ".."));

    /// <summary>A document's text.</summary>
    public static string Text(string document) => File.ReadAllText(Path.Combine(Root, document))
        .ReplaceLineEndings("\n");

    internal CliResult Result(string document, string command) => results[(document, command)];

    /// <summary>Every reason to skip, by what it looks for.</summary>
    public static IEnumerable<string> SkippedParts =>
        [.. Skipped.Select(one => one.Part), .. SkippedLines.Select(one => one.Line)];

    /// <summary>Why a command is not run, or null if it is.</summary>
    public static string? Reason(string command) =>
        SkippedLines.Where(one => one.Line == command).Select(one => one.Reason)
            .Concat(Skipped.Where(one => command.Contains(one.Part, StringComparison.Ordinal))
                .Select(one => one.Reason))
            .FirstOrDefault();

    /// <summary>
    /// The lines of a document's shell blocks without their comments, and the commands in its
    /// tables.
    /// </summary>
    public static IEnumerable<string> In(string document)
    {
        bool isShell = false, isOther = false;
        foreach (string line in Text(document).Split('\n'))
            if (line.StartsWith("```", StringComparison.Ordinal))
                (isShell, isOther) = (line == "```sh", !isShell && !isOther && line != "```sh");
            else if (isShell && line.Length > 0)
                yield return Comment().Replace(line, "");
            else if (!isOther && line.StartsWith('|'))
                foreach (Match command in InTable().Matches(line))
                    yield return command.Groups[1].Value;
    }

    /// <summary>
    /// The words of a command line, with double quotes around those that hold spaces; the first is
    /// left out.
    /// </summary>
    public static string[] Arguments(string command) =>
        [.. Word().Matches(command).Skip(1).Select(word => word.Value.Replace("\"", "", StringComparison.Ordinal))];

    private static CliResult Execute(string command, string folder)
    {
        string? stdin = null;
        if (Echo().Match(command) is { Success: true } echo)
            (stdin, command) = (echo.Groups[1].Value + "\n", echo.Groups[2].Value);
        string[] args = Arguments(command);
        try
        {
            return Cli.Run(args, stdin, folder: args.Any(arg => arg.StartsWith("tests/", StringComparison.Ordinal))
                ? Root : folder);
        }
        catch (TimeoutException e)
        {
            return new CliResult(-1, "", e.Message);
        }
    }

    [GeneratedRegex(" +#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex("`(nano [^`]*)`")]
    private static partial Regex InTable();

    [GeneratedRegex("^echo \"(.*)\" \\| (nano .*)$")]
    private static partial Regex Echo();

    [GeneratedRegex("(\"[^\"]*\"|[^\" ])+")]
    private static partial Regex Word();

    [GeneratedRegex("```json ([a-z.]+)\n(.*?\n)```", RegexOptions.Singleline)]
    private static partial Regex SampleFile();
}
