#include "hw/memory/ideal_memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace systole::hw {

IdealMemory::IdealMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values,
                         Channel<RequestBeat>& in_request, Channel<ResponseBeat>& out_response, PortLog* log, LoadRuns* load_runs)
    : Unit(name), params_(params), port_values_(memory, values, static_cast<unsigned>(params.dma.bus_bytes), this->name()), in_request_(in_request), out_response_(out_response), log_(log), load_runs_(load_runs) {
  in_request_.bind_reader(*this);
  out_response_.bind_writer(*this);
  if (load_runs_ != nullptr) load_runs_->enable();
  std::size_t slots = 1;
  while (slots < static_cast<std::size_t>(2 * params.dma.max_in_flight)) slots *= 2;
  answers_.resize(slots);
}

void IdealMemory::evaluate(Cycle now) {
  if (in_request_.front(now) != nullptr) take_request(now);
  if (size_ == 0) return;
  Answer& answer = answers_[head_];
  const Cycle offered = std::max(answer.scheduled, next_offer_);
  if (offered > now) {
    wake_at(offered);
    return;
  }
  if (!out_response_.can_push(now)) {
    if (log_ != nullptr) log_->response_stalled(1);
    wake_at(now + 1);
    return;
  }
  if (load_runs_ != nullptr && load_runs_->enabled() && answer.beat.first && answer.beat.client == DmaClient::kReader) {
    if (answer.plain_rows && load_runs_->open(static_cast<Cycle>(answer.beats_left))) {
      send_run(now, answer);
      return;
    }
    load_runs_->begin_answer(answer.beat.source);
  }
  --answer.beats_left;
  answer.beat.last = answer.beats_left == 0;
  if (log_ != nullptr) log_->response(now, answer.beat);
  out_response_.push(now, answer.beat);
  next_offer_ = now + 1;
  if (answer.beats_left == 0) {
    head_ = (head_ + 1) & (answers_.size() - 1);
    --size_;
  } else {
    answer.beat.first = false;
    ++answer.beat.beat;
    ++answer.scheduled;
  }
  if (size_ != 0) wake_at(std::max(answers_[head_].scheduled, next_offer_));
}

// All beats of an answer that nothing can hold up.
void IdealMemory::send_run(Cycle now, Answer& answer) {
  const int beats = answer.beats_left;
  ResponseBeat& run = load_runs_->send(now, out_response_);
  run = answer.beat;
  run.run = static_cast<std::uint8_t>(beats);
  run.last = true;
  if (log_ != nullptr) {
    for (int i = 0; i < beats; ++i) {
      answer.beat.last = i + 1 == beats;
      log_->response(now + static_cast<Cycle>(i), answer.beat);
      answer.beat.first = false;
      ++answer.beat.beat;
    }
  }
  next_offer_ = now + static_cast<Cycle>(beats);
  head_ = (head_ + 1) & (answers_.size() - 1);
  --size_;
  if (size_ != 0) wake_at(std::max(answers_[head_].scheduled, next_offer_));
}

void IdealMemory::take_request(Cycle now) {
  const RequestBeat beat = in_request_.pop(now);
  if (log_ != nullptr) log_->request(now, beat);
  port_values_.transfer(now, beat);
  if (!beat.last) return;
  SYSTOLE_CHECK(size_ < answers_.size());
  Answer& answer = answers_[(head_ + size_) & (answers_.size() - 1)];
  ++size_;
  const bool get = beat.opcode == TlOpcodeA::kGet;
  answer.beats_left = get ? std::max((1 << beat.lg_size) / params_.dma.bus_bytes, 1) : 1;
  answer.beat = ResponseBeat{};
  answer.beat.opcode = get ? TlOpcodeD::kData : TlOpcodeD::kAck;
  answer.beat.lg_size = beat.lg_size;
  answer.beat.client = beat.client;
  answer.beat.source = beat.source;
  answer.plain_rows = beat.plain_rows;
  answer.scheduled = now + static_cast<Cycle>(params_.memory.latency);
  if (any_scheduled_) answer.scheduled = std::max(answer.scheduled, last_scheduled_ + 1);
  last_scheduled_ = answer.scheduled + static_cast<Cycle>(answer.beats_left) - 1;
  any_scheduled_ = true;
}

std::string IdealMemory::state_text() const { return size_ == 0 ? std::string{} : fmt::format("{} answers outstanding", size_); }

}  // namespace systole::hw
