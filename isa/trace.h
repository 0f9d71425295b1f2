#pragma once
// "systole-trace 1": a stream of RoCC commands as text, with the machine it is for, the memory it starts from and the
// memory ranges whose final content is compared. One item per line; lines that start with # are comments, some of them
// carry information.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isa/program.h"
#include "sim/base/memory.h"

namespace systole::isa {

// `machine key=value`: a parameter that differs from the default machine. Keys are checked by the machine's
// configuration.
struct MachineSetting {
  std::string key;
  std::string value;
  std::size_t line = 0;
};

// `mem latency=L beat_bytes=B`: the ideal memory behind the port.
struct TraceMemory {
  std::uint64_t latency = 0;  // cycles from the last request beat to the first answer beat
  std::uint64_t beat_bytes = 0;
};

// `fill`: pseudo-random elements lo..hi (splitmix64 from `seed`), one output of the generator each.
struct Fill {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  int element_bytes = 1;  // 1: int8, 4: int32 little endian
  std::int64_t lo = 0;
  std::int64_t hi = 0;
  std::uint64_t seed = 0;
  std::size_t line = 0;
};

// `check`: a memory range whose CRC-32 after the last fence is part of the expectation.
struct CheckRange {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::size_t line = 0;
};

// `resident`: lines of the last-level cache that are present before the first command.
struct Resident {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool dirty = false;
  int way = 0;
  std::size_t line = 0;
};

struct Trace {
  std::string name;  // file name for messages
  std::vector<MachineSetting> machine;
  std::optional<TraceMemory> memory;  // absent when the machine names another memory system
  std::vector<Fill> fills;            // apply in this order
  std::vector<CheckRange> checks;
  std::vector<Resident> residents;  // apply in this order
  int loop_conv_encoding = 2023;    // form of the convolution words; `# loop_conv encoding=2025` changes it
  Program program;                  // commands, gaps, fences, regions; symbols from `# tensor name address bytes`

  // The value of a machine setting, or nullptr.
  [[nodiscard]] const std::string* setting(std::string_view key) const;
};

// Both throw ConfigError (file:line:column) for anything that is not a complete trace.
[[nodiscard]] Trace read_trace(const std::string& path);  // plain or gzip
[[nodiscard]] Trace parse_trace(std::string_view text, const std::string& name);

// The text of a trace. parse_trace reads it back; host operations and image segments have no place in it (ConfigError).
[[nodiscard]] std::string format_trace(const Trace& trace);

// Writes the initial memory. Throws ConfigError for a range outside of `memory`.
void apply_fills(const Trace& trace, Memory& memory);

// CRC-32 of every check range, in file order. Throws ConfigError for a range outside of `memory`.
[[nodiscard]] std::vector<std::uint32_t> check_crcs(const Trace& trace, const Memory& memory);

// The generator of `fill`.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace systole::isa
