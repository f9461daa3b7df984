namespace Nano;

/// <summary>The part of a decoder's block in which positions meet: attention, or what stands in its place.</summary>
internal interface IMixer
{
    /// <summary>x [B, T, C], normed, to what is added to the residual stream [B, T, C]. A cache is extended.</summary>
    Tensor Forward(Compute c, Tensor x, Pass pass);
}

/// <summary>The sizes of a Mamba's mixer.</summary>
/// <param name="Width">I, its channels; all heads together.</param>
/// <param name="StateSize">N, numbers of state for each channel.</param>
/// <param name="Kernel">K, steps that the convolution sees.</param>
/// <param name="NormEpsilon">Added to the mean square in its norms.</param>
public sealed record MixerConfig(int Width, int StateSize, int Kernel, float NormEpsilon)
{
    /// <summary>Rank of the matrix that makes step sizes, in Mamba.</summary>
    public int StepRank { get; init; } = 1;

    /// <summary>Heads with a matrix of state each, in Mamba-2; 0 in Mamba, whose channels have a vector each.</summary>
    public int Heads { get; init; }

    /// <summary>G: groups of heads that share B and C, in Mamba-2.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>True if the convolution has a bias.</summary>
    public bool ConvolutionBias { get; init; } = true;

    /// <summary>True if the first and the last matrix have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>True if step sizes, inputs and outputs of the state pass norms (Jamba).</summary>
    public bool NormsInputs { get; init; }

    /// <summary>Channels of the convolution: of Mamba-2 also those of B and C.</summary>
    internal int Convolved => Heads > 0 ? Width + (2 * Groups * StateSize) : Width;

    /// <summary>The shapes of what stands for the text so far: the last inputs of the convolution, and h.</summary>
    internal IReadOnlyList<Shape> StateShapes =>
    [
        new(Kernel - 1, Convolved),
        Heads > 0 ? new(Heads, StateSize, Width / Heads) : new(StateSize, Width),
    ];

    /// <summary>Arithmetic of the scan for one token, forward and backward.</summary>
    internal double ScanFlops => Width * ((Heads > 0 ? 21.0 : 27.0) * StateSize);
}

/// <summary>
/// The mixer of Mamba and Mamba-2, in <see cref="Mamba"/> and in decoders whose layers are some attention and some
/// mixers. It makes u and a gate; u, convolved with the few steps before and behind a SiLU, goes through a scan whose
/// step sizes, inputs and outputs depend on the text:
/// <para>
/// h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t; y_t = C_t . h_t + D u_t; the mixer gives W (y silu(gate)).
/// </para>
/// Mamba makes dt, B and C of u, and each of its channels has step sizes and decays of its own. Mamba-2 makes them
/// together with u, convolves B and C too, has one step size and decay for each head of channels, and a norm behind the
/// gate. A state, the last inputs of the convolution and h, stands for the text so far.
/// </summary>
internal sealed class MambaMixer : IMixer
{
    private const double LeastStep = 0.001, LargestStep = 0.1, LargestDecay = 16;

    private readonly MixerConfig config;
    private readonly int layer;
    private readonly Linear input, output;
    private readonly Linear? toScan, step;
    private readonly Tensor taps, logA, skip;
    private readonly Tensor? tapBias, stepBias;
    private readonly Norm? stepNorm, inNorm, outNorm, gateNorm;

    /// <summary>Declares NAME.in_proj and so on.</summary>
    public MambaMixer(MixerConfig config, Parameters parameters, int layer, string name, int channels)
    {
        (this.config, this.layer) = (config, layer);
        int C = channels, I = config.Width, N = config.StateSize, H = config.Heads;
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, layer);
        var vector = facts with { Role = ParameterRole.RecurrenceVector };
        var table = facts with { Role = ParameterRole.Recurrence };
        input = Linear.Declare(parameters, name + ".in_proj", facts, C, H > 0 ? I + config.Convolved + H : 2 * I,
            config.Bias);
        taps = parameters.Add(name + ".conv1d.weight", table, config.Convolved, 1, config.Kernel);
        tapBias = config.ConvolutionBias ? parameters.Add(name + ".conv1d.bias",
            facts with { Role = ParameterRole.Bias }, config.Convolved) : null;
        if (H == 0)
        {
            toScan = Linear.Declare(parameters, name + ".x_proj", facts, I, config.StepRank + (2 * N), bias: false);
            step = Linear.Declare(parameters, name + ".dt_proj", facts, config.StepRank, I, bias: true);
        }
        else
            stepBias = parameters.Add(name + ".dt_bias", facts with { Role = ParameterRole.Bias }, H);
        logA = H > 0 ? parameters.Add(name + ".A_log", vector, H) : parameters.Add(name + ".A_log", table, I, N);
        skip = parameters.Add(name + ".D", vector, H > 0 ? H : I);
        if (H > 0)
            gateNorm = Norm("norm", I);
        if (config.NormsInputs)
            (stepNorm, inNorm, outNorm) = (Norm("dt_layernorm", config.StepRank), Norm("b_layernorm", N),
                Norm("c_layernorm", N));
        output = Linear.Declare(parameters, name + ".out_proj", facts with { Role = ParameterRole.ResidualOut }, I, C,
            config.Bias);

