using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Nano.Tests.Data;

/// <summary>Files of JSON lines, for data and for evaluation: one reader.</summary>
public sealed class JsonLinesTests : IDisposable
{
    readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    static List<string> Documents(string path, string field = "text", bool skipBad = false)
    {
        var options = new PrepareOptions
        {
            Inputs = [path],
            Tokenizer = CharTokenizer.FromText("a"),
            Out = "unused",
            Field = field,
            SkipBad = skipBad
        };
        var source = new DocumentSource(SourceFile.Find(options.Inputs, DataFormat.Jsonl), options,
            CancellationToken.None);
        return [.. source.Read().Select(document => document.Text.ToString())];
    }

    string Put(string content, string name = "t.jsonl") => Put(Encoding.UTF8.GetBytes(content), name);

    string Put(byte[] content, string name = "t.jsonl")
    {
        File.WriteAllBytes(temp.File(name), content);
        return temp.File(name);
    }

    public static TheoryData<string> Cases() =>
        [.. Directory.EnumerateDirectories(Goldens.Path("../cases/jsonl")).Select(folder => Path.GetFileName(folder)!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Cases_of_bug_reports(string name)
    {
        string folder = Goldens.Path("../cases/jsonl/" + name);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expect.json")));
        var root = expected.RootElement;
        Assert.Equal("prepare", root.GetProperty("kind").GetString());
        Assert.Equal(root.GetProperty("documents").EnumerateArray().Select(document => document.GetString()!),
            Documents(Path.Combine(folder, root.GetProperty("input").GetString()!),
                root.GetProperty("field").GetString()!));
    }

    /// <summary>Every line of formats/jsonl.json alone in a file: what Python's json reads, by make_jsonl.py.</summary>
    [Fact]
    public void Lines_are_read_as_Python_reads_them()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("formats/jsonl.json")));
        Assert.True(golden.RootElement.GetArrayLength() > 90);
        foreach (var pair in golden.RootElement.EnumerateArray())
        {
            string line = pair[0].GetString()!;
            string path = Put(line);
            if (pair[1].ValueKind == JsonValueKind.String)
            {
                // an empty document is left out
                Assert.True(Documents(path).SequenceEqual(pair[1].GetString() is { Length: > 0 } text ? [text] : []),
                    line);
                Assert.Equal(pair[1].GetString(), Assert.Single(JsonLines.Read(path, read => read.Text("text"))));
                string list = Put("{\"list\":[" + JsonSerializer.Serialize(pair[1].GetString()) + "]}");
                Assert.Equal([pair[1].GetString()!],
                    Assert.Single(JsonLines.Read(list, read => read.Texts("list", 1))));
            }
            else
            {
                Assert.StartsWith($"{path}, line 1 ", Assert.Throws<NanoException>(() => Documents(path)).Message,
                    StringComparison.Ordinal);
                Assert.StartsWith($"{path}: line 1: ",
                    Assert.Throws<BadFileException>(() => JsonLines.Read(path, read => read.Text("text"))).Message,
                    StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("\r\n\r\n")]
    [InlineData("  \t \n\u00a0\n\u2003\u3000\r\n\u000b\u000c\n")]
    public void Blank_lines_are_passed_over_and_counted(string blank)
    {
        string path = Put($"\uFEFF{blank}{{\"text\":\"a\"}}\r\n{blank}\n{{\"text\":\"b\"}}\n{blank}");
        Assert.Equal(["a", "b"], Documents(path));
        Assert.Equal(["a", "b"], JsonLines.Read(path, line => line.Text("text")));
        int number = 1 + blank.Count(c => c == '\n');
        string bad = Put($"{blank}{{\"text\":\"a\"\n");
        Assert.Contains($", line {number} is not JSON: at byte 11: the line ends where",
            Assert.Throws<NanoException>(() => Documents(bad)).Message, StringComparison.Ordinal);
        Assert.Contains($"line {number}: not valid JSON: at byte 11",
            Assert.Throws<BadFileException>(() => JsonLines.Read(bad, line => line.Text("text"))).Message,
            StringComparison.Ordinal);
        string nothing = Put("\uFEFF" + blank);
        Assert.Empty(Documents(nothing));
        Assert.Contains("no lines",
            Assert.Throws<BadFileException>(() => JsonLines.Read(nothing, line => line.Text("text"))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Lines that end at, before and behind the ends of what is read at once.</summary>
    [Fact]
    public void Lines_across_any_border_of_blocks()
    {
        foreach (int length in (int[])[(1 << 18) - 12, (1 << 18) - 11, (1 << 18) - 10, (1 << 19) - 11, (1 << 19) + 7])
        {
            string text = new('x', length);
            string line = $"{{\"text\":\"{text}\"}}\n";
            string path = Put(line + "\n{\"text\":\"b\"}\n" + line + "{\"text\":\"é\"}");
            Assert.True(Documents(path).SequenceEqual([text, "b", text, "é"]));
        }
    }

    [Fact]
    public void Bounds_of_depth_and_length()
    {
        string Nested(int depth) => Put($"{{\"a\":{new string('[', depth)}{new string(']', depth)},\"text\":\"b\"}}");
        Assert.Equal(["b"], Documents(Nested(999)));
        Assert.Contains("more than 1000 deep",
            Assert.Throws<NanoException>(() => Documents(Nested(1_000_000))).Message, StringComparison.Ordinal);
        string longer = Put(new string(' ', JsonLineReader.LongestLine) + "{}");
        Assert.Contains("line 1 is longer than 67,108,864 bytes",
            Assert.Throws<NanoException>(() => Documents(longer)).Message, StringComparison.Ordinal);
        foreach (int longest in (int[])[10, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 300_000])
            foreach (int more in (int[])[-1, 0, 1, 1000])
            {
                using var stream = SourceStream.Open(Put("\uFEFFab\n" + new string('x', longest + more) + "\nc"), "");
                var lines = new JsonLineReader(stream, longest);
                Assert.True(lines.Next() && !lines.IsTooLong && lines.Next());
                Assert.Equal((more > 0, longest + Math.Min(more, 0)), (lines.IsTooLong, lines.Line.Length));
                Assert.True(more > 0 || (lines.Next() && lines.Line.SequenceEqual("c"u8) && !lines.Next()));
            }
    }

    [Fact]
    public void Errors_quote_what_they_found_and_bad_lines_can_be_left_out()
    {
        string path = Put("{\"text\":\"a\"}\n{\"text\":\u001b[31m}\n\n{\"text\":\"b\"}\n");
        Assert.EndsWith("line 2 is not JSON: at byte 8: expected a value, found '\\u{1B}'",
            Assert.Throws<NanoException>(() => Documents(path)).Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], Documents(path, skipBad: true));
    }

    static byte[] Packed(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }

    /// <summary>RFC 1952: a file may have several members, one behind the other.</summary>
    [Fact]
    public void Gzip_members_follow_each_other_and_nothing_else_does()
    {
        byte[] first = Packed("{\"text\":\"a\"}\n{\"te"), second = Packed("xt\":\"b\"}");
        Assert.Equal(["a", "b"], Documents(Put([.. first, .. second], "t.jsonl.gz")));
        Assert.Equal(["a", "b"], JsonLines.Read(temp.File("t.jsonl.gz"), line => line.Text("text")));
        foreach (byte[] bad in (byte[][])[[.. first, .. second[..^1]], [.. first, .. second[..9]],
            [.. first, .. second, .. "garbage"u8], [.. first, .. second, 0], [.. first, .. second, 0x1F],
            [.. first, .. second, 0x1F, 0x8B], [.. "garbage"u8, .. first], [.. first, 0, .. second], []])
        {
            string path = Put(bad, "t.jsonl.gz");
            Assert.Equal(path, Assert.Throws<BadFileException>(() => Documents(path)).Path);
        }
    }

    /// <summary>Members that end at, before and behind the ends of the 8,192 bytes that GZipStream reads at once; the
    /// name in the header makes them as long as is wanted.</summary>
    [Fact]
    public void Gzip_members_may_end_anywhere()
    {
        byte[] packed = Packed("{\"text\":\"a\"}\n"), second = Packed("{\"text\":\"b\"}");
        foreach (int length in (int[])[8190, 8191, 8192, 8193])
        {
            byte[] named = [.. packed[..3], 8, .. packed[4..10],
                .. Enumerable.Repeat((byte)'n', length - packed.Length - 1), 0, .. packed[10..]];
            Assert.Equal(length, named.Length);
            Assert.Equal(["a"], Documents(Put(named, "t.jsonl.gz")));
            Assert.Equal(["a", "b"], Documents(Put([.. named, .. second], "t.jsonl.gz")));
            foreach (byte[] behind in (byte[][])["g"u8.ToArray(), "garbage"u8.ToArray(), [0], new byte[100],
                [0x1F, 0x8B, 8]])
                Assert.Throws<BadFileException>(() => Documents(Put([.. named, .. behind], "t.jsonl.gz")));
        }
    }

    /// <summary>A packed file of nothing but line ends: no document ever comes, and stopping is heeded all the
    /// same.</summary>
    [Fact]
    public void Reading_is_stopped_where_no_document_comes()
    {
        string path = Put(Packed(new string('\n', 5_000_000)), "t.jsonl.gz");
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        using var stream = SourceStream.Open(path, "", stop.Token);
        Assert.Throws<OperationCanceledException>(() => new JsonLinesReader(path, "text", null).Read(stream).Count());
    }
}
