#include "tests/support/hazard_tracker.h"

namespace systole::test {
namespace {

// Two accumulating writes to one row within two cycles lose one of them; loads of this many rows keep them apart.
constexpr std::uint32_t kSafeRows = 4;

}  // namespace

HazardTracker::HazardTracker(const isa::Geometry& geometry)
    : row_bits_(geometry.row_bits()),
      scratchpad_(static_cast<std::size_t>(geometry.scratchpad_rows())),
      accumulator_(static_cast<std::size_t>(geometry.accumulator_rows())) {}

void HazardTracker::fence() {
  scratchpad_.assign(scratchpad_.size(), Row{});
  accumulator_.assign(accumulator_.size(), Row{});
  idle_ = true;
  computing_ = stored_ = odd_loads_ = overlapping_loads_ = next_load_unsafe_ = array_accumulates_ = load_accumulates_ =
      loops_running_ = last_row_written_ = false;
}

bool HazardTracker::load_needs_fence(const Rows& rows, LoadPath path) const {
  if (next_load_unsafe_) return true;
  if (rows.first.is_accumulator() && rows.first.accumulate() && array_accumulates_) return true;
  const std::vector<Row>& target = memory(rows);
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    const Row& entry = target[row(rows, i)];
    if (entry.load == LoadPath::kNone) continue;
    if (stored_ || entry.load != path || path == LoadPath::kScaled || entry.short_load || rows.count < kSafeRows)
      return true;
  }
  return false;
}

void HazardTracker::note_load(const Rows& rows, LoadPath path) {
  idle_ = false;
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    Row& entry = memory(rows)[row(rows, i)];
    overlapping_loads_ = overlapping_loads_ || entry.load != LoadPath::kNone;
    entry.load = path;
    entry.result_of = kNoResult;  // the load has waited for the result
    entry.short_load = rows.count < kSafeRows;
  }
  const bool usual = rows.first.is_accumulator() ? path == LoadPath::kFull : path == LoadPath::kPlain;
  odd_loads_ = odd_loads_ || !usual;
  load_accumulates_ = load_accumulates_ || (rows.first.is_accumulator() && rows.first.accumulate());
}

bool HazardTracker::read_needs_fence(const Rows& rows) const {
  const std::vector<Row>& source = memory(rows);
  const auto first = static_cast<std::int32_t>(row(rows, 0));
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    const std::int32_t result = source[row(rows, i)].result_of;
    if (result != kNoResult && result != first) return true;
  }
  return false;
}

bool HazardTracker::result_needs_fence(const Rows& rows) const {
  if (!rows.first.is_accumulator() || !rows.first.accumulate()) return false;
  if (load_accumulates_) return true;
  const auto start = static_cast<std::int32_t>(row(rows, 0));
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    const std::int32_t other = memory(rows)[row(rows, i)].result_start;
    if (other != kNoResult && other != start) return true;
  }
  return false;
}

void HazardTracker::note_compute(const Rows& result, bool next_load_unsafe, bool recognised) {
  idle_ = false;
  computing_ = true;
  next_load_unsafe_ = next_load_unsafe_ || next_load_unsafe;
  if (result.count == 0) return;
  array_accumulates_ = array_accumulates_ || (result.first.is_accumulator() && result.first.accumulate());
  const std::uint32_t garbage_row = (std::uint32_t{1} << row_bits_) - 1;
  last_row_written_ = last_row_written_ || (result.first.is_accumulator() && row(result, 0) == garbage_row);
  const std::int32_t mark = recognised ? static_cast<std::int32_t>(row(result, 0)) : kUnrecognised;
  for (std::uint32_t i = 0; i < result.count; ++i) {
    Row& written = memory(result)[row(result, i)];
    written.result_of = mark;
    written.result_start = static_cast<std::int32_t>(row(result, 0));
  }
}

void HazardTracker::note_loop(bool accumulates_by_load) {
  idle_ = false;
  computing_ = computing_ || !accumulates_by_load;
  stored_ = true;
  loops_running_ = true;
  array_accumulates_ = array_accumulates_ || !accumulates_by_load;
  load_accumulates_ = load_accumulates_ || accumulates_by_load;
}

}  // namespace systole::test
