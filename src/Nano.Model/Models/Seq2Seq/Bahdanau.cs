namespace Nano;

/// <summary>
/// Attention by a small net (Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate",
/// 2014): GRUs, the encoder in both directions. With s_t the decoder's state and m_s the rows of the text, score =
/// v^T tanh(W_q s_{t-1} + W_k m_s); the cell reads [word; context], the head [s_t; context; word]. s_0 = tanh(W m + b),
/// where m is the state of the reverse direction, which has read the first word last. A step needs the state of the one
/// before, so that the decoder runs step by step.
/// </summary>
public sealed class Bahdanau : Seq2Seq
{
    private readonly Linear bridge, query, key, head;
    private readonly Tensor score; // v [A]

    /// <summary>A model with parameters that are zero.</summary>
    public Bahdanau(Seq2SeqConfig config) : this(config, new Parameters())
    {
    }

    internal Bahdanau(Seq2SeqConfig config, Parameters parameters)
        : base(config, parameters, CellKind.Gru, readsBothDirections: true,
            config.EmbeddingSize + (2 * config.HiddenSize))
    {
        int E = config.EmbeddingSize, H = config.HiddenSize, A = config.AttentionSize;
        bridge = Linear.Declare(parameters, "bridge", new(ParameterRole.Inner, ModelComponent.Attention), H, H,
            bias: true);
        query = Projection(parameters, "attention.query", H, A);
        key = Projection(parameters, "attention.key", 2 * H, A);
        score = parameters.Add("attention.v", new(ParameterRole.Bias, ModelComponent.Attention), A); // no decay
        head = Linear.Declare(parameters, "head", new(ParameterRole.Head, ModelComponent.Head), H + (2 * H) + E,
            config.TargetVocabSize, bias: true);
    }

    private protected override Memory Read(Compute c, Tensor words, Tensor? lengths)
    {
        var (rows, states) = Encoder.Forward(c, words, lengths);
        var start = c.Activation(ActivationKind.Tanh, bridge.Forward(c, states[1].H));
        return new(rows, key.Forward(c, rows), null, new(start, null));
    }

    private protected override (Tensor Logits, RecurrentState State) Write(Compute c, Tensor words, Memory memory,
        in RecurrentState state, Action<string, Tensor>? watch)
    {
        int B = words.Shape[0], T = words.Shape[1], A = Config.AttentionSize, read = memory.Rows.Shape[1];
        Tensor[] outputs = new Tensor[T], weights = new Tensor[T];
        var s = state;
        for (int t = 0; t < T; t++)
        {
            var asked = query.Forward(c, s.H).Reshape(new Shape(B, 1, A));
            var net = c.Activation(ActivationKind.Tanh, c.Add(asked, memory.Keys)); // [B, read, A]
            var scores = c.Linear(net, score.Reshape(new Shape(1, A)), null).Reshape(new Shape(B, 1, read));
            (weights[t], var context) = Attend(c, scores, memory); // [B, 1, 2 H]
            var word = c.Slice(words, 1, t, 1);
            (var h, var states) = Decoder.Forward(c, c.Concat(-1, word, context), null, [s]);
            s = states[0];
            outputs[t] = c.Concat(-1, h, context, word);
        }
        watch?.Invoke("attention", c.Concat(1, weights));
        return (head.Forward(c, c.Concat(1, outputs)), s);
    }
}
