namespace Nano;

/// <summary>
/// What all decoder-only transformers share: embeddings, L blocks that each add attention and an MLP to the residual stream, a final norm and a
/// head. A model says how each of these is made; this page says in which order they run and what may be forgotten on the way.
/// Letters: B batch, T time, C channels, V vocabulary, H heads, D channels per head.
/// </summary>
public abstract class LanguageModel : IDisposable
{
    /// <summary>Checks the configuration; the model then declares its parameters, which are zero until <see cref="Initialize"/> or a file fills them.</summary>
    /// <exception cref="NanoException">The configuration is impossible, e.g. heads do not divide channels.</exception>
    protected LanguageModel(ModelConfig config, Parameters parameters)
    {
        config.Validate();
        (Config, Parameters) = (config, parameters);
    }

    /// <summary>Sizes and switches.</summary>
    public ModelConfig Config { get; }

    /// <summary>All parameters under their Hugging Face names (GPT-2's without "transformer."). Linear weights are [out, in].</summary>
    public Parameters Parameters { get; }

    /// <summary>The model of a configuration.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    public static LanguageModel Create(ModelConfig config) => config.NewModel(new Parameters());

    /// <summary>The output matrix [V, C]; the token table itself when tied.</summary>
    protected abstract Tensor Head { get; }

    /// <summary>Ids [B, T] as the residual stream [B, T, C]; each row goes on where the cache ends, or begins at position 0, as each segment does.</summary>
    protected abstract Tensor Embed(Compute c, Tensor ids, KvCache? cache, Segments? segments);

    /// <summary>What a block's attention, its norm included, adds to the residual stream x [B, T, C]. A cache is extended by these positions.</summary>
    protected abstract Tensor Attention(Compute c, int layer, Tensor x, KvCache? cache, Segments? segments);

    /// <summary>What a block's MLP, its norm included, adds to the residual stream x [B, T, C].</summary>
    protected abstract Tensor Mlp(Compute c, int layer, Tensor x);

    /// <summary>The norm before the head.</summary>
    protected abstract Tensor FinalNorm(Compute c, Tensor x);

    /// <summary>Whether a weight is the last of a branch, whose output is added to the residual stream.</summary>
    protected abstract bool EntersResidual(string parameter);

