#!/usr/bin/env python3
"""Golden values of more decoders (zoo_more/): OPT, GPT-1, StarCoder, StarCoder2, SmolLM3, Cohere 2, Jamba.

Each forward pass is written from the model's paper and the published definition of its files (tensor names, layouts,
places of norms). Rules and machinery as in make_goldens.py, which lies beside this file: truth in float64, the error of
float32 PyTorch beside it.

  /usr/bin/python3 make_zoo_more.py [--out zoo_more] [NAME...]
"""
import argparse
import json
import math
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_goldens as m  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from make_goldens import F32, F64, Builtin, Rand, Ref, err, join_heads, rms_norm, rope, split_heads  # noqa: E402

LEAST_LEAD = 1e-3


# ------------------------------------------------------------------ parameters

class Table(dict):
    """Shapes, deviations and means by name; deviations are large, so that every parameter matters."""

    def linear(self, name, outputs, inputs, bias=True, transposed=False):
        self[name + ".weight"] = ((inputs, outputs) if transposed else (outputs, inputs), 1 / math.sqrt(inputs), 0.0)
        if bias:
            self[name + ".bias"] = ((outputs,), 0.1, 0.0)

    def norm(self, name, width, bias=True):
        self[name + ".weight"] = ((width,), 0.2, 1.0)
        if bias:
            self[name + ".bias"] = ((width,), 0.1, 0.0)

    def rows(self, name, count, width, deviation=0.5):
        self[name] = ((count, width), deviation, 0.0)


# ------------------------------------------------------------------ parts

def linear(O, P, name, x):
    return O.linear(x, P[name + ".weight"], P.get(name + ".bias"))


def conv1d(O, P, name, x):
    """GPT's Conv1D: the weight is [in, out]."""
    return x @ P[name + ".weight"] + P[name + ".bias"]


def layer_norm(O, P, name, x, eps):
    w = P[name + ".weight"]
    return O.layer_norm(x, w, P.get(name + ".bias", torch.zeros_like(w)), eps)


def attend(O, q, k, v, window=0):
    """q [B,H,T,D]; k, v [B,KV,T,D]; query i sees the keys i-window+1 .. i, or all up to i."""
    group, T = q.shape[1] // k.shape[1], q.shape[2]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    i, j = torch.arange(T)[:, None], torch.arange(T)[None]
    seen = (j <= i) & (j > i - window) if window else j <= i
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf)
    return join_heads(O.softmax(scores) @ v)


def tied(O, P, table, x):
    return O.linear(x, P[table])


# ------------------------------------------------------------------ models

def opt_table(c):
    t, C, I = Table(), c["hidden_size"], c["ffn_dim"]
    t.rows("model.decoder.embed_tokens.weight", c["vocab_size"], C)
    t.rows("model.decoder.embed_positions.weight", c["max_position_embeddings"] + 2, C, 0.3)
    for i in range(c["num_hidden_layers"]):
        b = f"model.decoder.layers.{i}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            t.linear(b + "self_attn." + name, C, C)
        t.norm(b + "self_attn_layer_norm", C)
        t.linear(b + "fc1", I, C)
        t.linear(b + "fc2", C, I)
        t.norm(b + "final_layer_norm", C)
    t.norm("model.decoder.final_layer_norm", C)
    return t


def opt(O, P, c, ids):
    """Zhang et al., "OPT: Open Pre-trained Transformer Language Models", 2022."""
    H, eps, acts = c["num_attention_heads"], 1e-5, {}
    x = P["model.decoder.embed_tokens.weight"][ids]
    x = x + P["model.decoder.embed_positions.weight"][torch.arange(ids.shape[1]) + 2]
    acts["act.embed"] = x
    for i in range(c["num_hidden_layers"]):
        b = f"model.decoder.layers.{i}."
        y = layer_norm(O, P, b + "self_attn_layer_norm", x, eps)
        q, k, v = (split_heads(linear(O, P, b + f"self_attn.{n}_proj", y), H) for n in "qkv")
        x = x + linear(O, P, b + "self_attn.out_proj", attend(O, q, k, v))
        y = layer_norm(O, P, b + "final_layer_norm", x, eps)
        x = x + linear(O, P, b + "fc2", torch.relu(linear(O, P, b + "fc1", y)))
        acts[f"act.block{i}"] = x
    x = acts["act.final_norm"] = layer_norm(O, P, "model.decoder.final_layer_norm", x, eps)
    return tied(O, P, "model.decoder.embed_tokens.weight", x), acts


