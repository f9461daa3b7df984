namespace Nano.Bands;

/// <summary>
/// GPT-2 whose causal mask is off by one: each position also sees the next, and so the token that
/// it is to predict.
/// </summary>
internal sealed class LeakyGpt2 : LanguageModel
{
    private sealed record Layer(Norm Norm1, Linear Qkv, Linear AttentionOut, Norm Norm2, Linear Wide, Linear WideOut);

    private readonly Gpt2Config config;
    private readonly Tensor tokenTable, positionTable;
    private readonly Layer[] layers;
    private readonly Norm finalNorm;

    public LeakyGpt2(Gpt2Config config) : base(config, new Parameters())
    {
        this.config = config;
        int C = config.Channels;
        tokenTable = Parameters.Add("wte.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, C);
        positionTable = Parameters.Add("wpe.weight", new(ParameterRole.Position, ModelComponent.Embedding),
            config.ContextLength, C);
        layers = [.. Enumerable.Range(0, config.Layers).Select(NewLayer)];
        finalNorm = Norm("ln_f", null);

        Layer NewLayer(int i)
        {
            ParameterFacts attention = new(ParameterRole.Inner, ModelComponent.Attention, i);
            ParameterFacts mlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
            return new Layer(Norm($"h.{i}.ln_1", i),
                Matrix($"h.{i}.attn.c_attn", attention with { Parts = 3 }, C, 3 * C),
                Matrix($"h.{i}.attn.c_proj", attention with { Role = ParameterRole.ResidualOut }, C, C),
                Norm($"h.{i}.ln_2", i), Matrix($"h.{i}.mlp.c_fc", mlp, C, 4 * C),
                Matrix($"h.{i}.mlp.c_proj", mlp with { Role = ParameterRole.ResidualOut }, 4 * C, C));
        }

        Norm Norm(string name, int? block) => Nano.Norm.Declare(Parameters, name, block, C,
            config.Bias ? NormKind.Layer : NormKind.LayerWithoutBias, config.LayerNormEpsilon);
        Linear Matrix(string name, ParameterFacts facts, int inputs, int outputs) =>
            Linear.Declare(Parameters, name, facts, inputs, outputs, config.Bias);
    }

    protected override Tensor Head => tokenTable;

    protected override Tensor Embed(Compute c, Tensor ids, Pass pass) =>
        c.Add(c.Embedding(tokenTable, ids), positionTable.SliceRows(0, ids.Shape[1]));

    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        x = AddBranch(c, x, Attention(c, layers[layer], x), pass, 2 * layer);
        return AddBranch(c, x, Mlp(c, layers[layer], x), pass, (2 * layer) + 1);
    }

    private Tensor Attention(Compute c, Layer block, Tensor x)
    {
        int C = config.Channels, H = config.Heads, B = x.Shape[0], T = x.Shape[1];
        var normed = block.Norm1.Forward(c, x);
        var next = c.New(new Shape(B, T), DType.Int32); // keys and values come from one position later
        for (int i = 0; i < B * T; i++)
            next.Ids[i] = i % T == T - 1 ? i : i + 1;
        var (q, later) = (block.Qkv.Forward(c, normed).SliceColumns(0, C), block.Qkv
            .Forward(c, Gather(c, normed, next)));
        return block.AttentionOut
            .Forward(c, c.CausalAttention(q, later.SliceColumns(C, C), later.SliceColumns(2 * C, C), H, H));
    }

    /// <summary>Rows of x by index, and their gradients back at once: they are no lookups of a parameter.</summary>
    private static Tensor Gather(Compute c, Tensor x, Tensor rows) =>
        c.Embedding(x.Reshape(new Shape(x.Shape[0] * x.Shape[1], x.Shape[2])), rows);

    private Tensor Mlp(Compute c, Layer block, Tensor x) => block.WideOut
        .Forward(c, c.Activation(config.Gelu == GeluForm.Tanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf,
            block.Wide.Forward(c, block.Norm2.Forward(c, x))));

    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);
}
