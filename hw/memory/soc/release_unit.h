#pragma once
// Victims leave the cache here (SourceC.scala). A dirty line is read from the data banks beat by beat, the first beat only when the answer
// pipeline has left the line; a clean one is a single message. Two cycles later the beats stand in a queue before the memory port.
#include "hw/memory/soc/answer_pipeline.h"
#include "hw/memory/soc/ring.h"

namespace systole::hw::soc {

struct Release {
  std::uint64_t address = 0;
  std::uint32_t set = 0;
  std::uint8_t way = 0;
  std::uint8_t mshr = 0;
  bool dirty = false;
  std::uint8_t beat = 0;   // of a dirty line
};

class ReleaseUnit {
 public:
  explicit ReleaseUnit(const Geometry& geometry) : geometry_(geometry) {}

  // A new release is taken.
  [[nodiscard]] bool free() const { return !busy_ && queue_.size() <= 1; }
  [[nodiscard]] bool reads_line() const { return busy_; }
  [[nodiscard]] bool empty() const { return !active() && queue_.empty(); }
  // claim() and step() have something to do, even without a new release.
  [[nodiscard]] bool active() const { return busy_ || read_full_ || fetched_full_; }

  // Claims the data banks of the next beat: of the line in work, or of `entering` (null: none).
  void claim(const Release* entering, const AnswerPipeline& answers, std::uint32_t& used) {
    entering_ = entering;
    if (!busy_ && (entering == nullptr || !entering->dirty)) return;
    const Release& release = busy_ ? current_ : *entering;
    claimed_ = beat_ != 0 || !answers.holds(release.set * geometry_.ways + release.way);
    if (claimed_) used |= geometry_.word_banks(release.set, beat_ * geometry_.axi_words, (1u << geometry_.axi_words) - 1);
  }
  // The line whose first beat is read in this cycle, or null: from now on nobody changes it.
  [[nodiscard]] const Release* reading() const { return claimed_ && beat_ == 0 ? (busy_ ? &current_ : entering_) : nullptr; }
  // End of the cycle, after the memory port took from the queue.
  void step() {
    if (fetched_full_) queue_.push(fetched_);
    fetched_full_ = read_full_;
    fetched_ = read_;
    read_full_ = false;
    if (busy_ || (entering_ != nullptr && entering_->dirty)) {
      if (!busy_) current_ = *entering_;
      busy_ = true;
      if (claimed_) {
        read_full_ = true;
        read_ = current_;
        read_.beat = static_cast<std::uint8_t>(beat_);
        ++beat_;
        if (beat_ == geometry_.axi_beats) {
          beat_ = 0;
          busy_ = false;
        }
      }
    } else if (entering_ != nullptr) {
      read_full_ = true;
      read_ = *entering_;
    }
    claimed_ = false;
    entering_ = nullptr;
  }

  // Beats before the memory port; what step() pushes is for the next cycle.
  [[nodiscard]] Ring<Release, 16>& queue() { return queue_; }
  [[nodiscard]] const Ring<Release, 16>& queue() const { return queue_; }

 private:
  // SourceC.scala: the queue holds a line and what is on its way: at most 12 beats.
  const Geometry geometry_;
  Ring<Release, 16> queue_;
  bool busy_ = false;
  Release current_;
  unsigned beat_ = 0;
  // On the way to the queue.
  bool read_full_ = false, fetched_full_ = false;
  Release read_, fetched_;
  const Release* entering_ = nullptr;
  bool claimed_ = false;
};

}  // namespace systole::hw::soc
