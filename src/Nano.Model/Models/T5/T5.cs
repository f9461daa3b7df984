namespace Nano;

/// <summary>
/// T5 (Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2019): an
/// encoder whose tokens see each other in both directions, and a decoder that also attends to what the encoder made of
/// the text, its memory. Blocks are pre-norm with RMSNorm and without biases; scores are not scaled, and know distances
/// by a table of biases that all blocks of a stack share.
/// <para>
/// A batch: input_ids [B, T] and optionally attention_mask [B, T]; decoder_input_ids and targets [B, T'], the targets
/// shifted right behind the start token; -100 for tokens that do not count.
/// </para>
/// </summary>
public sealed class T5 : Model, IEncoderDecoder
{
    internal const string TokenTable = "shared.weight";

    private sealed record Attention(Norm Norm, Linear Q, Linear K, Linear V, Linear Output);

    private sealed record Layer(Attention Self, Attention? Memory, Norm MlpNorm, FeedForward Mlp);

    private sealed record Stack(string Name, Layer[] Layers, RelativeBias? Bias, Norm FinalNorm);

    private readonly T5Config config;
    private readonly Tensor tokenTable, head; // [V, C]
    private readonly Stack encoder, decoder;

    /// <summary>A model with parameters that are zero.</summary>
    public T5(T5Config config) : this(config, new Parameters())
    {
    }

    internal T5(T5Config config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        tokenTable = parameters.Add(TokenTable, new(ParameterRole.Embedding, ModelComponent.Embedding)
        { Deviation = 1 }, config.VocabSize, config.Channels);
        encoder = Declare(parameters, "encoder", 0, config.Layers, readsMemory: false);
        decoder = Declare(parameters, "decoder", config.Layers, config.DecoderLayers, readsMemory: true);
        head = config.TiedHead ? tokenTable : parameters.Add("lm_head.weight",
            new(ParameterRole.Head, ModelComponent.Head) { Deviation = Root(config.Channels) }, config.VocabSize,
            config.Channels);
    }

    private static double Root(double size) => 1 / Math.Sqrt(size);

