using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>
/// Matrix products of float16, and files of float16 weights, against our float32 kernels.
/// </summary>
public class HalfTests
{
    /// <summary>
    /// Rounding to float16 changes a number by this part of it at most: 11 bits of mantissa.
    /// </summary>
    private const double Rounding = 1.0 / 2048;

    /// <summary>
    /// Roundings on the longest path through a model of two layers: each product rounds two
    /// operands and its result, and a layer has six products one behind the other (queries, scores,
    /// mixture, projection, two of the MLP), with the head thirteen. To first order no more than
    /// their sum can be off, in parts of the largest element of a tensor. Measured: logits 2.2e-3
    /// at most, gradients 8.7e-3; allowed 1.9e-2 and, for two passes, 3.8e-2.
    /// </summary>
    private const double ForwardBound = 13 * 3 * Rounding, BackwardBound = 2 * ForwardBound;

    private static LanguageModel Model(string name)
    {
        var model = LanguageModel.Create(ExportTests.Models[name]);
        model.Initialize(3);
        foreach (var parameter in model.Parameters.All)
            if (parameter.Shape.Rank == 1)
                Philox.Normal(5, (ulong)parameter.Length, 0.3, parameter.Data);
            else
                foreach (ref float weight in parameter.Data)
                    weight *= 5; // a model whose attention and logits are not flat
        return model;
    }

