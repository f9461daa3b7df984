"""Copies some cases of a folder of op goldens (index.json, ops.safetensors) into a smaller folder of the same form.

python3 make_zoo_subset.py SOURCE TARGET OP...
"""
import json
import os
import struct
import sys


def main():
    source, target, ops = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    with open(os.path.join(source, "index.json")) as f:
        index = json.load(f)
    index["cases"] = [case for case in index["cases"] if case["op"] in ops]
    missing = ops - {case["op"] for case in index["cases"]}
    if missing:
        sys.exit(f"{source} has no case of {', '.join(sorted(missing))}")
    with open(os.path.join(source, "ops.safetensors"), "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        tensors = f.read()
    kept, data = {}, b""
    for case in index["cases"]:
        for name in case["shapes"]:
            entry = header[f"{case['case']}.{name}"]
            begin, end = entry["data_offsets"]
            kept[f"{case['case']}.{name}"] = {**entry, "data_offsets": [len(data), len(data) + end - begin]}
            data += tensors[begin:end]
    text = json.dumps(kept).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, "ops.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(target, "index.json"), "w") as f:
        json.dump(index, f, indent=1)
        f.write("\n")


main()
