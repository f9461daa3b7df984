using System.Text.Json;

namespace Nano.Tests;

/// <summary>
/// Recurrent, scan and image ops against golden values: outputs, states and all gradients, at every width.
/// </summary>
public class ScanGoldenTests
{
    /// <summary>
    /// A case at work: its inputs by name, and the pairs of dimensions in which the op has them otherwise.
    /// </summary>
    private sealed class Running(ScanGoldens goldens, JsonElement test, Compute compute)
    {
        private readonly Dictionary<string, (Tensor Tensor, (int, int) Exchanged)> inputs = [];

        public Compute Compute => compute;

        /// <summary>H of a state [B, H, ..].</summary>
        public int HeadsOf(string name) => test.GetProperty("shapes").GetProperty(name)[1].GetInt32();

        public JsonElement Attributes => test.GetProperty("attrs");

        public int Number(string name, int otherwise) =>
            Attributes.TryGetProperty(name, out var value) ? value.GetInt32() : otherwise;

        /// <summary>An input, or null if the case has none of that name.</summary>
        public Tensor? Optional(string name, (int, int) exchanged = default)
        {
            if (!test.GetProperty("shapes").TryGetProperty(name, out _))
                return null;
            var tensor = goldens.Read(test, name, exchanged);
            inputs[name] = (tensor, exchanged);
            return tensor;
        }

        public Tensor Input(string name, (int, int) exchanged = default) => Optional(name, exchanged)!;

        public void Check(string name, Tensor actual, (int, int) exchanged = default) =>
            goldens.AssertClose(test, name, ScanGoldens.Exchanged(actual, exchanged), $"{compute.Width}");

        /// <summary>Checks the gradients of all inputs for the upstream gradient of the case at y.</summary>
        public void CheckGradients(Tensor y, (int, int) exchanged = default)
        {
            var upstream = goldens.Read(test, test.GetProperty("upstream").GetString()!, exchanged);
            compute.Tape!.Backward(compute, y, upstream.Reshape(y.Shape));
            CheckGradientsOfInputs();
        }

        public void CheckGradientsOfInputs()
        {
            foreach (string name in test.GetProperty("grads").EnumerateArray().Select(name => name.GetString()!))
            {
                var (tensor, exchanged) = inputs[name[1..]];
                Check(name, tensor.Gradient, exchanged);
            }
        }

        public Tensor Upstream(int first, int count) =>
            goldens.Read(test, test.GetProperty("upstream").GetString()!).SliceRows(first, count).Copy();
    }

    private static readonly Dictionary<string, Action<Running>> Ops = new()
    {
        ["selective_scan"] = run =>
        {
            var (y, state) = run.Compute.SelectiveScan(run.Input("u"), run.Input("dt"), run.Input("A"), run.Input("B"),
                run.Input("C"), run.Input("D"), run.Optional("h0", (1, 2)));
            run.Check("y", y);
            run.Check("state", state, (1, 2));
            run.CheckGradients(y);
        },
        ["lstm"] = run =>
        {
            var (y, h, c) = run.Compute.Lstm(run.Input("x"), Weights(run), run.Input("h"), run.Input("c"), Lengths(run),
                IsReverse(run));
            run.Check("y", y);
            run.Check("h2", h);
            run.Check("c2", c);
            run.CheckGradients(y);
        },
        ["lstm_cell"] = run =>
        {
            var c = run.Compute;
            var x = run.Input("x");
            var (y, h, memory) = c.Lstm(x.Reshape(new Shape(3, 1, 5)), Weights(run), run.Input("h"), run.Input("c"));
            run.Check("h2", y);
            run.Check("h2", h);
            run.Check("c2", memory);
            // gradients reach h and c: half of dh through y, half through h
            var dh = c.Scale(run.Upstream(0, 1), 0.5f);
            var loss = c.Add(c.Sum(c.Multiply(y, dh.Reshape(y.Shape))), c.Sum(c.Multiply(h, dh.Reshape(h.Shape))));
            loss = c.Add(loss, c.Sum(c.Multiply(memory, run.Upstream(1, 1).Reshape(memory.Shape))));
            c.Tape!.Backward(c, loss);
            run.CheckGradientsOfInputs();
        },
        ["gru"] = run =>
        {
            var (y, h) = run.Compute.Gru(run.Input("x"), Weights(run), run.Input("h"), Lengths(run), IsReverse(run));
            run.Check("y", y);
            run.Check("h2", h);
            run.CheckGradients(y);
        },
        ["gru_cell"] = run =>
        {
            var h = run.Compute.Gru(run.Input("x").Reshape(new Shape(3, 1, 5)), Weights(run), run.Input("h")).H;
            run.Check("h2", h);
            run.CheckGradients(h);
        },
        ["ssd"] = run =>
        {
            var (y, state) = run.Compute.Ssd(Flat(run.Input("x")), run.Input("dt"), run.Input("A"),
                Flat(run.Input("B")), Flat(run.Input("C")), 2, run.Input("D"));
            run.Check("y", y);
            run.Check("state", state, (2, 3));
            run.CheckGradients(y);
        },
        ["wkv7"] = run =>
        {
            var (y, state) = run.Compute.Wkv7(Flat(run.Input("r")), Flat(run.Input("w")), Flat(run.Input("k")),
                Flat(run.Input("v")), Flat(run.Input("a")), Flat(run.Input("b")), run.HeadsOf("state"));
            run.Check("y", y);
            run.Check("state", state, (2, 3));
            run.CheckGradients(y);
        },
        ["retention"] = run =>
        {
            var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
            float[] gammas = [.. run.Attributes.GetProperty("gamma").EnumerateArray().Select(g => g.GetSingle())];
            var (y, state) = run.Compute.Retention(
                run.Compute.Scale(Flat(q), 1 / MathF.Sqrt(q.Shape[3])), Flat(k), Flat(v),
                Tensor.From(new Shape(gammas.Length), gammas));
            run.Check("y", y.Reshape(v.Shape), Times);
            run.Check("state", state);
            run.CheckGradients(y, Times);
        },
        ["linear_attention"] = run =>
        {
            var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
            var (y, state) = run.Compute.LinearAttention(Flat(q), Flat(k), Flat(v), q.Shape[2]);
            int values = v.Shape[3];
            run.Check("y", y.Reshape(v.Shape), Times);
            run.Check("state", Columns(state, 0, values));
            run.Check("norm", Columns(state, values, 1));
            run.CheckGradients(y, Times);
        },
        ["gated_delta_rule"] = run =>
        {
            var c = run.Compute;
            var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
            // exp(-softplus(x)) is the sigmoid of -x
            var decay = c.Activation(ActivationKind.Sigmoid, c.Scale(run.Input("alpha", Times), -1));
            var rate = c.Activation(ActivationKind.Sigmoid, run.Input("beta", Times));
            var (y, state) = c.GatedDeltaRule(
                Flat(c.Scale(OfLengthOne(c, q), 1 / MathF.Sqrt(q.Shape[3]))), Flat(OfLengthOne(c, k)), Flat(v), decay,
                rate);
            run.Check("y", y.Reshape(v.Shape), Times);
            run.Check("state", state, (2, 3));
            run.CheckGradients(y, Times);
        },
        ["conv1d"] = Conv,
        ["conv2d"] = Conv,
        ["max_pool2d"] = run => Pool(run, PoolKind.Max),
        ["avg_pool2d"] = run => Pool(run, PoolKind.Average),
        ["causal_conv1d"] = run =>
        {
            var y = run.Compute.Activation(ActivationKind.Silu,
                run.Compute.DepthwiseCausalConv(run.Input("x"), run.Input("w"), run.Input("b")).Y);
            run.Check("y", y);
            run.CheckGradients(y);
        },
    };

