#include <string>

#include "sim/base/errors.h"
#include "sim/study/sweep.h"
#include "tests/fuzz/parsers.h"
#include "workloads/graph/graph_yaml.h"

namespace systole::test {

void parse_as_graph(std::string_view bytes) {
  try {
    (void)workloads::parse_graph(std::string(bytes), "fuzz");
  } catch (const ConfigError&) {
  }
}

void parse_as_sweep(std::string_view bytes) {
  try {
    (void)study::parse_sweep(std::string(bytes), "fuzz");
  } catch (const ConfigError&) {
  }
}

}  // namespace systole::test
