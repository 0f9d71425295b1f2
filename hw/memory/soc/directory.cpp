#include "hw/memory/soc/directory.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw::soc {

Directory::Directory(const Geometry& geometry, L2State fill) : geometry_(geometry), entries_(std::size_t{geometry.sets} * geometry.ways) {
  if (fill == L2State::kInvalid) return;
  for (std::uint32_t set = 0; set < geometry_.sets; ++set) {
    for (unsigned way = 0; way < geometry_.ways; ++way) {
      at(set, way) = {geometry_.tag_of(kFillBase) + way, true, fill == L2State::kDirty};
    }
  }
}

void Directory::place(std::uint64_t address, unsigned way, bool dirty) {
  if (way >= geometry_.ways) throw ConfigError(fmt::format("resident line {:#x} in way {}: the cache has {} ways (soc.l2_ways)", address, way, geometry_.ways));
  const std::uint32_t set = geometry_.set_of(address);
  const std::uint64_t tag = geometry_.tag_of(address);
  for (unsigned other = 0; other < geometry_.ways; ++other) {
    if (other != way && at(set, other).valid && at(set, other).tag == tag) {
      throw ConfigError(fmt::format("resident line {:#x} is put into way {} and into way {}; a line has one place", address, other, way));
    }
  }
  at(set, way) = {tag, true, dirty};
}

DirectoryResult Directory::result(std::uint32_t set, std::uint64_t tag) const {
  const DirectoryEntry* entries = &entries_[std::size_t{set} * geometry_.ways];
  const bool forward = write_waits_ && write_set_ == set;
  const auto entry = [&](unsigned way) -> const DirectoryEntry& { return forward && way == write_way_ ? write_entry_ : entries[way]; };
  for (unsigned way = 0; way < geometry_.ways; ++way) {
    if (entry(way).valid && entry(way).tag == tag) return {true, way, entry(way)};
  }
  return {false, victim_, entry(victim_)};
}

void Directory::settle_write() {
  if (!write_waits_) return;
  at(write_set_, write_way_) = write_entry_;
  write_waits_ = false;
}

}  // namespace systole::hw::soc
