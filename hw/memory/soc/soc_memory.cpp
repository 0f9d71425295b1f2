#include "hw/memory/soc/soc_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hw/memory/soc/fixed_latency.h"
#include "hw/ports/command_fault.h"

namespace systole::hw {

using soc::kNoRequest;
using soc::Request;
using soc::RequestItem;
using soc::RequestKind;
using soc::RequestSlot;

namespace {

constexpr Cycle kDrainLimit = 1'000'000;   // far beyond any write-back
constexpr unsigned kStage = 2;             // beats of a buffer, in each direction

}  // namespace

SocMemory::SocMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values, Channel<RequestBeat>& in_request,
                     Channel<ResponseBeat>& out_response, PortLog* port_log, MemoryLog* memory_log, LoadRuns* load_runs)
    : Unit(name),
      params_(params),
      geometry_(params),
      memory_(memory),
      values_(values),
      in_request_(in_request),
      out_response_(out_response),
      port_log_(port_log),
      memory_log_(memory_log),
      load_runs_(load_runs),
      pool_(values != nullptr),
      bus_latency_(static_cast<Cycle>(params.soc.bus_latency)),
      bus_entries_(kStage * (1 + static_cast<unsigned>(params.soc.bus_latency))),
      flat_(memory),
      axi_(make_axi_memory()),
      memory_port_(geometry_, *axi_, memory_log),
      cpu_(geometry_, pool_, cpu_cache_),
      bus_(geometry_.banks_of_lines) {
  soc::LineValues* below = values == nullptr ? nullptr : llc_ != nullptr ? static_cast<soc::LineValues*>(llc_) : &flat_;
  for (unsigned bank = 0; bank < geometry_.banks_of_lines; ++bank) {
    banks_.push_back(std::make_unique<soc::InclusiveCache>(params, bank, pool_, memory_port_, cpu_cache_, below, values));
  }
  if (banks_.size() == 1) only_bank_ = banks_.front().get();
  in_request_.bind_reader(*this, &has_room_);
  out_response_.bind_writer(*this);
  if (load_runs_ != nullptr) load_runs_->enable();
}

void SocMemory::connect_host(Channel<HostAccess>& in, Channel<HostAccessDone>& out) {
  host_in_ = &in;
  host_out_ = &out;
  in.bind_reader(*this);
  out.bind_writer(*this);
}

std::unique_ptr<soc::AxiMemory> SocMemory::make_axi_memory() {
  const SocParams& soc = params_.soc;
  std::unique_ptr<soc::AxiMemory> memory;
  if (soc.dram == DramKind::kFixed) {
    memory = std::make_unique<soc::FixedLatencyMemory>(static_cast<Cycle>(soc.axi_latency), static_cast<Cycle>(soc.axi_write_latency));
  } else {
    auto dram = std::make_unique<soc::Dram>(soc, dram_timing(soc.dram, params_.dram_timing));
    dram_ = dram.get();
    memory = std::move(dram);
  }
  if (soc.llc_kib == 0) return memory;
  auto llc = std::make_unique<soc::LastLevelCache>(soc, geometry_.axi_beats, std::move(memory), values_ == nullptr ? nullptr : &flat_);
  llc_ = llc.get();
  return llc;
}

void SocMemory::place(const ResidentRange& range) {
  const std::uint64_t end = range.address + range.bytes;
  for (std::uint64_t line = range.address / soc::kLineBytes * soc::kLineBytes; line < end; line += soc::kLineBytes) {
    banks_[geometry_.bank_of(line)]->directory().place(line, static_cast<unsigned>(range.way), range.dirty);
  }
}

void SocMemory::place_where_room(std::uint64_t address, std::uint64_t bytes) {
  placed_.resize(std::size_t{geometry_.sets} * geometry_.banks_of_lines);
  const std::uint64_t end = address + bytes;
  for (std::uint64_t line = address / soc::kLineBytes * soc::kLineBytes; line < end; line += soc::kLineBytes) {
    const unsigned bank = geometry_.bank_of(line);
    soc::Directory& directory = banks_[bank]->directory();
    std::uint8_t& way = placed_[std::size_t{geometry_.set_of(line)} * geometry_.banks_of_lines + bank];
    if (way < geometry_.ways && !directory.result(geometry_.set_of(line), geometry_.tag_of(line)).hit) directory.place(line, way++, false);
  }
}

