#pragma once
// "systole-expect 1": what a machine did with a trace - cycles, port traffic, final memory. Written by a run, read as a
// golden file.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace systole::isa {

// Transactions of one kind at the memory port.
struct PortCounts {
  static constexpr int kSizes = 9;  // 1, 2, 4, ..., 256 bytes
  std::uint64_t transactions = 0;
  std::uint64_t beats = 0;
  std::array<std::uint64_t, kSizes> size{};  // transactions of 2^i bytes

  // Books one transaction of 2^lg_bytes bytes.
  void add(int lg_bytes, std::uint64_t transaction_beats) {
    ++transactions;
    beats += transaction_beats;
    ++size.at(static_cast<std::size_t>(lg_bytes));
  }
};

struct CheckResult {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::uint32_t crc32 = 0;
};

// AXI port of a memory system with a last-level cache.
struct AxiExpectation {
  std::uint64_t reads = 0;  // bursts of one cache line
  std::uint64_t writes = 0;
  std::optional<std::uint64_t> last_cycle;
  std::uint32_t ar_crc32 = 0;
  std::uint32_t aw_crc32 = 0;
};

struct CacheExpectation {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t allocations = 0;
  std::uint64_t directory_reads = 0;
  std::uint64_t victims_clean = 0;
  std::uint64_t victims_dirty = 0;
};

// All cycles are relative to the acceptance of the first command.
struct Expectation {
  std::string revision = "2023";
  std::uint64_t latency = 0;
  std::uint64_t commands = 0;
  std::uint64_t cycles = 0;
  std::vector<std::uint64_t> fences;
  std::uint64_t accept_every = 1;  // step of `accept`: see accept_step()
  std::vector<std::uint64_t> accept;
  std::uint32_t accept_crc32 = 0;
  PortCounts get;
  PortCounts put;
  std::uint64_t port_a_beats = 0;
  std::uint32_t port_a_crc32 = 0;
  std::vector<std::uint64_t> port_a_every100;
  std::uint32_t port_d_crc32 = 0;
  std::uint64_t port_d_stall_cycles = 0;
  std::optional<std::uint32_t> port_d_request_crc32;
  std::optional<AxiExpectation> axi;
  std::optional<CacheExpectation> l2;
  std::optional<std::vector<CheckResult>> checks;  // absent when the memory content is not part of the expectation
};

// 1 up to 400 commands, else 100.
[[nodiscard]] std::uint64_t accept_step(std::uint64_t commands);

// Throw ConfigError naming file and key for anything but a complete expectation.
[[nodiscard]] Expectation read_expectation(const std::string& path);
[[nodiscard]] Expectation parse_expectation(std::string_view json, const std::string& name);

[[nodiscard]] std::string format_expectation(const Expectation& expectation);
void write_expectation(const std::string& path, const Expectation& expectation);  // atomically

// The first difference in the order in which one debugs: set-up, memory, transactions, port beats, fences, acceptance,
// checksums. Keys that `expected` does not have are not compared. Empty when equal.
[[nodiscard]] std::string first_difference(const Expectation& expected, const Expectation& actual);

// "X.expect.json" beside "X.trace" or "X.trace.gz".
[[nodiscard]] std::string expectation_path(const std::string& trace_path);

}  // namespace systole::isa
