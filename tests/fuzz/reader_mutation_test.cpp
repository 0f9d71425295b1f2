// The readers of what users write or download, under random mutations of good input: a result, or a ConfigError.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "sim/config/machine_config.h"
#include "tests/fuzz/parsers.h"
#include "tests/fuzz/text_mutation.h"

namespace systole::test {
namespace {

constexpr int kMutations = 3000;
constexpr std::uint64_t kSeed = 20240608;

std::string safetensors(const std::string& header, std::size_t bytes) {
  const std::uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + std::string(bytes, '\1');
}

TEST(ReaderMutation, machine) {
  EXPECT_EQ(first_escape({config::dump_yaml(config::preset_machine("survey")),
                          "preset: survey\ndma:\n  max_in_flight: 32\n  bus_bytes: 32\nscratchpad.kib: 128\naccumulator: {kib: 64, banks: 2}\n"},
                         &parse_as_machine, kMutations / 3, kSeed),
            "");
}

TEST(ReaderMutation, graph) {
  EXPECT_EQ(first_escape({"graph: feed_forward\nseed: 1\ninputs:\n  x: {rows: 128, cols: 768}\nnodes:\n  - {name: inner, op: linear, in: x, cols: 3072, activation: gelu}\n"
                          "  - {name: sum, op: linear, in: inner, cols: 768, residual: x, output: int32}\n  - {name: y, op: layer_norm, in: sum}\n",
                          "graph: g\ninputs:\n  q: {rows: 16, cols: 64}\n  k: {rows: 32, cols: 64}\nnodes:\n  - {name: s, op: matmul, in: [q, k], transpose_b: true}\n"
                          "  - {name: a, op: attention, in: [q, k, k], heads: 4, causal: true}\n  - {name: b, op: add, in: [a, q], output: int32}\n"},
                         &parse_as_graph, kMutations, kSeed),
            "");
}

TEST(ReaderMutation, sweep) {
  EXPECT_EQ(first_escape({"workloads: [bert-base, gpt2]\nseq: [64, 128]\nlayers: 1\ntiming_only: true\ngrid: {memory.latency: [20, 100], dma.max_in_flight: [8, 16]}\n",
                          "workloads:\n  - bert-base\nmachine: survey\nlist:\n  - {scratchpad.kib: 64, accumulator.kib: 256}\n  - {scratchpad.kib: 256}\n"},
                         &parse_as_sweep, kMutations, kSeed),
            "");
}

TEST(ReaderMutation, safetensors) {
  EXPECT_EQ(first_escape({safetensors(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I8","shape":[8],"data_offsets":[24,32]},"__metadata__":{"k":"v"}})", 32),
                          safetensors(R"({"x":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},"y":{"dtype":"I64","shape":[0,4],"data_offsets":[2,2]}})", 2), safetensors("{}", 0)},
                         &parse_as_safetensors, kMutations, kSeed),
            "");
}

}  // namespace
}  // namespace systole::test
