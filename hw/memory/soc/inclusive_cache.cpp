#include "hw/memory/soc/inclusive_cache.h"

#include <fmt/format.h>

namespace systole::hw::soc {

InclusiveCache::InclusiveCache(const MachineParams& params, RequestPool& pool, AxiMemory& memory, Channel<RequestItem>& in_requests,
                               Channel<RequestSlot>& out_answers, MemoryLog* log)
    : geometry_(params),
      queued_limit_(static_cast<unsigned>(params.soc.l2_queued_requests)),
      put_beats_limit_(static_cast<unsigned>(params.soc.l2_put_beats)),
      pool_(pool),
      in_requests_(in_requests),
      out_answers_(out_answers),
      directory_(geometry_, params.soc.l2_state),
      mshrs_(static_cast<unsigned>(params.soc.l2_mshrs)),
      answers_(geometry_, pool),
      releases_(geometry_),
      outer_(geometry_, static_cast<unsigned>(params.soc.l2_grants), memory, log) {}

void InclusiveCache::send_answer(Cycle now) {
  const RequestSlot offered = answers_.offered();
  const bool room = out_answers_.can_push(now);
  if (output_slot_ != kNoRequest) {
    if (room) {
      out_answers_.push(now, output_slot_);
      output_slot_ = kNoRequest;
    }
    return;
  }
  if (offered == kNoRequest) return;
  if (room) out_answers_.push(now, offered);
  else output_slot_ = offered;
  answers_.taken();
}

// What becomes of the beat at the input in this cycle.
InclusiveCache::Intake InclusiveCache::look_at_input(const Schedule& schedule, const RequestItem* item) const {
  Intake intake;
  if (item == nullptr) return intake;
  const Request& request = pool_[item->request];
  if (request.is_put() && put_beats_ >= put_beats_limit_) return intake;
  if (item->beat != 0) {
    intake.later_beat = true;
    return intake;
  }
  const unsigned owner = mshrs_.of_set(request.set);
  if (owner == kNoMshr) {
    // A leaving MSHR that goes on with another line needs the directory itself.
    const bool port_taken = schedule.leave && mshrs_[schedule.mshr].queue_head != kNoRequest &&
                            pool_[mshrs_[schedule.mshr].queue_head].tag != mshrs_[schedule.mshr].tag;
    intake.allocated = port_taken ? kNoMshr : mshrs_.lowest_free();
    intake.first_beat = intake.allocated != kNoMshr;
    return intake;
  }
  if (owner == schedule.mshr && schedule.leave && mshrs_[owner].queue_head == kNoRequest) {
    intake.first_beat = intake.follows = true;
  } else if (mshrs_.queued() < queued_limit_) {
    intake.first_beat = true;
    intake.queued_behind = owner;
  }
  return intake;
}

bool InclusiveCache::step(Cycle now) {
  const bool was_quiet = answers_.empty() && output_slot_ == kNoRequest && releases_.empty() && lookup_.mshr == kNoMshr && !directory_.write_waits() &&
                         outer_.empty() && outer_.next_answer() > now;
  send_answer(now);
  outer_.choose(now);

  // ---- schedule
  FreeUnits free;
  free.acquire = outer_.can_acquire(now);
  free.release = releases_.free();
  free.answer = answers_.free();
  free.grant_ack = outer_.can_ack(now);
  free.directory_write = directory_.can_write();
  const Schedule schedule = mshrs_.choose(free);

  // ---- input
  const RequestItem* item = input_slot_ ? &*input_slot_ : in_requests_.front(now);
  const Intake intake = look_at_input(schedule, item);
  if (was_quiet && schedule.mshr == kNoMshr && !intake.first_beat && !intake.later_beat && (item == nullptr || input_slot_)) return false;

  // ---- directory port
  Lookup read;
  RequestSlot successor = kNoRequest;
  bool same_line = false;
  if (schedule.leave) {
    const Mshr& mshr = mshrs_[schedule.mshr];
    successor = intake.follows ? item->request : mshr.queue_head;
    if (successor != kNoRequest) {
      same_line = pool_[successor].tag == mshr.tag;
      if (!same_line) read = {schedule.mshr, successor};
    }
  }
  if (read.mshr == kNoMshr && intake.allocated != kNoMshr) read = {intake.allocated, item->request};

  // ---- data banks: evictions before refills before the answer pipeline's writes and reads
  std::uint32_t used = 0;
  Release release;
  if (schedule.release) {
    const Mshr& mshr = mshrs_[schedule.mshr];
    release = {schedule.mshr, mshr.set, mshr.way, mshr.dirty, mshr.victim_tag};
    ++(mshr.dirty ? counts_.victims_dirty : counts_.victims_clean);
  }
  releases_.claim(schedule.release ? &release : nullptr, answers_, used);

  const Refill* refill = outer_.refills().front(now);
  bool refill_taken = false;
  const bool refill_first = refill_beat_ == 0;
  if (!refill_first || refill != nullptr) {
    if (refill_first) refill_set_ = mshrs_[refill->mshr].set;
    if (!refill_first || !answers_.holds(refill_set_, mshrs_[refill->mshr].way)) {
      // Between the first and the last beat of a line the bank of the next beat is held even while there is no beat. Messages without data
      // claim the first bank too.
      const std::uint32_t bank = geometry_.banks(refill_set_, refill_beat_ * geometry_.axi_words, (1u << geometry_.axi_words) - 1);
      refill_taken = refill != nullptr && (used & bank) == 0;
      used |= bank;
    }
  }

  const RequestSlot entering = schedule.answer ? mshrs_[schedule.mshr].request : kNoRequest;
  put_beats_ -= answers_.step(entering, schedule.mshr != kNoMshr ? mshrs_[schedule.mshr].way : 0, used);

  // ---- the scheduled MSHR
  bool write_directory = false;
  std::uint32_t write_set = 0;
  unsigned write_way = 0;
  DirectoryEntry entry;
  if (schedule.mshr != kNoMshr) {
    const unsigned index = schedule.mshr;
    Mshr& mshr = mshrs_[index];
    const Request& request = pool_[mshr.request];
    const bool dirty_after = (mshr.hit && mshr.dirty) || request.is_put();
    if (schedule.acquire) outer_.acquire(now, {index, request.replaces_line(), request.address / kLineBytes * kLineBytes});
    if (schedule.grant_ack) outer_.ack(now);
    if (schedule.directory_write) {
      write_directory = true;
      write_set = mshr.set;
      write_way = mshr.way;
      if (!schedule.release) entry = {mshr.tag, true, dirty_after};
    }
    mshrs_.served(schedule);
    if (schedule.leave) {
      pool_.release(mshr.request);
      if (successor != kNoRequest) {
        if (!intake.follows) mshrs_.dequeue(index, pool_);
        mshrs_.allocate(index, successor, pool_[successor]);
        pool_[successor].at_mshr = now;
        if (same_line) {
          pool_[successor].line_ready = now;
          mshrs_.start_hit(index, pool_[successor].is_put(), dirty_after);
        }
      }
    }
  }

  // ---- directory
  if (lookup_.mshr != kNoMshr) finish_lookup(now);
  lookup_ = read;
  if (read.mshr != kNoMshr) directory_.read();
  else directory_.settle_write();
  if (write_directory) directory_.write(write_set, write_way, entry);

  // ---- refill
  if (refill_taken) {
    const Refill taken = outer_.refills().pop(now);
    const unsigned beats = taken.kind == Refill::Kind::kRead ? geometry_.axi_beats : 1;
    const bool last = refill_beat_ + 1 == beats;
    refill_beat_ = last ? 0 : refill_beat_ + 1;
    if (refill_first || last) refilled(now, taken, last);
  }

  // ---- intake
  if (intake.first_beat && intake.allocated == kNoMshr) {
    const unsigned owner = intake.follows ? schedule.mshr : intake.queued_behind;
    Request& request = pool_[item->request];
    if (mshrs_.fetching(owner) && mshrs_[owner].tag == request.tag) request.outcome = L2Outcome::kMissPending;
  }
  if (intake.allocated != kNoMshr) {
    mshrs_.allocate(intake.allocated, item->request, pool_[item->request]);
  } else if (intake.queued_behind != kNoMshr) {
    mshrs_.enqueue(intake.queued_behind, item->request, pool_);
  }
  if (intake.first_beat || intake.later_beat) {
    Request& request = pool_[item->request];
    if (intake.first_beat) request.at_l2 = now;
    if (intake.allocated != kNoMshr) request.at_mshr = now;
    if (request.is_put()) {
      ++request.pushed;
      ++put_beats_;
    }
    if (input_slot_) input_slot_.reset();
    else in_requests_.drop(now, 1);
  } else if (!input_slot_ && item != nullptr) {
    input_slot_ = in_requests_.pop(now);
  }

  outer_.request(now, releases_.queue());
  releases_.step(now);
  outer_.deliver(now);
  return true;
}

void InclusiveCache::finish_lookup(Cycle now) {
  const unsigned index = lookup_.mshr;
  Request& request = pool_[lookup_.request];
  const DirectoryResult result = directory_.result(request.set, request.tag);
  mshrs_[index].way = result.way;
  if (result.hit) {
    request.line_ready = now;
    mshrs_.start_hit(index, request.is_put(), result.entry.dirty);
    return;
  }
  ++counts_.misses;
  if (request.replaces_line()) ++counts_.allocations;
  request.outcome = request.replaces_line() ? L2Outcome::kAllocated : L2Outcome::kMiss;
  mshrs_.start_miss(index, result.entry);
}

void InclusiveCache::refilled(Cycle now, const Refill& refill, bool last) {
  if (refill.kind == Refill::Kind::kReleased) {
    mshrs_.released(refill.mshr);
    return;
  }
  Request& request = pool_[mshrs_[refill.mshr].request];
  if (request.line_ready == 0 && (last || request.offset == 0)) {
    request.line_ready = now;
    request.row_wait = refill.row_wait;
    request.refresh_wait = refill.refresh_wait;
  }
  mshrs_.granted(refill.mshr, last, request.offset == 0);
}

bool InclusiveCache::idle() const {
  return !mshrs_.any() && in_requests_.empty() && !input_slot_ && answers_.empty() && output_slot_ == kNoRequest && releases_.empty() && outer_.empty() &&
         outer_.memory_idle() && !directory_.write_waits() && lookup_.mshr == kNoMshr;
}

std::string InclusiveCache::state_text() const {
  if (idle()) return {};
  return fmt::format("{} MSHRs in use, {} requests queued behind them, {} Put beats buffered, {} requests in all", mshrs_.in_use(), mshrs_.queued(), put_beats_,
                     pool_.in_use());
}

}  // namespace systole::hw::soc
