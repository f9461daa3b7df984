namespace Nano;

/// <summary>
/// Attention by products (Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015, the
/// form "general"): LSTMs on both sides, the decoder starting from the encoder's last state. With h_t the decoder's
/// output and m_s the rows of the text, score = h_t^T W m_s, and the head reads tanh(W_c [context; h_t]). The context
/// does not go back into the decoder, so that all steps run as one sequence.
/// </summary>
public sealed class Luong : Seq2Seq
{
    private readonly Linear score, combine, head;

    /// <summary>A model with parameters that are zero.</summary>
    public Luong(Seq2SeqConfig config) : this(config, new Parameters())
    {
    }

    internal Luong(Seq2SeqConfig config, Parameters parameters)
        : base(config, parameters, CellKind.Lstm, readsBothDirections: false, config.EmbeddingSize)
    {
        int H = config.HiddenSize;
        score = Projection(parameters, "attention.score", H, H);
        combine = Projection(parameters, "attention.combine", 2 * H, H);
        head = Linear.Declare(parameters, "head", new(ParameterRole.Head, ModelComponent.Head), H,
            config.TargetVocabSize, bias: true);
    }

    private protected override Memory Read(Compute c, Tensor words, Tensor? lengths)
    {
        var (rows, states) = Encoder.Forward(c, words, lengths);
        return new(rows, score.Forward(c, rows), null, states[0]);
    }

    private protected override (Tensor Logits, RecurrentState State) Write(Compute c, Tensor words, Memory memory,
        in RecurrentState state, Action<string, Tensor>? watch)
    {
        var (h, states) = Decoder.Forward(c, words, null, [state]); // [B, T', H]
        var (weights, context) = Attend(c, c.MatMul(h, memory.Keys, transposeB: true), memory);
        watch?.Invoke("attention", weights);
        var combined = c.Activation(ActivationKind.Tanh, combine.Forward(c, c.Concat(-1, context, h)));
        return (head.Forward(c, combined), states[0]);
    }
}
