#include "hw/dma/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace systole::hw {
namespace {

constexpr std::uint32_t kIdentityScale = 0x3F800000;   // 1.0f

bool has_accumulator_path(const MachineParams& params, const LoadedRow& row) {
  return row.to_accumulator && (row.accumulator_width || params.sfu.mvin_acc_scale != 0);
}

}  // namespace

ReadRequester::ReadRequester(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions,
                             Tlb& tlb, ValuePlane* values, Channel<RowRequest>& in_row, Channel<RequestBeat>& out_request, BusyLine& busy,
                             LoadRuns& load_runs)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      transactions_(transactions),
      tlb_(tlb),
      values_(values),
      in_row_(in_row),
      out_request_(out_request),
      busy_(busy),
      load_runs_(load_runs),
      ledger_("dma_reader", {{"idle", StateKind::kIdle, "no row asked for"},
                             {"busy", StateKind::kBusy, "sends a request"},
                             {"no_transaction_id", StateKind::kStall, "as many requests as allowed are in flight"},
                             {"port_busy", StateKind::kStall, "the memory port does not take the request"},
                             {"tlb_miss", StateKind::kStall, "reader and writer change to another page at the same time"}}) {
  in_row_.bind_reader(*this, &wants_row_);
  out_request_.bind_writer(*this);
}

void ReadRequester::evaluate(Cycle now) {
  if (asleep_since_ != kNever) {
    if ((now - asleep_since_) % 2 == 0) change_places();
    asleep_since_ = kNever;
  }
  if (row_ && to_tlb() && translated() && !out_request_.can_push(now)) {
    go_round(now);
    return;
  }
  // A request that is not translated, or that the port refuses, goes round through the translation again, before new ones.
  const bool empty = !to_tlb() && !translated();
  const bool missed = translated() && tlb_.misses(DmaClient::kReader, now);
  const bool retry = translated() && (missed || !out_request_.can_push(now));
  if (translated() && !retry) out_request_.push(now, *translated());
  if (to_tlb()) tlb_.request(DmaClient::kReader, now, true, to_tlb()->address);

  const auto id = row_ ? transactions_.free_entry(now) : std::nullopt;
  const bool take = row_.has_value() && id.has_value() && !retry;
  const Account retried = missed ? Account::kTlbMiss : Account::kPortBusy;
  Account account = row_ ? (retry ? retried : id ? Account::kBusy : Account::kNoTransactionId) : Account::kIdle;
  if (!row_ && (!empty || (ahead_ && now < ahead_until_))) account = retry ? retried : Account::kBusy;

  if (take && empty) {
    const Packet packet = next_packet();
    // Alone on its way, to the page of the request before: it will be translated, and there will be room.
    if (load_runs_.enabled() && out_request_.size() < out_request_.capacity() && tlb_.remembers(DmaClient::kReader, now, packet.address)) {
      take_packet(*id, packet, out_request_.emplace(now + 2));
      ahead_ = true;
      ahead_until_ = now + 3;
    } else {
      take_packet(*id, packet, to_tlb().emplace());
    }
  } else if (retry) {
    change_places();
  } else if (!empty) {
    translated().reset();
    change_places();
    if (take) take_packet(*id, next_packet(), to_tlb().emplace());
  }

  wants_row_ = !row_;
  if (wants_row_ && in_row_.front(now) != nullptr) {
    wants_row_ = false;
    row_ = in_row_.pop(now);
    address_ = row_->address;
    bytes_requested_ = 0;
    if (account == Account::kIdle) account = Account::kBusy;
  }
  busy_.set(now, transactions_.any_in_flight(now));
  ledger_.enter(now, account);
  if (to_tlb() || translated()) {
    if (!sleeps_while_going_round(now, account)) wake_at(now + 1);
  } else if (row_) {
    // Without a transaction id the BeatMerger wakes us when it releases one.
    if (!transactions_.free_entry(now) && transactions_.any_in_flight(now)) {
      ledger_.enter_later(now + 1, Account::kNoTransactionId);
    } else {
      wake_at(now + 1);
    }
  } else if (ahead_ && now < ahead_until_) {
    ledger_.enter_later(ahead_until_, Account::kIdle);
  } else if (account != Account::kIdle) {
    ledger_.enter_later(now + 1, Account::kIdle);
  }
}

