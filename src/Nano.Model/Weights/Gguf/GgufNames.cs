namespace Nano;

/// <summary>The names of parameters in GGUF files.</summary>
internal static class GgufNames
{
    private static readonly Dictionary<string, string> Outside = new(StringComparer.Ordinal)
    {
        ["wte"] = "token_embd",
        ["wpe"] = "position_embd",
        ["ln_f"] = "output_norm",
        ["model.embed_tokens"] = "token_embd",
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
    };

    /// <summary>"model.layers.3.mlp.up_proj.weight" as "blk.3.ffn_up.weight".</summary>
    public static string Of(string parameter, ParameterFacts facts)
    {
        int dot = parameter.LastIndexOf('.');
        string stem = parameter[..dot], kind = parameter[dot..];
        if (Outside.TryGetValue(stem, out string? name))
            return name + kind;
        string block = $".{facts.Block}.";
        int inside = stem.IndexOf(block, StringComparison.Ordinal) + block.Length;
        return $"blk{block}{Inside[stem[inside..]]}{kind}";
    }
}
