#pragma once
// Requests inside the cache. They live in a pool; queues and pipelines pass slot numbers.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/memory/soc/geometry.h"
#include "hw/ports/burst.h"
#include "hw/ports/memory_log.h"
#include "hw/ports/value_ref.h"
#include "sim/base/cycle.h"
#include "sim/base/errors.h"

namespace systole::hw::soc {

enum class RequestKind : std::uint8_t { kGet, kPutFull, kPutPartial };

using RequestSlot = std::uint16_t;
inline constexpr RequestSlot kNoRequest = 0xFFFF;

struct Request {
  std::uint64_t address = 0;
  std::uint64_t tag = 0;
  std::uint32_t set = 0;
  RequestKind kind = RequestKind::kGet;
  bool of_cpu = false;              // the CPU's L1 asks for a line, or writes one back
  bool plain_rows = false;          // Get: may be answered by a run (hw/ports/load_runs.h)
  std::uint8_t lg_size = 0;
  std::uint8_t offset = 0;          // in the line, bytes
  std::uint8_t data_beats = 1;      // through the data pipeline
  std::uint8_t first_beat = 0;      // of the line
  std::uint8_t beat_words = 0;      // of each beat that it touches, one bit each
  bool reads_banks = false;         // a Put smaller than a word changes part of one
  std::uint8_t pushed = 0;          // Put beats that have entered the put buffer
  std::uint8_t popped = 0;          // and left it
  std::uint8_t users = 0;           // of this slot: its MSHR (or queue), its answer, its put beats
  L2Outcome outcome = L2Outcome::kHit;
  std::array<std::uint8_t, kLineWords> words{};   // Put: words of each beat that have a mask bit (bit 0: the beat's first word)
  // When it was accepted at the port, taken by the L2, given an MSHR; when its line could be read.
  Cycle at_port = 0, at_l2 = 0, at_mshr = 0, line_ready = 0;
  MemoryWaits waits;                // of its line
  Cycle probe_wait = 0;             // for the CPU's L1
  ResponseBeat answer;              // the next beat
  // Beats of a run that are still inside, and when the next one must come out.
  std::uint8_t run_beats = 0, run_pitch = 0;
  Cycle run_due = 0;
  RequestSlot next = kNoRequest;    // in the queue of an MSHR
  // Values of a Get: which of its bytes go where.
  std::uint8_t useful_first = 0, useful_bytes = 0;
  ValueRef values;
  // Values of a Put: bytes of the line to write, one bit each; the bytes stand in RequestPool::put_bytes().
  std::uint64_t put_mask = 0;

  [[nodiscard]] bool is_put() const { return kind != RequestKind::kGet; }
  // Sets what follows from address, kind and size.
  void complete(const Geometry& geometry) {
    const unsigned bytes = 1u << lg_size;
    set = geometry.set_of(address);
    tag = geometry.tag_of(address);
    offset = static_cast<std::uint8_t>(address % kLineBytes);
    data_beats = static_cast<std::uint8_t>(bytes < geometry.bus_bytes ? 1 : bytes >> geometry.lg_bus);
    first_beat = static_cast<std::uint8_t>(offset >> geometry.lg_bus);
    const unsigned size_words = bytes < kWordBytes ? 1 : bytes / kWordBytes;
    beat_words = static_cast<std::uint8_t>(bytes >= geometry.bus_bytes ? (1u << geometry.bus_words) - 1
                                                                       : ((1u << size_words) - 1) << ((offset & (geometry.bus_bytes - 1)) / kWordBytes));
    reads_banks = kind != RequestKind::kPutFull || bytes < kWordBytes;
    users = is_put() ? 3 : 2;
  }
  // A Put of a whole line: the old content is not needed.
  [[nodiscard]] bool replaces_line() const { return kind == RequestKind::kPutFull && (1u << lg_size) == kLineBytes; }
};

class RequestPool {
 public:
  explicit RequestPool(bool values) : values_(values) {}

  [[nodiscard]] RequestSlot allocate() {
    if (free_.empty()) {
      SYSTOLE_CHECK(requests_.size() < kNoRequest);
      free_.push_back(static_cast<RequestSlot>(requests_.size()));
      requests_.emplace_back();
      if (values_) put_bytes_.resize(requests_.size() * kLineBytes);
    }
    const RequestSlot slot = free_.back();
    free_.pop_back();
    requests_[slot] = fresh_;   // not Request{}: g++ would clear it with "rep stos", which takes longer than all the rest
    return slot;
  }
  [[nodiscard]] Request& operator[](RequestSlot slot) { return requests_[slot]; }
  [[nodiscard]] const Request& operator[](RequestSlot slot) const { return requests_[slot]; }
  void release(RequestSlot slot) {
    SYSTOLE_CHECK(requests_[slot].users != 0);
    if (--requests_[slot].users == 0) free_.push_back(slot);
  }
  [[nodiscard]] std::size_t in_use() const { return requests_.size() - free_.size(); }
  // The line that a Put writes into; only in runs with values.
  [[nodiscard]] std::uint8_t* put_bytes(RequestSlot slot) { return &put_bytes_[std::size_t{slot} * kLineBytes]; }

 private:
  const bool values_;
  const Request fresh_;
  std::vector<Request> requests_;
  std::vector<RequestSlot> free_;
  std::vector<std::uint8_t> put_bytes_;
};

}  // namespace systole::hw::soc