// Both requests while the port is full: evaluate() without what cannot happen then.
void ReadRequester::go_round(Cycle now) {
  const bool missed = tlb_.misses(DmaClient::kReader, now);
  tlb_.request(DmaClient::kReader, now, true, to_tlb()->address);
  change_places();
  const Account account = missed ? Account::kTlbMiss : Account::kPortBusy;
  ledger_.enter(now, account);
  if (!sleeps_while_going_round(now, account)) wake_at(now + 1);
}

// On the page that is remembered, requests go round without anybody's notice.
bool ReadRequester::sleeps_while_going_round(Cycle now, Account account) {
  if (!to_tlb() || !tlb_.keeps(DmaClient::kReader, now, to_tlb()->address)) return false;
  if (translated()) {
    // Both of them, while the port, which wakes us, is full.
    if (out_request_.size() != out_request_.capacity() || !tlb_.keeps(DmaClient::kReader, now, translated()->address)) return false;
    if (account != Account::kPortBusy) ledger_.enter_later(now + 1, Account::kPortBusy);
  } else {
    // One alone is tried in the cycle after next. A free transaction id, or a row, wakes us.
    if (row_ && transactions_.free_entry(now)) return false;
    ledger_.enter_later(now + 1, row_ ? Account::kNoTransactionId : Account::kBusy);
    wake_at(now + 2);
  }
  tlb_.repeat_hits(DmaClient::kReader);
  asleep_since_ = now;
  return true;
}

// Cuts the next request off the row and reserves its transaction.
Packet ReadRequester::next_packet() const {
  const int element = row_->accumulator_width ? kAccumulatorBytes : 1;
  return best_packet(address_, row_->cols * element - bytes_requested_, params_.dma.bus_bytes, params_.dma.max_bytes);
}

void ReadRequester::take_packet(unsigned id, const Packet& packet, RequestBeat& beat) {
  const int row_bytes = row_->accumulator_width ? accumulator_row_bytes(params_) : scratchpad_row_bytes(params_);
  const int left = row_->cols * (row_->accumulator_width ? kAccumulatorBytes : 1) - bytes_requested_;

  Transaction& transaction = transactions_.allocate(id);
  transaction.shift = packet.shift;
  transaction.useful = packet.useful;
  transaction.first_byte = bytes_requested_ % row_bytes;
  transaction.request_bytes = packet.bytes;
  transaction.block_stride = row_->block_stride;
  LoadedRow& chunk = transaction.row;
  chunk = LoadedRow{};
  chunk.row = row_->local.plus(row_->block_stride * static_cast<std::uint32_t>(bytes_requested_ / row_bytes), row_bits_)
                  .row(row_bits_);
  chunk.scale = row_->scale;
  chunk.repeats = row_->repeats;
  chunk.len = row_->cols;
  chunk.pixel_repeats = row_->pixel_repeats;
  chunk.tracker = row_->tracker;
  chunk.bytes_read = static_cast<std::uint8_t>(packet.useful);
  chunk.to_accumulator = row_->local.is_accumulator();
  chunk.accumulate = row_->local.accumulate();
  chunk.accumulator_width = row_->accumulator_width;
  chunk.sequence = row_->sequence;
  if (values_ != nullptr) chunk.values = values_->hold();

  beat = RequestBeat{};
  beat.address = packet.address;
  beat.opcode = TlOpcodeA::kGet;
  beat.lg_size = static_cast<std::uint8_t>(packet.lg_bytes);
  beat.client = DmaClient::kReader;
  beat.source = static_cast<std::uint16_t>(id);
  beat.useful_first = static_cast<std::uint8_t>(packet.shift);
  beat.useful_bytes = static_cast<std::uint8_t>(packet.useful);
  if (load_runs_.enabled()) {
    const AnswerRows rows = answer_rows(transaction);
    load_runs_.note_request(id, rows);
    beat.plain_rows = rows.keeps_step && rows.accumulator_rows == 0 && row_bytes == params_.dma.bus_bytes && packet.useful == packet.bytes && transaction.first_byte == 0;
  }
  beat.values = chunk.values;
  beat.sequence = row_->sequence;

  ++requests_;
  bytes_ += static_cast<std::uint64_t>(packet.useful);
  address_ += static_cast<std::uint64_t>(packet.useful);
  bytes_requested_ += packet.useful;
  if (packet.useful >= left) row_.reset();
}

