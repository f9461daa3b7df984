#!/usr/bin/env python3
"""Make small model folders in the layouts of AutoGPTQ and AutoAWQ, with random codes.

  /usr/bin/python3 make_quant_folders.py            # writes quant_folders next to this script

The layouts, as their projects document them; K inputs, N outputs, G groups of a matrix, P = 32 / bits:
  GPTQ  qweight I32 [K / P, N]: bits b (k mod P) of word [k div P, n] are the code of input k, output n
        qzeros  I32 [G, N / P]: bits b (n mod P) of word [g, n div P] are the zero, less 1 (not in gptq_v2)
        scales  F16 [G, N], g_idx I32 [K]: the group of each input; weight = scale (code - zero)
  AWQ   qweight I32 [K, N / 8], qzeros I32 [G, N / 8], scales F16 [G, N]
        nibble i of a word is output 8 c + (0, 2, 4, 6, 1, 3, 5, 7)[i]; zeros as they are

digests.json has for every matrix SHA-256 of its rows [N, K] in float32, and its first eight numbers.
Needs numpy.
"""
import hashlib
import json
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
TYPES = {"float32": "F32", "float16": "F16", "int32": "I32"}
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 1, "hidden_size": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 40,
    "max_position_embeddings": 32, "rope_theta": 10000.0, "rms_norm_eps": 1e-05, "hidden_act": "silu",
    "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False, "torch_dtype": "float16",
    "bos_token_id": 1, "eos_token_id": 2,
}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2,
    "n_positions": 16, "vocab_size": 40, "layer_norm_epsilon": 1e-05, "activation_function": "gelu_new",
    "tie_word_embeddings": True, "torch_dtype": "float16", "bos_token_id": 0, "eos_token_id": 0,
}


def save(path, tensors):
    header, at = {}, 0
    for name, a in tensors.items():
        header[name] = {"dtype": TYPES[str(a.dtype)], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a).tobytes())


def words(values, bits):
    """Values [.., P] as one 32-bit word each row, the first in the lowest bits."""
    word = np.zeros(values.shape[:-1], np.uint64)
    for i in range(values.shape[-1]):
        word |= values[..., i].astype(np.uint64) << np.uint64(bits * i)
    return word.astype(np.uint32).view(np.int32)


def pack(layout, code, zero, bits):
    """Codes [K, N] and zeros [G, N] as words."""
    per, (K, N) = 32 // bits, code.shape
    if layout == "awq":
        along = lambda m: words(m.reshape(len(m), N // 8, 8)[:, :, AWQ_ORDER], 4)
        return along(code), along(zero)
    stored = (zero if layout == "gptq_v2" else (zero - 1) & (2 ** bits - 1))
    return (words(code.reshape(K // per, per, N).transpose(0, 2, 1), bits),
            words(stored.reshape(len(zero), N // per, per), bits))


def matrix(rng, K, N, layout, bits, group, ordered):
    groups = K // group
    code = rng.integers(0, 2 ** bits, (K, N))
    zero = rng.integers(0, 2 ** bits, (groups, N))
    zero[0, :2] = [0, 2 ** bits - 1]
    scale = rng.uniform(0.002, 0.02, (groups, N)).astype(np.float16) * np.float16(16 / 2 ** bits)
    of = np.arange(K) // group
    if ordered:
        of = rng.permutation(of)
    weight = scale.astype(np.float32)[of] * (code - zero[of]).astype(np.float32)
    qweight, qzeros = pack(layout, code, zero, bits)
    tensors = {"qweight": qweight, "qzeros": qzeros, "scales": scale}
    if layout != "awq":
        tensors["g_idx"] = of.astype(np.int32)
    return tensors, weight.T.astype(np.float32)


def folder(name, config, seed, layout, bits, group, ordered, quantisation):
    rng = np.random.default_rng(seed)
    is_gpt2 = config["model_type"] == "gpt2"
    C = config["n_embd"] if is_gpt2 else config["hidden_size"]
    V = config["vocab_size"]
    tensors, digests = {}, {}

    def plain(key, *shape, mean=0.0, deviation=0.1):
        tensors[key] = (mean + deviation * rng.standard_normal(shape)).astype(np.float16)

    def linear(key, K, N, bias=False):
        packed, weight = matrix(rng, K, N, layout, bits, K if group == -1 else group, ordered)
        for part, a in packed.items():
            tensors[f"{key}.{part}"] = a
        parameter = key.removeprefix("transformer.") + ".weight"
        digests[parameter] = {"shape": [N, K], "sha256": hashlib.sha256(weight.tobytes()).hexdigest(),
                              "first": [float(x) for x in weight.ravel()[:8]]}
        if bias:
            plain(key + ".bias", N)

    if is_gpt2:
        plain("transformer.wte.weight", V, C)
        plain("transformer.wpe.weight", config["n_positions"], C)
        for norm in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
            plain(f"transformer.{norm}.weight", C, mean=1.0)
            plain(f"transformer.{norm}.bias", C)
        for key, K, N in (("attn.c_attn", C, 3 * C), ("attn.c_proj", C, C), ("mlp.c_fc", C, 4 * C),
                          ("mlp.c_proj", 4 * C, C)):
            linear(f"transformer.h.0.{key}", K, N, bias=True)
    else:
        D, H, KV, I = C // 4, 4, 2, config["intermediate_size"]
        plain("model.embed_tokens.weight", V, C)
        plain("lm_head.weight", V, C)
        for norm in ("layers.0.input_layernorm", "layers.0.post_attention_layernorm", "norm"):
            plain(f"model.{norm}.weight", C, mean=1.0)
        for key, K, N in (("self_attn.q_proj", C, H * D), ("self_attn.k_proj", C, KV * D),
                          ("self_attn.v_proj", C, KV * D), ("self_attn.o_proj", H * D, C),
                          ("mlp.gate_proj", C, I), ("mlp.up_proj", C, I), ("mlp.down_proj", I, C)):
            linear(f"model.layers.0.{key}", K, N)
    path = os.path.join(HERE, "quant_folders", name)
    os.makedirs(path, exist_ok=True)
    save(os.path.join(path, "model.safetensors"), tensors)
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump({**config, "quantization_config": quantisation}, f, indent=2)
        f.write("\n")
    return digests


def main():
    gptq = {"quant_method": "gptq", "damp_percent": 0.01, "sym": False, "true_sequential": True}
    awq = {"quant_method": "awq", "version": "gemm", "zero_point": True, "modules_to_not_convert": None}
    made = {
        "gptq4": folder("gptq4", LLAMA, 1, "gptq", 4, 32, False,
                        {**gptq, "bits": 4, "group_size": 32, "desc_act": False}),
        "gptq8_ordered": folder("gptq8_ordered", LLAMA, 2, "gptq_v2", 8, 32, True,
                                {**gptq, "bits": 8, "group_size": 32, "desc_act": True,
                                 "checkpoint_format": "gptq_v2"}),
        "awq4": folder("awq4", LLAMA, 3, "awq", 4, 32, False, {**awq, "bits": 4, "group_size": 32}),
        "gpt2_gptq8": folder("gpt2_gptq8", GPT2, 4, "gptq", 8, -1, False,
                             {**gptq, "bits": 8, "group_size": -1, "desc_act": False, "checkpoint_format": "gptq"}),
    }
    with open(os.path.join(HERE, "quant_folders", "digests.json"), "w") as f:
        json.dump(made, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
