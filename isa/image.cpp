#include "isa/image.h"

#include <cstring>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::isa {

void load_image(const Program& program, Memory& memory) {
  for (const Segment& segment : program.image) {
    if (!memory.contains(segment.address, segment.bytes.size())) {
      throw ConfigError(fmt::format("the program's image at {:#x} ({} bytes) lies outside memory", segment.address, segment.bytes.size()));
    }
    if (!segment.bytes.empty()) std::memcpy(memory.at(segment.address, segment.bytes.size()), segment.bytes.data(), segment.bytes.size());
  }
}

}  // namespace systole::isa
