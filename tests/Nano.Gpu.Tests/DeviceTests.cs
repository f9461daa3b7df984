namespace Nano.Tests;

/// <summary>Memory of a device, copies from and to it, and bindings that are kept.</summary>
public class DeviceTests
{
    [Theory]
    [MemberData(nameof(Providers.Names), MemberType = typeof(Providers))]
    public void What_is_copied_up_and_run_in_a_circle_comes_down_again(string name)
    {
        using var device = new OrtDevice(Providers.Needs(name), 1);
        var graph = new OnnxGraph("add");
        graph.Input("x", OnnxType.Float32, "n");
        graph.Input("step", OnnxType.Float32, 1);
        graph.Node("Add", ["x", "step"], ["y"]);
        graph.Output("y", OnnxType.Float32, "n");
        using var session = device.Open(graph);
        using OrtTensor a = device.New(OnnxType.Float32, 3), b = device.New(OnnxType.Float32, 3),
            host = OrtTensor.OfFloats(3), step = OrtTensor.OfFloats(1);
        Assert.Equal(name == "onnx-cpu", a.IsOnHost);
        ((ReadOnlySpan<float>)[1, 2, 3]).CopyTo(host.Floats);
        device.Copy(host, a);
        using OrtBinding there = new(session), back = new(session);
        there.Input("x", a);
        there.Output("y", b);
        back.Input("x", b);
        back.Output("y", a);
        for (int i = 1; i <= 4; i++)
        {
            var binding = i % 2 == 1 ? there : back;
            step.Floats[0] = i;
            binding.Input("step", step);
            binding.Run();
        }
        device.Copy(a, host);
        Assert.Equal([11, 12, 13], host.Floats.ToArray());
        Assert.Equal((12 + 16, 12), (device.Traffic.Up, device.Traffic.Down));
    }

    [Fact]
    public void What_a_device_has_no_room_for_is_named_in_bytes()
    {
        using var device = new OrtDevice(Providers.Needs("onnx-cpu"), 1);
        using var small = device.New(OnnxType.Float32, 1000);
        Assert.Equal(4000, device.ReservedBytes);
        var e = Assert.Throws<NanoException>(() => device.New(OnnxType.Float32, 1 << 20, 1 << 20));
        Assert.Contains("no memory for 4,398,046,511,104 more bytes, besides the 4,000", e.Message,
            StringComparison.Ordinal);
        small.Dispose();
        Assert.Equal(0, device.ReservedBytes);

        var graph = new OnnxGraph("large");
        graph.Input("x", OnnxType.Float32, "n", 1);
        graph.Result("y", graph.Node("ReduceSum", [graph.Node("MatMul", ["x", graph.Node("Transpose", ["x"])])],
            ("keepdims", 0)));
        using var session = device.Open(graph);
        using OrtTensor x = OrtTensor.OfFloats(1 << 20, 1), y = OrtTensor.OfFloats();
        var run = Assert.Throws<NanoException>(() => session.Run([("x", x)], [("y", y)]));
        Assert.Contains("no memory for the intermediate values of the graph", run.Message, StringComparison.Ordinal);
        Assert.Contains("4398046511104", run.Message, StringComparison.Ordinal);
    }
}
