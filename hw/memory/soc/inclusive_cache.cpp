#include "hw/memory/soc/inclusive_cache.h"

namespace systole::hw::soc {

InclusiveCache::InclusiveCache(const MachineParams& params, unsigned bank, RequestPool& pool, MemoryPort& port, CpuCache& cpu, LineValues* below,
                               ValuePlane* values)
    : geometry_(params),
      bank_(bank),
      queued_limit_(static_cast<unsigned>(params.soc.l2_queued_requests)),
      put_beats_limit_(static_cast<unsigned>(params.soc.l2_put_beats)),
      pool_(pool),
      port_(port),
      cpu_(cpu),
      lines_(std::size_t{geometry_.sets} * geometry_.ways, below),
      directory_(geometry_, bank, params.soc.l2_state),
      mshrs_(static_cast<unsigned>(params.soc.l2_mshrs), geometry_.sets),
      answers_(geometry_, pool, lines_, values),
      releases_(geometry_),
      cork_(bank, static_cast<unsigned>(params.soc.l2_grants), port) {}

void InclusiveCache::send_answer(bool room) {
  answer_ = kNoRequest;
  if (output_slot_ != kNoRequest) {
    if (room) {
      answer_ = output_slot_;
      output_slot_ = kNoRequest;
    }
    return;
  }
  const RequestSlot offered = answers_.offered();
  if (offered == kNoRequest) return;
  (room ? answer_ : output_slot_) = offered;
  answers_.taken();
}

unsigned InclusiveCache::beats_to_come(Cycle now, RequestSlot slot, BeatTimes& at) const {
  if (output_slot_ != kNoRequest || !answers_.nothing_before()) return 0;
  unsigned beats = 0;
  if (answers_.in_stage3(slot)) at[beats++] = now + 1;
  if (answers_.in_stage2(slot)) at[beats++] = now + 2;
  return answers_.reading(slot) ? beats_to_read(now, pool_[slot], at, beats) : beats;
}

// The same for beats that stage 1 of the pipeline has still to read, behind `known` others: of a line that is all there, or of one that comes
// in, whose beats are read behind its refill.
unsigned InclusiveCache::beats_to_read(Cycle now, const Request& request, BeatTimes& at, unsigned known) const {
  const unsigned axi_words = geometry_.axi_words;
  unsigned refill = refill_beat_ == 0 ? geometry_.axi_beats : refill_beat_;   // taken in `cycle`
  const bool refilling = refill != geometry_.axi_beats;
  if (refilling && (answers_.reading_place() != place_of(mshrs_[cork_.refilled_mshr()]) || !cork_.keeps_coming(geometry_.axi_beats - refill))) return 0;
  // Different words of a line must be in different banks; nobody else is using them.
  if (geometry_.word_bank_mask + 1 < kLineWords || !answers_.reads_afresh() || releases_.reads_line() || !probes_.empty()) return 0;
  Cycle cycle = now + 1;
  for (unsigned beat = request.first_beat + answers_.beats_read(); beat < request.first_beat + request.data_beats; ++beat) {
    const unsigned word = beat * geometry_.bus_words;
    while (refill < geometry_.axi_beats && refill * axi_words < word + geometry_.bus_words && word < (refill + 1) * axi_words) {
      ++refill;
      ++cycle;
    }
    // A line that begins to be released or refilled in the next cycle, or later, begins with its first words.
    if (word < (cycle - now) * axi_words) return 0;
    at[known++] = cycle + 2;
    ++cycle;
    if (refill < geometry_.axi_beats) ++refill;
  }
  return known;
}

// What becomes of the beat at the input in this cycle.
InclusiveCache::Intake InclusiveCache::look_at_input(Schedule schedule, const RequestItem& item) const {
  const Request& request = pool_[item.request];
  if (request.is_put() && put_beats_ >= put_beats_limit_) return {};
  if (item.beat != 0) return {Take::kLaterBeat};
  const unsigned owner = mshrs_.of_set(request.set);
  if (owner == kNoMshr) {
    if (mshrs_.full()) return {Take::kAllBusy};
    // A leaving MSHR that goes on with another line needs the directory itself.
    const bool port_taken = schedule.has(kLeave) && mshrs_[schedule.mshr].queue_head != kNoRequest &&
                            pool_[mshrs_[schedule.mshr].queue_head].tag != mshrs_[schedule.mshr].tag;
    return port_taken ? Intake{} : Intake{Take::kAllocate, mshrs_.lowest_free()};
  }
  if (owner == schedule.mshr && schedule.has(kLeave) && mshrs_[owner].queue_head == kNoRequest) return {Take::kFollow, owner};
  return mshrs_.queued() < queued_limit_ ? Intake{Take::kQueue, owner} : Intake{};
}

// What happens in a cycle, as far as the MSHRs are concerned; at its start.
Schedule InclusiveCache::schedule_in(Cycle now) const {
  const auto when = [](bool free, Actions unit) { return static_cast<Actions>(free) * unit; };
  return mshrs_.choose(when(cork_.can_acquire(), kAcquire) | when(releases_.free(), kRelease) | when(answers_.free(), kAnswer) | when(cork_.can_ack(), kGrantAck) |
                                  when(directory_.can_write(), kDirectoryWrite) | when(cpu_.can_probe(now), kProbe));
}

bool InclusiveCache::step(Cycle now, const RequestItem* item, bool output_room, bool port_turn) {
  answer_ = kNoRequest;
  const bool offered = offers() != kNoRequest;
  if (offered) send_answer(output_room);
  took_item_ = false;
  const Schedule schedule = schedule_in(now);
  if (schedule.mshr == kNoMshr && refill_beat_ != 0 && in_middle_of_burst(item)) {
    middle_beat(now);
    return true;
  }
  cork_.begin();

  // ---- input
  const bool from_slot = input_slot_.request != kNoRequest;
  const RequestItem* const head = from_slot ? &input_slot_ : item;
  Intake intake;
  if (input_waits_for_mshr_) intake = {Take::kAllBusy};   // as before: none has left
  else if (head != nullptr) intake = look_at_input(schedule, *head);
  input_waits_for_mshr_ = head != nullptr && intake.take == Take::kAllBusy && !schedule.has(kLeave);
  const bool accepted = intake.accepted();
  if (schedule.mshr == kNoMshr && !accepted && !offered && (item == nullptr || from_slot) && quiet() && port_.offer(bank_) == MemoryPort::Answer::kNone) {
    return false;
  }

  // ---- directory port
  Lookup read;
  RequestSlot successor = kNoRequest;
  bool same_line = false;
  if (schedule.has(kLeave)) {
    const Mshr& mshr = mshrs_[schedule.mshr];
    successor = intake.take == Take::kFollow ? head->request : mshr.queue_head;
    if (successor != kNoRequest) {
      same_line = pool_[successor].tag == mshr.tag;
      if (!same_line) read = {schedule.mshr, successor};
    }
  }
  if (read.mshr == kNoMshr && intake.take == Take::kAllocate) read = {intake.mshr, head->request};

  // ---- data banks: data of the CPU's L1, then evictions before refills before the answer pipeline's writes and reads
  std::uint32_t used = 0;
  if (!probes_.empty()) claim_probe_banks(now, used);
  Release release;
  const bool releasing = schedule.has(kRelease) || releases_.active();
  if (releasing) claim_release(schedule, release, used);

  bool refill_taken = false;
  const bool refill_first = refill_beat_ == 0;
  if (const Refill* refill = cork_.refill(); !refill_first || refill != nullptr) {
    if (refill_first) refill_set_ = mshrs_[refill->mshr].set;
    if (!refill_first || !answers_.holds(place_of(mshrs_[refill->mshr]))) {
      // Between the first and the last beat of a line the bank of the next beat is held even while there is no beat. Messages without data
      // claim the first bank too.
      const std::uint32_t bank = geometry_.word_banks(refill_set_, refill_beat_ * geometry_.axi_words, (1u << geometry_.axi_words) - 1);
      refill_taken = refill != nullptr && (used & bank) == 0;
      used |= bank;
    }
  }

  if (schedule.has(kAnswer)) {
    put_beats_ -= answers_.step(mshrs_[schedule.mshr].request, mshrs_[schedule.mshr].way, used);
  } else if (!answers_.empty()) {
    put_beats_ -= answers_.step(kNoRequest, 0, used);
  } else {
    answers_.rest();
  }

  if (schedule.mshr != kNoMshr) {
    serve(now, schedule, intake.take == Take::kFollow, successor, same_line, read);
  } else {
    finish_directory(now, read);
  }

  // ---- refill
  if (refill_taken) {
    const Refill taken = cork_.take_refill();
    const unsigned beats = taken.kind == Refill::Kind::kRead ? geometry_.axi_beats : 1;
    const bool last = refill_beat_ + 1 == beats;
    refill_beat_ = last ? 0 : refill_beat_ + 1;
    if (refill_first || last) refilled(now, taken, refill_first, last);
  }
  if (!probes_.empty()) answer_probes(now);

  // ---- intake
  if (accepted) {
    take_in(now, *head, intake);
    if (from_slot) input_slot_ = {};
    else took_item_ = true;
  } else if (!from_slot && item != nullptr) {
    input_slot_ = *item;
    took_item_ = true;
  }

  if (cork_.has_requests(releases_.queue())) cork_.request(now, releases_.queue(), port_turn);
  if (releasing) releases_.step();
  if (cork_.chosen()) cork_.deliver(now);
  return true;
}

// The cycle takes one beat of a line, delivers the next, moves the answer pipeline, and does nothing else.
bool InclusiveCache::in_middle_of_burst(const RequestItem* item) const {
  const bool input_rests = input_slot_.request == kNoRequest ? item == nullptr : input_waits_for_mshr_;
  return (input_rests & (refill_beat_ + 1 < geometry_.axi_beats) & (lookup_.mshr == kNoMshr) & !directory_.write_waits() & !releases_.active() & probes_.empty()) &&
         cork_.only_burst(releases_.queue());
}

// Something comes for an MSHR that may let it answer or leave: not before so many cycles.
unsigned InclusiveCache::cycles_until_news(bool item_waits) const {
  const bool input_rests = input_slot_.request == kNoRequest ? !item_waits : input_waits_for_mshr_;
  const bool only_refill = refill_beat_ != 0 && input_rests && lookup_.mshr == kNoMshr && probes_.empty() && !mshrs_.probe_waits() && !mshrs_.leave_waits();
  return only_refill ? geometry_.axi_beats - refill_beat_ : 1;   // the last beat of the line: other messages wait until it is complete
}

unsigned InclusiveCache::cycles_until_answer(bool item_waits) const {
  if (output_slot_ != kNoRequest) return 1;
  constexpr unsigned kPipeline = 2;   // stages behind the one that a request enters
  const unsigned ready = mshrs_.answer_waits() ? 1 : cycles_until_news(item_waits) + 1;
  return std::min(answers_.cycles_until_answer(), std::max(ready, answers_.cycles_until_free() + 1) + kPipeline);
}

unsigned InclusiveCache::cycles_until_taken(bool item_waits) const {
  if (input_slot_.request == kNoRequest) return 1;   // it moves into the slot
  if (!input_waits_for_mshr_) return 2;              // what stands there may be accepted
  // An MSHR leaves, and what stands in the slot takes it.
  return (mshrs_.leave_waits() ? 1 : cycles_until_news(item_waits) + 1) + 2;
}

void InclusiveCache::middle_beat(Cycle now) {
  std::uint32_t used = geometry_.word_banks(refill_set_, refill_beat_ * geometry_.axi_words, (1u << geometry_.axi_words) - 1);
  if (answers_.empty()) answers_.rest();
  else put_beats_ -= answers_.step(kNoRequest, 0, used);
  ++refill_beat_;
  cork_.pass_beat(now);
}

void InclusiveCache::claim_release(Schedule schedule, Release& release, std::uint32_t& used) {
  if (schedule.has(kRelease)) {
    const Mshr& mshr = mshrs_[schedule.mshr];
    release = {geometry_.address_of(mshr.victim_tag, mshr.set, bank_), mshr.set, static_cast<std::uint8_t>(mshr.way), static_cast<std::uint8_t>(schedule.mshr),
               mshr.dirty, 0};
    ++(mshr.dirty ? counts_.victims_dirty : counts_.victims_clean);
  }
  releases_.claim(schedule.has(kRelease) ? &release : nullptr, answers_, used);
  if (!lines_.used()) return;
  if (const Release* reading = releases_.reading()) lines_.write_back(reading->set * geometry_.ways + reading->way);
}

// What the scheduled MSHR does, and the directory's cycle.
void InclusiveCache::serve(Cycle now, Schedule schedule, bool follows, RequestSlot successor, bool same_line, const Lookup& read) {
  const unsigned index = schedule.mshr;
  Mshr& mshr = mshrs_[index];
  const Request& request = pool_[mshr.request];
  const DirectoryEntry after{mshr.tag, true, (mshr.hit && mshr.dirty) || request.is_put(), mshr.cpu, mshr.cpu_exclusive};
  const std::uint32_t set = mshr.set;
  const unsigned way = mshr.way;
  if (schedule.has(kAcquire)) cork_.acquire({request.address / kLineBytes * kLineBytes, static_cast<std::uint8_t>(index), request.replaces_line()});
  if (schedule.has(kGrantAck)) cork_.ack();
  mshrs_.served(schedule);
  if (schedule.has(kProbe)) send_probe(now, index);
  if (schedule.has(kLeave)) {
    pool_.release(mshr.request);
    if (successor != kNoRequest) {
      if (!follows) mshrs_.dequeue(index, pool_);
      mshrs_.allocate(index, successor, pool_[successor]);
      pool_[successor].at_mshr = now;
      if (same_line) begin_hit(now, index, after);
    }
  }
  finish_directory(now, read);
  if (schedule.has(kDirectoryWrite)) directory_.write(set, way, schedule.has(kRelease) ? DirectoryEntry{} : after);
}

// The result of the read before, and the port's next user.
void InclusiveCache::finish_directory(Cycle now, const Lookup& read) {
  if (lookup_.mshr != kNoMshr) finish_lookup(now);
  lookup_ = read;
  if (read.mshr != kNoMshr) directory_.read();
  else directory_.settle_write();
}

void InclusiveCache::take_in(Cycle now, const RequestItem& item, Intake intake) {
  Request& request = pool_[item.request];
  if (intake.take != Take::kLaterBeat) {
    request.at_l2 = now;
    if (intake.take == Take::kAllocate) {
      mshrs_.allocate(intake.mshr, item.request, request);
      request.at_mshr = now;
    } else {
      if (mshrs_.fetching(intake.mshr) && mshrs_[intake.mshr].tag == request.tag) request.outcome = L2Outcome::kMissPending;
      if (intake.take == Take::kQueue) mshrs_.enqueue(intake.mshr, item.request, pool_);
    }
  }
  if (request.is_put()) {
    ++request.pushed;
    ++put_beats_;
  }
}

void InclusiveCache::finish_lookup(Cycle now) {
  const unsigned index = lookup_.mshr;
  Request& request = pool_[lookup_.request];
  const DirectoryResult result = directory_.result(request.set, request.tag);
  mshrs_[index].way = result.way;
  if (result.hit) {
    begin_hit(now, index, result.entry);
    return;
  }
  ++counts_.misses;
  if (request.replaces_line()) ++counts_.allocations;
  request.outcome = request.replaces_line() ? L2Outcome::kAllocated : L2Outcome::kMiss;
  mshrs_[index].cpu = mshrs_[index].cpu_exclusive = request.of_cpu && !request.is_put();
  mshrs_.start_miss(index, result.entry);
}

// The CPU's L1 is asked for a line that it may have written, and by a Put for one that it may have at all.
void InclusiveCache::begin_hit(Cycle now, unsigned index, const DirectoryEntry& entry) {
  Mshr& mshr = mshrs_[index];
  Request& request = pool_[mshr.request];
  const bool probe = !request.of_cpu && (request.is_put() ? entry.cpu : entry.cpu_exclusive);
  mshr.cpu = request.of_cpu ? !request.is_put() : entry.cpu;
  mshr.cpu_exclusive = request.of_cpu ? !request.is_put() : entry.cpu_exclusive;
  const bool changes = (request.is_put() && !entry.dirty) || probe || mshr.cpu != entry.cpu || mshr.cpu_exclusive != entry.cpu_exclusive;
  mshrs_.start_hit(index, entry.dirty, changes, probe);
  if (!probe) request.line_ready = now;
}

void InclusiveCache::send_probe(Cycle now, unsigned index) {
  Mshr& mshr = mshrs_[index];
  const bool victim = mshrs_.probes_victim(index);
  const Request& request = pool_[mshr.request];
  const std::uint64_t address = victim ? geometry_.address_of(mshr.victim_tag, mshr.set, bank_) : request.address;
  const CpuCache::ProbeAnswer answer = cpu_.probe(address, victim || request.is_put());
  cpu_.probe_taken(now, answer.dirty);
  mshr.dirty = mshr.dirty || answer.dirty;
  if (!victim) {
    mshr.cpu = answer.present;
    mshr.cpu_exclusive = false;
  }
  ++counts_.probes;
  if (answer.dirty) ++counts_.probes_dirty;
  probes_.push_back({index, answer.dirty, now, mshr.set});
}

// Data of the L1 are written beat by beat, from the cycle on in which the MSHR can act on the first one (SinkC.scala).
void InclusiveCache::claim_probe_banks(Cycle now, std::uint32_t& used) const {
  for (const Probe& probe : probes_) {
    const Cycle first = probe.at + CpuCache::kDirtyAnswer;
    if (!probe.dirty || now < first) continue;
    const auto beat = static_cast<unsigned>(now - first);
    used |= geometry_.word_banks(probe.set, beat * geometry_.bus_words, (1u << geometry_.bus_words) - 1);
  }
}

void InclusiveCache::answer_probes(Cycle now) {
  for (std::size_t i = 0; i < probes_.size();) {
    const Probe probe = probes_[i];
    const Cycle beats = probe.dirty ? kLineBytes / geometry_.bus_bytes : 1;
    const Cycle first = probe.at + (probe.dirty ? CpuCache::kDirtyAnswer : CpuCache::kCleanAnswer) - 1;   // the MSHR acts in the next cycle
    const bool last = now + 1 == first + beats;
    if (now == first || last) {
      const bool victim = mshrs_.probes_victim(probe.mshr);
      Request& request = pool_[mshrs_[probe.mshr].request];
      mshrs_.probed(probe.mshr, last, request.offset == 0);
      if (!victim && request.line_ready == 0 && (last || request.offset == 0)) {
        request.line_ready = now;
        request.probe_wait = now + 1 - probe.at;
      }
    }
    // The last beat is still to be written.
    if (probe.dirty ? now == first + beats : last) probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
    else ++i;
  }
}

void InclusiveCache::refilled(Cycle now, const Refill& refill, bool first, bool last) {
  if (refill.kind == Refill::Kind::kReleased) {
    mshrs_.released(refill.mshr);
    return;
  }
  const Mshr& mshr = mshrs_[refill.mshr];
  if (first && lines_.used()) lines_.leave(place_of(mshr));
  Request& request = pool_[mshr.request];
  if (request.line_ready == 0 && (last || request.offset == 0)) {
    request.line_ready = now;
    if (refill.kind == Refill::Kind::kRead) request.waits = cork_.waits(refill);
  }
  mshrs_.granted(refill.mshr, last, request.offset == 0);
}

void InclusiveCache::store_changed_lines() {
  answers_.settle_values();
  lines_.write_back_all();
}

void InclusiveCache::forget_values() { lines_.leave_all(); }

}  // namespace systole::hw::soc
