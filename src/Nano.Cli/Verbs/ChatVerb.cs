using System.CommandLine;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano chat: a conversation in the terminal, or line by line from a pipe.</summary>
internal static class ChatVerb
{
    private const string Commands =
        "/reset begins a new conversation, /exit ends the program, // begins a line that starts with a slash; "
        + "Ctrl+C stops an answer";

    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder or file of a model",
        Required = true
    };
    private static readonly Option<bool> Exact = Common.Exact();
    private static readonly Option<WeightType> CacheType = Common.CacheType();
    private static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    private static readonly Option<string?> Template =
        new("--template")
        {
            Description =
            $"Chat template instead of the model's own: {string.Join(", ", ChatTemplate.BuiltInNames)}, or a file"
        };
    private static readonly Option<string?> System =
        new("--system") { Description = "System message, before the conversation" };
    private static readonly Option<int> MaxTokens =
        new("--max-tokens") { Description = "Largest number of tokens in an answer", DefaultValueFactory = _ => 1000 };
    private static readonly Option<bool> DropOldest =
        new("--drop-oldest")
        {
            Description = "Drop the oldest turns when the conversation outgrows the context (default: an error)"
        };
    private static readonly Option<string> Device = Common.Device();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("chat",
            $"Talk with a model; from a pipe, each line is a turn. {Commands}.\n\nExample:\n  nano chat --model "
            + $"data/models/HuggingFaceTB/SmolLM2-135M-Instruct")
        {
            Model, TokenizerPath, Exact, CacheType, Template, System, MaxTokens, DropOldest, Device, Threads, Json,
        };
        SamplingArguments.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        int maxTokens = args.GetValue(MaxTokens);
        if (maxTokens < 1)
            throw new NanoException($"--max-tokens must be 1 or more, got {maxTokens}");
        string path = args.GetValue(Model)!;
        bool json = args.GetValue(Json), live = Screen.IsTypedInto;
        var human = Common.Human(json);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var device = Common.OpenDevice(args.GetValue(Device)!, args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(path, args.GetValue(TokenizerPath), toRun: device is null,
            args.GetValue(Exact));
        using var disposeModel = model;
        var format = ChatTemplateLoader.Load(path, args.GetValue(Template), tokenizer);
        var session = new ChatSession(format, tokenizer, model.Config.ContextLength,
            args.GetValue(System))
        { DropsOldest = args.GetValue(DropOldest) };
        var options = new GenerationOptions
        {
            Sampler = SamplingArguments.Read(args),
            MaxTokens = maxTokens,
            EndIds = Prompt.Known(session.EndIds, model.Config)
        };
        using var generator = Common.NewGenerator(model, tokenizer, compute, device, args.GetValue(CacheType));
        using var interrupt = new Interrupt();
        if (live)
            human.WriteLine(Commands);
        var input = Screen.HasInput ? Console.In : new StreamReader(Screen.OpenInput());
        var lines = new InputLines(input);
        while (Next(human, live, lines) is { } line)
        {
            if (line == "/reset")
                session.Reset();
            else if (line.StartsWith('/') && !line.StartsWith("//", StringComparison.Ordinal))
                Unless(live, new NanoException($"there is no command {Quoted.Of(line)}", Commands));
            else if (line.Length > 0)
                Turn(line.StartsWith('/') ? line[1..] : line, session, generator, tokenizer, options, human,
                    live, interrupt);
        }
        if (json)
            Common.PrintJson(new()
            {
                ["messages"] = session.Messages
                .Select(message => new JsonFields { ["role"] = message.Role, ["content"] = message.Content })
            });
        return 0;
    }

    /// <summary>The next message of the user; null at the end of the input.</summary>
    private static string? Next(TextWriter human, bool live, InputLines lines)
    {
        if (live)
        {
            human.Write("> ");
            human.Flush();
        }
        return (live ? Console.ReadLine() : lines.Read()) is { } line && line != "/exit" ? line : null;
    }

    private static void Turn(string text, ChatSession session, Generator generator, ITokenizer tokenizer,
        GenerationOptions options, TextWriter human, bool live, Interrupt interrupt)
    {
        int[] prompt;
        try
        {
            prompt = session.Ask(text, options.MaxTokens, DateTime.Now);
        }
        catch (NanoException e)
        {
            Unless(live, e);
            return;
        }
        var generation = generator.Start([prompt], options, interrupt.Begin());
        var answer = generation.Texts[0];
        var stream = new TextStream(answer, tokenizer, options.EndIds, session.Stops);
        while (generation.Step())
        {
            human.Write(stream.Read());
            human.Flush();
        }
        human.WriteLine(stream.Read());
        interrupt.End();
        session.Answer(stream.Text);
        string? why = answer.Finished switch
        {
            FinishReason.Cancelled => "stopped",
            FinishReason.Length => answer.Ids.Count == options.MaxTokens
                ? $"cut after {options.MaxTokens} tokens; --max-tokens allows more" : "the context is full",
            _ => null,
        };
        if (why is not null)
            Screen.Error.WriteLine($"({why})");
    }

    /// <summary>
    /// Reports a problem: at a terminal as a message, in a script as an error that ends it.
    /// </summary>
    private static void Unless(bool live, NanoException problem)
    {
        if (!live)
            throw problem;
        Failure.Report(problem, debug: false);
    }

    /// <summary>
    /// Ctrl+C stops an answer; when there is none, or it has been stopped already, it ends the
    /// program as usual.
    /// </summary>
    private sealed class Interrupt : IDisposable
    {
        private readonly IDisposable registration;
        private volatile CancellationTokenSource? answer;

        public Interrupt() => registration = Signals.Handle(signal =>
        {
            if (signal != PosixSignal.SIGINT || answer is not { IsCancellationRequested: false } running)
                return false;
            running.Cancel();
            return true;
        });

        public CancellationToken Begin() => (answer = new CancellationTokenSource()).Token;

        public void End() => answer = null;

        public void Dispose() => registration.Dispose();
    }
}
