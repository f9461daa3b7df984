namespace Nano;

/// <summary>The parameters of a model by name, in the order they were declared, all in one arena; gradients, when training, in a second.</summary>
public sealed class Parameters : IDisposable
{
    private readonly Arena values = new(), gradients = new();
    private readonly List<Tensor> all = [];
    private readonly List<(Tensor Parameter, Tensor Alias)> tied = [];

    /// <summary>Every parameter once, in order of declaration.</summary>
    public IReadOnlyList<Tensor> All => all;

    /// <summary>Number of scalars.</summary>
    public long Count => all.Sum(parameter => parameter.Length);

    /// <summary>Declares a parameter; its values are zero until set.</summary>
    public Tensor Add(string name, params ReadOnlySpan<int> shape)
    {
        var tensor = new Tensor(values, new Shape(shape)) { Name = name };
        tensor.Data.Clear();
        all.Add(tensor);
        return tensor;
    }

    /// <summary>
    /// A second use of a parameter, with a gradient of its own until <see cref="JoinGradients"/>: were both uses to add to one gradient, the order of
    /// the additions would depend on how a batch is split into micro-batches.
    /// </summary>
    public Tensor Tie(Tensor parameter)
    {
        tied.Add((parameter, parameter.Alias()));
        return tied[^1].Alias;
    }

    /// <summary>Reserves gradient memory. Needed once before training.</summary>
    public void EnableGradients()
    {
        foreach (var parameter in all.Concat(tied.Select(pair => pair.Alias)))
            parameter.SetGradient(new Tensor(gradients, parameter.Shape) { Name = parameter.Name });
        ForgetGradients();
    }

    /// <summary>Adds the gradients of second uses to those of their parameters: needed once, after the last backward pass before an update.</summary>
    public void JoinGradients()
    {
        foreach (var (parameter, alias) in tied.Where(pair => pair.Alias.HasGradient))
        {
            Span<float> sum = parameter.Gradient.Data, more = alias.Gradient.Data;
            for (int i = 0; i < sum.Length; i++)
                sum[i] += more[i];
            alias.ForgetGradient();
        }
    }

    /// <summary>Makes the next backward pass start afresh instead of adding to the last one's gradients.</summary>
    public void ForgetGradients()
    {
        foreach (var parameter in all.Concat(tied.Select(pair => pair.Alias)))
            parameter.ForgetGradient();
    }

    public void Dispose()
    {
        values.Dispose();
        gradients.Dispose();
    }
}
