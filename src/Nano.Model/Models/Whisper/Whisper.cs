namespace Nano;

/// <summary>
/// Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022):
/// an encoder of sound and a decoder that writes what is said. Two convolutions bring the frames of
/// a log-mel spectrogram to half their number and to the model's width; fixed sines and cosines are
/// added; blocks see the whole sound. The decoder has learned positions, attends to what it has
/// written and to the encoder's rows, its memory, and gives logits by the token table.
/// <para>
/// A batch: input_features [B, mel bins, frames], exactly as many frames as the encoder has
/// positions for; decoder_input_ids and targets [B, T], -100 for tokens that do not count.
/// </para>
/// </summary>
public sealed class Whisper : Model, IEncoderDecoder
{
    internal const string TokenTable = "model.decoder.embed_tokens.weight";

    private static readonly TowerNames Names = new("self_attn_layer_norm", "self_attn.q_proj", "self_attn.k_proj",
        "self_attn.v_proj", "self_attn.out_proj", "final_layer_norm", "fc1", "fc2")
    { KeyBias = false };

    private sealed record Attention(Norm Norm, Linear Q, Linear K, Linear V, Linear Output);

    private sealed record Layer(Attention Self, Attention Memory, Norm MlpNorm, FeedForward Mlp);

    private readonly WhisperConfig config;
    private readonly (Tensor Weight, Tensor Bias) first, second; // [C, mel bins, 3], [C, C, 3]
    private readonly Tensor sinusoids, tokenTable, positions; // [frames / 2, C], [V, C], [T, C]
    private readonly Tower encoder;
    private readonly Layer[] decoder;
    private readonly Norm encoderNorm, decoderNorm;

    /// <summary>A model with parameters that are zero.</summary>
    public Whisper(WhisperConfig config) : this(config, new Parameters())
    {
    }

    internal Whisper(WhisperConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels;
        ParameterFacts facts = new(ParameterRole.Position, ModelComponent.Embedding);
        first = Convolution("conv1", config.MelBins);
        second = Convolution("conv2", C);
        sinusoids = parameters.Add("model.encoder.embed_positions.weight", facts with { IsTrained = false },
            config.SoundPositions, C);
        encoder = new(config.Encoder, parameters, "model.encoder.layers", Names);
        encoderNorm = Norm("model.encoder.layer_norm", null);
        tokenTable = parameters.Add(TokenTable, facts with { Role = ParameterRole.Embedding }, config.VocabSize, C);
        positions = parameters.Add("model.decoder.embed_positions.weight", facts, config.TextPositions, C);
        decoder = [.. Enumerable.Range(0, config.DecoderLayers).Select(Declare)];
        decoderNorm = Norm("model.decoder.layer_norm", null);

        (Tensor, Tensor) Convolution(string name, int inputs) =>
            (parameters.Add($"model.encoder.{name}.weight", facts with { Role = ParameterRole.Inner }, C, inputs, 3),
                parameters.Add($"model.encoder.{name}.bias", facts with { Role = ParameterRole.Bias }, C));
        Norm Norm(string name, int? block) =>
            Nano.Norm.Declare(parameters, name, block, C, NormKind.Layer, WhisperConfig.NormEpsilon);
        Layer Declare(int i)
        {
            int block = config.Encoder.Layers + i;
            string layer = $"model.decoder.layers.{i}.";
            ParameterFacts mlp = new(ParameterRole.Inner, ModelComponent.Mlp, block);
            return new(Attention(layer + "self_attn", block), Attention(layer + "encoder_attn", block),
                Norm(layer + "final_layer_norm", block), new(config.Encoder.Activation, null,
                    Linear.Declare(parameters, layer + "fc1", mlp, C, config.DecoderIntermediate, bias: true),
                    Linear.Declare(parameters, layer + "fc2", mlp with { Role = ParameterRole.ResidualOut },
                        config.DecoderIntermediate, C, bias: true)));
        }
        Attention Attention(string name, int block)
        {
            ParameterFacts inner = new(ParameterRole.Inner, ModelComponent.Attention, block);
            Linear Part(string part, ParameterFacts facts, bool bias = true) =>
                Linear.Declare(parameters, $"{name}.{part}", facts, C, C, bias);
            return new(Norm(name + "_layer_norm", block), Part("q_proj", inner), Part("k_proj", inner, bias: false),
                Part("v_proj", inner), Part("out_proj", inner with { Role = ParameterRole.ResidualOut }));
        }
    }

