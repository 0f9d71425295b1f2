#pragma once
#include <cstdint>

namespace systole::hw {

// Names bytes that travel with a message. Only hw/datapath/value_plane can open it; timing never looks inside.
struct ValueRef {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint32_t slot = kNone;
};

}  // namespace systole::hw