    private Stack Declare(Parameters parameters, string name, int first, int count, bool readsMemory)
    {
        int C = config.Channels, inner = config.Heads * config.HeadDim;
        Tensor? table = null;
        var layers = new Layer[count];
        for (int i = 0; i < count; i++)
        {
            int block = first + i, last = readsMemory ? 2 : 1;
            string layer = $"{name}.block.{i}.layer.";
            var self = Attention(layer + "0.SelfAttention", layer + "0", block);
            if (i == 0)
                table = parameters.Add(layer + "0.SelfAttention.relative_attention_bias.weight",
                    new(ParameterRole.Position, ModelComponent.Attention, block) { Deviation = Root(C) },
                    config.Buckets, config.Heads);
            layers[i] = new Layer(self, readsMemory ? Attention(layer + "1.EncDecAttention", layer + "1", block) : null,
                Norm($"{layer}{last}.layer_norm", block), Mlp($"{layer}{last}.DenseReluDense", block));
        }
        return new Stack(name, layers, table!.Shape.Rank == 2 // not where only shapes are collected
            ? new RelativeBias(table, isBidirectional: !readsMemory, config.MaxDistance) : null,
            Norm(name + ".final_layer_norm", null));

        Norm Norm(string norm, int? block) =>
            Nano.Norm.Declare(parameters, norm, block, C, NormKind.Rms, config.NormEpsilon);
        Attention Attention(string attention, string layer, int block)
        {
            ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, block) { Deviation = Root(C) };
            return new(Norm(layer + ".layer_norm", block),
                Linear(attention + ".q", facts with { Deviation = Root((double)C * config.HeadDim) }, C, inner),
                Linear(attention + ".k", facts, C, inner), Linear(attention + ".v", facts, C, inner),
                Linear(attention + ".o", facts with { Role = ParameterRole.ResidualOut, Deviation = Root(inner) },
                    inner, C));
        }
        FeedForward Mlp(string mlp, int block)
        {
            ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Mlp, block) { Deviation = Root(C) };
            return new(config.Activation, config.IsGated ? Linear(mlp + ".wi_0", facts, C, config.Intermediate) : null,
                Linear(mlp + (config.IsGated ? ".wi_1" : ".wi"), facts, C, config.Intermediate),
                Linear(mlp + ".wo", facts with
                {
                    Role = ParameterRole.ResidualOut,
                    Deviation = Root(config.Intermediate),
                }, config.Intermediate, C));
        }
        Linear Linear(string linear, ParameterFacts facts, int inputs, int outputs) =>
            Nano.Linear.Declare(parameters, linear, facts, inputs, outputs, bias: false);
    }

    /// <summary>The memory of a text: ids [B, T] and the lengths of rows, or null, give [B, T, C].</summary>
    public Tensor Encode(Compute c, Tensor ids, Tensor? lengths, Action<string, Tensor>? watch = null)
    {
        var options = new AttentionOptions(config.Heads, config.Heads)
        {
            Scale = 1,
            IsCausal = false,
            Lengths = lengths,
            RelativeBias = encoder.Bias,
        };
        return Run(c, encoder, ids, watch, (_, q, k, v) => c.Attention(q, k, v, options), null);
    }

    /// <summary>Logits of the next tokens [B, T', V] behind ids [B, T'], about a memory.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="ids">What has been written; behind a cache, what is new.</param>
    /// <param name="memory">Keys and values of the memory, a pair for each block.</param>
    /// <param name="lengths">The lengths of the memory's rows, or null.</param>
    /// <param name="cache">Keys and values of what was written before, which are extended; or null.</param>
    /// <param name="watch">Is shown tensors by name.</param>
    private Tensor Decode(Compute c, Tensor ids, IReadOnlyList<(Tensor K, Tensor V)> memory, Tensor? lengths,
        KvCache? cache, Action<string, Tensor>? watch = null)
    {
        var self = new AttentionOptions(config.Heads, config.Heads) { Scale = 1, RelativeBias = decoder.Bias };
        var cross = self with { IsCausal = false, Lengths = lengths, RelativeBias = null };
        var x = Run(c, decoder, ids, watch, (layer, q, k, v) => cache is null ? c.Attention(q, k, v, self)
            : cache.Attend(c, layer, q, k, v, self),
            (layer, q) => c.Attention(q, memory[layer].K, memory[layer].V, cross));
        cache?.Advance(ids.Shape[1]);
        var logits = c.Linear(config.TiedHead ? c.Scale(x, (float)(1 / Math.Sqrt(config.Channels))) : x, head, null);
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <summary>Keys and values of a memory [B, T, C] for each block of the decoder.</summary>
    private List<(Tensor K, Tensor V)> Remember(Compute c, Tensor memory) =>
        [.. decoder.Layers.Select(layer => (layer.Memory!.K.Forward(c, memory), layer.Memory.V.Forward(c, memory)))];

    /// <summary>A stack, from ids to the final norm.</summary>
    private Tensor Run(Compute c, Stack stack, Tensor ids, Action<string, Tensor>? watch,
        Func<int, Tensor, Tensor, Tensor, Tensor> attend, Func<int, Tensor, Tensor>? attendMemory)
    {
        var x = c.Embedding(tokenTable, ids);
        for (int i = 0; i < stack.Layers.Length; i++)
        {
            var layer = stack.Layers[i];
            var normed = layer.Self.Norm.Forward(c, x);
            x = c.Add(x, layer.Self.Output.Forward(c, attend(i, layer.Self.Q.Forward(c, normed),
                layer.Self.K.Forward(c, normed), layer.Self.V.Forward(c, normed))));
            if (layer.Memory is { } memory)
                x = c.Add(x, memory.Output.Forward(c,
                    attendMemory!(i, memory.Q.Forward(c, memory.Norm.Forward(c, x)))));
            x = c.Add(x, layer.Mlp.Forward(c, layer.MlpNorm.Forward(c, x)));
            watch?.Invoke($"{stack.Name}.block{i}", x);
        }
        x = stack.FinalNorm.Forward(c, x);
        watch?.Invoke($"{stack.Name}.final_norm", x);
        return x;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var lengths = batch.Lengths(c);
        var memory = Remember(c, Encode(c, batch["input_ids"], lengths, watch));
        var logits = Decode(c, batch["decoder_input_ids"], memory, lengths, null, watch);
        var loss = c.CrossEntropy(logits, batch["targets"]).Loss;
        watch?.Invoke("loss", loss);
        return loss;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Write(Compute c, Batch source, ReadOnlySpan<int> written, int count, int? end = null) =>
        Greedy.WriteAbout(c, written, count, end, config.Heads * config.HeadDim,
            () => Remember(c, Encode(c, source["input_ids"], null)),
            (ids, memory, cache) => Decode(c, ids, memory, null, cache));
}
