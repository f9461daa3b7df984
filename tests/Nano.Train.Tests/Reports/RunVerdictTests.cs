namespace Nano.Tests;

public class RunVerdictTests
{
    static readonly RunEntry Run =
        SampleLog.Run() with
        {
            Config = new OrderedDictionary<string, string>
            {
                ["preset"] = "shakespeare-char",
                ["seed"] = "1",
                ["vocabulary"] = "65"
            }
        };

    static readonly RecipeBands[] Known =
    [
        new("shakespeare-char", "text", "", [1, 2, 3], new() { ["preset"] = "shakespeare-char" }, new()
        {
            [RunSignals.Validation] = [new(0, 4, 3.9, 4.1), new(250, 2.5, 2.4, 2.6), new(500, 2, 1.9, 2.1)],
            [RunSignals.Training] = [new(1, 4, 3.9, 4.1)],
            [RunSignals.Whole] = [new(500, 2, 1.95, 2.05)],
            [RunSignals.MatrixNorm] = [new(0, 14, 13.9, 14.1), new(250, 17, 16.5, 17.5)],
            [RunSignals.VectorNorm] = [new(250, 34, 33.5, 34.5)],
        }),
    ];

    static EvalEntry Eval(int step, double loss, double matrix = double.NaN, double vector = double.NaN) =>
        new(step, loss, loss, "", new RunHealth(matrix, vector, 1));

    static RunVerdict Of(params RunLogEntry[] entries) => RunVerdict.Of([Run, .. entries], Known);

    [Fact]
    public void A_loss_in_its_band_is_as_expected()
    {
        var verdict = Of(Eval(0, 4.1), Eval(250, 2.4));
        Assert.Equal(("as expected", RunOutcome.AsExpected), (verdict.Word, verdict.Outcome));
        Assert.Equal("the validation loss after step 250 is 2.400, expected 2.400 to 2.600, over 3 seeds",
            verdict.Reason);
        Assert.Empty(verdict.Causes);
    }

    [Fact]
    public void While_the_only_evaluation_is_that_before_the_first_step_the_training_loss_is_told()
    {
        Assert.StartsWith("the training loss of step 1 is 4.000", Of(Eval(0, 4), SampleLog.Step(1, 4)).Reason,
            StringComparison.Ordinal);
        Assert.StartsWith("the validation loss before the first step", Of(Eval(0, 4)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_last_validation_loss_decides_between_high_and_low()
    {
        Assert.Equal("high", Of(Eval(0, 4), Eval(250, 2.61)).Word);
        Assert.Equal("low", Of(Eval(0, 4), Eval(250, 2.39)).Word);
        var late = Of(Eval(0, 4), Eval(250, 2.5), new EndEntry(500, 2.06, 1, 1, "done"));
        Assert.Equal("high", late.Word);
        Assert.StartsWith("the loss over the whole validation split is 2.060, expected 1.950 to 2.050", late.Reason,
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_wrong_once_is_not_forgotten()
    {
        var verdict = Of(Eval(0, 4), Eval(250, 2.7), Eval(500, 2));
        Assert.Equal("unusual", verdict.Word);
        Assert.Equal("the validation loss after step 250 is 2.700, expected 2.400 to 2.600", verdict.Reason);
        Assert.Equal("unusual", Of(Eval(0, 4), SampleLog.Step(1, 3), Eval(250, 2.5)).Word);
    }

    [Fact]
    public void Weights_that_start_too_large_are_the_first_thing_to_look_at()
    {
        var verdict = Of(Eval(0, 4, matrix: 18));
        Assert.Equal("unusual", verdict.Word);
        Assert.Equal("the norm of the weights with decay before the first step is 18.00, expected 13.90 to 14.10",
            verdict.Reason);
        Assert.Contains("initial weights", verdict.Causes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_shrink_and_should_not_speak_for_wrong_groups() =>
        Assert.Contains("decay on the wrong group", Of(Eval(0, 4), Eval(250, 2.5, 17.6, 33)).Causes[0],
            StringComparison.Ordinal);

    [Fact]
    public void A_validation_loss_that_is_low_alone_speaks_for_text_in_both_splits() =>
        Assert.Contains("also trained on", Of(Eval(0, 4), SampleLog.Step(1, 4), Eval(250, 2)).Causes[0],
            StringComparison.Ordinal);

    [Fact]
    public void A_run_without_a_band_says_why()
    {
        Assert.Equal("no band", RunVerdict.Of([], Known).Word);
        Assert.Contains("nothing is logged yet", Of().Reason, StringComparison.Ordinal);
        Assert.Contains("nothing is logged yet", Of(Eval(17, 4)).Reason, StringComparison.Ordinal);
        var other = RunVerdict.Of([Run with { Config = new(Run.Config) { ["lr"] = "0.5" } }, Eval(250, 9)], Known);
        Assert.Equal(("no band", "shakespeare-char was not measured with these options: lr 0.5, not 0.001"),
            (other.Word, other.Reason));
        Assert.Equal("the recipe 'auto' was not measured", RunVerdict.Of([Run with { Preset = "auto" }], Known).Reason);
    }

    [Fact]
    public void Numbers_that_are_not_finite_are_not_judged() =>
        Assert.Equal("as expected",
            Of(Eval(0, 4), Eval(250, 2.5), new EndEntry(300, double.NaN, 1, 1, "interrupted")).Word);
}
