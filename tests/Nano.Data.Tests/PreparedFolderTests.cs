namespace Nano.Tests.Data;

/// <summary>What preparing data may replace, what it never touches, and what a kill leaves.</summary>
public sealed class PreparedFolderTests : IDisposable
{
    static readonly Lazy<ITokenizer> Bpe = new(() => BpeTrainer.Train([PatternedText.Sentences()], 300, threads: 1));

    readonly TempFolder temp = new();
    readonly string text, folder;

    public PreparedFolderTests()
    {
        (text, folder) = (temp.File("text.txt"), temp.File("data"));
        File.WriteAllText(text, PatternedText.Sentences());
    }

    public void Dispose() => temp.Dispose();

    PreparedData Prepare(string? input = null, bool overwrite = true, string? to = null, int shardTokens = 300) =>
        DataPreparer.Run(new PrepareOptions
        {
            Inputs = [input ?? text],
            Tokenizer = Bpe.Value,
            Out = to ?? folder,
            ShardTokens = shardTokens,
            Overwrite = overwrite,
            Threads = 1,
        });

    /// <summary>All files below the folder of this test, links as links, with their content.</summary>
    Dictionary<string, string> Everything() => Directory.EnumerateFiles(temp.Root, "*", SearchOption.AllDirectories)
        .ToDictionary(path => Path.GetRelativePath(temp.Root, path), path => new FileInfo(path).LinkTarget
            ?? Convert.ToHexString(File.ReadAllBytes(path)));

    void Refuses(Action prepare, params string[] words)
    {
        var before = Everything();
        var e = Assert.Throws<NanoException>(prepare);
        Assert.All(words, word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
        Assert.NotNull(e.Hint);
        Assert.Equal(before, Everything());
    }

    string Put(string name, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(temp.File(name))!);
        File.WriteAllText(temp.File(name), content);
        return temp.File(name);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("")]
    [InlineData("{\"name\": \"my photos\", \"version\": 1}")]
    [InlineData("not json")]
    public void A_folder_with_some_dataset_json_is_not_ours(string description)
    {
        Put("data/dataset.json", description);
        Put("data/photos/1.jpg", "mine");
        Refuses(() => Prepare(), "is in the way", "dataset.json");
        Refuses(() => Prepare(overwrite: false), "is in the way");
    }

    /// <summary>Descriptions that are ours but for one thing.</summary>
    [Theory]
    [InlineData("\"version\": 1", "\"version\": 2")]
    [InlineData("\"sources\": [", "\"sources\": [null,")]
    [InlineData("\"files\": [", "\"files\": [null,")]
    [InlineData("\"first_skipped\": [", "\"first_skipped\": [null")]
    [InlineData("\"options\": {", "\"options\": {\"a\": null,")]
    [InlineData("\"field\": \"text\"", "\"field\": \"\\ud800\"")]
    [InlineData("train_000001.bin", "../text.txt")]
    [InlineData("train_000001.bin", "\\u001b[31m/")]
    [InlineData("\"sha256\": \"", "\"sha256\": \"\\u001b[31m")]
    public void A_description_that_is_not_quite_ours_is_refused(string from, string to)
    {
        Prepare();
        string path = Path.Combine(folder, "dataset.json"), json = File.ReadAllText(path);
        Assert.Contains(from, json, StringComparison.Ordinal);
        File.WriteAllText(path, json.Replace(from, to, StringComparison.Ordinal));
        Assert.DoesNotContain("\u001b", Assert.Throws<BadFileException>(() => PreparedData.Load(folder)).Message,
            StringComparison.Ordinal);
        Refuses(() => Prepare(), "is in the way");
    }

    [Theory]
    [InlineData("notes.txt")]
    [InlineData("train_000099.bin")]
    [InlineData("train.bin")]
    [InlineData("more/notes.txt")]
    [InlineData(".hidden")]
    [InlineData("tokenizer.json.bak")]
    public void Foreign_files_beside_the_data_stay(string name)
    {
        Prepare();
        Put("data/" + name, "mine");
        Refuses(() => Prepare(), $"'{name.Split('/')[0]}'", "nothing was deleted");
    }

