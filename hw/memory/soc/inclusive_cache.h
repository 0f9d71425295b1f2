#pragma once
// One bank of the SoC's inclusive L2 (block-inclusivecache-sifive: Scheduler.scala and its parts), between the bus and the memory port.
//   in    one request beat a cycle, behind a slot that is empty when the cache keeps up
//   out   one answer beat a cycle, not in the order of the requests
// All numbers are cycles of one clock.
#include "hw/memory/soc/answer_pipeline.h"
#include "hw/memory/soc/cork.h"
#include "hw/memory/soc/cpu_cache.h"
#include "hw/memory/soc/directory.h"
#include "hw/memory/soc/mshr_file.h"
#include "hw/memory/soc/release_unit.h"
#include "hw/params/machine.h"

namespace systole::hw::soc {

struct RequestItem {
  RequestSlot request = kNoRequest;
  std::uint8_t beat = 0;
};

class InclusiveCache {
 public:
  // `below` and `values` null: a run without values. `cpu`: whose copies are probed.
  InclusiveCache(const MachineParams& params, unsigned bank, RequestPool& pool, MemoryPort& port, CpuCache& cpu, LineValues* below, ValuePlane* values);

  [[nodiscard]] Directory& directory() { return directory_; }
  // A request for this set is on its way. No more than a hint.
  void expect(std::uint32_t set) const {
    directory_.expect(set);
    lines_.expect(std::size_t{set} * geometry_.ways);
  }

  // ---- one cycle: offers(), step(), then took_item() and answer()
  // The request whose answer beat the bank offers, or kNoRequest.
  [[nodiscard]] RequestSlot offers() const { return output_slot_ != kNoRequest ? output_slot_ : answers_.offered(); }
  // `item`: the beat that the bus offers to this bank, or null. `output_room`: the bus takes the bank's answer. `port_turn`: the bank may
  // use the memory port's request channel. False: the cycle changed nothing, and nothing can change without a new item or an answer of memory.
  bool step(Cycle now, const RequestItem* item, bool output_room, bool port_turn);
  // ---- what the bus can be sure of, after step(). `item_waits`: a beat is offered to this bank.
  // The next beat leaves that somebody waits for: not before so many cycles.
  [[nodiscard]] unsigned cycles_until_answer(bool item_waits) const;
  // A beat waits at the input: it is not taken in the cycles before the next one but so many.
  [[nodiscard]] unsigned cycles_until_taken(bool item_waits) const;
  [[nodiscard]] bool took_item() const { return took_item_; }
  [[nodiscard]] RequestSlot answer() const { return answer_; }   // the beat that left in this cycle, or kNoRequest
  // After step(): the cycles in which the beats of a Get leave that are still inside, when it is certain that nothing can hold them up but an
  // answer that is not taken. Its first beat has left. Returns their number; 0 when it is not certain.
  using BeatTimes = std::array<Cycle, kLineWords>;
  unsigned beats_to_come(Cycle now, RequestSlot slot, BeatTimes& at) const;

  [[nodiscard]] bool wants_port() const { return cork_.wants_port(releases_.queue()); }
  // No request, no write-back, no waiting directory write.
  [[nodiscard]] bool idle() const { return !mshrs_.any() && input_slot_.request == kNoRequest && quiet(); }
  [[nodiscard]] unsigned mshrs_in_use() const { return mshrs_.in_use(); }
  [[nodiscard]] unsigned queued() const { return mshrs_.queued(); }
  [[nodiscard]] unsigned put_beats() const { return put_beats_; }

  // ---- values, while no request waits for its answer
  // Lines that were changed are stored below, and stay.
  void store_changed_lines();
  // Bytes below the cache were changed by others, after store_changed_lines().
  void forget_values();

  struct Counts {
    std::uint64_t misses = 0;
    std::uint64_t allocations = 0;
    std::uint64_t victims_clean = 0;
    std::uint64_t victims_dirty = 0;
    std::uint64_t probes = 0;
    std::uint64_t probes_dirty = 0;   // answered with data
  };
  [[nodiscard]] std::uint64_t directory_reads() const { return directory_.reads(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Lookup {
    unsigned mshr = kNoMshr;
    RequestSlot request = kNoRequest;
  };
  // What becomes of the beat at the input. Two words, so that it is passed in a register.
  enum class Take : unsigned {
    kNot,
    kAllBusy,     // waits: all MSHRs are busy with other sets
    kLaterBeat,   // of a Put
    kAllocate,    // gets a free MSHR
    kFollow,      // takes the leaving MSHR over at once
    kQueue,       // behind the MSHR of its set
  };
  struct Intake {
    Take take = Take::kNot;
    unsigned mshr = kNoMshr;
    [[nodiscard]] bool accepted() const { return take >= Take::kLaterBeat; }
  };
  struct Probe {
    unsigned mshr = kNoMshr;
    bool dirty = false;
    Cycle at = 0;                   // scheduled
    std::uint32_t set = 0;
  };
  // Nothing moves by itself.
  [[nodiscard]] bool quiet() const {
    return answers_.empty() && output_slot_ == kNoRequest && releases_.empty() && lookup_.mshr == kNoMshr && !directory_.write_waits() && cork_.empty() &&
           probes_.empty();
  }
  void send_answer(bool room);
  [[nodiscard]] Schedule schedule_in(Cycle now) const;
  unsigned beats_to_read(Cycle now, const Request& request, BeatTimes& at, unsigned known) const;
  [[nodiscard]] Intake look_at_input(Schedule schedule, const RequestItem& item) const;
  [[nodiscard]] bool in_middle_of_burst(const RequestItem* item) const;
  [[nodiscard]] unsigned cycles_until_news(bool item_waits) const;
  void middle_beat(Cycle now);
  void claim_release(Schedule schedule, Release& release, std::uint32_t& used);
  void serve(Cycle now, Schedule schedule, bool follows, RequestSlot successor, bool same_line, const Lookup& read);
  void finish_directory(Cycle now, const Lookup& read);
  void take_in(Cycle now, const RequestItem& item, Intake intake);
  void finish_lookup(Cycle now);
  void begin_hit(Cycle now, unsigned index, const DirectoryEntry& entry);
  void refilled(Cycle now, const Refill& refill, bool first, bool last);
  void send_probe(Cycle now, unsigned index);
  void claim_probe_banks(Cycle now, std::uint32_t& used) const;
  void answer_probes(Cycle now);
  [[nodiscard]] std::uint32_t place_of(const Mshr& mshr) const { return mshr.set * geometry_.ways + mshr.way; }

  const Geometry geometry_;
  const unsigned bank_;
  const unsigned queued_limit_;
  const unsigned put_beats_limit_;
  RequestPool& pool_;
  MemoryPort& port_;
  CpuCache& cpu_;
  LineArray lines_;
  Directory directory_;
  MshrFile mshrs_;
  AnswerPipeline answers_;
  ReleaseUnit releases_;
  Cork cork_;
  RequestItem input_slot_;                         // one-entry queues that a beat passes without delay while they are empty
  RequestSlot output_slot_ = kNoRequest;
  bool input_waits_for_mshr_ = false;              // what stands in the slot does, until an MSHR leaves
  bool took_item_ = false;
  RequestSlot answer_ = kNoRequest;
  unsigned put_beats_ = 0;                         // in the put buffer
  Lookup lookup_;                                  // directory read of the previous cycle
  unsigned refill_beat_ = 0;
  std::uint32_t refill_set_ = 0;
  std::vector<Probe> probes_;                      // not yet answered in full
  Counts counts_;
};

}  // namespace systole::hw::soc
