#include "hw/memory/soc/directory.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw::soc {

Directory::Directory(const Geometry& geometry, unsigned bank, L2State fill)
    : geometry_(geometry), bank_(bank), tags_(std::size_t{geometry.sets} * geometry.ways, kNoTag), states_(tags_.size()) {
  if (fill == L2State::kInvalid) return;
  for (std::uint32_t set = 0; set < geometry_.sets; ++set) {
    for (unsigned way = 0; way < geometry_.ways; ++way) {
      put(set, way, {geometry_.tag_of(kFillBase) + way, true, fill == L2State::kDirty});
    }
  }
}

void Directory::place(std::uint64_t address, unsigned way, bool dirty) {
  if (way >= geometry_.ways) throw ConfigError(fmt::format("resident line {:#x} in way {}: the cache has {} ways (soc.l2_ways)", address, way, geometry_.ways));
  SYSTOLE_CHECK(geometry_.bank_of(address) == bank_);
  const std::uint32_t set = geometry_.set_of(address);
  const std::uint64_t tag = geometry_.tag_of(address);
  for (unsigned other = 0; other < geometry_.ways; ++other) {
    if (other != way && at(set, other).valid && at(set, other).tag == tag) {
      throw ConfigError(fmt::format("resident line {:#x} is put into way {} and into way {}; a line has one place", address, other, way));
    }
  }
  put(set, way, {tag, true, dirty});
}

}  // namespace systole::hw::soc
