namespace Nano;

/// <summary>A tensor of a GGUF file and the parameters that it is made of.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Block">The number of its block, or null outside the blocks.</param>
/// <param name="Parameters">The parameters whose rows it holds above each other.</param>
/// <param name="IsStacked">True if they are matrices of experts, which have a dimension of their own.</param>
internal sealed record GgufEntry(string Name, int? Block, IReadOnlyList<DeclaredParameter> Parameters, bool IsStacked)
{
    /// <summary>Its shape, slowest dimension first.</summary>
    public long[] Sizes
    {
        get
        {
            long[] sizes = Parameters[0].Shape.ToArray();
            if (IsStacked)
                return [Parameters.Count, .. sizes];
            sizes[0] = Parameters.Sum(parameter => (long)parameter.Shape[0]);
            return sizes;
        }
    }
}

/// <summary>The names of parameters in GGUF files.</summary>
internal static class GgufNames
{
    private static readonly Dictionary<string, string> Outside = new(StringComparer.Ordinal)
    {
        ["wte"] = "token_embd",
        ["wpe"] = "position_embd",
        ["ln_f"] = "output_norm",
        ["model.embed_tokens"] = "token_embd",
        ["model.embed_positions"] = "position_embd",
        ["model.embed_norm"] = "token_embd_norm",
        ["model.norm"] = "output_norm",
        ["lm_head"] = "output",
    };

    private static readonly Dictionary<string, string> Inside = new(StringComparer.Ordinal)
    {
        ["ln_1"] = "attn_norm",
        ["attn.c_attn"] = "attn_qkv",
        ["attn.c_proj"] = "attn_output",
        ["ln_2"] = "ffn_norm",
        ["mlp.c_fc"] = "ffn_up",
        ["mlp.c_proj"] = "ffn_down",
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["self_attn.o_proj"] = "attn_output",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate"] = "ffn_gate_inp",
    };

    /// <summary>"model.layers.3.mlp.up_proj.weight" as "blk.3.ffn_up.weight".</summary>
    public static string Of(string parameter, ParameterFacts facts) => Of(parameter, facts, null).Name;

    /// <summary>The tensors of a model's file, in the order in which the model declares their parameters.</summary>
    public static IReadOnlyList<GgufEntry> Entries(ModelConfig config)
    {
        var decoder = config as DecoderConfig;
        var family = decoder is null ? null : GgufFamilies.Of(decoder);
        var other = family is null ? null : Others(family, decoder!);
        return [.. config.ParameterShapes().Select(parameter => (Parameter: parameter,
                Place: Of(parameter.Name, parameter.Facts, other)))
            .GroupBy(entry => entry.Place)
            .Select(group => new GgufEntry(group.Key.Name, group.First().Parameter.Facts.Block,
                [.. group.Select(entry => entry.Parameter)], group.Key.IsExpert))];
    }

    /// <summary>The name of a tensor with the matrix of one expert, as older files have it.</summary>
    public static string OfExpert(string stacked, int expert)
    {
        const string Stack = "_exps.";
        return stacked.Replace(Stack, $".{expert}.", StringComparison.Ordinal);
    }

    /// <summary>The names inside blocks that are not as in Llama.</summary>
    private static Dictionary<string, string> Others(GgufFamily family, DecoderConfig config)
    {
        var others = new Dictionary<string, string>(StringComparer.Ordinal);
        if (family.JoinsQkv)
            foreach (string part in (string[])["q", "k", "v"])
                others[$"self_attn.{part}_proj"] = "attn_qkv";
        if (family.JoinsGate)
            others["mlp.gate_proj"] = "ffn_up";
        if (config.Norms is NormPlacement.After or NormPlacement.Both)
        {
            others["post_attention_layernorm"] = "post_attention_norm";
            others["pre_feedforward_layernorm"] = "ffn_norm";
            others["post_feedforward_layernorm"] = "post_ffw_norm";
        }
        if (config.Family == DecoderFamily.FalconTwoNorms)
        {
            others["input_layernorm"] = "attn_norm_2";
            others["post_attention_layernorm"] = "attn_norm";
        }
        return others;
    }

    private static (string Name, bool IsExpert) Of(string parameter, ParameterFacts facts,
        Dictionary<string, string>? others)
    {
        int dot = parameter.LastIndexOf('.');
        string stem = parameter[..dot], kind = parameter[dot..];
        if (Outside.TryGetValue(stem, out string? name))
            return (name + kind, false);
        string block = $".{facts.Block}.";
        string part = stem[(stem.IndexOf(block, StringComparison.Ordinal) + block.Length)..];
        bool isExpert = part.Split('.') is ["mlp", "experts", _, _];
        if (isExpert)
            part = $"mlp.{part[(part.LastIndexOf('.') + 1)..]}";
        string inFile = others?.GetValueOrDefault(part) ?? Inside[part];
        return ($"blk{block}{inFile}{(isExpert ? "_exps" : "")}{kind}", isExpert);
    }
}
