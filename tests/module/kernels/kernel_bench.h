#pragma once
// One kernel alone on the machine: random operands in memory, the kernel's program, what must be in memory afterwards and how long it takes.
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/allocate.h"
#include "kernels/builder.h"
#include "sim/config/machine_config.h"
#include "tests/support/random.h"

namespace systole::test {

// A matrix on both sides.
template <typename T>
struct Operand {
  std::vector<T> values;    // packed
  kernels::Matrix matrix;   // in simulated memory
};
using Int8 = Operand<std::int8_t>;
using Int32 = Operand<std::int32_t>;
using Float32 = Operand<float>;

class KernelBench {
 public:
  explicit KernelBench(const std::string& preset);

  [[nodiscard]] kernels::Builder& builder() { return builder_; }
  [[nodiscard]] const kernels::Target& target() const { return target_; }
  [[nodiscard]] Random& random() { return random_; }

  Int8 int8(std::uint64_t rows, std::uint64_t cols, int largest = 127) { return integers<std::int8_t>(rows, cols, largest); }
  Int32 int32(std::uint64_t rows, std::uint64_t cols, std::int64_t largest) { return integers<std::int32_t>(rows, cols, largest); }
  // A row that every row of a product sees.
  Int32 bias(std::uint64_t cols, std::int64_t largest);
  template <typename T>
  Operand<T> given(std::uint64_t rows, std::uint64_t cols, std::vector<T> values) {
    const kernels::Matrix m = memory_.matrix("in", rows, cols, values.data());
    return {std::move(values), m};
  }
  // Room for a result; a name for a part of memory.
  kernels::Matrix result(std::uint64_t rows, std::uint64_t cols, kernels::Element element) { return memory_.matrix("out", rows, cols, element); }
  [[nodiscard]] kernels::Allocator& memory() { return memory_; }

  template <typename T>
  void expect(const kernels::Matrix& where, const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    expected_.push_back({where, std::vector<std::uint8_t>(bytes, bytes + values.size() * sizeof(T))});
  }

  // Runs on the machine and on the functional model, both with these results. Once per process.
  void run(const std::string& kernel);

 private:
  struct Expected {
    kernels::Matrix where;
    std::vector<std::uint8_t> bytes;
  };
  template <typename T>
  Operand<T> integers(std::uint64_t rows, std::uint64_t cols, std::int64_t largest) {
    std::vector<T> values(rows * cols);
    for (T& v : values) v = static_cast<T>(random_.range(-largest, largest));
    return given(rows, cols, std::move(values));
  }
  void compare(const Memory& memory, const char* who) const;

  const config::MachineConfig machine_;
  const kernels::Target target_;
  isa::Program program_;
  kernels::Allocator memory_;
  kernels::Builder builder_;
  Random random_{1};
  std::vector<Expected> expected_;
};

}  // namespace systole::test
