#pragma once
// The SoC's inclusive L2, one bank (block-inclusivecache-sifive: Scheduler.scala and its parts), between the bus and the memory port.
//   in    one request beat a cycle, behind a slot that is empty when the cache keeps up
//   out   one answer beat a cycle, not in the order of the requests
// All numbers are cycles of one clock.
#include <optional>

#include "hw/memory/soc/answer_pipeline.h"
#include "hw/memory/soc/directory.h"
#include "hw/memory/soc/mshr_file.h"
#include "hw/memory/soc/outer_port.h"
#include "hw/memory/soc/release_unit.h"
#include "hw/params/machine.h"
#include "sim/kernel/channel.h"

namespace systole::hw::soc {

struct RequestItem {
  RequestSlot request = kNoRequest;
  std::uint8_t beat = 0;
};

class InclusiveCache {
 public:
  InclusiveCache(const MachineParams& params, RequestPool& pool, AxiMemory& memory, Channel<RequestItem>& in_requests, Channel<RequestSlot>& out_answers,
                 MemoryLog* log);

  [[nodiscard]] Directory& directory() { return directory_; }

  // One cycle. False: it changed nothing, and nothing can change before wake() or a new request beat.
  bool step(Cycle now);
  [[nodiscard]] Cycle wake() const { return outer_.next_answer(); }
  // No request, no write-back, no waiting directory write.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] std::string state_text() const;

  struct Counts {
    std::uint64_t misses = 0;
    std::uint64_t allocations = 0;
    std::uint64_t victims_clean = 0;
    std::uint64_t victims_dirty = 0;
  };
  [[nodiscard]] std::uint64_t directory_reads() const { return directory_.reads(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Lookup {
    unsigned mshr = kNoMshr;
    RequestSlot request = kNoRequest;
  };
  struct Intake {
    bool first_beat = false;        // of a request, accepted
    bool later_beat = false;
    unsigned allocated = kNoMshr;
    unsigned queued_behind = kNoMshr;
    bool follows = false;           // takes the leaving MSHR over at once
  };
  [[nodiscard]] Intake look_at_input(const Schedule& schedule, const RequestItem* item) const;
  void send_answer(Cycle now);
  void finish_lookup(Cycle now);
  void refilled(Cycle now, const Refill& refill, bool last);

  const Geometry geometry_;
  const unsigned queued_limit_;
  const unsigned put_beats_limit_;
  RequestPool& pool_;
  Channel<RequestItem>& in_requests_;
  Channel<RequestSlot>& out_answers_;
  Directory directory_;
  MshrFile mshrs_;
  AnswerPipeline answers_;
  ReleaseUnit releases_;
  OuterPort outer_;
  std::optional<RequestItem> input_slot_;          // one-entry queues that a beat passes without delay while they are empty
  RequestSlot output_slot_ = kNoRequest;
  unsigned put_beats_ = 0;                         // in the put buffer
  Lookup lookup_;                                  // directory read of the previous cycle
  unsigned refill_beat_ = 0;
  std::uint32_t refill_set_ = 0;
  Counts counts_;
};

}  // namespace systole::hw::soc
