namespace Nano;

/// <summary>
/// A model of any kind: parameters, and the loss of a batch. What a batch holds, and what a model shows while it runs,
/// its page says.
/// </summary>
public abstract class Model : IDisposable
{
    /// <summary>Checks the configuration; the model then declares its parameters, which are zero.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    protected Model(ArchitectureConfig config, Parameters parameters)
    {
        config.Validate();
        (Architecture, Parameters) = (config, parameters);
    }

    /// <summary>Sizes and switches.</summary>
    public ArchitectureConfig Architecture { get; }

    /// <summary>All parameters; linear weights are [out, in].</summary>
    public Parameters Parameters { get; }

    /// <summary>The loss of a batch, a scalar; its gradient is 1.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="batch">Named tensors.</param>
    /// <param name="watch">Is shown tensors by name: embed, block0 ..., logits and others. They may have been released
    /// when it returns.</param>
    public abstract Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null);

    /// <summary>Random weights, a pure function of the seed.</summary>
    public void Initialize(ulong seed)
    {
        for (int i = 0; i < Parameters.All.Count; i++)
            Initialize(Parameters.All[i], Philox.Key(seed, (ulong)RandomPurpose.Weights), (ulong)i);
    }

    /// <summary>
    /// Random values for a parameter, as BERT has them: normal with deviation 0.02; biases zero, norm weights one.
    /// </summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="key">The key of its random numbers.</param>
    /// <param name="stream">Their stream.</param>
    protected virtual void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        var facts = parameter.Parameter!;
        if (facts.Role is ParameterRole.Norm or ParameterRole.Bias)
            parameter.Data.Fill(facts.Role == ParameterRole.Norm && !facts.IsAddedToOne ? 1 : 0);
        else
            Philox.Normal(key, stream, facts.Deviation ?? 0.02, parameter.Data);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Parameters.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Tensors by name, as a model's loss reads them: input_ids, targets, pixel_values ...</summary>
public sealed class Batch(IReadOnlyDictionary<string, Tensor> tensors)
{
    /// <summary>A tensor that must be there.</summary>
    /// <exception cref="ArgumentException">It is not.</exception>
    public Tensor this[string name] => Find(name)
        ?? throw new ArgumentException($"the batch has no '{name}'; it has {string.Join(", ", tensors.Keys)}");

    /// <summary>A tensor, or null.</summary>
    public Tensor? Find(string name) => tensors.GetValueOrDefault(name);

    /// <summary>
    /// The length of each row [B] of a mask of ones and zeros [B, T], where it is there; padding is on the right.
    /// </summary>
    /// <exception cref="ArgumentException">A row's ones have gaps, or none is there.</exception>
    public Tensor? Lengths(Compute c, string name = "attention_mask")
    {
        if (Find(name) is not { } mask)
            return null;
        int B = mask.Shape[0], T = mask.Shape[1];
        var lengths = c.New(new Shape(B), DType.Int32);
        for (int b = 0; b < B; b++)
        {
            var row = mask.Ids.Slice(b * T, T);
            int length = row.IndexOf(0) is >= 0 and var first ? first : T;
            if (length == 0 || row[length..].ContainsAnyExcept(0))
                throw new ArgumentException($"row {b} of '{name}' is not ones and then zeros");
            lengths.Ids[b] = length;
        }
        return lengths;
    }
}
