namespace Nano.Tests.Formats;

/// <summary>Folders are replaced whole, and nothing foreign is ever deleted.</summary>
public sealed class AtomicFolderTests : IDisposable
{
    readonly TempFolder temp = new();
    readonly string folder;

    public AtomicFolderTests() => folder = temp.File("data");

    public void Dispose() => temp.Dispose();

    static IReadOnlyCollection<string> Own(string folder) => ["a", "sub/b", "last"];

    static void Fill(string folder, string text)
    {
        File.WriteAllText(Path.Combine(folder, "a"), text);
        Directory.CreateDirectory(Path.Combine(folder, "sub"));
        File.WriteAllText(Path.Combine(folder, "sub", "b"), text);
        File.WriteAllText(Path.Combine(folder, "last"), text);
    }

    static void Make(string folder, string text) => Fill(Directory.CreateDirectory(folder).FullName, text);

    void Write(string text) => AtomicFolder.Write(folder, Own, target => Fill(target, text));

    /// <summary>The text of all three files, and nothing else is there.</summary>
    void Holds(string text)
    {
        Assert.Equal([text, text, text],
            new[] { "a", "last", "sub/b" }.Select(file => File.ReadAllText(Path.Combine(folder, file))));
        Assert.Equal(["data"], Directory.GetFileSystemEntries(temp.Root).Select(Path.GetFileName));
    }

