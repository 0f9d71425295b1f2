#include "hw/control/load_controller.h"

#include <fmt/format.h>

namespace systole::hw {
namespace fields = isa::fields;

LoadController::LoadController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& in_command,
                               Channel<LoadProgress>& in_progress, Channel<RowRequest>& out_row, Channel<ZeroRow>& out_zero,
                               PriorityMerge<Completion, kCompletionSources>& completion, LoadRuns& load_runs)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      cols_mask_((1u << mv_cols_bits(params)) - 1),
      rows_mask_((1u << rows_bits(params)) - 1),
      in_command_(in_command),
      in_progress_(in_progress),
      out_row_(out_row),
      out_zero_(out_zero),
      completion_(completion),
      tracker_(command_trackers(params)),
      ledger_("load_controller", {{"idle", StateKind::kIdle, "no load command waiting"},
                                  {"busy", StateKind::kBusy, "asks for a row, or takes a configuration"},
                                  {"no_tracker", StateKind::kStall, "all loads that may be in flight are"},
                                  {"request_queue_full", StateKind::kStall, "the DMA reader takes no further row"}}) {
  in_command_.bind_reader(*this);
  in_progress_.bind_reader(*this);
  out_row_.bind_writer(*this);
  out_zero_.bind_writer(*this);
  load_runs.bind_counter(*this);
}

void LoadController::loaded(Cycle now, unsigned tracker, std::uint32_t bytes) {
  if (tracker_.returned(tracker, bytes, now + 1)) wake_at(now + 1);
}

void LoadController::evaluate(Cycle now) {
  tracker_.release_granted(now, completion_, kCompletionLoad);
  if (in_progress_.front(now) != nullptr) {
    const LoadProgress progress = in_progress_.pop(now);
    // A run that ends in this cycle is seen in the next.
    if (tracker_.returned(progress.tracker, progress.bytes, now)) wake_at(now + 1);
  }
  if (tracker_.offer_completed(now, completion_, kCompletionLoad)) wake_at(now + 1);
  step(now);
}

// One cycle of the state machine.
void LoadController::step(Cycle now) {
  const IssuedCommand* head = in_command_.front(now);
  if (head == nullptr) {
    if (in_command_.idle(now)) ledger_.enter(now, Account::kIdle);
    return;
  }
  if (head->command.op == isa::Op::kConfigLd) {
    configure(head->command.instruction);
    in_command_.pop(now);
    ledger_.enter(now, Account::kBusy);
    wake_at(now + 1);
    return;
  }
  const Mvin mvin = decode(*head, now);
  bool done = false;
  Account account = Account::kBusy;
  switch (state_) {
    case State::kWait: {
      const auto entry = tracker_.free_entry();
      if (!entry) {
        account = Account::kNoTracker;
        break;
      }
      const int element = mvin.accumulator_width ? kAccumulatorBytes : 1;
      tracker_entry_ = *entry;
      tracker_.allocate(*entry, mvin.cols * mvin.rows * static_cast<std::uint32_t>(element), {head->rob, head->command.origin});
      if (request(now, *head, mvin)) {
        state_ = State::kSending;
      } else {
        state_ = State::kWaitForDma;
        account = Account::kRequestQueueFull;
      }
      break;
    }
    case State::kWaitForDma:
      if (request(now, *head, mvin)) {
        state_ = State::kSending;
      } else {
        account = Account::kRequestQueueFull;
      }
      break;
    case State::kSending:
      // A command of a single request spends one more cycle here, without a request.
      if (row_ == 0) {
        done = true;
      } else if (request(now, *head, mvin)) {
        done = row_ == 0;
      } else {
        account = Account::kRequestQueueFull;
      }
      break;
  }
  ledger_.enter(now, account);
  if (done) {
    state_ = State::kWait;
    in_command_.pop(now);
    wake_at(now + 1);
  } else if (account == Account::kBusy) {
    wake_at(now + 1);
  }
}

