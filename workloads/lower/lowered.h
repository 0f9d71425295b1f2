#pragma once
// A lowered workload: the program, and where every tensor between two operations lies in memory when it has run.
#include <cstddef>
#include <string>
#include <vector>

#include "isa/program.h"
#include "kernels/tensor.h"
#include "workloads/weights/tensor.h"

namespace systole::workloads {

// One boundary of workloads/reference/evaluate.h ("act.0.q"), a matrix per head or one matrix.
struct Boundary {
  std::string name;
  std::size_t sequence = 0;                // item of the batch
  std::vector<kernels::Matrix> slices;     // by head; a single one for tensors without heads
  bool by_head = false;
  // Scores: words of masked keys do not exist in memory. Which keys a query sees follows from the layer.
  bool masked = false;
  std::size_t layer = 0;
  bool cross = false;
};

// Initial bytes of memory that belong to the model.
struct Borrowed {
  std::uint64_t address = 0;
  const void* data = nullptr;
  std::size_t bytes = 0;
};

struct Lowered {
  isa::Program program;
  std::vector<Borrowed> borrowed;          // with LowerOptions::borrow_weights: completes the program's image
  std::vector<Boundary> boundaries;        // in order of computation
  std::vector<std::size_t> valid;          // by sequence: encoder keys that are no padding; empty in models without an encoder
  std::uint64_t memory_end = 0;            // first address behind the workload's tensors
};

}  // namespace systole::workloads
