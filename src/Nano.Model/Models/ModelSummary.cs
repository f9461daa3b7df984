namespace Nano;

/// <summary>What a model consists of and what it costs, from its configuration alone.</summary>
/// <param name="Components">Parameters of embedding (tokens and positions), attention, mlp, norms and head; a tied head has none of its own.</param>
/// <param name="InferenceFlopsPerToken">
/// Arithmetic of a token behind a full context: 2 per weight that multiplies it and 4 L H D T for attention to T keys, a third of what training takes.
/// </param>
/// <param name="TrainingFlopsPerToken">See <see cref="ModelConfig.TrainingFlopsPerToken"/>, at a full context.</param>
/// <param name="CacheBytesPerToken">Keys and values of one position in float32.</param>
/// <param name="CacheBytes">Of a full context.</param>
public sealed record ModelSummary(IReadOnlyDictionary<string, long> Components, double InferenceFlopsPerToken, double TrainingFlopsPerToken, long CacheBytesPerToken, long CacheBytes)
{
    private static readonly string[] Names = ["embedding", "attention", "mlp", "norms", "head"];

    /// <summary>All parameters.</summary>
    public long Parameters => Components.Values.Sum();

    /// <summary>Bytes that the parameters take in memory: float32.</summary>
    public long MemoryBytes => Parameters * sizeof(float);

    /// <summary>The summary of a model.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    public static ModelSummary Of(ModelConfig config)
    {
        var components = Names.ToDictionary(name => name, _ => 0L);
        foreach (var (name, shape) in config.ParameterShapes())
            components[ComponentOf(name)] += shape.Length;
        double training = config.TrainingFlopsPerToken(config.ContextLength);
        return new ModelSummary(components, training / 3, training, config.CacheBytesPerToken, config.CacheBytesPerToken * config.ContextLength);
    }

    /// <summary>The norms of single heads count as norms; a bias belongs to its weight.</summary>
    private static string ComponentOf(string parameter)
    {
        string[] path = parameter.Split('.');
        string module = path[^2]; // of "h.0.attn.c_attn.weight", c_attn
        return module is "wte" or "wpe" or "embed_tokens" ? "embedding" : module == "lm_head" ? "head"
            : module.StartsWith("ln_", StringComparison.Ordinal) || module.EndsWith("norm", StringComparison.Ordinal) ? "norms"
            : path.Contains("mlp") ? "mlp" : "attention";
    }
}
