#!/usr/bin/env python3
"""Recomputes every boundary stored in a quantised model from its integers and compares bit by bit.

Third implementation of the machine's arithmetic (NumPy), beside the C++ reference and the simulator; shares nothing with them.
usage: check_vectors.py FILE.safetensors...     exit code 0: all equal, 1: a mismatch, 2: unusable file
"""
import json
import struct
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}
F32 = np.float32


def read(path):
    """Tensors and metadata of a safetensors file."""
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    notes = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + length + begin : 8 + length + end], DTYPES[entry["dtype"]])
        tensors[name] = data.reshape(entry["shape"])
    return tensors, notes


# ---- arithmetic: int64 arrays hold int32 values, `low` wraps them -------------------------------------------------------------
def low(x):
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def matmul(a, b, d=0):
    return low(a.astype(np.int64) @ b.astype(np.int64) + d)


def saturate(y, smallest, largest):
    y = np.where(np.isnan(y), F32(np.inf), np.rint(y)).astype(np.float64)
    return np.clip(y, smallest, largest).astype(np.int64)


def scale8(x, s):
    return saturate(x.astype(F32) * np.asarray(s, F32), -128, 127)


def scale32(x, s):
    return saturate(x.astype(F32) * F32(s), -(2**31), 2**31 - 1)


def shift(x, s):
    """Right shift, half to even: the remainder decides, ties go to the even quotient."""
    s = int(s)
    quotient, remainder, half = x >> s, x & ((1 << s) - 1), (1 << s) >> 1
    up = (remainder > half) | ((remainder == half) & (quotient % 2 == 1))
    return np.where(up & (s > 0), quotient + 1, quotient)


def gelu(q, qb, qc):
    sign = np.where(q < 0, -1, 1)
    poly = low(low(np.minimum(low(np.abs(q)), low(-qb)) + qb) ** 2 + qc)
    return low(q * low(low(sign * poly) + qc))


def exp(q, c):
    qb, qc, qln2, inverse = (int(v) for v in c)
    z = low((-q * inverse) >> 16) & 0xFFFFFFFF
    poly = low(low(low(q + low(z) * qln2) + qb) ** 2 + qc) & 0xFFFFFFFF
    return low(np.where(z >= 32, 0, poly >> np.minimum(z, 31)))


def softmax(x, c, s):
    """Unrounded exponentials and their sums."""
    x = shift(x, s)
    e = exp(low(x - x.max(-1, keepdims=True)), c)
    return e, low(e.sum(-1, keepdims=True))


