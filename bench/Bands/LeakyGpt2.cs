namespace Nano.Bands;

/// <summary>GPT-2 whose causal mask is off by one: each position also sees the next, and so the token that it is to predict.</summary>
internal sealed class LeakyGpt2 : LanguageModel
{
    private sealed record Block(LayerNorm Norm1, Linear Qkv, Linear AttentionOut, LayerNorm Norm2, Linear Wide, Linear WideOut);

    private readonly Gpt2Config config;
    private readonly Tensor tokenTable, positionTable;
    private readonly Block[] blocks;
    private readonly LayerNorm finalNorm;

    public LeakyGpt2(Gpt2Config config) : base(config, new Parameters())
    {
        this.config = config;
        int C = config.Channels;
        tokenTable = Parameters.Add("wte.weight", config.VocabSize, C);
        positionTable = Parameters.Add("wpe.weight", config.ContextLength, C);
        blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new Block(Norm($"h.{i}.ln_1"), Matrix($"h.{i}.attn.c_attn", C, 3 * C), Matrix($"h.{i}.attn.c_proj", C, C),
            Norm($"h.{i}.ln_2"), Matrix($"h.{i}.mlp.c_fc", C, 4 * C), Matrix($"h.{i}.mlp.c_proj", 4 * C, C)))];
        finalNorm = Norm("ln_f");

        LayerNorm Norm(string name) => LayerNorm.Declare(Parameters, name, C, config.Bias, config.LayerNormEpsilon);
        Linear Matrix(string name, int inputs, int outputs) => Linear.Declare(Parameters, name, inputs, outputs, config.Bias);
    }

    protected override Tensor Head => tokenTable;

    protected override Tensor Embed(Compute c, Tensor ids, KvCache? cache, Segments? segments) => c.Add(c.Embedding(tokenTable, ids), positionTable.SliceRows(0, ids.Shape[1]));

    protected override Tensor Attention(Compute c, int layer, Tensor x, KvCache? cache, Segments? segments)
    {
        int C = config.Channels, H = config.Heads, B = x.Shape[0], T = x.Shape[1];
        var block = blocks[layer];
        var normed = block.Norm1.Forward(c, x);
        var next = c.New(new Shape(B, T), DType.Int32); // keys and values come from one position later
        for (int i = 0; i < B * T; i++)
            next.Ids[i] = i % T == T - 1 ? i : i + 1;
        var (q, later) = (block.Qkv.Forward(c, normed).SliceColumns(0, C), block.Qkv.Forward(c, Gather(c, normed, next)));
        return block.AttentionOut.Forward(c, c.CausalAttention(q, later.SliceColumns(C, C), later.SliceColumns(2 * C, C), H, H));
    }

    /// <summary>Rows of x by index, and their gradients back at once: they are no lookups of a parameter.</summary>
    private static Tensor Gather(Compute c, Tensor x, Tensor rows) => c.Embedding(x.Reshape(new Shape(x.Shape[0] * x.Shape[1], x.Shape[2])), rows);

    protected override Tensor Mlp(Compute c, int layer, Tensor x)
    {
        var block = blocks[layer];
        return block.WideOut.Forward(c, c.Activation(config.Gelu == GeluForm.Tanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf, block.Wide.Forward(c, block.Norm2.Forward(c, x))));
    }

    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);

    protected override bool EntersResidual(string parameter) => parameter.EndsWith("c_proj.weight", StringComparison.Ordinal);
}
