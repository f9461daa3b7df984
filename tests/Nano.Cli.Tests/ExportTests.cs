using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano export. What the graphs compute is tested in Nano.Gpu.Tests.</summary>
public class ExportTests
{
    [Fact]
    public void A_model_becomes_a_graph_and_so_do_its_gradients()
    {
        using var folder = new TempFolder();
        var made = Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--json")
            .Succeeds();
        Assert.Equal(["file", "nodes", "weight_bytes"], made.JsonKeys);
        var gradients = Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("b.onnx"),
            "--gradients", "--json").Succeeds();
        Assert.True(gradients.Json.GetProperty("nodes").GetInt32() > made.Json.GetProperty("nodes").GetInt32());
        Assert.True(new FileInfo(folder.File("a.onnx")).Length > made.Json.GetProperty("weight_bytes").GetInt64());
        var cached = Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("c.onnx"), "--cache")
            .Succeeds();
        Assert.Contains("past_key_values.0.key",
            System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(folder.File("c.onnx"))), StringComparison.Ordinal);
        Assert.StartsWith(folder.File("c.onnx"), cached.Out, StringComparison.Ordinal);
        long whole = made.Json.GetProperty("weight_bytes").GetInt64(),
            half = Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("d.onnx"), "--type",
                "float16", "--json").Succeeds()
            .Json.GetProperty("weight_bytes").GetInt64();
        Assert.InRange(half, whole / 2, (whole / 2) + 512);
        Assert.Equal(0x08, File.ReadAllBytes(folder.File("a.onnx"))[0]); // ir_version, the first field
    }

    [Fact]
    public void A_training_step_becomes_one_graph_or_two()
    {
        using var folder = new TempFolder();
        var whole = Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("step.onnx"),
            "--train", "--json").Succeeds();
        Assert.Single(whole.Json.GetProperty("files").EnumerateArray());
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("step.onnx"), "--train", "--split",
            "--beta2", "0.99").Succeeds();
        Assert.Equal(["step.gradients.onnx", "step.onnx", "step.update.onnx"],
            Directory.GetFiles(folder.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        using var folder = new TempFolder();
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--train", "--cache")
            .Fails(1, "--train does not go with");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--split")
            .Fails(1, "--split goes with --train");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--train", "--beta1",
            "2").Fails(1, "--beta1 must be");
        Cli.Run("export", "--model", folder.File("none"), "--out", folder.File("a.onnx"))
            .Fails(1, "there is no model at");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("no/such/folder/a.onnx"))
            .Fails(1, "a.onnx");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny")).Fails(2, "--out");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--gradients",
            "--cache").Fails(1, "neither a cache nor logits", "hint: ");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--gradients", "--type",
            "float16").Fails(1, "gradients are those of float32 weights", "hint: ");
        Cli.Run("export", "--model", Goldens.Path("gpt2_tiny"), "--out", folder.File("a.onnx"), "--type", "float8")
            .Fails(2, "float8");
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }
}