void SocMemory::evaluate(Cycle now) {
  catch_up(now);
  next_ = now + 1;
  answers_before_ = tile_answers_.size();
  const unsigned requests_before = tile_requests_.size();
  const bool alone = only_bank_ != nullptr && !cpu_works(now);
  const bool changed = step(now, alone);
  const bool answer_waits = send_response(now);
  if (requests_before < bus_entries_ && in_request_.front(now) != nullptr) take_request(now);
  has_room_ = tile_requests_.size() != bus_entries_;
  const bool moving = changed || answer_waits || !tile_requests_.empty();
  caught_up_until_ = 0;
  if ((moving && !at_rest()) || !tile_answers_.empty()) {
    caught_up_until_ = next_ + (alone ? unseen_cycles() : 0);
    wake_at(caught_up_until_);
  } else if (memory_port_.next_event() != kNever) {
    wake_at(std::max(memory_port_.next_event(), now + 1));
  }
}

// So many cycles from next_ on, nothing happens at the port if nothing new comes to it, whatever happens inside.
Cycle SocMemory::unseen_cycles() const {
  Cycle unseen = kNever;
  if (!tile_answers_.empty()) {
    if (tile_answers_.front().at <= next_) return 0;
    unseen = tile_answers_.front().at - next_;
  }
  const bool item_waits = !tile_requests_.empty();
  if (!has_room_) {
    // The port takes a beat in the cycle behind the one in which the cache has made room for it.
    unseen = std::min<Cycle>(unseen, only_bank_->cycles_until_taken(item_waits));
  } else if (!in_request_.empty()) {
    return 0;
  }
  return std::min<Cycle>(unseen, only_bank_->cycles_until_answer(item_waits) + bus_latency_);
}

// The cycles of a sleep that unseen_cycles() allowed.
void SocMemory::catch_up(Cycle now) {
  for (const Cycle until = std::min(now, caught_up_until_); next_ < until; ++next_) {
    answers_before_ = tile_answers_.size();
    (void)step(next_, true);
    SYSTOLE_CHECK(tile_answers_.empty() || tile_answers_.front().at >= now);
  }
}

// One cycle behind the tile's buffers. `alone`: there is one bank, and the CPU does nothing. Did anything change?
bool SocMemory::step(Cycle now, bool alone) {
  memory_port_.begin(now);
  bool changed = false;
  if (alone) {
    soc::InclusiveCache& bank = *only_bank_;
    const RequestItem* head = tile_beat(now);
    changed = bank.step(now, head, answers_before_ < bus_entries_, true);
    if (bank.answer() != kNoRequest) pass_answer(now, bank.answer());
    if (head != nullptr && bank.took_item()) (void)tile_requests_.pop();
  } else {
    changed = step_bus(now);
  }
  memory_port_.end();
  return changed;
}

// A beat has left a bank.
void SocMemory::pass_answer(Cycle now, RequestSlot answer) {
  const Request& request = pool_[answer];
  if (request.of_cpu) cpu_.answered(now, answer);
  else if (request.run_beats != 0) pass_run_beat(now, answer);
  else tile_answers_.push({answer, now + 1 + bus_latency_});
}

// The first bank behind `last`, round and round, for which `wants` holds; `last` if there is none.
template <class Wants>
unsigned SocMemory::next_turn(unsigned last, Wants&& wants) const {
  for (unsigned step = 1; step <= banks_.size(); ++step) {
    const unsigned bank = (last + step) % static_cast<unsigned>(banks_.size());
    if (wants(bank)) return bank;
  }
  return last;
}

