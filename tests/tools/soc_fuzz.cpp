// Runs random legal programs on random SoC memories in every way to run them and compares all that a run leaves, beats on the port and on AXI
// and the values in memory among it. Not with the oracle: two loads of the same rows are ordered only by a memory that answers in order.
//   soc_fuzz FIRST_SEED COUNT [JOBS]
//   soc_fuzz FIRST_SEED COUNT JOBS --digest      a checksum per program: two builds that print the same behave the same
//   soc_fuzz SEED 1 1 --show                     the text behind a checksum
//   soc_fuzz SEED 1 1 --trace                    the program, for `systole replay`
// Exit code 1 when a program differs.
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "hw/top/machine.h"
#include "sim/base/crc32.h"
#include "sim/base/process_pool.h"
#include "sim/config/trace_machine.h"
#include "tests/support/program_generator.h"
#include "tests/support/random_soc.h"
#include "tests/support/run_text.h"

using namespace systole;

namespace {

constexpr Cycle kMaxCycles = 50'000'000;

struct Mode {
  const char* name;
  SchedulerMode scheduler;
  bool reversed;
  Granularity granularity;
};

// The first is what the others are compared with.
constexpr Mode kModes[] = {
    {"row by row", SchedulerMode::kFast, false, Granularity::kRow},
    {"fast", SchedulerMode::kFast, false, Granularity::kRuns},
    {"fast, reversed order", SchedulerMode::kFast, true, Granularity::kRuns},
    {"native", SchedulerMode::kNative, false, Granularity::kRuns},
    {"every cycle", SchedulerMode::kEveryCycle, false, Granularity::kRuns},
};

// Beats by cycle, with what identifies them: a run may be told in advance.
class Recorder final : public hw::PortLog, public hw::MemoryLog {
 public:
  void request(Cycle now, const hw::RequestBeat& beat) override {
    add(requests_, now, beat.address << 8 | static_cast<std::uint64_t>(beat.opcode) << 4 | beat.lg_size, beat.mask);
  }
  void response(Cycle now, const hw::ResponseBeat& beat) override {
    const unsigned flags = (beat.first ? 1u : 0u) | (beat.last ? 2u : 0u) | static_cast<unsigned>(beat.opcode) << 2 | static_cast<unsigned>(beat.client) << 3;
    add(responses_, now, std::uint64_t{beat.source} << 16 | std::uint64_t{beat.beat} << 8 | beat.lg_size, flags);
  }
  void response_stalled(Cycle cycles) override { stalled_ += cycles; }
  void axi(Cycle now, hw::AxiBeat beat, std::uint64_t address) override { add(axi_, now, address, static_cast<std::uint64_t>(beat)); }
  void l2_outcome(hw::DmaClient client, std::uint16_t source, hw::L2Outcome outcome) override {
    add(outcomes_, outcomes_.size(), std::uint64_t{source} << 8 | static_cast<std::uint64_t>(client), static_cast<std::uint64_t>(outcome));
  }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    const auto put = [&](const char* name, const std::multimap<Cycle, Beat>& beats) {
      Crc32 crc;
      for (const auto& [cycle, beat] : beats) {
        for (const std::uint64_t word : {std::uint64_t{cycle}, beat.first, beat.second}) crc.update(&word, sizeof word);
      }
      out << name << ' ' << beats.size() << ' ' << crc32_text(crc.value()) << '\n';
    };
    put("port A", requests_);
    put("port D", responses_);
    put("AXI", axi_);
    put("outcomes", outcomes_);
    out << "port D stalled " << stalled_ << '\n';
    return out.str();
  }

 private:
  using Beat = std::pair<std::uint64_t, std::uint64_t>;
  static void add(std::multimap<Cycle, Beat>& beats, Cycle now, std::uint64_t a, std::uint64_t b) { beats.emplace(now, Beat{a, b}); }
  std::multimap<Cycle, Beat> requests_, responses_, axi_, outcomes_;
  std::uint64_t stalled_ = 0;
};

// One line per number; or the error, which is the same in every way, too.
std::string describe(const isa::Trace& trace, const Mode& mode) {
  Memory memory;
  isa::apply_fills(trace, memory);
  Recorder recorder;
  hw::MachineOptions options;
  options.scheduler = mode.scheduler;
  options.reverse_order = mode.reversed;
  options.granularity = mode.granularity;
  options.max_cycles = kMaxCycles;
  options.loop_conv_revision = trace.loop_conv_encoding;
  options.port_log = &recorder;
  options.memory_log = &recorder;
  hw::Machine machine(config::trace_machine(trace).params, memory, options);
  hw::MachineResult run;
  try {
    run = machine.run(trace.program);
  } catch (const ModelError& error) {
    return std::string(error.what()) + '\n';
  }
  std::ostringstream out;
  out << test::run_text(run);
  out << recorder.text();
  for (const std::uint32_t crc : isa::check_crcs(trace, memory)) out << "memory " << crc32_text(crc) << '\n';
  return out.str();
}

isa::Trace program(std::uint64_t seed) {
  test::PlanOptions options;
  // A request must fit into a line.
  if (test::make_plan(seed, options).geometry.max_request_bytes > 64) options.geometry = test::machines().front();
  return test::on_random_soc(test::emit(test::make_plan(seed, options)), seed);
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  const std::string_view option = argc == 5 ? argv[4] : "";
  const bool digest = option == "--digest", show = option == "--show", trace = option == "--trace";
  if (argc < 3 || argc > 5 || (argc == 5 && !digest && !show && !trace)) {
    std::cerr << "usage: soc_fuzz FIRST_SEED COUNT [JOBS [--digest|--show|--trace]]\n";
    return 2;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const std::size_t count = std::strtoull(argv[2], nullptr, 10);
  const int jobs = argc > 3 ? std::atoi(argv[3]) : 1;
  constexpr Mode kFast = kModes[1];
  if (trace) {
    for (std::size_t i = 0; i < count; ++i) std::cout << isa::format_trace(program(first + i));
    return 0;
  }
  if (digest || show) {
    std::vector<std::string> lines(count);
    run_tasks(
        count, jobs,
        [&](std::size_t i) {
          const std::string text = describe(program(first + i), kFast);
          return show ? text : crc32_text(crc32_of(text.data(), text.size()));
        },
        [&](std::size_t i, const TaskResult& result) { lines[i] = result.text; });
    for (std::size_t i = 0; i < count; ++i) std::cout << "seed " << first + i << ' ' << lines[i] << '\n';
    return 0;
  }

  constexpr std::size_t kWays = std::size(kModes);
  std::vector<TaskResult> results(count * kWays);
  run_tasks(
      results.size(), jobs, [&](std::size_t i) { return describe(program(first + i / kWays), kModes[i % kWays]); },
      [&](std::size_t i, const TaskResult& result) { results[i] = result; });

  std::size_t different = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TaskResult& reference = results[i - i % kWays];
    const bool ran = reference.end == TaskEnd::kDone && results[i].end == TaskEnd::kDone;
    if (ran && results[i].text == reference.text) continue;
    ++different;
    std::cout << "seed " << first + i / kWays << ": " << kModes[i % kWays].name << ": " << (ran ? test::first_difference(reference.text, results[i].text) : results[i].text)
              << '\n';
  }
  std::cout << count << " programs, " << kWays << " ways to run each: " << different << " runs differ\n";
  return different == 0 && count != 0 ? 0 : 1;
}
