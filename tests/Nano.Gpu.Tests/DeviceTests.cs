namespace Nano.Tests;

/// <summary>Memory of a device, copies from and to it, and bindings that are kept.</summary>
public class DeviceTests
{
    [SkippableTheory]
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
        using OrtTensor a = device.New(OnnxType.Float32, 3), b = device.New(OnnxType.Float32, 3), host = OrtTensor.OfFloats(3), step = OrtTensor.OfFloats(1);
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
}
