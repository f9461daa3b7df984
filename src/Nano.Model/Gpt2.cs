namespace Nano;

/// <summary>
/// GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019): token and position embeddings, L pre-norm blocks of
/// causal attention and a four times wider GELU layer, a final norm, and a head that shares the token table unless told otherwise.
/// Letters: B batch, T time, C channels, V vocabulary, H heads, D = C / H.
/// </summary>
public sealed class Gpt2 : IDisposable
{
    private sealed record Block(LayerNorm Norm1, Linear Qkv, Linear AttentionOut, LayerNorm Norm2, Linear Wide, Linear WideOut);

    private readonly Tensor tokenTable; // [V, C]
    private readonly Tensor positionTable; // [T, C]
    private readonly Block[] blocks;
    private readonly LayerNorm finalNorm;
    private readonly Tensor head; // [V, C], the token table itself when tied

    /// <summary>A model with parameters declared and zero: fill them with <see cref="Initialize"/> or from a file.</summary>
    /// <exception cref="NanoException">The configuration is impossible, e.g. heads do not divide channels.</exception>
    public Gpt2(Gpt2Config config)
    {
        config.Validate();
        Config = config;
        int C = config.Channels;
        float epsilon = config.LayerNormEpsilon;
        tokenTable = Parameters.Add("wte.weight", config.VocabSize, C);
        positionTable = Parameters.Add("wpe.weight", config.ContextLength, C);
        blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
            blocks[i] = new Block(
                LayerNorm.Declare(Parameters, $"h.{i}.ln_1", C, config.Bias, epsilon),
                Linear.Declare(Parameters, $"h.{i}.attn.c_attn", C, 3 * C, config.Bias),
                Linear.Declare(Parameters, $"h.{i}.attn.c_proj", C, C, config.Bias),
                LayerNorm.Declare(Parameters, $"h.{i}.ln_2", C, config.Bias, epsilon),
                Linear.Declare(Parameters, $"h.{i}.mlp.c_fc", C, 4 * C, config.Bias),
                Linear.Declare(Parameters, $"h.{i}.mlp.c_proj", 4 * C, C, config.Bias));
        finalNorm = LayerNorm.Declare(Parameters, "ln_f", C, config.Bias, epsilon);
        head = config.TiedHead ? tokenTable : Parameters.Add("lm_head.weight", config.VocabSize, C);
    }

    public Gpt2Config Config { get; }

    /// <summary>All parameters under their Hugging Face names (without prefix). Linear weights are [out, in].</summary>
    public Parameters Parameters { get; } = new();