def norm(x, n, wide, affine):
    x = shift(x, n["sh"][0])
    count = x.shape[-1]
    truncated = lambda a: np.sign(a) * (np.abs(a) // count)
    if wide:
        difference = x - truncated(x.sum(-1, keepdims=True))
        variance = (difference**2).sum(-1, keepdims=True) // count
        deviation = np.where(variance == 0, F32(1), np.sqrt(variance.astype(F32)))
    else:
        difference = low(x - truncated(low(x.sum(-1, keepdims=True))))
        variance = truncated(low(low(difference**2).sum(-1, keepdims=True))) & 0xFFFFFFFF
        root = np.floor(np.sqrt(variance.astype(np.float64))).astype(np.int64)  # exact: below 2^53
        root = np.where(root >= 2**15, root - 2**16, root)
        deviation = np.where(root == 0, 1, root).astype(F32)
    t = low(difference).astype(F32) * ((F32(1) / deviation) * F32(n["a"][0]))
    return saturate(t * n["g"] + n["b"] if affine else t, -128, 127)


# ---- graphs -------------------------------------------------------------------------------------------------------------------
class Model:
    def __init__(self, tensors, notes):
        self.t, self.notes, self.got = tensors, notes, {}
        self.heads, self.d = int(notes["heads"]), int(notes["d"])
        self.defer = notes.get("p", "defer") == "defer"
        self.wide = notes.get("wide", "0") != "0"
        self.affine = notes.get("ln", "affine") == "affine"
        self.valid = int(notes.get("valid", notes.get("l", 0)))

    def under(self, prefix):
        return {name[len(prefix) :]: value for name, value in self.t.items() if name.startswith(prefix)}

    def put(self, name, value):
        self.got[name] = value
        return value

    def norm(self, x, prefix):
        return norm(x, self.under(prefix), self.wide, self.affine)

    def attention(self, prefix, act, x, y, visible):
        """Context of all heads side by side; visible(rows, keys) is the mask."""
        parts = {name: [] for name in ("q", "k", "v", "s", "p", "rowsum", "ctx")}
        for h in range(self.heads):
            w = self.under(f"{prefix}.{h}.")
            q, k, v = (scale8(matmul(i, w["W" + n], w["b" + n]), w["a" + n][0]) for n, i in (("q", x), ("k", y), ("v", y)))
            magnitude = 2 * q.shape[1] * 2**14 + ((48 * int(w["c"][2]) + 64) << int(w["sh"][0]))
            s = low(matmul(q, k.T) - np.where(visible(len(x), len(y)), 0, magnitude))
            e, total = softmax(s, w["c"], w["sh"][0])
            inverse = F32(127) / total.astype(F32)
            if self.defer:
                p, factor = scale8(e, w["ae"][0]), inverse * w["ac"][0]
            else:
                p, factor, total = scale8(e, inverse * w["ap"][0]), w["ac"][0], 0 * total
            ctx = scale8(matmul(p, v), factor)
            for name, value in zip(parts, (q, k, v, s, p, total, ctx)):
                parts[name].append(value)
        for name, values in parts.items():
            self.put(act + name, np.stack(values))
        return np.concatenate(parts["ctx"], 1)

    def residual(self, x, r):
        return x * r.astype(np.int64) if r.dtype == np.int32 else scale32(x, r[0])

    def feed_forward(self, index, x):
        q, act = f"q.{index}.", f"act.{index}."
        acc = self.put(act + "ffn1_acc", matmul(x, self.t[q + "W1"], self.t[q + "b1"]))
        name = self.notes.get("act", "gelu")
        sh, qb, qc = (int(v) for v in self.t[q + "ge.c"])
        inner = gelu(shift(acc, sh), qb, qc) if name == "gelu" else np.maximum(acc, 0)
        return self.put(act + name, scale8(inner, self.t[q + "ge.a"][0]))

    def sum_norm(self, index, a, x, letter, norm_name, acc_name, out_name):
        q, act = f"q.{index}.", f"act.{index}."
        d = self.t[f"{q}b{letter}"] + self.residual(x, self.t[f"{q}r{letter}"])
        acc = self.put(act + acc_name, matmul(a, self.t[f"{q}W{letter}"], d))
        return self.put(act + out_name, self.norm(acc, f"{q}{norm_name}."))

    def post_norm(self, index, x, visible, encoded=None):
        act = f"act.{index}."
        ctx = self.attention(f"q.{index}.at", act, x, x, visible)
        y = self.sum_norm(index, ctx, x, "o", "n1", "attn_acc", "ln1")
        if encoded is not None:
            ctx = self.attention(f"q.{index}.xa", act + "x", y, encoded, self.padding)
            y = self.sum_norm(index, ctx, y, "x", "nx", "xattn_acc", "lnx")
        return self.sum_norm(index, self.feed_forward(index, y), y, "2", "n2", "ffn2_acc", "ln2")

    def pre_norm(self, index, h):
        q, act = f"q.{index}.", f"act.{index}."
        y = self.put(act + "ln1", self.norm(h, q + "n1."))
        ctx = self.attention(q + "at", act, y, y, causal)
        h = self.put(act + "h_mid", matmul(ctx, self.t[q + "Wo"], self.t[q + "bo"] + scale32(h, self.t[q + "ro"][0])))
        y = self.put(act + "ln2", self.norm(h, q + "n2."))
        inner = self.feed_forward(index, y)
        return self.put(act + "h_out", matmul(inner, self.t[q + "W2"], self.t[q + "b2"] + scale32(h, self.t[q + "r2"][0])))

    def padding(self, rows, keys):
        return np.broadcast_to(np.arange(keys) < (self.valid or keys), (rows, keys))

    def embedded(self, floats, scale, integers):
        if floats in self.t and scale in self.t:
            y = np.rint(self.t[floats] / F32(self.t[scale][0]))
            return self.put(integers, saturate(y, -(2**31), 2**31 - 1))
        return self.t[integers].astype(np.int64) if integers in self.t else None

    def first(self, name, floats, prefix, integers):
        x = self.embedded(floats, prefix + "S", integers)
        if x is None:
            return self.t[name].astype(np.int64)
        return self.put(name, self.norm(x, prefix) if prefix + "a" in self.t else np.clip(x, -128, 127))

    def head(self, y, layers):
        if "mlm.W" in self.t:  # BERT's: product, activation, LayerNorm of the int8 result
            name, act = self.notes.get("act", "gelu"), f"act.{layers}.mlm_"
            acc = self.put(act + "acc", matmul(y, self.t["mlm.W"], self.t["mlm.b"]))
            sh, qb, qc = (int(v) for v in self.t["mlm.ge.c"])
            inner = gelu(shift(acc, sh), qb, qc) if name == "gelu" else np.maximum(acc, 0)
            inner = self.put(act + name, scale8(inner, self.t["mlm.ge.a"][0]))
            y = self.put(act + "ln", self.norm(scale32(inner, self.t["mlm.r"][0]), "mlm.n."))
        if "lm.W" in self.t:
            self.put(f"act.{layers}.logits", matmul(y, self.t["lm.W"], self.t.get("lm.b", 0)))

    def run(self):
        arch, layers = self.notes["arch"], int(self.notes.get("layers", 0))
        if arch == "xattn":
            xq, xkv = self.t["in.xq"].astype(np.int64), self.t["in.xkv"].astype(np.int64)
            self.put("out.ctx", self.attention("q.at", "act.", xq, xkv, self.padding))
        elif arch == "gpt2":
            h = self.embedded("in.h_f32", "S0", "act.-1.h0")
            for index in range(layers):
                h = self.pre_norm(index, h)
            self.head(self.put(f"act.{layers}.lnf", self.norm(h, "nf.")), layers)
        elif arch in ("bert", "encdec"):
            encoders = layers if arch == "bert" else int(self.notes["encoder_layers"])
            x = self.first("act.-1.x0", "in.emb_f32", "emb.", "act.-1.emb_i32")
            for index in range(encoders):
                x = self.post_norm(index, x, self.padding)
            if arch == "encdec":
                y = self.first("act.-1.y0", "in.demb_f32", "demb.", "act.-1.demb_i32")
                for index in range(encoders, layers):
                    y = self.post_norm(index, y, causal, x)
                x = y
            self.head(x, layers)
        else:
            raise ValueError(f"unknown architecture '{arch}'")
        return self.got


def causal(rows, keys):
    return np.arange(keys) <= np.arange(rows)[:, None]


def check(path):
    """Prints the first difference of each unequal boundary. Returns whether all are equal."""
    tensors, notes = read(path)
    got = Model(tensors, notes).run()
    # Inputs that are given as such follow from nothing.
    stored = [name for name in tensors if name.startswith(("act.", "out.")) and (name in got or not name.startswith("act.-1."))]
    equal = bool(stored)
    for name in stored:
        if name not in got or got[name].shape != tensors[name].shape:
            print(f"{path}: {name}: not computed, or of another shape")
            equal = False
            continue
        different = np.argwhere(got[name] != tensors[name])
        if len(different):
            at = tuple(int(i) for i in different[0])
            print(f"{path}: {name}{list(at)}: stored {tensors[name][at]}, computed {got[name][at]} ({len(different)} differ)")
            equal = False
    words = sum(tensors[name].size for name in stored)
    print(f"{path}: {len(stored)} boundaries, {words} values: {'equal' if equal else 'DIFFERENT'}")
    return equal


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        results = [check(path) for path in sys.argv[1:]]
    except (OSError, ValueError, KeyError, struct.error) as error:
        print(f"check_vectors.py: {error!r}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if all(results) else 1)
