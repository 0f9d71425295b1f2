#pragma once
// The cache's miss status holding registers (MSHR.scala) and the choice among them (Scheduler.scala). Every request has one, hits too;
// requests for the set of a busy one queue behind it.
//
// What an MSHR has to do is one bit per action, kept as one word per action with a bit per MSHR:
//   hit    answer; write the directory when a Put makes a clean line dirty
//   miss   release the victim if it is valid (with a directory write), then acquire; acknowledge the grant and answer, for a request at the
//          start of the line after the first beat of the grant, else after the last; write the directory and leave when the grant is
//          complete and the release is acknowledged
#include <array>
#include <cstdint>
#include <vector>

#include "hw/memory/soc/directory.h"
#include "hw/memory/soc/request.h"

namespace systole::hw::soc {

inline constexpr unsigned kMaxMshrs = 64;
inline constexpr unsigned kNoMshr = ~0u;

struct Mshr {
  RequestSlot request = kNoRequest;
  std::uint32_t set = 0;
  std::uint64_t tag = 0;          // of the request
  std::uint64_t victim_tag = 0;   // of the line found in `way`
  unsigned way = 0;
  bool hit = false;
  bool dirty = false;             // the line found in `way` is
  RequestSlot queue_head = kNoRequest;
  RequestSlot queue_tail = kNoRequest;
};

// Units that are free this cycle.
struct FreeUnits {
  bool acquire = false;
  bool release = false;
  bool answer = false;
  bool grant_ack = false;
  bool directory_write = false;
};

// All that one MSHR does in a cycle.
struct Schedule {
  unsigned mshr = kNoMshr;
  bool acquire = false;
  bool release = false;
  bool answer = false;
  bool grant_ack = false;
  bool directory_write = false;
  bool leave = false;
};

class MshrFile {
 public:
  explicit MshrFile(unsigned count) : count_(count), mshrs_(count) {}

  [[nodiscard]] Mshr& operator[](unsigned index) { return mshrs_[index]; }
  [[nodiscard]] const Mshr& operator[](unsigned index) const { return mshrs_[index]; }
  [[nodiscard]] bool any() const { return valid_ != 0; }
  [[nodiscard]] unsigned in_use() const { return static_cast<unsigned>(__builtin_popcountll(valid_)); }
  // The MSHR that works on a set, or kNoMshr.
  [[nodiscard]] unsigned of_set(std::uint32_t set) const {
    for (std::uint64_t left = valid_; left != 0; left &= left - 1) {
      const auto index = static_cast<unsigned>(__builtin_ctzll(left));
      if (mshrs_[index].set == set) return index;
    }
    return kNoMshr;
  }
  [[nodiscard]] unsigned lowest_free() const {
    const std::uint64_t free = ~valid_;
    const auto index = free == 0 ? kMaxMshrs : static_cast<unsigned>(__builtin_ctzll(free));
    return index < count_ ? index : kNoMshr;
  }

  // The MSHR whose turn it is among those that can do all they are ready for: lowest index above the last one served, else lowest index.
  [[nodiscard]] Schedule choose(const FreeUnits& free) const {
    Schedule s;
    const std::uint64_t acquire = acquire_ & ~release_;
    const std::uint64_t leave = ~release_pending_ & ~grant_pending_;
    const std::uint64_t answer = answer_ & ~line_pending_;
    const std::uint64_t grant_ack = grant_ack_ & ~first_beat_pending_;
    const std::uint64_t write = release_ | (directory_write_ & leave);
    std::uint64_t ready = active_ & (acquire | release_ | answer | grant_ack | write);
    if (!free.acquire) ready &= ~acquire;
    if (!free.release) ready &= ~release_;
    if (!free.answer) ready &= ~answer;
    if (!free.grant_ack) ready &= ~grant_ack;
    if (!free.directory_write) ready &= ~write;
    if (ready == 0) return s;
    const std::uint64_t preferred = ready & above_last_;
    s.mshr = static_cast<unsigned>(__builtin_ctzll(preferred != 0 ? preferred : ready));
    const std::uint64_t bit = std::uint64_t{1} << s.mshr;
    s.acquire = (acquire & bit) != 0;
    s.release = (release_ & bit) != 0;
    s.answer = (answer & bit) != 0;
    s.grant_ack = (grant_ack & bit) != 0;
    s.directory_write = (write & bit) != 0;
    s.leave = (leave & bit) != 0;
    return s;
  }
  // Books what was chosen.
  void served(const Schedule& s) {
    const std::uint64_t bit = std::uint64_t{1} << s.mshr;
    above_last_ = ~(bit | (bit - 1));
    if (s.acquire) acquire_ &= ~bit;
    if (s.release) release_ &= ~bit;
    if (s.answer) answer_ &= ~bit;
    if (s.grant_ack) grant_ack_ &= ~bit;
    if (s.leave) {
      directory_write_ &= ~bit;
      valid_ &= ~bit;
      active_ &= ~bit;
    }
  }

