#include "hw/memory/soc/soc_memory.h"

#include "hw/ports/command_fault.h"

#include <fmt/format.h>

#include "hw/memory/soc/fixed_latency.h"

namespace systole::hw {

using soc::kNoRequest;
using soc::Request;
using soc::RequestKind;
using soc::RequestSlot;

namespace {

constexpr Cycle kDrainLimit = 1'000'000;   // far beyond any write-back

}  // namespace

SocMemory::SocMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values, Channel<RequestBeat>& in_request,
                     Channel<ResponseBeat>& out_response, PortLog* port_log, MemoryLog* memory_log)
    : Unit(name),
      params_(params),
      geometry_(params),
      port_values_(memory, values, geometry_.bus_bytes, this->name()),
      in_request_(in_request),
      out_response_(out_response),
      port_log_(port_log),
      memory_log_(memory_log),
      axi_(make_axi_memory()),
      cache_(params, pool_, *axi_, tile_requests_, tile_answers_, memory_log) {
  in_request_.bind_reader(*this);
  out_response_.bind_writer(*this);
}

std::unique_ptr<soc::AxiMemory> SocMemory::make_axi_memory() {
  const SocParams& soc = params_.soc;
  switch (soc.dram) {
    case DramKind::kFixed:
      return std::make_unique<soc::FixedLatencyMemory>(static_cast<Cycle>(soc.axi_latency), static_cast<Cycle>(soc.axi_write_latency), geometry_.axi_beats);
    case DramKind::kDdr3_1600:
    case DramKind::kDdr4_2400:
    case DramKind::kLpddr4_3200: {
      auto dram = std::make_unique<soc::Dram>(soc, geometry_.axi_beats);
      dram_ = dram.get();
      return dram;
    }
  }
  SYSTOLE_CHECK(false);
}

void SocMemory::place(const ResidentRange& range) {
  const std::uint64_t end = range.address + range.bytes;
  for (std::uint64_t line = range.address / soc::kLineBytes * soc::kLineBytes; line < end; line += soc::kLineBytes) {
    cache_.directory().place(line, static_cast<unsigned>(range.way), range.dirty);
  }
}

void SocMemory::evaluate(Cycle now) {
  next_ = now + 1;
  const bool answer_waits = send_response(now);
  const bool room = tile_requests_.can_push(now);
  if (room && in_request_.front(now) != nullptr) take_request(now);
  const bool changed = cache_.step(now);
  if (changed || answer_waits || !tile_requests_.empty() || !tile_answers_.empty()) {
    if (!cache_.idle() || !tile_answers_.empty()) wake_at(now + 1);
  } else if (cache_.wake() != kNever) {
    wake_at(std::max(cache_.wake(), now + 1));
  }
}

// Channel D. Was a beat offered?
bool SocMemory::send_response(Cycle now) {
  if (tile_answers_.front(now) == nullptr) return false;
  if (!out_response_.can_push(now)) {
    if (port_log_ != nullptr) port_log_->response_stalled(1);
    return true;
  }
  const RequestSlot slot = tile_answers_.pop(now);
  Request& request = pool_[slot];
  if (memory_log_ != nullptr && request.answer.first) memory_log_->l2_outcome(request.answer.client, request.answer.source, request.outcome);
  if (request.answer.first && !request.is_put()) account(now, request);
  request.answer.last = !(request.kind == RequestKind::kGet && request.answer.beat + 1u != request.data_beats);
  if (port_log_ != nullptr) port_log_->response(now, request.answer);
  out_response_.push(now, request.answer);
  request.answer.first = false;
  ++request.answer.beat;
  if (request.answer.last) pool_.release(slot);
  return true;
}

