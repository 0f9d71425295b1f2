#pragma once
// Holds of a program's memory what is alive: its initial contents arrive in front of the piece of the program (from a fence to the next) that
// first names them, and what no later item names is forgotten. A model of many layers then needs little more memory than one of its layers.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "isa/program.h"
#include "sim/base/memory.h"
#include "workloads/lower/lowered.h"

namespace systole::run {

class LiveMemory {
 public:
  // All tensors are those of kernels::Allocator, with pages of their own. Everything must outlive this object.
  LiveMemory(const workloads::Lowered& lowered, Memory& memory);

  // No item in front of `next`, a fence's successor or the program's start, matters any more. 0: begins again, with `memory` new.
  void advance(std::size_t next);

  // A tensor is named by an address inside it.
  [[nodiscard]] bool dead(std::uint64_t address) const;
  // Each hold() keeps a tensor until a release().
  void hold(std::uint64_t address);
  void release(std::uint64_t address);

 private:
  // A tensor, with everything that overlaps it.
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::size_t first = kNever;   // items that name it
    std::size_t last = 0;
    unsigned holds = 0;
  };
  struct Contents {
    std::uint64_t address = 0;
    const void* data = nullptr;
    std::size_t bytes = 0;
    std::size_t first = 0;        // item that needs it
  };
  static constexpr std::size_t kNever = ~std::size_t{0};

  void find_ranges();
  void find_uses();
  void order_contents(const std::vector<workloads::Borrowed>& borrowed);
  [[nodiscard]] std::size_t find(std::uint64_t address) const;   // ranges_.size(): in none
  [[nodiscard]] bool dead(const Range& range) const { return range.first != kNever && range.last < next_; }
  void forget(const Range& range);

  const isa::Program& program_;
  Memory& memory_;
  std::vector<Range> ranges_;           // by address
  std::vector<std::size_t> by_death_;   // ranges that are named, by their last item
  std::vector<Contents> contents_;      // by the item that needs them
  std::size_t next_ = 0;
  std::size_t dying_ = 0;               // of by_death_
  std::size_t loaded_ = 0;              // of contents_
};

}  // namespace systole::run
