namespace Nano.Tests;

/// <summary>The bias of choices, and the loss that keeps experts in balance within sequences.</summary>
public class RouterBalanceTests
{
    private static Tensor Choices(int tokens) =>
        Tensor.FromIds(new Shape(tokens, 2), new Random(3).Ids(tokens * 2, 5));

    /// <summary>The mean of 0, 3, 5 and 8 is 4: those below it rise, those above fall.</summary>
    [Fact]
    public void A_bias_moves_towards_the_mean_load()
    {
        float[] bias = [0.5f, 0, -0.25f, 1];
        RouterBias.Update([0, 3, 5, 8], bias, 0.125f);
        Assert.Equal([0.625f, 0.125f, -0.375f, 0.875f], bias);
        RouterBias.Update([4, 4, 4, 4], bias, 0.125f);
        Assert.Equal([0.625f, 0.125f, -0.375f, 0.875f], bias);
        RouterBias.Update([1, 1, 1, 2], bias, 0.125f); // a mean between whole numbers
        Assert.Equal([0.75f, 0.25f, -0.25f, 0.75f], bias);
        Assert.Throws<ArgumentException>(() => RouterBias.Update([1, 2], bias, 1));
    }

    [Theory, InlineData(RouterScoring.Softmax), InlineData(RouterScoring.Sigmoid)]
    public void Even_use_within_a_sequence_costs_1_in_every_layer(RouterScoring scoring)
    {
        using var compute = new Compute(1);
        var even = Tensor.FromIds(new Shape(4, 1), [0, 1, 2, 3]);
        Assert.Equal(2, compute.SequenceBalanceLoss([new(new Shape(4, 4)), new(new Shape(4, 4))], [even, even],
            scoring, 4).Data[0], 1e-6f);
    }

    /// <summary>The mean over three sequences is what a batch of one and a batch of two give, weighed by 1 and 2.</summary>
    [Theory, InlineData(RouterScoring.Softmax), InlineData(RouterScoring.Sigmoid)]
    public void Parts_of_a_batch_have_the_loss_and_the_gradients_of_the_whole(RouterScoring scoring)
    {
        var logits = new Random(4).Normal(21, 5);
        var choices = Choices(21);
        var (whole, gradient) = Part(0, 21);
        var (first, ofFirst) = Part(0, 7);
        var (rest, ofRest) = Part(7, 14);
        Assert.Equal(whole, (first + (2 * rest)) / 3, 1e-6f);
        for (int i = 0; i < gradient.Length; i++)
            Assert.Equal(gradient[i], i < 35 ? ofFirst[i] / 3 : ofRest[i - 35] * 2 / 3, 1e-7f);

        (float, float[]) Part(int start, int rows)
        {
            using var compute = new Compute(2) { Tape = new Tape() };
            var z = logits.SliceRows(start, rows).Copy();
            var loss = compute.SequenceBalanceLoss([z], [choices.SliceRows(start, rows)], scoring, 7);
            compute.Tape.Backward(compute, loss);
            return (loss.Data[0], z.Gradient.Data.ToArray());
        }
    }

    [Fact]
    public void The_factor_of_differential_attention_begins_as_in_the_paper()
    {
        Assert.Equal(0.2f, DifferentialFactor.InitialOf(0), 1e-7f);
        Assert.Equal(0.35550906759f, DifferentialFactor.InitialOf(1), 1e-7f); // 0.8 - 0.6 e^-0.3
    }
}
