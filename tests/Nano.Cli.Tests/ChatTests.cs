using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano chat through a pipe.</summary>
[Collection(nameof(TinyRun))]
public sealed class ChatTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    /// <summary>A template of characters that the model knows.</summary>
    private string Template()
    {
        File.WriteAllText(temp.File("template"), "{% for m in messages %}{{ m.content }}{{ '\\n' }}{% endfor %}");
        return temp.File("template");
    }

    private CliResult Chat(string stdin, params string[] more) => Cli.Run(["chat", "--model", run.Folder, "--template", Template(), "--max-tokens", "5", "--seed", "5", .. more], stdin);

    private string Continued(string prompt) =>
        Cli.Run("generate", "--model", run.Folder, "--prompt", prompt, "--max-tokens", "5", "--seed", "5", "--json").Succeeds().Json.GetProperty("text").GetString()!;

    [Fact]
    public void Each_line_is_answered_as_generate_continues_its_prompt()
    {
        string first = Continued("to be\n"), second = Continued("or\n");
        Assert.Equal($"{first}\n{second}\n", Chat("to be\n/reset\nor\n/exit\nnever\n").Succeeds().Out);
        var json = Chat("to be\n\n", "--json").Succeeds().Json.GetProperty("messages");
        Assert.Equal(["user: to be", $"assistant: {first}"], json.EnumerateArray().Select(message => $"{message.GetProperty("role")}: {message.GetProperty("content").GetString()}"));
    }

    [Fact]
    public void The_conversation_is_kept()
    {
        string first = Continued("to\n"), second = Continued($"to\n{first}\nbe\n"); // 13 of 16 tokens
        Assert.Equal($"{first}\n{second[..Math.Min(4, second.Length)]}", Chat("to\nbe\n").Succeeds().Out[..(first.Length + 5)]);
    }

    [Fact]
    public void A_conversation_that_outgrows_the_context()
    {
        var result = Chat("to be or\nnot\n").Fails(1, "tokens and the model's context only 16", "--drop-oldest");
        Assert.Equal(Continued("to be or\n") + "\n", result.Out);
        Assert.Equal(Continued("to be or\n") + "\n" + Continued("not\n") + "\n", Chat("to be or\nnot\n", "--drop-oldest").Succeeds().Out);
    }

    [Theory]
    [InlineData("--template nobody", "no chat template is called 'nobody'", "chatml")]
    [InlineData("--template chatml", "the character '<'")]
    [InlineData("--max-tokens 0", "--max-tokens must be 1 or more")]
    [InlineData("--model nowhere", "nowhere")]
    [InlineData("--top-k -1", "top-k")]
    public void What_cannot_be_is_an_error(string options, params string[] words)
    {
        string[] given = options.Split(' ');
        string[] standard = ["--model", run.Folder, "--template", Template()];
        Cli.Run(["chat", .. standard.Chunk(2).Where(pair => pair[0] != given[0]).SelectMany(pair => pair), .. given], "to be\n").Fails(1, words);
    }

    [Fact]
    public void Without_a_template_the_known_ones_are_listed() =>
        Cli.Run(["chat", "--model", run.Folder], "to be\n").Fails(1, "brings no chat template", "hint: choose one with --template: chatml, llama-2, llama-3, mistral, alpaca, or a file");

    [Fact]
    public void An_unknown_command_and_a_line_that_begins_with_a_slash()
    {
        Chat("/restart\n").Fails(1, "there is no command '/restart'", "/reset");
        Chat("//x\n").Fails(1, "the character '/'"); // which the model does not know
    }

    [Fact]
    public void Ctrl_C_stops_the_answer_and_not_the_program()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(SignalTests.InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, and so is every program they start");
        string folder = Directory.CreateDirectory(temp.File("model")).FullName;
        var tokenizer = CharTokenizer.FromText(Tiny.Text());
        using (var model = LanguageModel.Create(new Gpt2Config { VocabSize = tokenizer.VocabSize, ContextLength = 20_000, Layers = 2, Heads = 2, Channels = 64 }))
            ModelDirectory.Save(folder, model, tokenizer); // all weights are 0, so all characters are equally likely, line ends among them
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "{% for m in messages %}{{ m.content }}{{ '\\n' }}{% endfor %}");
        using var program = Cli.Start(["chat", "--model", folder, "--max-tokens", "100000", "--temperature", "1"]);
        program.Write("to be\n");
        program.WaitFor("\n");
        program.Signal("INT");
        program.WaitForError("(stopped)");
        var result = program.Finish("/reset\n/exit\n").Succeeds();
        Assert.Equal("(stopped)\n", result.Error);
    }
}
