#pragma once
// Cutting a run of bytes into naturally aligned memory requests: among the sizes from one beat to the largest request, the smallest one that
// moves the most bytes (DMA.scala, read_packets and write_packets).
#include <algorithm>
#include <cstdint>

namespace systole::hw {

struct Packet {
  std::uint64_t address = 0;   // aligned to `bytes`
  int bytes = 0;               // size of the request
  int lg_bytes = 0;
  int shift = 0;               // bytes of the request in front of the first useful one
  int useful = 0;
};

inline Packet best_packet(std::uint64_t address, int bytes_left, int beat_bytes, int max_bytes) {
  Packet best;
  for (int size = beat_bytes; size <= max_bytes; size *= 2) {
    const int shift = static_cast<int>(address & static_cast<std::uint64_t>(size - 1));   // sizes are powers of two
    const int useful = std::min(size - shift, bytes_left);
    if (useful > best.useful) {
      best.address = address - static_cast<std::uint64_t>(shift);
      best.bytes = size;
      best.shift = shift;
      best.useful = useful;
    }
  }
  while ((1 << best.lg_bytes) < best.bytes) ++best.lg_bytes;
  return best;
}

}  // namespace systole::hw
