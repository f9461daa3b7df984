using System.Text;

namespace Nano.Tests;

public class CorpusStoreTests
{
    // FIPS 180's digest of "abc".
    const string Abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    static CorpusStore Store(TempFolder folder, Uri server)
    {
        DataFile File(string name) => new(name, new Uri(server, name), 3, Abc);
        return new(
            folder.Root,
            [
                new(CorpusStore.DefaultCorpus, DataKind.Corpus, "the usual", "none", [File("default.txt")]),
                new("other", DataKind.Corpus, "another", "none", [File("other.txt")]),
                new("bits", DataKind.Vocabulary, "pieces of words", "none", [File("v/a"), File("v/b")]),
            ],
            new Downloader(new SocketsHttpHandler { UseProxy = false }));
    }

    [Fact]
    public void The_known_sources_are_those_of_data_sources_json()
    {
        Assert.Equal(["shakespeare", "gpt2-tokenizer"], DataSource.Known.Select(source => source.Name));
        var file = Assert.Single(DataSource.Known[0].Files);
        Assert.Equal("tinyshakespeare.txt", file.Name);
        Assert.Equal(1_115_394, file.Bytes);
        Assert.Equal("86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", file.Sha256);
        Assert.Equal(["gpt2/encoder.json", "gpt2/vocab.bpe"], DataSource.Known[1].Files.Select(other => other.Name));
        Assert.All(DataSource.Known, source =>
        {
            Assert.True(source.Kind == DataKind.Vocabulary || source.Files.Count == 1);
            Assert.DoesNotContain('\n', source.Description);
            Assert.NotEmpty(source.Licence);
            Assert.All(source.Files, known =>
            {
                Assert.Equal("https", known.Url.Scheme);
                Assert.True(known.Bytes > 0);
                Assert.Matches("^[0-9a-f]{64}$", known.Sha256);
            });
        });
    }

    [Fact]
    public async Task The_published_files_have_the_listed_sizes_and_digests()
    {
        using var store = new CorpusStore();
        var files = store.Sources.SelectMany(source => source.Files);
        Assert.SkipUnless(files.All(file => File.Exists(Path.Combine(store.Folder, file.Name))),
            $"not every file of data/sources.json is in '{store.Folder}' (NANO_DATA)");
        foreach (var source in store.Sources)
            Assert.Equal(source.Files.Select(file => file.Bytes),
                (await store.FetchAsync(source.Name)).Select(path => new FileInfo(path).Length));
        var corpus = await store.LoadTextAsync("shakespeare");
        Assert.StartsWith("First Citizen:\nBefore we proceed", corpus.Text, StringComparison.Ordinal);
        Assert.Equal(65, corpus.Text.Distinct().Count());
        Assert.Equal(store.Sources[0].Files[0].Sha256, corpus.Sha256);
    }

