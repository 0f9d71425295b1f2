#pragma once
// The bytes of lines below a cache: flat memory, or another cache in front of it. Timing never looks inside.
#include <cstdint>
#include <cstring>

#include "hw/memory/soc/geometry.h"
#include "sim/base/memory.h"

namespace systole::hw::soc {

class LineValues {
 public:
  virtual ~LineValues() = default;
  virtual void load(std::uint64_t address, std::uint8_t* line) = 0;
  virtual void store(std::uint64_t address, const std::uint8_t* line) = 0;
};

// Lines outside of memory (those that fill the cache before the first command) have no bytes.
class FlatLines final : public LineValues {
 public:
  explicit FlatLines(Memory& memory) : memory_(memory) {}
  void load(std::uint64_t address, std::uint8_t* line) override {
    if (memory_.contains(address, kLineBytes)) {
      std::memcpy(line, memory_.at(address, kLineBytes), kLineBytes);
      return;
    }
    for (unsigned i = 0; i < kLineBytes; ++i) line[i] = memory_.contains(address + i, 1) ? *memory_.at(address + i, 1) : 0;
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
