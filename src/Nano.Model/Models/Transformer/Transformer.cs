namespace Nano;

/// <summary>
/// The first transformer (Vaswani et al., "Attention Is All You Need", 2017): an encoder whose tokens see each other in
/// both directions, and a decoder that also attends to what the encoder made of the text, its memory. Norms stand
/// behind the branches, x = norm(x + branch(x)); one table of tokens, times sqrt(C), serves both sides and the head;
/// positions are sines and cosines; labels are smoothed. BART (Lewis et al., "BART: Denoising Sequence-to-Sequence
/// Pre-training", 2019) has learned positions, of which the first two rows are not used, a norm behind the embeddings,
/// GELU, and a bias of logits.
/// <para>
/// A batch: input_ids [B, T] and optionally attention_mask [B, T]; decoder_input_ids and targets [B, T'], the targets
/// shifted right behind the start token; -100 for tokens that do not count.
/// </para>
/// </summary>
public sealed class Transformer : Model, IEncoderDecoder
{
    internal const string TokenTable = "model.shared.weight";
    private const int UnusedPositions = 2; // fairseq counted from behind the id of padding, 1

    private sealed record Attention(Linear Q, Linear K, Linear V, Linear Output, Norm Norm);

    private sealed record Layer(Attention Self, Attention? Memory, FeedForward Mlp, Norm MlpNorm);

    private sealed record Stack(string Name, Tensor? Positions, Norm? EmbeddingNorm, Layer[] Layers);

    private readonly TransformerConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Tensor? logitsBias; // [1, V]
    private readonly Stack encoder, decoder;

    /// <summary>A model with parameters that are zero.</summary>
    public Transformer(TransformerConfig config) : this(config, new Parameters())
    {
    }

    internal Transformer(TransformerConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        tokenTable = parameters.Add(TokenTable, new(ParameterRole.Embedding, ModelComponent.Embedding)
        { Deviation = config.IsBart ? null : 1 / Math.Sqrt(config.Channels) }, config.VocabSize, config.Channels);
        encoder = Declare(parameters, "encoder", 0, config.Layers, config.Intermediate, readsMemory: false);
        decoder = Declare(parameters, "decoder", config.Layers, config.DecoderLayers, config.DecoderIntermediate,
            readsMemory: true);
        if (config.HasLogitsBias)
            logitsBias = parameters.Add("final_logits_bias",
                new(ParameterRole.Bias, ModelComponent.Head) { IsTrained = false }, 1, config.VocabSize);
    }

