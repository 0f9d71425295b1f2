#include "hw/memory/soc/answer_pipeline.h"

namespace systole::hw::soc {

unsigned AnswerPipeline::step(RequestSlot entering, unsigned way, std::uint32_t& used) {
  // ---- what each stage can do, last first
  bool stage4_free = true;
  if ((stage4_.flags & kPut) != 0) {
    stage4_free = (used & stage4_.banks) == 0;
    used |= stage4_.banks;
  }
  const bool stage3_leaves = (stage3_.flags & (kFull | kAnswer)) == kFull && stage4_free;
  const bool stage3_free = stage3_.flags == 0 || stage3_leaves;
  bool put_beat = false;   // one comes out of the put buffer
  bool waits_for_beat = false;
  if ((stage2_.flags & kNeedsPutBeat) != 0) {
    const Request& request = pool_[stage2_.request];
    put_beat = request.pushed > request.popped;
    waits_for_beat = !put_beat;
  }
  const bool stage2_leaves = stage2_.flags != 0 && !waits_for_beat && stage3_free;
  const bool stage2_free = stage2_.flags == 0 || stage2_leaves;

  // ---- stage 1
  if (!busy_ && entering != kNoRequest) {
    current_ = entering;
    current_place_ = pool_[entering].set * geometry_.ways + way;
    busy_ = true;
  }
  const bool stage1_full = busy_;
  Stage next;
  if (stage1_full) {
    const Request& request = pool_[current_];
    const unsigned beat = request.first_beat | count_;
    if (latch_) {
      // Without a branch, for nobody can guess it.
      const auto of = [&](const Stage& stage) {
        const bool same = (stage.flags != 0) & (stage.place == current_place_) & (stage.beat == beat);
        return static_cast<unsigned>(same) * stage.words;
      };
      forwarded_ = static_cast<std::uint8_t>(of(stage2_) | of(stage3_) | of(stage4_));
    }
    const unsigned to_read = request.beat_words & ~static_cast<unsigned>(forwarded_);
    bool done = true;
    if (request.reads_banks && to_read != 0 && !read_done_) {
      const std::uint32_t banks = geometry_.word_banks(request.set, beat * geometry_.bus_words, to_read);
      done = read_done_ = (used & banks) == 0;
      used |= banks;
    }
    if (done && stage2_free) {
      const bool put = request.is_put();
      next.place = current_place_;
      next.request = current_;
      next.beat = static_cast<std::uint8_t>(beat);
      next.words = request.beat_words;
      // A Get reads its bytes with its first beat, a Put writes them with its last: nothing comes between its beats.
      if (put) {
        next.banks = geometry_.word_banks(request.set, beat * geometry_.bus_words, request.words[count_]);
        next.flags = static_cast<std::uint8_t>(kFull | kPut | kNeedsPutBeat | (count_ == 0 ? kAnswer : 0) | (count_ + 1 == request.data_beats ? kMovesValues : 0));
      } else {
        next.flags = static_cast<std::uint8_t>(kFull | kAnswer | (count_ == 0 ? kMovesValues : 0));
      }
      read_done_ = false;
      ++count_;
      busy_ = count_ != request.data_beats;
      if (!busy_) count_ = 0;
    }
  }
  latch_ = !stage1_full || stage2_free;

  // ---- all move together
  if (stage4_free) stage4_.flags = 0;
  if (stage3_leaves) {
    stage4_ = stage3_;
    stage3_.flags = 0;
  }
  if (put_beat) {
    stage2_.flags = static_cast<std::uint8_t>(stage2_.flags & ~kNeedsPutBeat);
    Request& request = pool_[stage2_.request];
    ++request.popped;
    if ((stage2_.flags & kMovesValues) != 0) move_values(stage2_);
    if (request.popped == request.data_beats) pool_.release(stage2_.request);
  }
  if (stage2_leaves) {
    if ((stage2_.flags & kMovesValues) != 0) move_values(stage2_);
    stage3_ = stage2_;
    stage2_.flags = 0;
  }
  if (next.flags != 0) stage2_ = next;
  return put_beat ? 1 : 0;
}

void AnswerPipeline::move_values(Stage& stage) {
  stage.flags = static_cast<std::uint8_t>(stage.flags & ~kMovesValues);
  if (values_ == nullptr) return;
  const Request& request = pool_[stage.request];
  if (request.is_put()) {
    write_values(stage.request, stage.place);
  } else if (request.useful_bytes != 0) {
    const std::uint64_t line = request.address / kLineBytes * kLineBytes;
    copy_bytes(values_->bytes(request.values) + request.useful_first, lines_.read(stage.place, line) + request.offset + request.useful_first, request.useful_bytes);
  }
}

void AnswerPipeline::write_values(RequestSlot slot, std::uint32_t place) {
  Request& request = pool_[slot];
  const std::uint64_t line = request.address / kLineBytes * kLineBytes;
  const std::uint8_t* const from = pool_.put_bytes(slot);
  std::uint64_t left = request.put_mask;
  request.put_mask = 0;
  if (left == ~std::uint64_t{0}) {
    std::memcpy(lines_.write_whole(place, line), from, kLineBytes);
    return;
  }
  if (left == 0) return;
  std::uint8_t* const to = lines_.write(place, line);
  while (left != 0) {   // run by run
    const auto first = static_cast<unsigned>(__builtin_ctzll(left));
    const std::uint64_t gaps = ~left & (~std::uint64_t{0} << first);
    const unsigned end = gaps == 0 ? kLineBytes : static_cast<unsigned>(__builtin_ctzll(gaps));
    std::memcpy(to + first, from + first, end - first);
    left = gaps == 0 ? 0 : left & (~std::uint64_t{0} << end);
  }
}

void AnswerPipeline::settle_values() {
  if (values_ == nullptr) return;
  const auto settle = [&](RequestSlot slot, std::uint32_t place) {
    if (pool_[slot].is_put()) write_values(slot, place);
  };
  if ((stage2_.flags & kMovesValues) != 0) settle(stage2_.request, stage2_.place);
  if (busy_ && count_ != 0) settle(current_, current_place_);
}

}  // namespace systole::hw::soc
