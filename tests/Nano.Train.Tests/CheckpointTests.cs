namespace Nano.Tests;

public class CheckpointTests
{
    [Fact]
    public void What_was_saved_comes_back_bit_for_bit()
    {
        using var run = new TempFolder();
        using var saved = new TrainingSession();
        Assert.False(Checkpoint.Exists(run.Root));
        Assert.Equal(run.File("step-000004"), saved.Train(0, 4).Save(run.Root, 4));
        Assert.True(Checkpoint.Exists(run.Root));
        Assert.Equal(["config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "trainer.json"],
            Runs.Files(run.File("step-000004")).Keys);
        Assert.Equal(["latest", "step-000004"], Runs.Names(run.Root));
        using var loaded = new TrainingSession();
        Assert.Equal(4, loaded.Load(run.Root));
        Assert.Equal(4, loaded.Optimizer.StepCount);
        Assert.Equal(saved.State, loaded.State);
        Assert.Equal(TrainingSession.After4.Value, loaded.State);
    }

    [Fact]
    public void A_step_that_is_reached_again_in_another_way_takes_the_place_of_the_first()
    {
        using var run = new TempFolder();
        using var first = new TrainingSession();
        string folder = first.Train(0, 2).Save(run.Root, 2);
        byte[] before = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        using var second = new TrainingSession();
        // says the same of itself: as a run that was interrupted twice at one step, it is taken for equal
        second.Train(2, 4).Save(run.Root, 2);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(folder, "model.safetensors")));
        var state = second.NewState(2);
        state.Numbers["spikes.rollbacks"] = 1;
        Checkpoint.Save(run.Root, second.Model, TrainingSession.Tokenizer, state);
        Assert.NotEqual(before, File.ReadAllBytes(Path.Combine(folder, "model.safetensors")));
        Assert.Equal(["latest", "step-000002"], Runs.Names(run.Root));
    }

    [Fact]
    public void A_run_resumed_equals_one_never_stopped_in_every_byte_of_every_file()
    {
        using var stopped = new TempFolder();
        using var whole = new TempFolder();
        using (var first = new TrainingSession())
            first.Train(0, 2).Save(stopped.Root, 2);
        using (var second = new TrainingSession())
            second.Train(second.Load(stopped.Root), 6).Save(stopped.Root, 6);
        using (var third = new TrainingSession())
            third.Train(0, 6).Save(whole.Root, 6);
        Assert.Equal(Runs.Files(whole.File("step-000006")), Runs.Files(stopped.File("step-000006")));
        Assert.Equal(Runs.Files(whole.Root), Runs.Files(stopped.Root));
    }

    [Fact]
    public void A_checkpoint_is_a_model_folder()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Save(run.Root, 0);
        var (model, tokenizer) = ModelDirectory.Load(run.Root);
        Assert.Equal(Runs.Bits(session.Model), Runs.Bits(model));
        Assert.Equal("abcdefghijk".EnumerateRunes(), Assert.IsType<CharTokenizer>(tokenizer).Symbols);
        model.Dispose();
    }

    [Fact]
    public void Other_options_are_refused_and_each_is_listed()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Save(run.Root, 0);
        var other = session.NewState(0, Runs.Tiny with { LearningRate = 0.5, Batch = 5 }) with
        {
            Data = new Dictionary<string, string> { ["tokenizer_sha256"] = "new" }
        };
        var e = Assert.Throws<NanoException>(() => Checkpoint.Load(run.Root, session.Model, other));
        Assert.EndsWith(": batch was 4 and is now 5; corpus_sha256 was abc and is now not set; lr was 0.01 and is "
            + "now 0.5; tokenizer_sha256 was not set and is now new", e.Message, StringComparison.Ordinal);
        Assert.Contains("`out`", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_there_is_none_the_error_says_so()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        foreach (string path in new[] { run.Root, run.File("none") })
        {
            var e = Assert.Throws<NanoException>(() => session.Load(path));
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains("`resume`", e.Hint, StringComparison.Ordinal);
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
        using var saved = new TrainingSession();
        string path = Path.GetFullPath(Path.Combine(saved.Train(0, 2).Save(run.Root, 2), name));
        byte[] whole = File.ReadAllBytes(path);
        using var session = new TrainingSession();
        var random = new Random(1);
        int refused = 0;
        foreach (int length in Enumerable.Range(0, 50).Select(_ => random.Next(whole.Length)).Append(0)
            .Append(whole.Length - 1))
        {
            File.WriteAllBytes(path, whole[..length]);
            refused += Loads(session, run.Root) ? 0 : 1;
        }
        Assert.True(refused >= 40, $"{refused} of 52 refused"); // a last line feed may be missing
        File.Delete(path);
        // a model without a tokenizer is whole, and so is the checkpoint beside a pointer that is gone
        if (name is not ("tokenizer.json" or "../latest"))
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
        using var saved = new TrainingSession();
        string path = Path.GetFullPath(Path.Combine(saved.Train(0, 2).Save(run.Root, 2), name));
        byte[] whole = File.ReadAllBytes(path);
        int text = name.EndsWith(".safetensors", StringComparison.Ordinal) ? 8 + BitConverter.ToInt32(whole)
            : whole.Length;
        using var session = new TrainingSession();
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

    /// <summary>
    /// Loads and checks that the state is then the saved one, or was left as it was; anything but
    /// the errors for people fails the test.
    /// </summary>
    static bool Loads(TrainingSession session, string run)
    {
        int[] before = session.State;
        try
        {
            Assert.Equal(2, session.Load(run));
            Assert.True(session.State.AsSpan().SequenceEqual(TrainingSession.After2.Value),
                "loaded, but not what was saved");
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
        foreach (var config in new[] { Runs.TinyModel with { Channels = 8 }, Runs.TinyModel with { Layers = 1 },
            Runs.TinyModel with { TiedHead = false }, Runs.TinyModel with { Gelu = GeluForm.Erf } })
        {
            using var run = new TempFolder();
            using var session = new TrainingSession();
            string folder = session.Save(run.Root, 0);
            using var other = LanguageModel.Create(config);
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
        using var session = new TrainingSession();
        string path = Path.Combine(session.Save(run.Root, 2), "trainer.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"step\": 2", "\"step\": 3", StringComparison.Ordinal));
        Assert.Equal(path, Assert.Throws<BadFileException>(() => session.Load(run.Root)).Path);
    }
}
