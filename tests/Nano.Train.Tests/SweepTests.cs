namespace Nano.Tests;

public class SweepTests
{
    static readonly Corpus Corpus = new("test", PatternedText.Sentences(50), "made for this test");

    static SweepGrid Grid(params string[] options) =>
        new("tiny", [.. options.Select(option => option.Split(' '))
            .Select(words => words.Length == 1 ? new SweepOption(words[0], [])
                : SweepOption.Parse(words[0], words[1]))]);

    /// <summary>Prepares a run as the program would: its arguments as options.</summary>
    static Trainer Open(SweepPoint point, string run, Compute compute)
    {
        var options = Runs.Tiny with
        {
            Steps = 6,
            EvalInterval = 2,
            LearningRate = double.Parse(point.Options["lr"], System.Globalization.CultureInfo.InvariantCulture),
            MinLearningRate = 0
        };
        if (point.Options.TryGetValue("batch", out string? batch))
            options = options with { Batch = int.Parse(batch, System.Globalization.CultureInfo.InvariantCulture) };
        return new Trainer(options, TrainingData.FromText(Corpus, null), run, Checkpoint.Exists(run), compute, 100,
            "nano train tiny");
    }

    /// <summary>
    /// Runs a sweep; stops when an event satisfies the condition. The result: the runs that were
    /// begun and what they did.
    /// </summary>
    static List<(int Run, TrainEvent? Event)> RunSweep(Sweep sweep, Func<int, TrainEvent?, bool>? stopAt = null)
    {
        using var compute = new Compute(1);
        using var stop = new CancellationTokenSource();
        var events = new List<(int, TrainEvent?)>();
        sweep.Run((point, run) => Open(point, run, compute), (run, e) =>
        {
            events.Add((run, e));
            if (stopAt?.Invoke(run, e) ?? false)
                stop.Cancel();
        }, stop.Token);
        return events;
    }

    static IEnumerable<int> Begun(List<(int Run, TrainEvent? Event)> events) =>
        events.Where(e => e.Event is null).Select(e => e.Run);

    [Fact]
    public void A_grid_is_every_combination_with_the_last_option_varying_fastest()
    {
        var points = Grid("--lr 1e-3,3e-4", "--steps 100", "--checkpoint-activations", "--seed 1,2").Points();
        Assert.Equal(["lr=1e-3,seed=1", "lr=1e-3,seed=2", "lr=3e-4,seed=1", "lr=3e-4,seed=2"],
            points.Select(point => point.Name));
        Assert.Equal(["--lr", "3e-4", "--steps", "100", "--checkpoint-activations", "--seed", "1"],
            points[2].Arguments);
        Assert.Equal([KeyValuePair.Create("lr", "3e-4"), KeyValuePair.Create("seed", "1")], points[2].Options);
        Assert.Equal("run", Assert.Single(Grid("--lr 1e-3").Points()).Name);
        Assert.Equal(["tokenizer=._a_b", "tokenizer=gpt2"],
            Grid("--tokenizer ./a/b,gpt2").Points().Select(point => point.Name));
    }