    private static void Conv(Running run)
    {
        var y = run.Compute.Conv(run.Input("x"), run.Input("w"), run.Input("b"), new ConvOptions(
            run.Number("stride", 1), run.Number("padding", 0), run.Number("dilation", 1), run.Number("groups", 1)));
        run.Check("y", y);
        run.CheckGradients(y);
    }

    private static void Pool(Running run, PoolKind kind)
    {
        var y = run.Compute.Pool(kind, run.Input("x"), run.Number("kernel", 0), run.Number("stride", 0));
        run.Check("y", y);
        run.CheckGradients(y);
    }

    /// <summary>[B, H, T, D] and [B, T, H, D].</summary>
    private static readonly (int, int) Times = (1, 2);

    /// <summary>[B, T, H, D] as [B, T, H D].</summary>
    private static Tensor Flat(Tensor x) => x.Reshape(new Shape(x.Shape[0], x.Shape[1], x.Shape[2] * x.Shape[3]));

    private static Tensor Columns(Tensor x, int start, int count)
    {
        var part = new Tensor(x.Shape.WithColumns(count));
        part.CopyFrom(x.SliceColumns(start, count));
        return part;
    }

    /// <summary>x / sqrt(sum x^2 + 1e-6), by a norm over the mean.</summary>
    private static Tensor OfLengthOne(Compute compute, Tensor x)
    {
        int columns = x.Shape.Columns;
        var weight = new Tensor(new Shape(columns)) { WantsGradient = false };
        weight.Data.Fill(1 / MathF.Sqrt(columns));
        return compute.RmsNorm(x, weight, 1e-6f / columns);
    }

    private static RecurrentWeights Weights(Running run) => new(run.Input("weight_ih"), run.Input("weight_hh"),
        run.Input("bias_ih"), run.Input("bias_hh"));

    private static bool IsReverse(Running run) => run.Attributes.GetProperty("direction").GetString() == "reverse";

    private static Tensor Lengths(Running run)
    {
        int[] lengths = [.. run.Attributes.GetProperty("lengths").EnumerateArray().Select(length => length.GetInt32())];
        return Tensor.FromIds(new Shape(lengths.Length), lengths);
    }

    public static TheoryData<string> Names =>
        [.. ScanGoldens.Cases.Select(test => test.GetProperty("case").GetString()!)];

    [Theory, MemberData(nameof(Names))]
    public void Outputs_states_and_gradients_agree(string name)
    {
        using var goldens = new ScanGoldens();
        var test = ScanGoldens.Case(name);
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(3, width);
            compute.Tape = new Tape();
            Ops[test.GetProperty("op").GetString()!](new Running(goldens, test, compute));
        }
    }
}
