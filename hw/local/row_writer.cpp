#include "hw/local/row_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hw/datapath/activation.h"
#include "hw/ports/command_fault.h"

namespace systole::hw {

RowWriter::RowWriter(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, Scratchpad& scratchpad,
                     Accumulator& accumulator, Wire<ArrayWrite>& array_write, Channel<LoadedRow>& in_row,
                     Channel<LoadedRow>& in_accumulator_row, Channel<ZeroRow>& in_zero, Channel<LoadProgress>& out_progress, LoadRuns& load_runs)
    : Unit(name),
      params_(params),
      scratchpad_rows_(static_cast<std::uint32_t>(scratchpad_rows(params))),
      values_(values),
      scratchpad_(scratchpad),
      accumulator_(accumulator),
      array_write_(array_write),
      in_row_(in_row),
      in_accumulator_row_(in_accumulator_row),
      in_zero_(in_zero),
      out_progress_(out_progress),
      load_runs_(load_runs),
      ledger_("local_writes", {{"idle", StateKind::kIdle, "no loaded row at the local memories"},
                               {"busy", StateKind::kBusy, "writes loaded rows or zeros"},
                               {"bank_busy", StateKind::kStall, "a loaded row waits for its bank"}}) {
  array_write_.bind_reader(*this);
  in_row_.bind_reader(*this);
  in_accumulator_row_.bind_reader(*this);
  in_zero_.bind_reader(*this);
  out_progress_.bind_writer(*this);
  load_runs_.bind_writer(*this);
  scratchpad_.bind_loads(*this);
}

// The last row wakes us; account_rows() makes up for the others.
void RowWriter::announced(const LoadRun& run) {
  wake_at(run.last());
  scratchpad_.announced(run);
}

void RowWriter::settle(Cycle now) {
  if (values_ == nullptr) return;
  LoadRun* run = load_runs_.front();
  // Runs end in their last cycle, before anybody reads, so that only the first one can have begun.
  if (run == nullptr || now < run->first) return;
  const unsigned due = std::min(run->count, run->due(now));
  const auto bytes = static_cast<std::size_t>(params_.array.dim);
  for (unsigned i = run->settled; i < due; ++i) {
    std::memcpy(values_->scratchpad_row(run->row_of(i)), values_->bytes(run->values) + i * bytes, bytes);
  }
  run->settled = std::max(run->settled, due);
}

void RowWriter::account_rows(Cycle now) {
  const LoadRun* run = load_runs_.front();
  if (run == nullptr) return;
  for (; run->cycle_of(rows_accounted_) < now; ++rows_accounted_) {
    const Cycle written = run->cycle_of(rows_accounted_);
    ledger_.enter(written, Account::kBusy);
    if (run->pitch > 1) ledger_.enter_later(written + 1, Account::kIdle);
  }
}

// The row of an announced run that is written in this cycle, as the others that want to write must see it.
RowWriter::RunRow RowWriter::row_of_run(Cycle now) {
  const LoadRun* run = load_runs_.front();
  if (run == nullptr || now < run->first || !run->writes_in(now)) return {};
  SYSTOLE_CHECK(now <= run->last());
  rows_accounted_ = run->due(now);
  return {true, now == run->last(), scratchpad_.bank_of(run->row_of(rows_accounted_ - 1))};
}

void RowWriter::finish_run(Cycle now) {
  const LoadRun& run = *load_runs_.front();
  settle(now);
  if (values_ != nullptr) values_->end_use(run.values);
  load_runs_.end(now);
  rows_accounted_ = 0;
}

RowWriter::Offer RowWriter::offer_of(const LoadedRow& row, int repeat, bool pixel_path) const {
  Offer offer;
  offer.source = row;
  offer.repeat = repeat;
  offer.last = row.last && repeat == 0;
  offer.to_accumulator = row.to_accumulator;
  offer.accumulate = row.accumulate;
  offer.valid = true;
  if (row.to_accumulator) {
    offer.row = (row.row + static_cast<std::uint32_t>(pixel_path ? 0 : repeat)) % accumulator_.rows();
    offer.bank = accumulator_.bank_of(offer.row);
    return offer;
  }
  // Repeats go to lower rows, but not below the half of the scratchpad that the row belongs to; such a repeat is dropped.
  const std::uint32_t local = row.row % scratchpad_rows_;
  const std::uint32_t floor = local < scratchpad_rows_ / 2 ? 0 : scratchpad_rows_ / 2;
  if (local < floor + static_cast<std::uint32_t>(repeat)) {
    offer.valid = false;
    return offer;
  }
  offer.row = local - static_cast<std::uint32_t>(repeat);
  offer.bank = scratchpad_.bank_of(offer.row);
  return offer;
}

RowWriter::Offer RowWriter::offer_of_zero() const {
  LoadedRow row;
  row.row = zero_block_->row;
  row.to_accumulator = zero_block_->zero.local.is_accumulator();
  row.accumulate = zero_block_->zero.local.accumulate();
  row.last = zero_block_->last;
  row.bytes = zero_block_->cols;
  row.len = zero_block_->zero.cols;
  row.tracker = zero_block_->zero.tracker;
  return offer_of(row, zero_block_->repeats_left, true);
}

void RowWriter::evaluate(Cycle now) {
  scratchpad_taken_ = 0;
  accumulator_taken_ = 0;
  array_write(now);
  account_rows(now);
  const RunRow of_run = row_of_run(now);
  if (of_run.valid) scratchpad_taken_ |= 1u << of_run.bank;
  if (in_row_.empty() && in_accumulator_row_.empty() && in_zero_.empty() && !zero_block_) {
    if (!of_run.valid) {
      ledger_.enter(now, Account::kIdle);
      return;
    }
    ledger_.enter(now, Account::kBusy);
    if (!of_run.last) {
      if (load_runs_.front()->pitch > 1) ledger_.enter_later(now + 1, Account::kIdle);
      return;
    }
    finish_run(now);
    ledger_.enter_later(now + 1, Account::kIdle);   // unless the next run follows
    return;
  }

  const LoadedRow* pixel_row = in_row_.front(now);
  const LoadedRow* accumulator_row = in_accumulator_row_.front(now);
  Offer pixel, wide, zero;
  SYSTOLE_CHECK(!of_run.valid || pixel_row == nullptr);
  pixel.valid = of_run.valid;
  pixel.last = of_run.last;
  if (pixel_row != nullptr) {
    if (pixel_repeats_left_ < 0) pixel_repeats_left_ = pixel_row->pixel_repeats - 1;
    if (pixel_row->to_accumulator && pixel_repeats_left_ > 0) {
      throw CommandFault{now, name(), pixel_row->sequence, "pixel repeats into the accumulator"};
    }
    pixel = offer_of(*pixel_row, pixel_repeats_left_, true);
  }
  if (accumulator_row != nullptr) {
    if (accumulator_repeats_left_ < 0) accumulator_repeats_left_ = accumulator_row->repeats;
    wide = offer_of(*accumulator_row, accumulator_repeats_left_, false);
  }
  if (zero_block_) zero = offer_of_zero();

  // Only one load reports progress in a cycle: rows of the scratchpad path first, zeros last (Scratchpad.scala spad_last).
  const bool scratchpad_last = pixel.valid && pixel.last && !pixel.to_accumulator;
  const bool any_last = (pixel.valid && pixel.last) || (wide.valid && wide.last);
  bool wrote = false;
  bool refused = false;
  if (of_run.valid) {
    wrote = true;
    if (pixel.last) finish_run(now);
  } else if (pixel.valid) {
    if (write_row(now, pixel)) {
      wrote = true;
      finish(now, pixel);
      advance_pixel(now);
    } else {
      refused = true;
      load_runs_.out_of_step();
    }
  } else if (pixel_row != nullptr) {
    advance_pixel(now);   // a dropped repeat takes its cycle
    wrote = true;
  }
  if (wide.valid) {
    // A row of the scratchpad path that goes to the accumulator has the accumulator's load port for itself.
    const bool port_taken = pixel.valid && pixel.to_accumulator;
    if (!port_taken && !scratchpad_last && write_row(now, wide)) {
      wrote = true;
      finish(now, wide);
      advance_accumulator(now);
    } else {
      refused = true;
    }
  }
  if (zero_block_) {
    bool written = false;
    if (zero.valid) {
      const bool load_on_bank = zero.to_accumulator && ((pixel.valid && pixel.to_accumulator && pixel.bank == zero.bank) ||
                                                        (!(pixel.valid && pixel.to_accumulator) && wide.valid && wide.bank == zero.bank));
      const bool blocked = any_last || load_on_bank || (zero.to_accumulator && scratchpad_last);
      if (!blocked && write_row(now, zero)) {
        written = true;
        finish(now, zero);
      }
    }
    wrote = wrote || written || !zero.valid;
    refused = refused || (zero.valid && !written);
    if (written || !zero.valid) advance_zero();
  }
  refill_zero(now);

  ledger_.enter(now, wrote ? Account::kBusy : refused ? Account::kBankBusy : Account::kIdle);
  if (!in_row_.empty() || !in_accumulator_row_.empty() || !in_zero_.empty() || zero_block_ || wrote || refused) wake_at(now + 1);
}

// The array has written its values itself; here its write takes the bank's port.
void RowWriter::array_write(Cycle now) {
  const ArrayWrite* write = array_write_.get(now);
  if (write == nullptr) {
    if (const auto row = accumulator_.array_row(now)) take_bank(now, true, accumulator_.bank_of(*row));
    return;
  }
  if (write->to_accumulator) {
    if (!accumulator_.offer_write(now, write->row, write->accumulate)) {
      throw CommandFault{now, name(), write->sequence,
                         fmt::format("the array accumulates to accumulator row {} while an earlier write of the row is under way; it would be lost", write->row)};
    }
    accumulator_.write(now, write->row, write->accumulate);
    take_bank(now, true, accumulator_.bank_of(write->row));
  } else {
    take_bank(now, false, scratchpad_.bank_of(write->row));
  }
}

bool RowWriter::bank_taken(const Offer& offer) const {
  return ((offer.to_accumulator ? accumulator_taken_ : scratchpad_taken_) >> offer.bank & 1u) != 0;
}

void RowWriter::take_bank(Cycle now, bool to_accumulator, std::uint32_t bank) {
  (to_accumulator ? accumulator_taken_ : scratchpad_taken_) |= 1u << bank;
  if (!to_accumulator) scratchpad_.note_write(now, bank);
}

// Writes the row when its bank takes it.
bool RowWriter::write_row(Cycle now, const Offer& offer) {
  if (bank_taken(offer)) return false;
  if (offer.to_accumulator) {
    if (accumulator_.loads_blocked(now, offer.bank)) return false;
    if (!accumulator_.offer_write(now, offer.row, offer.accumulate)) {
      take_bank(now, true, offer.bank);
      return false;
    }
    accumulator_.write(now, offer.row, offer.accumulate);
  }
  take_bank(now, offer.to_accumulator, offer.bank);
  if (values_ != nullptr) {
    if (offer.to_accumulator) accumulator_.settle(now, offer.row);
    store_values(offer);
  }
  return true;
}

void RowWriter::finish(Cycle now, const Offer& offer) {
  if (!offer.last) return;
  std::uint32_t bytes = offer.source.bytes_read;
  if (bytes == 0) bytes = offer.source.len * static_cast<std::uint32_t>(offer.to_accumulator ? kAccumulatorBytes : 1);   // zeros
  out_progress_.push(now, {offer.source.tracker, bytes});
}

void RowWriter::end_row(const LoadedRow& row) {
  if (values_ != nullptr) values_->end_use(row.values);
}

void RowWriter::advance_pixel(Cycle now) {
  if (pixel_repeats_left_ == 0) {
    const LoadedRow row = in_row_.pop(now);
    if (row.last && load_runs_.enabled()) load_runs_.end_answer();
    end_row(row);
  }
  --pixel_repeats_left_;
}

void RowWriter::advance_accumulator(Cycle now) {
  if (accumulator_repeats_left_ == 0) end_row(in_accumulator_row_.pop(now));
  --accumulator_repeats_left_;
}

void RowWriter::advance_zero() {
  if (zero_block_->repeats_left == 0) {
    zero_block_.reset();
  } else {
    --zero_block_->repeats_left;
  }
}

// The next block of the zero writer's row moves into the pixel repeater when that is empty or has just been emptied.
void RowWriter::refill_zero(Cycle now) {
  if (zero_block_) return;
  const ZeroRow* zero = in_zero_.front(now);
  if (zero == nullptr) return;
  const auto dim = static_cast<std::uint32_t>(params_.array.dim);
  ZeroBlock block;
  block.zero = *zero;
  block.row = zero->local.plus(zero->block_stride * (zero_column_ / dim), row_bits(params_)).row(row_bits(params_));
  block.cols = static_cast<std::uint16_t>(std::min<std::uint32_t>(zero->cols - zero_column_, dim));
  block.last = zero_column_ + dim >= zero->cols;
  block.repeats_left = zero->pixel_repeats - 1;
  zero_column_ += dim;
  if (block.last) {
    zero_column_ = 0;
    in_zero_.pop(now);
  }
  zero_block_ = block;
  wake_at(now + 1);
}

void RowWriter::store_values(const Offer& offer) {
  const LoadedRow& row = offer.source;
  const int dim = params_.array.dim;
  const bool zeros = row.bytes_read == 0;
  const std::uint8_t* source = zeros ? nullptr : values_->bytes(row.values) + row.source_byte;
  if (!offer.to_accumulator) {
    std::int8_t* out = values_->scratchpad_row(offer.row);
    const float scale = float_of_bits(row.scale);
    const int shift = row.first_byte + offer.repeat * row.len;
    const int lanes = std::min<int>(row.bytes, dim - shift);
    if (zeros) {
      if (lanes > 0) std::memset(out + shift, 0, static_cast<std::size_t>(lanes));
    } else if (scale == 1.0f) {
      if (lanes > 0) std::memcpy(out + shift, source, static_cast<std::size_t>(lanes));
    } else {
      for (int i = 0; i < lanes; ++i) out[shift + i] = scale_to_int8(static_cast<std::int8_t>(source[i]), scale);
    }
    return;
  }
  // Words of the row, and which of its bytes are written: an accumulation adds whole words and writes the bytes it has.
  std::int32_t* out = values_->accumulator_row(offer.row);
  std::int32_t words[128];
  std::fill_n(words, dim, 0);
  int first_byte = row.first_byte;
  int bytes = row.bytes;
  const float scale = float_of_bits(row.scale);
  const bool scaled = params_.sfu.mvin_acc_scale != 0 && scale != 1.0f;
  if (row.accumulator_width) {
    if (!zeros) std::memcpy(reinterpret_cast<std::uint8_t*>(words) + first_byte, source, static_cast<std::size_t>(bytes));
    if (scaled) {
      for (int i = 0; i < dim; ++i) words[i] = scale_to_int32(words[i], scale);
    }
  } else {
    for (int i = 0; i < bytes && first_byte + i < dim; ++i) {
      const auto value = static_cast<std::int8_t>(zeros ? 0 : source[i]);
      const bool in_path = scale != 1.0f && params_.sfu.mvin_acc_scale == 0;
      words[first_byte + i] = zeros ? 0 : scaled ? scale_to_int32(value, scale) : in_path ? scale_to_int8(value, scale) : value;
    }
    first_byte *= kAccumulatorBytes;
    bytes = std::min(bytes * kAccumulatorBytes, dim * kAccumulatorBytes - first_byte);
  }
  if (offer.accumulate) {
    values_->accumulate(words, out, dim);   // words that the row does not have are zero
  }
  std::memcpy(reinterpret_cast<std::uint8_t*>(out) + first_byte, reinterpret_cast<const std::uint8_t*>(words) + first_byte, static_cast<std::size_t>(bytes));
}

std::string RowWriter::state_text() const {
  if (in_row_.empty() && in_accumulator_row_.empty() && in_zero_.empty() && !zero_block_) return {};
  return fmt::format("rows waiting: {} int8 path, {} accumulator path, {} zeros", in_row_.size(), in_accumulator_row_.size(),
                     in_zero_.size() + (zero_block_ ? 1u : 0u));
}

}  // namespace systole::hw
