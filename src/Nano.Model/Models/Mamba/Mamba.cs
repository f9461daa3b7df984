namespace Nano;

/// <summary>
/// Mamba (Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023) and Mamba-2 (Dao and
/// Gu, "Transformers are SSMs", 2024): blocks of one branch, x + mixer(norm(x)), without attention and MLP. The
/// mixer makes u and a gate; u, convolved with the few steps before and behind a SiLU, goes through a scan whose
/// step sizes, inputs and outputs depend on the text:
/// <para>
/// h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t; y_t = C_t . h_t + D u_t; the branch gives W (y silu(gate)).
/// </para>
/// Mamba makes dt, B and C of u, and each of its channels has step sizes and decays of its own. Mamba-2 makes them
/// together with u, convolves B and C too, has one step size and decay for each head of channels, and a norm behind the
/// gate. A state, the last inputs of the convolution and h, stands for the text so far.
/// </summary>
public sealed class Mamba : LanguageModel
{
    private sealed record Layer(Norm Norm, Linear In, Tensor Taps, Tensor? TapBias, Linear? ToScan, Linear? Step,
        Tensor? StepBias, Tensor LogA, Tensor D, Norm? GateNorm, Linear Out);

    private const string Backbone = "backbone.";
    private const double LeastStep = 0.001, LargestStep = 0.1, LargestDecay = 16;

    private readonly MambaConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Layer[] layers;
    private readonly Norm finalNorm;

    /// <summary>A model with parameters that are zero.</summary>
    public Mamba(MambaConfig config) : this(config, new Parameters())
    {
    }

    internal Mamba(MambaConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        tokenTable = parameters.Add(Backbone + "embeddings.weight",
            new(ParameterRole.Embedding, ModelComponent.Embedding), config.VocabSize, config.Channels);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = Declare(parameters, i);
        finalNorm = Norm.Declare(parameters, Backbone + "norm_f", null, config.Channels, NormKind.Rms,
            config.NormEpsilon);
        Head = config.TiedHead ? tokenTable : parameters.Add("lm_head.weight",
            new(ParameterRole.Head, ModelComponent.Head), config.VocabSize, config.Channels);
    }

