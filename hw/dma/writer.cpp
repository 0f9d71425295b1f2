#include "hw/dma/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace systole::hw {

DmaWriter::DmaWriter(const sc_core::sc_module_name& name, const MachineParams& params, Tlb& tlb, ValuePlane* values,
                     Channel<WriteRequest>& in_block, Channel<ResponseBeat>& in_ack, Channel<RequestBeat>& out_request, BusyLine& busy)
    : Unit(name),
      params_(params),
      tlb_(tlb),
      values_(values),
      in_block_(in_block),
      in_ack_(in_ack),
      out_request_(out_request),
      busy_(busy),
      id_busy_(static_cast<std::size_t>(params.dma.max_in_flight), 0),
      single_block_(static_cast<std::size_t>(std::max(accumulator_row_bytes(params), params.dma.max_bytes)), 0),
      blocks_(static_cast<std::size_t>(std::max(params.dma.max_bytes, params.array.dim)), 0),
      ledger_("dma_writer", {{"idle", StateKind::kIdle, "no row to write"},
                             {"busy", StateKind::kBusy, "takes a block or sends a beat"},
                             {"no_transaction_id", StateKind::kStall, "as many requests as allowed are in flight"},
                             {"port_busy", StateKind::kStall, "the memory port does not take the beat"},
                             {"tlb_miss", StateKind::kStall, "reader and writer change to another page at the same time"}}) {
  in_block_.bind_reader(*this);
  in_ack_.bind_reader(*this);
  out_request_.bind_writer(*this);
}

void DmaWriter::evaluate(Cycle now) {
  const bool acks = in_ack_.front(now) != nullptr;
  const int ids_busy_at_start = ids_busy_;

  translate(now);

  Account account = Account::kIdle;
  if (state_ == State::kIdle && in_block_.front(now) != nullptr) {
    start_block(*in_block_.front(now));
    if (state_ == State::kIdle) {
      // A block that only has to be kept leaves the register at once.
      in_block_.pop(now);
      account = Account::kBusy;
    }
  }
  if (state_ != State::kIdle) {
    // Beats behind the first of a request wait too while every id is taken.
    if (ids_busy_at_start == params_.dma.max_in_flight) {
      account = Account::kNoTransactionId;
    } else if (!accepts_beat_) {
      account = port_refused_ ? Account::kPortBusy : Account::kTlbMiss;
    } else {
      account = Account::kBusy;
      to_tlb_ = make_beat();
      tlb_address_ = to_tlb_->address;
      if (state_ == State::kIdle) in_block_.pop(now);
    }
  } else if ((to_tlb_ || translated_ || shadow_) && account == Account::kIdle) {
    account = port_refused_ ? Account::kPortBusy : missed_ ? Account::kTlbMiss : Account::kBusy;
  }
  if (acks) {
    const ResponseBeat ack = in_ack_.pop(now);
    SYSTOLE_CHECK(id_busy_[ack.source] == 1);
    id_busy_[ack.source] = 0;
    --ids_busy_;
  }
  busy_.set(now, ids_busy_ != 0 || state_ != State::kIdle);
  ledger_.enter(now, account);
  // Only an answer from memory ends the wait for an id; it wakes us.
  const bool waiting_for_id = account == Account::kNoTransactionId && !acks && !to_tlb_ && !translated_ && !shadow_;
  // While the port is full nothing moves, if the beat that asks for its page is on the client's own.
  const bool stuck = port_refused_ && !acks && account != Account::kBusy && (to_tlb_ || (state_ == State::kIdle && !shadow_)) && tlb_.keeps(DmaClient::kWriter, now, tlb_address_);
  if (stuck) {
    tlb_.repeat_hits(DmaClient::kWriter);
  } else if ((state_ != State::kIdle || to_tlb_ || translated_ || shadow_ || account != Account::kIdle) && !waiting_for_id) {
    wake_at(now + 1);
  }
}

// Two one-entry pipelined queues around the TLB. Beats keep their order: while the port refuses, they wait; a beat that misses goes back in
// front of the TLB, and the one behind it steps aside.
void DmaWriter::translate(Cycle now) {
  missed_ = translated_ && tlb_.misses(DmaClient::kWriter, now);
  port_refused_ = translated_ && !missed_ && !out_request_.can_push(now);
  if (translated_ && !missed_ && !port_refused_) out_request_.push(now, *translated_);
  const bool moves = !port_refused_;
  tlb_.request(DmaClient::kWriter, now, to_tlb_ && moves, tlb_address_);
  accepts_beat_ = !to_tlb_ || moves;
  if (!moves) {
    if (accepts_beat_ && shadow_) {
      to_tlb_ = std::exchange(shadow_, std::nullopt);
      tlb_address_ = to_tlb_->address;
      accepts_beat_ = false;
    }
    return;
  }
  if (missed_) {
    const std::optional<RequestBeat> again = std::exchange(translated_, std::nullopt);
    if (to_tlb_) {
      SYSTOLE_CHECK(!shadow_);
      shadow_ = to_tlb_;
    }
    to_tlb_ = again;
    tlb_address_ = to_tlb_->address;
    accepts_beat_ = false;
    return;
  }
  translated_ = std::exchange(to_tlb_, std::nullopt);
  if (shadow_) {
    to_tlb_ = std::exchange(shadow_, std::nullopt);
    tlb_address_ = to_tlb_->address;
    accepts_beat_ = false;
  }
}

