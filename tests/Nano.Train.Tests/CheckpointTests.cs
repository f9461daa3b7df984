namespace Nano.Tests;

public class CheckpointTests
{
    static readonly CharTokenizer Tokenizer = CharTokenizer.FromText("abcdefghijk");

    /// <summary>A model that trains, without the rest of a trainer.</summary>
    sealed class Session : IDisposable
    {
        public readonly Gpt2 Model = Runs.NewModel(Runs.Tiny);
        public readonly AdamW Optimizer;
        readonly Compute compute = new(1);
        readonly TrainStep step;

        public Session()
        {
            step = new TrainStep(Model, compute, new BatchLoader(Runs.RandomTokens(200, 11), 4, 8, "test"), Runs.Tiny);
            Optimizer = step.Optimizer;
        }

        public Session Train(long from, long to)
        {
            for (long i = from; i < to; i++)
                step.Run(i, 1e-2);
            return this;
        }

        public string Save(string run, long steps) => Checkpoint.Save(run, steps, Model, Tokenizer, Optimizer, Runs.Tiny.Describe());

        public long Load(string run) => Checkpoint.Load(run, Model, Optimizer, Runs.Tiny.Describe());

        /// <summary>Everything a checkpoint must bring back.</summary>
        public int[] State => [.. Runs.Bits(Model), .. Runs.Bits(Optimizer), (int)Optimizer.StepCount];

        public void Dispose()
        {
            Optimizer.Dispose();
            compute.Dispose();
            Model.Dispose();
        }
    }

    /// <summary>The state after that many steps, never stopped.</summary>
    static int[] StateAfter(int steps)
    {
        using var session = new Session();
        return session.Train(0, steps).State;
    }

    static readonly Lazy<int[]> After2 = new(() => StateAfter(2)), After4 = new(() => StateAfter(4)), After6 = new(() => StateAfter(6));

