#include "sim/base/crc32.h"

#include <zlib.h>

namespace systole {

void Crc32::update(const void* bytes, std::size_t count) {
  value_ = static_cast<std::uint32_t>(crc32_z(value_, static_cast<const Bytef*>(bytes), count));
}

void Crc32::update_u32(std::uint32_t value) {
  const std::uint8_t bytes[4] = {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8),
                                 static_cast<std::uint8_t>(value >> 16), static_cast<std::uint8_t>(value >> 24)};
  update(bytes, sizeof bytes);
}

std::uint32_t crc32_of(const void* bytes, std::size_t count) {
  Crc32 crc;
  crc.update(bytes, count);
  return crc.value();
}

std::string crc32_text(std::uint32_t crc) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(8, '0');
  for (int i = 7; i >= 0; --i, crc >>= 4) text[static_cast<std::size_t>(i)] = kDigits[crc & 15u];
  return text;
}

}  // namespace systole
