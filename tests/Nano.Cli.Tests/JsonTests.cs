using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// With --json the last line of stdout is one object with the documented keys, and people read
/// stderr.
/// </summary>
[Collection(nameof(TinyRun))]
public class JsonTests(TinyRun run)
{
    private static void AssertOneLine(CliResult result, params string[] keys)
    {
        Assert.Equal(1, result.Succeeds().Out.Count(c => c == '\n'));
        Assert.Equal(keys, result.JsonKeys);
        Assert.NotEmpty(result.Error);
        Assert.DoesNotContain("error: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train()
    {
        AssertOneLine(run.Result, "steps", "tokens", "train_loss", "val_loss", "val_loss_before", "seconds",
            "tokens_per_second", "checkpoint", "stopped_early", "verdict", "verdict_reason",
            "verdict_causes", "profile", "trace");
        var json = run.Result.Json;
        Assert.Equal("no band", json.GetProperty("verdict").GetString());
        Assert.Contains("steps 20, not 2000", json.GetProperty("verdict_reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(20, json.GetProperty("steps").GetInt32());
        Assert.Equal(20 * 4 * 16, json.GetProperty("tokens").GetInt32());
        // A fresh model knows nothing: the loss starts at the log of the number of characters and has not gone far.
        Assert.InRange(json.GetProperty("val_loss").GetDouble(), 2.5, Math.Log(Tiny.Text().Distinct().Count()) + 0.1);
        Assert.Equal(json.GetProperty("tokens").GetInt32() / json.GetProperty("seconds").GetDouble(),
            json.GetProperty("tokens_per_second").GetDouble(), 1e-6);
        Assert.Equal(run.Checkpoint, json.GetProperty("checkpoint").GetString());
        Assert.Contains("over the whole validation split", run.Result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate()
    {
        var result = Cli.Run("generate", "--model", run.Folder, "--prompt", "to be", "--max-tokens", "12", "--json");
        AssertOneLine(result, "prompt_ids", "ids", "text", "finish_reason", "prefill_tokens_per_second",
            "decode_tokens_per_second");
        Assert.Equal(5, result.Json.GetProperty("prompt_ids").GetArrayLength());
        Assert.Equal(12, result.Json.GetProperty("ids").GetArrayLength());
        Assert.Equal("length", result.Json.GetProperty("finish_reason").GetString());
        Assert.True(result.Json.GetProperty("prefill_tokens_per_second").GetDouble() > 0);
        Assert.Equal("to be" + result.Json.GetProperty("text").GetString() + "\n", result.Error);
    }

    [Fact]
    public void Info_of_the_machine()
    {
        var result = Cli.Run("info", "--threads", "1", "--json");
        AssertOneLine(result, "cpu", "system", "threads", "simd", "bfloat16_instruction", "bfloat16_problem",
            "bytes_instruction", "bytes_problem",
            "peak_gflops", "bfloat16_gflops", "read_gbps", "triad_gbps", "caches", "huge_pages", "cache_line_ns",
            "devices", "device_problems");
        Assert.Equal(1, result.Json.GetProperty("threads").GetInt32());
        Assert.True(result.Json.GetProperty("peak_gflops").GetDouble() > 0.1);
        Assert.True(result.Json.GetProperty("read_gbps").GetDouble() > 0.1);
    }

    [Fact]
    public void Info_of_a_model()
    {
        var result = Cli.Run("info", "--model", run.Folder, "--json");
        AssertOneLine(result, "model_type", "layers", "heads", "channels", "context_length", "vocab_size", "config",
            "components", "parameters", "bytes", "stored_bytes",
            "inference_flops_per_token", "training_flops_per_token", "cache_bytes_per_token", "cache_bytes",
            "training_step");
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("training_step").ValueKind); // of no batch
        // By hand: 24 characters and 16 positions of 16 channels, one block of 12 x 16 x 16 weights, three
        // norms without bias.
        Assert.Equal((24 * 16) + (16 * 16) + (12 * 16 * 16) + (3 * 16),
            result.Json.GetProperty("parameters").GetInt64());
        Assert.Equal([("embedding", 40 * 16), ("attention", 4 * 16 * 16), ("mlp", 8 * 16 * 16), ("norms", 3 * 16),
            ("head", 0)],
            result.Json.GetProperty("components").EnumerateObject()
                .Select(component => (component.Name, component.Value.GetInt32())));
        // float32
        Assert.Equal(4 * ((40 * 16) + (12 * 16 * 16) + (3 * 16)), result.Json.GetProperty("stored_bytes").GetInt64());
        // 2 x 16 floats
        Assert.Equal((128, 16 * 128),
            (result.Json.GetProperty("cache_bytes_per_token").GetInt32(), result.Json.GetProperty("cache_bytes")
                .GetInt32()));
        // every weight but the positions'; 16 keys
        Assert.Equal((2 * ((24 * 16) + (12 * 16 * 16) + (3 * 16))) + (4 * 16 * 16),
            result.Json.GetProperty("inference_flops_per_token").GetDouble(), 1e-6);
    }

    [Fact]
    public void Eval()
    {
        string text = run.Data;
        var result = Cli.Run("eval", "--model", run.Folder, "--data", text, "--json", "--threads", "1");
        AssertOneLine(result, "tokens", "loss", "perplexity", "bits_per_byte");
        double loss = result.Json.GetProperty("loss").GetDouble(),
            tokens = result.Json.GetProperty("tokens").GetDouble();
        Assert.Equal(Tiny.Text().Length - 1, tokens);
        Assert.InRange(loss, 0.5, Math.Log(24)); // better than knowing nothing
        Assert.Equal(Math.Exp(loss), result.Json.GetProperty("perplexity").GetDouble(), 1e-9);
        // all characters are ASCII
        Assert.Equal(loss * tokens / Math.Log(2) / Tiny.Text().Length,
            result.Json.GetProperty("bits_per_byte").GetDouble(), 1e-9);
        Assert.Equal(result.Out,
            Cli.Run("eval", "--model", run.Folder, "--data", text, "--json", "--threads", "2", "--batch", "3")
                .Succeeds().Out);
        Assert.NotEqual(loss, Cli.Run("eval", "--model", run.Folder, "--data", text, "--json", "--stride", "4")
            .Succeeds().Json.GetProperty("loss").GetDouble());
        Cli.Run("eval", "--model", run.Folder, "--data", text, "--stride", "17")
            .Fails(1, "the stride must be from 1 to 16", "got 17");
        Cli.Run("eval", "--model", run.Folder, "--data", text, "--seq", "17").Fails(1, "from 1 to 16", "got 17");
    }

    [Fact]
    public void Info_of_the_memory_of_a_training_step()
    {
        string[] keys = ["batch", "seq", "checkpoint_activations", "activations", "parameters_bytes", "gradients_bytes",
            "moments_bytes", "activations_bytes", "scratch_bytes", "runtime_bytes", "total_bytes"];
        var result = Cli.Run("info", "--model", "gpt2", "--batch", "4", "--seq", "64", "--checkpoint-activations",
            "--threads", "1", "--json").Succeeds();
        var step = result.Json.GetProperty("training_step");
        Assert.Equal(keys, step.EnumerateObject().Select(property => property.Name));
        Assert.Equal((4, 64, true),
            (step.GetProperty("batch").GetInt32(), step.GetProperty("seq")
                .GetInt32(), step.GetProperty("checkpoint_activations").GetBoolean()));
        Assert.Equal(4 * 124_439_808L, step.GetProperty("parameters_bytes").GetInt64());
        Assert.Equal(step.GetProperty("total_bytes").GetInt64(),
            keys[4..^1].Sum(key => step.GetProperty(key).GetInt64()));
        Assert.Contains($"{step.GetProperty("activations_bytes").GetInt64():N0} bytes", result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Verify()
    {
        var result = Cli.Run("verify", "--ops", Goldens.Path("ops"), "--json");
        AssertOneLine(result, "tensors", "failed", "worst", "pass");
        Assert.True(result.Json.GetProperty("pass").GetBoolean());
        Assert.Equal(0, result.Json.GetProperty("failed").GetInt32());
        Assert.Equal(["name", "error", "scale"], result.Json.GetProperty("worst").EnumerateObject()
            .Select(property => property.Name));
        Assert.Equal(result.Json.GetProperty("tensors").GetInt32(),
            result.Error.Split('\n').Count(line => line.EndsWith(" pass", StringComparison.Ordinal)));
    }

    [Fact]
    public void Bench_of_a_training_step()
    {
        var result = Cli.Run("bench", "train-step", "--model", "shakespeare-char", "--batch", "1", "--seq", "8",
            "--threads", "1", "--json");
        AssertOneLine(result, "machine", "results", "left_out", "profile", "trace");
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("profile").ValueKind);
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("trace").ValueKind);
        Assert.Equal(["cpu", "threads", "simd", "peak_gflops", "bfloat16_gflops", "read_gbps", "triad_gbps",
            "cache_line_ns"],
            result.Json.GetProperty("machine").EnumerateObject().Select(property => property.Name));
        var row = Assert.Single(result.Json.GetProperty("results").EnumerateArray());
        Assert.Equal(["name", "shape", "median_ms", "gflops", "gbps", "percent_of_peak", "note", "group", "family",
            "percent_of_bandwidth", "clock", "peers"], row.EnumerateObject().Select(property => property.Name));
        Assert.Equal("shakespeare-char B 1 T 8", row.GetProperty("shape").GetString());
        Assert.True(row.GetProperty("median_ms").GetDouble() > 0);
    }

    [Fact]
    public void Bench_of_a_quantised_file()
    {
        var json = Cli.Run("bench", "prefill", "--model", Goldens.Path("quant_models/llama256-Q8_0.gguf"), "--threads",
            "1", "--json").Succeeds().Json;
        var row = Assert.Single(json.GetProperty("results").EnumerateArray());
        Assert.Equal(("prefill", "256 tokens", "llama256-Q8_0"), (row.GetProperty("name").GetString(),
            row.GetProperty("shape").GetString(), row.GetProperty("family").GetString()));
        Assert.True(json.GetProperty("machine").GetProperty("wide_code_gops").GetDouble() > 0.1);
    }

    [Fact]
    public void Profiles()
    {
        var bench = Cli.Run("bench", "train-step", "--model", "shakespeare-char", "--batch", "1", "--seq", "8",
            "--threads", "1", "--profile", "--json");
        AssertProfile(bench, 10, ["8 x 512 x 128"]);
        using var temp = new TempFolder();
        AssertProfile(Cli.Run([.. Tiny.Train(run.Data, temp.File("run"), "--profile", "--json")]), 20,
            ["64 x 48 x 16"]);
        Cli.Run("bench", "gemm", "--profile").Fails(1, "--profile", "train-step");

        static void AssertProfile(CliResult result, int steps, string[] shapes)
        {
            var profile = result.Succeeds().Json.GetProperty("profile");
            Assert.Equal(["steps", "ms_per_step", "rows"], profile.EnumerateObject().Select(property => property.Name));
            Assert.Equal(steps, profile.GetProperty("steps").GetInt32());
            var rows = profile.GetProperty("rows").EnumerateArray().ToList();
            Assert.Equal(["name", "shape", "calls", "ms", "percent", "gflops", "gbps", "bound", "percent_of_ceiling"],
                rows[0].EnumerateObject().Select(property => property.Name));
            Assert.Equal(100, rows.Sum(row => row.GetProperty("percent").GetDouble()), 1e-6);
            foreach (var row in rows)
                Assert.Contains(row.GetProperty("name").GetString()!, result.Error, StringComparison.Ordinal);
            Assert.All(shapes, shape => Assert.Contains(shape, result.Error, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Traces()
    {
        using var temp = new TempFolder();
        AssertTrace(Cli.Run("bench", "train-step", "--model", "shakespeare-char", "--batch", "1", "--seq", "8",
            "--threads", "2", "--trace", temp.File("bench.json"), "--json"), temp.File("bench.json"), 10);
        AssertTrace(Cli.Run([.. Tiny.Train(run.Data, temp.File("run"), "--threads", "2", "--trace",
            temp.File("train.json"), "--json")]), temp.File("train.json"), 1);
        Tiny.AssertSame(run.Folder, temp.File("run"));
        Cli.Run("bench", "gemm", "--trace", temp.File("gemm.json")).Fails(1, "--trace", "train-step");
        string nowhere = temp.File("nowhere/t.json");
        Cli.Run("bench", "train-step", "--trace", nowhere).Fails(1, "cannot write", "there is no folder");
        Cli.Run([.. Tiny.Train(run.Data, temp.File("other"), "--trace", nowhere)])
            .Fails(1, "cannot write", "there is no folder");
        Assert.Equal(["bench.json", "run", "train.json"], Directory.GetFileSystemEntries(temp.Root)
            .Select(Path.GetFileName).Order(StringComparer.Ordinal));

        static void AssertTrace(CliResult result, string path, int steps)
        {
            var trace = result.Succeeds().Json.GetProperty("trace");
            Assert.Equal(["file", "steps", "cut", "ms_per_step", "percent_busy", "workers", "ops"],
                trace.EnumerateObject().Select(property => property.Name));
            Assert.Equal((path, steps, false), (trace.GetProperty("file").GetString(),
                trace.GetProperty("steps").GetInt32(), trace.GetProperty("cut").GetBoolean()));
            double wall = trace.GetProperty("ms_per_step").GetDouble();
            Assert.Equal(2, trace.GetProperty("workers").GetArrayLength());
            Assert.All(trace.GetProperty("workers").EnumerateArray(), worker =>
            {
                Assert.Equal(["busy", "at_dispatch", "between_chunks", "at_end", "without_chunk", "outside_jobs",
                    "wall"], worker.EnumerateObject().Select(property => property.Name));
                Assert.Equal(wall, worker.GetProperty("wall").GetDouble(), 1e-6);
            });
            Assert.Equal(wall, trace.GetProperty("ops").EnumerateArray().Sum(op => op.GetProperty("ms").GetDouble()),
                1e-6);
            Assert.Contains("worker 1", result.Error, StringComparison.Ordinal);
            using var file = JsonDocument.Parse(File.ReadAllBytes(path));
            Assert.Contains(file.RootElement.GetProperty("traceEvents").EnumerateArray(),
                e => e.GetProperty("name").GetString() == "linear dX / GemmBlocks");
        }
    }

    [Fact]
    public void Bench_of_chosen_products()
    {
        var result = Cli.Run("bench", "gemm", "--filter", "char, 768 x 128 x 128", "--threads", "1", "--json");
        AssertOneLine(result, "machine", "results", "left_out", "profile", "trace");
        var rows = result.Json.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(["forward", "dX", "dW"], rows.Select(row => row.GetProperty("name").GetString()));
        Assert.All(rows, row => Assert.Equal(2.0 * 768 * 128 * 128 / row.GetProperty("median_ms").GetDouble() / 1e6,
            row.GetProperty("gflops").GetDouble(), 1e-6));
        Assert.Contains("gemm char: geometric mean ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Data()
    {
        var result = Cli.Run("data", "--json");
        AssertOneLine(result, "folder", "sources");
        var names = result.Json.GetProperty("sources").EnumerateArray()
            .Select(source => source.GetProperty("name").GetString());
        Assert.Contains("shakespeare", names);
        Assert.Contains("gpt2-tokenizer", names);
    }

    [Fact]
    public void Data_that_is_here()
    {
        string? folder = Environment.GetEnvironmentVariable("NANO_DATA");
        Assert.SkipWhen(folder is null || !File.Exists(Path.Combine(folder, "tinyshakespeare.txt")),
            "NANO_DATA names no folder with tinyshakespeare.txt");
        var result = Cli.Run(["data", "shakespeare", "--json"], null, new() { ["NANO_DATA"] = folder });
        AssertOneLine(result, "name", "paths");
        Assert.Equal(Path.GetFullPath(Path.Combine(folder, "tinyshakespeare.txt")),
            Assert.Single(result.Json.GetProperty("paths").EnumerateArray()).GetString());
    }

    [Fact]
    public void Without_json_stdout_is_for_people()
    {
        var result = Cli.Run("info", "--model", "gpt2").Succeeds();
        Assert.Empty(result.Error);
        Assert.Contains("12 layers", result.Out, StringComparison.Ordinal);
        Assert.ThrowsAny<JsonException>(() => result.Json);
    }
}