    /// <summary>
    /// Logits for every position.
    /// </summary>
    /// <param name="c">Where to run; with a tape, the ops are recorded for the backward pass, without, each block's inner tensors go at once.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="cache">Keys and values of what came before, which this call extends: row b of ids continues the b-th selected row; null for none.</param>
    /// <param name="dropout">Masks while training; null for none.</param>
    /// <param name="watch">Is shown the residual stream and other tensors by name: embed, block0 ..., final_norm, logits. They may be gone when it returns.</param>
    /// <param name="segments">The documents in ids, which see nothing of each other, each at most as long as the context; null if each row is one. Not with a cache.</param>
    /// <returns>[B, T, V].</returns>
    public Tensor Forward(Compute c, Tensor ids, KvCache? cache = null, Dropout? dropout = null, Action<string, Tensor>? watch = null, Segments? segments = null)
    {
        var logits = c.Linear(Trunk(c, ids, cache, segments, dropout, watch, checkpoint: false), Head, null); // [B, T, V]
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <summary>Logits for the token after the last of each row, [B, V]: the same bits as the last ones of <see cref="Forward"/>, without computing the others.</summary>
    /// <param name="c">Where to run.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="cache">As in <see cref="Forward"/>.</param>
    public Tensor NextLogits(Compute c, Tensor ids, KvCache cache)
    {
        int B = ids.Shape[0], T = ids.Shape[1], C = Config.Channels;
        var x = Trunk(c, ids, cache, null, null, null, checkpoint: false);
        return c.Linear(x.Reshape(new Shape(B, T * C)).SliceColumns((T - 1) * C, C), Head, null);
    }

    /// <summary>
    /// Mean cross-entropy of the next tokens, in nats; the same bits as <see cref="Forward"/> and cross-entropy, but the logits never exist all at once.
    /// With a tape, the head's gradient is added here, see <see cref="LinearCrossEntropyExtensions"/>.
    /// </summary>
    /// <param name="c">Where to run.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="targets">The token after each, [B, T]; -100 leaves one out.</param>
    /// <param name="options">What is added to the mean, and what the sum is divided by; a plain number is the denominator.</param>
    /// <param name="dropout">Masks while training; null for none.</param>
    /// <param name="checkpoint">Whether the backward pass computes the inside of each block again instead of finding it in memory.</param>
    /// <param name="segments">As in <see cref="Forward"/>.</param>
    /// <param name="activations">How the inside of a block is kept, where it is kept: rounded, it changes gradients a little and the loss not at all.</param>
    /// <param name="draw">How the model draws its own targets, which overwrite those given; null to keep them.</param>
    /// <returns>Loss: what the options ask for, a scalar. Nll: -log p of each target [B, T], whatever the options.</returns>
    public (Tensor Loss, Tensor Nll) Loss(Compute c, Tensor ids, Tensor targets, LossOptions options = default, Dropout? dropout = null, bool checkpoint = false, Segments? segments = null,
        ActivationStorage activations = ActivationStorage.Float32, LabelDraw? draw = null) =>
        c.LinearCrossEntropy(Trunk(c, ids, null, segments, dropout, null, checkpoint, activations), Head, targets, options, draw);

    /// <summary>From ids to the final norm, [B, T, C].</summary>
    private Tensor Trunk(Compute c, Tensor ids, KvCache? cache, Segments? segments, Dropout? dropout, Action<string, Tensor>? watch, bool checkpoint,
        ActivationStorage activations = ActivationStorage.Float32)
    {
        int start = cache?.Length ?? 0, T = ids.Shape[1], longest = segments?.Longest ?? start + T;
        if (longest > Config.ContextLength)
            throw new NanoException($"{longest} tokens do not fit the model's context of {Config.ContextLength}");
        if (segments is not null && (cache is not null || segments.Rows != ids.Length))
            throw new ArgumentException(cache is null ? $"{segments} do not fit ids {ids}" : "a cache has rows of its own, not segments");
        var x = Drop(c, Embed(c, ids, cache, segments), dropout, 0); // [B, T, C]
        watch?.Invoke("embed", x);
        for (int i = 0; i < Config.Layers; i++)
        {
            int layer = i;
            var before = x;
            Tensor Body(Compute c, Tensor x) => Residual(c, layer, x, cache, segments, dropout);
            x = checkpoint || c.Tape is null ? c.Checkpoint(before, Body)
                : activations == ActivationStorage.BFloat16 ? c.StoringBFloat16(before, Body) : Body(c, before);
            if (c.Tape is null)
                c.Release(before);
            watch?.Invoke($"block{i}", x);
        }
        cache?.Advance(T);
        x = FinalNorm(c, x);
        watch?.Invoke("final_norm", x);
        return x;
    }

    /// <summary>One block: x and its two branches. What a branch adds is not needed again, not even by the backward pass.</summary>
    private Tensor Residual(Compute c, int layer, Tensor x, KvCache? cache, Segments? segments, Dropout? dropout)
    {
        var attention = Drop(c, Attention(c, layer, x, cache, segments), dropout, (2 * layer) + 1);
        x = c.Add(x, attention);
        c.Release(attention);
        var mlp = Drop(c, Mlp(c, layer, x), dropout, (2 * layer) + 2);
        x = c.Add(x, mlp);
        c.Release(mlp);
        return x;
    }

    /// <summary>x through its mask; x itself is not needed again.</summary>
    private static Tensor Drop(Compute c, Tensor x, Dropout? dropout, int use)
    {
        if (dropout is null or { Probability: 0 })
            return x;
        var y = dropout.Forward(c, x, use);
        c.Release(x);
        return y;
    }

    /// <summary>
    /// Random weights as GPT-2 and nanoGPT draw them: normal with deviation 0.02, projections into the residual stream with 0.02 / sqrt(2L)
    /// because 2L of them add up there; biases zero, norm weights one. A pure function of the seed.
    /// </summary>
    public void Initialize(ulong seed)
    {
        for (int i = 0; i < Parameters.All.Count; i++)
        {
            var parameter = Parameters.All[i];
            double deviation = EntersResidual(parameter.Name!) ? 0.02 / Math.Sqrt(2 * Config.Layers) : 0.02;
            if (parameter.Shape.Rank >= 2)
                Philox.Normal(Philox.Key(seed, (ulong)RandomPurpose.Weights), (ulong)i, deviation, parameter.Data);
            else
                parameter.Data.Fill(parameter.Name!.EndsWith(".weight", StringComparison.Ordinal) ? 1 : 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Parameters.Dispose();
        GC.SuppressFinalize(this);
    }
}
