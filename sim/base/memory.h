#pragma once
// Main memory of a simulated machine: one contiguous, zero-initialised address range whose untouched pages cost nothing.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sim/base/errors.h"

namespace systole {

class Memory {
 public:
  static constexpr std::uint64_t kDefaultBase = 0x80000000;         // start of DRAM in Chipyard SoCs
  static constexpr std::uint64_t kDefaultBytes = std::uint64_t{1} << 32;

  explicit Memory(std::uint64_t base = kDefaultBase, std::uint64_t bytes = kDefaultBytes);
  ~Memory();
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] std::uint64_t base() const { return base_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool contains(std::uint64_t address, std::uint64_t bytes) const {
    return address >= base_ && bytes <= bytes_ && address - base_ <= bytes_ - bytes;
  }

  // The bytes at `address`; the range must lie inside (callers test contains() first: what is outside is the program's fault).
  [[nodiscard]] std::uint8_t* at(std::uint64_t address, std::uint64_t bytes) {
    SYSTOLE_CHECK(contains(address, bytes));
    return data_ + (address - base_);
  }
  [[nodiscard]] const std::uint8_t* at(std::uint64_t address, std::uint64_t bytes) const {
    SYSTOLE_CHECK(contains(address, bytes));
    return data_ + (address - base_);
  }

  // Makes a range 0 again; what it cost is given back. Both ends lie on pages.
  void forget(std::uint64_t address, std::uint64_t bytes);
  static constexpr std::uint64_t kPage = 4096;

 private:
  std::uint64_t base_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint8_t* data_ = nullptr;
};

}  // namespace systole