def gpt1_table(c):
    t, C = Table(), c["n_embd"]
    t.rows("transformer.tokens_embed.weight", c["vocab_size"], C)
    t.rows("transformer.positions_embed.weight", c["n_positions"], C, 0.3)
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        t.linear(b + "attn.c_attn", 3 * C, C, transposed=True)
        t.linear(b + "attn.c_proj", C, C, transposed=True)
        t.norm(b + "ln_1", C)
        t.linear(b + "mlp.c_fc", 4 * C, C, transposed=True)
        t.linear(b + "mlp.c_proj", C, 4 * C, transposed=True)
        t.norm(b + "ln_2", C)
    return t


def gpt1(O, P, c, ids):
    """Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018."""
    H, C, eps, acts = c["n_head"], c["n_embd"], c["layer_norm_epsilon"], {}
    x = P["transformer.tokens_embed.weight"][ids] + P["transformer.positions_embed.weight"][: ids.shape[1]]
    acts["act.embed"] = x
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        q, k, v = (split_heads(s, H) for s in conv1d(O, P, b + "attn.c_attn", x).split(C, -1))
        x = layer_norm(O, P, b + "ln_1", x + conv1d(O, P, b + "attn.c_proj", attend(O, q, k, v)), eps)
        y = conv1d(O, P, b + "mlp.c_proj", O.gelu_tanh(conv1d(O, P, b + "mlp.c_fc", x)))
        x = acts[f"act.block{i}"] = layer_norm(O, P, b + "ln_2", x + y, eps)
    acts["act.final_norm"] = x
    return tied(O, P, "transformer.tokens_embed.weight", x), acts


def starcoder_table(c):
    t, C, I = Table(), c["n_embd"], c["n_inner"]
    keys = C // c["n_head"] if c["multi_query"] else C
    t.rows("transformer.wte.weight", c["vocab_size"], C)
    t.rows("transformer.wpe.weight", c["n_positions"], C, 0.3)
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        t.norm(b + "ln_1", C)
        t.linear(b + "attn.c_attn", C + 2 * keys, C)
        t.linear(b + "attn.c_proj", C, C)
        t.norm(b + "ln_2", C)
        t.linear(b + "mlp.c_fc", I, C)
        t.linear(b + "mlp.c_proj", C, I)
    t.norm("transformer.ln_f", C)
    return t


def starcoder(O, P, c, ids):
    """Li et al., "StarCoder: may the source be with you!", 2023 (gpt_bigcode)."""
    H, C, eps, acts = c["n_head"], c["n_embd"], c["layer_norm_epsilon"], {}
    D = C // H
    x = P["transformer.wte.weight"][ids] + P["transformer.wpe.weight"][: ids.shape[1]]
    acts["act.embed"] = x
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        f = linear(O, P, b + "attn.c_attn", layer_norm(O, P, b + "ln_1", x, eps))
        if c["multi_query"]:
            q, k, v = (split_heads(s, n) for s, n in zip(f.split([C, D, D], -1), (H, 1, 1)))
        else:  # rows [H, 3 D]
            q, k, v = split_heads(f, H).split(D, -1)
        x = x + linear(O, P, b + "attn.c_proj", attend(O, q, k, v))
        y = O.gelu_tanh(linear(O, P, b + "mlp.c_fc", layer_norm(O, P, b + "ln_2", x, eps)))
        x = acts[f"act.block{i}"] = x + linear(O, P, b + "mlp.c_proj", y)
    x = acts["act.final_norm"] = layer_norm(O, P, "transformer.ln_f", x, eps)
    return tied(O, P, "transformer.wte.weight", x), acts


