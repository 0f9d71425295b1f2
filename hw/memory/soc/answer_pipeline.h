#pragma once
// Hits and refilled misses are answered here (SourceD.scala): one bus beat a cycle passes
//   1  read of the data banks (Get and partial Put)
//   2  a Put's beat comes out of the put buffer
//   3  the answer leaves: every beat of a Get, the acknowledgement of a Put with its first beat
//   4  a Put's beat is written to the data banks
// A beat that is still in stages 2 to 4 is forwarded to a later reader of the same beat, which then reads no bank.
// Requests pass in order, so values can move at one place: between stages 2 and 3.
#include <cstdint>

#include "hw/datapath/value_plane.h"
#include "hw/memory/soc/line_array.h"
#include "hw/memory/soc/request.h"

namespace systole::hw::soc {

class AnswerPipeline {
 public:
  // `values` null: a run without values.
  AnswerPipeline(const Geometry& geometry, RequestPool& pool, LineArray& lines, ValuePlane* values)
      : geometry_(geometry), pool_(pool), lines_(lines), values_(values) {}

  // A new request can enter stage 1.
  [[nodiscard]] bool free() const { return !busy_; }
  [[nodiscard]] bool empty() const { return !busy_ && (stage2_.flags | stage3_.flags | stage4_.flags) == 0; }
  // Is something of this place (set and way) inside? Refills and evictions wait for it.
  [[nodiscard]] bool holds(std::uint32_t place) const {
    const auto in = [&](const Stage& stage) { return stage.flags != 0 && stage.place == place; };
    return (busy_ && current_place_ == place) || in(stage2_) || in(stage3_) || in(stage4_);
  }

  // ---- channel D, before step(): the request whose beat stage 3 offers, or kNoRequest.
  [[nodiscard]] RequestSlot offered() const { return (stage3_.flags & kAnswer) != 0 ? stage3_.request : kNoRequest; }
  void taken() { stage3_.flags = static_cast<std::uint8_t>(stage3_.flags & ~kAnswer); }

  // ---- what is to come, after step(): beats of a Get whose first one has been offered
  // Nothing in front of them is left, so that those in stages 2 and 3 move on in every cycle when their answers are taken.
  [[nodiscard]] bool nothing_before() const { return (stage4_.flags & kPut) == 0 && (stage3_.flags == 0 || (stage3_.flags & kAnswer) != 0); }
  // At least so many cycles pass before a new request can enter; 0: it can.
  [[nodiscard]] unsigned cycles_until_free() const { return busy_ ? pool_[current_].data_beats - count_ : 0u; }
  // The next beat leaves that somebody waits for, because it is not part of a run: not before so many cycles; without a new request.
  [[nodiscard]] unsigned cycles_until_answer() const {
    if ((stage3_.flags & kAnswer) != 0 && pool_[stage3_.request].run_beats == 0) return 1;
    if ((stage2_.flags & kAnswer) != 0 && pool_[stage2_.request].run_beats == 0) return 2;
    return busy_ && pool_[current_].run_beats == 0 ? 3 : ~0u;
  }
  [[nodiscard]] bool in_stage3(RequestSlot request) const { return stage3_.flags != 0 && stage3_.request == request; }
  [[nodiscard]] bool in_stage2(RequestSlot request) const { return stage2_.flags != 0 && stage2_.request == request; }
  // The first beat that stage 1 has still to read, or `none`; it has tried nothing yet that could make its turn another one.
  [[nodiscard]] bool reading(RequestSlot request) const { return busy_ && current_ == request; }
  [[nodiscard]] bool reads_afresh() const { return !read_done_ && (latch_ || forwarded_ == 0); }
  [[nodiscard]] unsigned beats_read() const { return count_; }
  [[nodiscard]] std::uint32_t reading_place() const { return current_place_; }

  // One cycle. `entering`: request that the schedule sends in (kNoRequest: none), into `way` of its set. `used`: data banks taken by units of
  // higher priority; those of the pipeline are added. Returns the put beats that left the put buffer (0 or 1).
  unsigned step(RequestSlot entering, unsigned way, std::uint32_t& used);
  // Puts that have been answered write their bytes at once: somebody looks behind the cache.
  void settle_values();
  // A cycle in which it is empty and nothing enters.
  void rest() { latch_ = true; }

 private:
  // Flags of a stage; none: it is empty.
  static constexpr std::uint8_t kFull = 1, kPut = 2, kNeedsPutBeat = 4, kMovesValues = 8;
  static constexpr std::uint8_t kAnswer = 16;   // still to be sent
  struct Stage {
    std::uint32_t place = 0;
    std::uint32_t banks = 0;       // written in stage 4
    RequestSlot request = kNoRequest;
    std::uint8_t beat = 0;         // of the line
    std::uint8_t words = 0;        // of the beat
    std::uint8_t flags = 0;
  };
  void move_values(Stage& stage);
  void write_values(RequestSlot slot, std::uint32_t place);

  const Geometry geometry_;
  RequestPool& pool_;
  LineArray& lines_;
  ValuePlane* values_;
  // stage 1
  bool busy_ = false;
  RequestSlot current_ = kNoRequest;
  std::uint32_t current_place_ = 0;
  unsigned count_ = 0;             // beats done
  bool read_done_ = false;         // the banks were read, but stage 2 was full
  bool latch_ = true;              // the forwarding comparison is taken anew
  std::uint8_t forwarded_ = 0;
  Stage stage2_, stage3_, stage4_;
};

}  // namespace systole::hw::soc
