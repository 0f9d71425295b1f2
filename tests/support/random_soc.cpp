#include "tests/support/random_soc.h"

#include <algorithm>
#include <string>

#include "tests/support/random.h"

namespace systole::test {

isa::Trace on_random_soc(isa::Trace trace, std::uint64_t seed) {
  Random random(seed ^ 0x50C);
  const auto set = [&](const char* key, const std::string& value) {
    auto& settings = trace.machine;
    settings.erase(std::remove_if(settings.begin(), settings.end(), [&](const isa::MachineSetting& s) { return s.key == key; }), settings.end());
    settings.push_back({key, value, 0});
  };
  const auto number = [&](const char* key, std::initializer_list<int> values) { set(key, std::to_string(random.pick(values))); };
  const auto choice = [&](const char* key, std::initializer_list<const char*> values) { set(key, random.pick(values)); };

  set("memory.model", "soc");
  choice("soc.l2_state", {"inv", "clean", "dirty"});
  number("soc.l2_kib", {16, 64, 512, 512});
  // Half of them are the recorded SoC but for what the cache holds and how fast memory is.
  if (random.chance(50)) {
    number("soc.axi_latency", {1, 30, 60, 100});
    return trace;
  }
  number("soc.bus_latency", {0, 0, 1, 2, 5});
  number("soc.l2_ways", {1, 4, 8, 16});
  number("soc.l2_banks", {1, 1, 2, 4});
  number("soc.l2_mshrs", {1, 3, 10, 10, 24});
  number("soc.l2_queued_requests", {1, 28});
  number("soc.l2_put_beats", {8, 40});
  number("soc.l2_grants", {1, 8});
  number("soc.axi_bytes", {8, 8, 16, 32, 64});
  choice("soc.dram", {"fixed", "ddr3_1600", "ddr4_2400", "lpddr4_3200"});
  choice("soc.dram_page", {"open", "closed"});
  number("soc.dram_read_queue", {2, 16});
  number("soc.llc_kib", {0, 0, 64, 1024});
  number("soc.axi_latency", {1, 13, 30, 60});
  number("soc.axi_write_latency", {1, 10, 40});
  return trace;
}

}  // namespace systole::test
