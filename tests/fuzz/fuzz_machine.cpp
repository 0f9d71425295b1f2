#include <cstddef>
#include <cstdint>

#include "tests/fuzz/parsers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  systole::test::parse_as_machine({reinterpret_cast<const char*>(data), size});
  return 0;
}
