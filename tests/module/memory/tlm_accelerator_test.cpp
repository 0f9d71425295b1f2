// The whole accelerator as a TLM-2.0 target: a CPU thread issues a recorded program through the registers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hw/top/machine.h"
#include "hw/top/tlm_accelerator.h"
#include "isa/trace.h"
#include "tests/support/unit_bench.h"
#include "user_memory.h"
#include <tlm_utils/simple_initiator_socket.h>

namespace systole::test {
namespace {

const char* const kTrace = SYSTOLE_TEST_DATA "/soc/l_enc_tiny_a.trace.gz";

enum class Wait { kPoll, kInterrupt };

class Cpu final : public sc_core::sc_module {
 public:
  Cpu(const sc_core::sc_module_name& name, const isa::Program& program, hw::TlmAccelerator& device, Wait wait)
      : sc_core::sc_module(name), program_(program), device_(device), wait_(wait) {
    sc_core::sc_spawn([this] { run(); });
  }
  tlm_utils::simple_initiator_socket<Cpu> socket{"socket"};
  bool done = false;

  tlm::tlm_response_status access(bool write, std::uint64_t address, std::uint64_t& value, unsigned bytes = 8) {
    tlm::tlm_generic_payload payload;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    sc_time delay(2, sc_core::SC_NS);
    socket->b_transport(payload, delay);
    sc_core::wait(delay);
    return payload.get_response_status();
  }

 private:
  void write(std::uint64_t address, std::uint64_t value) { EXPECT_EQ(access(true, address, value), tlm::TLM_OK_RESPONSE); }
  void fence() {
    if (wait_ == Wait::kInterrupt) {
      if (!device_.interrupt.read()) sc_core::wait(device_.interrupt.posedge_event());
      return;
    }
    std::uint64_t status = 1;
    while ((status & 1) != 0) {
      sc_core::wait(50, sc_core::SC_NS);
      EXPECT_EQ(access(false, hw::TlmAccelerator::kStatus, status), tlm::TLM_OK_RESPONSE);
    }
  }
  void run() {
    std::uint64_t value = 200;
    EXPECT_EQ(access(true, hw::TlmAccelerator::kCommand, value), tlm::TLM_GENERIC_ERROR_RESPONSE);   // no such funct
    EXPECT_EQ(access(true, 0x100, value), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(access(false, hw::TlmAccelerator::kStatus, value, 4), tlm::TLM_BURST_ERROR_RESPONSE);
    bool pending = false;
    for (const isa::Item& item : program_.items) {
      if (item.kind == isa::ItemKind::kCommand) {
        write(hw::TlmAccelerator::kRs1, item.instruction.rs1);
        write(hw::TlmAccelerator::kRs2, item.instruction.rs2);
        write(hw::TlmAccelerator::kCommand, item.instruction.funct);
        pending = true;
      } else if (item.kind == isa::ItemKind::kFence && pending) {
        fence();
        pending = false;
      }
    }
    done = true;
    sc_core::sc_stop();
  }
  const isa::Program& program_;
  hw::TlmAccelerator& device_;
  const Wait wait_;
};

std::string crcs(const isa::Trace& trace, const Memory& memory) {
  std::string text;
  for (const std::uint32_t crc : isa::check_crcs(trace, memory)) text += fmt::format(" {:08x}", crc);
  return text;
}

std::string run_device(Wait wait, Target target, BenchMode mode) {
  const isa::Trace trace = isa::read_trace(kTrace);
  Memory memory;
  isa::apply_fills(trace, memory);
  hw::TlmAcceleratorOptions options;
  options.scheduler = mode.scheduler;
  options.memory_style = target == Target::kDelay || target == Target::kWait || target == Target::kRefuses ? hw::TlmStyle::kLooselyTimed : hw::TlmStyle::kApproximatelyTimed;
  hw::TlmAccelerator device("device", hw::MachineParams{}, options);
  UserMemory user("user_memory", memory, target, 20);
  Cpu cpu("cpu", trace.program, device, wait);
  device.memory().socket.bind(user.socket);
  cpu.socket.bind(device.registers);
  sc_core::sc_start();
  device.check();
  return fmt::format("{} {} cycles {}", cpu.done ? "done" : "not done", device.cycles(), crcs(trace, memory));
}

std::string in_a_process(const std::function<std::string()>& task) {
  std::string text;
  run_tasks(1, 1, [&](std::size_t) { return task(); }, [&](std::size_t, TaskResult result) { text = text_or_throw(result); });
  return text;
}

std::string expected_memory() {
  return in_a_process([] {
    const isa::Trace trace = isa::read_trace(kTrace);
    Memory memory;
    isa::apply_fills(trace, memory);
    hw::Machine machine(hw::MachineParams{}, memory, {});
    (void)machine.run(trace.program);
    return crcs(trace, memory);
  });
}

void expect_right(Wait wait, Target target) {
  const std::string fast = in_a_process([&] { return run_device(wait, target, {SchedulerMode::kFast, false}); });
  EXPECT_EQ(fast.substr(0, 5), "done ");
  EXPECT_EQ(fast.substr(fast.find("cycles ") + 7), expected_memory());
  EXPECT_EQ(in_a_process([&] { return run_device(wait, target, {SchedulerMode::kNative, false}); }), fast);
}

TEST(TlmAccelerator, ProgramWithInterrupts) { expect_right(Wait::kInterrupt, Target::kDelay); }
TEST(TlmAccelerator, ProgramWithPolling) { expect_right(Wait::kPoll, Target::kDelay); }
TEST(TlmAccelerator, ApproximatelyTimedMemory) { expect_right(Wait::kInterrupt, Target::kFourPhases); }
TEST(TlmAccelerator, MemoryThatWaits) { expect_right(Wait::kInterrupt, Target::kWait); }

TEST(TlmAccelerator, AnErrorOfTheMemoryEndsTheSimulation) {
  EXPECT_THROW((void)in_a_process([] { return run_device(Wait::kInterrupt, Target::kRefuses, {}); }), ModelError);
}

}  // namespace
}  // namespace systole::test
