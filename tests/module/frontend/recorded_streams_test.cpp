// Streams of the unrollers for machines of other sizes than the reference; see tests/data/frontend/README.md.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "sim/base/crc32.h"
#include "tests/module/frontend/loop_bench.h"

namespace systole::test {
namespace {

struct Recorded {
  bool convolution = false;
  LoopBenchOptions options;
  std::vector<isa::Instruction> program;
  std::string stream;
};

hw::FrontEndParams read_machine(std::istringstream& line) {
  hw::MachineParams machine;
  line >> machine.array.dim >> machine.scratchpad.kib >> machine.accumulator.kib >> machine.accumulator.banks >> machine.dma.max_bytes >>
      machine.reservation.load >> machine.reservation.execute >> machine.reservation.store;
  return hw::make_front_end_params(machine);
}

std::vector<Recorded> read_recorded() {
  std::ifstream file(SYSTOLE_TEST_DATA "/frontend/loop_streams.txt");
  std::vector<Recorded> all;
  std::string text;
  while (std::getline(file, text)) {
    std::istringstream line(text);
    std::string key;
    line >> key;
    if (key == "unroller") {
      all.emplace_back();
      all.back().convolution = text == "unroller conv";
    } else if (key == "machine") {
      all.back().options.params = read_machine(line);
    } else if (key == "delay") {
      line >> all.back().options.completion_delay;
    } else if (key == "cmd") {
      isa::Instruction i;
      unsigned funct = 0;
      line >> funct >> std::hex >> i.rs1 >> i.rs2;
      i.funct = static_cast<std::uint8_t>(funct);
      all.back().program.push_back(i);
    } else if (key == "stream") {
      all.back().stream = text;
    }
  }
  return all;
}

std::string replay(const Recorded& recorded) {
  const LoopBenchResult result = recorded.convolution ? run_loop<hw::LoopConv>(recorded.program, recorded.options)
                                                      : run_loop<hw::LoopWs>(recorded.program, recorded.options);
  std::string text;
  Cycle last = 0;
  for (const auto& [cycle, command] : result.popped) {
    last = cycle - 1 - result.pushed.front();
    text += fmt::format("{} {} {:x} {:x}\n", last, command.instruction.funct, command.instruction.rs1, command.instruction.rs2);
  }
  return fmt::format("stream {} {} {}", result.popped.size(), last, crc32_text(crc32_of(text.data(), text.size())));
}

TEST(RecordedStreams, are_reproduced_on_every_geometry) {
  const std::vector<Recorded> all = read_recorded();
  ASSERT_GE(all.size(), 15u);
  std::vector<std::string> streams(all.size());
  run_tasks(
      all.size(), 1, [&](std::size_t n) { return replay(all[n]); },
      [&](std::size_t n, const TaskResult& result) { streams[n] = text_or_throw(result); });
  for (std::size_t n = 0; n < all.size(); ++n) EXPECT_EQ(streams[n], all[n].stream) << "program " << n;
}

}  // namespace
}  // namespace systole::test
