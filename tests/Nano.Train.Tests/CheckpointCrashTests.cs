namespace Nano.Tests;

/// <summary>A save that fails or a process that dies leaves a whole checkpoint to go on from.</summary>
public class CheckpointCrashTests
{
    [Theory]
    [InlineData("step-000004.tmp")]
    [InlineData("step-000004")]
    public void A_save_that_fails_leaves_the_checkpoint_before_it_and_works_once_the_way_is_free(string obstacle)
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Train(0, 2).Save(run.Root, 2);
        var whole = Runs.Files(run.File("step-000002"));
        File.WriteAllText(run.File(obstacle), "in the way");
        session.Train(2, 4);
        var e = Assert.Throws<NanoException>(() => session.Save(run.Root, 4));
        Assert.Contains("step 4", e.Message, StringComparison.Ordinal);
        Assert.Contains(run.Root, e.Message, StringComparison.Ordinal);
        Assert.Contains("`resume`", e.Hint, StringComparison.Ordinal);
        Assert.Equal(whole, Runs.Files(run.File("step-000002")));
        Assert.Equal("in the way", File.ReadAllText(run.File(obstacle)));
        Assert.Equal(new[] { "latest", "step-000002", obstacle }, Runs.Names(run.Root));
        using (var resumed = new TrainingSession())
        {
            Assert.Equal(2, resumed.Load(run.Root));
            Assert.Equal(TrainingSession.After2.Value, resumed.State);
        }
        File.Delete(run.File(obstacle));
        session.Save(run.Root, 4);
        Assert.Equal(["latest", "step-000004"], Runs.Names(run.Root));
    }

    [Fact]
    public void A_pointer_that_cannot_be_written_leaves_a_checkpoint_that_the_next_save_completes()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
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
        using var session = new TrainingSession();
        File.WriteAllText(folder.File("run"), "");
        Assert.Throws<NanoException>(() => session.Save(folder.File("run"), 0));
        Assert.Throws<NanoException>(() => session.Save(Path.Combine(folder.File("run"), "below"), 0));
        Assert.Throws<NanoException>(() => session.Load(folder.File("run")));
    }

    /// <summary>
    /// Save makes, in this order: step-4.tmp, its five files (each first under a temporary name),
    /// the rename to step-4, the new "latest" (first under a temporary name), the removal of step-2
    /// file by file. Here is the run's folder after each of these.
    /// </summary>
    static IEnumerable<(string Moment, long Resumes, Action<string> Make)> Moments(string before, string after)
    {
        string[] files = ["config.json", "model.safetensors", "tokenizer.json", "optimizer.safetensors",
            "trainer.json"];
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
        void HalfPointed(string run)
        {
            Renamed(run);
            File.WriteAllText(Path.Combine(run, "latest.abcdefgh.ijk.tmp"), "step-");
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
            void HalfWritten(string run)
            {
                Written(run);
                File.WriteAllText(Path.Combine(New(run) + ".tmp", files[written] + ".abcdefgh.ijk.tmp"), "half");
            }
            void Removed(string run)
            {
                Pointed(run);
                foreach (string file in files[..written])
                    File.Delete(Path.Combine(Old(run), file));
            }
            yield return ($"{written} files written", 2, Written);
            if (written < files.Length)
                yield return ($"half of file {written + 1} written", 2, HalfWritten);
            yield return ($"{written} old files removed", 4, Removed);
        }
        yield return ("renamed", 2, Renamed);
        yield return ("half of the pointer written", 2, HalfPointed);
        yield return ("all removed", 4, run => Runs.Copy(after, run));
    }

    [Fact]
    public void Killed_between_any_two_operations_a_run_resumes_and_ends_as_if_it_had_not_been()
    {
        using var before = new TempFolder();
        using var after = new TempFolder();
        using var end = new TempFolder();
        using (var session = new TrainingSession())
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
            using var session = new TrainingSession();
            Assert.True(session.Load(path) == resumes, moment);
            Assert.True(session.State.AsSpan().SequenceEqual(resumes == 2 ? TrainingSession.After2.Value
                : TrainingSession.After4.Value), moment);
            if (resumes == 2)
                session.Train(2, 4).Save(path, 4);
            session.Train(4, 6).Save(path, 6);
            Assert.True(session.State.AsSpan().SequenceEqual(TrainingSession.After6.Value), moment);
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
            File.WriteAllText(Path.Combine(run.File(left), "model.safetensors"), "garbage");
        }
        using var session = new TrainingSession();
        session.Train(0, 2).Save(run.Root, 2);
        Assert.Equal(["latest", "step-000002"], Runs.Names(run.Root));
        Assert.NotEqual("garbage", File.ReadAllText(run.File("step-000002/model.safetensors")));
        session.Save(run.Root, 2); // again, as an interruption right after a save does
        Assert.Equal(2, session.Load(run.Root));
    }

    /// <summary>
    /// A step that is saved once more in another way: the folder is there under its name or beside
    /// it, whole, whenever the process dies.
    /// </summary>
    [Theory]
    [InlineData("the old one is renamed")]
    [InlineData("the old one is renamed, and the new one is gone")]
    [InlineData("the new one is there, and the old one beside it")]
    [InlineData("the new one is there, and half of the old one")]
    public void Killed_while_a_checkpoint_is_replaced_a_run_has_the_old_one_or_the_new_one(string moment)
    {
        using TempFolder run = new(), other = new();
        using var session = new TrainingSession();
        session.Train(0, 2).Save(run.Root, 2);
        var state = session.NewState(2);
        state.Numbers["spikes.rollbacks"] = 1;
        Checkpoint.Save(other.Root, session.Model, TrainingSession.Tokenizer, state);
        string place = run.File("step-000002"), old = place + ".old.tmp";
        Directory.Move(place, old);
        if (moment == "the old one is renamed")
            Runs.Copy(other.File("step-000002"), place + ".tmp");
        else if (moment.StartsWith("the new one is there", StringComparison.Ordinal))
            Runs.Copy(other.File("step-000002"), place);
        if (moment.EndsWith("half of the old one", StringComparison.Ordinal))
            File.Delete(Path.Combine(old, "config.json"));

        ModelLoader.Load(run.Root).Model.Dispose();
        Assert.Equal(2, Checkpoint.Read(run.Root).Step);
        using var resumed = new TrainingSession();
        Assert.Equal(2, resumed.Load(run.Root));
        Assert.Equal(TrainingSession.After2.Value, resumed.State);

        CheckpointFolders.Clean(run.Root, []);
        Assert.Equal(["latest", "step-000002"], Runs.Names(run.Root));
        Assert.Equal(2, resumed.Load(run.Root));
        resumed.Train(2, 4).Save(run.Root, 4);
        Assert.Equal(TrainingSession.After4.Value, resumed.State);
        Assert.Equal(["latest", "step-000004"], Runs.Names(run.Root));
    }

    [Fact]
    public void Killed_before_the_first_pointer_the_newest_whole_checkpoint_is_found()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        Assert.False(Checkpoint.Exists(run.Root));
        session.Train(0, 2).Save(run.Root, 2);
        Runs.Copy(run.File("step-000002"), run.File("step-000007"));
        File.Delete(run.File("step-000007/optimizer.safetensors"));
        File.Delete(run.File("latest"));
        Assert.True(Checkpoint.Exists(run.Root));
        Assert.Equal(run.File("step-000002"), Checkpoint.Newest(run.Root));
        using var resumed = new TrainingSession();
        Assert.Equal(2, resumed.Load(run.Root));
        Assert.Equal(TrainingSession.After2.Value, resumed.State);
    }

    [Fact]
    public void A_checkpoint_that_lacks_a_file_is_written_again()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Train(0, 2).Save(run.Root, 2);
        foreach (string file in new[] { "trainer.json", "model.safetensors" })
        {
            File.Delete(run.File("step-000002/" + file));
            session.Save(run.Root, 2);
            Assert.Equal(2, session.Load(run.Root));
        }
    }
}
