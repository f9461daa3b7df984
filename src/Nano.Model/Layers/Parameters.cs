namespace Nano;

/// <summary>A parameter of a model without its values.</summary>
/// <param name="Name">Its name in files and messages.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Facts">Its role, component and block.</param>
public readonly record struct DeclaredParameter(string Name, Shape Shape, ParameterFacts Facts);

/// <summary>
/// The parameters of a model by name, in the order they were declared, all in one arena; gradients,
/// when training, in a second.
/// </summary>
/// <param name="onlyShapes">Names and shapes are collected, and no memory is reserved: the tensors
/// that <see cref="Add"/> returns have no elements.</param>
/// <param name="packedAs">The type of each parameter that is packed, or null for one that is not. A model with packed
/// weights runs and is not trained.</param>
public sealed class Parameters(bool onlyShapes = false, Func<DeclaredParameter, WeightType?>? packedAs = null)
    : IDisposable
{
    private readonly Arena values = new(), gradients = new();
    private static readonly Tensor None = new(new Shape(0));
    private readonly List<Tensor> all = [];

    private readonly List<DeclaredParameter> declared = [];

    /// <summary>Every parameter once, in order of declaration.</summary>
    public IReadOnlyList<Tensor> All => all;

    /// <summary>Their names, shapes and roles.</summary>
    public IReadOnlyList<DeclaredParameter> Declared => declared;

    /// <summary>Number of scalars.</summary>
    public long Count => all.Sum(parameter => parameter.Length);

    /// <summary>Bytes held for values and gradients.</summary>
    public long ReservedBytes => values.ReservedBytes + gradients.ReservedBytes;

    /// <summary>
    /// Declares a parameter; its values are zero until set, as memory is that an arena gives for
    /// the first time.
    /// </summary>
    public Tensor Add(string name, ParameterFacts facts, params ReadOnlySpan<int> shape)
    {
        DeclaredParameter parameter = new(name, new Shape(shape), facts);
        declared.Add(parameter);
        if (onlyShapes)
            return None;
        var tensor = packedAs?.Invoke(parameter) is not { } type ? new Tensor(values, parameter.Shape)
            : WeightTypes.IsQuantised(type) ? QuantPanels.New(values, parameter.Shape, type)
            : Panels.New(values, parameter.Shape, type);
        (tensor.Name, tensor.Parameter) = (name, facts);
        if (!facts.IsTrained)
            tensor.WantsGradient = false;
        all.Add(tensor);
        return tensor;
    }

    /// <summary>
    /// Freezes the parameters that fulfil a condition: no gradient, state or update for them.
    /// Before <see cref="EnableGradients"/>.
    /// </summary>
    public void Freeze(Predicate<Tensor> which)
    {
        foreach (var parameter in all)
            if (which(parameter))
                parameter.WantsGradient = false;
    }

    /// <summary>Reserves gradient memory for all that is not frozen. Needed once before training.</summary>
    public void EnableGradients()
    {
        foreach (var parameter in all.Where(parameter => parameter.WantsGradient))
            parameter.SetGradient(new Tensor(gradients, parameter.Shape) { Name = parameter.Name });
        ForgetGradients();
    }

    /// <summary>Makes the next backward pass start afresh instead of adding to the last one's gradients.</summary>
    public void ForgetGradients()
    {
        foreach (var parameter in all)
            parameter.ForgetGradient();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        values.Dispose();
        gradients.Dispose();
    }
}
