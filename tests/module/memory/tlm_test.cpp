// The accelerator with a memory of the user's own behind the TLM-2.0 socket, against the ideal memory of the same latency.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "hw/memory/tlm_memory.h"
#include "hw/top/machine.h"
#include "isa/trace.h"
#include "tests/support/unit_bench.h"
#include "user_memory.h"

namespace systole::test {
namespace {

constexpr int kLatency = 20;
const char* const kTrace = SYSTOLE_TEST_DATA "/soc/l_enc_tiny_a.trace.gz";

std::string describe(const hw::MachineResult& result, const isa::Trace& trace, const Memory& memory) {
  std::uint64_t accepts = 0;
  for (const Cycle accept : result.accepts) accepts = accepts * 31 + accept;
  std::string text = fmt::format("{} cycles, accepts {:x}, memory", result.cycles, accepts);
  for (const std::uint32_t crc : isa::check_crcs(trace, memory)) text += fmt::format(" {:08x}", crc);
  return text;
}

hw::MachineOptions options_of(BenchMode mode) {
  hw::MachineOptions options;
  options.scheduler = mode.scheduler;
  options.reverse_order = mode.reverse;
  options.max_cycles = 10'000'000;
  return options;
}

std::string run_ideal(int latency, BenchMode mode) {
  const isa::Trace trace = isa::read_trace(kTrace);
  hw::MachineParams params;
  params.memory.latency = latency;
  Memory memory;
  isa::apply_fills(trace, memory);
  hw::Machine machine(params, memory, options_of(mode));
  return describe(machine.run(trace.program), trace, memory);
}

std::string run_tlm(Target target, int cycles, BenchMode mode) {
  const isa::Trace trace = isa::read_trace(kTrace);
  const bool loose = target == Target::kDelay || target == Target::kWait || target == Target::kRefuses;
  hw::MachineOptions options = options_of(mode);
  options.tlm_memory = loose ? hw::TlmStyle::kLooselyTimed : hw::TlmStyle::kApproximatelyTimed;
  Memory unused, memory;
  isa::apply_fills(trace, memory);
  hw::Machine machine(hw::MachineParams{}, unused, options);
  UserMemory user("user_memory", memory, target, cycles);
  machine.tlm_memory().socket.bind(user.socket);
  return describe(machine.run(trace.program), trace, memory);
}

std::string in_a_process(const std::function<std::string()>& task) {
  std::string text;
  run_tasks(1, 1, [&](std::size_t) { return task(); }, [&](std::size_t, TaskResult result) { text = text_or_throw(result); });
  return text;
}

// The same cycles and the same memory as with ideal memory of latency `equal`, in every mode.
void expect_ideal(Target target, int cycles, int equal) {
  const std::string ideal = in_a_process([&] { return run_ideal(equal, {}); });
  for (const std::string& text : in_every_mode([&](BenchMode mode) { return run_tlm(target, cycles, mode); })) EXPECT_EQ(text, ideal);
}

TEST(TlmMemory, LooselyTimedTargetWithADelay) { expect_ideal(Target::kDelay, kLatency, kLatency); }
TEST(TlmMemory, LooselyTimedTargetThatWaits) { expect_ideal(Target::kWait, kLatency, kLatency + 1); }
TEST(TlmMemory, ApproximatelyTimedTargetWithFourPhases) { expect_ideal(Target::kFourPhases, kLatency, kLatency + 1); }
TEST(TlmMemory, ApproximatelyTimedTargetThatAnswersAtOnce) { expect_ideal(Target::kEarlyAnswer, kLatency, kLatency); }
TEST(TlmMemory, ApproximatelyTimedTargetThatEndsRequestsLate) { expect_ideal(Target::kLateEndRequest, kLatency, kLatency + 1); }

TEST(TlmMemory, AnErrorOfTheTargetNamesCommandAddressAndCycle) {
  try {
    (void)in_a_process([] { return run_tlm(Target::kRefuses, kLatency, {}); });
    FAIL() << "no error";
  } catch (const ModelError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("TLM_ADDRESS_ERROR_RESPONSE"), std::string::npos) << text;
    EXPECT_NE(text.find("loop_ws"), std::string::npos) << text;
    EXPECT_NE(text.find("cycle"), std::string::npos) << text;
    EXPECT_NE(text.find("0x"), std::string::npos) << text;
  }
}

TEST(TlmMemory, AMachineWithoutTheOptionHasNoSocket) {
  EXPECT_THROW((void)in_a_process([]() -> std::string {
                 Memory memory;
                 hw::Machine machine(hw::MachineParams{}, memory, {});
                 (void)machine.tlm_memory();
                 return "";
               }),
               ConfigError);
}

}  // namespace
}  // namespace systole::test
