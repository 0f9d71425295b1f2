#pragma once
// Requests inside the cache. They live in a pool; queues and pipelines pass slot numbers.
#include <array>
#include <cstdint>
#include <vector>

#include "hw/memory/soc/geometry.h"
#include "hw/ports/burst.h"
#include "hw/ports/memory_log.h"
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
  std::uint8_t lg_size = 0;
  std::uint8_t offset = 0;          // in the line, bytes
  std::uint8_t data_beats = 1;      // through the data pipeline
  std::uint8_t pushed = 0;          // Put beats that have entered the put buffer
  std::uint8_t popped = 0;          // and left it
  std::uint8_t users = 0;           // of this slot: its MSHR (or queue), its answer, its put beats
  L2Outcome outcome = L2Outcome::kHit;
  bool outcome_reported = false;
  std::array<std::uint8_t, kLineWords> words{};   // Put: words of each beat that have a mask bit (bit 0: the beat's first word)
  // When it was accepted at the port, taken by the L2, given an MSHR; when its line could be read.
  Cycle at_port = 0, at_l2 = 0, at_mshr = 0, line_ready = 0;
  Cycle row_wait = 0, refresh_wait = 0;   // at DRAM
  ResponseBeat answer;              // the next beat
  RequestSlot next = kNoRequest;    // in the queue of an MSHR

  [[nodiscard]] bool is_put() const { return kind != RequestKind::kGet; }
  // A Put of a whole line: the old content is not needed.
  [[nodiscard]] bool replaces_line() const { return kind == RequestKind::kPutFull && (1u << lg_size) == kLineBytes; }
};

class RequestPool {
 public:
  [[nodiscard]] RequestSlot allocate() {
    if (free_.empty()) {
      SYSTOLE_CHECK(requests_.size() < kNoRequest);
      free_.push_back(static_cast<RequestSlot>(requests_.size()));
      requests_.emplace_back();
    }
    const RequestSlot slot = free_.back();
    free_.pop_back();
    requests_[slot] = Request{};
    return slot;
  }
  [[nodiscard]] Request& operator[](RequestSlot slot) { return requests_[slot]; }
  [[nodiscard]] const Request& operator[](RequestSlot slot) const { return requests_[slot]; }
  void release(RequestSlot slot) {
    SYSTOLE_CHECK(requests_[slot].users != 0);
    if (--requests_[slot].users == 0) free_.push_back(slot);
  }
  [[nodiscard]] std::size_t in_use() const { return requests_.size() - free_.size(); }

 private:
  std::vector<Request> requests_;
  std::vector<RequestSlot> free_;
};

}  // namespace systole::hw::soc
