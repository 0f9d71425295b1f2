#pragma once
// Compares what a machine left in memory with the reference, boundary by boundary, bit by bit.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/target.h"
#include "sim/base/memory.h"
#include "workloads/lower/lower.h"

namespace systole::workloads {

struct Mismatch {
  std::string boundary;
  std::size_t sequence = 0;
  std::optional<std::size_t> layer;  // absent for inputs and outputs outside of layers
  std::optional<std::size_t> head;
  std::size_t row = 0;
  std::size_t column = 0;
  std::int64_t expected = 0;
  std::int64_t actual = 0;
  std::uint64_t address = 0;
  std::string instruction;           // that wrote the address last; empty: none did
  std::size_t item = 0;              // its index in the program
  std::string region;
};

struct Comparison {
  std::size_t boundaries = 0;        // compared tensors
  std::size_t different = 0;         // tensors that are not equal
  std::uint64_t values = 0;          // compared numbers
  std::uint64_t mismatches = 0;      // numbers that are not equal
  std::optional<Mismatch> first;     // in order of computation
  std::vector<std::string> unseen;   // expected boundaries that never are in memory (row sums stay in the machine)

  [[nodiscard]] bool equal() const { return different == 0; }
};

// One sentence: layer, tensor, row, column, values, instruction.
[[nodiscard]] std::string describe(const Mismatch& mismatch);

// Does the word of a masked boundary at (query, key) exist?
using Visibility = std::function<bool(const Boundary& boundary, std::size_t query, std::size_t key)>;

// `expected` by boundary name, one map per sequence; boundaries that it does not name are not compared.
// Throws ConfigError for an expected tensor of another type or shape.
[[nodiscard]] Comparison compare(const Lowered& lowered, const Visibility& visible, const std::vector<TensorMap>& expected,
                                 const Memory& memory, int dim);
[[nodiscard]] Comparison compare(const Lowered& lowered, const QuantisedModel& model, const std::vector<TensorMap>& expected,
                                 const Memory& memory, int dim);

// Runs a program whose image is in `memory`.
using Machine = std::function<void(const isa::Program& program, Memory& memory)>;

// Lowers the quantised model stored in a vectors file with all its boundaries, runs it and compares every stored boundary; sums of
// exponentials, which never leave the machine, with those of its scores.
[[nodiscard]] Comparison validate_vectors(const SafetensorsFile& vectors, const kernels::Target& target, const Machine& machine);

}  // namespace systole::workloads