    private Stack Declare(Parameters parameters, string side, int first, int count, int width, bool readsMemory)
    {
        int C = config.Channels;
        string name = $"model.{side}.";
        var positions = config.IsBart ? parameters.Add(name + "embed_positions.weight",
            new(ParameterRole.Position, ModelComponent.Embedding), config.ContextLength + UnusedPositions, C) : null;
        var embeddingNorm = config.IsBart ? Norm(name + "layernorm_embedding", null) : null;
        var layers = new Layer[count];
        for (int i = 0; i < count; i++)
        {
            string layer = $"{name}layers.{i}.";
            int block = first + i;
            ParameterFacts mlp = new(ParameterRole.Inner, ModelComponent.Mlp, block);
            layers[i] = new(Attention(layer + "self_attn", block),
                readsMemory ? Attention(layer + "encoder_attn", block) : null,
                new FeedForward(config.Activation, null, Linear(layer + "fc1", mlp, C, width),
                    Linear(layer + "fc2", mlp with { Role = ParameterRole.ResidualOut }, width, C)),
                Norm(layer + "final_layer_norm", block));
        }
        return new(side, positions, embeddingNorm, layers);

        Norm Norm(string norm, int? block) =>
            Nano.Norm.Declare(parameters, norm, block, C, NormKind.Layer, config.NormEpsilon);
        Attention Attention(string attention, int block)
        {
            ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, block);
            return new(Linear(attention + ".q_proj", facts, C, C), Linear(attention + ".k_proj", facts, C, C),
                Linear(attention + ".v_proj", facts, C, C),
                Linear(attention + ".out_proj", facts with { Role = ParameterRole.ResidualOut }, C, C),
                Norm(attention + "_layer_norm", block));
        }
        // Glorot's deviation, except in BART, which has that of BERT.
        Linear Linear(string linear, ParameterFacts facts, int inputs, int outputs)
        {
            double? deviation = config.IsBart ? null : Math.Sqrt(2.0 / (inputs + outputs));
            return new(parameters.Add(linear + ".weight", facts with { Deviation = deviation }, outputs, inputs),
                parameters.Add(linear + ".bias", facts with { Role = ParameterRole.Bias }, outputs));
        }
    }

    /// <summary>The memory of a text: ids [B, T] and the lengths of rows, or null, give [B, T, C].</summary>
    public Tensor Encode(Compute c, Tensor ids, Tensor? lengths, Action<string, Tensor>? watch = null)
    {
        var options = new AttentionOptions(config.Heads, config.Heads) { IsCausal = false, Lengths = lengths };
        return Run(c, encoder, ids, 0, watch, (_, q, k, v) => c.Attention(q, k, v, options), null);
    }

    /// <summary>Logits of the next tokens [B, T', V] behind ids [B, T'], about a memory.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="ids">The ids that were written; behind a cache, those that are new.</param>
    /// <param name="memory">Keys and values of the memory, a pair for each block.</param>
    /// <param name="lengths">The lengths of the memory's rows, or null.</param>
    /// <param name="cache">Keys and values of what was written before, which are extended; or null.</param>
    /// <param name="watch">Is shown tensors by name.</param>
    private Tensor Decode(Compute c, Tensor ids, IReadOnlyList<(Tensor K, Tensor V)> memory, Tensor? lengths,
        KvCache? cache, Action<string, Tensor>? watch = null)
    {
        var self = new AttentionOptions(config.DecoderHeads, config.DecoderHeads);
        var cross = self with { IsCausal = false, Lengths = lengths };
        var x = Run(c, decoder, ids, cache?.Length ?? 0, watch,
            (layer, q, k, v) => cache is null ? c.Attention(q, k, v, self) : cache.Attend(c, layer, q, k, v, self),
            (layer, q) => c.Attention(q, memory[layer].K, memory[layer].V, cross));
        cache?.Advance(ids.Shape[1]);
        var logits = c.Linear(x, tokenTable, logitsBias?.Reshape(new Shape(config.VocabSize)));
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <summary>Keys and values of a memory [B, T, C] for each block of the decoder.</summary>
    private List<(Tensor K, Tensor V)> Remember(Compute c, Tensor memory) =>
        [.. decoder.Layers.Select(layer => (layer.Memory!.K.Forward(c, memory), layer.Memory.V.Forward(c, memory)))];

    /// <summary>A stack, from ids that begin at a position.</summary>
    private Tensor Run(Compute c, Stack stack, Tensor ids, int first, Action<string, Tensor>? watch,
        Func<int, Tensor, Tensor, Tensor, Tensor> attend, Func<int, Tensor, Tensor>? attendMemory)
    {
        int T = ids.Shape[1];
        if (first + T > config.ContextLength)
            throw new NanoException($"{first + T} tokens do not fit the model's context of {config.ContextLength}");
        var x = c.Embedding(tokenTable, ids);
        if (config.ScalesEmbeddings)
            x = c.Scale(x, MathF.Sqrt(config.Channels));
        x = c.Add(x, stack.Positions?.SliceRows(first + UnusedPositions, T) ?? Waves(c, first, T));
        x = stack.EmbeddingNorm?.Forward(c, x) ?? x; // [B, T, C]
        watch?.Invoke($"{stack.Name}.embed", x);
        for (int i = 0; i < stack.Layers.Length; i++)
        {
            var (self, memory, mlp, mlpNorm) = stack.Layers[i];
            var read = attend(i, self.Q.Forward(c, x), self.K.Forward(c, x), self.V.Forward(c, x));
            x = self.Norm.Forward(c, c.Add(x, self.Output.Forward(c, read)));
            if (memory is not null)
                x = memory.Norm.Forward(c, c.Add(x, memory.Output.Forward(c,
                    attendMemory!(i, memory.Q.Forward(c, x)))));
            x = mlpNorm.Forward(c, c.Add(x, mlp.Forward(c, x)));
            watch?.Invoke($"{stack.Name}.block{i}", x);
        }
        return x;
    }

    /// <summary>Sines and cosines of positions [T, C].</summary>
    private Tensor Waves(Compute c, int first, int T)
    {
        var waves = c.New(new Shape(T, config.Channels));
        Sinusoids.Interleaved(first, config.Channels, waves.Data);
        return waves;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var lengths = batch.Lengths(c);
        var memory = Remember(c, Encode(c, batch["input_ids"], lengths, watch));
        var logits = Decode(c, batch["decoder_input_ids"], memory, lengths, null, watch);
        var loss = c.CrossEntropy(logits, batch["targets"], new(LabelSmoothing: config.LabelSmoothing)).Loss;
        watch?.Invoke("loss", loss);
        return loss;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Write(Compute c, Batch source, ReadOnlySpan<int> written, int count, int? end = null) =>
        Greedy.WriteAbout(c, written, count, end, config.Channels,
            () => Remember(c, Encode(c, source["input_ids"], null)),
            (ids, memory, cache) => Decode(c, ids, memory, null, cache));
}
