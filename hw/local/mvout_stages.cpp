#include "hw/local/mvout_stages.h"

#include <fmt/format.h>

#include <cstring>

#include "hw/ports/command_fault.h"

namespace systole::hw {
namespace {

// Extension E3 reads the gain and the bias of a block of columns before the block itself.
constexpr int kAffineRows = 2;

bool from_accumulator(const StoreRow& row) { return !row.garbage && row.local.is_accumulator(); }

}  // namespace

MvoutQueues::MvoutQueues(const MachineParams& m)
    : norm("mvout_norm", 1, static_cast<unsigned>(m.scratchpad.read_delay + 2)),
      scale("mvout_scale", 1, static_cast<unsigned>(m.scratchpad.read_delay + 2)),
      issue("mvout_issue", 1, static_cast<unsigned>(m.scratchpad.read_delay + 1), Full::kPipe) {}

MvoutScaleStage::MvoutScaleStage(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values,
                                 Scratchpad& scratchpad, MvoutQueues& queues, Channel<WriteRequest>& out_block,
                                 HazardLog* hazards)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      scratchpad_rows_(static_cast<std::uint32_t>(scratchpad_rows(params))),
      values_(values),
      scratchpad_(scratchpad),
      queues_(queues),
      issue_slots_(static_cast<std::size_t>(params.scratchpad.read_delay + 1), std::int8_t{0}),
      out_block_(out_block),
      hazards_(hazards),
      ledger_("mvout_scale", {{"idle", StateKind::kIdle, "no row on its way to memory"},
                              {"busy", StateKind::kBusy, "a row enters the scaling unit or leaves for the writer"},
                              {"writer_busy", StateKind::kStall, "a row waits for the DMA writer"},
                              {"scaling", StateKind::kStall, "rows are inside the scaling unit or the read path"}}) {
  queues_.scale.bind_reader(*this);
  queues_.issue.bind_reader(*this);
  out_block_.bind_writer(*this);
  for (int i = 0; i < params_.scratchpad.banks; ++i) scratchpad_.bank(i).stores.bind_reader(*this);
}

void MvoutScaleStage::bind(NormaliserPort& normaliser, ScalePort& scale) {
  normaliser_ = &normaliser;
  scale_ = &scale;
}

void MvoutScaleStage::evaluate(Cycle now) {
  writer_refused_ = false;
  const bool queue_was_empty = queues_.issue.empty();
  const bool issued = issue(now);
  const bool scaled = scale(now, queue_was_empty);
  if (!issued) queues_.busy.set(now, queues_.rows != 0);
  const bool inside = !queues_.issue.empty() || !queues_.scale.empty();
  ledger_.enter(now, issued || scaled ? Account::kBusy : writer_refused_ ? Account::kWriterBusy : inside ? Account::kScaling : Account::kIdle);
  if (issued || scaled) wake_at(now + 1);
}

// The row at the head of the issue queue goes to the writer when its data are there.
bool MvoutScaleStage::issue(Cycle now) {
  const StoreRow* head = queues_.issue.front(now);
  if (head == nullptr) return false;
  ScratchpadBank* bank = nullptr;
  if (from_accumulator(*head)) {
    if (scale_->front(now) == nullptr) return false;
  } else if (!head->garbage) {
    bank = &scratchpad_.bank(scratchpad_bank(*head));
    if (bank->stores.front(now) == nullptr) return false;
  }
  if (!out_block_.can_push(now)) {
    writer_refused_ = true;
    return false;
  }
  StoreRow row = queues_.issue.pop(now);
  const bool full_width = from_accumulator(row) && row.local.full_row();
  WriteRequest& request = out_block_.emplace(now);
  request.values = ValueRef{};
  request.address = row.address;
  request.bytes = static_cast<std::uint16_t>(full_width ? row.len * kAccumulatorBytes : row.len);
  request.block = row.block;
  request.pool = row.pool;
  request.store = row.store;
  request.sequence = row.sequence;
  if (from_accumulator(row)) {
    request.values = scale_->pop(now).values;
  } else if (bank != nullptr) {
    request.values = bank->stores.pop(now).values;
  } else if (values_ != nullptr) {
    request.values = values_->allocate();
    std::memset(values_->bytes(request.values), 0, static_cast<std::size_t>(values_->buffer_bytes()));
  }
  --queues_.rows;
  // The writer shows itself busy from the cycle behind the next on.
  queues_.busy.set(now, true);
  wake_at(now + 1);
  return true;
}

int MvoutScaleStage::scratchpad_bank(const StoreRow& row) const {
  if (row.garbage || row.local.is_accumulator()) return -1;
  return static_cast<int>(scratchpad_.bank_of(row.local.row(row_bits_) % scratchpad_rows_));
}

// The read path of a bank asks whether the issue queue's head is a row of the bank, but (until 2025) not whether there is a head: an empty queue
// shows what its slot last held (Scratchpad.scala dma_read_pipe.ready). Data that arrive before their row, which rows in front of it held up, are
// then taken by nobody, and the row waits for ever.
void MvoutScaleStage::check_not_lost(Cycle now, const StoreRow& row) const {
  const int bank = issue_slots_[issue_slot_];
  if (params_.scratchpad.response_queue != 0 || bank < 0) return;
  if (scratchpad_.bank(bank).stores.front(now) == nullptr || !out_block_.can_push(now)) return;
  throw CommandFault{now, name(), row.sequence,
                     fmt::format("the data of a row of scratchpad bank {} arrive before their row, which normalising stores in front of it hold up: the RTL loses them and hangs. "
                                 "A fence between normalising stores and stores from the scratchpad avoids it",
                                 bank)};
}

bool MvoutScaleStage::scale(Cycle now, bool queue_was_empty) {
  const StoreRow* head = queues_.scale.front(now);
  if (head == nullptr || !queues_.issue.can_push(now)) return false;
  if (from_accumulator(*head)) {
    if (normaliser_->output(now) == nullptr || !scale_->can_push(now)) return false;
    // The queue keeps the order of the commands; the row that leaves the normaliser may be another one (its lowest statistics id).
    const StoreRow row = normaliser_->take_output(now);
    if (hazards_ != nullptr && (row.sequence != head->sequence || row.local.bits() != head->local.bits())) {
      hazards_->conflict(now, name(), head->sequence, row.sequence,
                         "rows of the second leave the normaliser in front of rows of the first and are stored in their places: the lowest "
                         "statistics id leaves first. A fence between them avoids it");
    }
    scale_->push(now, row);
  }
  if (queue_was_empty) check_not_lost(now, *head);
  issue_slots_[issue_slot_] = static_cast<std::int8_t>(scratchpad_bank(*head));
  issue_slot_ = issue_slot_ + 1 == issue_slots_.size() ? 0 : issue_slot_ + 1;
  queues_.issue.push(now, queues_.scale.pop(now));
  return true;
}

std::string MvoutScaleStage::state_text() const {
  if (queues_.rows == 0) return {};
  return fmt::format("rows in the norm, scale and issue queues: {}, {}, {}", queues_.norm.size(), queues_.scale.size(), queues_.issue.size());
}

MvoutNormStage::MvoutNormStage(const sc_core::sc_module_name& name, const MachineParams& params, Accumulator& accumulator,
                               MvoutQueues& queues)
    : Unit(name), row_bits_(row_bits(params)), accumulator_(accumulator), queues_(queues) {
  queues_.norm.bind_reader(*this);
  queues_.scale.bind_writer(*this);
}

void MvoutNormStage::evaluate(Cycle now) {
  const StoreRow* head = queues_.norm.front(now);
  if (head == nullptr || !queues_.scale.can_push(now)) return;
  if (!from_accumulator(*head)) {
    queues_.scale.push(now, queues_.norm.pop(now));
    return;
  }
  Channel<StoreRow>& response = accumulator_.response(accumulator_.bank_of(head->local.row(row_bits_) % accumulator_.rows()));
  if (response.front(now) == nullptr || !normaliser_->ready(now, head->constants.stats_id)) return;
  queues_.norm.pop(now);
  const StoreRow row = response.pop(now);
  normaliser_->accept(now, row);
  // Statistics passes end here.
  if (row.norm == isa::NormCommand::kReset) {
    queues_.scale.push(now, row);
  } else {
    --queues_.rows;
    if (queues_.rows == 0) queues_.busy.set(now, false);
  }
}

MvoutDispatch::MvoutDispatch(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, Scratchpad& scratchpad,
                             Accumulator& accumulator, MvoutQueues& queues, Channel<StoreRow>& in_row, Channel<StoreProgress>& out_progress)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      scratchpad_rows_(static_cast<std::uint32_t>(scratchpad_rows(params))),
      values_(values),
      scratchpad_(scratchpad),
      accumulator_(accumulator),
      queues_(queues),
      in_row_(in_row),
      out_progress_(out_progress),
      ledger_("mvout_dispatch", {{"idle", StateKind::kIdle, "no row to read"},
                                 {"busy", StateKind::kBusy, "reads a row"},
                                 {"queue_full", StateKind::kStall, "rows in front have not reached the writer"},
                                 {"bank_busy", StateKind::kStall, "the bank serves the array or a write"}}) {
  in_row_.bind_reader(*this);
  queues_.norm.bind_writer(*this);
  for (int bank = 0; bank < params_.accumulator.banks; ++bank) accumulator_.response(static_cast<std::uint32_t>(bank)).bind_writer(*this);
  out_progress_.bind_writer(*this);
}

void MvoutDispatch::evaluate(Cycle now) {
  if (now == last_read_) return;
  StoreRow* head = in_row_.front(now);
  if (head == nullptr) {
    if (in_row_.idle(now)) ledger_.enter(now, Account::kIdle);
    return;
  }
  if (!queues_.norm.can_push(now)) {
    ledger_.enter(now, Account::kQueueFull);
    return;   // woken when the norm queue has room
  }
  if (!read(now, *head)) {
    ledger_.enter(now, Account::kBankBusy);
    if (!response_full_) wake_at(now + 1);   // else we are woken when the row in front is taken
    return;
  }
  const StoreRow row = in_row_.pop(now);
  last_read_ = now;
  affine_reads_ = 0;
  queues_.norm.push(now, row);
  ++queues_.rows;
  queues_.busy.set(now, true);
  out_progress_.push(now, {row.tracker});
  ledger_.enter(now, Account::kBusy);
  if (in_row_.empty()) ledger_.enter_later(now + 1, Account::kIdle);   // else the queue wakes us
}

// Starts the read of the row, when its bank is free.
bool MvoutDispatch::read(Cycle now, StoreRow& row) {
  response_full_ = false;
  if (row.garbage) return true;
  const std::uint32_t local = row.local.row(row_bits_);
  return row.local.is_accumulator() ? read_accumulator(now, row, local % accumulator_.rows())
                                    : read_scratchpad(now, row, local % scratchpad_rows_);
}

bool MvoutDispatch::read_scratchpad(Cycle now, StoreRow& row, std::uint32_t local_row) {
  const std::uint32_t index = scratchpad_.bank_of(local_row);
  if (!scratchpad_.can_read(now, index)) return false;
  ScratchpadBank& bank = scratchpad_.bank(static_cast<int>(index));
  ScratchpadRead read;
  if (values_ != nullptr) {
    scratchpad_.settle(now);
    read.values = values_->allocate();
    std::memcpy(values_->bytes(read.values), values_->scratchpad_row(local_row), static_cast<std::size_t>(params_.array.dim));
  }
  row.values = read.values;
  bank.latch.push(now, read);
  return true;
}

bool MvoutDispatch::can_read_accumulator(Cycle now, std::uint32_t local_row) {
  response_full_ = !accumulator_.response(accumulator_.bank_of(local_row)).can_push(now);
  return accumulator_.can_read(now, local_row);
}

bool MvoutDispatch::read_accumulator(Cycle now, StoreRow& row, std::uint32_t local_row) {
  const bool affine = row.constants.activation == isa::Activation::kLayerNormAffine && row.norm == isa::NormCommand::kReset && !row.local.full_row();
  if (affine && affine_reads_ < kAffineRows) {
    const std::uint32_t operand = (row.constants.affine_row + 2u * row.block + static_cast<std::uint32_t>(affine_reads_)) % accumulator_.rows();
    if (can_read_accumulator(now, operand)) {
      ++affine_reads_;
      last_read_ = now;
    }
    return false;
  }
  if (!can_read_accumulator(now, local_row)) return false;
  if (values_ != nullptr) {
    accumulator_.settle(now, local_row);
    row.values = values_->allocate();
    std::memcpy(values_->bytes(row.values), values_->accumulator_row(local_row), static_cast<std::size_t>(accumulator_row_bytes(params_)));
  }
  accumulator_.response(accumulator_.bank_of(local_row)).push(now, row);
  return true;
}

}  // namespace systole::hw