    private static int[] Random(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(61))];
    }

    /// <summary>The largest difference, in parts of the largest element.</summary>
    private static double Off(ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs)
    {
        Assert.Equal(ours.Length, theirs.Length);
        double largest = 0, difference = 0;
        for (int i = 0; i < ours.Length; i++)
        {
            Assert.True(float.IsFinite(theirs[i]), $"element {i} is {theirs[i]}");
            (largest, difference) =
                (Math.Max(largest, Math.Abs(ours[i])), Math.Max(difference, Math.Abs((double)ours[i] - theirs[i])));
        }
        return largest == 0 ? difference : difference / largest;
    }

    /// <summary>The loss is scaled, as float16 gradients want it.</summary>
    [Theory]
    [MemberData(nameof(ExportTests.Names), MemberType = typeof(ExportTests))]
    public void Gradients_through_half_products_are_near_ours(string name, string provider)
    {
        var where = Providers.Needs(provider);
        const float Scale = 1024;
        using var model = Model(name);
        using var recording = new OnnxRecording(model, new() { Gradients = true, Int32 = true, HalfProducts = true },
            lossBlocks: 2);
        recording.Graph.Result("loss", recording.Loss(default));
        recording.Backward(recording.Graph.Constant(Scale));
        foreach (var parameter in model.Parameters.All)
            recording.Graph.Result("grad." + parameter.Name, recording.Gradient(parameter),
                OnnxGraph.Dimensions(parameter));
        var (B, T) = (2, 7);
        int[] ids = Random(B * T), targets = [.. ids.Select(id => id % 5 == 0 ? -100 : (id + 1) % 61)];
        using var session = new OrtSession(recording.Graph.ToModel().Span, where, 1);
        using OrtTensor input = OrtTensor.OfInts(ids, B, T), wanted = OrtTensor.OfInts(targets, B, T),
            loss = OrtTensor.OfFloats();
        var gradients = model.Parameters.All
            .Select(parameter =>
                (Name: "grad." + parameter.Name, Tensor: OrtTensor.OfFloats(parameter.Shape.ToArray()))).ToList();
        session.Run([("input_ids", input), ("targets", wanted)], [("loss", loss), .. gradients]);

        model.Parameters.EnableGradients();
        using var compute = new Compute(1) { Tape = new Tape() };
        var expected = model.Loss(compute, Tensor.FromIds(new Shape(B, T), ids),
            Tensor.FromIds(new Shape(B, T), targets)).Loss;
        compute.Tape!.Backward(compute, expected);
        double off = Off(expected.Data, loss.Floats), worst = 0;
        Assert.InRange(off, 0, ForwardBound);
        foreach (var (parameter, (_, gradient)) in model.Parameters.All.Zip(gradients))
        {
            off = Off(parameter.Gradient.Data, [.. gradient.Floats.ToArray().Select(value => value / Scale)]);
            Assert.True(off <= BackwardBound, $"{parameter.Name} is off by {off:E1}");
            worst = Math.Max(worst, off);
            gradient.Dispose();
        }
        Assert.True(worst > Rounding / 8, $"these are no half products: {worst:E1}");
    }

    /// <summary>
    /// Each of the operands and the result is rounded once: |error| is at most 3 roundings of sum
    /// |a| |b|, and a little for what float32 adds.
    /// </summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void A_product_and_its_gradients_are_off_by_their_roundings_at_most(bool transposeA, bool transposeB)
    {
        ExportTests.NeedsLibrary();
        const int M = 5, K = 40, N = 6;
        Tensor a = Normal("a", transposeA ? new(2, K, M) : new(2, M, K)),
            b = Normal("b", transposeB ? new(2, N, K) : new(2, K, N)), dy = Normal("dy", new(2, M, N));
        using var plan = new Compute(1) { OnlyPlans = true, Tape = new Tape { RetainsAll = true } };
        var planned = plan.MatMul(a, b, transposeA, transposeB);
        var graph = new OnnxGraph("product");
        var ops = new OnnxOps(graph) { FloatPositions = "", Positions = "", ContextLength = 1, HalfProducts = true };
        foreach (var input in (Tensor[])[a, b, dy])
        {
            graph.Weight(OnnxWeight.Of(input.Name!, input));
            ops.Define(input, input.Name!);
        }
        var op = Assert.Single(plan.Tape!.Ops);
        ops.Forward(op);
        graph.Result("y", ops.Value(planned), 2, M, N);
        ops.AddGradient(planned, "dy");
        ops.Backward(op);
        graph.Result("da", ops.Gradient(a), OnnxGraph.Dimensions(a));
        graph.Result("db", ops.Gradient(b), OnnxGraph.Dimensions(b));
        using var session = new OrtSession(graph.ToModel().Span, OrtProvider.Cpu, 1);
        using OrtTensor y = OrtTensor.OfFloats(2, M, N), da = OrtTensor.OfFloats(a.Shape.ToArray()),
            db = OrtTensor.OfFloats(b.Shape.ToArray());
        session.Run([], [("y", y), ("da", da), ("db", db)]);

        var (exact, exactA, exactB) = Ours(a, b, dy);
        var (sizes, sizesA, sizesB) = Ours(Absolute(a), Absolute(b), Absolute(dy));
        foreach (var (found, expected, size) in new[] { (y, exact, sizes), (da, exactA, sizesA), (db, exactB, sizesB) })
        {
            double most = 0;
            for (int i = 0; i < expected.Length; i++)
                most = Math.Max(most, Math.Abs(found.Floats[i] - expected[i]) / size[i]);
            Assert.InRange(most, Rounding / 50, 3.01 * Rounding);
        }

        (float[] Y, float[] DA, float[] DB) Ours(Tensor a, Tensor b, Tensor dy)
        {
            using var compute = new Compute(1) { Tape = new Tape { RetainsAll = true } };
            var y = compute.MatMul(a, b, transposeA, transposeB);
            compute.Tape!.Backward(compute, y, dy);
            return (y.Data.ToArray(), a.Gradient.Data.ToArray(), b.Gradient.Data.ToArray());
        }

        static Tensor Normal(string name, Shape shape)
        {
            var tensor = new Tensor(shape) { Name = name };
            Philox.Normal(9, (ulong)name.Length + name[^1], 1, tensor.Data);
            return tensor;
        }

        static Tensor Absolute(Tensor tensor) => Tensor.From(tensor.Shape, [.. tensor.Data.ToArray().Select(Math.Abs)]);
    }

    [Theory]
    [MemberData(nameof(ExportTests.Names), MemberType = typeof(ExportTests))]
    public void Logits_of_half_weights_are_near_ours(string name, string provider)
    {
        var where = Providers.Needs(provider);
        using var model = Model(name);
        using var session = new OrtSession(OnnxExporter.Build(model, new() { Float16 = true, Int32 = true })
            .ToModel().Span, where, 1);
        var (B, T) = (2, 9);
        int[] ids = Random(B * T);
        using OrtTensor input = OrtTensor.OfInts(ids, B, T), logits = OrtTensor.OfFloats(B, T, 61);
        session.Run([("input_ids", input)], [("logits", logits)]);
        using var compute = new Compute(1);
        Assert.InRange(Off(model.Forward(compute,
            Tensor.FromIds(new Shape(B, T), ids)).Data, logits.Floats), Rounding / 8,
            ForwardBound);
    }

    [Theory]
    [InlineData("onnx-cpu")]
    [InlineData("webgpu")]
    public void Keys_and_values_are_float16_too(string provider)
    {
        var where = Providers.Needs(provider);
        using var model = Model("llama");
        var config = model.Config;
        using var session = new OrtSession(
            OnnxExporter.Build(model, new() { Float16 = true, Int32 = true, Cache = true }).ToModel().Span, where, 1);
        int[] ids = Random(9);
        using var compute = new Compute(1);
        var expected = model.Forward(compute, Tensor.FromIds(new Shape(1, 9), ids));
        OrtTensor[] past = Keys(0);
        foreach (var (from, to) in new[] { (0, 5), (5, 6), (6, 9) })
        {
            using OrtTensor input = OrtTensor.OfInts(ids.AsSpan(from..to), 1, to - from),
                mask = OrtTensor.OfInts([.. Enumerable.Repeat(1, to)], 1, to);
            using OrtTensor places = OrtTensor.OfInts([.. Enumerable.Range(from, to - from)], 1, to - from),
                logits = OrtTensor.OfFloats(1, to - from, 61);
            var present = Keys(to);
            session.Run([("input_ids", input), ("attention_mask", mask), ("position_ids", places),
                .. Named("past_key_values", past)], [("logits", logits), .. Named("present", present)]);
            Assert.InRange(Off(expected.Data[(from * 61)..(to * 61)], logits.Floats), Rounding / 8, ForwardBound);
            past = present;
        }
        OrtTensor[] Keys(int length) =>
            [.. Enumerable.Range(0, 2 * config.Layers)
                .Select(_ => OrtTensor.OnHost(OnnxType.Float16, 1, config.KvHeads, length, config.HeadDim))];
        static IEnumerable<(string, OrtTensor)> Named(string what, OrtTensor[] tensors) =>
            tensors.Select((tensor, i) => ($"{what}.{i / 2}.{(i % 2 == 0 ? "key" : "value")}", tensor));
    }

    [Fact]
    public void Files_are_half_the_size()
    {
        using var folder = new TempFolder();
        using var model = LanguageModel.Create(new Gpt2Config
        {
            VocabSize = 61,
            ContextLength = 19,
            Layers = 2,
            Heads = 2,
            Channels = 128
        });
        long weights = 2 * model.Parameters.All.Sum(parameter => parameter.Length);
        var (_, bytes) = OnnxExporter.Export(model, folder.File("half.onnx"), new() { Float16 = true });
        Assert.InRange(bytes, weights, weights + 512); // a few constants
        Assert.InRange(new FileInfo(folder.File("half.onnx")).Length, weights, weights + 65536); // nodes
    }

    [Fact]
    public void Weights_are_rounded_to_the_nearest_ties_to_even_and_never_to_infinity()
    {
        const float Ulp = 1f / 1024;
        var tensor = Tensor.From(new Shape(6), [1 + (Ulp / 2), 1 + (3 * Ulp / 2), 1 + (Ulp / 2) + 1e-5f, 65519, -3e-8f,
            float.NegativeInfinity]);
        Assert.Equal([1, 1 + (2 * Ulp), 1 + Ulp, 65504, -1 / 16777216f, float.NegativeInfinity],
            [.. Halves(tensor).Select(half => (float)half)]);
        var error = Assert.Throws<NanoException>(() => Halves(Tensor.From(new Shape(2), [1, -65520f])));
        Assert.Equal("weight 'w' is -65520 at element 1, more than float16 holds (65504)", error.Message);

        static Half[] Halves(Tensor tensor)
        {
            using var stream = new MemoryStream();
            OnnxWeight.Of("w", tensor, OnnxType.Float16).Write(stream);
            return MemoryMarshal.Cast<byte, Half>(stream.ToArray()).ToArray();
        }
    }

    [Fact]
    public void Gradients_are_not_those_of_half_weights()
    {
        using var model = Model("gpt2");
        using var folder = new TempFolder();
        Assert.Contains("float32",
            Assert.Throws<NanoException>(() => OnnxExporter.Export(model, folder.File("g.onnx"),
                new() { Gradients = true, Float16 = true })).Message, StringComparison.Ordinal);
    }
}
