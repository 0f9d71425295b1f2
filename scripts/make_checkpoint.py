#!/usr/bin/env python3
"""Writes a small Hugging Face checkpoint (config.json, model.safetensors) with random weights: something to try Systole on.

usage: make_checkpoint.py bert|bert-mlm|gpt2|encoder-decoder DIRECTORY [--layers N] [--width D] [--heads H] [--inner F]
                          [--vocabulary V] [--positions P] [--seed S] [--shards N]

Names, layouts and keys of config.json are those of BertModel, BertForMaskedLM, GPT2LMHeadModel and EncoderDecoderModel (two
BERTs); the numbers are normal around 0 with deviation 0.02 times sqrt(768 / D), LayerNorms around 1. Needs Python 3 alone.
"""
import argparse
import array
import json
import math
import os
import random
import struct
import sys


class Weights:
    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.deviation = 0.02 * math.sqrt(768 / options.width)
        self.tensors = {}

    def normal(self, name, shape, center=0.0, deviation=None):
        sigma = self.deviation if deviation is None else deviation
        count = math.prod(shape)
        self.tensors[name] = (shape, array.array("f", (self.random.gauss(center, sigma) for _ in range(count))))

    def linear(self, name, out, inner):  # nn.Linear: [out, in]
        self.normal(name + ".weight", [out, inner])
        self.normal(name + ".bias", [out])

    def conv1d(self, name, inner, out):  # GPT-2's Conv1D: [in, out]
        self.normal(name + ".weight", [inner, out])
        self.normal(name + ".bias", [out])

    def norm(self, name, width):
        self.normal(name + ".weight", [width], 1.0, 0.1)
        self.normal(name + ".bias", [width], 0.0, 0.1)


def attention(w, name, o):
    for part in ("self.query", "self.key", "self.value", "output.dense"):
        w.linear(f"{name}.{part}", o.width, o.width)
    w.norm(f"{name}.output.LayerNorm", o.width)


def bert(w, prefix, o, decodes=False):
    e = prefix + "embeddings."
    w.normal(e + "word_embeddings.weight", [o.vocabulary, o.width])
    w.normal(e + "position_embeddings.weight", [o.positions, o.width])
    w.normal(e + "token_type_embeddings.weight", [2, o.width])
    w.norm(e + "LayerNorm", o.width)
    for layer in range(o.layers):
        name = f"{prefix}encoder.layer.{layer}."
        attention(w, name + "attention", o)
        if decodes:
            attention(w, name + "crossattention", o)
        w.linear(name + "intermediate.dense", o.inner, o.width)
        w.linear(name + "output.dense", o.width, o.inner)
        w.norm(name + "output.LayerNorm", o.width)


def masked_language_head(w, prefix, o):
    w.linear(prefix + "cls.predictions.transform.dense", o.width, o.width)
    w.norm(prefix + "cls.predictions.transform.LayerNorm", o.width)
    w.normal(prefix + "cls.predictions.bias", [o.vocabulary])


def bert_config(o):
    return {
        "model_type": "bert", "vocab_size": o.vocabulary, "hidden_size": o.width, "num_hidden_layers": o.layers,
        "num_attention_heads": o.heads, "intermediate_size": o.inner, "hidden_act": "gelu",
        "max_position_embeddings": o.positions, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "position_embedding_type": "absolute",
    }


def gpt2(w, o):
    w.normal("transformer.wte.weight", [o.vocabulary, o.width])
    w.normal("transformer.wpe.weight", [o.positions, o.width])
    for layer in range(o.layers):
        name = f"transformer.h.{layer}."
        w.norm(name + "ln_1", o.width)
        w.conv1d(name + "attn.c_attn", o.width, 3 * o.width)
        w.conv1d(name + "attn.c_proj", o.width, o.width)
        w.norm(name + "ln_2", o.width)
        w.conv1d(name + "mlp.c_fc", o.width, o.inner)
        w.conv1d(name + "mlp.c_proj", o.inner, o.width)
    w.norm("transformer.ln_f", o.width)
    return {
        "model_type": "gpt2", "vocab_size": o.vocabulary, "n_positions": o.positions, "n_embd": o.width,
        "n_layer": o.layers, "n_head": o.heads, "n_inner": o.inner, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True,
    }


def make(kind, o):
    w = Weights(o)
    if kind == "gpt2":
        return w.tensors, gpt2(w, o)
    if kind == "encoder-decoder":
        bert(w, "encoder.", o)
        bert(w, "decoder.bert.", o, decodes=True)
        masked_language_head(w, "decoder.", o)
        return w.tensors, {
            "model_type": "encoder-decoder", "decoder_start_token_id": 1, "encoder": bert_config(o),
            "decoder": {**bert_config(o), "is_decoder": True, "add_cross_attention": True},
        }
    bert(w, "bert." if kind == "bert-mlm" else "", o)
    if kind == "bert-mlm":
        masked_language_head(w, "", o)
    return w.tensors, bert_config(o)


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * len(values)]}
        offset += 4 * len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            if sys.byteorder == "big":
                values.byteswap()
            file.write(values.tobytes())
    os.replace(path + ".part", path)
    return offset


def write(directory, tensors, config, shards):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    if shards == 1:
        return write_safetensors(os.path.join(directory, "model.safetensors"), tensors)
    names, total, where = list(tensors), 0, {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[shard::shards]
        total += write_safetensors(os.path.join(directory, file), {name: tensors[name] for name in part})
        where.update({name: file for name in part})
    with open(os.path.join(directory, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, file, indent=2)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["bert", "bert-mlm", "gpt2", "encoder-decoder"])
    parser.add_argument("directory")
    for name, value in (("layers", 2), ("width", 128), ("heads", 4), ("inner", 0), ("vocabulary", 1000), ("positions", 128),
                        ("seed", 1), ("shards", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    o = parser.parse_args()
    o.inner = o.inner or 4 * o.width
    if min(o.layers, o.width, o.heads, o.vocabulary, o.positions, o.shards) < 1 or o.width % o.heads:
        parser.error("sizes are positive, and --width is a multiple of --heads")
    tensors, config = make(o.kind, o)
    total = write(o.directory, tensors, config, o.shards)
    print(f"{o.directory}: {o.kind}, {o.layers} layers of width {o.width}, {len(tensors)} tensors, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