        Norm Norm(string part, int width) => Nano.Norm.Declare(parameters, $"{name}.{part}", layer, width, NormKind.Rms,
            config.NormEpsilon);
    }

    /// <inheritdoc/>
    public Tensor Forward(Compute c, Tensor x, Pass pass)
    {
        var (cache, I, isMamba2) = (pass.Cache, config.Width, config.Heads > 0);
        var made = input.Forward(c, x);
        var (u, gate) = isMamba2 ? (made.SliceColumns(I, config.Convolved), made.SliceColumns(0, I))
            : (made.SliceColumns(0, I), made.SliceColumns(I, I)); // [B, T, I] and, of Mamba-2, B and C
        var (convolved, tail) = c.DepthwiseCausalConv(u, taps, tapBias, cache?.State(c, layer, 0));
        u = c.Activation(ActivationKind.Silu, convolved);
        var (y, h) = isMamba2
            ? ScanHeads(c, u, made.SliceColumns(I + config.Convolved, config.Heads), cache?.State(c, layer, 1))
            : ScanChannels(c, u, cache?.State(c, layer, 1));
        y = gateNorm is { } norm ? c.GatedRmsNorm(y, gate, norm.Weight, norm.Epsilon) : c.SwiGlu(gate, y);
        cache?.SetState(c, layer, 0, tail);
        cache?.SetState(c, layer, 1, h);
        if (pass.Watch is { } watch)
        {
            watch($"scan{layer}", y);
            watch($"state{layer}.conv", tail);
            watch($"state{layer}.ssm", c.Transpose(h)); // [B, I, N] or [B, H, D, N]
        }
        return output.Forward(c, y);
    }

    /// <summary>The scan of Mamba over u [B, T, I], from a state h [B, N, I].</summary>
    private (Tensor Y, Tensor H) ScanChannels(Compute c, Tensor u, Tensor? h)
    {
        int r = config.StepRank, N = config.StateSize;
        var made = toScan!.Forward(c, u); // [B, T, r + 2 N]
        var (steps, inputs, outputs) = (made.SliceColumns(0, r), made.SliceColumns(r, N), made.SliceColumns(r + N, N));
        if (config.NormsInputs)
            (steps, inputs, outputs) = (stepNorm!.Forward(c, c.Contiguous(steps)),
                inNorm!.Forward(c, c.Contiguous(inputs)), outNorm!.Forward(c, c.Contiguous(outputs)));
        var dt = c.Activation(ActivationKind.Softplus, step!.Forward(c, steps));
        return c.SelectiveScan(u, dt, logA, inputs, outputs, skip, h, logA: true);
    }

    /// <summary>The scan of Mamba-2 over u [B, T, I + 2 G N], with dt [B, T, H], from a state h [B, H, N, D].</summary>
    private (Tensor Y, Tensor H) ScanHeads(Compute c, Tensor u, Tensor dt, Tensor? h)
    {
        int I = config.Width, width = config.Groups * config.StateSize;
        dt = c.Activation(ActivationKind.Softplus, c.Add(dt, stepBias!));
        return c.Ssd(u.SliceColumns(0, I), dt, logA, u.SliceColumns(I, width), u.SliceColumns(I + width, width),
            config.Groups, skip, h, logA: true);
    }

    /// <summary>
    /// Initial values of a parameter as published, if it is one of those whose role does not tell them: A = -1 .. -N in
    /// every channel (Mamba-2: uniform in -16 .. -1), step sizes log-uniform in 0.001 .. 0.1 where their input is zero.
    /// </summary>
    public bool Initializes(Tensor parameter, ulong key, ulong stream)
    {
        var values = parameter.Data;
        if (parameter == logA)
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)Math.Log(1 + (config.Heads > 0
                    ? (LargestDecay - 1) * Philox.Uniform(key, stream, (ulong)i) : i % config.StateSize));
        else if (parameter == (stepBias ?? step?.Bias))
            for (int i = 0; i < values.Length; i++)
            {
                double size = LeastStep * Math.Pow(LargestStep / LeastStep, Philox.Uniform(key, stream, (ulong)i));
                values[i] = (float)Math.Log(Math.Exp(size) - 1); // the inverse of softplus
            }
        else if (parameter == skip)
            values.Fill(1);
        else if (parameter == taps)
            Philox.Uniform(key, stream, 1 / Math.Sqrt(config.Kernel), values);
        else
            return false;
        return true;
    }
}