// With several banks, or with the CPU on the bus as well.
bool SocMemory::step_bus(Cycle now) {
  bool changed = false;
  if (host_in_ != nullptr && host_in_->front(now) != nullptr) {
    cpu_.add(host_in_->pop(now));
    changed = true;
  }
  const bool cpu_room = cpu_.queue_size() < kStage;
  const auto bank_of = [&](const RequestItem& item) { return geometry_.bank_of(pool_[item.request].address); };
  const auto beats_of = [&](const RequestItem& item) { return pool_[item.request].is_put() ? pool_[item.request].data_beats : 1u; };

  // ---- who may use the memory port, and whose answer goes to the tile
  const unsigned port_bank = memory_port_.writing() ? memory_port_.writer() : next_turn(request_turn_, [&](unsigned bank) { return banks_[bank]->wants_port(); });
  const auto offers_tile = [&](unsigned bank) { return banks_[bank]->offers() != kNoRequest && !pool_[banks_[bank]->offers()].of_cpu; };
  const unsigned answer_bank = answer_beats_left_ != 0 ? answer_turn_ : next_turn(answer_turn_, offers_tile);

  for (unsigned bank = 0; bank < banks_.size(); ++bank) {
    // ---- whose beat goes to this bank
    const RequestItem* tile = tile_beat(now);
    if (tile != nullptr && bank_of(*tile) != bank) tile = nullptr;
    const RequestItem* cpu = cpu_.offered() == nullptr || bank_of(*cpu_.offered()) != bank ? nullptr : cpu_.offered();
    BusLock& lock = bus_[bank];
    if (lock.beats_left != 0) (lock.cpu ? tile : cpu) = nullptr;
    else if (tile != nullptr && cpu != nullptr) (lock.cpu ? cpu : tile) = nullptr;   // the other one's turn
    const RequestItem* const item = tile != nullptr ? tile : cpu;
    const RequestItem offered = item != nullptr ? *item : RequestItem{};

    const RequestSlot offer = banks_[bank]->offers();
    const bool to_cpu = offer != kNoRequest && pool_[offer].of_cpu;
    const bool room = to_cpu || (bank == answer_bank && answers_before_ < bus_entries_);
    changed = banks_[bank]->step(now, item, room, bank == port_bank) || changed;
    if (banks_[bank]->answer() != kNoRequest) pass_answer(now, banks_[bank]->answer());
    if (item != nullptr && banks_[bank]->took_item()) {
      lock.cpu = item == cpu;
      lock.beats_left = beats_of(offered) - 1 - offered.beat;
      if (lock.cpu) cpu_.taken();
      else (void)tile_requests_.pop();
    }
    if (banks_[bank]->answer() != kNoRequest && !to_cpu) {
      const Request& request = pool_[offer];
      if (answer_turn_ != bank || answer_beats_left_ == 0) answer_beats_left_ = request.is_put() ? 1 : request.data_beats;
      answer_turn_ = bank;
      --answer_beats_left_;
    }
  }
  request_turn_ = port_bank;
  if (cpu_.busy()) {
    const bool waited = cpu_.waits();
    cpu_.step(now, cpu_room);
    changed = changed || !waited || cpu_.offered() != nullptr;
    if (cpu_.take_done()) host_out_->push(now, {});
  }
  return changed;
}

bool SocMemory::at_rest() const {
  return memory_port_.idle() && !cpu_.busy() && tile_requests_.empty() && std::all_of(banks_.begin(), banks_.end(), [](const auto& bank) { return bank->idle(); });
}

// Channel D, of what was there at the start of the cycle. Was a beat offered?
bool SocMemory::send_response(Cycle now) {
  if (tile_answers_.empty() || tile_answers_.front().at > now) return false;
  if (!out_response_.can_push(now)) {
    if (port_log_ != nullptr) port_log_->response_stalled(1);
    return true;
  }
  const RequestSlot slot = tile_answers_.front().request;
  Request& request = pool_[slot];
  if (request.answer.first) {
    if (memory_log_ != nullptr) memory_log_->l2_outcome(request.answer.client, request.answer.source, request.outcome);
    if (!request.is_put()) {
      account(now, request);
      if (load_runs_ != nullptr && load_runs_->enabled()) {
        if (const unsigned pitch = request.plain_rows ? pitch_of(now, slot) : 0; pitch != 0) {
          send_run(now, slot, pitch);
          return true;
        }
        load_runs_->begin_answer(request.answer.source);
      }
    }
  }
  (void)tile_answers_.pop();
  request.answer.last = !(request.kind == RequestKind::kGet && request.answer.beat + 1u != request.data_beats);
  if (port_log_ != nullptr) port_log_->response(now, request.answer);
  out_response_.push(now, request.answer);
  request.answer.first = false;
  ++request.answer.beat;
  if (request.answer.last) pool_.release(slot);
  return true;
}

// Cycles between the beats of an answer whose first one leaves now, when nothing can hold up the others; 0 when that is not certain.
unsigned SocMemory::pitch_of(Cycle now, RequestSlot slot) const {
  const Request& request = pool_[slot];
  if (!load_runs_->open(request.data_beats)) return 0;
  Cycle last = now;
  unsigned beats = 1, pitch = 0;
  const auto comes = [&](Cycle at) {   // at the port; all at the same distance
    if (beats++ == 1) pitch = static_cast<unsigned>(at - last);
    const bool in_step = at == last + pitch;
    last = at;
    return in_step;
  };
  for (; beats < tile_answers_.size() && tile_answers_.at(beats).request == slot;) {
    if (!comes(tile_answers_.at(beats).at)) return 0;
  }
  if (beats < request.data_beats) {
    soc::InclusiveCache::BeatTimes leaves;
    const unsigned to_come = banks_[geometry_.bank_of(request.address)]->beats_to_come(now, slot, leaves);
    for (unsigned i = 0; i < to_come; ++i) {
      if (!comes(leaves[i] + 1 + bus_latency_)) return 0;
    }
  }
  if (beats != request.data_beats || !load_runs_->open(last - now + 1)) return 0;
  return std::max(pitch, 1u);
}

