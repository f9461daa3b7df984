namespace Nano;

/// <summary>The losses of a model on a device.</summary>
public sealed class OnnxLosses : ITokenLosses, IDisposable
{
    private readonly LanguageModel model;
    private readonly OrtDevice device;
    private readonly DeviceTensors[] weights; // copies that take turns
    private readonly Func<int> current;
    private readonly bool ownsWeights;
    private Resources? forShape;
    private OrtBinding[] bindings = []; // one for each copy of the weights
    private Tensor ids = new(new Shape(0, 0), DType.Int32), targets = new(new Shape(0, 0), DType.Int32);
    private OrtTensor? inputIds, inputTargets, output;

    /// <summary>Takes the weights of a model to a device.</summary>
    /// <exception cref="NanoException">The device lacks an op, or has no room.</exception>
    public OnnxLosses(LanguageModel model, OrtDevice device)
        : this(model, device,
            [new DeviceTensors(device, model.Parameters.All.Select(parameter => (parameter.Name!, parameter)))],
            () => 0)
    {
        ownsWeights = true;
        weights[0].Up();
    }

    /// <summary>For weights that are there already.</summary>
    /// <param name="model">The model.</param>
    /// <param name="device">The device.</param>
    /// <param name="weights">Copies of its weights.</param>
    /// <param name="current">The index of the current copy.</param>
    internal OnnxLosses(LanguageModel model, OrtDevice device, DeviceTensors[] weights, Func<int> current) =>
        (this.model, this.device, this.weights, this.current) = (model, device, weights, current);

    /// <inheritdoc/>
    public ModelConfig Config => model.Config;

    /// <inheritdoc/>
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill)
    {
        if (forShape is null || ids.Shape != new Shape(B, T))
            Prepare(new Shape(B, T));
        fill(ids, targets);
        var binding = bindings[current()];
        binding.Input(OnnxRecording.Ids, inputIds!);
        binding.Input(OnnxRecording.Targets, inputTargets!);
        binding.Run();
        foreach (float loss in output!.Floats)
            sum += loss;
        return sum;
    }

    /// <summary>
    /// A session for batches of a shape: into how many blocks the rows of logits are divided
    /// depends on it.
    /// </summary>
    private void Prepare(Shape shape)
    {
        forShape?.Dispose();
        var all = forShape = new Resources();
        (ids, targets) = (new Tensor(shape, DType.Int32), new Tensor(shape, DType.Int32));
        (inputIds, inputTargets, output) = (all.Add(OrtTensor.Over(ids)), all.Add(OrtTensor.Over(targets)),
            all.Add(OrtTensor.OfFloats(shape[0], shape[1])));
        var session = all.Add(device.Open(OnnxTraining.TokenLosses(model, OnnxTraining.LossBlocks(shape.Length))));
        bindings = [.. weights.Select(copy =>
        {
            var binding = all.Add(new OrtBinding(session));
            copy.Into(binding);
            binding.Output(OnnxTraining.Losses, output);
            return binding;
        })];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        forShape?.Dispose();
        if (ownsWeights)
            weights[0].Dispose();
    }
}
