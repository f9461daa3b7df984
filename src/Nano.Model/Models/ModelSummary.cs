namespace Nano;

/// <summary>The components and the cost of a model, from its configuration alone.</summary>
/// <param name="Components">Parameters of embedding (tokens and positions), attention, mlp, norms
/// (those of single heads too) and head; a tied head has none of its own.</param>
/// <param name="InferenceFlopsPerToken"> Arithmetic of a token behind a full context: 2 per weight
/// that multiplies it and 4 L H D T for attention to T keys, a third of what training takes.
/// </param>
/// <param name="TrainingFlopsPerToken">See <see cref="ModelConfig.TrainingFlopsPerToken"/>, at a full context.</param>
/// <param name="CacheBytesPerToken">Keys and values of one position in float32.</param>
/// <param name="CacheBytes">Of a full context, with recurrent states.</param>
public sealed record ModelSummary(IReadOnlyDictionary<string, long> Components, double InferenceFlopsPerToken,
    double TrainingFlopsPerToken, long CacheBytesPerToken, long CacheBytes)
{
    /// <summary>All parameters.</summary>
    public long Parameters => Components.Values.Sum();

    /// <summary>Bytes that the parameters take in memory: float32.</summary>
    public long MemoryBytes => Parameters * sizeof(float);

    /// <summary>The summary of a model.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    public static ModelSummary Of(ModelConfig config)
    {
        var components = Enum.GetValues<ModelComponent>().ToDictionary(NameOf, _ => 0L);
        foreach (var parameter in config.ParameterShapes())
            components[NameOf(parameter.Facts.Component)] += parameter.Shape.Length;
        double training = config.TrainingFlopsPerToken(config.ContextLength);
        return new ModelSummary(components, training / 3, training, config.CacheBytesPerToken,
            config.CacheBytes(config.ContextLength));
    }

    private static string NameOf(ModelComponent component) => component switch
    {
        ModelComponent.Embedding => "embedding",
        ModelComponent.Attention => "attention",
        ModelComponent.Mlp => "mlp",
        ModelComponent.Norm => "norms",
        _ => "head",
    };
}