    [Theory]
    [InlineData("--lr 1e-3,", "a value is missing")]
    [InlineData("--lr 1e-3,1e-3", "1e-3 is there twice")]
    [InlineData("--tokenizer a/b,a_b", "'tokenizer=a_b' cannot be the name of one run's folder")]
    public void A_grid_that_cannot_be_is_refused(string option, string words) =>
        Assert.Contains(words, Assert.Throws<NanoException>(() => Grid(option).Points()).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Too_many_runs_are_refused_before_they_are_made()
    {
        string many = string.Join(',', Enumerable.Range(1, 500));
        Assert.Contains("1,250,000,000,000",
            Assert.Throws<NanoException>(() =>
                Grid($"--a {many}", $"--b {many}", $"--c {many}", "--d " + string.Join(',', Enumerable.Range(1, 10000)))
                    .Points()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_are_ranked_and_one_that_goes_astray_ends_nothing()
    {
        using var folder = new TempFolder();
        var sweep = new Sweep(folder.File("sweep"), Grid("--lr 1e-3,1e30,1e-2"));
        var events = RunSweep(sweep);
        Assert.Equal([0, 1, 2], Begun(events));
        Assert.Equal([SweepStatus.Done, SweepStatus.Diverged, SweepStatus.Done], sweep.Runs.Select(run => run.Status));
        Assert.Contains("not finite; first in ", sweep.Runs[1].Error, StringComparison.Ordinal);
        double[] losses = [.. events.Where(e => e.Event is Finished).Select(e => ((Finished)e.Event!).ValLoss)];
        Assert.Equal(losses, new[] { sweep.Runs[0].ValLoss, sweep.Runs[2].ValLoss });
        Assert.True(losses[1] < losses[0]); // ten times as fast from the same start
        Assert.Equal(["lr=1e-2", "lr=1e-3", "lr=1e30"], sweep.Ranked.Select(run => run.Name));
        Assert.True(Checkpoint.Exists(folder.File("sweep/lr=1e-2")));

        string page = File.ReadAllText(sweep.ReportPath);
        Assert.Contains("<b>2</b> of 3 runs are done, 1 failed", page, StringComparison.Ordinal);
        Assert.Contains($"<tr class=\"best\"><td>1</td><td>1e-2</td><td>{losses[1]:0.0000}</td><td>6</td>", page,
            StringComparison.Ordinal);
        Assert.Equal(2, page.Split("<svg ").Length - 1);
    }

    [Fact]
    public void A_sweep_goes_on_where_it_stopped_and_gives_what_it_would_have()
    {
        using var folder = new TempFolder();
        var grid = Grid("--lr 1e-2,3e-3", "--batch 2,4");
        var whole = new Sweep(folder.File("whole"), grid);
        RunSweep(whole);

        var first = new Sweep(folder.File("parts"), grid);
        RunSweep(first, (run, e) => run == 1 && e is StepDone { Step: 3 });
        Assert.Equal([SweepStatus.Done, SweepStatus.Stopped, SweepStatus.Waiting, SweepStatus.Waiting],
            first.Runs.Select(run => run.Status));
        var second = new Sweep(folder.File("parts"), grid);
        var events = RunSweep(second);
        Assert.Equal([1, 2, 3], Begun(events));
        Assert.Equal(4, events.Where(e => e.Event is StepDone).First().Event!.Step);
        Assert.Equal(whole.Runs.Select(run => (run.Name, run.Status, run.Steps, run.ValLoss)),
            second.Runs.Select(run => (run.Name, run.Status, run.Steps, run.ValLoss)));
        foreach (var run in whole.Runs)
            Assert.Equal(Runs.Files(Path.Combine(whole.FolderOf(run), "step-000006")),
                Runs.Files(Path.Combine(second.FolderOf(run), "step-000006")));

        Assert.Empty(RunSweep(new Sweep(folder.File("parts"), grid)));
        Assert.Equal([4, 5],
            Begun(RunSweep(new Sweep(folder.File("parts"), Grid("--lr 1e-2,3e-3,1e-3", "--batch 2,4")))));
    }

    [Fact]
    public void Another_sweep_in_the_same_folder_is_refused_and_each_difference_named()
    {
        using var folder = new TempFolder();
        var grid = Grid("--lr 1e-2,3e-3", "--steps 6", "--resize");
        RunSweep(new Sweep(folder.Root, grid), (_, e) => e is Evaluated);
        var before = Runs.Files(folder.Root);
        var e = Assert.Throws<NanoException>(() =>
            new Sweep(folder.Root, new SweepGrid("other", Grid("--lr 1e-2,1e-3", "--steps 7", "--seed 3").Options)));
        Assert.All(["the preset was tiny and is now other", "--lr was 1e-2,3e-3 and is now 1e-2,1e-3",
            "--steps was 6 and is now 7", "--seed was left out and is now 3", "--resize was given and is now left out"],
            words => Assert.Contains(words, e.Message, StringComparison.Ordinal));
        Assert.Equal(before, Runs.Files(folder.Root));
    }

    [Fact]
    public void A_damaged_state_is_refused_whatever_the_damage()
    {
        using var folder = new TempFolder();
        RunSweep(new Sweep(folder.Root, Grid("--lr 1e-2,3e-3")));
        byte[] whole = File.ReadAllBytes(folder.File("sweep.json"));
        var random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = i < 100 ? whole[..random.Next(whole.Length - 1)] : [.. whole];
            if (i >= 100)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(folder.File("sweep.json"), damaged);
            try
            {
                _ = new Sweep(folder.Root, Grid("--lr 1e-2,3e-3"));
            }
            catch (Exception e) when (e is NanoException or FormatException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 150, 300);
        File.WriteAllText(folder.File("sweep.json"),
            System.Text.Encoding.UTF8.GetString(whole)
                .Replace("\"version\": 1", "\"version\": 2", StringComparison.Ordinal));
        Assert.Throws<BadFileException>(() => new Sweep(folder.Root, Grid("--lr 1e-2,3e-3")));
    }

    [Theory]
    [InlineData("\"options\": {", "\"options\": { \"--a\": null,")]
    [InlineData("\"--lr\": [", "\"--lr\": [ null,")]
    [InlineData("\"runs\": [", "\"runs\": [ null,")]
    [InlineData("\"ranking\": [", "\"ranking\": [ null,")]
    [InlineData("\"lr\": \"1e-2\"", "\"lr\": null")]
    [InlineData("\"name\": \"lr=1e-2\"", "\"name\": null")]
    [InlineData("\"name\": \"lr=1e-2\"", "\"name\": \"\\ud800\"")]
    [InlineData("\"lr\": \"1e-2\"", "\"\\udfff\": \"1e-2\"")]
    [InlineData("\"error\": null", "\"error\": \"\\udc00\"")]
    [InlineData("\"preset\": \"tiny\"", "\"preset\": \"\\ud800\"")]
    public void Nulls_and_halves_of_surrogate_pairs_in_the_state_are_refused(string there, string instead)
    {
        using var folder = new TempFolder();
        RunSweep(new Sweep(folder.Root, Grid("--lr 1e-2,3e-3")));
        string text = File.ReadAllText(folder.File("sweep.json"));
        Assert.Contains(there, text, StringComparison.Ordinal);
        int at = text.IndexOf(there, StringComparison.Ordinal);
        File.WriteAllText(folder.File("sweep.json"), text[..at] + instead + text[(at + there.Length)..]);
        Assert.Equal(folder.File("sweep.json"),
            Assert.Throws<BadFileException>(() => new Sweep(folder.Root, Grid("--lr 1e-2,3e-3"))).Path);
    }
}
