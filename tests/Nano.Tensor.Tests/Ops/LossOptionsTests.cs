namespace Nano.Tests;

/// <summary>
/// Label smoothing and z-loss against numbers from PyTorch, and what they leave alone.
/// </summary>
public class LossOptionsTests
{
    private static readonly float[] Logits = [0.5f, -1.25f, 2, 0.125f, -0.75f, 3.5f, 0.25f, -2, 1.5f, 0, -0.5f, 4, 1,
        -3, 2.25f, 0, 0, 0, 0, 0];

    private static readonly int[] Targets = [2, 3, -100, 0];

    /// <summary>
    /// By PyTorch 2 in double precision: cross_entropy(logits, targets, label_smoothing=0.1), and
    /// with label_smoothing=0.3 plus 0.01 times the mean of logsumexp(logits)^2 over the rows that
    /// are kept.
    /// </summary>
    public static TheoryData<double, double, double, double[]> PyTorch => new()
    {
        {
            0.1, 0, 1.4875741899146215,
            [
                0.0436154884581, 0.00207106171456, -0.0813176816108, 0.0278917194651, 0.00773941197305, 0.269181633642,
                0.00402913265953, -0.00553933771162, -0.269334658814, 0.00166323022415, 0, 0, 0, 0, 0, -0.24, 0.06,
                0.06, 0.06, 0.06,
            ]
        },
        {
            0.3, 0.01, 1.7423088657729098,
            [
                0.0326871433085, -0.0108443473381, -0.0172059390202, 0.0162113087261, -0.00490488070925, 0.276201998375,
                -0.00851500215482, -0.018789490133, -0.213246751988, -0.0110554746846, 0, 0, 0, 0, 0, -0.18452074945,
                0.0488125838832, 0.0488125838832, 0.0488125838832, 0.0488125838832,
            ]
        },
    };

    [Theory, MemberData(nameof(PyTorch))]
    public void Loss_and_gradient_are_those_of_PyTorch(double smoothing, double zLoss, double loss, double[] gradient)
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(1, width);
            compute.Tape = new Tape();
            var x = Tensor.From(new Shape(4, 5), Logits);
            var actual = compute.CrossEntropy(x, Tensor.FromIds(new Shape(4), Targets),
                new LossOptions(0, smoothing, zLoss)).Loss;
            Assert.Equal(loss, actual.Data[0], 2e-7);
            compute.Tape.Backward(compute, actual);
            Assert.True(TestTensors.Error(x.Gradient.Data, gradient) < 5e-8, $"{width}");
        }
    }

    [Fact]
    public void The_loss_of_each_target_is_reported_without_what_is_added()
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(2, width);
            var random = new Random(8);
            Tensor x = random.Normal(33, 19), w = random.Normal(40, 19),
                targets = Tensor.FromIds(new Shape(33), random.Ids(33, 40, 6));
            var (plain, nll) = compute.LinearCrossEntropy(x, w, targets, 20);
            var (loss, same) = compute.LinearCrossEntropy(x, w, targets, new LossOptions(20, 0.1, 1e-2));
            Assert.Equal(nll.Bits(), same.Bits());
            Assert.NotEqual(plain.Bits(), loss.Bits());
            Assert.Equal(Reference.CrossEntropy(Reference.Linear(x.Doubles(), w.Doubles(), null, 40, 19),
                targets.Ids.ToArray(), 20, 0.1, 1e-2)[0], loss.Data[0], 2e-6);
        }
    }

    [Fact]
    public void Options_too_small_to_count_change_no_bit()
    {
        // With factors of 1e-30, every sum that they enter rounds to what it was: another path through the
        // kernels, the same numbers.
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(1, width);
            int[] Run(LossOptions options)
            {
                var x = new Random(8).Normal(21, 35);
                compute.Tape = new Tape();
                var (loss, nll) = compute.CrossEntropy(x,
                    Tensor.FromIds(new Shape(21), new Random(2).Ids(21, 35, 6)), options);
                int[] bits = [.. loss.Bits(), .. nll.Bits()];
                compute.Tape.Backward(compute, loss);
                return [.. bits, .. x.Gradient.Bits()];
            }

            Assert.Equal(Run(default), Run(new LossOptions(0, 1e-30, 1e-30)));
            Assert.Equal(Run(7), Run(new LossOptions(7, 1e-30, 1e-30)));
        }
    }

    [Fact]
    public void Rows_that_are_left_out_have_no_gradient()
    {
        using var compute = TestTensors.Dirty(1, SimdWidths.Best());
        compute.Tape = new Tape();
        var x = new Random(8).Normal(4, 5);
        compute.Tape.Backward(compute,
            compute.CrossEntropy(x, Tensor.FromIds(new Shape(4), [1, -100, 2, 3]), new LossOptions(0, 0.5, 1)).Loss);
        Assert.All(x.Gradient.Data.Slice(5, 5).ToArray(), value => Assert.Equal(0, value));
    }
}