def rotary_table(c, layer_bias, norm_bias, second_norm, up, gated):
    t, C, I = Table(), c["hidden_size"], c["intermediate_size"]
    D = C // c["num_attention_heads"]
    t.rows("model.embed_tokens.weight", c["vocab_size"], C)
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        t.norm(b + "input_layernorm", C, norm_bias)
        for name, heads in zip("qkv", (c["num_attention_heads"],) + (c["num_key_value_heads"],) * 2):
            t.linear(b + f"self_attn.{name}_proj", heads * D, C, layer_bias)
        t.linear(b + "self_attn.o_proj", C, C, layer_bias)
        if second_norm:
            t.norm(b + "post_attention_layernorm", C, norm_bias)
        if gated:
            t.linear(b + "mlp.gate_proj", I, C, False)
        t.linear(b + "mlp." + up[0], I, C, layer_bias)
        t.linear(b + "mlp." + up[1], C, I, layer_bias)
    t.norm("model.norm", C, norm_bias)
    return t


def heads(O, P, c, b, y):
    H, KV = c["num_attention_heads"], c["num_key_value_heads"]
    return [split_heads(linear(O, P, b + f"self_attn.{n}_proj", y), h) for n, h in (("q", H), ("k", KV), ("v", KV))]


def starcoder2_table(c):
    return rotary_table(c, True, True, True, ("c_fc", "c_proj"), False)


