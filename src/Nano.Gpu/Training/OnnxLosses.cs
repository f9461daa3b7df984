namespace Nano;

/// <summary>The losses of a model on a device.</summary>
public sealed class OnnxLosses : ITokenLosses, IDisposable
{
    private readonly OrtSession session;
    private readonly OrtBinding[] bindings; // one for each copy of the weights
    private readonly Func<int> current;
    private readonly DeviceTensors? own;
    private (Tensor Ids, Tensor Targets, OrtTensor InputIds, OrtTensor InputTargets, OrtTensor Output)? batch;

    /// <summary>Takes the weights of a model to a device.</summary>
    /// <exception cref="NanoException">The device lacks an op, or has no room.</exception>
    public OnnxLosses(LanguageModel model, OrtDevice device) : this(model, device, [new DeviceTensors(device, model.Parameters.All.Select(parameter => (parameter.Name!, parameter)))], () => 0)
    {
        own!.Up();
    }

    /// <summary>For weights that are there already.</summary>
    /// <param name="model">The model.</param>
    /// <param name="device">Where.</param>
    /// <param name="weights">Copies of its weights.</param>
    /// <param name="current">Which of them is meant.</param>
    internal OnnxLosses(LanguageModel model, OrtDevice device, DeviceTensors[] weights, Func<int> current)
    {
        (Config, this.current, own) = (model.Config, current, weights.Length == 1 ? weights[0] : null);
        session = device.Open(OnnxTraining.TokenLosses(model));
        bindings = [.. weights.Select(_ => new OrtBinding(session))];
        foreach (var (binding, copy) in bindings.Zip(weights))
            copy.Into(binding);
    }

    /// <inheritdoc/>
    public ModelConfig Config { get; }

    /// <inheritdoc/>
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill)
    {
        var (ids, targets, inputIds, inputTargets, output) = Batch(B, T);
        fill(ids, targets);
        var binding = bindings[current()];
        binding.Input(OnnxRecording.Ids, inputIds);
        binding.Input(OnnxRecording.Targets, inputTargets);
        binding.Output(OnnxTraining.Losses, output);
        binding.Run();
        foreach (float loss in output.Floats)
            sum += loss;
        return sum;
    }

    private (Tensor Ids, Tensor Targets, OrtTensor InputIds, OrtTensor InputTargets, OrtTensor Output) Batch(int B, int T)
    {
        var shape = new Shape(B, T);
        if (batch is { } known && known.Ids.Shape == shape)
            return known;
        Release();
        var (ids, targets) = (new Tensor(shape, DType.Int32), new Tensor(shape, DType.Int32));
        batch = (ids, targets, OrtTensor.Over(ids), OrtTensor.Over(targets), OrtTensor.OfFloats(B, T));
        return batch.Value;
    }

    private void Release()
    {
        batch?.InputIds.Dispose();
        batch?.InputTargets.Dispose();
        batch?.Output.Dispose();
        batch = null;
    }

    public void Dispose()
    {
        Release();
        foreach (var binding in bindings)
            binding.Dispose();
        session.Dispose();
        own?.Dispose();
    }
}
