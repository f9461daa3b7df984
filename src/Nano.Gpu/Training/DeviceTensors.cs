namespace Nano;

/// <summary>A device's copies of some tensors of the host, each under its name in a graph.</summary>
internal sealed class DeviceTensors : IDisposable
{
    private readonly OrtDevice device;
    private readonly List<(string Name, Tensor Host, OrtTensor Copy)> tensors = [];

    /// <summary>Reserves memory; what it holds at first is not known.</summary>
    /// <param name="device">The device.</param>
    /// <param name="tensors">The host's tensors.</param>
    /// <exception cref="NanoException">The device has no room.</exception>
    public DeviceTensors(OrtDevice device, IEnumerable<(string Name, Tensor Host)> tensors)
    {
        this.device = device;
        try
        {
            foreach (var (name, host) in tensors)
                this.tensors.Add((name, host, device.New(OnnxType.Float32, host.Shape.ToArray())));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Gives a graph these as inputs.</summary>
    public void Into(OrtBinding binding)
    {
        foreach (var (name, _, copy) in tensors)
            binding.Input(name, copy);
    }

    /// <summary>Lets a graph put its outputs "next." + name here.</summary>
    public void OutOf(OrtBinding binding)
    {
        foreach (var (name, _, copy) in tensors)
            binding.Output(OnnxTraining.Next + name, copy);
    }

    /// <summary>Copies the host's to the device.</summary>
    public void Up() => Copy(up: true);

    /// <summary>Copies the device's to the host.</summary>
    public void Down() => Copy(up: false);

    private void Copy(bool up)
    {
        foreach (var (_, host, copy) in tensors)
        {
            using var view = OrtTensor.Over(host);
            device.Copy(up ? view : copy, up ? copy : view);
        }
    }

    public void Dispose()
    {
        foreach (var (_, _, copy) in tensors)
            copy.Dispose();
    }
}
