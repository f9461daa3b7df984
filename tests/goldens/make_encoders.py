#!/usr/bin/env python3
"""Golden values of encoders and encoder-decoders (zoo_more/): RoBERTa, DistilBERT, ELECTRA, ALBERT, BART, the
Transformer of Vaswani et al., and ELMo's language models.

Each forward pass is written from the model's paper and the published definition of its files (tensor names, layouts,
quirks). Rules and machinery as in make_goldens.py, which lies beside this file: truth in float64, the error of float32
PyTorch beside it.

  /usr/bin/python3 make_encoders.py [--out zoo_more] [NAME...]
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
from make_goldens import F32, F64, IGNORE, Builtin, Rand, Ref, err, join_heads, split_heads  # noqa: E402


# ------------------------------------------------------------------ parts

class Table(dict):
    """Shapes, deviations and means by name; deviations are large, so that every parameter matters."""

    def linear(self, name, outputs, inputs):
        self[name + ".weight"] = ((outputs, inputs), 1 / math.sqrt(inputs), 0.0)
        self[name + ".bias"] = ((outputs,), 0.1, 0.0)

    def norm(self, name, width):
        self[name + ".weight"] = ((width,), 0.2, 1.0)
        self[name + ".bias"] = ((width,), 0.1, 0.0)

    def rows(self, name, count, width, deviation=0.4):
        self[name] = ((count, width), deviation, 0.0)


def linear(O, P, name, x):
    return O.linear(x, P[name + ".weight"], P[name + ".bias"])


def norm(O, P, name, x, eps):
    return O.layer_norm(x, P[name + ".weight"], P[name + ".bias"], eps)


def act(O, kind, x):
    return {"gelu": O.gelu_erf, "gelu_new": O.gelu_tanh, "relu": torch.relu, "silu": O.silu, "tanh": torch.tanh}[kind](x)


def attend(O, q, k, v, H, seen):
    q, k, v = (split_heads(x, H) for x in (q, k, v))
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf)
    return join_heads(O.softmax(scores) @ v)


# ------------------------------------------------------------------ encoders

BERT = {"layer": "encoder.layer.{}.", "q": "attention.self.query", "k": "attention.self.key",
        "v": "attention.self.value", "o": "attention.output.dense", "n1": "attention.output.LayerNorm",
        "up": "intermediate.dense", "down": "output.dense", "n2": "output.LayerNorm"}
DISTIL = {"layer": "transformer.layer.{}.", "q": "attention.q_lin", "k": "attention.k_lin", "v": "attention.v_lin",
          "o": "attention.out_lin", "n1": "sa_layer_norm", "up": "ffn.lin1", "down": "ffn.lin2",
          "n2": "output_layer_norm"}
ALBERT = {"layer": "encoder.albert_layer_groups.0.albert_layers.0.", "q": "attention.query", "k": "attention.key",
          "v": "attention.value", "o": "attention.dense", "n1": "attention.LayerNorm", "up": "ffn",
          "down": "ffn_output", "n2": "full_layer_layer_norm"}


def names_of(c):
    return {"distilbert": DISTIL, "albert": ALBERT}.get(c["model_type"], BERT)


def sizes(c):
    """L, H, C, I, E, activation, eps"""
    if c["model_type"] == "distilbert":
        return c["n_layers"], c["n_heads"], c["dim"], c["hidden_dim"], c["dim"], c["activation"], 1e-12
    C = c["hidden_size"]
    return (c["num_hidden_layers"], c["num_attention_heads"], C, c["intermediate_size"], c.get("embedding_size", C),
            c["hidden_act"], c["layer_norm_eps"])


def kind_of(c):
    return c["architectures"][0].split("For")[-1]


def encoder_table(c):
    t, n, kind, family = Table(), names_of(c), kind_of(c), c["model_type"]
    L, H, C, I, E, _, _ = sizes(c)
    p, V = family + ".", c["vocab_size"]
    t.rows(p + "embeddings.word_embeddings.weight", V, E)
    t.rows(p + "embeddings.position_embeddings.weight", c["max_position_embeddings"], E, 0.3)
    if family != "distilbert":
        t.rows(p + "embeddings.token_type_embeddings.weight", c["type_vocab_size"], E, 0.3)
    t.norm(p + "embeddings.LayerNorm", E)
    if family == "electra":
        t.linear(p + "embeddings_project", C, E)
    if family == "albert":
        t.linear(p + "encoder.embedding_hidden_mapping_in", C, E)
    for i in range(1 if family == "albert" else L):
        b = p + n["layer"].format(i)
        for key in "qkvo":
            t.linear(b + n[key], C, C)
        t.norm(b + n["n1"], C)
        t.linear(b + n["up"], I, C)
        t.linear(b + n["down"], C, I)
        t.norm(b + n["n2"], C)
    if family == "albert" and kind != "MaskedLM":
        t.linear(p + "pooler", C, C)
    if kind == "SequenceClassification":
        classes = len(c["id2label"])
        if family == "distilbert":
            t.linear("pre_classifier", C, C)
        if family in ("roberta", "electra"):
            t.linear("classifier.dense", C, C)
            t.linear("classifier.out_proj", classes, C)
        else:
            t.linear("classifier", classes, C)
    elif family == "electra" and kind == "PreTraining":
        t.linear("discriminator_predictions.dense", C, C)
        t.linear("discriminator_predictions.dense_prediction", 1, C)
    else:
        dense, norm_name, bias = {
            "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
            "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
            "electra": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
            "albert": ("predictions.dense", "predictions.LayerNorm", "predictions.bias")}[family]
        t.linear(dense, E, C)
        t.norm(norm_name, E)
        t[bias] = ((V,), 0.1, 0.0)
        if family == "albert" and kind == "PreTraining":
            t.linear("sop_classifier.classifier", 2, C)
    return t


def encode(O, P, c, batch):
    n, family = names_of(c), c["model_type"]
    L, H, _, _, _, activation, eps = sizes(c)
    ids, mask, p, acts = batch["input_ids"], batch["attention_mask"], family + ".", {}
    places = torch.arange(ids.shape[1])[None].expand_as(ids)
    if family == "roberta":  # counted from the id of padding, which is not counted
        real = (ids != c["pad_token_id"]).long()
        places = torch.cumsum(real, 1) * real + c["pad_token_id"]
    x = P[p + "embeddings.word_embeddings.weight"][ids] + P[p + "embeddings.position_embeddings.weight"][places]
    if family != "distilbert":
        types = batch.get("token_type_ids", torch.zeros_like(ids))
        x = x + P[p + "embeddings.token_type_embeddings.weight"][types]
    x = norm(O, P, p + "embeddings.LayerNorm", x, eps)
    if family == "electra":
        x = linear(O, P, p + "embeddings_project", x)
    if family == "albert":
        x = linear(O, P, p + "encoder.embedding_hidden_mapping_in", x)
    acts["act.embed"] = x
    seen = mask.bool()[:, None, None, :]
    for i in range(L):
        b = p + n["layer"].format(i)
        y = attend(O, *(linear(O, P, b + n[key], x) for key in "qkv"), H, seen)
        x = norm(O, P, b + n["n1"], linear(O, P, b + n["o"], y) + x, eps)
        y = linear(O, P, b + n["down"], act(O, activation, linear(O, P, b + n["up"], x)))
        x = norm(O, P, b + n["n2"], y + x, eps)
        acts[f"act.block{i}"] = x
    return x, acts


def encoder(O, P, c, batch):
    family, kind, eps = c["model_type"], kind_of(c), sizes(c)[6]
    activation = sizes(c)[5]
    x, out = encode(O, P, c, batch)
    first = x[:, 0]
    if kind == "SequenceClassification":
        dense, function, head = {
            "roberta": ("classifier.dense", "tanh", "classifier.out_proj"),
            "electra": ("classifier.dense", "gelu", "classifier.out_proj"),
            "distilbert": ("pre_classifier", "relu", "classifier"),
            "albert": ("albert.pooler", "tanh", "classifier")}[family]
        out["pooled"] = act(O, function, linear(O, P, dense, first))
        out["logits"] = linear(O, P, head, out["pooled"])
        out["loss"] = O.cross_entropy(out["logits"], batch["labels"])
        return out
    if family == "electra" and kind == "PreTraining":
        z = linear(O, P, "discriminator_predictions.dense_prediction",
                   act(O, activation, linear(O, P, "discriminator_predictions.dense", x)))
        out["logits"], real = z, batch["labels"] != IGNORE
        z, y = z[..., 0][real], batch["labels"][real].to(z.dtype)
        # -y log s(z) - (1 - y) log(1 - s(z)), s the sigmoid
        out["loss"] = (torch.clamp(z, min=0) - y * z + torch.log1p(torch.exp(-z.abs()))).mean()
        return out
    dense, norm_name, bias, function = {
        "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "gelu"),
        "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias", activation),
        "electra": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias", "gelu"),
        "albert": ("predictions.dense", "predictions.LayerNorm", "predictions.bias", activation)}[family]
    h = norm(O, P, norm_name, act(O, function, linear(O, P, dense, x)), eps)
    out["logits"] = O.linear(h, P[family + ".embeddings.word_embeddings.weight"], P[bias])
    out["mlm_loss"] = out["loss"] = O.cross_entropy(out["logits"], batch["targets"])
    if kind == "PreTraining":
        out["pooled"] = torch.tanh(linear(O, P, "albert.pooler", first))
        out["seq_relationship_logits"] = linear(O, P, "sop_classifier.classifier", out["pooled"])
        out["nsp_loss"] = O.cross_entropy(out["seq_relationship_logits"], batch["sentence_order_label"])
        out["loss"] = out["mlm_loss"] + out["nsp_loss"]
    return out


def encoder_batch(R, c, lengths):
    V, B, T, kind, pad = c["vocab_size"], len(lengths), max(lengths), kind_of(c), c["pad_token_id"]
    mask = (np.arange(T)[None] < np.array(lengths)[:, None]).astype(np.int64)
    ids = R.ints("ids", (B, T), 4, V) * mask + pad * (1 - mask)
    batch = {"input_ids": ids, "attention_mask": mask}
    if c.get("type_vocab_size", 1) > 1:
        batch["token_type_ids"] = (np.arange(T)[None] >= np.array(lengths)[:, None] // 2).astype(np.int64) * mask
    if kind == "SequenceClassification":
        batch["labels"] = R.ints("labels", (B,), 0, len(c["id2label"]))
    elif c["model_type"] == "electra" and kind == "PreTraining":
        batch["labels"] = np.where(mask == 1, R.ints("labels", (B, T), 0, 2), IGNORE)
    else:
        chosen = (R.g("chosen").random((B, T)) < 0.3) & (mask == 1)
        chosen[0, 1] = True
        batch["targets"] = np.where(chosen, R.ints("labels", (B, T), 4, V), IGNORE)
        if kind == "PreTraining":
            batch["sentence_order_label"] = R.ints("order", (B,), 0, 2)
    return batch


# ------------------------------------------------------------------ encoder-decoders

def seq2seq_table(c):
    t, C, V = Table(), c["d_model"], c["vocab_size"]
    t.rows("model.shared.weight", V, C, 0.4 if c["model_type"] == "bart" else 0.4 / math.sqrt(C))
    for side, layers, inner in (("encoder", c["encoder_layers"], c["encoder_ffn_dim"]),
                                ("decoder", c["decoder_layers"], c["decoder_ffn_dim"])):
        s = f"model.{side}."
        if c["model_type"] == "bart":
            t.rows(s + "embed_positions.weight", c["max_position_embeddings"] + 2, C, 0.3)
            t.norm(s + "layernorm_embedding", C)
        for i in range(layers):
            b = f"{s}layers.{i}."
            for part in ("self_attn",) if side == "encoder" else ("self_attn", "encoder_attn"):
                for key in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    t.linear(f"{b}{part}.{key}", C, C)
                t.norm(f"{b}{part}_layer_norm", C)
            t.linear(b + "fc1", inner, C)
            t.linear(b + "fc2", C, inner)
            t.norm(b + "final_layer_norm", C)
    if c["model_type"] == "bart":
        t["final_logits_bias"] = ((1, V), 0.3, 0.0)
    return t


def sinusoids(count, C, dtype):
    place, i = torch.arange(count, dtype=F64)[:, None], torch.arange(0, C, 2, dtype=F64)[None]
    angle = place / 10000 ** (i / C)
    return torch.stack((torch.sin(angle), torch.cos(angle)), -1).flatten(1).to(dtype)


def seq2seq_stack(O, P, c, side, ids, own, acts, memory=None, memory_seen=None):
    s, eps, C = f"model.{side}.", c.get("layer_norm_eps", 1e-5), c["d_model"]
    H = c[side + "_attention_heads"]
    x = P["model.shared.weight"][ids] * (math.sqrt(C) if c["scale_embedding"] else 1)
    if c["model_type"] == "bart":
        x = x + P[s + "embed_positions.weight"][torch.arange(ids.shape[1]) + 2]
        x = norm(O, P, s + "layernorm_embedding", x, eps)
    else:
        x = x + sinusoids(ids.shape[1], C, x.dtype)
    acts[f"act.{side}.embed"] = x
    for i in range(c[side + "_layers"]):
        b = f"{s}layers.{i}."

        def part(name, x, rows, seen):
            q = linear(O, P, f"{b}{name}.q_proj", x)
            y = attend(O, q, linear(O, P, f"{b}{name}.k_proj", rows), linear(O, P, f"{b}{name}.v_proj", rows), H, seen)
            return norm(O, P, f"{b}{name}_layer_norm", x + linear(O, P, f"{b}{name}.out_proj", y), eps)
        x = part("self_attn", x, x, own)
        if memory is not None:
            x = part("encoder_attn", x, memory, memory_seen)
        y = linear(O, P, b + "fc2", act(O, c["activation_function"], linear(O, P, b + "fc1", x)))
        x = norm(O, P, b + "final_layer_norm", x + y, eps)
        acts[f"act.{side}.block{i}"] = x
    return x


def seq2seq(O, P, c, batch):
    acts, ids = {}, batch["decoder_input_ids"]
    seen = batch["attention_mask"].bool()[:, None, None, :]
    memory = seq2seq_stack(O, P, c, "encoder", batch["input_ids"], seen, acts)
    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    x = seq2seq_stack(O, P, c, "decoder", ids, causal, acts, memory, seen)
    logits = O.linear(x, P["model.shared.weight"], None)
    if "final_logits_bias" in P:
        logits = logits + P["final_logits_bias"]
    out = {**acts, "logits": logits}
    if "targets" in batch:
        targets, s = batch["targets"], c.get("label_smoothing", 0.0)
        out["loss"] = O.cross_entropy(logits, targets)
        if s > 0:  # a part s of each target's weight is spread over all ids
            log_p = torch.log(O.softmax(logits))[targets != IGNORE]
            out["loss"] = (1 - s) * out["loss"] - s * log_p.mean()
    return out


def seq2seq_batch(R, c, lengths, decoder_length=9):
    V, B, T = c["vocab_size"], len(lengths), max(lengths)
    mask = (np.arange(T)[None] < np.array(lengths)[:, None]).astype(np.int64)
    ids = R.ints("ids", (B, T), 3, V) * mask + c["pad_token_id"] * (1 - mask)
    targets = R.ints("targets", (B, decoder_length), 3, V)
    before = np.concatenate((np.full((B, 1), c["decoder_start_token_id"]), targets[:, :-1]), 1)
    targets[-1, -3:] = IGNORE
    return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": before, "targets": targets}


def greedy(values, c, batch, new=12):
    """The likeliest text about the first row, and the smallest lead of a token over the next."""
    P = {name: torch.tensor(value, dtype=F64) for name, value in values.items()}
    length, ids, lead = int(batch["attention_mask"][0].sum()), [c["decoder_start_token_id"]], math.inf
    source = torch.tensor(batch["input_ids"][:1, :length])
    with torch.no_grad():
        for _ in range(new):
            row = seq2seq(Ref, P, c, {"input_ids": source, "attention_mask": torch.ones_like(source),
                                      "decoder_input_ids": torch.tensor([ids])})["logits"][0, -1]
            top = torch.topk(row, 2).values
            lead = min(lead, float(top[0] - top[1]))
            ids.append(int(row.argmax()))
    assert lead > 1e-3, lead
    return ids, lead


# ------------------------------------------------------------------ ELMo

def elmo_table(c):
    t, H = Table(), c["hidden_size"]
    t.rows("embed.weight", c["vocab_size"], H, 0.8)
    for side in ("forward", "backward"):
        for i in range(c["num_hidden_layers"]):
            for part in ("ih", "hh"):
                t[f"{side}.weight_{part}_l{i}"] = ((4 * H, H), 1 / math.sqrt(H), 0.0)
                t[f"{side}.bias_{part}_l{i}"] = ((4 * H,), 0.1, 0.0)
    t.linear("head", c["vocab_size"], H)
    return t


def lstm(O, P, side, i, x):
    """One row [T, H], from a state of zeros; gates i, f, g, o."""
    H, ys = x.shape[-1], []
    h = s = torch.zeros(H, dtype=x.dtype)
    for row in x:
        a = (O.linear(row, P[f"{side}.weight_ih_l{i}"], P[f"{side}.bias_ih_l{i}"])
             + O.linear(h, P[f"{side}.weight_hh_l{i}"], P[f"{side}.bias_hh_l{i}"]))
        s = torch.sigmoid(a[H:2 * H]) * s + torch.sigmoid(a[:H]) * torch.tanh(a[2 * H:3 * H])
        h = torch.sigmoid(a[3 * H:]) * torch.tanh(s)
        ys.append(h)
    return torch.stack(ys)


def elmo(O, P, c, batch):
    """Peters et al., "Deep contextualized word representations", 2018, section 3.1."""
    ids, lengths = batch["input_ids"], batch["attention_mask"].sum(1).tolist()
    B, T, L = *ids.shape, c["num_hidden_layers"]
    x, out = P["embed.weight"][ids], {}
    sides, losses = {}, {}
    for side in ("forward", "backward"):
        layers = [[] for _ in range(L)]
        for b, n in enumerate(lengths):
            row = x[b, :n] if side == "forward" else x[b, :n].flip(0)
            for i in range(L):
                y = lstm(O, P, side, i, row)
                row = y + row if i > 0 else y  # a layer adds to the one before
                own = row if side == "forward" else row.flip(0)
                layers[i].append(F.pad(own, (0, 0, 0, T - n)))
        sides[side] = [torch.stack(rows) for rows in layers]
        logits = linear(O, P, "head", sides[side][-1])
        targets = torch.full_like(ids, IGNORE)
        for b, n in enumerate(lengths):
            if side == "forward":
                targets[b, :n - 1] = ids[b, 1:n]
            else:
                targets[b, 1:n] = ids[b, :n - 1]
        out[side + ".logits"] = logits
        losses[side] = out[side + ".loss"] = O.cross_entropy(logits, targets)
    out["act.layer0"] = torch.cat((x, x), -1)
    for i in range(L):
        out[f"act.layer{i + 1}"] = torch.cat((sides["forward"][i], sides["backward"][i]), -1)
    return {**out, "loss": losses["forward"] + losses["backward"]}


def elmo_batch(R, c, lengths):
    T = max(lengths)
    mask = (np.arange(T)[None] < np.array(lengths)[:, None]).astype(np.int64)
    return {"input_ids": R.ints("ids", (len(lengths), T), 1, c["vocab_size"]) * mask, "attention_mask": mask}


# ------------------------------------------------------------------ three steps

def run(O, dtype, forward, values, c, batch, frozen, hp):
    P = {name: torch.tensor(value, dtype=dtype, requires_grad=name not in frozen) for name, value in values.items()}
    live = {name: p for name, p in P.items() if name not in frozen}
    groups = [{"params": [p for p in live.values() if (p.dim() >= 2) == large],
               "weight_decay": hp["weight_decay"] if large else 0.0} for large in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=hp["lr"], betas=tuple(hp["betas"]), eps=hp["eps"])
    found, losses, norms = {}, [], []
    for step in range(hp["steps"]):
        optimizer.zero_grad()
        out = forward(O, P, c, batch)
        out["loss"].backward()
        if step == 0:
            found = {**out, **{"grad." + name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
                               for name, p in live.items()}}
        losses.append(out["loss"].item())
        norms.append(torch.nn.utils.clip_grad_norm_(list(live.values()), hp["grad_clip"]).item())
        optimizer.step()
    found.update({f"after{hp['steps']}.{name}": p for name, p in live.items()})
    found = {name: value.detach().numpy().copy() for name, value in found.items()}
    return {**found, "losses": np.array(losses), "grad_norms": np.array(norms)}


def make(out, name, forward, table, batch_of, c, lengths):
    hp, R = m.HYPER, Rand(f"encoders/{name}")
    batch = batch_of(R, c, lengths)
    values = {key: R.normal(key, shape, dev, mean) for key, (shape, dev, mean) in table(c).items()}
    tensors = {key: torch.tensor(value) for key, value in batch.items()}
    frozen = {"final_logits_bias"}
    gold = run(Ref, F64, forward, values, c, tensors, frozen, hp)
    check = run(Builtin, F32, forward, values, c, tensors, frozen, hp)
    stored = {key: value.astype(np.float32) for key, value in gold.items()}
    stored.update(batch)
    tolerances = {
        "what": "f32_err: [largest |golden|, largest |float32 PyTorch - golden|]; after_outliers: elements of after3 "
                "where that is above 1e-5; rounding_only: elements of gradients that are 0 but for rounding",
        "optimizer": {**hp, "decoupled_decay_on": "tensors with >= 2 dimensions"},
        "not_trained": sorted(frozen & set(values)),
    }
    if forward is seq2seq:
        ids, lead = greedy(values, c, batch)
        stored.update(greedy_prompt=np.array(ids[:1]), greedy_ids=np.array(ids))
        tolerances["greedy_smallest_lead"] = float(f"{lead:.3g}")
    noise = {key: int(((np.abs(gold[key]) < 1e-12 * gold["grad_norms"][0]) & (check[key] != 0)).sum())
             for key in gold if key.startswith("grad.")}
    strays = {key: int((np.abs(gold[key] - check[key]) > 1e-5).sum()) for key in gold if key.startswith("after")}
    tolerances["rounding_only"] = {key: count for key, count in noise.items() if count}
    tolerances["f32_err"] = {key: err(gold[key], check[key]) for key in sorted(gold)}
    tolerances["after_outliers"] = {key: count for key, count in strays.items() if count}
    folder = os.path.join(out, name)
    m.write_json(os.path.join(folder, "config.json"), c, 2)
    m.write_st(os.path.join(folder, "model.safetensors"), values)
    m.write_st(os.path.join(folder, "golden.safetensors"), stored)
    m.write(os.path.join(folder, "tolerances.json"), (json.dumps(tolerances, indent=1) + "\n").encode())
    size = sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))
    print(f"{name:20s} {sum(v.size for v in values.values()):6d} parameters, {size >> 10} KB, losses "
          f"{np.round(gold['losses'], 4).tolist()} {tolerances.get('greedy_smallest_lead', '')}", flush=True)


def config(architecture, kind, classes=0, **keys):
    c = {"architectures": [architecture], "model_type": kind, **keys}
    if classes:
        c["id2label"] = {str(i): name for i, name in enumerate(["bad", "fine", "good"][:classes])}
    return {**c, "torch_dtype": "float32"}


def like_bert(architecture, kind, classes=0, **keys):
    base = dict(vocab_size=59, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                max_position_embeddings=24, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0)
    return config(architecture, kind, classes, **{**base, **keys})


def distilled(architecture, classes=0):
    return config(architecture, "distilbert", classes, vocab_size=59, dim=24, n_layers=2, n_heads=3, hidden_dim=40,
                  max_position_embeddings=24, activation="gelu", sinusoidal_pos_embds=False, pad_token_id=0)


ROBERTA = dict(type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2)
NARROW = dict(embedding_size=14)
SHARED = dict(embedding_size=14, num_hidden_layers=3, hidden_act="gelu_new", num_hidden_groups=1, inner_group_num=1)
LENGTHS, SHORT = [13, 9, 11], [9, 12, 5, 7]


def pair_of_stacks(architecture, kind, **keys):
    base = dict(vocab_size=47, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                decoder_attention_heads=3, encoder_ffn_dim=40, decoder_ffn_dim=36, max_position_embeddings=32,
                activation_function="gelu", scale_embedding=False, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                decoder_start_token_id=2, is_encoder_decoder=True)
    return config(architecture, kind, **{**base, **keys})


ENCODER, STACKS = (encoder, encoder_table, encoder_batch), (seq2seq, seq2seq_table, seq2seq_batch)
MODELS = {
    "roberta": (*ENCODER, like_bert("RobertaForMaskedLM", "roberta", **ROBERTA), LENGTHS),
    "roberta_classifier": (*ENCODER, like_bert("RobertaForSequenceClassification", "roberta", 3, **ROBERTA), SHORT),
    "distilbert": (*ENCODER, distilled("DistilBertForMaskedLM"), LENGTHS),
    "distilbert_classifier": (*ENCODER, distilled("DistilBertForSequenceClassification", 2), SHORT),
    "electra": (*ENCODER, like_bert("ElectraForPreTraining", "electra", **NARROW), LENGTHS),
    "electra_generator": (*ENCODER, like_bert("ElectraForMaskedLM", "electra", **NARROW), LENGTHS),
    "electra_classifier": (*ENCODER, like_bert("ElectraForSequenceClassification", "electra", 3, **NARROW), SHORT),
    "albert": (*ENCODER, like_bert("AlbertForPreTraining", "albert", **SHARED), LENGTHS),
    "albert_classifier": (*ENCODER, like_bert("AlbertForSequenceClassification", "albert", 3, **SHARED), SHORT),
    "elmo": (elmo, elmo_table, elmo_batch, {"model_type": "elmo", "vocab_size": 31, "hidden_size": 14,
                                            "num_hidden_layers": 2}, [9, 6, 8]),
    "bart": (*STACKS, pair_of_stacks("BartForConditionalGeneration", "bart"), [11, 8]),
    "transformer": (*STACKS, pair_of_stacks(
        "Transformer", "transformer", activation_function="relu", scale_embedding=True, label_smoothing=0.1,
        decoder_attention_heads=4, pad_token_id=0, bos_token_id=1), [11, 8]),
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
