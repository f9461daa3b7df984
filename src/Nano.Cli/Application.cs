using System.CommandLine;

namespace Nano.Cli;

/// <summary>
/// The program: each verb is a file of its own in Verbs/, and none has logic that a library could hold.
/// </summary>
internal static class Application
{
    private static readonly (string Name, Func<Command> Create)[] Verbs =
    [
        ("train", TrainVerb.Create), ("generate", GenerateVerb.Create), ("chat", ChatVerb.Create),
        ("embed", EmbedVerb.Create), ("classify", ClassifyVerb.Create),
        ("eval", EvalVerb.Create), ("sweep", SweepVerb.Create), ("tokenize", TokenizeVerb.Create),
        ("template", TemplateVerb.Create), ("data", DataVerb.Create), ("pull", PullVerb.Create),
        ("convert", ConvertVerb.Create), ("quantize", QuantizeVerb.Create), ("imatrix", ImatrixVerb.Create),
        ("export", ExportVerb.Create), ("verify", VerifyVerb.Create),
        ("info", InfoVerb.Create), ("plan", PlanVerb.Create), ("bench", BenchVerb.Create), ("runs", RunsVerb.Create),
    ];

    /// <summary>
    /// The commands of the program: the one verb of this name, for the options of all take a tenth of a second to make,
    /// or all verbs if there is none.
    /// </summary>
    public static RootCommand Commands(string? verb = null)
    {
        const string about =
            "Nano: a large-language-model stack in C#. It trains GPT-2 and Llama models and writes text with them, "
            + "on the processor with kernels of its own or on a device of ONNX Runtime.";
        var root = new RootCommand($"{about}\n\nExample:\n  nano train shakespeare-char");
        bool isKnown = Verbs.Any(known => known.Name == verb);
        foreach (var (name, create) in Verbs)
            if (!isKnown || name == verb)
                root.Subcommands.Add(create());
        root.Options.Add(Common.Debug);
        HelpPage.Use(root);
        return root;
    }

    /// <summary>The configuration that leaves exceptions and signals to the caller.</summary>
    public static InvocationConfiguration Plainly() =>
        new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };

    /// <summary>Runs a command line and returns the exit code.</summary>
    public static int Run(string[] args)
    {
        Screen.Open();
        TokenizerLoader.Noticed += notice => Screen.Error.WriteLine($"note: {notice}");
        var watching = Signals.Watch();
        var parsed = Commands(args.FirstOrDefault()).Parse(args.Length == 0 ? ["--help"] : args);
        int code;
        try
        {
            code = Failure.IsWrong(parsed) ? Failure.Usage(parsed) : parsed.Invoke(Plainly());
        }
        catch (Exception) when (Screen.Lost is not null)
        {
            code = Failure.Wrong; // whatever else it is called, it is for want of an output
        }
        catch (Exception e)
        {
            return Failure.Report(e, parsed.GetValue(Common.Debug));
        }
        GC.KeepAlive(watching);
        return Screen.Lost is { } lost ? Failure.Report(lost, parsed) : code;
    }
}