// A read is answered in this cycle.
void SocMemory::account(Cycle now, const Request& request) {
  constexpr Cycle kHit = 6;      // cycles of a hit that nothing delays
  constexpr Cycle kLookup = 2;   // from the MSHR to the result of the directory
  waits_.total += now - request.at_port;
  waits_.mshr_full += request.at_l2 - request.at_port - 1;
  waits_.same_set += request.at_mshr - request.at_l2;
  Cycle rest = now - request.at_mshr + 1;
  if (request.outcome == L2Outcome::kMiss) {
    const Cycle miss = request.line_ready - request.at_mshr - std::min(kLookup, request.line_ready - request.at_mshr);
    const Cycle refresh = std::min(request.refresh_wait, miss);
    const Cycle row = std::min(request.row_wait, miss - refresh);
    waits_.refresh += refresh;
    waits_.row_miss += row;
    waits_.miss += miss - refresh - row;
    rest -= miss;
  }
  waits_.hit += std::min(rest, kHit);
  waits_.bus += rest - std::min(rest, kHit);
}

// Channel A.
void SocMemory::take_request(Cycle now) {
  const RequestBeat beat = in_request_.pop(now);
  if (port_log_ != nullptr) port_log_->request(now, beat);
  port_values_.transfer(now, beat);
  RequestSlot& slot = entering_[static_cast<std::size_t>(beat.client)];
  if (beat.beat == 0) {
    const unsigned bytes = 1u << beat.lg_size;
    if (bytes > soc::kLineBytes || beat.address % bytes != 0) {
      throw CommandFault{now, name(), beat.sequence, fmt::format("asks for {} bytes at {:#x}; a request must lie inside a cache line", bytes, beat.address)};
    }
    slot = pool_.allocate();
    ++requests_;
    Request& request = pool_[slot];
    request.at_port = now;
    request.address = beat.address;
    request.set = geometry_.set_of(beat.address);
    request.tag = geometry_.tag_of(beat.address);
    request.offset = static_cast<std::uint8_t>(beat.address % soc::kLineBytes);
    request.kind = beat.opcode == TlOpcodeA::kGet ? RequestKind::kGet : beat.opcode == TlOpcodeA::kPutFull ? RequestKind::kPutFull : RequestKind::kPutPartial;
    request.lg_size = beat.lg_size;
    request.data_beats = static_cast<std::uint8_t>(std::max(bytes / geometry_.bus_bytes, 1u));
    request.users = request.is_put() ? 3 : 2;
    request.answer.opcode = request.is_put() ? TlOpcodeD::kAck : TlOpcodeD::kData;
    request.answer.lg_size = beat.lg_size;
    request.answer.client = beat.client;
    request.answer.source = beat.source;
  }
  SYSTOLE_CHECK(slot != kNoRequest);
  Request& request = pool_[slot];
  if (request.is_put()) {
    std::uint8_t words = 0;
    for (unsigned word = 0; word < geometry_.bus_words; ++word) {
      if ((beat.mask >> (word * soc::kWordBytes) & 0xFF) != 0) words = static_cast<std::uint8_t>(words | 1u << word);
    }
    request.words[beat.beat] = words;
  }
  tile_requests_.push(now, {slot, beat.beat});
  if (beat.last) slot = kNoRequest;
}

void SocMemory::drain() {
  const Cycle limit = next_ + kDrainLimit;
  while (!cache_.idle()) {
    if (next_ > limit) throw ModelError(next_, name(), "", "the memory system does not come to rest: " + state_text());
    const bool changed = cache_.step(next_);
    next_ = changed || cache_.wake() == kNever ? next_ + 1 : std::max(next_ + 1, cache_.wake());
  }
}

L2Counts SocMemory::counts() const {
  const soc::InclusiveCache::Counts& c = cache_.counts();
  L2Counts counts;
  counts.hits = requests_ - c.misses;
  counts.misses = c.misses;
  counts.allocations = c.allocations;
  counts.directory_reads = cache_.directory_reads();
  counts.victims_clean = c.victims_clean;
  counts.victims_dirty = c.victims_dirty;
  return counts;
}

const DramCounts* SocMemory::dram_counts() const { return dram_ == nullptr ? nullptr : &dram_->counts(); }

std::string SocMemory::state_text() const { return cache_.state_text(); }

}  // namespace systole::hw
