#!/usr/bin/env python3
"""Compares the float model that `systole quantize` reports against with PyTorch, boundary by boundary.

    systole quantize CHECKPOINT -o MODEL.safetensors --seq 32 --vectors --json REPORT.json     [--head for a BERT with a language head]
    check_float.py CHECKPOINT MODEL.safetensors REPORT.json

PyTorch runs the checkpoint (BERT or GPT-2, one model.safetensors) on the input stored in the model. The stored integers, times their
scales, must have the same SQNR against PyTorch as the report states against Systole's own float model, and the largest value must be the
same. Exit code 0: all equal within the tolerances, 1: not, 2: unusable input. Needs scripts/setup.sh --torch.
"""
import json
import math
import os
import sys

import torch
from torch.nn.functional import gelu, layer_norm, linear

from check_vectors import read

SQNR_TOLERANCE_DB = 0.05
VALUE_TOLERANCE = 1e-4   # of the largest value


def tensor(array):
    return torch.tensor(array.copy(), dtype=torch.float64)


class Checkpoint:
    def __init__(self, directory):
        with open(os.path.join(directory, "config.json")) as file:
            self.config = json.load(file)
        tensors, _ = read(os.path.join(directory, "model.safetensors"))
        self.tensors = {}
        for name, array in tensors.items():
            for prefix in ("bert.", "transformer."):
                name = name.removeprefix(prefix)
            self.tensors[name] = tensor(array)

    def norm(self, x, name):
        epsilon = self.config.get("layer_norm_eps", self.config.get("layer_norm_epsilon", 1e-5))
        return layer_norm(x, x.shape[-1:], self[name + ".weight"], self[name + ".bias"], epsilon)

    def linear(self, x, name, transposed=False):
        weight = self[name + ".weight"]
        return linear(x, weight.T if transposed else weight, self[name + ".bias"])

    def __getitem__(self, name):
        if name not in self.tensors:
            raise KeyError(f"the checkpoint has no tensor {name}")
        return self.tensors[name]

    def __contains__(self, name):
        return name in self.tensors


def split(x, heads):   # rows x width -> heads x rows x width of a head
    return x.reshape(x.shape[0], heads, -1).transpose(0, 1)


def attention(q, k, v, causal):
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores + torch.full(scores.shape[1:], -math.inf, dtype=scores.dtype).triu(1)
    return scores.softmax(-1) @ v


def joined(context):
    return context.transpose(0, 1).reshape(context.shape[1], -1)


def named(layer, **boundaries):
    return {f"act.{layer}.{what}": values for what, values in boundaries.items()}


