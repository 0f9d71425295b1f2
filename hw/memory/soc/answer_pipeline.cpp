#include "hw/memory/soc/answer_pipeline.h"

namespace systole::hw::soc {

unsigned AnswerPipeline::step(RequestSlot entering, unsigned way, std::uint32_t& used) {
  moved_ = false;
  // ---- what each stage can do, last first
  bool written = true;
  if (stage4_.full && stage4_.put) {
    written = (used & stage4_.banks) == 0;
    used |= stage4_.banks;
  }
  const bool stage4_free = !stage4_.full || written;
  const bool stage3_leaves = stage3_.full && stage4_free && !stage3_.answer;
  const bool stage3_free = !stage3_.full || stage3_leaves;
  bool put_beat_there = true;
  if (stage2_.full && stage2_.needs_put_beat) put_beat_there = pool_[stage2_.request].pushed > pool_[stage2_.request].popped;
  const bool stage2_leaves = stage2_.full && put_beat_there && stage3_free;
  const bool stage2_free = !stage2_.full || stage2_leaves;

  if (!busy_ && entering != kNoRequest) {
    current_ = entering;
    current_set_ = pool_[entering].set;
    current_way_ = way;
  }
  const bool stage1_full = busy_ || entering != kNoRequest;
  Stage next;
  bool stage1_leaves = false;
  bool read = false;
  if (stage1_full) {
    const Request& request = pool_[current_];
    const unsigned beat = request.offset / geometry_.bus_bytes | count_;
    const bool whole_beat = (1u << request.lg_size) >= geometry_.bus_bytes;
    const unsigned first_word = request.offset % geometry_.bus_bytes / kWordBytes;
    const unsigned size_words = std::max(1u, (1u << request.lg_size) / kWordBytes);
    const unsigned all_words = (1u << geometry_.bus_words) - 1;
    const unsigned words = whole_beat ? all_words : ((1u << size_words) - 1) << first_word;
    if (latch_) {
      forwarded_ = 0;
      for (const Stage* stage : {&stage2_, &stage3_, &stage4_}) {
        if (stage->full && stage->set == current_set_ && stage->way == current_way_ && stage->beat == beat) forwarded_ |= stage->words;
      }
    }
    const unsigned to_read = words & ~static_cast<unsigned>(forwarded_);
    // A Put smaller than a word changes part of one.
    const bool reads = (request.kind != RequestKind::kPutFull || (1u << request.lg_size) < kWordBytes) && to_read != 0 && !read_done_;
    if (reads) {
      const std::uint32_t banks = geometry_.banks(current_set_, beat * geometry_.bus_words, to_read);
      read = (used & banks) == 0;
      used |= banks;
    }
    stage1_leaves = (!reads || read) && stage2_free;
    if (stage1_leaves) {
      next.full = true;
      next.put = next.needs_put_beat = request.is_put();
      next.answer = !next.put || count_ == 0;
      next.beat = static_cast<std::uint8_t>(beat);
      next.words = static_cast<std::uint8_t>(words);
      next.set = current_set_;
      next.way = current_way_;
      next.banks = next.put ? geometry_.banks(current_set_, beat * geometry_.bus_words, request.words[count_]) : 0;
      next.request = current_;
    }
  }
  latch_ = !stage1_full || stage2_free;

  // ---- all move together
  if (stage4_.full && written) {
    stage4_.full = false;
    moved_ = true;
  }
  if (stage3_leaves) {
    stage4_ = stage3_;
    stage3_.full = false;
    moved_ = true;
  }
  unsigned put_beats = 0;
  if (stage2_.full && stage2_.needs_put_beat && put_beat_there) {
    stage2_.needs_put_beat = false;
    Request& request = pool_[stage2_.request];
    ++request.popped;
    put_beats = 1;
    moved_ = true;
    if (request.popped == request.data_beats) pool_.release(stage2_.request);
  }
  if (stage2_leaves) {
    stage3_ = stage2_;
    stage2_.full = false;
    moved_ = true;
  }
  if (stage1_leaves) {
    stage2_ = next;
    read_done_ = false;
    moved_ = true;
    ++count_;
    busy_ = count_ != pool_[current_].data_beats;
    if (!busy_) count_ = 0;
  } else if (stage1_full) {
    busy_ = true;
    read_done_ = read_done_ || read;
    moved_ = true;
  }
  return put_beats;
}

}  // namespace systole::hw::soc
