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
};

struct DirectoryResult {
  bool hit = false;
  unsigned way = 0;        // of the line, or of the victim
  DirectoryEntry entry;    // found there
};

class Directory {
 public:
  Directory(const Geometry& geometry, L2State fill);

  // Makes a line resident before the first request. Throws ConfigError for a way that does not exist.
  void place(std::uint64_t address, unsigned way, bool dirty);

  // ---- port
  [[nodiscard]] bool can_write() const { return !write_waits_; }
  void write(std::uint32_t set, unsigned way, const DirectoryEntry& entry) {
    write_waits_ = true;
    write_set_ = set;
    write_way_ = way;
    write_entry_ = entry;
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
  [[nodiscard]] DirectoryResult result(std::uint32_t set, std::uint64_t tag) const;
  // A cycle without read: the waiting write happens.
  void settle_write();
  [[nodiscard]] bool write_waits() const { return write_waits_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

 private:
  [[nodiscard]] DirectoryEntry& at(std::uint32_t set, unsigned way) { return entries_[std::size_t{set} * geometry_.ways + way]; }

  const Geometry geometry_;
  std::vector<DirectoryEntry> entries_;
  std::uint32_t lfsr_ = 1;
  unsigned victim_ = 0;
  bool write_waits_ = false;
  std::uint32_t write_set_ = 0;
  unsigned write_way_ = 0;
  DirectoryEntry write_entry_;
  std::uint64_t reads_ = 0;
};

}  // namespace systole::hw::soc