def bert(c, embeddings):
    heads = c.config["num_attention_heads"]
    x = c.norm(embeddings, "embeddings.LayerNorm")
    out = {}
    for i in range(c.config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        q, k, v = (split(c.linear(x, f"{layer}attention.self.{part}"), heads) for part in ("query", "key", "value"))
        context = attention(q, k, v, causal=False)
        attended = c.linear(joined(context), layer + "attention.output.dense") + x
        middle = c.norm(attended, layer + "attention.output.LayerNorm")
        wide = c.linear(middle, layer + "intermediate.dense")
        inner = gelu(wide)
        summed = c.linear(inner, layer + "output.dense") + middle
        x = c.norm(summed, layer + "output.LayerNorm")
        out |= named(i, q=q, k=k, v=v, ctx=context, attn_acc=attended, ln1=middle, ffn1_acc=wide, gelu=inner, ffn2_acc=summed, ln2=x)
    if "cls.predictions.transform.dense.weight" in c:
        wide = c.linear(x, "cls.predictions.transform.dense")
        inner = gelu(wide)
        head = c.norm(inner, "cls.predictions.transform.LayerNorm")
        logits = linear(head, c["embeddings.word_embeddings.weight"], c["cls.predictions.bias"])
        out |= named(c.config["num_hidden_layers"], mlm_acc=wide, mlm_gelu=inner, mlm_ln=head, logits=logits)
    return out


def gpt2(c, x):
    heads = c.config["n_head"]
    out = {}
    for i in range(c.config["n_layer"]):
        layer = f"h.{i}."
        first = c.norm(x, layer + "ln_1")
        qkv = c.linear(first, layer + "attn.c_attn", transposed=True)
        q, k, v = (split(part, heads) for part in qkv.chunk(3, -1))
        context = attention(q, k, v, causal=True)
        middle = x + c.linear(joined(context), layer + "attn.c_proj", transposed=True)
        second = c.norm(middle, layer + "ln_2")
        wide = c.linear(second, layer + "mlp.c_fc", transposed=True)
        inner = gelu(wide, approximate="tanh")
        x = middle + c.linear(inner, layer + "mlp.c_proj", transposed=True)
        out |= named(i, ln1=first, q=q, k=k, v=v, ctx=context, h_mid=middle, ln2=second, ffn1_acc=wide, gelu=inner, h_out=x)
    last = c.norm(x, "ln_f")
    return out | named(c.config["n_layer"], lnf=last, logits=last @ c["wte.weight"].T)


def dequantised(model, name):
    """A boundary's integers times its scale, one for each head where they differ."""
    _, layer, what = name.split(".")
    values = tensor(model[name])
    if what in ("q", "k", "v"):
        scales = [model[f"q.{layer}.at.{head}.S{what}"][0] for head in range(values.shape[0])]
        return values * torch.tensor(scales, dtype=torch.float64)[:, None, None]
    if what == "logits":
        return values * (model["lm.Sx"][0] * model["lm.Sw"][0])
    norms = {"ln1": f"q.{layer}.n1.a", "ln2": f"q.{layer}.n2.a", "lnf": "nf.a", "mlm_ln": "mlm.n.a"}
    if what in norms:
        return values / float(model[norms[what]][0])
    scales = {"ctx": f"q.{layer}.at.Sctx", "attn_acc": f"q.{layer}.So", "h_mid": f"q.{layer}.So", "ffn1_acc": f"q.{layer}.ge.S",
              "gelu": f"q.{layer}.ge.Sg", "ffn2_acc": f"q.{layer}.S2", "h_out": f"q.{layer}.Sh", "mlm_acc": "mlm.ge.S", "mlm_gelu": "mlm.ge.Sg"}
    return values * model[scales[what]][0]


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        checkpoint = Checkpoint(sys.argv[1])
        model, notes = read(sys.argv[2])
        with open(sys.argv[3]) as file:
            report = {b["name"]: b for b in json.load(file)["boundaries"]}
        forward, given = {"bert": (bert, "in.emb_f32"), "gpt2": (gpt2, "in.h_f32")}[notes["arch"]]
        expected = forward(checkpoint, tensor(model[given]))
    except (OSError, KeyError, ValueError) as error:
        print(f"check_float: {error}", file=sys.stderr)
        return 2
    print(f"{'boundary':14} {'SQNR dB':>8} {'PyTorch':>8} {'largest':>9} {'PyTorch':>9}")
    left_out = report.keys() - expected.keys()
    for name in sorted(left_out):
        print(f"{name:14} is not computed here")
    equal = not left_out
    compared = 0
    for name, reference in expected.items():
        if name not in model or name not in report:
            continue
        error = dequantised(model, name) - reference
        sqnr = 10 * math.log10((reference**2).sum() / (error**2).sum())
        largest = reference.abs().max().item()
        own = report[name]
        same = abs(sqnr - own["sqnr_db"]) <= SQNR_TOLERANCE_DB and abs(largest - own["reference_max"]) <= VALUE_TOLERANCE * largest
        print(f"{name:14} {own['sqnr_db']:8.2f} {sqnr:8.2f} {own['reference_max']:9.4f} {largest:9.4f}{'' if same else '   differs'}")
        equal &= same
        compared += 1
    if compared == 0:
        print("check_float: the model holds no boundary to compare (quantize --vectors --json)", file=sys.stderr)
        return 2
    print(f"{compared} boundaries: {'equal' if equal else 'not equal'} to PyTorch within {SQNR_TOLERANCE_DB} dB and {VALUE_TOLERANCE} of the largest value")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