  // A request takes an MSHR; it is idle until its line has been looked up.
  void allocate(unsigned index, RequestSlot slot, const Request& request) {
    Mshr& mshr = mshrs_[index];
    mshr.request = slot;
    mshr.set = request.set;
    mshr.tag = request.tag;
    clear(index);
    valid_ |= std::uint64_t{1} << index;
    active_ &= ~(std::uint64_t{1} << index);
  }
  // The line is in the cache.
  void start_hit(unsigned index, bool is_put, bool line_dirty) {
    Mshr& mshr = mshrs_[index];
    mshr.hit = true;
    mshr.dirty = line_dirty;
    clear(index);
    const std::uint64_t bit = std::uint64_t{1} << index;
    active_ |= bit;
    answer_ |= bit;
    if (is_put && !line_dirty) directory_write_ |= bit;
  }
  // It is not: `victim` goes.
  void start_miss(unsigned index, const DirectoryEntry& victim) {
    Mshr& mshr = mshrs_[index];
    mshr.hit = false;
    mshr.dirty = victim.dirty;
    mshr.victim_tag = victim.tag;
    clear(index);
    const std::uint64_t bit = std::uint64_t{1} << index;
    active_ |= bit;
    answer_ |= bit;
    if (victim.valid) {
      release_ |= bit;
      release_pending_ |= bit;
    }
    acquire_ |= bit;
    first_beat_pending_ |= bit;
    grant_pending_ |= bit;
    line_pending_ |= bit;
    grant_ack_ |= bit;
    directory_write_ |= bit;
  }
  void granted(unsigned index, bool last, bool request_at_line_start) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    first_beat_pending_ &= ~bit;
    if (last) grant_pending_ &= ~bit;
    if (last || request_at_line_start) line_pending_ &= ~bit;
  }
  // Is the line on its way from memory?
  [[nodiscard]] bool fetching(unsigned index) const { return (grant_pending_ >> index & 1) != 0; }
  void released(unsigned index) { release_pending_ &= ~(std::uint64_t{1} << index); }

  // ---- requests queued behind an MSHR
  [[nodiscard]] unsigned queued() const { return queued_; }
  void enqueue(unsigned index, RequestSlot slot, RequestPool& pool) {
    Mshr& mshr = mshrs_[index];
    if (mshr.queue_head == kNoRequest) mshr.queue_head = slot;
    else pool[mshr.queue_tail].next = slot;
    mshr.queue_tail = slot;
    ++queued_;
  }
  RequestSlot dequeue(unsigned index, RequestPool& pool) {
    Mshr& mshr = mshrs_[index];
    const RequestSlot slot = mshr.queue_head;
    mshr.queue_head = pool[slot].next;
    pool[slot].next = kNoRequest;
    --queued_;
    return slot;
  }

 private:
  void clear(unsigned index) {
    const std::uint64_t keep = ~(std::uint64_t{1} << index);
    for (std::uint64_t* word : {&acquire_, &release_, &answer_, &grant_ack_, &directory_write_, &release_pending_, &first_beat_pending_, &grant_pending_,
                                &line_pending_}) {
      *word &= keep;
    }
  }

  const unsigned count_;
  std::vector<Mshr> mshrs_;
  unsigned queued_ = 0;
  std::uint64_t valid_ = 0;
  std::uint64_t active_ = 0;               // looked up
  std::uint64_t above_last_ = 0;
  // to do
  std::uint64_t acquire_ = 0;
  std::uint64_t release_ = 0;
  std::uint64_t answer_ = 0;
  std::uint64_t grant_ack_ = 0;
  std::uint64_t directory_write_ = 0;
  // waited for
  std::uint64_t release_pending_ = 0;
  std::uint64_t first_beat_pending_ = 0;
  std::uint64_t grant_pending_ = 0;        // its last beat
  std::uint64_t line_pending_ = 0;         // as much of the line as the request needs
};

}  // namespace systole::hw::soc
