#pragma once
// Tags and states of the cache's lines (Directory.scala). One port: a read takes it, a write waits in a one-entry queue for a cycle
// without a read. The result of a read in cycle t can be used from t + 2 on; it sees the waiting write.
#include <cstdint>
#include <vector>

#include "hw/memory/soc/geometry.h"

namespace systole::hw::soc {

struct DirectoryEntry {
  std::uint64_t tag = 0;
  bool valid = false;
  bool dirty = false;
  bool cpu = false;             // the CPU's L1 may hold a copy
  bool cpu_exclusive = false;   // and may have written it
};

struct DirectoryResult {
  bool hit = false;
  unsigned way = 0;        // of the line, or of the victim
  DirectoryEntry entry;    // found there
};

class Directory {
 public:
  Directory(const Geometry& geometry, unsigned bank, L2State fill);

  // Makes a line resident before the first request. Throws ConfigError for a way that does not exist.
  void place(std::uint64_t address, unsigned way, bool dirty);

  // ---- port
  [[nodiscard]] bool can_write() const { return !write_waits_; }
  // A read sees the waiting write, so it can happen at once; what waits is the port.
  void write(std::uint32_t set, unsigned way, const DirectoryEntry& entry) {
    write_waits_ = true;
    put(set, way, entry);
  }
  // A read of this set will come: fetches what it looks at into the caches of the computer that simulates.
  void expect(std::uint32_t set) const {
    __builtin_prefetch(&tags_[std::size_t{set} * geometry_.ways]);
    __builtin_prefetch(&states_[std::size_t{set} * geometry_.ways]);
  }
  // Moves the victim generator; the result belongs to the following cycle.
  void read() {
    ++reads_;
    // 16-bit Fibonacci LFSR, taps 15, 13, 12, 10 (the polynomial of Chisel's random.LFSR), one step a read.
    const std::uint32_t bit = ((lfsr_ >> 15) ^ (lfsr_ >> 13) ^ (lfsr_ >> 12) ^ (lfsr_ >> 10)) & 1;
    lfsr_ = ((lfsr_ << 1) | bit) & 0xFFFF;
    victim_ = (lfsr_ & 0x3FF) * geometry_.ways >> 10;
  }
  // The result of the read of the previous cycle.
  [[nodiscard]] DirectoryResult result(std::uint32_t set, std::uint64_t tag) const {
    const std::uint64_t* tags = &tags_[std::size_t{set} * geometry_.ways];
    for (unsigned way = 0; way < geometry_.ways; ++way) {
      if (tags[way] == tag) return {true, way, at(set, way)};
    }
    return {false, victim_, at(set, victim_)};
  }
  // A cycle without read: the waiting write has the port.
  void settle_write() { write_waits_ = false; }
  [[nodiscard]] bool write_waits() const { return write_waits_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

  [[nodiscard]] DirectoryEntry at(std::uint32_t set, unsigned way) const {
    const std::size_t place = std::size_t{set} * geometry_.ways + way;
    const std::uint8_t state = states_[place];
    const bool valid = tags_[place] != kNoTag;
    return {valid ? tags_[place] : 0, valid, (state & kDirty) != 0, (state & kCpu) != 0, (state & kCpuExclusive) != 0};
  }

 private:
  static constexpr std::uint64_t kNoTag = ~std::uint64_t{0};
  static constexpr std::uint8_t kDirty = 1, kCpu = 2, kCpuExclusive = 4;
  void put(std::uint32_t set, unsigned way, const DirectoryEntry& entry) {
    const std::size_t place = std::size_t{set} * geometry_.ways + way;
    tags_[place] = entry.valid ? entry.tag : kNoTag;
    states_[place] = static_cast<std::uint8_t>((entry.dirty ? kDirty : 0) | (entry.cpu ? kCpu : 0) | (entry.cpu_exclusive ? kCpuExclusive : 0));
  }

  const Geometry geometry_;
  const unsigned bank_;
  std::vector<std::uint64_t> tags_;
  std::vector<std::uint8_t> states_;
  std::uint32_t lfsr_ = 1;
  unsigned victim_ = 0;
  bool write_waits_ = false;
  std::uint64_t reads_ = 0;
};

}  // namespace systole::hw::soc
