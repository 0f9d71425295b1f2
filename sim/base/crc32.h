#pragma once
// CRC-32 of zlib / IEEE 802.3 over a growing sequence of bytes.
#include <cstddef>
#include <cstdint>
#include <string>

namespace systole {

class Crc32 {
 public:
  void update(const void* bytes, std::size_t count);
  // One number as four bytes, least significant first.
  void update_u32(std::uint32_t value);
  [[nodiscard]] std::uint32_t value() const { return value_; }

 private:
  std::uint32_t value_ = 0;
};

[[nodiscard]] std::uint32_t crc32_of(const void* bytes, std::size_t count);

// Eight lower-case hexadecimal digits.
[[nodiscard]] std::string crc32_text(std::uint32_t crc);

}  // namespace systole