    /// <summary>
    /// Logits for every position.
    /// </summary>
    /// <param name="c">Where to run; with a tape, the ops are recorded for the backward pass, without, each block's inner tensors go at once.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="cache">Keys and values of what came before (B = 1), which this call extends; null for none.</param>
    /// <param name="dropout">Masks while training; null for none.</param>
    /// <param name="watch">Is shown the residual stream and other tensors by name: embed, block0 ..., final_norm, logits. They may be gone when it returns.</param>
    /// <returns>[B, T, V].</returns>
    public Tensor Forward(Compute c, Tensor ids, KvCache? cache = null, Dropout? dropout = null, Action<string, Tensor>? watch = null)
    {
        var logits = c.Linear(Trunk(c, ids, cache, dropout, watch, checkpoint: false), head, null); // [B, T, V]
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <summary>
    /// Mean cross-entropy of the next tokens, in nats; the same bits as <see cref="Forward"/> and cross-entropy, but the logits never exist all at once.
    /// With a tape, the head's gradient is added here, see <see cref="LinearCrossEntropyExtensions"/>.
    /// </summary>
    /// <param name="c">Where to run.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="targets">The token after each, [B, T]; -100 leaves one out.</param>
    /// <param name="denominator">What the sum is divided by; 0 means the number of kept targets.</param>
    /// <param name="dropout">Masks while training; null for none.</param>
    /// <param name="checkpoint">Whether the backward pass computes the inside of each block again instead of finding it in memory.</param>
    /// <returns>Loss: the mean, a scalar. Nll: the loss at each position [B, T].</returns>
    public (Tensor Loss, Tensor Nll) Loss(Compute c, Tensor ids, Tensor targets, double denominator = 0, Dropout? dropout = null, bool checkpoint = false) =>
        c.LinearCrossEntropy(Trunk(c, ids, null, dropout, null, checkpoint), head, targets, denominator);

    /// <summary>From ids to the final norm, [B, T, C].</summary>
    private Tensor Trunk(Compute c, Tensor ids, KvCache? cache, Dropout? dropout, Action<string, Tensor>? watch, bool checkpoint)
    {
        int start = cache?.Length ?? 0, T = ids.Shape[1];
        if (start + T > Config.ContextLength)
            throw new NanoException($"{start + T} tokens do not fit the model's context of {Config.ContextLength}");
        var tokens = c.Embedding(tokenTable, ids);
        var x = Drop(c, c.Add(tokens, positionTable.SliceRows(start, T)), dropout, 0); // [B, T, C]
        c.Release(tokens);
        watch?.Invoke("embed", x);
        for (int i = 0; i < blocks.Length; i++)
        {
            int layer = i;
            var before = x;
            x = checkpoint || c.Tape is null ? c.Checkpoint(before, (c, x) => Residual(c, layer, x, cache, dropout)) : Residual(c, layer, before, cache, dropout);
            if (c.Tape is null)
                c.Release(before);
            watch?.Invoke($"block{i}", x);
        }
        cache?.Advance(T);
        x = finalNorm.Forward(c, x);
        watch?.Invoke("final_norm", x);
        return x;
    }

    /// <summary>One block: x and its two branches. What a branch adds is not needed again, not even by the backward pass.</summary>
    private Tensor Residual(Compute c, int layer, Tensor x, KvCache? cache, Dropout? dropout)
    {
        var attention = Drop(c, Attention(c, layer, x, cache), dropout, (2 * layer) + 1);
        x = c.Add(x, attention);
        c.Release(attention);
        var mlp = Drop(c, Mlp(c, blocks[layer], x), dropout, (2 * layer) + 2);
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

    private Tensor Attention(Compute c, int layer, Tensor x, KvCache? cache)
    {
        int C = Config.Channels, H = Config.Heads;
        var block = blocks[layer];
        var qkv = block.Qkv.Forward(c, block.Norm1.Forward(c, x)); // [B, T, 3C]
        var (q, k, v) = (qkv.SliceColumns(0, C), qkv.SliceColumns(C, C), qkv.SliceColumns(2 * C, C));
        if (cache is not null)
            (k, v) = cache.Extend(layer, k, v);
        return block.AttentionOut.Forward(c, c.CausalAttention(q, k, v, H, H));
    }

    private Tensor Mlp(Compute c, Block block, Tensor x)
    {
        var wide = block.Wide.Forward(c, block.Norm2.Forward(c, x)); // [B, T, 4C]
        return block.WideOut.Forward(c, c.Activation(Config.Gelu == GeluForm.Tanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf, wide));
    }

    /// <summary>Names and shapes of the parameters that a configuration declares, without reserving memory for them.</summary>
    public static IEnumerable<(string Name, Shape Shape)> ParameterShapes(Gpt2Config config)
    {
        config.Validate();
        int C = config.Channels;
        yield return ("wte.weight", new Shape(config.VocabSize, C));
        yield return ("wpe.weight", new Shape(config.ContextLength, C));
        for (int i = 0; i < config.Layers; i++)
            foreach (var (name, shape) in new (string, Shape)[]
            {
                ("ln_1", new(C)), ("attn.c_attn", new(3 * C, C)), ("attn.c_proj", new(C, C)), ("ln_2", new(C)), ("mlp.c_fc", new(4 * C, C)), ("mlp.c_proj", new(C, 4 * C)),
            })
            {
                yield return ($"h.{i}.{name}.weight", shape);
                if (config.Bias)
                    yield return ($"h.{i}.{name}.bias", new Shape(shape[0]));
            }
        yield return ("ln_f.weight", new Shape(C));
        if (config.Bias)
            yield return ("ln_f.bias", new Shape(C));
        if (!config.TiedHead)
            yield return ("lm_head.weight", new Shape(config.VocabSize, C));
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
            double deviation = parameter.Name!.EndsWith("c_proj.weight", StringComparison.Ordinal) ? 0.02 / Math.Sqrt(2 * Config.Layers) : 0.02;
            if (parameter.Shape.Rank >= 2)
                Philox.Normal(Philox.Key(seed, (ulong)RandomPurpose.Weights), (ulong)i, deviation, parameter.Data);
            else
                parameter.Data.Fill(parameter.Name.EndsWith(".weight", StringComparison.Ordinal) ? 1 : 0);
        }
    }

    /// <summary>
    /// Arithmetic of one training token, forward and backward: 6 per weight that multiplies it (the position table does not), and
    /// 12 L C T for attention over T keys (causal skipping not counted, as is the convention; PaLM, 2022, appendix B).
    /// </summary>
    public static double TrainingFlopsPerToken(Gpt2Config config, int T)
    {
        long weights = ParameterShapes(config).Where(parameter => parameter.Name != "wpe.weight").Sum(parameter => parameter.Shape.Length);
        return (6.0 * weights) + (12.0 * config.Layers * config.Channels * T);
    }

    public void Dispose() => Parameters.Dispose();
}
