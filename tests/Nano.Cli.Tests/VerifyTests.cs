using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano verify passes what PyTorch computed, and fails what was tampered with.</summary>
public class VerifyTests
{
    [Fact]
    public void The_golden_values_pass()
    {
        var result = Cli.Run("verify", "--model", Goldens.Path("gpt2_tiny"), "--ops", Goldens.Path("ops")).Succeeds();
        Assert.DoesNotContain("FAIL", result.Out, StringComparison.Ordinal);
        Assert.Contains(" tensors, 0 failed", result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("golden.safetensors")]
    public void A_single_changed_number_fails(string name)
    {
        using var temp = new TempFolder();
        Tiny.CopyFolder(Goldens.Path("gpt2_tiny"), temp.File("copy"));
        string file = Path.Combine(temp.File("copy"), name);
        byte[] bytes = File.ReadAllBytes(file);
        int at = LastFloatBelow100(bytes);
        BitConverter.GetBytes(100f).CopyTo(bytes, at);
        File.WriteAllBytes(file, bytes);
        var result = Cli.Run("verify", "--model", temp.File("copy"), "--json");
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.Contains(" FAIL\n", result.Error, StringComparison.Ordinal);
        Assert.False(result.Json.GetProperty("pass").GetBoolean());
        Assert.True(result.Json.GetProperty("failed").GetInt32() >= 1);
    }

    /// <summary>The offset of the last ordinary float32 in a file; its tensors end with the file.</summary>
    private static int LastFloatBelow100(byte[] bytes)
    {
        int at = bytes.Length - 4;
        while (MathF.Abs(BitConverter.ToSingle(bytes, at)) is not (> 1e-6f and < 100))
            at -= 4;
        return at;
    }

    [Fact]
    public void Changed_values_of_an_op_fail()
    {
        using var temp = new TempFolder();
        Tiny.CopyFolder(Goldens.Path("ops"), temp.File("copy"));
        string file = Path.Combine(temp.File("copy"), "ops.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        BitConverter.GetBytes(100f).CopyTo(bytes, LastFloatBelow100(bytes));
        File.WriteAllBytes(file, bytes);
        var result = Cli.Run("verify", "--ops", temp.File("copy"));
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.Contains(" FAIL\n", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_of_quantised_weights_are_recognised_and_shown_as_a_table()
    {
        var result = Cli.Run("verify", Goldens.Path("quant"), Goldens.Path("quant_models"), "--json").Succeeds();
        Assert.Matches(@"\nq4_k +quantised bytes that differ +8640 +0 +0 pass\n", result.Error);
        Assert.Matches(@"\ngpt2_256 Q4_K_M +exact path, largest error of logits +2560 +\S+ +1E-05 pass\n", result.Error);
        Assert.True(result.Json.GetProperty("pass").GetBoolean());
        Assert.True(result.Json.GetProperty("tensors").GetInt32() > 200);
    }

    [Fact]
    public void Losses_of_quantised_models_are_a_table_beside_those_of_llama_cpp()
    {
        var result = Cli.Run("verify", Goldens.Path("quant_models"), "--losses", "--json").Succeeds();
        // nll of the index: exact 2.73464, llama.cpp 2.7353, float32 2.73465
        Assert.Matches(@"\n\| llama256 \| Q8_0 \| 8\.53 \| 2\.7346 \| 2\.735\d \| 2\.7353 \| 2\.734[67] \|\n", result.Error);
        var losses = result.Json.GetProperty("losses").EnumerateArray()
            .Where(loss => loss.GetProperty("model").GetString() == "llama256").ToList();
        Assert.Equal(14, losses.Count);
        Assert.All(losses, loss => Assert.Equal(loss.GetProperty("exact").GetDouble(),
            loss.GetProperty("integer").GetDouble(), 5e-3));
        Cli.Run("verify", "--losses", "--ops", Goldens.Path("ops")).Fails(2, "one FOLDER of quantised models");
        Cli.Run("verify", "--losses", Goldens.Path("ops")).Fails(1, "golden.safetensors");
    }

    [Fact]
    public void A_changed_byte_of_a_quantised_model_fails()
    {
        using var temp = new TempFolder();
        Tiny.CopyFolder(Goldens.Path("quant_models"), temp.File("copy"));
        string file = Path.Combine(temp.File("copy"), "gpt2_256-Q4_K_M.gguf");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^5000] ^= 0x11;
        File.WriteAllBytes(file, bytes);
        var result = Cli.Run("verify", temp.File("copy"));
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.Matches(@"gpt2_256 Q4_K_M +the file, tensors whose bytes differ +16 +1 +0 FAIL, first blk\.", result.Out);
    }

    [Fact]
    public void Folders_without_golden_values_are_an_error()
    {
        using var temp = new TempFolder();
        Cli.Run("verify", temp.Root).Fails(1, "holds no golden values");
        Cli.Run("verify").Fails(2, "nothing to verify");
        Cli.Run("verify", "--model", temp.Root).Fails(1, temp.Root);
        Cli.Run("verify", "--ops", temp.Root).Fails(1, temp.Root);
        Tiny.CopyFolder(Goldens.Path("gpt2_tiny"), temp.File("copy"));
        File.Delete(Path.Combine(temp.File("copy"), "tolerances.json"));
        Cli.Run("verify", "--model", temp.File("copy")).Fails(1, "tolerances.json");
    }
}
