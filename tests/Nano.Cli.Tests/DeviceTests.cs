using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Verbs with --device. What runs there is tested in Nano.Gpu.Tests.</summary>
[Collection(nameof(TinyRun))]
public class DeviceTests(TinyRun run)
{
    /// <summary>Runs a verb where ONNX Runtime is found, if it lies in .tools.</summary>
    private static CliResult OnDevice(string[] args, string? stdin = null)
    {
        var result = Cli.Run([.. args, "--device", "onnx-cpu"], stdin, folder: AppContext.BaseDirectory);
        Skip.If(result.Error.Contains("ONNX Runtime is not here", StringComparison.Ordinal), "needs ONNX Runtime: make ort");
        return result.Succeeds();
    }

    [SkippableTheory]
    [InlineData("--max-tokens 60 --seed 5")]
    [InlineData("--max-tokens 40 --prompt to --prompt that --temperature 0 --slide false --stop q")]
    [InlineData("--max-tokens 8 --prompt to --beams 3")]
    public void Generate_writes_the_same_text(string options)
    {
        string[] args = ["generate", "--model", run.Folder, .. options.Split(' ')];
        Assert.Equal(Cli.Run(args).Succeeds().Out, OnDevice(args).Out);
    }

    [SkippableFact]
    public void Chat_answers_the_same()
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp.File("template"), "{% for m in messages %}{{ m.content }}{{ '\\n' }}{% endfor %}");
        string[] args = ["chat", "--model", run.Folder, "--template", temp.File("template"), "--max-tokens", "5", "--seed", "5"];
        Assert.Equal(Cli.Run(args, "to be\nor\n").Succeeds().Out, OnDevice(args, "to be\nor\n").Out);
    }

    [Fact]
    public void A_library_that_is_not_there_is_named() =>
        Cli.Run(["generate", "--model", run.Folder, "--device", "onnx-cpu"], null, new() { ["NANO_ORT"] = "no/such/library" }).Fails(1, "no/such/library", "hint: 'make ort'");

    [SkippableFact]
    public void A_device_that_cannot_be_used_says_why()
    {
        OnDevice(["generate", "--model", run.Folder, "--max-tokens", "1"]);
        Cli.Run(["generate", "--model", run.Folder, "--device", "coreml"], null, folder: AppContext.BaseDirectory).Fails(1, "was built without 'coreml'", "hint: it has onnx-cpu");
    }
}