// Each beat completes a row at most, and the last one does.
AnswerRows ReadRequester::answer_rows(const Transaction& transaction) const {
  const LoadedRow& chunk = transaction.row;
  const int row_bytes = chunk.accumulator_width ? accumulator_row_bytes(params_) : scratchpad_row_bytes(params_);
  const int rows = (transaction.first_byte + transaction.useful + row_bytes - 1) / row_bytes;
  const bool to_accumulator = has_accumulator_path(params_, chunk);
  const bool in_beats = row_bytes == params_.dma.bus_bytes && transaction.first_byte == 0 && transaction.shift % row_bytes == 0;
  const bool last_beat = transaction.shift + transaction.useful > transaction.request_bytes - params_.dma.bus_bytes;
  const bool plain = !chunk.to_accumulator && chunk.scale == kIdentityScale && chunk.repeats == 0 && chunk.pixel_repeats == 1;
  return {(rows == 1 || in_beats) && last_beat && (plain || to_accumulator), static_cast<std::uint8_t>(to_accumulator ? rows : 0)};
}

std::string ReadRequester::state_text() const {
  if (!row_ && transactions_.in_use() == 0) return {};
  return fmt::format("row pending: {}, requests in flight: {} of {}", row_ ? "yes" : "no", transactions_.in_use(),
                     params_.dma.max_in_flight);
}

BeatMerger::BeatMerger(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions,
                       ReadRequester& requester, ValuePlane* values, Channel<ResponseBeat>& in_response, Channel<LoadedRow>& out_row,
                       Channel<LoadedRow>& out_accumulator_row, BusyLine& busy,
                       LoadRuns& load_runs)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      transactions_(transactions),
      requester_(requester),
      values_(values),
      in_response_(in_response),
      out_row_(out_row),
      out_accumulator_row_(out_accumulator_row),
      busy_(busy),
      load_runs_(load_runs),
      ledger_("beat_merger", {{"idle", StateKind::kIdle, "no answer from memory"},
                              {"busy", StateKind::kBusy, "takes a beat or passes on a row"},
                              {"scaler_full", StateKind::kStall, "a row waits for the scaler in front of the local memories"}}) {
  in_response_.bind_reader(*this);
  out_row_.bind_writer(*this);
  out_accumulator_row_.bind_writer(*this);
}


// A whole local row, or the rest of the request, has arrived.
bool BeatMerger::can_send() const {
  if (!current_) return false;
  const int row_bytes = current_->row.accumulator_width ? accumulator_row_bytes(params_) : scratchpad_row_bytes(params_);
  const int useful = std::min(std::max(bytes_read_ - current_->shift, 0), current_->useful);
  return useful > bytes_sent_ && (useful - bytes_sent_ >= row_bytes || useful == current_->useful);
}

void BeatMerger::send(Cycle now) {
  const int row_bytes = current_->row.accumulator_width ? accumulator_row_bytes(params_) : scratchpad_row_bytes(params_);
  const int offset = bytes_sent_ == 0 ? current_->first_byte : 0;
  LoadedRow row = current_->row;
  const int room = row_bytes - offset;
  row.source_byte = static_cast<std::uint16_t>(current_->shift + bytes_sent_);
  row.first_byte = static_cast<std::uint16_t>(offset);
  row.bytes = static_cast<std::uint16_t>(std::min(room, current_->useful - bytes_sent_));
  const int block = (current_->first_byte + bytes_sent_) / row_bytes;
  row.row = (row.row + current_->block_stride * static_cast<std::uint32_t>(block)) & ((1u << row_bits_) - 1);
  bytes_sent_ = std::min(bytes_sent_ + room, current_->useful);
  row.last = bytes_sent_ == current_->useful;
  if (values_ != nullptr) {
    // The scaler makes a row of each repeat; the accumulator's own path repeats where the row is written.
    const bool repeats_behind = has_accumulator_path(params_, row) && params_.sfu.mvin_acc_scale == 0;
    values_->announce_uses(row.values, repeats_behind ? 1u : row.repeats + 1u);
  }
  const bool to_accumulator = has_accumulator_path(params_, row);
  if (to_accumulator && load_runs_.enabled()) load_runs_.accumulator_row();
  (to_accumulator ? out_accumulator_row_ : out_row_).push(now, row);
}