    [Fact]
    public void A_folder_is_made_and_replaced_and_nothing_else_remains()
    {
        Write("1");
        Holds("1");
        Write("2");
        Holds("2");
        Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder); // an empty one is as good as none
        Write("3");
        Holds("3");
    }

    /// <summary>Every state of the file system that a process killed at some step leaves: is the folder there, and its
    /// .tmp and .old.tmp.</summary>
    [Theory]
    [InlineData("old", "half", null, "old")]
    [InlineData("old", "new", null, "old")]
    [InlineData(null, "new", "old", "new")]
    [InlineData(null, null, "old", "old")]
    [InlineData("new", null, "old", "new")]
    [InlineData("new", null, "half", "new")]
    [InlineData(null, "half", null, null)]
    [InlineData("old", "empty", null, "old")]
    [InlineData("new", null, "empty", "new")]
    [InlineData("marked", null, "old", "marked")]
    public void What_a_killed_process_left_is_put_right(string? place, string? written, string? aside, string? expected)
    {
        void Build()
        {
            foreach (var (path, text) in new[] { (folder, place), (AtomicFolder.NewOf(folder), written),
                (AtomicFolder.OldOf(folder), aside) })
                if (text is "half" or "empty")
                {
                    Directory.CreateDirectory(Path.Combine(path, "sub"));
                    if (text == "half")
                        File.WriteAllText(Path.Combine(path, "a.abcdefgh.ijk.tmp"), "half");
                }
                else if (text is not null)
                    Make(path, text);
            foreach (string path in (string[])[.. written is null ? []
                : new[] { AtomicFolder.NewOf(folder) }, .. place == "marked" ? new[] { folder } : []])
                File.WriteAllText(Path.Combine(path, ".nano-unfinished"), "");
            File.WriteAllText(folder + ".lock.tmp", ""); // the lock of a process that is gone
        }
        Build();
        AtomicFolder.Recover(folder, Own);
        File.Delete(folder + ".lock.tmp");
        if (expected is null)
            Assert.Empty(Directory.GetFileSystemEntries(temp.Root));
        else
        {
            Holds(expected);
            Directory.Delete(folder, recursive: true);
        }
        Build();
        Write("again"); // a retry always works
        Holds("again");
    }

    [Theory]
    [InlineData(null, "new", "old", "new")]
    [InlineData(null, null, "old", "old")]
    [InlineData("new", null, "old", "new")]
    [InlineData("old", "half", null, "old")]
    public void A_reader_finds_the_old_folder_or_the_new_one(string? place, string? written, string? aside,
        string expected)
    {
        foreach (var (path, text) in new[] { (folder, place), (AtomicFolder.NewOf(folder), written),
            (AtomicFolder.OldOf(folder), aside) })
            if (text is not null)
                Make(path, text);
        AtomicFolder.RecoverToRead(folder, Own);
        Assert.Equal(expected, File.ReadAllText(Path.Combine(folder, "a")));
        Assert.False(File.Exists(folder + ".lock.tmp"));
    }

    [Fact]
    public void A_writer_that_throws_leaves_the_old_folder_whole()
    {
        Write("1");
        foreach (var thrown in new Exception[] { new InvalidOperationException("half way"),
            new NanoException("half way"), new IOException("half way") })
        {
            var caught = Assert.ThrowsAny<Exception>(() => AtomicFolder.Write(folder, Own, target =>
            {
                File.WriteAllText(Path.Combine(target, "a"), "half");
                throw thrown;
            }));
            Assert.Equal(thrown is IOException ? typeof(NanoException) : thrown.GetType(), caught.GetType());
            Holds("1");
        }
    }

    [Theory]
    [InlineData("notes.txt")]
    [InlineData("sub/photo.jpg")]
    [InlineData("photos/a")]
    [InlineData(".hidden")]
    [InlineData("a.tmp")]
    [InlineData("b.abcdefgh.ijk.tmp")]
    public void Foreign_files_are_named_and_stay(string foreign)
    {
        foreach (string place in (string[])[folder, AtomicFolder.NewOf(folder), AtomicFolder.OldOf(folder)])
        {
            Make(folder, "1");
            Make(place, "1");
            string path = Path.Combine(place, foreign);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "mine");
            File.WriteAllText(Path.Combine(place, ".nano-unfinished"), "");
            var before = Directory.GetFiles(temp.Root, "*", SearchOption.AllDirectories).Order().ToList();
            var e = Assert.Throws<NanoException>(() => Write("2"));
            Assert.Contains(foreign.Split('/')[^1], e.Message, StringComparison.Ordinal);
            Assert.NotNull(e.Hint);
            Assert.Equal(before, Directory.GetFiles(temp.Root, "*", SearchOption.AllDirectories).Order());
            Directory.Delete(place, recursive: true);
        }
    }

    [Fact]
    public void Up_to_three_foreign_entries_are_named()
    {
        Make(folder, "1");
        foreach (string name in (string[])["z1", "z2", "z3", "z4", "z5\u001b[31m"])
            File.WriteAllText(Path.Combine(folder, name), "mine");
        var e = Assert.Throws<NanoException>(() => Write("2"));
        Assert.Contains("'z1', 'z2', 'z3' and 2 more", e.Message, StringComparison.Ordinal);
        Assert.Equal(8, Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void A_foreign_file_that_comes_while_the_folder_is_written_stays()
    {
        Write("1");
        Assert.Throws<NanoException>(() => AtomicFolder.Write(folder, Own, target =>
        {
            Fill(target, "2");
            File.WriteAllText(Path.Combine(folder, "notes.txt"), "mine");
        }));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(folder, "notes.txt")));
        File.Delete(Path.Combine(folder, "notes.txt"));
        Holds("1");
    }

    /// <summary>A folder that happens to have the name of remains, with files of the names that the caller
    /// writes.</summary>
    [Fact]
    public void Remains_without_the_mark_of_unfinished_ones_are_foreign()
    {
        Make(AtomicFolder.NewOf(folder), "mine");
        Assert.Contains("'a', 'last', 'sub'", Assert.Throws<NanoException>(() => Write("1")).Message,
            StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(AtomicFolder.NewOf(folder), "a")));
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public void Links_are_not_followed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a permission there");
        Make(temp.File("other"), "mine");
        Directory.CreateSymbolicLink(folder, temp.File("other"));
        Assert.Contains("is a link", Assert.Throws<NanoException>(() => Write("2")).Message, StringComparison.Ordinal);
        Directory.Delete(folder);
        Make(folder, "1");
        Directory.Delete(Path.Combine(folder, "sub"), recursive: true);
        Directory.CreateSymbolicLink(Path.Combine(folder, "sub"), temp.File("other")); // other/b would be sub/b
        Assert.Contains("'sub'", Assert.Throws<NanoException>(() => Write("2")).Message, StringComparison.Ordinal);
        Directory.Delete(Path.Combine(folder, "sub"));
        File.Delete(Path.Combine(folder, "a"));
        File.CreateSymbolicLink(Path.Combine(folder, "a"), temp.File("other/a"));
        Assert.Contains("'a'", Assert.Throws<NanoException>(() => Write("2")).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "a"));
        Directory.CreateSymbolicLink(AtomicFolder.OldOf(folder), temp.File("other"));
        Assert.Throws<NanoException>(() => Write("2"));
        Directory.Delete(AtomicFolder.OldOf(folder));
        File.CreateSymbolicLink(AtomicFolder.NewOf(folder), temp.File("nothing"));
        Assert.Throws<NanoException>(() => Write("2"));
        File.Delete(AtomicFolder.NewOf(folder));
        Assert.Equal(["a", "last", "sub/b"],
            Directory.GetFiles(temp.File("other"), "*", SearchOption.AllDirectories).Select(file =>
            Path.GetRelativePath(temp.File("other"), file)).Order());
        Directory.Delete(temp.File("other"), recursive: true);
        Write("2");
        Holds("2");
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("./")]
    [InlineData("..")]
    [InlineData("/")]
    [InlineData("../../..//")]
    public void Places_that_no_folder_may_take_are_refused(string place) =>
        Assert.NotNull(Assert.Throws<NanoException>(() =>
            AtomicFolder.Write(place, Own, _ => Assert.Fail("filled"))).Hint);

    [Fact]
    public void A_file_is_not_replaced_and_one_process_writes_at_a_time()
    {
        File.WriteAllText(folder, "mine");
        Assert.Contains("is a file", Assert.Throws<NanoException>(() => Write("1")).Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(folder));
        File.Delete(folder);
        AtomicFolder.Write(folder + "/", Own, target =>
        {
            Fill(target, "1");
            Assert.Contains("another process is writing", Assert.Throws<NanoException>(() => Write("2")).Message,
                StringComparison.Ordinal);
        });
        Holds("1");
    }

    [Fact]
    public void Real_paths_go_through_links()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a permission there");
        Directory.CreateDirectory(temp.File("real/inner"));
        Directory.CreateSymbolicLink(temp.File("link"), "real");
        Directory.CreateSymbolicLink(temp.File("real/up"), "../link/inner/..");
        string real = RealPath.Of(temp.File("real"));
        Assert.Equal(real, RealPath.Of(temp.File("link")));
        Assert.Equal(Path.Combine(real, "inner", "x"), RealPath.Of(temp.File("link/up/inner/x")));
        Assert.True(RealPath.Contains(temp.File("link/"), temp.File("real/up/inner")));
        Assert.True(RealPath.Contains("/", temp.Root));
        Assert.False(RealPath.Contains(temp.File("re"), temp.File("real")));
        File.CreateSymbolicLink(temp.File("a"), "b");
        File.CreateSymbolicLink(temp.File("b"), "a");
        Assert.Contains("circle", Assert.Throws<NanoException>(() => RealPath.Of(temp.File("a"))).Message,
            StringComparison.Ordinal);
    }
}
