namespace Nano;

/// <summary>
/// A recurrent net that reads a text and one that writes another and looks at all of the text at every step (Bahdanau
/// et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2014): scores of the text's rows,
/// softmax, and the weighted sum of the rows, the context. The two models differ in their scores and in the place where
/// the context goes in.
/// <para>
/// A batch: input_ids [B, T] and optionally attention_mask [B, T]; decoder_input_ids and targets [B, T'], the targets
/// shifted right behind a start token; -100 for tokens that do not count.
/// </para>
/// </summary>
public abstract class Seq2Seq : Model, IEncoderDecoder
{
    /// <summary>A text that has been read.</summary>
    /// <param name="Rows">The encoder's outputs [B, T, .].</param>
    /// <param name="Keys">The part of scores that only depends on them [B, T, .].</param>
    /// <param name="Mask">0 at words and -infinity at padding [B, 1, T], or null without padding.</param>
    /// <param name="Start">The state that the decoder begins with.</param>
    private protected sealed record Memory(Tensor Rows, Tensor Keys, Tensor? Mask, RecurrentState Start)
    {
        /// <summary>The memory of a text without padding in an arena, which outlives the step.</summary>
        public Memory CopyTo(Arena arena) => new(Rows.CopyTo(arena), Keys.CopyTo(arena), null, Start.CopyTo(arena));
    }

    private readonly Tensor encoderTable, decoderTable; // [V, E], [V', E]

    /// <summary>Declares the tables and both nets; the model declares its attention and its head.</summary>
    private protected Seq2Seq(Seq2SeqConfig config, Parameters parameters, CellKind cell, bool readsBothDirections,
        int decoderInputs) : base(config, parameters)
    {
        Config = config;
        int E = config.EmbeddingSize, H = config.HiddenSize;
        ParameterFacts table = new(ParameterRole.Embedding, ModelComponent.Embedding);
        encoderTable = parameters.Add("encoder.embed.weight", table, config.VocabSize, E);
        decoderTable = parameters.Add("decoder.embed.weight", table, config.TargetVocabSize, E);
        Encoder = RecurrentLayers.Declare(parameters, "encoder.rnn", cell, E, H, bothDirections: readsBothDirections);
        Decoder = RecurrentLayers.Declare(parameters, "decoder.rnn", cell, decoderInputs, H, firstBlock: 1);
    }

    /// <summary>Sizes.</summary>
    public Seq2SeqConfig Config { get; }

    /// <summary>The net that reads.</summary>
    private protected RecurrentLayers Encoder { get; }

    /// <summary>The net that writes.</summary>
    private protected RecurrentLayers Decoder { get; }

    /// <summary>Reads embedded words [B, T, E] of rows with some lengths, or all of length T.</summary>
    private protected abstract Memory Read(Compute c, Tensor words, Tensor? lengths);

    /// <summary>Logits [B, T', V'] behind embedded words [B, T', E], from a state, and the state behind them.</summary>
    private protected abstract (Tensor Logits, RecurrentState State) Write(Compute c, Tensor words, Memory memory,
        in RecurrentState state, Action<string, Tensor>? watch);

    /// <summary>A projection without a bias for scores.</summary>
    private protected static Linear Projection(Parameters parameters, string name, int inputs, int outputs) =>
        Linear.Declare(parameters, name, new(ParameterRole.Inner, ModelComponent.Attention), inputs, outputs,
            bias: false);

    /// <summary>The weights of a text's rows from their scores, both [B, T', T], and the contexts [B, T', .].</summary>
    private protected static (Tensor Weights, Tensor Context) Attend(Compute c, Tensor scores, Memory memory)
    {
        var weights = c.Softmax(memory.Mask is null ? scores : c.Add(scores, memory.Mask));
        return (weights, c.MatMul(weights, memory.Rows));
    }

    private static Tensor? MaskOf(Compute c, Tensor? lengths, int T)
    {
        if (lengths is null)
            return null;
        var mask = c.New(new Shape(lengths.Shape[0], 1, T));
        for (int b = 0; b < lengths.Shape[0]; b++)
        {
            var row = mask.Data.Slice(b * T, T);
            row.Clear();
            row[lengths.Ids[b]..].Fill(float.NegativeInfinity);
        }
        return mask;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var lengths = batch.Lengths(c);
        var ids = batch["input_ids"];
        var memory = Read(c, c.Embedding(encoderTable, ids), lengths) with { Mask = MaskOf(c, lengths, ids.Shape[1]) };
        watch?.Invoke("memory", memory.Rows);
        var words = c.Embedding(decoderTable, batch["decoder_input_ids"]);
        var logits = Write(c, words, memory, memory.Start, watch).Logits;
        watch?.Invoke("logits", logits);
        return c.CrossEntropy(logits, batch["targets"]).Loss;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Write(Compute c, Batch source, ReadOnlySpan<int> written, int count, int? end = null)
    {
        using var kept = new Arena(); // the memory outlives the steps of the compute
        c.NextStep();
        var words = c.Embedding(encoderTable, source["input_ids"]);
        var memory = Read(c, words, null).CopyTo(kept);
        return Greedy.Write(c, written, count, ids =>
        {
            var (logits, state) = Write(c, c.Embedding(decoderTable, ids), memory, memory.Start, null);
            memory.Start.CopyFrom(state);
            return logits;
        }, end);
    }

    /// <inheritdoc/>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        RecurrentLayers.Initialize(parameter, key, stream, Config.HiddenSize);
        Encoder.OpenForgetGates(parameter);
        Decoder.OpenForgetGates(parameter);
    }
}