def starcoder2(O, P, c, ids):
    """Lozhkov et al., "StarCoder 2 and The Stack v2", 2024."""
    eps, acts, pos = c["norm_epsilon"], {}, torch.arange(ids.shape[1])
    x = acts["act.embed"] = P["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        q, k, v = heads(O, P, c, b, layer_norm(O, P, b + "input_layernorm", x, eps))
        q, k = rope(q, pos, c["rope_theta"]), rope(k, pos, c["rope_theta"])
        x = x + linear(O, P, b + "self_attn.o_proj", attend(O, q, k, v, c["sliding_window"]))
        y = layer_norm(O, P, b + "post_attention_layernorm", x, eps)
        x = x + linear(O, P, b + "mlp.c_proj", O.gelu_tanh(linear(O, P, b + "mlp.c_fc", y)))
        acts[f"act.block{i}"] = x
    x = acts["act.final_norm"] = layer_norm(O, P, "model.norm", x, eps)
    return tied(O, P, "model.embed_tokens.weight", x), acts


def gated(O, P, b, y):
    return linear(O, P, b + "down_proj", O.silu(linear(O, P, b + "gate_proj", y)) * linear(O, P, b + "up_proj", y))


def smollm3_table(c):
    return rotary_table(c, False, False, True, ("up_proj", "down_proj"), True)


def smollm3(O, P, c, ids):
    """SmolLM3 (2025): Llama; layers whose entry of no_rope_layers is 0 have no positions."""
    eps, acts, pos = c["rms_norm_eps"], {}, torch.arange(ids.shape[1])
    x = acts["act.embed"] = P["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        q, k, v = heads(O, P, c, b, rms_norm(x, P[b + "input_layernorm.weight"], eps))
        if c["no_rope_layers"][i]:
            q, k = rope(q, pos, c["rope_theta"]), rope(k, pos, c["rope_theta"])
        x = x + linear(O, P, b + "self_attn.o_proj", attend(O, q, k, v))
        x = x + gated(O, P, b + "mlp.", rms_norm(x, P[b + "post_attention_layernorm.weight"], eps))
        acts[f"act.block{i}"] = x
    x = acts["act.final_norm"] = rms_norm(x, P["model.norm.weight"], eps)
    return tied(O, P, "model.embed_tokens.weight", x), acts


def cohere2_table(c):
    return rotary_table(c, False, False, False, ("up_proj", "down_proj"), True)


def cohere2(O, P, c, ids):
    """Cohere 2 (2024): parallel branches behind one norm; layers with a window rotate neighbours, the others nothing."""
    eps, acts, pos = c["layer_norm_eps"], {}, torch.arange(ids.shape[1])
    x = acts["act.embed"] = P["model.embed_tokens.weight"][ids]
    for i, kind in enumerate(c["layer_types"]):
        b = f"model.layers.{i}."
        y = layer_norm(O, P, b + "input_layernorm", x, eps)
        q, k, v = heads(O, P, c, b, y)
        window = c["sliding_window"] if kind == "sliding_attention" else 0
        if window:
            q, k = (rope(s, pos, c["rope_theta"], "interleaved") for s in (q, k))
        x = x + linear(O, P, b + "self_attn.o_proj", attend(O, q, k, v, window)) + gated(O, P, b + "mlp.", y)
        acts[f"act.block{i}"] = x
    x = acts["act.final_norm"] = layer_norm(O, P, "model.norm", x, eps)
    return tied(O, P, "model.embed_tokens.weight", x) * c["logit_scale"], acts


def is_attention(c, i):
    return i % c["attn_layer_period"] == c["attn_layer_offset"]


def is_mixture(c, i):
    return c["num_experts"] > 1 and i % c["expert_layer_period"] == c["expert_layer_offset"]


def jamba_table(c):
    t, C, I, E = Table(), c["hidden_size"], c["intermediate_size"], c["num_experts"]
    D, W, N, r = C // c["num_attention_heads"], C * c["mamba_expand"], c["mamba_d_state"], c["mamba_dt_rank"]
    t.rows("model.embed_tokens.weight", c["vocab_size"], C)
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        t.norm(b + "input_layernorm", C, False)
        if is_attention(c, i):
            for name, count in zip("qkv", (c["num_attention_heads"],) + (c["num_key_value_heads"],) * 2):
                t.linear(b + f"self_attn.{name}_proj", count * D, C, False)
            t.linear(b + "self_attn.o_proj", C, C, False)
        else:
            s = b + "mamba."
            t.linear(s + "in_proj", 2 * W, C, False)
            t[s + "conv1d.weight"] = ((W, 1, c["mamba_d_conv"]), 0.5, 0.0)
            t[s + "conv1d.bias"] = ((W,), 0.1, 0.0)
            t.linear(s + "x_proj", r + 2 * N, W, False)
            t.norm(s + "dt_layernorm", r, False)
            t.norm(s + "b_layernorm", N, False)
            t.norm(s + "c_layernorm", N, False)
            t.linear(s + "dt_proj", W, r)
            t[s + "A_log"] = ((W, N), 0.3, 0.7)
            t[s + "D"] = ((W,), 0.2, 1.0)
            t.linear(s + "out_proj", C, W, False)
        t.norm(b + "pre_ff_layernorm", C, False)
        if is_mixture(c, i):
            t.linear(b + "feed_forward.router", E, C, False)
        for e in [f"experts.{e}." for e in range(E)] if is_mixture(c, i) else [""]:
            for name, shape in (("gate_proj", (I, C)), ("up_proj", (I, C)), ("down_proj", (C, I))):
                t.linear(b + "feed_forward." + e + name, *shape, False)
    t.norm("model.final_layernorm", C, False)
    t.linear("lm_head", c["vocab_size"], C, False)
    return t


def mamba_mixer(O, P, c, s, x):
    """Gu and Dao, 2023, with Jamba's norms of dt, B and C."""
    N, r, K, eps = c["mamba_d_state"], c["mamba_dt_rank"], c["mamba_d_conv"], c["rms_norm_eps"]
    u, gate = linear(O, P, s + "in_proj", x).chunk(2, -1)
    padded = torch.cat((torch.zeros_like(u[:, :1]).expand(-1, K - 1, -1), u), 1)
    taps = P[s + "conv1d.weight"][:, 0]
    u = O.silu(sum(padded[:, j:j + x.shape[1]] * taps[:, j] for j in range(K)) + P[s + "conv1d.bias"])
    dt, B, C = linear(O, P, s + "x_proj", u).split([r, N, N], -1)
    dt, B, C = (rms_norm(y, P[s + n + "_layernorm.weight"], eps) for y, n in ((dt, "dt"), (B, "b"), (C, "c")))
    dt = F.softplus(linear(O, P, s + "dt_proj", dt))
    A, D = -torch.exp(P[s + "A_log"]), P[s + "D"]
    h, ys = 0, []
    for t in range(x.shape[1]):
        h = torch.exp(dt[:, t, :, None] * A) * h + (dt[:, t] * u[:, t])[..., None] * B[:, t, None, :]
        ys.append((h * C[:, t, None, :]).sum(-1) + D * u[:, t])
    return linear(O, P, s + "out_proj", torch.stack(ys, 1) * O.silu(gate))


def mixture(O, P, c, b, x, layer, acts):
    """The softmax over all experts; the k largest weights are not divided by their sum."""
    flat = x.reshape(-1, x.shape[-1])
    logits = O.linear(flat, P[b + "router.weight"])
    weights, chosen = torch.topk(O.softmax(logits), c["num_experts_per_tok"], -1)
    acts[f"router{layer}.logits"], acts[f"router{layer}.experts"] = logits, chosen
    acts[f"router{layer}.weights"] = weights
    y = 0
    for e in range(c["num_experts"]):
        w = (weights * (chosen == e)).sum(-1, keepdim=True)
        y = y + w * gated(O, P, b + f"experts.{e}.", flat)
    return y.reshape(x.shape)


def jamba(O, P, c, ids):
    """Lieber et al., "Jamba: A Hybrid Transformer-Mamba Language Model", 2024."""
    eps, acts = c["rms_norm_eps"], {}
    x = acts["act.embed"] = P["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        y = rms_norm(x, P[b + "input_layernorm.weight"], eps)
        if is_attention(c, i):
            x = x + linear(O, P, b + "self_attn.o_proj", attend(O, *heads(O, P, c, b, y)))
        else:
            x = x + mamba_mixer(O, P, c, b + "mamba.", y)
        y, f = rms_norm(x, P[b + "pre_ff_layernorm.weight"], eps), b + "feed_forward."
        x = x + (mixture(O, P, c, f, y, i, acts) if is_mixture(c, i) else gated(O, P, f, y))
        acts[f"act.block{i}"] = x
    x = acts["act.final_norm"] = rms_norm(x, P["model.final_layernorm.weight"], eps)
    return linear(O, P, "lm_head", x), acts


def balance_loss(O, logits, k):
    """Fedus et al., 2021, over the tokens of all layers: E sum over slots and experts of share and mean probability."""
    p = O.softmax(logits)
    chosen = torch.topk(p, k, -1).indices
    share = F.one_hot(chosen, p.shape[-1]).to(p.dtype).mean(0)
    return p.shape[-1] * (share * p.mean(0)).sum()


# ------------------------------------------------------------------ three steps and a text

def loss_of(O, forward, P, c, ids, targets):
    logits, acts = forward(O, P, c, ids)
    ce = O.cross_entropy(logits, targets)
    out = {**acts, "logits": logits, "loss": ce}
    routers = [acts[name] for name in acts if name.endswith(".logits")]
    if routers:
        out["ce"], out["aux_loss"] = ce, balance_loss(O, torch.cat(routers), c["num_experts_per_tok"])
        out["loss"] = ce + c["router_aux_loss_coef"] * out["aux_loss"]
    return out


def run(O, dtype, forward, values, c, ids, targets, hp):
    P = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in values.items()}
    groups = [{"params": [p for p in P.values() if (p.dim() >= 2) == large],
               "weight_decay": hp["weight_decay"] if large else 0.0} for large in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=hp["lr"], betas=tuple(hp["betas"]), eps=hp["eps"])
    found, losses, norms = {}, [], []
    for step in range(hp["steps"]):
        optimizer.zero_grad()
        out = loss_of(O, forward, P, c, ids, targets)
        out["loss"].backward()
        if step == 0:
            found = {**out, **{"grad." + name: p.grad.clone() for name, p in P.items()}}
        losses.append(out["loss"].item())
        norms.append(torch.nn.utils.clip_grad_norm_(list(P.values()), hp["grad_clip"]).item())
        optimizer.step()
    found.update({f"after{hp['steps']}.{name}": p for name, p in P.items()})
    found = {name: value.detach().numpy().copy() for name, value in found.items()}
    return {**found, "losses": np.array(losses), "grad_norms": np.array(norms)}


def greedy(forward, values, c, R, new, tries=40):
    """A prompt whose greedy continuation has no near tie and repeats itself little."""
    P = {name: torch.tensor(value, dtype=F64) for name, value in values.items()}
    best = None
    for n in range(tries):
        ids, lead = R.ints(f"prompt{n}", (4,), 0, c["vocab_size"]).tolist(), math.inf
        with torch.no_grad():
            for _ in range(new):
                row = forward(Ref, P, c, torch.tensor([ids]))[0][0, -1]
                top = torch.topk(row, 2).values
                lead = min(lead, float(top[0] - top[1]))
                ids.append(int(row.argmax()))
        kinds = len(set(ids[4:]))
        if lead > LEAST_LEAD and (best is None or kinds > best[2]):
            best = ids, lead, kinds
    return best


def make(out, name, forward, table, c, B, T, new=14):
    hp = m.HYPER
    R, V = Rand(f"zoo_more/{name}"), c["vocab_size"]
    ids, targets = R.ints("ids", (B, T), 0, V), R.ints("targets", (B, T), 0, V)
    targets[0, 1] = m.IGNORE
    values = {key: R.normal(key, shape, dev, mean) for key, (shape, dev, mean) in table(c).items()}
    arguments = (forward, values, c, torch.tensor(ids), torch.tensor(targets), hp)
    gold, check = run(Ref, F64, *arguments), run(Builtin, F32, *arguments)
    whole = [key for key in gold if gold[key].dtype == np.int64]
    assert all(np.array_equal(gold[key], check[key]) for key in whole)
    text, lead, _ = greedy(forward, values, c, R, new)
    tensors = {key: value if key in whole else value.astype(np.float32) for key, value in gold.items()}
    tensors.update(input_ids=ids, targets=targets, greedy_prompt=np.array(text[:4]), greedy_ids=np.array(text))
    real = sorted(key for key in gold if key not in whole)
    strays = {key: int((np.abs(gold[key] - check[key]) > 1e-5).sum()) for key in real if key.startswith("after")}
    noise = {key: int(((np.abs(gold[key]) < 1e-12 * gold["grad_norms"][0]) & (check[key] != 0)).sum())
             for key in real if key.startswith("grad.")}
    tolerances = {
        "what": "f32_err: [largest |golden|, largest |float32 PyTorch - golden|]; after_outliers: elements of after3 "
                "where that is above 1e-5; rounding_only: elements of gradients that are 0 but for rounding",
        "loss": "mean cross-entropy" + (" and the balance loss, with the factors in loss_terms" if whole else ""),
        "optimizer": {**hp, "decoupled_decay_on": "tensors with >= 2 dimensions"},
        **({"loss_terms": {"ce": 1, "aux_loss": c["router_aux_loss_coef"]}} if whole else {}),
        "greedy_smallest_lead": float(f"{lead:.3g}"),
        "rounding_only": {key: count for key, count in noise.items() if count},
        "f32_err": {key: err(gold[key], check[key]) for key in real},
        "after_outliers": {key: count for key, count in strays.items() if count},
    }
    folder = os.path.join(out, name)
    m.write_json(os.path.join(folder, "config.json"), c, 2)
    m.write_st(os.path.join(folder, "model.safetensors"), values)
    m.write_st(os.path.join(folder, "golden.safetensors"), tensors)
    m.write(os.path.join(folder, "tolerances.json"), (json.dumps(tolerances, indent=1) + "\n").encode())
    size = sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))
    print(f"{name:12s} {sum(v.size for v in values.values()):6d} parameters, {size >> 10} KB, losses "
          f"{np.round(gold['losses'], 4).tolist()}, lead {lead:.3g}, text {text}", flush=True)