// The beats of a run come in from now on, and each leaves as a row in the cycle behind it.
void BeatMerger::take_run(Cycle now, const ResponseBeat& beat) {
  const Transaction& transaction = transactions_.at(beat.source);
  LoadRun& run = load_runs_.emplace();
  run.first = now + 1 + load_runs_.lag();
  run.count = beat.run;
  run.pitch = beat.pitch;
  run.row = transaction.row.row;
  run.stride = transaction.block_stride;
  run.mask = static_cast<std::uint32_t>(scratchpad_rows(params_)) - 1;
  run.tracker = transaction.row.tracker;
  run.bytes = transaction.row.bytes_read;
  run.values = transaction.row.values;
  run.settled = 0;
  load_runs_.announce();
  const Cycle last_beat = now + (beat.run - 1u) * beat.pitch;
  run_last_row_ = last_beat + 1;
  run_announced_ = true;
  ledger_.enter(now, Account::kBusy);
  ledger_.enter_later(run_last_row_ + 1, Account::kIdle);
  transactions_.release(beat.source, last_beat);
  requester_.wake_at(last_beat + 1);
  if (last_beat == now) {
    busy_.set(now, transactions_.any_in_flight(now));
  } else if (transactions_.in_use() == 0) {
    wake_at(last_beat);   // the reader may have nothing in flight then
  }
}

void BeatMerger::release(Cycle now, unsigned transaction) {
  transactions_.release(transaction, now);
  busy_.set(now, transactions_.any_in_flight(now));
  requester_.wake_at(now + 1);
}

void BeatMerger::evaluate(Cycle now) {
  if (run_announced_ && now < run_last_row_) {
    if (now + 1 == run_last_row_) busy_.set(now, transactions_.any_in_flight(now));
    return;
  }
  const bool was_active = current_.has_value() || (run_announced_ && now <= run_last_row_);
  bool sent = false;
  bool blocked = false;
  bool accepts_next = !current_.has_value();
  // The registers as they were at the start of the cycle decide what happens in it.
  const bool all_read = current_ && bytes_read_ == current_->request_bytes;
  const bool all_sent = current_ && bytes_sent_ == current_->useful;
  bool retire = all_read && all_sent;
  const int bytes_read_before = bytes_read_;

  if (can_send()) {
    Channel<LoadedRow>& out = has_accumulator_path(params_, current_->row) ? out_accumulator_row_ : out_row_;
    if (out.can_push(now)) {
      send(now);
      sent = true;
      if (bytes_sent_ == current_->useful && all_read) {
        retire = true;
        accepts_next = true;
      }
    } else {
      blocked = true;
      load_runs_.out_of_step();
    }
  }

  const ResponseBeat* beat = in_response_.front(now);
  bool took = false;
  if (beat != nullptr) {
    if (beat->first ? accepts_next : current_.has_value() && !all_read) {
      took = true;
      const ResponseBeat taken = in_response_.pop(now);
      if (taken.first) {
        drop_current();
        if (taken.run != 0) {
          take_run(now, taken);
          return;
        }
        current_ = transactions_.at(taken.source);
        bytes_read_ = 0;
        bytes_sent_ = 0;
        retire = false;
      }
      bytes_read_ = std::min(bytes_read_ + params_.dma.bus_bytes, current_->request_bytes);
      // The final beat of a request whose useful bytes were all sent before this cycle retires it at once.
      if (!taken.first && all_sent && params_.dma.bus_bytes >= current_->request_bytes - bytes_read_before) retire = true;
      if (taken.last) release(now, taken.source);
    }
  }
  if (retire) drop_current();

  ledger_.enter(now, blocked ? Account::kScalerFull : (sent || took || was_active) ? Account::kBusy : Account::kIdle);
  if (current_ || was_active || took) wake_at(now + 1);
}

void BeatMerger::drop_current() {
  if (!current_) return;
  if (values_ != nullptr) values_->end_use(current_->row.values);
  if (load_runs_.enabled() && has_accumulator_path(params_, current_->row)) load_runs_.end_answer();
  current_.reset();
}

std::string BeatMerger::state_text() const {
  if (!current_) return {};
  return fmt::format("request of {} bytes: {} received, {} of {} useful bytes passed on", current_->request_bytes, bytes_read_,
                     bytes_sent_, current_->useful);
}

}  // namespace systole::hw
