#include "hw/control/store_controller.h"

#include <fmt/format.h>

namespace systole::hw {
namespace fields = isa::fields;

namespace {

constexpr std::uint32_t kKeepScale = 0xFFFFFFFFu;   // config_st with this scale leaves the register as it is (StoreController.scala)

// Extension registers of config_norm's ext_select field.
enum class Extension : std::uint8_t { kNone, kPreShift, kAffineRow, kRowscaleBase, kFlags };

std::uint32_t wrap_increment(std::uint32_t value, std::uint32_t bound) { return value + 1 == bound ? 0 : value + 1; }

// All but the last block of a row only add to the statistics (NormCmd.scala non_reset_version).
isa::NormCommand of_inner_block(isa::NormCommand command) {
  switch (command) {
    case isa::NormCommand::kMean: return isa::NormCommand::kSum;
    case isa::NormCommand::kInvStddev: return isa::NormCommand::kVariance;
    case isa::NormCommand::kInvSumExp: return isa::NormCommand::kSumExp;
    case isa::NormCommand::kReset:
    case isa::NormCommand::kSum:
    case isa::NormCommand::kVariance:
    case isa::NormCommand::kMax:
    case isa::NormCommand::kSumExp: return command;
  }
  SYSTOLE_CHECK(false);
  return command;
}

}  // namespace

StoreController::StoreController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& in_command,
                                 Channel<StoreProgress>& in_progress, Channel<StoreRow>& out_row,
                                 PriorityMerge<Completion, kCompletionSources>& completion)
    : Unit(name),
      params_(params),
      row_bits_(row_bits(params)),
      cols_mask_((1u << mv_cols_bits(params)) - 1),
      rows_mask_((1u << rows_bits(params)) - 1),
      in_command_(in_command),
      in_progress_(in_progress),
      out_row_(out_row),
      completion_(completion),
      tracker_(command_trackers(params)),
      affine_blocks_(static_cast<std::size_t>(params.sfu.stats_ids)),
      ledger_("store_controller", {{"idle", StateKind::kIdle, "no store command waiting"},
                                   {"busy", StateKind::kBusy, "asks for a row, or takes a configuration"},
                                   {"no_tracker", StateKind::kStall, "all stores that may be in flight are"},
                                   {"dispatch_full", StateKind::kStall, "rows in front are not read yet"}}) {
  in_command_.bind_reader(*this);
  in_progress_.bind_reader(*this);
  out_row_.bind_writer(*this);
}

void StoreController::evaluate(Cycle now) {
  tracker_.release_granted(now, completion_, kCompletionStore);
  if (in_progress_.front(now) != nullptr) tracker_.returned(in_progress_.pop(now).tracker, 1, now);
  if (tracker_.offer_completed(now, completion_, kCompletionStore)) wake_at(now + 1);
  step(now);
}

