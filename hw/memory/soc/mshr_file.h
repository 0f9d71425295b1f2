#pragma once
// The cache's miss status holding registers (MSHR.scala) and the choice among them (Scheduler.scala). Every request has one, hits too;
// requests for the set of a busy one queue behind it.
//
// What an MSHR can do now is one bit per action, kept as one word per action with a bit per MSHR; what it waits for as well:
//   hit    answer; write the directory when a Put makes a clean line dirty. A line that the CPU's L1 may hold in a way that the request does
//          not allow is probed first, and its state written to the directory
//   miss   release the victim if it is valid (with a directory write; after a probe if the CPU may hold it), then acquire; acknowledge the
//          grant and answer, for a request at the start of the line after the first beat of the grant, else after the last; write the
//          directory and leave when the grant is complete and the release is acknowledged
#include <cstdint>
#include <vector>

#include "hw/memory/soc/directory.h"
#include "hw/memory/soc/request.h"

namespace systole::hw::soc {

inline constexpr unsigned kMaxMshrs = 64;
inline constexpr unsigned kNoMshr = ~0u;

struct Mshr {
  RequestSlot request = kNoRequest;
  RequestSlot queue_head = kNoRequest;
  RequestSlot queue_tail = kNoRequest;
  std::uint32_t set = 0;
  unsigned way = 0;
  std::uint64_t tag = 0;          // of the request
  std::uint64_t victim_tag = 0;   // of the line found in `way`
  bool hit = false;
  bool dirty = false;             // the line found in `way` is
  bool cpu = false;               // what the CPU's L1 may have of the requested line when the request is done
  bool cpu_exclusive = false;
};

// What an MSHR does, or which units are free for it, one bit each.
using Actions = unsigned;
inline constexpr Actions kAcquire = 1, kRelease = 2, kAnswer = 4, kGrantAck = 8, kDirectoryWrite = 16, kProbe = 32, kLeave = 64;

// All that one MSHR does in a cycle. Two words, so that it is passed in a register.
struct Schedule {
  unsigned mshr = kNoMshr;
  Actions actions = 0;
  [[nodiscard]] bool has(Actions what) const { return (actions & what) != 0; }
};

class MshrFile {
 public:
  MshrFile(unsigned count, unsigned sets) : all_(count == kMaxMshrs ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1), mshrs_(count), owners_(sets, kNobody) {}

  [[nodiscard]] Mshr& operator[](unsigned index) { return mshrs_[index]; }
  [[nodiscard]] const Mshr& operator[](unsigned index) const { return mshrs_[index]; }
  [[nodiscard]] bool any() const { return valid_ != 0; }
  [[nodiscard]] unsigned in_use() const { return static_cast<unsigned>(__builtin_popcountll(valid_)); }
  // The MSHR that works on a set, or kNoMshr.
  [[nodiscard]] unsigned of_set(std::uint32_t set) const { return owners_[set] == kNobody ? kNoMshr : owners_[set]; }
  [[nodiscard]] bool full() const { return valid_ == all_; }
  [[nodiscard]] unsigned lowest_free() const { return full() ? kNoMshr : static_cast<unsigned>(__builtin_ctzll(~valid_)); }

  // Those that are ready for something, one bit each, whatever is free.
  [[nodiscard]] std::uint64_t ready() const { return release_ | acquire_ | answer_ | grant_ack_ | directory_write_ | probe_; }
  // The MSHR whose turn it is among those of `ready` that can do all they are ready for: lowest index above the last one served, else lowest
  // index.
  [[nodiscard]] Schedule choose(Actions free) const {
    const std::uint64_t write = release_ | directory_write_;
    const auto unless = [&](Actions unit) { return std::uint64_t{(free & unit) != 0} - 1; };   // all bits, unless it is free
    std::uint64_t able = ready() & ~((acquire_ & unless(kAcquire)) | (release_ & unless(kRelease)) | (answer_ & unless(kAnswer)) | (grant_ack_ & unless(kGrantAck)) |
               (write & unless(kDirectoryWrite)) | (probe_ & unless(kProbe)));
    const std::uint64_t preferred = able & above_last_;
    able = preferred != 0 ? preferred : able;
    const bool any = able != 0;
    const auto mshr = static_cast<unsigned>(__builtin_ctzll(able | std::uint64_t{1} << 63));
    const auto when = [&](std::uint64_t word, Actions what) { return static_cast<Actions>(word >> mshr & 1) * what; };
    const Actions actions = when(acquire_, kAcquire) | when(release_, kRelease) | when(answer_, kAnswer) | when(grant_ack_, kGrantAck) | when(write, kDirectoryWrite) |
                            when(probe_, kProbe) | when(~(release_pending_ | grant_pending_), kLeave);
    return {any ? mshr : kNoMshr, any ? actions : 0};
  }
  // Books what was chosen.
  void served(const Schedule& s) {
    const std::uint64_t bit = std::uint64_t{1} << s.mshr;
    above_last_ = ~(bit | (bit - 1));
    acquire_ = (acquire_ & ~bit) | (s.has(kRelease) ? bit : 0);
    release_ &= ~bit;
    answer_ &= ~bit;
    grant_ack_ &= ~bit;
    directory_write_ &= ~bit;
    probe_ &= ~bit;
    if (s.has(kLeave)) {
      valid_ &= ~bit;
      owners_[mshrs_[s.mshr].set] = kNobody;
    }
  }

