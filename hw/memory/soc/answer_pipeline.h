#pragma once
// Hits and refilled misses are answered here (SourceD.scala): one bus beat a cycle passes
//   1  read of the data banks (Get and partial Put)
//   2  a Put's beat comes out of the put buffer
//   3  the answer leaves: every beat of a Get, the acknowledgement of a Put with its first beat
//   4  a Put's beat is written to the data banks
// A beat that is still in stages 2 to 4 is forwarded to a later reader of the same beat, which then reads no bank.
#include <cstdint>

#include "hw/memory/soc/request.h"

namespace systole::hw::soc {

class AnswerPipeline {
 public:
  AnswerPipeline(const Geometry& geometry, RequestPool& pool) : geometry_(geometry), pool_(pool) {}

  // A new request can enter stage 1.
  [[nodiscard]] bool free() const { return !busy_; }
  [[nodiscard]] bool empty() const { return !busy_ && !stage2_.full && !stage3_.full && !stage4_.full; }
  // Is something of this set and way inside? Refills and evictions wait for it.
  [[nodiscard]] bool holds(std::uint32_t set, unsigned way) const {
    const auto in = [&](const Stage& stage) { return stage.full && stage.set == set && stage.way == way; };
    return (busy_ && current_set_ == set && current_way_ == way) || in(stage2_) || in(stage3_) || in(stage4_);
  }

  // ---- channel D, before step(): the request whose beat stage 3 offers, or kNoRequest.
  [[nodiscard]] RequestSlot offered() const { return stage3_.full && stage3_.answer ? stage3_.request : kNoRequest; }
  void taken() { stage3_.answer = false; }

  // One cycle. `entering`: request that the schedule sends in (kNoRequest: none), into `way` of its set. `used`: data banks taken by units of
  // higher priority; those of the pipeline are added. Returns the put beats that left the put buffer (0 or 1).
  unsigned step(RequestSlot entering, unsigned way, std::uint32_t& used);
  // Did the last step change anything?
  [[nodiscard]] bool moved() const { return moved_; }

 private:
  struct Stage {
    bool full = false;
    bool put = false;
    bool needs_put_beat = false;
    bool answer = false;           // still to be sent
    std::uint8_t beat = 0;         // of the line
    std::uint8_t words = 0;        // of the beat
    std::uint32_t set = 0;
    unsigned way = 0;
    std::uint32_t banks = 0;       // written in stage 4
    RequestSlot request = kNoRequest;
  };

  const Geometry geometry_;
  RequestPool& pool_;
  // stage 1
  bool busy_ = false;
  RequestSlot current_ = kNoRequest;
  std::uint32_t current_set_ = 0;
  unsigned current_way_ = 0;
  unsigned count_ = 0;             // beats done
  bool read_done_ = false;         // the banks were read, but stage 2 was full
  bool latch_ = true;              // the forwarding comparison is taken anew
  std::uint8_t forwarded_ = 0;
  Stage stage2_, stage3_, stage4_;
  bool moved_ = false;
};

}  // namespace systole::hw::soc
