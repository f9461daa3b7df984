using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Nano.Tests.Data;

public sealed partial class DataPreparerTests : IDisposable
{
    const int V = 300;

    static readonly Lazy<ITokenizer> Bpe =
        new(() => BpeTrainer.Train([PatternedText.Sentences()
            .Replace("fish", "crème brûlée 🐟", StringComparison.Ordinal)], V, threads: 1));

    readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    string Put(string name, string text) => Put(name, Encoding.UTF8.GetBytes(text));

    string Put(string name, byte[] bytes)
    {
        string path = temp.File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (name.EndsWith(".gz", StringComparison.Ordinal))
        {
            using var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest);
            gzip.Write(bytes);
        }
        else
            File.WriteAllBytes(path, bytes);
        return path;
    }

    PrepareOptions Options(params string[] inputs) => new()
    {
        Inputs = inputs,
        Tokenizer = Bpe.Value,
        Out = temp.File("out"),
        Validation = new(ValidationKind.FirstTokens, Tokens: 1),
        Threads = 2
    };

    /// <summary>The ids of both splits.</summary>
    static (int[] Train, int[] Validation) Ids(PreparedData data)
    {
        using var train = data.Open(data.Train);
        using var validation = data.Open(data.Validation);
        return (train.ToArray(), validation.ToArray());
    }

    /// <summary>All ids in their order, where the validation split comes first.</summary>
    static int[] All(PreparedData data)
    {
        var (train, validation) = Ids(data);
        return [.. validation, .. train];
    }

    static int End => Bpe.Value.SpecialTokens["<|endoftext|>"];

    static int[] Expected(params string[] documents) =>
        [.. documents.SelectMany(document => Bpe.Value.Encode(document).Prepend(End))];

    NanoException Fails(PrepareOptions options, params string[] words)
    {
        var before = Directory.GetFileSystemEntries(temp.Root).Order().ToList();
        var e = Assert.Throws<NanoException>(() => DataPreparer.Run(options));
        Assert.All(words, word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
        Assert.NotNull(e.Hint);
        Assert.Equal(before, Directory.GetFileSystemEntries(temp.Root).Order());
        return e;
    }

    /// <summary>
    /// About half a million characters with words, digits, several scripts and long runs of all
    /// kinds.
    /// </summary>
    static string LongText()
    {
        var random = new Random(6);
        string[] bits = ["the ", "cat", "'s ", "été ", "\n\n", "12345 ", "中文，", "🐟", "   ", "a\u0301 ", "!!! ",
            new string('x', 3000), new string(' ', 500), "\r\n"];
        var text = new StringBuilder();
        while (text.Length < 500_000)
            text.Append(bits[random.Next(bits.Length)]);
        return text.ToString();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_long_document_has_the_ids_it_has_when_encoded_whole(int threads)
    {
        string text = LongText();
        var data = DataPreparer.Run(Options(Put("long.txt", text)) with { Threads = threads });
        Assert.Equal(Expected(text), All(data));
        Assert.Equal(Encoding.UTF8.GetByteCount(text), data.Train.Bytes + data.Validation.Bytes);
        Assert.Equal(1, data.Train.Documents + data.Validation.Documents);
    }

    [Fact]
    public void Every_file_is_the_same_whatever_the_number_of_threads()
    {
        string lines = string.Join('\n', Enumerable.Range(0, 3000)
            .Select(i => JsonSerializer.Serialize(new { text = PatternedText.Sentences(1 + (i % 7)) })));
        string[] inputs = [Put("a.jsonl", lines), Put("b.txt", LongText()), Put("c.txt.gz", PatternedText.Sentences())];
        SortedDictionary<string, string>? first = null;
        foreach (int threads in (int[])[1, 2, 3, 7])
            foreach (string validation in (string[])["0.1", "5000", "documents:0.2"])
                if (threads == 1 || validation != "5000")
                {
                    var options = Options(inputs) with
                    {
                        Threads = threads,
                        Out = temp.File($"{validation.Replace(':', '-')}.{threads}"),
                        ShardTokens = 50_000,
                        Validation = ValidationSplit.Parse(validation)
                    };
                    DataPreparer.Run(options);
                    Assert.Equal(Runs.Files(temp.File($"{validation.Replace(':', '-')}.1")), Runs.Files(options.Out));
                    first ??= Runs.Files(options.Out);
                }
        Assert.True(first!.Count > 5);
    }

    [Fact]
    public void A_folder_is_read_in_the_order_of_names_and_says_what_it_made()
    {
        Put("in/b.txt", "the cat sees");
        Put("in/B.txt", "an old dog");
        Put("in/a/z.txt.gz", "my aunt");
        Put("in/a/.hidden", "not this");
        Put("in/c.jsonl", "{\"text\": \"fish\", \"id\": 1}\n{\"id\": {\"text\": \"no\"}, \"text\": \"cr\\u00e8me "
            + "\\ud83d\\udc1f\"}\n{\"text\": \"\"}\n");
        Put("in/d.txt", "");
        var data = DataPreparer.Run(Options(temp.File("in")));
        string[] documents = ["an old dog", "my aunt", "the cat sees", "fish", "crème 🐟"];
        Assert.Equal(Expected(documents), All(data));
        Assert.Equal(2, data.EmptyDocuments);
        // the mark of the first
        Assert.Equal((1, 1, 0), (data.Validation.Tokens, data.Validation.Documents, data.Validation.Bytes));
        Assert.Equal((4, documents.Sum(Encoding.UTF8.GetByteCount)), (data.Train.Documents, data.Train.Bytes));
        Assert.Equal(["B.txt", "a/z.txt.gz", "b.txt", "c.jsonl", "d.txt"],
            data.Sources.Select(source => Path.GetRelativePath(temp.File("in"), source.Path)));
        Assert.All(data.Sources,
            source => Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(source.Path))),
                source.Sha256));
        Assert.Equal(["dataset.json", "tokenizer.json", "train_000001.bin", "val_000000.bin"], Runs.Names(data.Folder));
        Assert.Equal(Bpe.Value.Encode("the cat"), data.OpenTokenizer().Encode("the cat"));
    }

    [Fact]
    public void Shards_are_filled_one_after_the_other()
    {
        string text = PatternedText.Sentences();
        var data = DataPreparer.Run(Options(Put("t.txt", text)) with
        {
            ShardTokens = 500,
            Validation = new(ValidationKind.FirstTokens, Tokens: 700)
        });
        Assert.Equal(Expected(text), All(data));
        Assert.Equal([("val_000000.bin", 500), ("val_000001.bin", 200)],
            data.Validation.Files.Select(file => (file.Name, file.Tokens)));
        Assert.Equal("train_000001.bin", data.Train.Files[0].Name);
        Assert.All(data.Train.Files.SkipLast(1), file => Assert.Equal(500, file.Tokens));
        var (_, validation) = Ids(data);
        Assert.Equal(validation.Sum(id => id == End ? 0 : Bpe.Value.BytesOf(id).Length), data.Validation.Bytes);
        Assert.Equal(data.Validation.Bytes / 700.0, data.ValidationBytesPerToken);
    }

    [Fact]
    public void The_last_characters_validate_and_each_part_is_encoded_by_itself()
    {
        string text = LongText();
        var (train, validation) = new Corpus("", text, "").Split();
        var data = DataPreparer.Run(
            Options(Put("t.txt", text)) with { Validation = new(ValidationKind.LastCharacters, 0.1) });
        Assert.Equal(Expected(train), Ids(data).Train);
        Assert.Equal(Expected(validation), Ids(data).Validation);

        // 17 of 20 characters, some of which are two UTF-16 units: the second document is divided.
        string[] documents = ["🐟🐟🐟🐟🐟🐟🐟🐟🐟🐟", "ab🐟defghij"];
        data = DataPreparer.Run(
            Options(Put("a.txt", documents[0]), Put("b.txt", documents[1])) with
            {
                Validation = new(ValidationKind.LastCharacters, 0.15),
                Overwrite = true
            });
        Assert.Equal(Expected(documents[0], "ab🐟defg"), Ids(data).Train);
        Assert.Equal(Expected("hij"), Ids(data).Validation);
        data = DataPreparer.Run(
            Options(Put("a.txt", documents[0]), Put("b.txt", documents[1])) with
            {
                Validation = new(ValidationKind.LastCharacters, 0.5),
                Overwrite = true
            });
        Assert.Equal(Expected(documents[0]), Ids(data).Train);
        Assert.Equal(Expected(documents[1]), Ids(data).Validation);
    }

    [Fact]
    public void Whole_documents_validate_about_as_many_as_wanted()
    {
        string[] documents = [.. Enumerable.Range(0, 2000).Select(i => $"the cat {i}")];
        string lines = Put("t.jsonl",
            string.Concat(documents.Select(document => JsonSerializer.Serialize(new { text = document }) + "\n")));
        var data = DataPreparer.Run(Options(lines) with { Validation = new(ValidationKind.Documents, 0.1) });
        Assert.Equal(200, data.Validation.Documents, 5 * Math.Sqrt(2000 * 0.1 * 0.9));
        Assert.Equal(2000, data.Validation.Documents + data.Train.Documents);
        var (train, validation) = Ids(data);
        string[] Texts(int[] ids) => [.. Bpe.Value.Decode(ids).Split("<|endoftext|>")[1..]];
        Assert.Equal(documents.Order(), Texts(train).Concat(Texts(validation)).Order());
        Assert.Equal(data.Validation.Documents, Texts(validation).Length);
    }

    /// <summary>
    /// llm.c: "&lt;|endoftext|&gt;" at the beginning and after every "\n\n", which Python's replace
    /// takes from left to right.
    /// </summary>
    [Theory]
    [InlineData("a\n\nb\n\nc\n", "a\n\n|b\n\n|c\n")]
    [InlineData("a\n\n\nb", "a\n\n|\nb")]
    [InlineData("a\n\n\n\nb", "a\n\n|\n\n|b")]
    [InlineData("\n\na\n\n", "\n\n|a\n\n|")]
    [InlineData("a\nb", "a\nb")]
    public void Sections_end_behind_every_empty_line(string text, string documents)
    {
        var data = DataPreparer.Run(Options(Put("t.txt", text)) with { Format = DataFormat.Sections });
        Assert.Equal(Expected(documents.Split('|')), All(data));
    }

    [Fact]
    public void Sections_across_any_border_of_blocks()
    {
        foreach (int length in (int[])[(1 << 17) - 3, (1 << 17) - 2, (1 << 17) - 1, 1 << 17, (1 << 17) + 1])
        {
            string first = string.Concat(Enumerable.Repeat("the cat ", (length / 8) + 1))[..length] + "\n\n";
            var data = DataPreparer.Run(Options(Put("t.txt", first + "\n\n\nx")) with
            {
                Format = DataFormat.Sections,
                Overwrite = true
            });
            Assert.Equal(Expected(first, "\n\n", "\nx"), All(data));
        }
    }

    [Fact]
    public void Text_is_never_special_and_a_byte_order_mark_is_dropped()
    {
        var data = DataPreparer.Run(Options(Put("t.txt", "\uFEFFthe <|endoftext|> cat"),
            Put("t.jsonl", "\uFEFF{\"text\":\"dog\"}\r\n")));
        Assert.Equal(Expected("the <|endoftext|> cat", "dog"), All(data));
        Assert.Equal(2, All(data).Count(id => id == End));
    }

    [Fact]
    public void Nothing_between_documents_where_that_is_wanted()
    {
        var characters = CharTokenizer.FromText("abc \n");
        var options = Options(Put("a.txt", "abc"), Put("b.txt", "cab")) with { Tokenizer = characters };
        Fails(options, "no end-of-text token");
        var data = DataPreparer.Run(options with { Separator = PrepareOptions.NoSeparator });
        Assert.Equal(characters.Encode("abccab"), All(data));
        Assert.Null(data.Tokenizer.Separator);
        Fails(options with { Tokenizer = Bpe.Value, Separator = "<s>" }, "no special token '<s>'");
        Assert.Contains("line 2",
            Fails(options with
            {
                Inputs = [Put("c.jsonl", "{\"text\":\"abc\"}\n{\"text\":\"abd\"}\n")],
                Separator = "none",
                Overwrite = true
            }, "'d'").Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> BadLines() => new()
    {
        { "{\"text\": 5}", "has a field 'text' that is not a string" },
        { "{\"txt\": \"a\"}", "has no field 'text'" },
        { "{\"text\": null}", "has a field 'text' that is not a string but null" },
        { "{\"text\": \"a\", \"text\": 5}", "has a field 'text' that is not a string but a number" },
        { "{\"text\": \"a\"", "is not JSON" },
        { "{\"text\": \"a\"} x", "is not JSON" },
        { "[\"text\"]", "is not a JSON object but a list" },
        { "NaN", "is not a JSON object but a number" },
        { "\u0000", "is not JSON" },
        { "{\"a\": {\"text\": \"b\"}}", "has no field 'text'" },
    };

    [Theory]
    [MemberData(nameof(BadLines))]
    public void A_bad_line_is_an_error_with_its_number_or_counted(string line, string words)
    {
        string path = Put("t.jsonl", $"{{\"text\": \"the cat\"}}\n{line}\n{{\"text\": \"a dog\"}}\n");
        Fails(Options(path), $"{path}, line 2 {words}");
        var data = DataPreparer.Run(Options(path) with { SkipBad = true });
        Assert.Equal(Expected("the cat", "a dog"), All(data));
        Assert.Equal(1, data.SkippedLines);
        Assert.Contains("line 2 " + words, Assert.Single(data.FirstSkipped), StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_an_error_with_their_offset()
    {
        byte[] latin = [.. Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("the cat ", 40_000))),
            0xE9, (byte)' '];
        Fails(Options(Put("t.txt", latin)), "byte 0xE9 at offset 320000");
        // an unfinished character at the end
        Fails(Options(Put("t.txt", [.. latin[..131_071], 0xC3])), "byte 0xC3 at offset 131071");
        Fails(Options(Put("t.jsonl", [.. "{\"text\": \""u8, 0xE9, .. "\"}"u8])), "line 1 is not UTF-8");
        string across = string.Concat(Enumerable.Repeat("é🐟", 70_000)); // characters across the borders of blocks
        Assert.Equal(Expected(across), All(DataPreparer.Run(Options(Put("t.txt", across)))));
    }

    [Fact]
    public void What_is_missing_or_damaged_is_an_error_and_leaves_nothing()
    {
        Fails(Options(temp.File("no.txt")), "there is no file");
        Fails(Options(Put("empty.txt", "")), "nothing to train on");
        Fails(Options(Put("short.txt", "a")) with { Validation = new(ValidationKind.FirstTokens, Tokens: 100) },
            "nothing to train on");
        Directory.CreateDirectory(temp.File("folder"));
        Fails(Options(temp.File("folder")), "has no files");
        string packed = Put("t.txt.gz", LongText());
        byte[] whole = File.ReadAllBytes(packed);
        foreach (byte[] bad in (byte[][])[whole[..(whole.Length / 2)], [.. whole[..^8], 0, 0, 0, 0, 0, 0, 0, 0],
            "not gzip"u8.ToArray()])
        {
            File.WriteAllBytes(packed, bad);
            var e = Assert.Throws<BadFileException>(() => DataPreparer.Run(Options(packed)));
            Assert.Equal(packed, e.Path);
            Assert.False(Directory.Exists(temp.File("out")));
        }
        Fails(Options(Put("run.txt", new string('a', 5_000_000))), "no place where this tokenizer surely cuts");
    }

    [Fact]
    public void Nothing_is_replaced_that_was_not_meant()
    {
        string text = Put("t.txt", PatternedText.Sentences());
        Directory.CreateDirectory(temp.File("out"));
        DataPreparer.Run(Options(text)); // an empty folder is as good as none
        var before = Runs.Files(temp.File("out"));
        Fails(Options(text), "already has prepared data");
        Assert.Equal(before, Runs.Files(temp.File("out")));
        DataPreparer.Run(Options(Put("u.txt", PatternedText.Sentences(50))) with { Overwrite = true });
        Assert.NotEqual(before, Runs.Files(temp.File("out")));
        Put("other/precious.txt", "mine");
        Fails(Options(text) with { Out = temp.File("other"), Overwrite = true }, "is in the way");
        Assert.True(File.Exists(temp.File("other/precious.txt")));
    }

    [Fact]
    public void Stopped_it_leaves_nothing()
    {
        using var stop = new CancellationTokenSource();
        var progress = new StopAtOnce(stop);
        Assert.Throws<OperationCanceledException>(() =>
            DataPreparer.Run(Options(Put("t.txt", LongText())), progress, stop.Token));
        Assert.Equal(["t.txt"], Runs.Names(temp.Root));
    }

    sealed class StopAtOnce(CancellationTokenSource stop) : IProgress<PrepareProgress>
    {
        public void Report(PrepareProgress value) => stop.Cancel();
    }
}
