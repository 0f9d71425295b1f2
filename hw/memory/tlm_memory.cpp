#include "hw/memory/tlm_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hw/ports/command_fault.h"

namespace systole::hw {

struct TlmMemory::Transaction {
  tlm::tlm_generic_payload payload;
  RequestBeat request;                      // the first beat
  std::vector<std::uint8_t> data;
  std::vector<std::uint8_t> enables;
  Cycle started = 0;
  Cycle usable = kNever;                    // first cycle of the answer
  sc_core::sc_event event;                  // loosely timed: starts the call
  bool idle = true;
};

TlmMemory::TlmMemory(const sc_core::sc_module_name& name, const MachineParams& params, TlmStyle style, const Scheduler& scheduler, ValuePlane* values,
                     Channel<RequestBeat>& in_request, Channel<ResponseBeat>& out_response, PortLog* log)
    : Unit(name), params_(params), style_(style), scheduler_(scheduler), values_(values), in_request_(in_request), out_response_(out_response), log_(log) {
  in_request_.bind_reader(*this);
  out_response_.bind_writer(*this);
  socket.register_nb_transport_bw(this, &TlmMemory::backward);
  // Reads and writes that the DMA can have in flight, and as many again that a target holds on to a little longer.
  const int count = 4 * params.dma.max_in_flight;
  for (int i = 0; i < count; ++i) {
    transactions_.push_back(std::make_unique<Transaction>());
    Transaction* transaction = transactions_.back().get();
    transaction->data.resize(static_cast<std::size_t>(std::max(params.dma.max_bytes, params.dma.bus_bytes)));
    transaction->enables.resize(transaction->data.size());
    transaction->payload.set_mm(this);
    free_.push_back(transaction);
    if (style_ == TlmStyle::kLooselyTimed) {
      sc_core::sc_spawn([this, transaction] {
        for (;;) {
          sc_core::wait(transaction->event);
          serve_loosely(*transaction);
        }
      });
    }
  }
  std::reverse(free_.begin(), free_.end());
  if (style_ == TlmStyle::kApproximatelyTimed) sc_core::sc_spawn([this] { serve_approximately(); });
}

TlmMemory::~TlmMemory() = default;

void TlmMemory::evaluate(Cycle now) {
  if (in_request_.front(now) != nullptr) take_request(now);
  if (under_way_ == 0) return;
  wake_at(now + 1);
  if (answers_.empty()) return;
  Transaction& answer = *answers_.front();
  if (now < std::max(answer.usable, next_offer_)) return;
  if (!out_response_.can_push(now)) {
    if (log_ != nullptr) log_->response_stalled(1);
    return;
  }
  const RequestBeat& request = answer.request;
  const bool get = request.opcode == TlOpcodeA::kGet;
  if (beats_left_ == 0) {
    if (!answer.payload.is_response_ok()) {
      throw CommandFault{now, name(), request.sequence,
                         fmt::format("the TLM target answers {} to the {} of {} bytes at {:#x} of cycle {}", answer.payload.get_response_string(),
                                     get ? "read" : "write", answer.payload.get_data_length(), answer.payload.get_address(), answer.started)};
    }
    if (get && values_ != nullptr) std::memcpy(values_->bytes(request.values) + request.useful_first, answer.data.data() + request.useful_first, request.useful_bytes);
    beats_left_ = get ? std::max((1 << request.lg_size) / params_.dma.bus_bytes, 1) : 1;
    beat_ = ResponseBeat{};
    beat_.opcode = get ? TlOpcodeD::kData : TlOpcodeD::kAck;
    beat_.lg_size = request.lg_size;
    beat_.client = request.client;
    beat_.source = request.source;
  }
  --beats_left_;
  beat_.last = beats_left_ == 0;
  if (log_ != nullptr) log_->response(now, beat_);
  out_response_.push(now, beat_);
  beat_.first = false;
  ++beat_.beat;
  next_offer_ = now + 1;
  if (beats_left_ != 0) return;
  answers_.erase(answers_.begin());
  --under_way_;
  answer.payload.release();
}

void TlmMemory::take_request(Cycle now) {
  const RequestBeat beat = in_request_.pop(now);
  if (log_ != nullptr) log_->request(now, beat);
  Transaction*& entering = entering_[static_cast<std::size_t>(beat.client)];
  const std::size_t bytes = std::size_t{1} << beat.lg_size;
  if (beat.beat == 0) {
    if (free_.empty()) throw ModelError(now, name(), "", "the TLM target keeps transactions that it has answered: none is left");
    entering = free_.back();
    free_.pop_back();
    entering->request = beat;
    entering->usable = kNever;
    std::fill(entering->data.begin(), entering->data.end(), std::uint8_t{0});
    std::fill(entering->enables.begin(), entering->enables.end(), std::uint8_t{TLM_BYTE_DISABLED});
    ++under_way_;
  }
  Transaction& transaction = *entering;
  if (beat.opcode != TlOpcodeA::kGet) {
    const std::size_t bus = static_cast<std::size_t>(params_.dma.bus_bytes);
    // Requests smaller than the bus use some of its lanes.
    const std::size_t lane = bytes < bus ? beat.address % bus : 0;
    for (std::size_t i = 0; i < std::min(bytes, bus); ++i) {
      if ((beat.mask >> (lane + i) & 1) == 0) continue;
      const std::size_t at = beat.beat * bus + i;
      transaction.enables[at] = TLM_BYTE_ENABLED;
      if (values_ != nullptr) transaction.data[at] = values_->bytes(beat.values)[at];
    }
  }
  if (!beat.last) return;
  entering = nullptr;
  tlm::tlm_generic_payload& payload = transaction.payload;
  payload.acquire();
  payload.set_command(beat.opcode == TlOpcodeA::kGet ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
  payload.set_address(beat.address);
  payload.set_data_ptr(transaction.data.data());
  payload.set_data_length(static_cast<unsigned>(bytes));
  payload.set_streaming_width(static_cast<unsigned>(bytes));
  const bool whole = beat.opcode == TlOpcodeA::kGet || std::all_of(transaction.enables.begin(), transaction.enables.begin() + static_cast<std::ptrdiff_t>(bytes),
                                                                   [](std::uint8_t enable) { return enable == TLM_BYTE_ENABLED; });
  payload.set_byte_enable_ptr(whole ? nullptr : transaction.enables.data());
  payload.set_byte_enable_length(whole ? 0 : static_cast<unsigned>(bytes));
  payload.set_dmi_allowed(false);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  start(transaction, now);
}

// The scheduler may be ahead of SystemC: the call is made when SystemC's time has come to this cycle, and the scheduler goes no further.
void TlmMemory::start(Transaction& transaction, Cycle now) {
  transaction.started = now;
  const sc_core::sc_time at = scheduler_.time_of(now);
  const sc_core::sc_time wait = at > sc_core::sc_time_stamp() ? at - sc_core::sc_time_stamp() : sc_core::SC_ZERO_TIME;
  if (style_ == TlmStyle::kLooselyTimed) {
    transaction.event.notify(wait);
  } else {
    to_send_.push_back(&transaction);
    to_send_event_.notify(wait);
  }
}

void TlmMemory::serve_loosely(Transaction& transaction) {
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  socket->b_transport(transaction.payload, delay);
  complete(transaction, delay);
}

void TlmMemory::serve_approximately() {
  for (;;) {
    while (to_send_.empty()) sc_core::wait(to_send_event_);
    Transaction& transaction = *to_send_.front();
    to_send_.pop_front();
    const sc_core::sc_time at = scheduler_.time_of(transaction.started);
    if (at > sc_core::sc_time_stamp()) sc_core::wait(at - sc_core::sc_time_stamp());
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    requesting_ = &transaction.payload;
    const tlm::tlm_sync_enum status = socket->nb_transport_fw(transaction.payload, phase, delay);
    if (status == tlm::TLM_COMPLETED) {
      requesting_ = nullptr;
      complete(transaction, delay);
    } else if (status == tlm::TLM_UPDATED) {
      requesting_ = nullptr;
      if (phase == tlm::BEGIN_RESP) {
        complete(transaction, delay);
        phase = tlm::END_RESP;
        socket->nb_transport_fw(transaction.payload, phase, delay);
      } else if (delay > sc_core::SC_ZERO_TIME) {
        sc_core::wait(delay);   // the next request begins when this one has ended
      }
    } else {
      // The target may have called back already.
      while (requesting_ != nullptr) sc_core::wait(request_over_);
    }
  }
}

tlm::tlm_sync_enum TlmMemory::backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (requesting_ == &payload) {
    requesting_ = nullptr;
    request_over_.notify(delay);
  }
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
  complete(of(payload), delay);
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

void TlmMemory::complete(Transaction& transaction, const sc_core::sc_time& delay) {
  transaction.usable = std::max(scheduler_.cycle_of(sc_core::sc_time_stamp()) + 1, scheduler_.cycle_not_before(sc_core::sc_time_stamp() + delay));
  const auto place = std::upper_bound(answers_.begin() + (beats_left_ != 0 ? 1 : 0), answers_.end(), &transaction,
                                      [](const Transaction* a, const Transaction* b) { return a->usable < b->usable; });
  answers_.insert(place, &transaction);
}

TlmMemory::Transaction& TlmMemory::of(tlm::tlm_generic_payload& payload) {
  for (const auto& transaction : transactions_) {
    if (&transaction->payload == &payload) return *transaction;
  }
  throw ModelError(0, name(), "", "the TLM target answers a payload that is not ours");
}

void TlmMemory::free(tlm::tlm_generic_payload* payload) { free_.push_back(&of(*payload)); }

std::string TlmMemory::state_text() const { return under_way_ == 0 ? std::string{} : fmt::format("{} requests under way at the TLM target", under_way_); }

}  // namespace systole::hw