void DmaWriter::start_block(const WriteRequest& block) {
  row_ = block;
  row_.bytes = static_cast<std::uint16_t>(block.block * params_.array.dim + block.bytes);
  if (values_ != nullptr) keep_values(block);
  bytes_sent_ = 0;
  address_ = block.address;
  state_ = block.store ? State::kNewRequest : State::kIdle;
}

void DmaWriter::keep_values(const WriteRequest& block) {
  const std::uint8_t* bytes = values_->bytes(block.values);
  if (block.pool) {
    // Maximum over int8 lanes.
    for (int lane = 0; lane < params_.array.dim; ++lane) {
      const auto kept = static_cast<std::int8_t>(single_block_[static_cast<std::size_t>(lane)]);
      single_block_[static_cast<std::size_t>(lane)] = static_cast<std::uint8_t>(std::max(kept, static_cast<std::int8_t>(bytes[lane])));
    }
  } else {
    std::memcpy(single_block_.data(), bytes, block.bytes);
  }
  const std::size_t at = static_cast<std::size_t>(block.block) * static_cast<std::size_t>(params_.array.dim);
  if (at + block.bytes <= blocks_.size()) std::memcpy(blocks_.data() + at, bytes, block.bytes);
}

// The next beat of the row; starts a new request when the one before is complete.
RequestBeat DmaWriter::make_beat() {
  const int beat_bytes = params_.dma.bus_bytes;
  if (state_ == State::kNewRequest) {
    packet_ = best_packet(address_, row_.bytes - bytes_sent_, beat_bytes, params_.dma.max_bytes);
    packet_start_ = bytes_sent_;
    beats_left_ = packet_.bytes / beat_bytes;
    id_ = static_cast<int>(std::find(id_busy_.begin(), id_busy_.end(), 0) - id_busy_.begin());
    id_busy_[static_cast<std::size_t>(id_)] = 1;
    ++ids_busy_;
    ++requests_;
    address_ += static_cast<std::uint64_t>(packet_.useful);
    if (values_ != nullptr) {
      packet_values_ = values_->allocate();
      const std::uint8_t* source = row_.block == 0 ? single_block_.data() : blocks_.data();
      std::memcpy(values_->bytes(packet_values_) + packet_.shift, source + bytes_sent_, static_cast<std::size_t>(packet_.useful));
    }
  }
  const int beat = packet_.bytes / beat_bytes - beats_left_;
  const int first = std::max(packet_.shift, beat * beat_bytes);
  const int end = std::min(packet_.shift + packet_.useful, (beat + 1) * beat_bytes);
  const int lanes = std::max(end - first, 0);

  RequestBeat result;
  result.address = packet_.address;
  result.opcode = packet_.useful == packet_.bytes ? TlOpcodeA::kPutFull : TlOpcodeA::kPutPartial;
  result.lg_size = static_cast<std::uint8_t>(packet_.lg_bytes);
  result.client = DmaClient::kWriter;
  result.source = static_cast<std::uint16_t>(id_);
  result.beat = static_cast<std::uint8_t>(beat);
  result.sequence = row_.sequence;
  if (lanes > 0) {
    const std::uint64_t ones = lanes == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << lanes) - 1;
    result.mask = ones << (first - beat * beat_bytes);
  }
  result.useful_first = static_cast<std::uint8_t>(packet_.shift);
  result.useful_bytes = static_cast<std::uint8_t>(packet_.useful);
  result.values = packet_values_;
  bytes_sent_ += lanes;
  bytes_ += static_cast<std::uint64_t>(lanes);
  --beats_left_;
  result.last = beats_left_ == 0;
  if (beats_left_ != 0) {
    state_ = State::kBeats;
  } else {
    state_ = bytes_sent_ == row_.bytes ? State::kIdle : State::kNewRequest;
  }
  return result;
}

std::string DmaWriter::state_text() const {
  if (state_ == State::kIdle && ids_busy_ == 0) return {};
  return fmt::format("{} of {} bytes sent, requests in flight: {} of {}", bytes_sent_, row_.bytes, ids_busy_, params_.dma.max_in_flight);
}

}  // namespace systole::hw