    /// <summary>Files of ours by their name, but not by what dataset.json says of them.</summary>
    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("train_000001.bin")]
    [InlineData("val_000000.bin")]
    public void A_file_that_is_not_what_the_description_says_stays(string name)
    {
        Prepare();
        Put("data/" + name, "mine");
        Refuses(() => Prepare(), $"'{name}'");
        File.Delete(temp.File("data/" + name));
        Prepare(); // a missing one is no obstacle
    }

    [Fact]
    public void Input_and_output_must_not_overlap()
    {
        Prepare();
        Refuses(() => Prepare(Path.Combine(folder, "dataset.json")), "lies in", "which is written");
        Refuses(() => Prepare(folder), "which is read");
        Refuses(() => Prepare(temp.Root), "which is read");
        string books = Path.GetDirectoryName(Put("books/a.txt", "the cat"))!;
        Refuses(() => Prepare(books, to: Path.Combine(books, "data")), "which is read");
        Refuses(() => Prepare(books, to: Path.Combine(books, ".data")), "which is read");
        Refuses(() => Prepare(books + "/", to: books + "/../books/x/y"), "which is read");
    }

    [Fact]
    public void Input_and_output_must_not_overlap_through_links()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a permission there");
        Prepare();
        string books = Path.GetDirectoryName(Put("books/a.txt", "the cat"))!;
        Directory.CreateSymbolicLink(temp.File("link"), books);
        Refuses(() => Prepare(books, to: temp.File("link/data")), "which is read");
        Refuses(() => Prepare(temp.File("link"), to: Path.Combine(books, "data")), "which is read");
        File.CreateSymbolicLink(temp.File("books/b.txt"), Path.Combine(folder, "dataset.json"));
        Refuses(() => Prepare(books), "b.txt", "which is written");
        File.Delete(temp.File("books/b.txt"));
        Refuses(() => Prepare(to: temp.File("link")), "is a link");
        Refuses(() => Prepare(to: temp.File("link/")), "is a link");
        File.CreateSymbolicLink(temp.File("nowhere"), "nothing");
        Refuses(() => Prepare(to: temp.File("nowhere")), "is a link");
        File.CreateSymbolicLink(temp.File("loop"), "loop");
        Refuses(() => Prepare(temp.File("loop")));
        Refuses(() => Prepare(temp.File("nowhere")), "there is no file");
    }

    [Fact]
    public void An_input_is_known_by_another_of_its_names()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "files are told by their inodes");
        Prepare();
        using (var link = System.Diagnostics.Process.Start("ln",
            [Path.Combine(folder, "dataset.json"), temp.File("hard.txt")]))
            link.WaitForExit();
        Refuses(() => Prepare(temp.File("hard.txt")), "another name of a file");
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("/")]
    [InlineData("./")]
    [InlineData("")]
    public void Places_that_cannot_be_replaced(string place) => Refuses(() => Prepare(to: place));

    [Fact]
    public void A_file_is_in_the_way_and_slashes_at_the_end_are_not()
    {
        Refuses(() => Prepare(to: text), "is a file");
        Prepare(to: folder + "//");
        Assert.Equal(["data", "text.txt"], Runs.Names(temp.Root));
        Prepare(to: folder + "/");
        Assert.Equal(["data", "text.txt"], Runs.Names(temp.Root));
    }

    /// <summary>What a kill at each step of replacing leaves: the folder, and which of its neighbours. Every state
    /// opens as the old data or the new.</summary>
    [Theory]
    [InlineData("old", "", "", "old")] // before anything is written
    [InlineData("old", "half", "", "old")] // while the new is written
    [InlineData("old", "new", "", "old")] // before the first rename
    [InlineData("", "new", "old", "new")] // before the second
    [InlineData("marked", "", "old", "new")] // behind it
    [InlineData("new", "", "old", "new")] // before the old is deleted
    [InlineData("new", "", "less", "new")] // while it is
    [InlineData("new", "", "", "new")] // at the end
    [InlineData("", "", "old", "old")] // the new one failed to come
    public void Every_state_that_a_kill_leaves_opens_and_a_retry_works(string place, string written, string aside,
        string expected)
    {
        var old = Prepare(shardTokens: 300);
        Directory.Move(folder, temp.File("old"));
        var made = Prepare(shardTokens: 500);
        Directory.Move(folder, temp.File("new"));
        Build("data", place);
        Build("data.tmp", written);
        Build("data.old.tmp", aside);
        if (place.Length > 0 || aside.Length > 0)
        {
            Assert.True(TrainingData.AreTokens(folder));
            using var data = TrainingData.FromShards(folder);
            Assert.Equal((expected == "old" ? old : made).Train.Tokens, data.Train.Length);
            Assert.Equal((expected == "old" ? old : made).Train.Files.Count,
                PreparedData.Load(folder).Train.Files.Count);
        }
        Refuses(() => Prepare(overwrite: false), "already has prepared data");
        Prepare(shardTokens: 700);
        Assert.Equal(["data", "new", "old", "text.txt"], Runs.Names(temp.Root));
        Assert.Equal(700, PreparedData.Load(folder).Train.Files[0].Tokens);

        void Build(string name, string state)
        {
            if (state.Length == 0)
                return;
            string from = temp.File(state is "old" or "less" ? "old" : "new"),
                target = Directory.CreateDirectory(temp.File(name)).FullName;
            foreach (string file in Runs.Names(from))
                if (!(state == "less" && file.StartsWith("train", StringComparison.Ordinal))
                    && !(state == "half" && file.EndsWith("json", StringComparison.Ordinal)))
                    File.Copy(Path.Combine(from, file), Path.Combine(target, file));
            if (name == "data.tmp" || state == "marked")
                File.WriteAllText(Path.Combine(target, ".nano-unfinished"), "");
            if (state == "half")
                File.WriteAllText(Path.Combine(target, "tokenizer.json.abcdefgh.ijk.tmp"), "{");
        }
    }

    [Fact]
    public void Input_that_is_no_file_is_refused_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known there");
        using (var make = System.Diagnostics.Process.Start("mkfifo", [temp.File("pipe")]))
            make.WaitForExit();
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix,
            System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(temp.File("socket")));
        File.CreateSymbolicLink(temp.File("link"), "pipe");
        File.CreateSymbolicLink(temp.File("self"), "self");
        foreach (string path in (string[])[temp.File("pipe"), temp.File("link"), temp.File("socket"),
            temp.File("self"), "/dev/zero", "/dev/urandom", "/dev/null", "/dev/tty", "/proc/self/mem",
            temp.Root + "/none"])
        {
            Assert.NotNull(Record(() =>
                DataPreparer.Run(new PrepareOptions { Inputs = [path], Tokenizer = Bpe.Value, Out = folder })));
            Assert.NotNull(Record(() => CorpusStore.LoadFile(path)));
            Assert.NotNull(Record(() => JsonLines.Read(path, line => line.Text("text"))));
            Assert.NotNull(Record(() => TokenShard.Open(path)));
            Assert.NotNull(Record(() => TokenizerLoader.Load(path)));
            Assert.False(Directory.Exists(folder));
        }
        Directory.CreateDirectory(temp.File("books"));
        File.Move(temp.File("pipe"), temp.File("books/pipe"));
        Assert.Contains("is a pipe", Record(() => Prepare(temp.File("books")))!.Message, StringComparison.Ordinal);

        // A file of /proc says that it has no bytes; it is read to its end.
        Assert.Contains("Name:", CorpusStore.LoadFile("/proc/self/status").Text, StringComparison.Ordinal);

        static Exception? Record(Action action)
        {
            var e = Xunit.Record.Exception(action);
            Assert.True(e is null or NanoException or BadFileException, e?.ToString());
            return e;
        }
    }

    /// <summary>A file of eight terabytes, none of which is on the disk.</summary>
    [Fact]
    public void Huge_sparse_files_are_bounded()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "files with holes");
        using (var file = File.Create(temp.File("sparse.jsonl")))
            file.SetLength(8L << 40);
        Assert.Contains("text is read whole",
            Assert.Throws<NanoException>(() => CorpusStore.LoadFile(temp.File("sparse.jsonl"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("line 1",
            Assert.Throws<BadFileException>(() =>
            JsonLines.Read(temp.File("sparse.jsonl"), line => line.Text("text"))).Message, StringComparison.Ordinal);
    }
}
