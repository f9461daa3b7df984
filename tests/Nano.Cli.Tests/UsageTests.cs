namespace Nano.Cli.Tests;

/// <summary>Help, and what people see who mistype.</summary>
public class UsageTests
{
    [Fact]
    public void Help_goes_to_stdout_and_shows_no_more_than_the_verb_has()
    {
        var help = Cli.Run("train", "--help").Succeeds();
        Assert.Equal(HelpPage.Lines(Application.Commands().Subcommands[0]),
            help.Out.TrimEnd().ReplaceLineEndings("\n").Split('\n'));
        Assert.Empty(help.Error);
    }

    [Fact]
    public void Help_of_the_program_lists_the_verbs_and_an_example()
    {
        var help = Cli.Run("--help").Succeeds();
        Assert.Equal(help.Out, Cli.Run().Succeeds().Out); // nano alone
        Assert.All((string[])["GPT-2 and Llama", "ONNX Runtime", "Example", "train", "generate", "tokenize", "data",
            "verify", "info", "bench"], word => Assert.Contains(word, help.Out, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--debug", "a verb is missing", "verbs: train, generate")]
    [InlineData("tain", "no verb 'tain'", "did you mean 'train'?")]
    [InlineData("--debgu", "no option '--debgu'", "did you mean '--debug'?")]
    [InlineData("train --stpes 3", "no option '--stpes'", "did you mean '--steps'?")]
    [InlineData("train shakespeare-char --stpes 3", "no option '--stpes'", "did you mean '--steps'?")]
    [InlineData("generate --modle x", "no option '--modle'", "did you mean '--model'?")]
    [InlineData("data --jsn", "no option '--jsn'", "did you mean '--json'?")]
    [InlineData("train one two", "unexpected 'two'", "nano train --help")]
    [InlineData("train --steps many", "--steps takes a whole number", "'many'", "nano train --help")]
    [InlineData("train --steps 99999999999", "--steps takes a whole number", "'99999999999'")]
    [InlineData("train --activations fp8", "--activations", "float32 or bf16", "'fp8'", "nano train --help")]
    [InlineData("train --lr 0,001", "--lr takes a number such as 0.001", "'0,001'")]
    [InlineData("train --seed -1", "--seed takes a whole number from 0", "'-1'")]
    [InlineData("train --steps", "--steps")]
    [InlineData("train --on-spike maybe", "--on-spike", "off, warn, skip or rollback, not 'maybe'")]
    [InlineData("sweep --lr 1e-3,3e-4", "--out", "nano sweep --help")]
    [InlineData("sweep --lr 1e-3,fast --out x", "--lr takes a number such as 0.001", "'fast'")]
    [InlineData("sweep --bacth 1,2 --out x", "no option '--bacth'", "did you mean '--batch'?")]
    [InlineData("data shakespeare prepare x --tokenizer gpt2 --out y", "unexpected 'shakespeare'",
        "nano data prepare --help")]
    [InlineData("train --on-spike Skip", "--on-spike", "off, warn, skip or rollback, not 'Skip'")]
    [InlineData("train --precision Float16", "--precision takes float32, bf16 or float16, not 'Float16'")]
    [InlineData("generate", "--model", "nano generate --help")]
    [InlineData("tokenize", "--tokenizer", "nano tokenize --help")]
    [InlineData("verify", "nothing to verify", "--ops")]
    public void A_wrong_command_line_exits_2(string line, params string[] words)
    {
        var result = Cli.Run(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Fails(2, words);
        Assert.Empty(result.Out);
        Assert.Contains("\nhint: ", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train shakespeare-cahr", "no preset 'shakespeare-cahr'", "did you mean 'shakespeare-char'?")]
    [InlineData("bench gem", "no benchmark 'gem'", "did you mean 'gemm'?")]
    [InlineData("bench gemm --device onnx-gpu", "no device 'onnx-gpu'", "onnx-cpu")]
    [InlineData("bench gemm --filter nothing", "no case of gemm matches 'nothing'", "leave --filter out")]
    [InlineData("data shakespere", "no data is called 'shakespere'", "did you mean 'shakespeare'?")]
    [InlineData("info --model gpt-2", "no model at 'gpt-2'", "did you mean 'gpt2'?")]
    [InlineData("train --device gpu", "no device 'gpu'", "devices: cpu")]
    [InlineData("generate --model no-such-folder", "no model at 'no-such-folder'", "nano train")]
    [InlineData("chat --model no-such-owner/model", "no model at 'no-such-owner/model'", "nano pull")]
    [InlineData("tokenize --tokenizer no-such-folder", "no-such-folder", "cl100k_base")]
    public void An_unknown_name_exits_1(string line, params string[] words)
    {
        var result = Cli.Run(line.Split(' ')).Fails(1, words);
        Assert.Empty(result.Out);
        Assert.Contains("\nhint: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Debug_adds_the_stack_trace_and_changes_nothing_else()
    {
        var plain = Cli.Run("train", "--device", "gpu").Fails(1);
        var debug = Cli.Run("train", "--device", "gpu", "--debug");
        Assert.Equal(1, debug.ExitCode);
        Assert.Contains("   at Nano.Cli.TrainVerb", debug.Error, StringComparison.Ordinal);
        Assert.EndsWith(plain.Error, debug.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("NANO_SIMD")]
    [InlineData("NANO_THREADS")]
    public void A_setting_in_the_environment_that_makes_no_sense_is_named(string name)
    {
        foreach (string verb in (string[])["train", "info"])
            Cli.Run([verb], null, new() { [name] = "banana" }).Fails(1, name, "banana", "hint: ");
    }

    [Theory]
    [InlineData("NANO_HUGE_PAGES")]
    [InlineData("NANO_EMIT")]
    public void A_switch_in_the_environment_is_0_or_1(string name) =>
        Cli.Run(["info"], null, new() { [name] = "2" }).Fails(1, $"{name} is '2'", "hint: set it to 0");
}
