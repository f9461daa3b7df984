namespace Nano;

/// <summary>
/// Options of an ONNX graph: the part of the model that it computes, and its inputs.
/// </summary>
public sealed record OnnxExportOptions
{
    /// <summary>
    /// Not the logits but loss and gradients: input_ids and targets (-100 leaves one out) to loss,
    /// the mean over the kept targets, and "grad." + name of every parameter.
    /// </summary>
    public bool Gradients { get; init; }

    /// <summary>
    /// Keys and values of earlier positions as inputs, of all positions as outputs, under the names
    /// of Hugging Face's optimum. More inputs: attention_mask [batch_size, total_sequence_length]
    /// (0 hides a key, e.g. padding in front), position_ids [batch_size, sequence_length],
    /// past_key_values.N.key and .value [batch_size, KV, past_sequence_length, D] of every layer N
    /// from 0. More outputs: present.N.key and .value [batch_size, KV, total_sequence_length, D],
    /// where total is past and sequence.
    /// </summary>
    public bool Cache { get; init; }

    /// <summary>Logits of the last position only, [batch_size, 1, V].</summary>
    public bool LastLogits { get; init; }

    /// <summary>
    /// Ids, masks and positions are int32, which every device has, instead of int64, which other
    /// programs expect.
    /// </summary>
    public bool Int32 { get; init; }

    /// <summary>
    /// Weights, keys and values are float16, and so is what goes into matrix products and comes out
    /// of them; the rest, logits included, is float32. Half the size, and about three digits.
    /// </summary>
    public bool Float16 { get; init; }

    /// <summary>
    /// True to compute only matrix products in float16, see <see cref="OnnxOps.HalfProducts"/>;
    /// implied by <see cref="Float16"/>.
    /// </summary>
    internal bool HalfProducts { get; init; }

    /// <summary>Type of weights, keys and values.</summary>
    internal OnnxType Type => Float16 ? OnnxType.Float16 : OnnxType.Float32;

    /// <exception cref="NanoException">The options contradict each other.</exception>
    internal void Validate()
    {
        if (Gradients && (Cache || LastLogits))
            throw new NanoException("a graph of gradients has neither a cache nor logits",
                "export one graph with the gradients and another with the cache");
        if (Gradients && Float16)
            throw new NanoException("gradients are those of float32 weights",
                "leave out `gradients` or `type` float16");
    }
}
