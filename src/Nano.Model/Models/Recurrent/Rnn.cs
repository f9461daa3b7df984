namespace Nano;

/// <summary>
/// A recurrent net over tokens: a token table, layers of plain cells (Elman, "Finding Structure in Time", 1990), LSTMs
/// (Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997) or GRUs (Cho et al., "Learning Phrase Representations
/// using RNN Encoder-Decoder", 2014), and a linear head. Forwards in time it is a language model, whose state has one
/// size whatever the length of the text; in both directions (Schuster and Paliwal, "Bidirectional Recurrent Neural
/// Networks", 1997) a tagger, which sees the whole text when it gives a token its label.
/// <para>
/// A batch: input_ids and targets [B, T], the targets of a language model being the ids one further on, -100 for tokens
/// that do not count; optionally attention_mask [B, T].
/// </para>
/// </summary>
public sealed class Rnn : Model
{
    private readonly RnnConfig config;
    private readonly Tensor table; // [V, E]
    private readonly RecurrentLayers layers;
    private readonly Linear head;

    /// <summary>A model with parameters that are zero.</summary>
    public Rnn(RnnConfig config) : this(config, new Parameters())
    {
    }

    internal Rnn(RnnConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        table = parameters.Add("embed.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, config.EmbeddingSize);
        layers = RecurrentLayers.Declare(parameters, "rnn", config.Cell, config.EmbeddingSize, config.HiddenSize,
            config.Layers, config.IsBidirectional);
        head = Linear.Declare(parameters, "head", new(ParameterRole.Head, ModelComponent.Head),
            config.HiddenSize * (config.IsBidirectional ? 2 : 1), config.Labels ?? config.VocabSize, bias: true);
    }

    /// <summary>True if the model continues a text.</summary>
    public bool Writes => config is { IsBidirectional: false, Labels: null };

    /// <summary>Logits [B, T, V], or [B, T, labels], of ids [B, T], and the states behind them.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="ids">The ids.</param>
    /// <param name="lengths">The lengths of rows, or null.</param>
    /// <param name="before">The states that the ids continue, layer by layer and forwards first; null at a text's
    /// beginning. Steps from a state have the bits of the whole text.</param>
    /// <param name="watch">Is shown tensors by name.</param>
    public (Tensor Logits, RecurrentState[] States) Forward(Compute c, Tensor ids, Tensor? lengths = null,
        IReadOnlyList<RecurrentState>? before = null, Action<string, Tensor>? watch = null)
    {
        var (y, states) = layers.Forward(c, c.Embedding(table, ids), lengths, before);
        var logits = head.Forward(c, y);
        watch?.Invoke("rnn", y);
        for (int i = 0; i < states.Length && watch is not null; i++)
        {
            watch($"state{i}.h", states[i].H);
            if (states[i].C is { } memory)
                watch($"state{i}.c", memory);
        }
        watch?.Invoke("logits", logits);
        return (logits, states);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var logits = Forward(c, batch["input_ids"], batch.Lengths(c), watch: watch).Logits;
        return c.CrossEntropy(logits, batch["targets"]).Loss;
    }

    /// <summary>The likeliest continuation of a text, token by token from the state behind it.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="text">The ids of the text, at least one.</param>
    /// <param name="count">Tokens to write.</param>
    /// <returns>The new ids.</returns>
    /// <exception cref="NanoException">The model labels texts and does not write.</exception>
    public IReadOnlyList<int> Continue(Compute c, ReadOnlySpan<int> text, int count)
    {
        if (!Writes)
            throw new NanoException("this recurrent net labels tokens of a whole text; it does not write");
        using var kept = new Arena();
        var states = layers.Start(kept, 1);
        return Greedy.Write(c, text, count, ids =>
        {
            var (logits, behind) = Forward(c, ids, null, states);
            for (int i = 0; i < states.Length; i++)
                states[i].CopyFrom(behind[i]);
            return logits;
        });
    }

    /// <inheritdoc/>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        RecurrentLayers.Initialize(parameter, key, stream, config.HiddenSize);
        layers.OpenForgetGates(parameter);
    }
}
