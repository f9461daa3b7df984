namespace Nano.Tests;

/// <summary>Runs that follow a measured recipe but for their number of steps.</summary>
public class OtherLengthTests
{
    static readonly RecipeBands Measured = new("p", "text", "", [1, 2, 3], Config(1000), new()
    {
        [RunSignals.Validation] =
            [new(0, 4, 3.9, 4.1), new(250, 3, 2.9, 3.1), new(500, 2.5, 2.4, 2.6), new(1000, 2, 1.9, 2.1)],
        [RunSignals.Training] = [new(1, 4, 3.9, 4.1), new(100, 3.5, 3.4, 3.6), new(250, 3, 2.9, 3.1)],
        [RunSignals.MatrixNorm] = [new(0, 14, 13.9, 14.1), new(500, 20, 19, 21)],
        [RunSignals.Whole] = [new(1000, 2, 1.95, 2.05)],
    });

    static OrderedDictionary<string, string> Config(int steps, string schedule = "cosine") => new()
    {
        ["preset"] = "p",
        ["steps"] = $"{steps}",
        ["lr"] = "0.001",
        ["min_lr"] = "0.0001",
        ["warmup_steps"] = "100",
        ["schedule"] = schedule,
    };

    static RunEntry Run(int steps, string schedule = "cosine") =>
        SampleLog.Run("p") with { Config = Config(steps, schedule) };

    static RecipeBands For(int steps, string schedule = "cosine") =>
        RecipeBands.For([Measured with { Config = Config(1000, schedule) }], Run(steps, schedule)).Found!;

    static (int Step, double Low, double High)[] Bands(RecipeBands recipe, string signal) =>
        [.. recipe.Signals[signal].Select(band => (band.Step, band.Low, band.High))];

    static RunVerdict Judge(int steps, params RunLogEntry[] entries) =>
        RunVerdict.Of([Run(steps), .. entries], [Measured]);

    static EvalEntry Eval(int step, double loss, double matrix = double.NaN) =>
        new(step, loss, loss, "", new RunHealth(matrix, double.NaN, 1));

    /// <summary>
    /// The step at which cosine over 500 steps is 2 % below cosine over 1,000, both after a warm-up of
    /// 100 steps, was computed with the formula in Python: 143.
    /// </summary>
    [Fact]
    public void A_shorter_run_lies_between_the_end_of_the_measured_ones_and_their_evaluation_before()
    {
        var bands = For(500);
        Assert.Equal([(0, 3.9, 4.1), (500, 1.9, 3.1)], Bands(bands, RunSignals.Validation));
        Assert.Equal([(500, 1.95, 3.1)], Bands(bands, RunSignals.Whole));
        Assert.Equal([1, 100], bands.Signals[RunSignals.Training].Select(band => band.Step));
        Assert.Equal([0], bands.Signals[RunSignals.MatrixNorm].Select(band => band.Step));

        var end = new EndEntry(500, 2.31, 1, 1, "done");
        var verdict = Judge(500, Eval(0, 4, 14), Eval(250, 2.8), Eval(500, 2.3, 16), end);
        Assert.Equal("as expected", verdict.Word);
        Assert.Equal("the loss over the whole validation split is 2.310, expected 1.950 to 3.100, over 3 seeds "
            + "(runs of 1,000 steps, this one has 500: after step 143 the learning rates differ and only the "
            + "validation loss is compared, with theirs from an evaluation earlier to the end)", verdict.Reason);
        Assert.Equal("high", Judge(500, Eval(500, 3.11)).Word);
        Assert.Equal("low", Judge(500, Eval(500, 1.89)).Word);
        Assert.Equal("unusual", Judge(500, Eval(0, 4, 15), Eval(500, 2.3)).Word);
    }

    [Fact]
    public void A_run_that_ends_between_two_measured_steps_is_bounded_by_the_earlier() =>
        Assert.Equal((400, 1.9, 3.1), Bands(For(400), RunSignals.Validation)[^1]);

    [Fact]
    public void Evaluations_on_the_way_are_compared_too()
    {
        Assert.Equal([(0, 3.9, 4.1), (500, 1.9, 3.1), (800, 1.9, 2.6)], Bands(For(800), RunSignals.Validation));
        Assert.Equal([(800, 1.95, 2.6)], Bands(For(800), RunSignals.Whole));
    }

    [Fact]
    public void A_run_that_ends_before_the_first_evaluation_is_compared_in_the_warm_up_only()
    {
        Assert.Equal([(0, 3.9, 4.1)], Bands(For(200), RunSignals.Validation));
        Assert.Empty(Bands(For(200), RunSignals.Whole));
    }

    [Fact]
    public void A_longer_run_ends_no_higher_than_the_measured_ones()
    {
        Assert.Equal([(0, 3.9, 4.1), (3000, 0, 2.1)], Bands(For(3000), RunSignals.Validation));
        var verdict = Judge(3000, Eval(500, 9), Eval(3000, 1.8));
        Assert.Equal("as expected", verdict.Word);
        Assert.Equal("the validation loss after step 3,000 is 1.800, expected at most 2.100, over 3 seeds "
            + "(runs of 1,000 steps, this one has 3,000: after step 190 the learning rates differ and only the "
            + "validation loss is compared, at the end, with theirs at the end)", verdict.Reason);
        Assert.Equal("high", Judge(3000, Eval(3000, 2.2)).Word);
    }

    [Theory]
    [InlineData(500, "constant")]
    [InlineData(90, "cosine")] // ends in the warm-up
    public void Where_every_learning_rate_is_the_same_the_bands_hold_as_they_were_measured(int steps, string schedule)
    {
        var bands = For(steps, schedule);
        Assert.EndsWith("every learning rate is the same", bands.Note, StringComparison.Ordinal);
        Assert.Equal(
            Measured.Signals[RunSignals.Validation].Where(band => band.Step <= steps),
            bands.Signals[RunSignals.Validation]);
    }

    [Fact]
    public void A_run_that_differs_in_more_than_its_steps_has_no_band()
    {
        var config = Config(500);
        config["lr"] = "0.5";
        var (found, differences) = RecipeBands.For([Measured], SampleLog.Run("p") with { Config = config });
        Assert.Null(found);
        Assert.Equal(["lr 0.5, not 0.001", "steps 500, not 1000"], differences);
    }
}