    /// <summary>Normal with deviation 0.02; the encoder's positions are sines and cosines.</summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        if (parameter == sinusoids)
            Sinusoids.SinesFirst(config.SoundPositions, config.Channels).CopyTo(parameter.Data);
        else
            base.Initialize(parameter, key, stream);
    }

    /// <summary>The memory of a sound: log-mel frames [B, mel bins, frames] give [B, frames / 2, C].</summary>
    /// <exception cref="NanoException">There are more or fewer frames than positions for them, or other
    /// bins.</exception>
    public Tensor Encode(Compute c, Tensor features, Action<string, Tensor>? watch = null)
    {
        if (features.Shape.Rank != 3 || features.Shape[1] != config.MelBins || features.Shape[2] != config.Frames)
            throw new NanoException($"features of shape {features.Shape}; the model reads [B, {config.MelBins}, "
                + $"{config.Frames}]: {config.MelBins} mel bins and {config.Frames} frames, two for each position",
                "fill a shorter sound up with silence, cut a longer one");
        var x = c.Activation(ActivationKind.GeluErf, c.Conv(features, first.Weight, first.Bias, new(1, 1)));
        x = c.Activation(ActivationKind.GeluErf, c.Conv(x, second.Weight, second.Bias, new(2, 1)));
        x = c.Add(c.Permute(x, 0, 2, 1), sinusoids); // [B, frames / 2, C]
        watch?.Invoke("encoder.embed", x);
        x = encoder.Forward(c, x, config.Encoder.Layers, isCausal: false,
            (i, x) => watch?.Invoke($"encoder.block{i}", x));
        x = encoderNorm.Forward(c, x);
        watch?.Invoke("encoder.final_norm", x);
        return x;
    }

    /// <summary>Keys and values of a memory for each block of the decoder.</summary>
    private List<(Tensor K, Tensor V)> Remember(Compute c, Tensor memory) =>
        [.. decoder.Select(layer => (layer.Memory.K.Forward(c, memory), layer.Memory.V.Forward(c, memory)))];

    /// <summary>Logits of the next tokens [B, T, V] behind ids [B, T], about a memory.</summary>
    private Tensor Decode(Compute c, Tensor ids, IReadOnlyList<(Tensor K, Tensor V)> memory, KvCache? cache,
        Action<string, Tensor>? watch = null)
    {
        int T = ids.Shape[1], before = cache?.Length ?? 0;
        if (before + T > config.TextPositions)
            throw new NanoException($"{before + T} tokens do not fit the model's context of {config.TextPositions}");
        var self = new AttentionOptions(config.DecoderHeads, config.DecoderHeads);
        var x = c.Add(c.Embedding(tokenTable, ids), positions.SliceRows(before, T)); // [B, T, C]
        for (int i = 0; i < decoder.Length; i++)
        {
            var (own, other, norm, mlp) = decoder[i];
            var normed = own.Norm.Forward(c, x);
            Tensor q = own.Q.Forward(c, normed), k = own.K.Forward(c, normed), v = own.V.Forward(c, normed);
            x = c.Add(x, own.Output.Forward(c, cache is null ? c.Attention(q, k, v, self)
                : cache.Attend(c, i, q, k, v, self)));
            x = c.Add(x, other.Output.Forward(c, c.Attention(other.Q.Forward(c, other.Norm.Forward(c, x)), memory[i].K,
                memory[i].V, self with { IsCausal = false })));
            x = c.Add(x, mlp.Forward(c, norm.Forward(c, x)));
            watch?.Invoke($"decoder.block{i}", x);
        }
        cache?.Advance(T);
        x = decoderNorm.Forward(c, x);
        watch?.Invoke("decoder.final_norm", x);
        var logits = c.Linear(x, tokenTable, null);
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var memory = Remember(c, Encode(c, batch["input_features"], watch));
        return c.CrossEntropy(Decode(c, batch["decoder_input_ids"], memory, null, watch), batch["targets"]).Loss;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Write(Compute c, Batch source, ReadOnlySpan<int> written, int count, int? end = null) =>
        Greedy.WriteAbout(c, written, count, end, config.Channels,
            () => Remember(c, Encode(c, source["input_features"])),
            (ids, memory, cache) => Decode(c, ids, memory, cache));
}