void StoreController::step(Cycle now) {
  const IssuedCommand* head = in_command_.front(now);
  if (head == nullptr) {
    if (in_command_.idle(now)) ledger_.enter(now, Account::kIdle);
    return;
  }
  if (head->command.op == isa::Op::kConfigSt || head->command.op == isa::Op::kConfigNorm) {
    if (head->command.op == isa::Op::kConfigSt) {
      configure_store(head->command.instruction);
    } else {
      configure_norm(*head, now);
    }
    in_command_.pop(now);
    ledger_.enter(now, Account::kBusy);
    wake_at(now + 1);
    return;
  }
  const Mvout mvout = decode(*head, now);
  const State sending = mvout.pooling ? State::kPooling : State::kSending;
  bool done = false;
  Account account = Account::kBusy;
  switch (state_) {
    case State::kWait: {
      const auto entry = tracker_.free_entry();
      if (!entry) {
        account = Account::kNoTracker;
        break;
      }
      std::uint32_t work = mvout.rows * mvout.blocks;
      if (mvout.pooling) work = pool_.out_rows * pool_.out_cols * pool_.size * pool_.size;
      if (mvout.one_dimensional) work = pool_.rows * pool_.cols;
      if (work == 0) misuse(now, *head, "a store without rows never completes");
      tracker_entry_ = *entry;
      tracker_.allocate(*entry, work, {head->rob, head->command.origin});
      if (request(now, *head, mvout)) {
        state_ = sending;
      } else {
        state_ = State::kWaitForDma;
        account = Account::kDispatchFull;
      }
      break;
    }
    case State::kWaitForDma:
      if (request(now, *head, mvout)) {
        state_ = sending;
      } else {
        account = Account::kDispatchFull;
      }
      break;
    case State::kSending:
    case State::kPooling:
      // A command of a single request spends one more cycle here, without a request.
      if (counters_are_zero()) {
        done = true;
      } else if (request(now, *head, mvout)) {
        done = counters_are_zero();
      } else {
        account = Account::kDispatchFull;
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

bool StoreController::counters_are_zero() const {
  return row_ == 0 && block_ == 0 && out_row_index_ == 0 && out_col_ == 0 && window_row_ == 0 && window_col_ == 0;
}

StoreController::Mvout StoreController::decode(const IssuedCommand& issued, Cycle now) const {
  const isa::Instruction& i = issued.command.instruction;
  const auto dim = static_cast<std::uint32_t>(params_.array.dim);
  Mvout mvout;
  mvout.address = fields::Mvout::dram.get(i);
  mvout.local = isa::LocalAddress(static_cast<std::uint32_t>(fields::Mvout::local.get(i)));
  mvout.cols = static_cast<std::uint32_t>(fields::Mvout::cols.get(i)) & cols_mask_;
  mvout.rows = static_cast<std::uint32_t>(fields::Mvout::rows.get(i)) & rows_mask_;
  mvout.blocks = (mvout.cols + dim - 1) / dim;
  mvout.pooling = pool_.stride != 0;
  mvout.one_dimensional = !mvout.pooling && pool_.size != 0;
  if (mvout.cols == 0) misuse(now, issued, "a store of 0 columns never completes");
  const bool full = mvout.local.full_row() && !mvout.local.is_garbage(row_bits_);
  if (full && mvout.blocks > 1) misuse(now, issued, "a store of full accumulator rows may span one block of columns only");
  if ((mvout.pooling || mvout.one_dimensional) && mvout.blocks > 1) misuse(now, issued, "a pooling store may span one block of columns only");
  return mvout;
}

void StoreController::misuse(Cycle now, const IssuedCommand& issued, const std::string& what) const {
  throw ModelError(now, name(), isa::disassemble(issued.command.instruction, params_.revision), what);
}

void StoreController::configure_store(const isa::Instruction& i) {
  using namespace isa::fields::ConfigSt;
  stride_ = stride.get(i);
  constants_.activation = static_cast<isa::Activation>(activation.get(i));
  const auto scale = static_cast<std::uint32_t>(acc_scale.get(i));
  if (scale != kKeepScale) constants_.scale = scale;
  pool_.size = static_cast<std::uint32_t>(pool_size.get(i));
  pool_.stride = static_cast<std::uint32_t>(pool_stride.get(i));
  if (pool_.stride != 0 || pool_.size != 0) {
    pool_.out_dim = static_cast<std::uint32_t>(pool_out_dim.get(i));
    pool_.rows = static_cast<std::uint32_t>(orows.get(i));
    pool_.cols = static_cast<std::uint32_t>(ocols.get(i));
  }
  if (pool_.stride != 0) {
    pool_.out_rows = static_cast<std::uint32_t>(porows.get(i));
    pool_.out_cols = static_cast<std::uint32_t>(pocols.get(i));
    pool_.upper_pad = static_cast<std::uint32_t>(upad.get(i));
    pool_.left_pad = static_cast<std::uint32_t>(lpad.get(i));
  }
}

void StoreController::configure_norm(const IssuedCommand& issued, Cycle now) {
  using namespace isa::fields::ConfigNorm;
  const isa::Instruction& i = issued.command.instruction;
  if (params_.sfu.normaliser == 0) misuse(now, issued, "the machine has no normaliser (sfu.normaliser = 0)");
  if (ext_select.get(i) != 0) {
    write_extension(issued, now);
    return;
  }
  if (set_stats_id_only.get(i) == 0) {
    constants_.qb = static_cast<std::int32_t>(qb.get(i));
    constants_.qc = static_cast<std::int32_t>(qc.get(i));
    (q_const_type.get(i) == 0 ? constants_.qln2 : constants_.qln2_inv) = static_cast<std::int32_t>(q_const.get(i));
    const auto low = static_cast<std::uint8_t>(constants_.activation) & 3u;
    constants_.activation = static_cast<isa::Activation>(activation_msb.get(i) << 2 | low);
  }
  constants_.stats_id = static_cast<std::uint8_t>(stats_id.get(i) % static_cast<std::uint64_t>(params_.sfu.stats_ids));
}

void StoreController::write_extension(const IssuedCommand& issued, Cycle now) {
  using namespace isa::fields::ConfigNorm;
  const isa::Instruction& i = issued.command.instruction;
  const auto value = static_cast<std::uint32_t>(q_const.get(i));
  const auto require = [&](int present, const char* key) {
    if (present == 0) misuse(now, issued, fmt::format("the machine lacks this extension (sfu.{} = 0)", key));
  };
  switch (static_cast<Extension>(ext_select.get(i))) {
    case Extension::kNone: return;
    case Extension::kPreShift:
      require(params_.sfu.pre_shift, "pre_shift");
      constants_.pre_shift = static_cast<std::uint8_t>(value & 31);
      return;
    case Extension::kAffineRow:
      require(params_.sfu.layer_norm_affine, "layer_norm_affine");
      constants_.affine_row = static_cast<std::uint16_t>(value);
      return;
    case Extension::kRowscaleBase:
      require(params_.sfu.deferred_softmax, "deferred_softmax");
      constants_.rowscale_base = static_cast<std::uint16_t>(value);
      return;
    case Extension::kFlags:
      require(params_.sfu.wide_variance, "wide_variance");
      constants_.wide_variance = (value & 1) != 0;
      return;
  }
  misuse(now, issued, "unknown extension register");
}

// Offers the request of the current counters; true when it was taken.
bool StoreController::request(Cycle now, const IssuedCommand& issued, const Mvout& mvout) {
  if (!out_row_.can_push(now)) return false;
  out_row_.push(now, row_of(issued, mvout));
  advance(mvout);
  return true;
}

StoreRow StoreController::row_of(const IssuedCommand& issued, const Mvout& mvout) {
  const auto dim = static_cast<std::uint32_t>(params_.array.dim);
  StoreRow row;
  row.constants = constants_;
  row.block = static_cast<std::uint8_t>(block_);
  row.tracker = static_cast<std::uint8_t>(tracker_entry_);
  row.sequence = issued.command.sequence;
  const bool last_block = block_ + 1 == mvout.blocks;
  row.len = static_cast<std::uint16_t>(last_block ? (mvout.cols - 1) % dim + 1 : dim);
  row.local = mvout.local.plus(block_ * dim + row_, row_bits_);
  row.row_scale = static_cast<std::uint16_t>(dim * mvout.local.row_group(row_bits_) + row.local.row(row_bits_) % dim);
  row.address = mvout.address + row_ * stride_;
  if (mvout.pooling || mvout.one_dimensional) row.address = mvout.address + (out_row_index_ * pool_.out_dim + out_col_) * stride_;
  row.store = last_block;
  row.garbage = mvout.local.is_garbage(row_bits_);
  if (mvout.pooling) pool_source(mvout, row);
  if (params_.sfu.normaliser != 0) {
    const auto command = static_cast<isa::NormCommand>(mvout.local.norm_command());
    row.norm = last_block ? command : of_inner_block(command);
    number_affine_block(row);
  }
  return row;
}

// Which gain and bias belong to the row (E3), as isa/local_address.h counts them.
void StoreController::number_affine_block(StoreRow& row) {
  std::uint16_t& next_block = affine_blocks_[row.constants.stats_id];
  if (row.norm == isa::NormCommand::kInvStddev) next_block = 0;
  if (row.constants.activation == isa::Activation::kLayerNormAffine && row.norm == isa::NormCommand::kReset && !row.local.full_row()) {
    row.affine_block = next_block++;
  }
}

// Max-pooling: the row of the current window element, or none in the padding.
void StoreController::pool_source(const Mvout& mvout, StoreRow& row) const {
  const std::uint32_t in_row = out_row_index_ * pool_.stride + window_row_;
  const std::uint32_t in_col = out_col_ * pool_.stride + window_col_;
  const bool outside = in_row < pool_.upper_pad || in_col < pool_.left_pad || in_row - pool_.upper_pad >= pool_.rows ||
                       in_col - pool_.left_pad >= pool_.cols;
  row.garbage = row.garbage || outside;
  row.local = mvout.local.plus((in_row - pool_.upper_pad) * pool_.cols + (in_col - pool_.left_pad), row_bits_);
  row.pool = window_row_ != 0 || window_col_ != 0;
  row.store = window_row_ + 1 == pool_.size && window_col_ + 1 == pool_.size;
}

void StoreController::advance(const Mvout& mvout) {
  if (mvout.pooling) {
    window_col_ = wrap_increment(window_col_, pool_.size);
    if (window_col_ != 0) return;
    window_row_ = wrap_increment(window_row_, pool_.size);
    if (window_row_ != 0) return;
    out_col_ = wrap_increment(out_col_, pool_.out_cols);
    if (out_col_ != 0) return;
    out_row_index_ = wrap_increment(out_row_index_, pool_.out_rows);
    return;
  }
  if (mvout.one_dimensional) {
    out_col_ = wrap_increment(out_col_, pool_.cols);
    if (out_col_ == 0) out_row_index_ = wrap_increment(out_row_index_, pool_.rows);
    row_ = wrap_increment(row_, pool_.rows * pool_.cols);
    return;
  }
  block_ = wrap_increment(block_, mvout.blocks);
  if (block_ == 0) row_ = wrap_increment(row_, mvout.rows);
}

std::string StoreController::state_text() const {
  if (in_command_.empty() && !tracker_.busy()) return {};
  return fmt::format("{} commands waiting, row {}, stores in flight: {}", in_command_.size(), row_, tracker_.busy() ? "yes" : "no");
}

// The shift and the width of sums change values only.
void StoreController::residual(Residual& r) {
  r.rest(state_ == State::kWait && counters_are_zero());
  r.rest(in_command_.empty());
  tracker_.residual(r);
  r.setting(Residual::Setting::kStore, stride_);
  r.setting(Residual::Setting::kStore, pool_.stride);
  r.setting(Residual::Setting::kStore, pool_.size);
  r.named(Residual::Name::kScale, constants_.scale, Residual::Setting::kStore);
  r.setting(Residual::Setting::kActivation, constants_.activation);
  r(constants_.stats_id);
  r(constants_.affine_row);
  r(constants_.rowscale_base);
  for (std::int32_t* constant : {&constants_.qb, &constants_.qc, &constants_.qln2, &constants_.qln2_inv}) {
    auto bits = static_cast<std::uint32_t>(*constant);
    r.named(Residual::Name::kConstant, bits);
    *constant = static_cast<std::int32_t>(bits);
  }
  for (std::uint32_t* field : {&pool_.out_dim, &pool_.out_rows, &pool_.out_cols, &pool_.rows, &pool_.cols,
                               &pool_.upper_pad, &pool_.left_pad}) {
    r(*field);
  }
  r.all(affine_blocks_);
  ledger_.residual(r);
}

}  // namespace systole::hw