// All beats of an answer. Those that are still on their way through the cache come out in time, and then are nothing any more.
void SocMemory::send_run(Cycle now, RequestSlot slot, unsigned pitch) {
  Request& request = pool_[slot];
  const unsigned beats = request.data_beats;
  ResponseBeat& run = load_runs_->send(now, out_response_);
  run = request.answer;
  run.run = static_cast<std::uint8_t>(beats);
  run.pitch = static_cast<std::uint8_t>(pitch);
  run.last = true;
  if (port_log_ != nullptr) {
    for (unsigned i = 0; i < beats; ++i) {
      request.answer.last = i + 1 == beats;
      port_log_->response(now + i * pitch, request.answer);
      request.answer.first = false;
      ++request.answer.beat;
    }
  }
  unsigned here = 0;
  while (!tile_answers_.empty() && tile_answers_.front().request == slot) {
    (void)tile_answers_.pop();
    ++here;
  }
  request.run_beats = static_cast<std::uint8_t>(beats - here);
  request.run_pitch = static_cast<std::uint8_t>(pitch);
  request.run_due = now + here * pitch;
  if (request.run_beats == 0) pool_.release(slot);
}

// A beat of a run has left the bank.
void SocMemory::pass_run_beat(Cycle now, RequestSlot slot) {
  Request& request = pool_[slot];
  SYSTOLE_CHECK(now + 1 + bus_latency_ == request.run_due);
  request.run_due += request.run_pitch;
  if (--request.run_beats == 0) pool_.release(slot);
}

// A read is answered in this cycle.
void SocMemory::account(Cycle now, const Request& request) {
  const Cycle hit = 6 + 2 * bus_latency_;   // cycles of a hit that nothing delays, with the way through the bus
  constexpr Cycle kLookup = 2;              // from the MSHR to the result of the directory
  ++waits_.reads;
  waits_.total += now - request.at_port;
  waits_.mshr_full += request.at_l2 - request.at_port - 1 - bus_latency_;
  waits_.same_set += request.at_mshr - request.at_l2;
  Cycle rest = now - request.at_mshr + 1 + bus_latency_;
  if (request.outcome == L2Outcome::kMiss) {
    Cycle miss = request.line_ready - request.at_mshr - std::min(kLookup, request.line_ready - request.at_mshr);
    rest -= miss;
    const auto part = [&](std::uint64_t& sum, Cycle cycles) {
      const Cycle taken = std::min(cycles, miss);
      sum += taken;
      miss -= taken;
    };
    part(waits_.refresh, request.waits.refresh);
    part(waits_.row_miss, request.waits.row);
    part(waits_.llc, request.waits.llc);
    waits_.miss += miss;
  }
  const Cycle probe = std::min(request.probe_wait, rest);
  waits_.probe += probe;
  rest -= probe;
  waits_.hit += std::min(rest, hit);
  waits_.bus += rest - std::min(rest, hit);
}

