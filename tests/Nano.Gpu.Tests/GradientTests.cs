namespace Nano.Tests;

/// <summary>The lowered backward pass on ONNX Runtime against ours.</summary>
public class GradientTests
{
    [Theory]
    [MemberData(nameof(ExportTests.Names), MemberType = typeof(ExportTests))]
    public void Loss_and_every_gradient_are_those_of_our_kernels(string name, string provider)
    {
        var where = Providers.Needs(provider);
        var config = ExportTests.Models[name];
        using var model = LanguageModel.Create(config);
        model.Initialize(3);
        foreach (var parameter in model.Parameters.All) // biases that are not zero
            if (parameter.Shape.Rank == 1)
                Philox.Normal(5, (ulong)parameter.Length, 0.3, parameter.Data);
        using var session = new OrtSession(OnnxExporter.BuildGradients(model).ToModel().Span, where, 1);
        using var compute = new Compute(1) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        var (B, T) = (2, 7);
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, B * T).Select(_ => random.Next(config.VocabSize))],
            targets = [.. ids.Select(id => id % 5 == 0 ? -100 : (id + 1) % config.VocabSize)];
        using var input = ExportTests.Longs(ids, B, T);
        using var wanted = ExportTests.Longs(targets, B, T);
        using var loss = OrtTensor.OfFloats();
        var gradients = model.Parameters.All
            .Select(parameter =>
                (Name: "grad." + parameter.Name, Tensor: OrtTensor.OfFloats(
                    [.. Enumerable.Range(0, parameter.Shape.Rank).Select(i => (long)parameter.Shape[i])]))).ToList();
        session.Run([("input_ids", input), ("targets", wanted)], [("loss", loss), .. gradients]);
        var expected = model.Loss(compute, Tensor.FromIds(new Shape(B, T), ids),
            Tensor.FromIds(new Shape(B, T), targets)).Loss;
        compute.Tape!.Backward(compute, expected);
        Assert.Equal(expected.Data[0], loss.Floats[0], 1e-5);
        foreach (var (parameter, (_, gradient)) in model.Parameters.All.Zip(gradients))
        {
            float[] ours = parameter.HasGradient ? parameter.Gradient.Data.ToArray() : new float[parameter.Length];
            float largest = ours.Max(Math.Abs);
            for (int i = 0; i < ours.Length; i++)
                Assert.True(Math.Abs(ours[i] - gradient.Floats[i]) <= (1e-4 * largest) + 1e-7,
                    $"{parameter.Name}[{i}]: {gradient.Floats[i]}, ours {ours[i]}, largest {largest}");
            gradient.Dispose();
        }
    }
}
