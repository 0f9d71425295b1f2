#include "hw/array/systolic_array.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw/params/derived.h"

namespace systole::hw {
SystolicArray::SystolicArray(const sc_core::sc_module_name& name, const MachineParams& params, ArrayLinks& links, Wire<ArrayWrite>& write_back,
                             PriorityMerge<Completion, kCompletionSources>& completions, GemmArray* values, ArrayWriteRuns* runs)
    : Unit(name),
      dim_(params.array.dim),
      row_bits_(row_bits(params)),
      scratchpad_mask_(static_cast<std::uint32_t>(scratchpad_rows(params)) - 1),
      accumulator_mask_(static_cast<std::uint32_t>(accumulator_rows(params)) - 1),
      // A 16-bit stride times the row counter (ExecuteController.scala w_address).
      offset_mask_(static_cast<std::uint32_t>((std::uint64_t{1} << (16 + log2_ceil(params.array.dim))) - 1)),
      links_(links),
      write_back_(write_back),
      completions_(completions),
      values_(values),
      runs_(runs) {
  links_.rows.bind_reader(*this);
  if (runs_ != nullptr) runs_->bind_source(*this);
}

void SystolicArray::evaluate(Cycle now) {
  const Cycle latency = links_.rows.latency();
  if (announced_.active) {
    if (now + 1 < announced_.first + announced_.count) return;
    settle(now);
    announced_.active = false;
    come_out(now, *links_.rows.front(), announced_.count);
  }
  while (MeshRows* run = links_.rows.front()) {
    if (run->left == run->count) {
      links_.rows.pop();
      continue;
    }
    const Cycle due = run->first + run->left + latency;
    if (due > now) {
      if (due > now + 1 || !announce(due, now, *run)) wake_at(due);
      return;
    }
    const ArrayTag* tag = links_.tags.match(run->id);
    if (tag != nullptr && tag->valid) {
      SYSTOLE_CHECK(due == now);
      if (announce(now, now, *run)) return;
      ++run->left;
      write_row(now, *tag, links_.tags.total_rows(run->id, static_cast<unsigned>(dim_)), *run);
      --run->left;
      come_out(now, *run, 1);
      if (run->left != run->count) {
        wake_at(now + 1);
        return;
      }
      continue;
    }
    // Nobody looks at these rows but at the last one.
    run->left = static_cast<std::uint16_t>(std::min<Cycle>(run->count, now - latency - run->first + 1));
    if (run->left != run->count) {
      wake_at(run->first + run->count - 1u + latency);
      return;
    }
    if (run->last) links_.tags.retire(now, run->id);
  }
}

// The last of `rows` wanted rows comes out in this cycle.
void SystolicArray::come_out(Cycle now, MeshRows& run, unsigned rows) {
  const unsigned total_rows = links_.tags.total_rows(run.id, static_cast<unsigned>(dim_));
  run.left = static_cast<std::uint16_t>(run.left + rows);
  row_ = row_ + rows >= total_rows ? 0 : row_ + rows;
  if (!run.last || run.left != run.count) return;
  const ArrayTag& tag = *links_.tags.match(run.id);
  completions_.offer(kCompletionExecute, now, Completion{tag.rob, tag.origin});
  links_.tags.mark_completion(now);
  links_.tags.retire(now, run.id);
}

// Rows of one result that follow one another into the accumulator, all of which have entered: nothing but other writes of the same rows can
// change what happens to them. Called in `now` for a first row that comes out now or in the next cycle.
bool SystolicArray::announce(Cycle first, Cycle now, const MeshRows& run) {
  if (runs_ == nullptr || !links_.config.weight_stationary || run.first + run.count > now) return false;
  const unsigned rows = static_cast<unsigned>(run.count - run.left);
  if (rows < 2 || links_.config.c_stride == 0 || !links_.tags.head_is_known()) return false;
  const ArrayTag* tag = links_.tags.match(run.id);
  if (tag == nullptr || !tag->valid || !tag->destination.is_accumulator()) return false;
  if (row_ + rows > links_.tags.total_rows(run.id, static_cast<unsigned>(dim_))) return false;
  const std::uint64_t span = std::uint64_t{rows - 1} * links_.config.c_stride;
  const isa::LocalAddress start = tag->destination.plus(row_ * links_.config.c_stride, row_bits_);
  if (!start.is_accumulator() || std::uint64_t{tag->destination.row(row_bits_)} + row_ * links_.config.c_stride + span >= std::uint64_t{1} << row_bits_) return false;
  const std::uint32_t row = start.row(row_bits_) & accumulator_mask_;
  if (row + span > accumulator_mask_) return false;

  ArrayWriteRun& writes = runs_->next();
  writes.first = first;
  writes.count = row_ < tag->rows ? std::min<unsigned>(rows, tag->rows - row_) : 0;
  writes.row = row;
  writes.stride = links_.config.c_stride;
  writes.accumulate = start.accumulate();
  if (!runs_->may_announce(writes)) return false;
  runs_->announce();
  announced_.settled = 0;
  announced_.first = first;
  announced_.count = rows;
  announced_.written = writes.count;
  announced_.row = row;
  announced_.stride = writes.stride;
  announced_.cols = static_cast<std::uint16_t>(std::min<unsigned>(tag->cols, static_cast<unsigned>(dim_)));
  announced_.accumulate = writes.accumulate;
  announced_.active = true;
  rows_written_ += writes.count;
  wake_at(first + rows - 1);
  return true;
}

void SystolicArray::write_accumulator(const std::int32_t* from, std::int32_t* to, unsigned cols, bool accumulate) {
  if (accumulate) {
    values_->accumulate_rows(to, from, static_cast<int>(cols));
  } else {
    std::copy(from, from + cols, to);
  }
}

void SystolicArray::settle(Cycle now) {
  if (!announced_.active || now < announced_.first) return;
  const auto due = static_cast<unsigned>(std::min<Cycle>(announced_.written, now - announced_.first + 1));
  if (values_ != nullptr) {
    const MeshRows& run = *links_.rows.front();
    const bool whole = announced_.stride == 1 && announced_.cols == dim_;   // then the rows lie behind one another, here and there
    const unsigned step = whole ? due - announced_.settled : 1;
    const int first = run.step + run.left;
    // All of them first: of a request whose last rows are still to come, only those asked for are multiplied.
    if (announced_.settled < due) (void)values_->output(run.request, first + static_cast<int>(due) - 1, run.step + run.count);
    for (unsigned r = announced_.settled; r < due; r += step) {
      const std::int32_t* from = values_->output(run.request, first + static_cast<int>(r), run.step + run.count);
      std::int32_t* to = values_->plane().accumulator_row(announced_.row + r * announced_.stride);
      write_accumulator(from, to, announced_.cols * step, announced_.accumulate);
    }
  }
  announced_.settled = std::max(announced_.settled, due);
}

void SystolicArray::fall_back(Cycle now) {
  SYSTOLE_CHECK(announced_.active);
  settle(now);
  const auto done = now < announced_.first ? 0u : static_cast<unsigned>(std::min<Cycle>(announced_.count, now - announced_.first + 1));
  rows_written_ -= announced_.written - std::min(done, announced_.written);
  announced_.active = false;
  if (done != 0) come_out(now, *links_.rows.front(), done);
  wake_at(now + 1);
}

void SystolicArray::write_row(Cycle now, const ArrayTag& tag, unsigned total_rows, const MeshRows& run) {
  const std::uint32_t stride = row_ * links_.config.c_stride;
  bool written;
  std::uint32_t offset;
  if (links_.config.weight_stationary) {
    written = row_ < tag.rows;
    offset = stride;
  } else {
    // Bottom row first; only the row counter is multiplied by the stride.
    written = total_rows - 1 - row_ < tag.rows;
    offset = (total_rows - 1 - stride) & offset_mask_;
  }
  if (!written) return;
  const isa::LocalAddress address = tag.destination.plus(offset, row_bits_);
  ArrayWrite write;
  write.to_accumulator = address.is_accumulator();
  write.accumulate = address.accumulate();
  write.row = address.row(row_bits_) & (write.to_accumulator ? accumulator_mask_ : scratchpad_mask_);
  write.sequence = tag.sequence;
  write_back_.drive(now, write);
  ++rows_written_;
  if (values_ != nullptr) write_value(write, std::min<unsigned>(tag.cols, static_cast<unsigned>(dim_)), run, now);
}

void SystolicArray::write_value(const ArrayWrite& write, unsigned cols, const MeshRows& run, Cycle now) {
  const int entered = run.step + static_cast<int>(std::min<Cycle>(run.count, now - run.first + 1));
  const std::int32_t* from = values_->output(run.request, run.step + run.left - 1, entered);
  if (write.to_accumulator) {
    std::int32_t* to = values_->plane().accumulator_row(write.row);
    write_accumulator(from, to, cols, write.accumulate);
    return;
  }
  std::int8_t* to = values_->plane().scratchpad_row(write.row);
  const std::int32_t low = links_.config.relu ? 0 : -128;
  for (unsigned j = 0; j < cols; ++j) to[j] = static_cast<std::int8_t>(std::clamp(from[j], low, 127));
}

std::string SystolicArray::state_text() const {
  if (links_.rows.empty() && links_.tags.size() == 0) return {};
  std::string text = fmt::format("rows inside: {}, results to come:", links_.rows.empty() ? "no" : "yes");
  for (unsigned i = 0; i < links_.tags.size(); ++i) {
    const ArrayTag& tag = links_.tags.at(i);
    text += tag.valid ? fmt::format(" 0x{:08x} of command {}", tag.destination.bits(), tag.sequence) : std::string(" none");
  }
  return text;
}

}  // namespace systole::hw