    [Theory]
    [InlineData("shakespear", "did you mean 'shakespeare'? known: shakespeare, other, bits")]
    [InlineData("zzz", "known: shakespeare, other, bits")]
    public async Task An_unknown_name_is_answered_with_the_nearest(string name, string hint)
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        var e = await Assert.ThrowsAsync<NanoException>(() => store.FetchAsync(name));
        Assert.Contains($"'{name}'", e.Message, StringComparison.Ordinal);
        Assert.Equal(hint, e.Hint);
    }

    [Theory]
    [InlineData("shakespeare", "default.txt")]
    [InlineData("other", "other.txt")]
    public async Task A_local_file_with_a_wrong_digest_is_an_error_and_never_replaced(string name, string file)
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request => request.Send("abc"u8));
        using var store = Store(folder, server.Root);
        await File.WriteAllTextAsync(folder.File(file), "");
        foreach (Func<Task> attempt in (Func<Task>[])[() => store.FetchAsync(name), () => store.LoadTextAsync(name)])
        {
            var e = await Assert.ThrowsAsync<NanoException>(attempt);
            // e3b0... is the well-known digest of nothing.
            Assert.Equal($"'{folder.File(file)}' is damaged or another version: expected sha256 {Abc}, got "
                + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", e.Message);
            Assert.Equal($"delete it and run `nano data {name}`", e.Hint);
        }
        Assert.Equal(0, server.Requests);
        Assert.Equal("", await File.ReadAllTextAsync(folder.File(file)));
    }

    [Fact]
    public async Task A_local_file_needs_no_network()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        await File.WriteAllTextAsync(folder.File("default.txt"), "abc");
        Assert.Equal(new Corpus("shakespeare", "abc", folder.File("default.txt")),
            await store.LoadTextAsync("shakespeare"));
    }

    [Fact]
    public async Task A_missing_file_is_downloaded_and_the_origin_says_so()
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request => request.Send("abc"u8));
        using var store = Store(folder, server.Root);
        var corpus = await store.LoadTextAsync("shakespeare");
        Assert.Equal(new Corpus("shakespeare", "abc",
            $"{folder.File("default.txt")}, downloaded from {server.Root}default.txt"), corpus);
        Assert.Equal(Abc, corpus.Sha256);
    }

    [Fact]
    public async Task Every_file_of_a_source_is_fetched()
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request => request.Send("abc"u8));
        using var store = Store(folder, server.Root);
        Assert.Equal([folder.File(Path.Combine("v", "a")), folder.File(Path.Combine("v", "b"))],
            await store.FetchAsync("bits"));
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task Without_a_server_the_default_corpus_is_the_built_in_one_and_says_why()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        var corpus = await store.LoadTextAsync("shakespeare");
        Assert.StartsWith("built-in corpus (no network: ", corpus.Origin, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', corpus.Origin);
        Assert.Equal("built-in", corpus.Name);
        Assert.Equal(BuiltInCorpus.Generate(), corpus.Text);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public async Task A_wrong_download_of_the_default_corpus_falls_back_too()
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request => request.Send("abd"u8));
        using var store = Store(folder, server.Root);
        var corpus = await store.LoadTextAsync("shakespeare");
        Assert.StartsWith("built-in corpus (the digest is wrong", corpus.Origin, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public async Task No_other_corpus_has_a_stand_in()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        await Assert.ThrowsAnyAsync<NanoException>(() => store.LoadTextAsync("other"));
    }

    [Fact]
    public async Task A_cancelled_load_does_not_fall_back()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            store.LoadTextAsync("shakespeare", null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task A_vocabulary_is_no_text_to_train_on()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        var e = await Assert.ThrowsAsync<NanoException>(() => store.LoadTextAsync("bits"));
        Assert.Contains("pieces of words", e.Message, StringComparison.Ordinal);
        Assert.Equal("corpora: shakespeare, other", e.Hint);
    }

    [Fact]
    public void A_text_file_is_read_unchanged_but_for_its_byte_order_mark()
    {
        using var folder = new TempFolder();
        string path = folder.File("text");
        File.WriteAllBytes(path, [0xEF, 0xBB, 0xBF, .. "a\r\nb\u00e9\U0001F600\0\n\ufeff"u8]);
        Assert.Equal(new Corpus("text", "a\r\nb\u00e9\U0001F600\0\n\ufeff", path), CorpusStore.LoadFile(path));
    }

    [Theory]
    [InlineData("6162FF63", 2, "FF")] // never a byte of UTF-8
    [InlineData("EFBBBF61C328", 4, "C3")] // a two-byte sequence cut short, after a byte order mark
    [InlineData("61E282", 1, "E2")] // ends within a character
    [InlineData("C3A9EDA080", 2, "ED")] // a surrogate
    [InlineData("C080", 0, "C0")] // overlong
    public void Bytes_that_are_not_UTF8_are_named_with_their_offset(string hex, int offset, string invalid)
    {
        using var folder = new TempFolder();
        string path = folder.File("text");
        File.WriteAllBytes(path, Convert.FromHexString(hex));
        var e = Assert.Throws<NanoException>(() => CorpusStore.LoadFile(path));
        Assert.Equal($"'{path}' is not UTF-8 text: byte 0x{invalid} at offset {offset} is not valid there", e.Message);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public void Empty_files_missing_files_and_folders_are_errors_with_hints()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("empty"), []);
        File.WriteAllBytes(folder.File("mark"), Encoding.UTF8.GetPreamble());
        foreach (var (name, expected) in ((string, string)[])[("empty", "is empty"), ("mark", "is empty"),
            ("none", "there is no file"), ("no/ne", "there is no file"), ("", "is a folder")])
        {
            var e = Assert.Throws<NanoException>(() => CorpusStore.LoadFile(Path.Combine(folder.Root, name)));
            Assert.Contains(expected, e.Message, StringComparison.Ordinal);
            Assert.Contains(folder.File(name), e.Message, StringComparison.Ordinal);
            Assert.NotNull(e.Hint);
        }
    }
}
