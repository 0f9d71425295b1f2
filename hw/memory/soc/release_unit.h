#pragma once
// Victims leave the cache here (SourceC.scala). A dirty line is read from the data banks beat by beat, the first beat only when the answer
// pipeline has left the line; a clean one is a single message. Two cycles later the beats stand in a queue before the memory port.
#include "hw/memory/soc/answer_pipeline.h"
#include "sim/kernel/channel.h"

namespace systole::hw::soc {

struct Release {
  unsigned mshr = 0;
  std::uint32_t set = 0;
  unsigned way = 0;
  bool dirty = false;
  std::uint64_t tag = 0;
};

struct ReleaseBeat {
  Release release;
  unsigned beat = 0;
};

class ReleaseUnit {
 public:
  explicit ReleaseUnit(const Geometry& geometry) : geometry_(geometry), queue_("release_queue", 1, geometry.axi_beats + kSpare) {}

  // A new release is taken.
  [[nodiscard]] bool free() const { return !busy_ && room_; }
  [[nodiscard]] bool empty() const { return !busy_ && !read_.full && !fetched_.full && queue_.empty(); }

  // Claims the data banks of the next beat: of the line in work, or of `entering` (null: none).
  void claim(const Release* entering, const AnswerPipeline& answers, std::uint32_t& used) {
    entering_ = entering;
    if (!busy_ && (entering == nullptr || !entering->dirty)) return;
    const Release& release = busy_ ? current_ : *entering;
    claimed_ = beat_ != 0 || !answers.holds(release.set, release.way);
    if (claimed_) used |= geometry_.banks(release.set, beat_ * geometry_.axi_words, (1u << geometry_.axi_words) - 1);
  }
  // End of the cycle; `room_before` is the queue's size before the memory port took anything.
  void step(Cycle now) {
    const Slot arriving = fetched_;
    fetched_ = read_;
    read_.full = false;
    if (busy_ || (entering_ != nullptr && entering_->dirty)) {
      if (!busy_) current_ = *entering_;
      busy_ = true;
      if (claimed_) {
        read_ = {true, {current_, beat_}};
        ++beat_;
        if (beat_ == geometry_.axi_beats) {
          beat_ = 0;
          busy_ = false;
        }
      }
    } else if (entering_ != nullptr) {
      read_ = {true, {*entering_, 0}};
    }
    claimed_ = false;
    entering_ = nullptr;
    if (arriving.full) queue_.push(now, arriving.beat);
    room_ = queue_.size() <= 1;
  }

  [[nodiscard]] Channel<ReleaseBeat>& queue() { return queue_; }

 private:
  // SourceC.scala: the queue holds a line and what is on its way.
  static constexpr unsigned kSpare = 4;
  struct Slot {
    bool full = false;
    ReleaseBeat beat;
  };
  const Geometry geometry_;
  Channel<ReleaseBeat> queue_;
  bool busy_ = false;
  bool room_ = true;
  Release current_;
  unsigned beat_ = 0;
  Slot read_, fetched_;
  const Release* entering_ = nullptr;
  bool claimed_ = false;
};

}  // namespace systole::hw::soc
