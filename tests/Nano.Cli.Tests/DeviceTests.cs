using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Verbs with --device. What runs there is tested in Nano.Gpu.Tests.</summary>
[Collection(nameof(TinyRun))]
public class DeviceTests(TinyRun run)
{
    /// <summary>Runs a verb on the library that came with the build.</summary>
    private static CliResult OnDevice(string[] args, string? stdin = null) =>
        Cli.Run([.. args, "--device", "onnx-cpu"], stdin, Built).Succeeds();

    /// <summary>No other library is named.</summary>
    private static Dictionary<string, string> Built => new() { [OrtLibrary.Variable] = "" };

    [Theory]
    [InlineData("--max-tokens 60 --seed 5")]
    [InlineData("--max-tokens 40 --prompt to --prompt that --temperature 0 --slide false --stop q")]
    [InlineData("--max-tokens 8 --prompt to --beams 3")]
    public void Generate_writes_the_same_text(string options)
    {
        string[] args = ["generate", "--model", run.Folder, .. options.Split(' ')];
        Assert.Equal(Cli.Run(args).Succeeds().Out, OnDevice(args).Out);
    }

    [Fact]
    public void Chat_answers_the_same()
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp.File("template"), "{% for m in messages %}{{ m.content }}{{ '\\n' }}{% endfor %}");
        string[] args = ["chat", "--model", run.Folder, "--template", temp.File("template"), "--max-tokens", "5",
            "--seed", "5"];
        Assert.Equal(Cli.Run(args, "to be\nor\n").Succeeds().Out, OnDevice(args, "to be\nor\n").Out);
    }

    [Fact]
    public void A_library_that_is_not_there_is_named() =>
        Cli.Run(["generate", "--model", run.Folder, "--device", "onnx-cpu"], null,
            new() { [OrtLibrary.Variable] = "no/such/library" })
            .Fails(1, "no/such/library", "hint: 'dotnet build' puts it beside the program");

    [Fact]
    public void A_device_that_cannot_be_used_says_why()
    {
        Cli.Run(["generate", "--model", run.Folder, "--device", "coreml"], null, Built)
            .Fails(1, "was built without 'coreml'", "hint: it has onnx-cpu");
    }

    [Fact]
    public void Eval_measures_the_same()
    {
        string[] args = ["eval", "--model", run.Folder, "--data", run.Data, "--stride", "5", "--json"];
        var (ours, theirs) = (Cli.Run(args).Succeeds().Json, OnDevice(args).Json);
        Assert.Equal(ours.GetProperty("tokens").GetInt64(), theirs.GetProperty("tokens").GetInt64());
        Assert.Equal(ours.GetProperty("loss").GetDouble(), theirs.GetProperty("loss").GetDouble(), 1e-5);
    }

    [Fact]
    public void A_run_is_trained_there_and_goes_on_here()
    {
        using var temp = new TempFolder();
        string here = temp.File("here"), there = temp.File("there");
        double expected = Cli.Run(Tiny.Train(run.Data, here, "--json")).Succeeds().Json.GetProperty("val_loss")
            .GetDouble();
        var trained = OnDevice(Tiny.Train(run.Data, there, "--json"));
        Assert.Equal(expected, trained.Json.GetProperty("val_loss").GetDouble(), 1e-3);
        Assert.Contains("device   onnx-cpu, ONNX Runtime", trained.Error, StringComparison.Ordinal);
        Assert.Contains("\"device\":\"onnx-cpu, float32 products\"",
            File.ReadLines(Path.Combine(there, "log.jsonl")).First(), StringComparison.Ordinal);
        Assert.Contains("onnx-cpu", File.ReadAllText(Path.Combine(there, "report.html")), StringComparison.Ordinal);
        Cli.Run("generate", "--model", there, "--max-tokens", "5").Succeeds();
    }

    [Fact]
    public void What_does_not_go_together_is_refused()
    {
        using var temp = new TempFolder();
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--device", "onnx-cpi"))
            .Fails(1, "there is no device 'onnx-cpi'", "did you mean 'onnx-cpu'?");
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--precision", "float16"))
            .Fails(1, "--precision float16 takes a --device");
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--precision", "bf16", "--device", "onnx-cpu"))
            .Fails(1, "--precision bf16 has no form on a device");
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--precision", "float61"))
            .Fails(2, "--precision takes float32, bf16 or float16, not 'float61'");
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--device", "onnx-cpu", "--profile"))
            .Fails(1, "--profile shows Nano's own kernels");
        Cli.Run(Tiny.Train(run.Data, temp.File("a"), "--device", "onnx-cpu", "--dropout", "0.1"))
            .Fails(1, "--dropout has no form on a device");
    }
}
