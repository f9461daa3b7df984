namespace Nano;

/// <summary>
/// Keys and values of earlier positions as inputs of a graph, those of all positions as its
/// outputs. Recorded models know nothing of it: each attention, as it is lowered, puts its own keys
/// and values behind those of its layer. Names are those of Hugging Face's optimum.
/// </summary>
/// <param name="QueryPlaces">The key that each query comes with, floats [B, T]: S, S + 1
/// ...</param>
/// <param name="KeyPlaces">Floats [B, S + T]: 0, 1 ...</param>
/// <param name="KeyMask">Floats [B, S + T]: more than 0 where a key is to be seen.</param>
internal sealed record OnnxCache(string QueryPlaces, string KeyPlaces, string KeyMask)
{
    /// <summary>Attentions that have been lowered.</summary>
    public int Layers { get; private set; }

    /// <summary>Inputs of a layer, keys and values [B, KV, S, D].</summary>
    public static IReadOnlyList<string> PastNames(int layer) =>
        [$"past_key_values.{layer}.key", $"past_key_values.{layer}.value"];

    /// <summary>Outputs of a layer, keys and values [B, KV, S + T, D].</summary>
    public static IReadOnlyList<string> PresentNames(int layer) => [$"present.{layer}.key", $"present.{layer}.value"];

    /// <summary>The keys and values [B, KV, T, D] of the next layer behind its earlier ones.</summary>
    public (string Keys, string Values) Extend(OnnxGraph graph, string keys, string values)
    {
        var (past, present) = (PastNames(Layers), PresentNames(Layers));
        Layers++;
        graph.Node("Concat", [past[0], keys], [present[0]], ("axis", 2));
        graph.Node("Concat", [past[1], values], [present[1]], ("axis", 2));
        return (present[0], present[1]);
    }
}