def config(kind, architecture, **keys):
    return {"architectures": [architecture], "model_type": kind, **keys, "torch_dtype": "float32"}


def rotary(kind, architecture, layers, **keys):
    return config(kind, architecture, vocab_size=53, hidden_size=32, intermediate_size=40, num_hidden_layers=layers,
                  num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, **keys)


def gpt(kind, architecture, **keys):
    return config(kind, architecture, vocab_size=53, n_positions=48, n_embd=24, n_layer=2, n_head=4,
                  layer_norm_epsilon=1e-5, resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1, **keys)


MODELS = {
    "opt": (opt, opt_table, config(
        "opt", "OPTForCausalLM", vocab_size=53, hidden_size=24, word_embed_proj_dim=24, ffn_dim=40, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=48, activation_function="relu", do_layer_norm_before=True,
        dropout=0.1, attention_dropout=0.0), 2, 17),
    "gpt1": (gpt1, gpt1_table, gpt("openai-gpt", "OpenAIGPTLMHeadModel", afn="gelu"), 2, 17),
    "starcoder": (starcoder, starcoder_table, gpt(
        "gpt_bigcode", "GPTBigCodeForCausalLM", n_inner=40, multi_query=True,
        activation_function="gelu_pytorch_tanh"), 2, 17),
    "starcoder_heads": (starcoder, starcoder_table, gpt(
        "gpt_bigcode", "GPTBigCodeForCausalLM", n_inner=40, multi_query=False,
        activation_function="gelu_pytorch_tanh"), 2, 11),
    "starcoder2": (starcoder2, starcoder2_table, rotary(
        "starcoder2", "Starcoder2ForCausalLM", 2, norm_epsilon=1e-5, hidden_act="gelu_pytorch_tanh", use_bias=True,
        rope_theta=100000.0, sliding_window=6), 2, 17),
    "smollm3": (smollm3, smollm3_table, rotary(
        "smollm3", "SmolLM3ForCausalLM", 3, rms_norm_eps=1e-6, hidden_act="silu", rope_theta=10000.0,
        no_rope_layers=[1, 0, 1], no_rope_layer_interval=2, tie_word_embeddings=True), 2, 15),
    "cohere2": (cohere2, cohere2_table, rotary(
        "cohere2", "Cohere2ForCausalLM", 3, layer_norm_eps=1e-5, hidden_act="silu", rope_theta=50000.0,
        sliding_window=5, layer_types=["sliding_attention", "full_attention", "sliding_attention"], logit_scale=0.25,
        use_qk_norm=False), 2, 15),
    "jamba": (jamba, jamba_table, {**rotary(
        "jamba", "JambaForCausalLM", 4, rms_norm_eps=1e-6, hidden_act="silu", attn_layer_period=4, attn_layer_offset=2,
        expert_layer_period=2, expert_layer_offset=1, num_experts=4, num_experts_per_tok=2, router_aux_loss_coef=0.02,
        mamba_d_state=5, mamba_d_conv=4, mamba_expand=1, mamba_dt_rank=3, mamba_conv_bias=True, mamba_proj_bias=False,
        sliding_window=None, tie_word_embeddings=False), "hidden_size": 24, "intermediate_size": 20}, 2, 11),
}


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--out", default=os.path.join(here, "zoo_more"))
    parser.add_argument("names", nargs="*", default=list(MODELS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names:
        make(options.out, name, *MODELS[name])


main()
