namespace Nano.Tests;

public class ClassifierTrainingTests
{
    private static readonly LabelledText[] Rows = [.. Enumerable.Range(0, 120).Select(i =>
        new LabelledText(i % 3 == 0 ? "animal" : "weather", i % 3 == 0 ? $"the {Animal(i)} eats" : $"the {Sky(i)} comes"))];

    private static string Animal(int i) => ((string[])["cat", "dog", "horse"])[i / 3 % 3];

    private static string Sky(int i) => ((string[])["rain", "snow", "wind"])[i / 2 % 3];

    private static ClassifierProgress[] Train(ClassifierOptions options, int threads, string? folder = null)
    {
        using var compute = new Compute(threads);
        using var training = new ClassifierTraining(options, Rows, compute);
        ClassifierProgress[] all = [.. training.Run(default)];
        if (folder is not null)
            training.Save(folder);
        return all;
    }

    [Fact]
    public void A_small_encoder_learns_classes_and_is_opened_with_their_names()
    {
        using var folder = new TempFolder();
        var last = Train(new() { Epochs = 16, Seed = 5 }, 2, folder.Root)[^1];
        Assert.Equal(1, last.Accuracy);
        Assert.True(last.HeldOutLoss < 0.1, $"{last}");
        using var compute = new Compute(2);
        using var classifier = TextClassifier.Open(folder.Root);
        Assert.Equal(["animal", "weather"], classifier.Labels);
        var found = classifier.Classify(compute, ["the dog eats", "the snow comes"]);
        Assert.Equal(["animal", "weather"], found.Select(one => one.Label));
        Assert.All(found, one => Assert.Equal(1, one.Probabilities.Sum(), 1e-6));
        Assert.Equal(found[0].Probabilities, classifier.Classify(compute, ["the dog eats"])[0].Probabilities);
    }

    [Fact]
    public void Training_has_the_same_bits_on_any_number_of_threads()
    {
        var options = new ClassifierOptions { Epochs = 1 };
        var expected = Train(options, 1);
        Assert.Equal(expected, Train(options, 3));
        Assert.NotEqual(expected, Train(options with { Seed = 4 }, 1));
    }

    /// <summary>One that is there keeps its head only for the same classes.</summary>
    [Fact]
    public void An_encoder_that_is_there_is_trained_further()
    {
        using var folder = new TempFolder();
        Train(new() { Epochs = 16, Seed = 5 }, 2, folder.Root);
        var same = Train(new() { From = folder.Root, Epochs = 1 }, 2);
        Assert.True(same[0].Loss < 0.1, $"{same[0]}");
        using var compute = new Compute(2);
        using var others = new ClassifierTraining(new() { From = folder.Root, Epochs = 1 },
            [.. Rows.Select(row => row with { Label = row.Label + "s" })], compute);
        Assert.Equal(Math.Log(2), others.Run(default).First().Loss, 0.2);
        Assert.Equal(["animals", "weathers"], ((BertConfig)others.Model.Architecture).Labels);
    }

    [Fact]
    public void A_run_that_is_stopped_or_that_diverges_says_so()
    {
        using var compute = new Compute(2);
        using var training = new ClassifierTraining(new() { LearningRate = 1e30 }, Rows, compute);
        Assert.Contains("step 2: the loss is not finite; first in",
            Assert.Throws<DivergedException>(() => training.Run(default).Count()).Message, StringComparison.Ordinal);
        using var stopped = new ClassifierTraining(new(), Rows, compute);
        using var stop = new CancellationTokenSource();
        Assert.Equal(3, stopped.Run(stop.Token).Count(progress =>
        {
            if (progress.Step == 3)
                stop.Cancel();
            return true;
        }));
    }

    [Fact]
    public void Impossible_trainings_are_refused()
    {
        using var compute = new Compute(1);
        string Error(ClassifierOptions options, params LabelledText[] rows) =>
            Assert.Throws<NanoException>(() => new ClassifierTraining(options, rows, compute)).Message;
        Assert.Contains("all 2 texts are of one class, 'a'", Error(new(), new("a", "x"), new("a", "y")),
            StringComparison.Ordinal);
        Assert.Contains("`holdout`", Error(new() { Holdout = 1 }, Rows), StringComparison.Ordinal);
        Assert.Contains("`epochs`", Error(new() { Epochs = 0 }, Rows), StringComparison.Ordinal);
        Assert.Contains("`vocab`", Error(new() { Vocabulary = 3 }, Rows), StringComparison.Ordinal);
        Assert.Contains("holds no encoder", Error(new() { From = WithTokenizer() }, Rows), StringComparison.Ordinal);
    }

    private static string WithTokenizer()
    {
        var folder = Directory.CreateTempSubdirectory("nano-test-").FullName;
        File.Copy(Goldens.Path("zoo/t5_v1_0/config.json"), Path.Combine(folder, "config.json"));
        CharTokenizer.FromText("abc").Save(Path.Combine(folder, "tokenizer.json"));
        return folder;
    }
}
