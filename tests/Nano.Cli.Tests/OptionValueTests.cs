using System.CommandLine;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// Every option that takes a number, found in the program's own tree of verbs, with values at the ends: it
/// works, or an error names it.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class OptionValueTests(TinyRun run) : IDisposable
{
    private static readonly string[] Values = ["0", "-1", "NaN", "Infinity", "1e30", "2147483647", ""];

    private static readonly Type[] Numbers = [typeof(int), typeof(long), typeof(ulong), typeof(double), typeof(float)];

    /// <summary>Other words for an option in messages of the libraries, which do not speak of options.</summary>
    private static readonly Dictionary<string, string> OtherWords = new()
    {
        ["--seq"] = "context",
        ["--max-tokens"] = "tokens to generate",
        ["--logprobs"] = "log-probabilities",
    };

    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    private string New() => temp.File(Guid.NewGuid().ToString("N"));

    /// <summary>The cheapest command line of each verb that takes a number.</summary>
    private string[] Line(string verb)
    {
        File.WriteAllText(temp.File("template"), "{{ messages[0].content }}");
        File.WriteAllText(temp.File("choices"), """{"context":"to","choices":["be","or"],"answer":0}""");
        File.WriteAllText(temp.File("prompts"), """{"prompt":"to","references":["be"]}""");
        File.WriteAllText(temp.File("pairs"), """{"prediction":"to","references":["be"]}""");
        File.WriteAllText(temp.File("text"), Tiny.Text()[..200]);
        File.WriteAllText(temp.File("rows.csv"), "a,to be\nb,or not\na,to\nb,not\n");
        string[] model = ["--model", run.Folder];
        return verb switch
        {
            "generate" => [.. model, "--max-tokens", "2"],
            "chat" => [.. model, "--template", temp.File("template")],
            "embed" => [.. model, "to be"],
            "classify" => [.. model, "to be"],
            "classify train" => ["--data", temp.File("rows.csv"), "--out", New(), "--epochs", "1"],
            "eval" => [.. model, "--data", temp.File("text")],
            "eval choices" => [.. model, "--data", temp.File("choices")],
            "eval hellaswag" => [.. model, "--data", temp.File("choices")], // which is none of its files
            "eval generate" => [.. model, "--data", temp.File("prompts"), "--max-tokens", "2"],
            "eval score" => ["--data", temp.File("pairs")],
            "info" => model,
            "imatrix" => [run.Folder, "--data", temp.File("text"), "--out", New()],
            "quantize" => [Goldens.Path("llama_tiny"), New(), "--all", "--types", "Q8_0"],
            "tokenize train" => ["--vocab", "258", "--out", temp.File("tokenizer.json"), temp.File("text")],
            "data prepare" => [temp.File("text"), "--tokenizer", run.Folder, "--separator", "none", "--out", New()],
            "export" => [.. model, "--out", temp.File("model.onnx"), "--train"],
            "verify" => model,
            "bench task" => [],
            _ => throw new ArgumentException($"'nano {verb}' takes numbers: say here how it is run most cheaply"),
        };
    }

    /// <summary>
    /// Verbs whose options are read and checked without running them: a run measures the machine first.
    /// </summary>
    private static readonly string[] OnlyRead = ["train", "plan", "sweep", "bench"];

    [Fact]
    public void A_number_at_the_end_of_its_range_works_or_is_named()
    {
        var problems = new List<string>();
        int tried = 0;
        foreach (var (verb, command) in Verbs(Application.Commands(), ""))
            foreach (var option in command.Options.Where(option =>
                Numbers.Contains(Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType)))
                foreach (string value in Values)
                {
                    if (verb == "generate" && option.Name == "--max-tokens" && value == "2147483647")
                        continue; // it would, as asked, not end
                    tried++;
                    if (Problem(verb, option.Name, value) is { } problem)
                        problems.Add($"nano {verb} {option.Name} '{value}': {problem}");
                }
        Assert.True(tried > 500, $"only {tried} were tried");
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    private static IEnumerable<(string Path, Command Command)> Verbs(Command of, string path) =>
        of.Subcommands.SelectMany(verb =>
            Verbs(verb, $"{path} {verb.Name}".Trim()).Prepend(($"{path} {verb.Name}".Trim(), verb)));

    private string? Problem(string verb, string option, string value)
    {
        var (messages, exception) = OnlyRead.Contains(verb) ? Read(verb, option, value)
            : InProcess.Run([.. verb.Split(' '), .. Without(Line(verb), option), option, value]);
        if (messages.Length == 0)
            return null;
        string text = string.Join(' ', messages);
        if (exception is not (null or NanoException or BadFileException))
            return $"{exception.GetType().Name}: {exception.Message}";
        if (text.Contains("System.", StringComparison.Ordinal) || text.Any(char.IsControl))
            return text;
        string[] words = [option, option.Trim('-'), option.Trim('-').Replace('-', ' '),
            OtherWords.GetValueOrDefault(option, option)];
        bool named = words.Any(word => text.Contains(word, StringComparison.Ordinal));
        bool comesToIt = !(verb == "eval hellaswag" && exception is BadFileException) // whose file is none
            && !(verb == "verify" && text.Contains("golden", StringComparison.Ordinal));
        return named || !comesToIt ? null : $"the error does not name it: {text}";
    }

    private static string[] Without(string[] line, string option)
    {
        int at = Array.IndexOf(line, option);
        return at < 0 ? line : [.. line[..at], .. line[(at + 2)..]];
    }

    /// <summary>
    /// Reads a command line of nano train, or one with the same options, up to what a trainer would check
    /// first.
    /// </summary>
    private static (string[] Messages, Exception? Exception) Read(string verb, string option, string value)
    {
        string[] with = option switch
        {
            "--momentum" => ["--optimizer", "sgd"],
            "--rho" => ["--optimizer", "sophia"],
            "--decay-steps" => ["--schedule", "wsd"],
            _ => [],
        };
        string[] line = verb switch
        {
            "train" or "plan" => [verb, "shakespeare-char"],
            "sweep" => [verb, "--out", "x"],
            _ => [verb],
        };
        var parsed = Application.Commands().Parse([.. line, .. with, option, value]);
        if (Failure.IsWrong(parsed))
            return ([.. parsed.Errors.Select(error => Quoted.Line(Failure.Explain(error)))], null);
        try
        {
            if (verb is "train" or "plan")
                TrainArguments.Read(parsed, Presets.Get("shakespeare-char")).Validate();
            return ([], null);
        }
        catch (Exception e)
        {
            var (message, hint) = Failure.Words(e);
            return ([message, hint ?? ""], e);
        }
    }

    /// <summary>Options that take a number as text.</summary>
    [Theory]
    [InlineData("data prepare", "--validation")]
    [InlineData("data prepare", "--shard-tokens")]
    [InlineData("convert", "--shard-size")]
    [InlineData("generate", "--logit-bias")]
    public void A_number_in_a_text_works_or_is_quoted(string verb, string option)
    {
        foreach (string value in (string[])[.. Values, "1e30:1", "0:NaN", "2147483647:1", "-1:0", "0:1e30",
            "documents:0", "documents:NaN", "documents:1e30", "2147483647M", "9223372036854775807KB"])
        {
            string[] line = verb == "convert" ? [run.Folder, New()] : Line(verb);
            var (messages, exception) = InProcess.Run([.. verb.Split(' '), .. line, option, value]);
            Assert.True(exception is null or NanoException, $"{verb} {option} '{value}': {exception}");
            Assert.All(messages, message => Assert.DoesNotContain(message, char.IsControl));
        }
    }

    /// <summary>
    /// The system promises such memory and ends the program when it is touched; the plan knows before.
    /// </summary>
    [Fact]
    public void A_run_that_the_machine_has_no_memory_for_is_refused_before_it_begins()
    {
        string folder = temp.File("run");
        string[] size = ["shakespeare-char", "--layers", "128", "--heads", "2", "--channels", "256", "--seq", "16",
            "--batch", "16384"];
        var (messages, exception) = InProcess.Run(["train", "--data", run.Data, "--out", folder, .. size]);
        Assert.IsType<NanoException>(exception);
        Assert.Matches("a training step takes [0-9,]+ bytes of memory, and this machine has|out of memory",
            messages[0]);
        Assert.Contains("--batch", messages[1], StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }
}
