#pragma once
// Compares a tensor that the machine left in memory with the expected one, element by element.
#include <cstdint>
#include <optional>
#include <string>

#include "sim/base/memory.h"
#include "workloads/lower/lowered.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/tensor.h"

namespace systole::verify {

struct ElementDifference {
  std::string place;               // "act.0.q, head 2, row 3, column 4"
  std::uint64_t address = 0;
  std::int64_t expected = 0;
  std::int64_t actual = 0;
};

struct BoundaryResult {
  std::string name;
  std::uint64_t elements = 0;      // compared; words that a masked score does not have are left out
  std::uint64_t mismatches = 0;
  std::optional<ElementDifference> first;
};

// `expected` as in workloads/reference/evaluate.h. Throws ConfigError when its type or shape is not that of the boundary.
[[nodiscard]] BoundaryResult compare_boundary(const workloads::Boundary& boundary, const workloads::Tensor& expected,
                                              const workloads::QuantisedModel& model, const Memory& memory);

}  // namespace systole::verify
