"""Copies cases of some ops from a folder of golden values (index.json, ops.safetensors) to a smaller folder.

python3 make_zoo_ops.py SOURCE TARGET OP [OP ...]
"""
import json
import os
import struct
import sys

source, target, wanted = sys.argv[1], sys.argv[2], set(sys.argv[3:])
index = json.load(open(os.path.join(source, "index.json")))
index["cases"] = [case for case in index["cases"] if case["op"] in wanted]
missing = wanted - {case["op"] for case in index["cases"]}
if missing:
    sys.exit(f"no cases of {', '.join(sorted(missing))}")
names = {case["case"] for case in index["cases"]}

with open(os.path.join(source, "ops.safetensors"), "rb") as file:
    length, = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    data = file.read()
header.pop("__metadata__", None)
kept, parts, end = {}, [], 0
for name, entry in header.items():
    if name.split(".")[0] in names:
        begin, stop = entry["data_offsets"]
        kept[name] = {**entry, "data_offsets": [end, end + stop - begin]}
        parts.append(data[begin:stop])
        end += stop - begin
text = json.dumps(kept, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)

os.makedirs(target, exist_ok=True)
with open(os.path.join(target, "ops.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
with open(os.path.join(target, "index.json"), "w") as file:
    json.dump(index, file, indent=1)
    file.write("\n")
