#!/usr/bin/env python3
"""Copy some op cases of a folder (index.json, ops.safetensors) into a smaller folder of the same form.

  /usr/bin/python3 pick_ops.py FROM TO OP...        # every case whose "op" is one of these

zoo_attention was made by: pick_ops.py .../goldens/zoo/ops zoo_attention attention t5_buckets alibi_slopes
"""
import json
import os
import struct
import sys

source, target, ops = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(os.path.join(source, "index.json")) as f:
    index = json.load(f)
index["cases"] = [case for case in index["cases"] if case["op"] in ops]
with open(os.path.join(source, "ops.safetensors"), "rb") as f:
    size = struct.unpack("<Q", f.read(8))[0]
    header, data = json.loads(f.read(size)), f.read()
prefixes = tuple(case["case"] + "." for case in index["cases"])
picked, bytes_, at = {}, [], 0
for name in sorted(name for name in header if name.startswith(prefixes)):
    begin, end = header[name]["data_offsets"]
    picked[name] = {**header[name], "data_offsets": [at, at + end - begin]}
    bytes_.append(data[begin:end])
    at += end - begin
text = json.dumps(picked, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
os.makedirs(target, exist_ok=True)
with open(os.path.join(target, "ops.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(bytes_))
cases = ",\n  ".join(json.dumps(case) for case in index.pop("cases"))
head = json.dumps(index, indent=1)[:-2]
with open(os.path.join(target, "index.json"), "w") as f:
    f.write(f'{head},\n "cases": [\n  {cases}\n ]\n}}\n')