// Channel A.
void SocMemory::take_request(Cycle now) {
  const RequestBeat beat = in_request_.pop(now);
  if (port_log_ != nullptr) port_log_->request(now, beat);
  RequestSlot& slot = entering_[static_cast<std::size_t>(beat.client)];
  if (beat.beat == 0) {
    const unsigned bytes = 1u << beat.lg_size;
    if (bytes > soc::kLineBytes || (beat.address & (bytes - 1)) != 0) {
      throw CommandFault{now, name(), beat.sequence, fmt::format("asks for {} bytes at {:#x}; a request must lie inside a cache line", bytes, beat.address)};
    }
    slot = pool_.allocate();
    ++requests_;
    Request& request = pool_[slot];
    request.at_port = now;
    request.address = beat.address;
    request.kind = beat.opcode == TlOpcodeA::kGet ? RequestKind::kGet : beat.opcode == TlOpcodeA::kPutFull ? RequestKind::kPutFull : RequestKind::kPutPartial;
    request.lg_size = beat.lg_size;
    request.complete(geometry_);
    banks_[geometry_.bank_of(request.address)]->expect(request.set);
    request.answer.opcode = request.is_put() ? TlOpcodeD::kAck : TlOpcodeD::kData;
    request.answer.lg_size = beat.lg_size;
    request.answer.client = beat.client;
    request.answer.source = beat.source;
  }
  SYSTOLE_CHECK(slot != kNoRequest);
  Request& request = pool_[slot];
  check_address(memory_, geometry_.bus_bytes, name(), now, beat);
  if (request.is_put()) {
    std::uint8_t words = 0;
    for (unsigned word = 0; word < geometry_.bus_words; ++word) {
      if ((beat.mask >> (word * soc::kWordBytes) & 0xFF) != 0) words = static_cast<std::uint8_t>(words | 1u << word);
    }
    request.words[beat.beat] = words;
    if (values_ != nullptr && beat.beat == 0 && beat.useful_bytes != 0) {
      // All bytes at once: the Put may be acknowledged, and its values asked for, while its later beats still wait at the port.
      const unsigned first = request.offset + beat.useful_first;
      soc::copy_bytes(pool_.put_bytes(slot) + first, values_->bytes(beat.values) + beat.useful_first, beat.useful_bytes);
      request.put_mask = (~std::uint64_t{0} >> (soc::kLineBytes - beat.useful_bytes)) << first;
    }
  } else if (values_ != nullptr) {
    request.values = beat.values;
    request.useful_first = beat.useful_first;
    request.useful_bytes = beat.useful_bytes;
    if (beat.useful_bytes != 0) __builtin_prefetch(memory_.at(beat.address + beat.useful_first, 1));
  }
  request.plain_rows = beat.plain_rows;
  tile_requests_.push({{slot, beat.beat}, now + 1 + bus_latency_});
  if (beat.last) slot = kNoRequest;
  if (complete_ && !expects_beats()) std::exchange(complete_, nullptr)();
}

void SocMemory::drain() {
  const Cycle limit = next_ + kDrainLimit;
  while (!at_rest() || !memory_port_.settled()) {
    if (next_ > limit) throw ModelError(next_, name(), "", "the memory system does not come to rest: " + state_text());
    answers_before_ = 0;
    const bool changed = step(next_, only_bank_ != nullptr && !cpu_works(next_));
    next_ = changed || memory_port_.next_event() == kNever ? next_ + 1 : std::max(next_ + 1, memory_port_.next_event());
  }
  store_values();
}

void SocMemory::store_values() {
  for (const auto& bank : banks_) bank->store_changed_lines();
  if (llc_ != nullptr) llc_->store_changed_lines();
}

void SocMemory::forget_values() {
  for (const auto& bank : banks_) bank->forget_values();
  if (llc_ != nullptr) llc_->forget_values();
}

L2Counts SocMemory::counts() const {
  L2Counts counts;
  for (const auto& bank : banks_) {
    const soc::InclusiveCache::Counts& c = bank->counts();
    counts.misses += c.misses;
    counts.allocations += c.allocations;
    counts.directory_reads += bank->directory_reads();
    counts.victims_clean += c.victims_clean;
    counts.victims_dirty += c.victims_dirty;
  }
  const HostAccessCounts& host = cpu_.counts();
  counts.hits = requests_ + host.misses + host.write_backs - counts.misses;
  return counts;
}

HostAccessCounts SocMemory::host_counts() const {
  HostAccessCounts counts = cpu_.counts();
  for (const auto& bank : banks_) {
    counts.probes += bank->counts().probes;
    counts.probes_dirty += bank->counts().probes_dirty;
  }
  return counts;
}

const DramCounts* SocMemory::dram_counts() const { return dram_ == nullptr ? nullptr : &dram_->counts(); }

const LlcCounts* SocMemory::llc_counts() const { return llc_ == nullptr ? nullptr : &llc_->counts(); }

std::string SocMemory::state_text() const {
  if (at_rest()) return {};
  unsigned mshrs = 0, queued = 0, put_beats = 0;
  for (const auto& bank : banks_) {
    mshrs += bank->mshrs_in_use();
    queued += bank->queued();
    put_beats += bank->put_beats();
  }
  return fmt::format("{} MSHRs in use, {} requests queued behind them, {} Put beats buffered, {} requests in all", mshrs, queued, put_beats, pool_.in_use());
}

}  // namespace systole::hw
