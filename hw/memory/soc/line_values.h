#pragma once
// The bytes of lines below a cache: flat memory, or another cache in front of it. Timing never looks inside.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hw/memory/soc/geometry.h"
#include "sim/base/memory.h"

namespace systole::hw::soc {

// Part of a line. Most are a bus beat or a line; copies of a known size need no call.
inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t bytes) {
  if (bytes == kLineBytes) std::memcpy(to, from, kLineBytes);
  else if (bytes == 16) std::memcpy(to, from, 16);
  else std::copy_n(from, bytes, to);
}

class LineValues {
 public:
  virtual ~LineValues() = default;
  // The bytes of a line: where they are kept, or in `buffer` when they are kept nowhere as a whole.
  virtual const std::uint8_t* look(std::uint64_t address, std::uint8_t* buffer) = 0;
  virtual void store(std::uint64_t address, const std::uint8_t* line) = 0;
};

// Lines outside of memory (those that fill the cache before the first command) have no bytes.
class FlatLines final : public LineValues {
 public:
  explicit FlatLines(Memory& memory) : memory_(memory) {}
  const std::uint8_t* look(std::uint64_t address, std::uint8_t* buffer) override {
    if (memory_.contains(address, kLineBytes)) return memory_.at(address, kLineBytes);
    for (unsigned i = 0; i < kLineBytes; ++i) buffer[i] = memory_.contains(address + i, 1) ? *memory_.at(address + i, 1) : 0;
    return buffer;
  }
  void store(std::uint64_t address, const std::uint8_t* line) override {
    if (memory_.contains(address, kLineBytes)) {
      std::memcpy(memory_.at(address, kLineBytes), line, kLineBytes);
      return;
    }
    for (unsigned i = 0; i < kLineBytes; ++i) {
      if (memory_.contains(address + i, 1)) *memory_.at(address + i, 1) = line[i];
    }
  }

 private:
  Memory& memory_;
};

}  // namespace systole::hw::soc
