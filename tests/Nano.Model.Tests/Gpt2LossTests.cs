namespace Nano.Tests;

/// <summary>
/// The loss without whole logits, and blocks that are computed again: the bits of the plain way.
/// </summary>
public class Gpt2LossTests
{
    private const int B = 3, T = 12;

    private static readonly Gpt2Config Config = Models.Small with { VocabSize = 37, Dropout = 0.3f };

    private static (Tensor Loss, Tensor Nll) Unfused(LanguageModel model, Compute c, Tensor ids, Tensor targets,
        Dropout? dropout) =>
        c.CrossEntropy(model.Forward(c, ids, new() { Masks = dropout }), targets, 50);

    /// <summary>The bits of loss, nll and all gradients of two micro-batches.</summary>
    private static List<int[]> Run(Gpt2Config config, Compute compute, bool later,
        Func<LanguageModel, Compute, Tensor, Tensor, Dropout?, (Tensor Loss, Tensor Nll)> way)
    {
        using var model = Models.Random(config);
        using var lookups = new DeferredRows();
        compute.Tape = new Tape();
        compute.DeferredRows = later ? lookups : null;
        model.Parameters.EnableGradients();
        var bits = new List<int[]>();
        for (int micro = 0; micro < 2; micro++)
        {
            int[] next = Models.RandomIds(B * T, config.VocabSize, 10 + micro);
            next[4] = -100;
            Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, config.VocabSize, micro)),
                targets = Tensor.FromIds(new Shape(B, T), next);
            var (loss, nll) = way(model, compute, ids, targets, new Dropout(config.Dropout, 1, (ulong)micro));
            bits.Add([.. Models.Bits(loss.Data), .. Models.Bits(nll.Data)]);
            compute.Tape.Backward(compute, loss);
            compute.NextStep();
        }
        lookups.Run(compute);
        bits.AddRange(model.Parameters.All.Select(parameter => Models.Bits(parameter.Gradient.Data)));
        return bits;
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Loss_and_all_gradients_have_the_bits_of_logits_and_cross_entropy(bool tied, bool later)
    {
        foreach (float dropout in new[] { 0, 0.3f })
            foreach (var width in SimdWidths.All)
            {
                using var compute = new Compute(2, width);
                var config = Config with { TiedHead = tied, Dropout = dropout };
                var expected = Run(config, compute, later, Unfused);
                var fused = Run(config, compute, later,
                    (model, c, ids, targets, masks) => model.Loss(c, ids, targets, 50, new() { Masks = masks }));
                var checkpointed = Run(config, compute, later,
                    (model, c, ids, targets, masks) =>
                        model.Loss(c, ids, targets, 50, new() { Masks = masks, Keep = Keep.Nothing }));
                Assert.Equal(expected, fused);
                Assert.Equal(expected, checkpointed);
            }
    }

    [Fact]
    public void Without_a_tape_the_loss_has_the_same_bits()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 37)),
            targets = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 37, 2));
        int[] Bits((Tensor Loss, Tensor Nll) result) =>
            [.. Models.Bits(result.Loss.Data), .. Models.Bits(result.Nll.Data)];
        Assert.Equal(Bits(Unfused(model, compute, ids, targets, null)), Bits(model.Loss(compute, ids, targets, 50)));
    }

    [Fact]
    public void Activations_computed_again_take_at_most_two_fifths_of_the_memory()
    {
        var config = Models.Small with { Layers = 12, Channels = 32 };
        long[] peaks = [.. new[] { false, true }.Select(checkpoint =>
        {
            using var compute = new Compute(1);
            Run(config, compute, later: true, (model, c, ids, targets, masks) =>
                model.Loss(c, ids, targets, 50, new() { Masks = masks, Keep = checkpoint ? Keep.Nothing : Keep.All }));
            return compute.StepArena.PeakBytes;
        })];
        Assert.InRange(peaks[1], 1, 0.4 * peaks[0]);
    }

    [Fact]
    public void Inference_needs_no_more_memory_for_more_layers()
    {
        long[] peaks = [.. new[] { 2, 10 }.Select(layers =>
        {
            using var model = Models.Random(Models.Small with { Layers = layers });
            using var compute = new Compute(1);
            model.Forward(compute, Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 11)));
            return compute.StepArena.PeakBytes;
        })];
        Assert.Equal(peaks[0], peaks[1]);
    }

    [Fact]
    public void Targets_that_do_not_fit_are_refused()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        var e = Assert.Throws<ArgumentException>(() =>
            model.Loss(compute, Tensor.FromIds(new Shape(1, 3), [1, 2, 3]), Tensor.FromIds(new Shape(1, 2), [1, 2])));
        Assert.Contains("[1, 2]", e.Message, StringComparison.Ordinal);
    }
}
