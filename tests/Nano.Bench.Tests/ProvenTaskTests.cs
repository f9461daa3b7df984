namespace Nano.Tests;

public class ProvenTaskTests
{
    private static readonly Corpus Text = new("test", BuiltInCorpus.Generate(3, 40_000), "built in");

    /// <summary>All but the one that measures speed too.</summary>
    public static TheoryData<string> Names =>
        [.. ProvenTask.All.Select(task => task.Name).Where(name => name != "text")];

    [Theory, MemberData(nameof(Names))]
    public void A_task_gives_the_same_figures_for_any_number_of_threads_and_others_for_another_seed(string name)
    {
        var one = Run(name, 1, 7);
        Assert.Equal(one, Run(name, 3, 7));
        Assert.NotEqual(one, Run(name, 1, 8));
        Assert.All(one, figure => Assert.True(double.IsFinite(figure.Value), figure.Name));
    }

    private static IReadOnlyList<TaskFigure> Run(string name, int threads, ulong seed)
    {
        using var compute = new Compute(threads);
        return ProvenTask.Find(name).Run(new TaskRun(compute, seed, steps: 2) { Corpus = Text });
    }

    /// <summary>Losses fall: the cheapest four tasks for a tenth of their steps.</summary>
    [Theory]
    [InlineData("luong", 60)]
    [InlineData("mamba", 60)]
    [InlineData("ddpm", 200)]
    [InlineData("clip", 60)]
    public void A_task_learns(string name, int steps)
    {
        List<double> losses = [];
        using var compute = new Compute(2);
        ProvenTask.Find(name).Run(new TaskRun(compute, 1, steps, (_, step, _, loss) => losses.Add(loss)));
        Assert.True(losses[..5].Average() > 1.1 * losses.Skip(steps - 5).Take(5).Average(),
            $"{losses[0]} to {losses[steps - 1]}");
    }

    [Fact]
    public void An_unknown_task_is_refused_with_the_nearest_name() =>
        Assert.Contains("mamba", Assert.Throws<NanoException>(() => ProvenTask.Find("manba")).Hint!,
            StringComparison.Ordinal);
}