    [Fact]
    public void What_was_saved_comes_back_bit_for_bit()
    {
        using var run = new TempFolder();
        using var saved = new Session();
        Assert.False(Checkpoint.Exists(run.Root));
        Assert.Equal(run.File("step-000004"), saved.Train(0, 4).Save(run.Root, 4));
        Assert.True(Checkpoint.Exists(run.Root));
        Assert.Equal(["config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "trainer.json"], Runs.Files(run.File("step-000004")).Keys);
        Assert.Equal(["latest", "step-000004"], Names(run));
        using var loaded = new Session();
        Assert.Equal(4, loaded.Load(run.Root));
        Assert.Equal(4, loaded.Optimizer.StepCount);
        Assert.Equal(saved.State, loaded.State);
        Assert.Equal(After4.Value, loaded.State);
    }

    [Fact]
    public void A_run_resumed_equals_one_never_stopped_in_every_byte_of_every_file()
    {
        using var stopped = new TempFolder();
        using var whole = new TempFolder();
        using (var first = new Session())
            first.Train(0, 2).Save(stopped.Root, 2);
        using (var second = new Session())
            second.Train(second.Load(stopped.Root), 6).Save(stopped.Root, 6);
        using (var third = new Session())
            third.Train(0, 6).Save(whole.Root, 6);
        Assert.Equal(Runs.Files(whole.File("step-000006")), Runs.Files(stopped.File("step-000006")));
        Assert.Equal(Runs.Files(whole.Root), Runs.Files(stopped.Root));
    }

    [Fact]
    public void A_checkpoint_is_a_model_folder()
    {
        using var run = new TempFolder();
        using var session = new Session();
        session.Save(run.Root, 0);
        var (model, tokenizer) = ModelDirectory.Load(run.Root);
        Assert.Equal(Runs.Bits(session.Model), Runs.Bits(model));
        Assert.Equal(Tokenizer.Symbols, tokenizer!.Symbols);
        model.Dispose();
    }

    [Fact]
    public void Other_options_are_refused_and_each_is_listed()
    {
        using var run = new TempFolder();
        using var session = new Session();
        session.Save(run.Root, 0);
        var options = new Dictionary<string, string>(Runs.Tiny.Describe()) { ["lr"] = "0.5", ["extra"] = "new" };
        options.Remove("batch");
        var e = Assert.Throws<NanoException>(() => Checkpoint.Load(run.Root, session.Model, session.Optimizer, options));
        Assert.All(["lr was 0.01 and is now 0.5", "extra was not set and is now new", "batch was 4 and is now not set"], text => Assert.Contains(text, e.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("min_lr", e.Message, StringComparison.Ordinal);
        Assert.Contains("--out", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_there_is_none_the_error_says_so()
    {
        using var run = new TempFolder();
        using var session = new Session();
        foreach (string path in new[] { run.Root, run.File("none") })
        {
            var e = Assert.Throws<NanoException>(() => session.Load(path));
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains("--resume", e.Hint, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("tokenizer.json")]
    [InlineData("trainer.json")]
    [InlineData("../latest")]
    public void A_file_cut_short_or_missing_is_refused_and_nothing_is_half_loaded(string name)
    {
        using var run = new TempFolder();
        using var saved = new Session();
        string path = Path.GetFullPath(Path.Combine(saved.Train(0, 2).Save(run.Root, 2), name));
        byte[] whole = File.ReadAllBytes(path);
        using var session = new Session();
        var random = new Random(1);
        int refused = 0;
        foreach (int length in Enumerable.Range(0, 50).Select(_ => random.Next(whole.Length)).Append(0).Append(whole.Length - 1))
        {
            File.WriteAllBytes(path, whole[..length]);
            refused += Loads(session, run.Root) ? 0 : 1;
        }
        Assert.True(refused >= 40, $"{refused} of 52 refused"); // a last line feed may be missing
        File.Delete(path);
        if (name != "tokenizer.json") // a model without a tokenizer is whole
            Assert.False(Loads(session, run.Root));
        File.WriteAllBytes(path, whole);
        Assert.True(Loads(session, run.Root));
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("tokenizer.json")]
    [InlineData("trainer.json")]
    [InlineData("../latest")]
    public void A_damaged_header_or_text_is_refused_or_harmless_and_nothing_is_half_loaded(string name)
    {
        using var run = new TempFolder();
        using var saved = new Session();
        string path = Path.GetFullPath(Path.Combine(saved.Train(0, 2).Save(run.Root, 2), name));
        byte[] whole = File.ReadAllBytes(path);
        int text = name.EndsWith(".safetensors", StringComparison.Ordinal) ? 8 + BitConverter.ToInt32(whole) : whole.Length;
        using var session = new Session();
        var random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(text)] = (byte)random.Next(256);
            File.WriteAllBytes(path, damaged);
            refused += Loads(session, run.Root) ? 0 : 1;
        }
        Assert.True(refused > 100, $"{refused} of 300 refused");
    }

    /// <summary>Loads and checks that the state is then the saved one, or was left as it was; anything but the errors for people fails the test.</summary>
    static bool Loads(Session session, string run)
    {
        int[] before = session.State;
        try
        {
            Assert.Equal(2, session.Load(run));
            Assert.True(session.State.AsSpan().SequenceEqual(After2.Value), "loaded, but not what was saved");
            session.Model.Initialize(99);
            foreach (var (_, moment) in session.Optimizer.State)
                moment.Data.Fill(7);
            session.Optimizer.StepCount = 77;
            return true;
        }
        catch (Exception e) when (e is NanoException or FormatException)
        {
            Assert.True(session.State.AsSpan().SequenceEqual(before), $"half loaded: {e.Message}");
            return false;
        }
    }

    [Fact]
    public void A_checkpoint_of_another_model_under_these_options_is_refused()
    {
        foreach (var config in new[] { Runs.Tiny.Model with { Channels = 8 }, Runs.Tiny.Model with { Layers = 1 }, Runs.Tiny.Model with { TiedHead = false }, Runs.Tiny.Model with { Gelu = GeluForm.Erf } })
        {
            using var run = new TempFolder();
            using var session = new Session();
            string folder = session.Save(run.Root, 0);
            using var other = new Gpt2(config);
            ModelDirectory.Save(folder, other, null);
            int[] before = session.State;
            Assert.Throws<BadFileException>(() => session.Load(run.Root));
            Assert.Equal(before, session.State);
        }
    }

    [Fact]
    public void A_state_of_another_step_than_its_folder_is_refused()
    {
        using var run = new TempFolder();
        using var session = new Session();
        string path = Path.Combine(session.Save(run.Root, 2), "trainer.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"step\": 2", "\"step\": 3", StringComparison.Ordinal));
        Assert.Equal(path, Assert.Throws<BadFileException>(() => session.Load(run.Root)).Path);
    }

    static IEnumerable<string> Names(TempFolder run) => Directory.GetFileSystemEntries(run.Root).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    [Theory]
    [InlineData("step-000004.tmp")]
    [InlineData("step-000004")]
    public void A_save_that_fails_leaves_the_checkpoint_before_it_and_works_once_the_way_is_free(string obstacle)
    {
        using var run = new TempFolder();
        using var session = new Session();
        session.Train(0, 2).Save(run.Root, 2);
        var whole = Runs.Files(run.File("step-000002"));
        File.WriteAllText(run.File(obstacle), "in the way");
        session.Train(2, 4);
        var e = Assert.Throws<NanoException>(() => session.Save(run.Root, 4));
        Assert.Contains("step 4", e.Message, StringComparison.Ordinal);
        Assert.Contains(run.Root, e.Message, StringComparison.Ordinal);
        Assert.Contains("--resume", e.Hint, StringComparison.Ordinal);
        Assert.Equal(whole, Runs.Files(run.File("step-000002")));
        Assert.Equal("in the way", File.ReadAllText(run.File(obstacle)));
        Assert.Equal(new[] { "latest", "step-000002", obstacle }, Names(run));
        using (var resumed = new Session())
        {
            Assert.Equal(2, resumed.Load(run.Root));
            Assert.Equal(After2.Value, resumed.State);
        }
        File.Delete(run.File(obstacle));
        session.Save(run.Root, 4);
        Assert.Equal(["latest", "step-000004"], Names(run));
    }

    [Fact]
    public void A_pointer_that_cannot_be_written_leaves_a_checkpoint_that_the_next_save_completes()
    {
        using var run = new TempFolder();
        using var session = new Session();
        Directory.CreateDirectory(run.File("latest"));
        Assert.Throws<NanoException>(() => session.Save(run.Root, 0));
        Directory.Delete(run.File("latest"));
        session.Save(run.Root, 0);
        Assert.Equal(0, session.Load(run.Root));
    }

    [Fact]
    public void A_run_whose_place_is_a_file_is_refused()
    {
        using var folder = new TempFolder();
        using var session = new Session();
        File.WriteAllText(folder.File("run"), "");
        Assert.Throws<NanoException>(() => session.Save(folder.File("run"), 0));
        Assert.Throws<NanoException>(() => session.Save(Path.Combine(folder.File("run"), "below"), 0));
        Assert.Throws<NanoException>(() => session.Load(folder.File("run")));
    }

    /// <summary>
    /// Save makes, in this order: step-4.tmp, its five files (each first under a temporary name), the rename to step-4, the new "latest"
    /// (first under a temporary name), the removal of step-2 file by file. Here is the run's folder after each of these.
    /// </summary>
    static IEnumerable<(string Moment, long Resumes, Action<string> Make)> Moments(string before, string after)
    {
        string[] files = ["config.json", "model.safetensors", "tokenizer.json", "optimizer.safetensors", "trainer.json"];
        string Old(string run) => Path.Combine(run, "step-000002");
        string New(string run) => Path.Combine(run, "step-000004");
        void Start(string run) => Runs.Copy(before, run);
        void Renamed(string run)
        {
            Start(run);
            Runs.Copy(New(after), New(run));
        }
        void Pointed(string run)
        {
            Renamed(run);
            File.Copy(Path.Combine(after, "latest"), Path.Combine(run, "latest"), overwrite: true);
        }
        for (int i = 0; i <= files.Length; i++)
        {
            int written = i;
            void Written(string run)
            {
                Start(run);
                Directory.CreateDirectory(New(run) + ".tmp");
                foreach (string file in files[..written])
                    File.Copy(Path.Combine(New(after), file), Path.Combine(New(run) + ".tmp", file));
            }
            yield return ($"{written} files written", 2, Written);
            if (written < files.Length)
                yield return ($"half of file {written + 1} written", 2, run =>
                {
                    Written(run);
                    File.WriteAllText(Path.Combine(New(run) + ".tmp", files[written] + ".abc.tmp"), "half");
                });
            yield return ($"{written} old files removed", 4, run =>
            {
                Pointed(run);
                foreach (string file in files[..written])
                    File.Delete(Path.Combine(Old(run), file));
            });
        }
        yield return ("renamed", 2, Renamed);
        yield return ("half of the pointer written", 2, run =>
        {
            Renamed(run);
            File.WriteAllText(Path.Combine(run, "latest.abc.tmp"), "step-");
        });
        yield return ("all removed", 4, run => Runs.Copy(after, run));
    }

    [Fact]
    public void Killed_between_any_two_operations_a_run_resumes_and_ends_as_if_it_had_not_been()
    {
        using var before = new TempFolder();
        using var after = new TempFolder();
        using var end = new TempFolder();
        using (var session = new Session())
        {
            session.Train(0, 2).Save(before.Root, 2);
            session.Train(2, 4).Save(after.Root, 4);
            session.Train(4, 6).Save(end.Root, 6);
        }
        int moments = 0;
        foreach (var (moment, resumes, make) in Moments(before.Root, after.Root))
        {
            using var run = new TempFolder();
            string path = run.File("run");
            make(path);
            using var session = new Session();
            Assert.True(session.Load(path) == resumes, moment);
            Assert.True(session.State.AsSpan().SequenceEqual(resumes == 2 ? After2.Value : After4.Value), moment);
            if (resumes == 2)
                session.Train(2, 4).Save(path, 4);
            session.Train(4, 6).Save(path, 6);
            Assert.True(session.State.AsSpan().SequenceEqual(After6.Value), moment);
            Assert.Equal(["step-000006"], Directory.GetDirectories(path).Select(folder => Path.GetFileName(folder)));
            Assert.Equal(Runs.Files(end.File("step-000006")), Runs.Files(Path.Combine(path, "step-000006")));
            moments++;
        }
        Assert.Equal(20, moments);
    }

    [Fact]
    public void What_an_old_death_left_behind_is_harmless_and_goes()
    {
        using var run = new TempFolder();
        foreach (string left in new[] { "step-000002.tmp", "step-000009.tmp", "step-000001" })
        {
            Directory.CreateDirectory(run.File(left));
            File.WriteAllText(Path.Combine(run.File(left), "garbage"), "garbage");
        }
        using var session = new Session();
        session.Train(0, 2).Save(run.Root, 2);
        Assert.Equal(["latest", "step-000002"], Names(run));
        Assert.DoesNotContain("garbage", Runs.Files(run.File("step-000002")).Keys);
        session.Save(run.Root, 2); // again, as an interruption right after a save does
        Assert.Equal(2, session.Load(run.Root));
    }
}
