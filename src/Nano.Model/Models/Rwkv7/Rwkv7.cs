namespace Nano;

/// <summary>
/// RWKV-7 (Peng et al., "RWKV-7 Goose with Expressive Dynamic State Evolution", 2025): blocks of a time mixer and a
/// channel mixer behind layer norms, without attention. Each reads mixtures of a step and the one before it,
/// x_t + (x_{t-1} - x_t) m, with an m of its own for each use.
/// <para>
/// The time mixer keeps for each head a matrix S of keys and values: S = diag(w) S - (kk a) (S^T kk)^T + k v^T,
/// y = S^T r. It decays by w, moves what it holds at the direction kk by the rate a, and adds v at the key k. w, a,
/// a gate g and, behind the first block, the share of the first block's values come from low-rank matrices. y is
/// normalised by head, v (r . k u) is added, and the gate multiplies all. The channel mixer is W relu(K x)^2.
/// </para>
/// Every block reads the first block's values: they travel beside the residual stream, as columns C to 2 C.
/// </summary>
public sealed class Rwkv7 : LanguageModel
{
    private sealed record LowRank(Tensor Down, Tensor Up, Tensor? Bias)
    {
        /// <summary>x [B, T, C] through both matrices, with a function between them.</summary>
        public Tensor Forward(Compute c, Tensor x, ActivationKind? between = null)
        {
            var low = c.Linear(x, Down, null);
            return c.Linear(between is { } kind ? c.Activation(kind, low) : low, Up,
                Bias?.RowsInStep(c.StepTensors, 0, new Shape(Up.Shape[0])));
        }
    }

    private sealed record TimeMixer(Tensor MixR, Tensor MixW, Tensor MixK, Tensor MixV, Tensor MixA, Tensor MixG,
        LowRank Decay, LowRank Rate, LowRank? Value, LowRank Gate, Tensor Direction, Tensor KeyRate, Tensor Bonus,
        Linear R, Linear K, Linear V, Linear Output, Norm HeadNorm);

    private sealed record ChannelMixer(Tensor Mix, Linear Key, Linear Value);

    private sealed record Layer(Norm Norm1, TimeMixer Time, Norm Norm2, ChannelMixer Channel);

    private const float Epsilon = 1e-5f, HeadEpsilon = 64e-5f;

    private readonly Rwkv7Config config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Norm embeddingNorm, finalNorm;
    private readonly Layer[] layers;

    /// <summary>A model with parameters that are zero.</summary>
    public Rwkv7(Rwkv7Config config) : this(config, new Parameters())
    {
    }

    internal Rwkv7(Rwkv7Config config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        tokenTable = parameters.Add("emb.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, config.Channels);
        embeddingNorm = DeclareNorm(parameters, "blocks.0.ln0", 0, Epsilon);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = new Layer(DeclareNorm(parameters, $"blocks.{i}.ln1", i, Epsilon), DeclareTime(parameters, i),
                DeclareNorm(parameters, $"blocks.{i}.ln2", i, Epsilon), DeclareChannel(parameters, i));
        finalNorm = DeclareNorm(parameters, "ln_out", null, Epsilon);
        Head = parameters.Add("head.weight", new(ParameterRole.Head, ModelComponent.Head), config.VocabSize,
            config.Channels);
    }

    private Norm DeclareNorm(Parameters parameters, string name, int? block, float epsilon) =>
        Norm.Declare(parameters, name, block, config.Channels, NormKind.Layer, epsilon);

    private TimeMixer DeclareTime(Parameters parameters, int i)
    {
        int C = config.Channels;
        string time = $"blocks.{i}.att.";
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, i);
        return new(Factors("x_r"), Factors("x_w"), Factors("x_k"), Factors("x_v"), Factors("x_a"), Factors("x_g"),
            LowRank("w", config.DecayRank), LowRank("a", config.RateRank),
            i == 0 ? null : LowRank("v", config.ValueRank), LowRank("g", config.GateRank, bias: false),
            Factors("k_k"), Factors("k_a"), parameters.Add(time + "r_k",
                facts with { Role = ParameterRole.Recurrence }, config.Heads, config.HeadDim),
            Square("receptance", facts), Square("key", facts), Square("value", facts),
            Square("output", facts with { Role = ParameterRole.ResidualOut }),
            DeclareNorm(parameters, time + "ln_x", i, HeadEpsilon));

        Tensor Factors(string name) =>
            parameters.Add(time + name, facts with { Role = ParameterRole.Recurrence }, 1, 1, C);
        Linear Square(string name, ParameterFacts its) =>
            Linear.Declare(parameters, time + name, its, C, C, bias: false);
        LowRank LowRank(string name, int rank, bool bias = true) => new(
            parameters.Add($"{time}{name}1", facts, rank, C), parameters.Add($"{time}{name}2", facts, C, rank),
            bias ? Factors(name + "0") : null);
    }

