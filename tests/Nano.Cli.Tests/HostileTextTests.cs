using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// Files, names and arguments that hold escape sequences, line ends and kilobytes where text is expected: no
/// error repeats them.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class HostileTextTests(TinyRun run) : IDisposable
{
    /// <summary>Clears a screen, forges a hint, turns text around, and is long.</summary>
    private static readonly string Evil =
        "\x1b[2J\x1b]0;x\a\nhint: all is well\r\u009b31m\u202e" + new string('x', 5000);

    private static readonly string EvilJson = JsonSerializer.Serialize(Evil);

    /// <summary>The longest line of an error, and the longest quote in one.</summary>
    private const int LongestLine = 1100, LongestQuote = 80;

    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    private static string Replaced(string text, string old, string by) =>
        text.Replace(old, by, StringComparison.Ordinal);

    private string Write(string name, string text)
    {
        File.WriteAllText(temp.File(name), text);
        return temp.File(name);
    }

    /// <summary>A copy of the model with one file changed.</summary>
    private string Model(string file, Func<string, string> change)
    {
        string folder = temp.File(Guid.NewGuid().ToString("N"));
        Tiny.CopyFolder(run.Checkpoint, folder);
        string path = Path.Combine(folder, file);
        File.WriteAllText(path, change(File.Exists(path) ? File.ReadAllText(path) : ""));
        return folder;
    }

    private string Safetensors(string header)
    {
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        string path = temp.File(Guid.NewGuid().ToString("N") + ".safetensors");
        File.WriteAllBytes(path, [.. length, .. json]);
        return path;
    }

    /// <summary>
    /// A GGUF file of one string, as its format says: magic, version 3, no tensors, one pair of key, type 8
    /// and value.
    /// </summary>
    private string Gguf(string key, string value)
    {
        var bytes = new List<byte>("GGUF"u8.ToArray());
        bytes.AddRange([3, 0, 0, 0, .. new byte[8], 1, .. new byte[7]]);
        Text(key);
        bytes.AddRange([8, 0, 0, 0]);
        Text(value);
        string path = temp.File(Guid.NewGuid().ToString("N") + ".gguf");
        File.WriteAllBytes(path, [.. bytes]);
        return path;

        void Text(string text)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            bytes.AddRange(BitConverter.GetBytes((long)utf8.Length));
            bytes.AddRange(utf8);
        }
    }

    /// <summary>Command lines by what is hostile in them.</summary>
    private IEnumerable<string[]> Lines()
    {
        string model = """{"model_type":"gpt2","vocab_size":65,"n_positions":64,"n_layer":2,"n_head":2,"n_embd":32}""";
        string recipe = """{"name":NAME,"training":{"batch":1,"steps":1,"lr":1e-3,KEY:1},"model":""" + model + "}";
        string[] generate = ["generate", "--max-tokens", "1", "--model"];
        foreach (string folder in (string[])[
            Model("config.json", _ => $$"""{"model_type":{{EvilJson}}}"""),
            Model("config.json", _ => Evil),
            Model("config.json", _ => $$"""{{{EvilJson}}:1,{{EvilJson}}:2}"""),
            Model("config.json", old => Replaced(old, "\"n_head\": ", "\"n_head\": " + EvilJson + ", \"x\": ")),
            Model("config.json", old => Replaced(old, "gelu_new", Replaced(Evil, "\n", ""))),
            Model("tokenizer.json", _ => Evil),
            Model("tokenizer.json", _ => $$"""{"model":{"type":{{EvilJson}} } }"""),
            Model("tokenizer.json", old => Replaced(old, "\"vocab\":", $"\"vocab\": {{{EvilJson}: -1}}, \"y\":")),
            Model("tokenizer_config.json", _ => $$"""{"eos_token":[{{EvilJson}}]}"""),
            Model("model.safetensors", _ => Evil),
            Safetensors($$$"""{{{{EvilJson}}}:{"dtype":"F32","shape":[1],"data_offsets":[0,99]}}"""),
            Safetensors($$$"""{"a":{"dtype":{{{EvilJson}}},"shape":[1],"data_offsets":[0,4]}}"""),
            Safetensors($$$"""{"a":{{{{EvilJson}}}:1}}"""),
            Safetensors($$$"""{"__metadata__":{{{{EvilJson}}}:1}}"""),
            Safetensors("{" + Evil),
            Gguf("general.architecture", Evil), Gguf(Evil, "x"), Evil, Evil + ".gguf", Evil + ".safetensors"])
            yield return [.. generate, folder];
        foreach (string text in (string[])[
            Replaced(Replaced(recipe, "NAME", EvilJson), "KEY", EvilJson),
                Replaced(Replaced(recipe, "NAME", "1"), "KEY", EvilJson),
            "{" + EvilJson + ":1}", Evil, Replaced(recipe, "\"gpt2\"", EvilJson)])
            yield return ["plan", Write(Guid.NewGuid().ToString("N") + ".json", text)];
        foreach (string line in (string[])[
            "train X", "train --data X", "train --tokenizer X --data " + run.Data, "train --resume X",
            "train --device X", "train --optimizer X", "train --schedule X", "train --on-spike X",
            "train --activations X", "train --lr X", "train --steps X", "sweep --out s X", "plan X",
            "tokenize --tokenizer X", "pull X", "pull o/m --endpoint X", "info --model X", "data X",
            "data prepare X --tokenizer gpt2 --out o", "bench X", "bench gemm --filter X", "runs list X",
            "runs compare X X", "verify --model X", "verify --ops X", "convert X y", "convert " + run.Folder + " X",
            "export --model X --out y", "chat --model X", "eval --model X --data y", "eval score --data X", "X",
            "generate X", "generate --X 1", "generate --logit-bias X --model " + run.Folder])
            yield return [.. line.Split(' ').Select(word => word.Replace("X", Evil, StringComparison.Ordinal))];
        string lines = Write("lines", $$"""{"prediction":{{EvilJson}},"references":{{EvilJson}}}""");
        yield return ["eval", "score", "--data", lines];
        yield return ["eval", "score", "--data", Write("garbage", Evil)];
        Write("index.json", $$"""{"cases":[{"case":{{EvilJson}},"op":{{EvilJson}},"attrs":{} }]}""");
        yield return ["verify", "--ops", temp.Root];
    }

    [Fact]
    public void No_error_repeats_it()
    {
        File.WriteAllBytes(temp.File("ops.safetensors"), File.ReadAllBytes(Safetensors("{}")));
        int failed = 0;
        foreach (string[] line in Lines())
        {
            var (messages, exception) = InProcess.Run(line);
            bool isKnown = exception is null or NanoException or BadFileException or IOException;
            Assert.True(isKnown, $"{line[0]} ...: {exception?.GetType().Name}");
            failed += messages.Length > 0 ? 1 : 0;
            foreach (string message in messages)
            {
                string about = $"nano {line[0]} {Quoted.Of(line[^1])}: {message[..Math.Min(400, message.Length)]}";
                Assert.True(message.Length <= LongestLine, about);
                Assert.False(message.Any(c => char.IsControl(c) || c == '\u202e'), about);
                if (!line.Any(word => word.Contains(Evil, StringComparison.Ordinal))) // of paths, more is shown
                    Assert.False(message.Contains(new string('x', LongestQuote), StringComparison.Ordinal), about);
            }
        }
        Assert.InRange(failed, 55, 70); // all but 'runs list' of nothing
    }

    /// <summary>The same for a few, as the program prints them.</summary>
    [Theory]
    [InlineData("generate", "--model")]
    [InlineData("train", "--steps")]
    [InlineData("train")]
    [InlineData()]
    public void Stderr_is_lines_of_visible_text(params string[] beginning)
    {
        if (OperatingSystem.IsWindows())
            return; // where arguments hold no such characters
        var result = Cli.Run([.. beginning, Evil]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.DoesNotContain(result.Error, c => c != '\n' && (char.IsControl(c) || c == '\u202e'));
        Assert.All(result.Error.Split('\n'), shown => Assert.InRange(shown.Length, 0, LongestLine));
        Assert.DoesNotContain("\nhint: all is well", result.Error, StringComparison.Ordinal); // which nano did not say
    }
}
