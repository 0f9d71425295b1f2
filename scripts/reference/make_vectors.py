#!/usr/bin/env python3
"""Writes random quantised models of any size with every boundary, computed by the NumPy implementation of check_vectors.py.

`systole validate` must find each of them equal, and shares no code with what made them.
usage: make_vectors.py FILE.safetensors ARCH [KEY=VALUE...]
  ARCH  bert, gpt2, encdec (post-LN encoder and decoder) or xattn (one cross attention)
  keys  d 48, f 96, heads 3, l 17, layers 2, valid (l), prefill (all), lq 9, lk 17, vocabulary 0, seed 1,
        ln affine|fold, p defer|calib|127, act gelu|relu, wide 0|1
"""
import json
import math
import os
import struct
import sys

import numpy as np

from check_vectors import DTYPES, Model, read

DEFAULTS = {"d": "48", "f": "96", "heads": "3", "l": "17", "layers": "2", "valid": "", "prefill": "", "lq": "9", "lk": "17",
            "vocabulary": "0", "seed": "1", "ln": "affine", "p": "defer", "act": "gelu", "wide": ""}
SPREAD = 40.0   # standard deviation of int8 activations
NAMES = {np.dtype(numpy): name for name, numpy in DTYPES.items()}


class Generator:
    def __init__(self, arch, o):
        self.arch, self.o = arch, o
        self.random = np.random.default_rng(int(o["seed"]))
        self.d, self.f, self.heads = int(o["d"]), int(o["f"]), int(o["heads"])
        self.wide = int(o["wide"] or arch == "gpt2")
        self.fold = o["ln"] == "fold"
        self.t = {}

    def int8(self, rows, cols, deviation=SPREAD):
        return np.clip(np.rint(self.random.normal(0, deviation, (rows, cols))), -127, 127).astype(np.int8)

    def int32(self, count, deviation):
        return np.rint(self.random.normal(0, deviation, count)).astype(np.int32)

    def one(self, name, value, dtype=np.float32):
        self.t[name] = np.array([value], dtype)

    def product(self, prefix, letter, rows, cols):
        """int8 weights and an int32 bias; returns the deviation of the sums."""
        self.t[f"{prefix}W{letter}"] = self.int8(rows, cols, 30)
        deviation = math.sqrt(rows) * SPREAD * 30
        self.t[f"{prefix}b{letter}"] = self.int32(cols, deviation / 4)
        return deviation

    def head(self, prefix, longest):
        o, dk = self.o, self.d // self.heads
        for letter in "qkv":
            deviation = self.product(prefix, letter, self.d, dk)
            self.one(f"{prefix}a{letter}", SPREAD / deviation * self.random.uniform(0.8, 1.2))
        scale = 1.5 / (math.sqrt(dk) * SPREAD**2)
        shift = max(0, math.ceil(math.log2(max(8.5e-5, math.sqrt(longest * 1.3e-9)) / scale)))
        scale *= 2**shift
        qb, qc, qln2 = int(1.353 / scale), int(0.344 / (0.3585 * scale**2)), int(0.693147 / scale)
        self.t[prefix + "c"] = np.array([qb, qc, qln2, 65536 // qln2], np.int32)
        self.one(prefix + "sh", shift, np.int32)
        peak = qb * qb + qc
        if o["p"] == "defer":
            self.one(prefix + "ae", 127 / peak)
            self.one(prefix + "ac", 2 * peak / 127**2)
        else:
            largest = 1.0 if o["p"] == "127" else 0.4
            self.one(prefix + "ap", 1 / largest)
            self.one(prefix + "ac", 2 * largest / 127)

    def norm(self, prefix, deviation):
        shift = 0
        while not self.wide and self.d * (4 * deviation / 2**shift) ** 2 >= 2**31:
            shift += 1
        self.one(prefix + "sh", shift, np.int32)
        self.one(prefix + "a", SPREAD)
        plain = self.fold
        self.t[prefix + "g"] = np.ones(self.d, np.float32) if plain else self.random.normal(1, 0.2, self.d).astype(np.float32)
        self.t[prefix + "b"] = np.zeros(self.d, np.float32) if plain else self.random.normal(0, 8, self.d).astype(np.float32)

    def residual(self, name, deviation, operand):
        """Factor that makes the residual about as large as the sums; returns the deviation of both together."""
        if self.fold:
            self.t[name] = self.random.integers(-500, 2000, self.d).astype(np.int32)
            return deviation + 1000 * SPREAD
        self.one(name, deviation / operand)
        return deviation * 1.5

    def layer(self, index, longest, cross=False, h=None):
        """Parameters of a layer; `h`: deviation of the int32 residual of gpt2. Returns that of its output."""
        q, pre = f"q.{index}.", h is not None
        for head in range(self.heads):
            self.head(f"{q}at.{head}.", longest)
        if pre:
            self.norm(q + "n1.", h)
        total = self.residual(q + "ro", self.product(q, "o", self.d, self.d), h if pre else SPREAD)
        self.norm(q + ("n2." if pre else "n1."), total)
        if cross:
            for head in range(self.heads):
                self.head(f"{q}xa.{head}.", longest)
            self.norm(q + "nx.", self.residual(q + "rx", self.product(q, "x", self.d, self.d), SPREAD))
        inner = self.product(q, "1", self.d, self.f)
        if self.o["act"] == "gelu":
            scale, shift = 1.5 / inner, 0
            while scale * 2**shift < 6e-3:
                shift += 1
            scale *= 2**shift
            square = -0.2888 * scale**2 / 2
            self.t[q + "ge.c"] = np.array([shift, int(-1.769 * math.sqrt(2) / scale), int(1 / square)], np.int32)
            self.one(q + "ge.a", scale * square / 2 / (4 / 127))
        else:
            self.t[q + "ge.c"] = np.zeros(3, np.int32)
            self.one(q + "ge.a", SPREAD / inner)
        out = self.residual(q + "r2", self.product(q, "2", self.f, self.d), total if pre else SPREAD)
        if not pre:
            self.norm(q + "n2.", out)
        return out

    def notes(self):
        o, kind = self.o, self.arch
        notes = {"arch": kind, "d": o["d"], "heads": o["heads"], "p": o["p"], "seed": o["seed"], "kind": "random"}
        if kind == "xattn":
            return {**notes, "lq": o["lq"], "lk": o["lk"]}
        notes.update(f=o["f"], l=o["l"], layers=o["layers"], ln=o["ln"], act=o["act"], wide=str(self.wide), valid=o["valid"] or o["l"])
        if kind == "gpt2":
            notes["prefill"] = o["prefill"] or o["l"]
        if kind == "encdec":
            notes.update(lq=o["lq"], lk=o["l"], prefill=o["prefill"] or o["lq"], encoder_layers=str((int(o["layers"]) + 1) // 2))
        return notes

    def make(self):
        o, layers, rows = self.o, int(self.o["layers"]), int(self.o["l"])
        longest = max(rows, int(o["lq"]), int(o["lk"]))
        if self.arch == "xattn":
            for head in range(self.heads):
                self.head(f"q.at.{head}.", longest)
            self.t["in.xq"], self.t["in.xkv"] = self.int8(int(o["lq"]), self.d), self.int8(int(o["lk"]), self.d)
        elif self.arch == "gpt2":
            h = 2.0**20
            self.t["act.-1.h0"] = self.int32((rows, self.d), h)
            for index in range(layers):
                h = self.layer(index, longest, h=h)
            self.norm("nf.", h)
        else:
            self.t["act.-1.x0"] = self.int8(rows, self.d)
            encoders = layers if self.arch == "bert" else (layers + 1) // 2
            for index in range(layers):
                self.layer(index, longest, cross=index >= encoders)
            if self.arch == "encdec":
                self.t["act.-1.y0"] = self.int8(int(o["lq"]), self.d)
        vocabulary = int(o["vocabulary"])
        if vocabulary and self.arch in ("gpt2", "encdec"):
            self.t["lm.W"] = self.int8(self.d, vocabulary)
            self.one("lm.Sw", 1.0, np.float64)
        notes = self.notes()
        for name, value in Model(self.t, notes).run().items():
            wide = name.split(".")[-1] in ("s", "xs", "rowsum", "xrowsum", "h0", "h_mid", "h_out", "logits") or name.endswith("_acc")
            self.t[name] = value.astype(np.int32 if wide else np.int8)
        return self.t, notes


def write(path, tensors, notes):
    header, offset = {"__metadata__": notes}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": NAMES[value.dtype], "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())
    os.replace(path + ".part", path)


def main(arguments):
    if len(arguments) < 2 or arguments[0] in ("-h", "--help"):
        sys.exit(__doc__)
    options = dict(DEFAULTS)
    for word in arguments[2:]:
        key, _, value = word.partition("=")
        if key not in options or not value:
            sys.exit(f"make_vectors.py: '{word}': known keys are {', '.join(DEFAULTS)}")
        options[key] = value
    if arguments[1] not in ("bert", "gpt2", "encdec", "xattn"):
        sys.exit(f"make_vectors.py: unknown architecture '{arguments[1]}'")
    tensors, notes = Generator(arguments[1], options).make()
    write(arguments[0], tensors, notes)
    read(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