    private ChannelMixer DeclareChannel(Parameters parameters, int i)
    {
        int C = config.Channels, I = config.Intermediate;
        string channel = $"blocks.{i}.ffn.";
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Mlp, i);
        return new(parameters.Add(channel + "x_k", facts with { Role = ParameterRole.Recurrence }, 1, 1, C),
            Linear.Declare(parameters, channel + "key", facts, C, I, bias: false),
            Linear.Declare(parameters, channel + "value", facts with { Role = ParameterRole.ResidualOut }, I, C,
                bias: false));
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass) =>
        embeddingNorm.Forward(c, c.Embedding(tokenTable, ids));

    /// <inheritdoc/>
    protected override Tensor Stream(Compute c, Tensor x) => c.Contiguous(x.SliceColumns(0, config.Channels));

    /// <inheritdoc/>
    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        var (block, C) = (layers[layer], config.Channels);
        var first = layer == 0 ? null : c.Contiguous(x.SliceColumns(C, C));
        x = Stream(c, x);
        var (mixed, v) = MixTime(c, layer, block.Norm1.Forward(c, x), first, pass);
        x = AddBranch(c, x, mixed, pass, 2 * layer);
        mixed = MixChannels(c, layer, block.Norm2.Forward(c, x), pass);
        return c.Concat(2, AddBranch(c, x, mixed, pass, (2 * layer) + 1), first ?? v); // [B, T, 2 C]
    }

    /// <summary>
    /// The mixture x_t + (x_{t-1} - x_t) m of x [B, T, C], as a convolution with the taps m and 1 - m; and the last x.
    /// </summary>
    private static (Tensor Mixture, Tensor Last) Mix(Compute c, Tensor x, Tensor m, Tensor? before)
    {
        var previous = c.Permute(m, 2, 0, 1); // [C, 1, 1]
        return c.DepthwiseCausalConv(x, c.Concat(2, previous, c.Scale(previous, -1, 1)), null, before);
    }

    /// <summary>The time mixer's output, and its values [B, T, C].</summary>
    private (Tensor Output, Tensor V) MixTime(Compute c, int layer, Tensor x, Tensor? first, Pass pass)
    {
        var (m, cache, H) = (layers[layer].Time, pass.Cache, config.Heads);
        var (before, heads) = (cache?.State(c, layer, 0), new Shape(x.Shape[0], x.Shape[1], H, config.HeadDim));
        var (forR, last) = Mix(c, x, m.MixR, before);
        var (forV, _) = Mix(c, x, m.MixV, before);
        var r = m.R.Forward(c, forR);
        var w = m.Decay.Forward(c, Mix(c, x, m.MixW, before).Mixture, ActivationKind.Tanh);
        var k = m.K.Forward(c, Mix(c, x, m.MixK, before).Mixture);
        var v = m.V.Forward(c, forV);
        var a = c.Activation(ActivationKind.Sigmoid, m.Rate.Forward(c, Mix(c, x, m.MixA, before).Mixture));
        var g = m.Gate.Forward(c, Mix(c, x, m.MixG, before).Mixture, ActivationKind.Sigmoid);
        if (first is not null)
            v = c.Add(v, c.Multiply(c.Subtract(first, v),
                c.Activation(ActivationKind.Sigmoid, m.Value!.Forward(c, forV))));
        var kk = c.L2Normalize(c.Multiply(k, m.Direction).Reshape(heads)).Reshape(k.Shape);
        k = c.Multiply(k, c.Scale(c.Multiply(c.Scale(a, 1, -1), m.KeyRate), 1, 1)); // k (1 + (a - 1) k_a)
        var (y, S) = c.Wkv7(r, w, k, v, c.Scale(kk, -1), c.Multiply(kk, a), H, cache?.State(c, layer, 1));
        cache?.SetState(c, layer, 0, last);
        cache?.SetState(c, layer, 1, S);
        if (pass.Watch is { } watch)
            watch($"state{layer}.wkv", c.Transpose(S)); // [B, H, values, keys]
        y = c.GroupNorm(y.Reshape(new Shape((int)y.Shape.Rows, y.Shape.Columns)), m.HeadNorm.Weight,
            m.HeadNorm.Bias!, H, m.HeadNorm.Epsilon).Reshape(x.Shape);
        var bonus = c.Sum(c.Multiply(c.Multiply(r, k).Reshape(heads), m.Bonus), 3, keep: true); // [B, T, H, 1]
        y = c.Add(y, c.Multiply(v.Reshape(heads), bonus).Reshape(x.Shape));
        return (m.Output.Forward(c, c.Multiply(y, g)), v);
    }

    private Tensor MixChannels(Compute c, int layer, Tensor x, Pass pass)
    {
        var mixer = layers[layer].Channel;
        var (mixture, last) = Mix(c, x, mixer.Mix, pass.Cache?.State(c, layer, 2));
        pass.Cache?.SetState(c, layer, 2, last);
        return mixer.Value.Forward(c, c.Activation(ActivationKind.ReluSquared, mixer.Key.Forward(c, mixture)));
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, Stream(c, x));

    /// <summary>
    /// In outline as its author's program does: mixtures from the step before in the first channels to the step itself
    /// in the last, slow decays in the first channels and fast ones in the last, low-rank matrices that give nothing at
    /// first, branches that give nothing at first; other matrices uniform within 1 / (2 sqrt(in)), keys a tenth of
    /// that; token table N(0, 0.02).
    /// </summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        var (role, C) = (parameter.Parameter!.Role, config.Channels);
        var values = parameter.Data;
        string name = parameter.Name![(parameter.Name!.LastIndexOf("att.", StringComparison.Ordinal) is >= 0 and var at
            ? at + "att.".Length : 0)..];
        double depth = (parameter.Parameter.Block ?? 0) / (double)config.Layers;
        if (role == ParameterRole.ResidualOut || name is "w1" or "a1" or "v1" or "g1" or "r_k" or "a0")
            values.Clear();
        else if (name is "k_k" or "k_a" or "v0")
            values.Fill(name == "k_k" ? 0.7f : name == "k_a" ? 1 : 0.73f);
        else if (name == "w0")
            for (int i = 0; i < C; i++)
                values[i] = (float)(-5.5 + (6 * Math.Pow(i / Math.Max(1.0, C - 1), 1 + Math.Pow(depth, 0.3))));
        else if (role == ParameterRole.Recurrence)
            for (int i = 0; i < C; i++)
                values[i] = (float)(1 - Math.Pow(i / (double)C, MixPower(name) * (1 - depth)));
        else if (role == ParameterRole.Inner)
            Philox.Uniform(key, stream, (name == "key.weight" ? 0.05 : 0.5) / Math.Sqrt(parameter.Shape.Columns),
                values);
        else
            base.Initialize(parameter, key, stream);
    }

    private static double MixPower(string name) => name is "x_r" or "x_g" ? 0.2 : name is "x_w" or "x_a" ? 0.9 : 0.7;
}
