#!/usr/bin/env python3
"""Copies a safetensors file with one bit of one tensor turned: to see that `systole validate` finds it.

usage: plant_bit.py IN.safetensors TENSOR ROW COLUMN OUT.safetensors [--bit N]
"""
import json
import struct
import sys

SIZES = {"I8": 1, "U8": 1, "BOOL": 1, "I16": 2, "F16": 2, "BF16": 2, "I32": 4, "F32": 4, "I64": 8, "F64": 8}


def main(arguments):
    bit = 4
    if "--bit" in arguments:
        at = arguments.index("--bit")
        bit = int(arguments[at + 1])
        del arguments[at : at + 2]
    if len(arguments) != 5:
        sys.exit(__doc__)
    source, name, row, column, target = arguments
    with open(source, "rb") as file:
        raw = bytearray(file.read())
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    if name not in header:
        sys.exit(f"plant_bit.py: {source} has no tensor '{name}'")
    entry = header[name]
    columns = entry["shape"][-1]
    element = int(row) * columns + int(column)
    byte = 8 + length + entry["data_offsets"][0] + element * SIZES[entry["dtype"]] + bit // 8
    if not 0 <= byte < 8 + length + entry["data_offsets"][1]:
        sys.exit(f"plant_bit.py: {name} is {entry['shape']}")
    raw[byte] ^= 1 << bit % 8
    with open(target, "wb") as file:
        file.write(raw)
    print(f"{target}: bit {bit} of {name}, row {row}, column {column}, turned")


if __name__ == "__main__":
    main(sys.argv[1:])
