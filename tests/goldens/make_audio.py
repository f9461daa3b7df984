#!/usr/bin/env python3
"""Golden values of Whisper (zoo_more/whisper), in the form of make_zoo_more.py.

The forward pass is written from Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, and
the published definition of its files (tensor names, key projections without bias, all sines before all cosines).
Truth in float64, the error of float32 PyTorch beside it.

  /usr/bin/python3 make_audio.py [--out zoo_more]
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
from make_goldens import F32, F64, Builtin, Rand, Ref, err, join_heads, split_heads  # noqa: E402

CONFIG = {
    "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "vocab_size": 53, "num_mel_bins": 10,
    "d_model": 24, "encoder_layers": 2, "encoder_attention_heads": 3, "encoder_ffn_dim": 40, "decoder_layers": 3,
    "decoder_attention_heads": 4, "decoder_ffn_dim": 36, "max_source_positions": 11, "max_target_positions": 20,
    "activation_function": "gelu", "scale_embedding": False, "is_encoder_decoder": True, "decoder_start_token_id": 50,
    "pad_token_id": 49, "eos_token_id": 49, "torch_dtype": "float32",
}
POSITIONS = "model.encoder.embed_positions.weight"
EPS = 1e-5


def table(c):
    t, C = {}, c["d_model"]

    def linear(name, outputs, inputs, bias=True):
        t[name + ".weight"] = ((outputs, inputs), 1 / math.sqrt(inputs), 0.0)
        if bias:
            t[name + ".bias"] = ((outputs,), 0.1, 0.0)

    def norm(name):
        t[name + ".weight"], t[name + ".bias"] = ((C,), 0.2, 1.0), ((C,), 0.1, 0.0)

    def attention(name):
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            linear(f"{name}.{part}", C, C, part != "k_proj")

    for name, inputs in (("conv1", c["num_mel_bins"]), ("conv2", C)):
        t[f"model.encoder.{name}.weight"] = ((C, inputs, 3), 1 / math.sqrt(3 * inputs), 0.0)
        t[f"model.encoder.{name}.bias"] = ((C,), 0.1, 0.0)
    t["model.decoder.embed_tokens.weight"] = ((c["vocab_size"], C), 0.5, 0.0)
    t["model.decoder.embed_positions.weight"] = ((c["max_target_positions"], C), 0.3, 0.0)
    for stack in ("encoder", "decoder"):
        for i in range(c[stack + "_layers"]):
            b = f"model.{stack}.layers.{i}."
            for name in ("self_attn", "encoder_attn") if stack == "decoder" else ("self_attn",):
                attention(b + name)
                norm(b + name + "_layer_norm")
            linear(b + "fc1", c[stack + "_ffn_dim"], C)
            linear(b + "fc2", C, c[stack + "_ffn_dim"])
            norm(b + "final_layer_norm")
        norm(f"model.{stack}.layer_norm")
    return t


def sinusoids(count, C):
    half = C // 2
    angles = np.arange(count)[:, None] * np.exp(-math.log(10000) / (half - 1) * np.arange(half))[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], 1)


def linear(O, P, name, x):
    return O.linear(x, P[name + ".weight"], P.get(name + ".bias"))


def norm(O, P, name, x):
    return O.layer_norm(x, P[name + ".weight"], P[name + ".bias"], EPS)


def attend(O, P, name, heads, x, memory, causal):
    q = split_heads(linear(O, P, name + ".q_proj", x), heads)
    k, v = (split_heads(linear(O, P, f"{name}.{n}_proj", memory), heads) for n in "kv")
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
    return linear(O, P, name + ".out_proj", join_heads(O.softmax(scores) @ v))


def mlp(O, P, b, x):
    y = norm(O, P, b + "final_layer_norm", x)
    return x + linear(O, P, b + "fc2", O.gelu_erf(linear(O, P, b + "fc1", y)))


def forward(O, P, c, mel, ids):
    acts = {}
    x = O.gelu_erf(F.conv1d(mel, P["model.encoder.conv1.weight"], P["model.encoder.conv1.bias"], padding=1))
    x = O.gelu_erf(F.conv1d(x, P["model.encoder.conv2.weight"], P["model.encoder.conv2.bias"], stride=2, padding=1))
    x = acts["act.encoder.embed"] = x.transpose(1, 2) + P[POSITIONS]
    for i in range(c["encoder_layers"]):
        b = f"model.encoder.layers.{i}."
        y = norm(O, P, b + "self_attn_layer_norm", x)
        x = x + attend(O, P, b + "self_attn", c["encoder_attention_heads"], y, y, False)
        x = acts[f"act.encoder.block{i}"] = mlp(O, P, b, x)
    memory = acts["act.encoder.final_norm"] = norm(O, P, "model.encoder.layer_norm", x)
    x = P["model.decoder.embed_tokens.weight"][ids] + P["model.decoder.embed_positions.weight"][: ids.shape[1]]
    for i in range(c["decoder_layers"]):
        b = f"model.decoder.layers.{i}."
        y = norm(O, P, b + "self_attn_layer_norm", x)
        x = x + attend(O, P, b + "self_attn", c["decoder_attention_heads"], y, y, True)
        y = norm(O, P, b + "encoder_attn_layer_norm", x)
        x = x + attend(O, P, b + "encoder_attn", c["decoder_attention_heads"], y, memory, False)
        x = acts[f"act.decoder.block{i}"] = mlp(O, P, b, x)
    x = acts["act.decoder.final_norm"] = norm(O, P, "model.decoder.layer_norm", x)
    return O.linear(x, P["model.decoder.embed_tokens.weight"]), acts


def run(O, dtype, values, c, batch, hp):
    P = {name: torch.tensor(value, dtype=dtype, requires_grad=name != POSITIONS) for name, value in values.items()}
    trained = {name: p for name, p in P.items() if p.requires_grad}
    groups = [{"params": [p for p in trained.values() if (p.dim() >= 2) == large],
               "weight_decay": hp["weight_decay"] if large else 0.0} for large in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=hp["lr"], betas=tuple(hp["betas"]), eps=hp["eps"])
    mel = torch.tensor(batch["input_features"], dtype=dtype)
    ids, targets = torch.tensor(batch["decoder_input_ids"]), torch.tensor(batch["targets"])
    found, losses, norms = {}, [], []
    for step in range(hp["steps"]):
        optimizer.zero_grad()
        logits, acts = forward(O, P, c, mel, ids)
        loss = O.cross_entropy(logits.reshape(-1, c["vocab_size"]), targets.reshape(-1))
        loss.backward()
        if step == 0:
            found = {**acts, "logits": logits, "loss": loss.detach().clone(),
                     **{"grad." + name: p.grad.clone() for name, p in trained.items()}}
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(list(trained.values()), hp["grad_clip"]).item())
        optimizer.step()
    found.update({f"after{hp['steps']}.{name}": p for name, p in trained.items()})
    found = {name: value.detach().numpy().copy() for name, value in found.items()}
    return {**found, "losses": np.array(losses), "grad_norms": np.array(norms)}


def greedy(values, c, mel, R, new, tries=60):
    P = {name: torch.tensor(value, dtype=F64) for name, value in values.items()}
    mel, best = torch.tensor(mel[:1], dtype=F64), None
    for n in range(tries):
        ids, lead = [c["decoder_start_token_id"], *R.ints(f"prompt{n}", (2,), 0, c["vocab_size"]).tolist()], math.inf
        with torch.no_grad():
            for _ in range(new):
                top, places = torch.topk(forward(Ref, P, c, mel, torch.tensor([ids]))[0][0, -1], 2)
                lead = min(lead, float(top[0] - top[1]))
                ids.append(int(places[0]))
        kinds = len(set(ids[3:]))
        if lead > 1e-3 and (best is None or kinds > best[2]):
            best = ids, lead, kinds
    return best


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--out", default=os.path.join(here, "zoo_more"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False  # whose gradients of convolutions were wrong in float32 (1.13, this build)
    c, hp, R, B, T = CONFIG, m.HYPER, Rand("zoo_more/whisper"), 3, 9
    V = c["vocab_size"]
    batch = {"input_features": R.normal("mel", (B, c["num_mel_bins"], 2 * c["max_source_positions"]), 1.0),
             "decoder_input_ids": R.ints("ids", (B, T), 0, V), "targets": R.ints("targets", (B, T), 0, V)}
    batch["targets"][0, 1] = batch["targets"][2, 7:] = m.IGNORE
    values = {key: R.normal(key, shape, dev, mean) for key, (shape, dev, mean) in table(c).items()}
    values[POSITIONS] = sinusoids(c["max_source_positions"], c["d_model"]).astype(np.float32)
    gold, check = run(Ref, F64, values, c, batch, hp), run(Builtin, F32, values, c, batch, hp)
    text, lead, _ = greedy(values, c, batch["input_features"], R, 12)
    tensors = {key: value.astype(np.float32) for key, value in gold.items()}
    tensors.update(batch, greedy_prompt=np.array(text[:3]), greedy_ids=np.array(text))
    strays = {key: int((np.abs(gold[key] - check[key]) > 1e-5).sum()) for key in gold if key.startswith("after")}
    noise = {key: int(((np.abs(gold[key]) < 1e-12 * gold["grad_norms"][0]) & (check[key] != 0)).sum())
             for key in gold if key.startswith("grad.")}
    tolerances = {
        "what": "f32_err: [largest |golden|, largest |float32 PyTorch - golden|]; after_outliers: elements of after3 "
                "where that is above 1e-5; rounding_only: elements of gradients that are 0 but for rounding",
        "loss": "mean cross-entropy over targets that are not -100; greedy_ids are about the first row's audio",
        "optimizer": {**hp, "decoupled_decay_on": "tensors with >= 2 dimensions"},
        "not_trained": [POSITIONS],
        "greedy_smallest_lead": float(f"{lead:.3g}"),
        "rounding_only": {key: count for key, count in noise.items() if count},
        "f32_err": {key: err(gold[key], check[key]) for key in sorted(gold)},
        "after_outliers": {key: count for key, count in strays.items() if count},
    }
    folder = os.path.join(options.out, "whisper")
    m.write_json(os.path.join(folder, "config.json"), c, 2)
    m.write_st(os.path.join(folder, "model.safetensors"), values)
    m.write_st(os.path.join(folder, "golden.safetensors"), tensors)
    m.write(os.path.join(folder, "tolerances.json"), (json.dumps(tolerances, indent=1) + "\n").encode())
    print(sum(v.size for v in values.values()), "parameters, losses", gold["losses"], "lead", lead, "text", text)


main()
