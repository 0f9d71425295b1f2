#include "sim/run/live_memory.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::run {

LiveMemory::LiveMemory(const workloads::Lowered& lowered, Memory& memory) : program_(lowered.program), memory_(memory) {
  find_ranges();
  find_uses();
  order_contents(lowered.borrowed);
}

void LiveMemory::find_ranges() {
  for (const isa::Symbol& symbol : program_.symbols) ranges_.push_back({symbol.address, symbol.address + symbol.bytes});
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> merged;
  for (const Range& range : ranges_) {
    if (!merged.empty() && range.begin < merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

// Whatever an operand means: as an address it would name this tensor. A number that happens to look like one only prolongs a life.
void LiveMemory::find_uses() {
  const auto use = [&](std::uint64_t operand, std::size_t item) {
    const std::size_t index = find(operand);
    if (index == ranges_.size()) return;
    ranges_[index].first = std::min(ranges_[index].first, item);
    ranges_[index].last = item;
  };
  for (std::size_t n = 0; n < program_.items.size(); ++n) {
    const isa::Item& item = program_.items[n];
    if (item.kind == isa::ItemKind::kCommand) {
      use(item.instruction.rs1, n);
      use(item.instruction.rs2, n);
    }
    if (item.kind == isa::ItemKind::kHostOp) {
      for (const std::uint64_t argument : program_.host_ops.at(item.value).arguments) use(argument, n);
    }
  }
  for (std::size_t index = 0; index < ranges_.size(); ++index) {
    if (ranges_[index].first != kNever) by_death_.push_back(index);
  }
  std::sort(by_death_.begin(), by_death_.end(), [&](std::size_t a, std::size_t b) { return ranges_[a].last < ranges_[b].last; });
}

void LiveMemory::order_contents(const std::vector<workloads::Borrowed>& borrowed) {
  const auto add = [&](std::uint64_t address, const void* data, std::size_t bytes) {
    if (bytes == 0) return;
    if (!memory_.contains(address, bytes)) {
      throw ConfigError(fmt::format("the program needs memory at {:#x}, which ends at {:#x}", address + bytes, memory_.base() + memory_.bytes()));
    }
    const std::size_t index = find(address);
    const bool named = index != ranges_.size() && ranges_[index].first != kNever;
    contents_.push_back({address, data, bytes, named ? ranges_[index].first : 0});
  };
  for (const isa::Segment& segment : program_.image) add(segment.address, segment.bytes.data(), segment.bytes.size());
  for (const workloads::Borrowed& b : borrowed) add(b.address, b.data, b.bytes);
  std::stable_sort(contents_.begin(), contents_.end(), [](const Contents& a, const Contents& b) { return a.first < b.first; });
}

void LiveMemory::advance(std::size_t next) {
  if (next == 0) {
    dying_ = loaded_ = 0;
    for (Range& range : ranges_) range.holds = 0;
  }
  next_ = next;
  for (; dying_ < by_death_.size() && dead(ranges_[by_death_[dying_]]); ++dying_) {
    const Range& range = ranges_[by_death_[dying_]];
    if (range.holds == 0) forget(range);
  }
  std::size_t fence = next;
  while (fence < program_.items.size() && program_.items[fence].kind != isa::ItemKind::kFence) ++fence;
  for (; loaded_ < contents_.size() && contents_[loaded_].first <= fence; ++loaded_) {
    const Contents& c = contents_[loaded_];
    std::memcpy(memory_.at(c.address, c.bytes), c.data, c.bytes);
  }
}

bool LiveMemory::dead(std::uint64_t address) const {
  const std::size_t index = find(address);
  SYSTOLE_CHECK(index != ranges_.size());
  return dead(ranges_[index]);
}

void LiveMemory::hold(std::uint64_t address) {
  const std::size_t index = find(address);
  SYSTOLE_CHECK(index != ranges_.size());
  ++ranges_[index].holds;
}

void LiveMemory::release(std::uint64_t address) {
  const std::size_t index = find(address);
  SYSTOLE_CHECK(index != ranges_.size() && ranges_[index].holds != 0);
  if (--ranges_[index].holds == 0 && dead(ranges_[index])) forget(ranges_[index]);
}

std::size_t LiveMemory::find(std::uint64_t address) const {
  const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), address, [](std::uint64_t a, const Range& r) { return a < r.begin; });
  if (behind == ranges_.begin() || address >= std::prev(behind)->end) return ranges_.size();
  return static_cast<std::size_t>(std::prev(behind) - ranges_.begin());
}

void LiveMemory::forget(const Range& range) {
  const std::uint64_t pages = (range.end - range.begin + Memory::kPage - 1) / Memory::kPage;
  memory_.forget(range.begin, pages * Memory::kPage);
}

}  // namespace systole::run