    private Layer Declare(Parameters parameters, int i)
    {
        int C = config.Channels, I = config.Intermediate, N = config.StateSize;
        string layer = $"{Backbone}layers.{i}.", mixer = layer + "mixer.";
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, i);
        var vector = facts with { Role = ParameterRole.RecurrenceVector };
        var table = facts with { Role = ParameterRole.Recurrence };
        return new Layer(
            Norm.Declare(parameters, layer + "norm", i, C, NormKind.Rms, config.NormEpsilon),
            Linear.Declare(parameters, mixer + "in_proj", facts, C,
                config.IsMamba2 ? I + config.Convolved + config.Heads : 2 * I, config.Bias),
            parameters.Add(mixer + "conv1d.weight", table, config.Convolved, 1, config.Kernel),
            config.ConvolutionBias ? parameters.Add(mixer + "conv1d.bias", facts with { Role = ParameterRole.Bias },
                config.Convolved) : null,
            config.IsMamba2 ? null : Linear.Declare(parameters, mixer + "x_proj", facts, I, config.StepRank + (2 * N),
                bias: false),
            config.IsMamba2 ? null
                : Linear.Declare(parameters, mixer + "dt_proj", facts, config.StepRank, I, bias: true),
            config.IsMamba2 ? parameters.Add(mixer + "dt_bias", facts with { Role = ParameterRole.Bias }, config.Heads)
                : null,
            config.IsMamba2 ? parameters.Add(mixer + "A_log", vector, config.Heads)
                : parameters.Add(mixer + "A_log", table, I, N),
            parameters.Add(mixer + "D", vector, config.IsMamba2 ? config.Heads : I),
            config.IsMamba2 ? Norm.Declare(parameters, mixer + "norm", i, I, NormKind.Rms, config.NormEpsilon) : null,
            Linear.Declare(parameters, mixer + "out_proj", facts with { Role = ParameterRole.ResidualOut }, I, C,
                config.Bias));
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass) => c.Embedding(tokenTable, ids);

    /// <inheritdoc/>
    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        var (block, cache, I) = (layers[layer], pass.Cache, config.Intermediate);
        var input = block.In.Forward(c, block.Norm.Forward(c, x));
        var (u, gate) = config.IsMamba2 ? (input.SliceColumns(I, config.Convolved), input.SliceColumns(0, I))
            : (input.SliceColumns(0, I), input.SliceColumns(I, I)); // [B, T, I] and, of Mamba-2, B and C
        var (convolved, tail) = c.DepthwiseCausalConv(u, block.Taps, block.TapBias, cache?.State(c, layer, 0));
        u = c.Activation(ActivationKind.Silu, convolved);
        var (y, h) = config.IsMamba2
            ? ScanHeads(c, block, u, input.SliceColumns(I + config.Convolved, config.Heads), cache?.State(c, layer, 1))
            : ScanChannels(c, block, u, cache?.State(c, layer, 1));
        y = block.GateNorm is { } norm ? c.GatedRmsNorm(y, gate, norm.Weight, norm.Epsilon) : c.SwiGlu(gate, y);
        cache?.SetState(c, layer, 0, tail);
        cache?.SetState(c, layer, 1, h);
        if (pass.Watch is { } watch)
        {
            watch($"scan{layer}", y);
            watch($"state{layer}.conv", tail);
            watch($"state{layer}.ssm", c.Transpose(h)); // [B, I, N] or [B, H, D, N]
        }
        return AddBranch(c, x, block.Out.Forward(c, y), pass, layer);
    }

    /// <summary>The scan of Mamba over u [B, T, I], from a state h [B, N, I].</summary>
    private (Tensor Y, Tensor H) ScanChannels(Compute c, Layer block, Tensor u, Tensor? h)
    {
        int r = config.StepRank, N = config.StateSize;
        var made = block.ToScan!.Forward(c, u); // [B, T, r + 2 N]
        var dt = c.Activation(ActivationKind.Softplus, block.Step!.Forward(c, made.SliceColumns(0, r)));
        return c.SelectiveScan(u, dt, block.LogA, made.SliceColumns(r, N), made.SliceColumns(r + N, N), block.D, h,
            logA: true);
    }

    /// <summary>The scan of Mamba-2 over u [B, T, I + 2 G N], with dt [B, T, H], from a state h [B, H, N, D].</summary>
    private (Tensor Y, Tensor H) ScanHeads(Compute c, Layer block, Tensor u, Tensor dt, Tensor? h)
    {
        int I = config.Intermediate, width = config.Groups * config.StateSize;
        dt = c.Activation(ActivationKind.Softplus, c.Add(dt, block.StepBias!));
        return c.Ssd(u.SliceColumns(0, I), dt, block.LogA, u.SliceColumns(I, width), u.SliceColumns(I + width, width),
            config.Groups, block.D, h, logA: true);
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);

    /// <summary>
    /// As published: A = -1 .. -N in every channel (Mamba-2: uniform in -16 .. -1), D one, step sizes log-uniform in
    /// 0.001 .. 0.1 where their input is zero; matrices and taps uniform within 1 / sqrt(in), the last of a block
    /// divided by sqrt(L); token table N(0, 0.02).
    /// </summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        var role = parameter.Parameter!.Role;
        var values = parameter.Data;
        if (Array.Exists(layers, layer => layer.LogA == parameter))
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)Math.Log(1 + (config.IsMamba2
                    ? (LargestDecay - 1) * Philox.Uniform(key, stream, (ulong)i) : i % config.StateSize));
        else if (Array.Exists(layers, layer => (layer.StepBias ?? layer.Step?.Bias) == parameter))
            for (int i = 0; i < values.Length; i++)
            {
                double step = LeastStep * Math.Pow(LargestStep / LeastStep, Philox.Uniform(key, stream, (ulong)i));
                values[i] = (float)Math.Log(Math.Exp(step) - 1); // the inverse of softplus
            }
        else if (role == ParameterRole.RecurrenceVector)
            values.Fill(1);
        else if (role is ParameterRole.Inner or ParameterRole.ResidualOut or ParameterRole.Recurrence)
            Philox.Uniform(key, stream, 1 / Math.Sqrt(parameter.Shape.Columns
                * (role == ParameterRole.ResidualOut ? (double)config.Layers : 1)), values);
        else
            base.Initialize(parameter, key, stream);
    }
}