  // A request takes an MSHR; it is idle until its line has been looked up.
  void allocate(unsigned index, RequestSlot slot, const Request& request) {
    Mshr& mshr = mshrs_[index];
    mshr.request = slot;
    mshr.set = request.set;
    mshr.tag = request.tag;
    owners_[request.set] = static_cast<std::uint8_t>(index);
    valid_ |= std::uint64_t{1} << index;
  }
  // The line is in the cache. `write_directory`: its state changes. `probe`: after the CPU has answered a probe.
  void start_hit(unsigned index, bool line_dirty, bool write_directory, bool probe) {
    Mshr& mshr = mshrs_[index];
    mshr.hit = true;
    mshr.dirty = line_dirty;
    const std::uint64_t bit = std::uint64_t{1} << index;
    if (!probe) {
      answer_ |= bit;
      if (write_directory) directory_write_ |= bit;
      return;
    }
    probe_ |= bit;
    grant_pending_ |= bit;
    line_pending_ |= bit;
    probing_ |= bit;
  }
  // It is not: `victim` goes.
  void start_miss(unsigned index, const DirectoryEntry& victim) {
    Mshr& mshr = mshrs_[index];
    mshr.hit = false;
    mshr.dirty = victim.dirty;
    mshr.victim_tag = victim.tag;
    const std::uint64_t bit = std::uint64_t{1} << index;
    if (!victim.valid) {
      acquire_ |= bit;
    } else if (victim.cpu) {
      probe_ |= bit;
      victim_probe_pending_ |= bit;
      release_pending_ |= bit;
    } else {
      release_ |= bit;
      release_pending_ |= bit;
    }
    first_beat_pending_ |= bit;
    grant_pending_ |= bit;
    line_pending_ |= bit;
  }
  void granted(unsigned index, bool last, bool request_at_line_start) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    grant_ack_ |= first_beat_pending_ & bit;
    first_beat_pending_ &= ~bit;
    if (last || request_at_line_start) {
      answer_ |= line_pending_ & bit;
      line_pending_ &= ~bit;
    }
    if (last) {
      grant_pending_ &= ~bit;
      complete(bit);
    }
  }
  // The CPU's answer to a probe; `last`: complete.
  void probed(unsigned index, bool last, bool request_at_line_start) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    if ((victim_probe_pending_ & bit) == 0) {
      granted(index, last, request_at_line_start);
      if (last) probing_ &= ~bit;
    } else if (last) {
      victim_probe_pending_ &= ~bit;
      release_ |= bit;
    }
  }
  [[nodiscard]] bool answer_waits() const { return answer_ != 0; }          // for its turn at the answer pipeline
  // What one waits for has come, so that it may leave with its next turn.
  [[nodiscard]] bool leave_waits() const { return (ready() & ~(release_pending_ | grant_pending_)) != 0; }
  [[nodiscard]] bool probe_waits() const { return probe_ != 0; }   // for its turn at the CPU
  [[nodiscard]] bool probes_victim(unsigned index) const { return (victim_probe_pending_ >> index & 1) != 0; }
  // Is the line on its way from memory?
  [[nodiscard]] bool fetching(unsigned index) const { return ((grant_pending_ & ~probing_) >> index & 1) != 0; }
  void released(unsigned index) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    release_pending_ &= ~bit;
    complete(bit);
  }

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
  static constexpr std::uint8_t kNobody = 0xFF;
  // One that has waited writes the directory when it waits for nothing more.
  void complete(std::uint64_t bit) { directory_write_ |= bit & ~(release_pending_ | grant_pending_); }

  const std::uint64_t all_;
  std::vector<Mshr> mshrs_;
  std::vector<std::uint8_t> owners_;       // by set
  unsigned queued_ = 0;
  std::uint64_t valid_ = 0;
  std::uint64_t above_last_ = 0;
  // can be done now
  std::uint64_t acquire_ = 0;
  std::uint64_t release_ = 0;
  std::uint64_t answer_ = 0;
  std::uint64_t grant_ack_ = 0;
  std::uint64_t directory_write_ = 0;
  std::uint64_t probe_ = 0;
  // waited for
  std::uint64_t release_pending_ = 0;
  std::uint64_t victim_probe_pending_ = 0;
  std::uint64_t first_beat_pending_ = 0;
  std::uint64_t grant_pending_ = 0;        // its last beat, or that of a probe's answer
  std::uint64_t line_pending_ = 0;         // as much of the line as the request needs
  std::uint64_t probing_ = 0;              // of the requested line
};

}  // namespace systole::hw::soc
