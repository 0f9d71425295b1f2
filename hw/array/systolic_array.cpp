#include "hw/array/systolic_array.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw/params/derived.h"

namespace systole::hw {

SystolicArray::SystolicArray(const sc_core::sc_module_name& name, const MachineParams& params, ArrayLinks& links, Wire<ArrayWrite>& write_back,
                             PriorityMerge<Completion, kCompletionSources>& completions, GemmArray* values)
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
      values_(values) {
  links_.rows.bind_reader(*this);
}

void SystolicArray::evaluate(Cycle now) {
  const Cycle latency = links_.rows.latency();
  while (MeshRows* run = links_.rows.front()) {
    if (run->left == run->count) {
      links_.rows.pop();
      continue;
    }
    const Cycle due = run->first + run->left + latency;
    if (due > now) {
      wake_at(due);
      return;
    }
    const ArrayTag* tag = links_.tags.match(run->id);
    const bool wanted = tag != nullptr && tag->valid;
    if (wanted) {
      SYSTOLE_CHECK(due == now);
      ++run->left;
    } else {
      // Nobody looks at these rows but at the last one.
      run->left = static_cast<std::uint16_t>(std::min<Cycle>(run->count, now - latency - run->first + 1));
    }
    const bool last = run->last && run->left == run->count;
    if (wanted) {
      const unsigned total_rows = links_.tags.total_rows(run->id, static_cast<unsigned>(dim_));
      write_row(now, *tag, total_rows, *run);
      row_ = row_ + 1 >= total_rows ? 0 : row_ + 1;
      if (last) {
        completions_.offer(kCompletionExecute, now, Completion{tag->rob, tag->origin});
        links_.tags.mark_completion(now);
      }
    }
    if (last) links_.tags.retire(now, run->id);
    if (run->left != run->count) {
      wake_at(wanted ? now + 1 : run->first + run->count - 1u + latency);
      return;
    }
  }
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
    if (!write.accumulate) {
      std::copy(from, from + cols, to);
      return;
    }
    values_->plane().accumulate(to, from, static_cast<int>(cols));
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