LoadController::Mvin LoadController::decode(const IssuedCommand& issued, Cycle now) const {
  const isa::Instruction& i = issued.command.instruction;
  Mvin mvin;
  // The three mvins have the same layout; the load state is the only difference.
  const unsigned state = issued.command.op == isa::Op::kMvin ? 0 : issued.command.op == isa::Op::kMvin2 ? 1 : 2;
  mvin.state = &states_[state];
  mvin.address = fields::Mvin::dram.get(i);
  mvin.local = isa::LocalAddress(static_cast<std::uint32_t>(fields::Mvin::local.get(i)));
  mvin.cols = static_cast<std::uint32_t>(fields::Mvin::cols.get(i)) & cols_mask_;
  mvin.all_rows = static_cast<std::uint32_t>(fields::Mvin::rows.get(i)) & rows_mask_;
  mvin.zeros = mvin.address == 0;
  mvin.broadcast = mvin.state->stride == 0 && !mvin.zeros;
  mvin.rows = mvin.broadcast ? 1 : mvin.all_rows;
  mvin.accumulator_width = mvin.local.is_accumulator() && !mvin.state->shrink;
  if (mvin.cols == 0 || mvin.all_rows == 0 || static_cast<int>(mvin.all_rows) > params_.array.dim) {
    throw ModelError(now, name(), isa::disassemble(i, params_.revision),
                     fmt::format("a load of {} rows and {} columns never completes", mvin.all_rows, mvin.cols));
  }
  return mvin;
}

void LoadController::configure(const isa::Instruction& i) {
  const auto index = fields::ConfigLd::state.get(i);
  if (index >= states_.size()) throw ModelError(name(), isa::disassemble(i, params_.revision), "load states are 0, 1 and 2");
  LoadState& state = states_[index];
  state.stride = fields::ConfigLd::stride.get(i);
  state.scale = static_cast<std::uint32_t>(fields::ConfigLd::scale.get(i));
  state.block_stride = static_cast<std::uint16_t>(fields::ConfigLd::block_stride.get(i));
  state.shrink = fields::ConfigLd::shrink.get(i) != 0;
  const auto repeats = static_cast<std::uint8_t>(fields::ConfigLd::pixel_repeats.get(i));
  state.pixel_repeats = repeats == 0 ? 1 : repeats;
}

// Offers the request of row_; true when it was taken.
bool LoadController::request(Cycle now, const IssuedCommand& issued, const Mvin& mvin) {
  const std::uint64_t address = mvin.address + row_ * mvin.state->stride;
  const isa::LocalAddress local = mvin.local.plus(row_, row_bits_);
  if (mvin.zeros) {
    if (!out_zero_.can_push(now)) return false;
    out_zero_.push(now, {local, static_cast<std::uint16_t>(mvin.cols), mvin.state->block_stride, mvin.state->pixel_repeats,
                         static_cast<std::uint8_t>(tracker_entry_), issued.command.sequence});
  } else {
    if (!out_row_.can_push(now)) return false;
    RowRequest& row = out_row_.emplace(now);
    row.address = address;
    row.local = local;
    row.scale = mvin.state->scale;
    row.cols = static_cast<std::uint16_t>(mvin.cols);
    row.repeats = static_cast<std::uint16_t>(mvin.broadcast ? mvin.all_rows - 1 : 0);
    row.block_stride = mvin.state->block_stride;
    row.pixel_repeats = mvin.state->pixel_repeats;
    row.tracker = static_cast<std::uint8_t>(tracker_entry_);
    row.accumulator_width = mvin.accumulator_width;
    row.sequence = issued.command.sequence;
  }
  row_ = row_ + 1 == mvin.rows ? 0 : row_ + 1;
  return true;
}

std::string LoadController::state_text() const {
  if (in_command_.empty() && !tracker_.busy()) return {};
  return fmt::format("{} commands waiting, row {}, loads in flight: {}", in_command_.size(), row_, tracker_.busy() ? "yes" : "no");
}

void LoadController::residual(Residual& r) {
  r.rest(state_ == State::kWait && row_ == 0);
  r.rest(in_command_.empty());
  tracker_.residual(r);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    LoadState& state = states_[i];
    const Residual::Setting setting = Residual::load_setting(i);
    r.setting(setting, state.stride);
    r.setting(setting, state.block_stride);
    r.setting(setting, state.pixel_repeats);
    r.setting(setting, state.shrink);
    r.named(Residual::Name::kScale, state.scale, setting);
  }
  ledger_.residual(r);
}

}  // namespace systole::hw
