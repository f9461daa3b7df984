namespace Nano;

/// <summary>
/// Mamba's layers with step sizes, inputs and outputs of the scan that are parameters and do not depend on the text:
/// linear systems that do not change with time (S4; Gu et al., 2021), to compare with.
/// <para>A batch: input_ids and targets [B, T].</para>
/// </summary>
internal sealed class ConstantScans : Model
{
    private const double LeastStep = 0.001, LargestStep = 0.1;

    private sealed record Sizes(int Vocabulary, int Layers, int Channels, int Wide, int States, int Kernel)
        : ArchitectureConfig
    {
        public override string ModelType => "constant_scans";

        internal override int Depth => Layers;

        internal override Model NewModel(Parameters parameters) => throw new NotSupportedException();

        protected internal override string? Problem() => null;

        public override IEnumerable<(string Name, string Value)> Describe() => [];

        protected override void WriteTo(System.Text.Json.Utf8JsonWriter json) => throw new NotSupportedException();
    }

    private sealed record Layer(Norm Norm, Linear In, Tensor Taps, Tensor TapBias, Tensor StepBias, Tensor LogA,
        Tensor Through, Tensor D, Linear Out);

    private readonly Tensor table; // [V, C]
    private readonly Layer[] layers;
    private readonly Norm finalNorm;
    private readonly Linear head;

    public ConstantScans(int vocabulary, int count, int channels, int wide, int states, int kernel)
        : base(new Sizes(vocabulary, count, channels, wide, states, kernel), new Parameters())
    {
        ParameterFacts inner = new(ParameterRole.Inner, ModelComponent.Attention);
        table = Parameters.Add("table", new(ParameterRole.Embedding, ModelComponent.Embedding), vocabulary, channels);
        layers = [.. Enumerable.Range(0, count).Select(i => new Layer(
            Norm.Declare(Parameters, $"{i}.norm", i, channels, NormKind.Rms, 1e-5f),
            Linear.Declare(Parameters, $"{i}.in", inner, channels, 2 * wide, bias: false),
            Parameters.Add($"{i}.taps", inner, wide, 1, kernel),
            Parameters.Add($"{i}.tap_bias", inner with { Role = ParameterRole.Bias }, wide),
            Parameters.Add($"{i}.step", inner with { Role = ParameterRole.Bias }, wide),
            Parameters.Add($"{i}.log_a", inner with { Role = ParameterRole.Recurrence }, wide, states),
            Parameters.Add($"{i}.through", inner with { Role = ParameterRole.Recurrence }, 2, states),
            Parameters.Add($"{i}.d", inner with { Role = ParameterRole.RecurrenceVector }, wide),
            Linear.Declare(Parameters, $"{i}.out", inner, wide, channels, bias: false)))];
        finalNorm = Norm.Declare(Parameters, "norm", null, channels, NormKind.Rms, 1e-5f);
        head = Linear.Declare(Parameters, "head", new(ParameterRole.Head, ModelComponent.Head), channels, vocabulary,
            bias: true);
    }

    /// <inheritdoc/>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        var values = parameter.Data;
        if (Array.Find(layers, layer => layer.LogA == parameter) is not null)
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)Math.Log(1 + (i % parameter.Shape.Columns));
        else if (Array.Find(layers, layer => layer.StepBias == parameter) is not null)
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)Math.Log(Math.Exp(LeastStep
                    * Math.Pow(LargestStep / LeastStep, Philox.Uniform(key, stream, (ulong)i))) - 1);
        else if (Array.Find(layers, layer => layer.D == parameter) is not null)
            values.Fill(1);
        else if (Array.Find(layers, layer => layer.Through == parameter) is not null)
            Philox.Normal(key, stream, 0.5, values);
        else if (parameter.Parameter!.Role == ParameterRole.Inner)
            Philox.Uniform(key, stream, 1 / Math.Sqrt(parameter.Shape.Columns), values);
        else
            base.Initialize(parameter, key, stream);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var x = c.Embedding(table, batch["input_ids"]);
        foreach (Layer layer in layers)
            x = c.Add(x, Mix(c, layer, layer.Norm.Forward(c, x)));
        var logits = head.Forward(c, finalNorm.Forward(c, x));
        watch?.Invoke("logits", logits);
        return c.CrossEntropy(logits, batch["targets"]).Loss;
    }

    private static Tensor Mix(Compute c, Layer layer, Tensor x)
    {
        int wide = layer.D.Shape[0], N = layer.LogA.Shape[1];
        var input = layer.In.Forward(c, x); // [B, T, 2 I]
        var u = c.Activation(ActivationKind.Silu,
            c.DepthwiseCausalConv(input.SliceColumns(0, wide), layer.Taps, layer.TapBias).Y);
        Shape ofScan = u.Shape.WithColumns(N), one = new(1, 1, N);
        var steps = c.Expand(c.Activation(ActivationKind.Softplus, layer.StepBias.Reshape(new Shape(1, 1, wide))),
            u.Shape);
        var y = c.SelectiveScan(u, steps, layer.LogA, c.Expand(layer.Through.SliceRows(0, 1).Reshape(one), ofScan),
            c.Expand(layer.Through.SliceRows(1, 1).Reshape(one), ofScan), layer.D, logA: true).Y;
        return layer.Out.Forward(c, c.SwiGlu(input.SliceColumns(wide, wide), y));
    }
}
