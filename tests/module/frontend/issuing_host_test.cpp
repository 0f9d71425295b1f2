#include "hw/host/issuing_host.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <numeric>

#include "isa/host_operation.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"
#include "tests/module/frontend/instructions.h"
#include "tests/support/unit_bench.h"

namespace systole::test {
namespace {

using hw::Command;
using hw::IssuingHost;

constexpr Cycle kFirst = 16;

// Drives a level to given values in given cycles; `late`: only in the cycle itself, as units do that learn of a grant one cycle later.
class LevelDriver final : public Unit {
 public:
  LevelDriver(const sc_core::sc_module_name& name, BusyLine& line, std::vector<std::pair<Cycle, bool>> changes, bool late)
      : Unit(name), line_(line), changes_(std::move(changes)), late_(late) {}
  void begin() {
    for (const auto& [cycle, level] : changes_) wake_at(late_ ? cycle : cycle - 1);
  }
  void evaluate(Cycle now) override {
    for (const auto& [cycle, level] : changes_) {
      if (now == (late_ ? cycle : cycle - 1)) line_.set(cycle - 1, level);
    }
  }

 private:
  BusyLine& line_;
  std::vector<std::pair<Cycle, bool>> changes_;
  bool late_;
};

struct Options {
  hw::HostParams params;
  Stall sink = Stall::none();
  std::vector<std::pair<Cycle, bool>> busy;    // changes of the accelerator's level
  std::vector<std::pair<Cycle, bool>> other;   // of a second one
  bool late = false;
  BenchMode mode;
};

struct Result {
  IssuingHost::Log log;
  std::vector<std::pair<Cycle, Command>> taken;
  std::vector<Cycle> region_calls;
  Cycle done = kNever;
  std::vector<std::uint64_t> account;
  std::string state_text;
};

Result play(const isa::Program& program, const Options& options = {}) {
  Channel<Command> raw("raw", 1, 2);
  UnitBench bench(options.mode);
  Result result;
  IssuingHost::Callbacks callbacks;
  callbacks.done = [&](Cycle end) { result.done = end; };
  callbacks.region = [&](const IssuingHost::Boundary& boundary) { result.region_calls.push_back(boundary.begin); };
  IssuingHost host("host", options.params, raw, callbacks);
  Sink<Command> sink("sink", raw, options.sink);
  BusyLine busy, other;
  LevelDriver driver("driver", busy, options.busy, options.late);
  LevelDriver other_driver("other_driver", other, options.other, options.late);
  host.watch(busy);
  host.watch(other);
  for (Unit* unit : std::initializer_list<Unit*>{&host, &sink, &driver, &other_driver}) bench.add(*unit);
  bench.elaborate();
  host.start(program);
  driver.begin();
  other_driver.begin();
  bench.run(100000);
  result.log = host.log();
  result.taken = sink.popped();
  result.account = host.ledger().totals(bench.scheduler().now() + 1);
  result.state_text = host.state_text();
  return result;
}

TEST(IssuingHost, offers_commands_one_a_cycle_and_numbers_them) {
  isa::Program program;
  for (int n = 0; n < 5; ++n) program.command(mvin(16 * static_cast<std::uint32_t>(n)));
  const Result result = play(program);
  EXPECT_EQ(result.log.accepts, (std::vector<Cycle>{16, 17, 18, 19, 20}));
  ASSERT_EQ(result.taken.size(), 5u);
  for (std::uint32_t n = 0; n < 5; ++n) {
    EXPECT_EQ(result.taken[n].second.sequence, n);
    EXPECT_EQ(result.taken[n].second.op, isa::Op::kMvin);
    EXPECT_EQ(result.taken[n].second.origin, hw::Origin::kHost);
  }
  EXPECT_EQ(result.done, kFirst + 5);
  EXPECT_EQ(result.log.end, kFirst + 5);
}

TEST(IssuingHost, holds_a_command_until_the_queue_of_two_has_room) {
  isa::Program program;
  for (int n = 0; n < 4; ++n) program.command(mvin(0));
  Options options;
  options.sink = Stall::always();
  const Result result = play(program, options);
  EXPECT_EQ(result.log.accepts, (std::vector<Cycle>{16, 17}));
  EXPECT_NE(result.state_text.find("offers command 2"), std::string::npos) << result.state_text;
  EXPECT_EQ(result.done, kNever);
}

TEST(IssuingHost, a_gap_delays_the_next_item_by_its_cycles) {
  isa::Program program;
  program.gap(3);
  program.command(mvin(0));
  program.gap(0);
  program.command(mvin(0));
  program.gap(10);
  program.command(mvin(0));
  EXPECT_EQ(play(program).log.accepts, (std::vector<Cycle>{19, 20, 31}));
}

TEST(IssuingHost, a_fence_ends_in_the_first_cycle_that_is_not_busy) {
  for (const bool late : {false, true}) {
    isa::Program program;
    program.command(mvin(0));
    program.fence();
    program.command(mvin(0));
    program.fence();
    Options options;
    options.late = late;
    options.busy = {{17, true}, {40, false}};
    const auto texts = in_every_mode([&](BenchMode mode) {
      options.mode = mode;
      const Result result = play(program, options);
      std::string text;
      for (const Cycle fence : result.log.fences) text += fmt::format("{} ", fence);
      text += fmt::format("{} {}", result.log.accepts.back(), result.done);
      return text;
    });
    for (const std::string& text : texts) EXPECT_EQ(text, "40 42 41 43") << (late ? "late" : "early");
  }
}

TEST(IssuingHost, a_fence_waits_for_every_level) {
  isa::Program program;
  program.command(mvin(0));
  program.fence();
  Options options;
  options.busy = {{17, true}, {30, false}, {32, true}, {35, false}};
  options.other = {{20, true}, {33, false}};
  const auto texts = in_every_mode([&](BenchMode mode) {
    options.mode = mode;
    return fmt::format("{}", play(program, options).log.fences.at(0));
  });
  for (const std::string& text : texts) EXPECT_EQ(text, "35");
}

TEST(IssuingHost, a_fence_on_an_idle_machine_takes_one_cycle) {
  isa::Program program;
  program.fence();
  program.fence();
  program.command(mvin(0));
  const Result result = play(program);
  EXPECT_EQ(result.log.fences, (std::vector<Cycle>{16, 17}));
  EXPECT_EQ(result.log.accepts, (std::vector<Cycle>{18}));
}

TEST(IssuingHost, regions_begin_with_their_first_item_and_partition_the_run) {
  isa::Program program;
  program.region("first");
  program.command(mvin(0));
  program.fence();
  program.region("second");
  program.gap(5);
  program.command(mvin(0));
  Options options;
  options.busy = {{17, true}, {30, false}};
  const Result result = play(program, options);
  ASSERT_EQ(result.log.regions.size(), 2u);
  EXPECT_EQ(result.log.regions[0].begin, 16u);
  EXPECT_EQ(result.log.regions[1].begin, 31u);
  EXPECT_EQ(result.log.regions[1].region, 1u);
  EXPECT_EQ(result.region_calls, (std::vector<Cycle>{16, 31}));
  EXPECT_EQ(result.done, 37u);
}

// The accelerator takes nothing: the two commands that fit into the queue are busy cycles, the third one waits from then on.
TEST(IssuingHost, a_command_that_is_not_accepted_is_a_stall) {
  isa::Program program;
  for (int i = 0; i < 3; ++i) program.command(isa::make(isa::Op::kFlush));
  Options options;
  options.sink = Stall::always();
  const Result result = play(program, options);
  EXPECT_EQ(result.account[1], 2u);
  EXPECT_GT(result.account[2], 0u);
}

TEST(IssuingHost, the_account_of_cycles_closes) {
  isa::Program program;
  program.command(mvin(0));
  program.gap(9);
  program.fence();
  Options options;
  options.busy = {{17, true}, {60, false}};
  const Result result = play(program, options);
  ASSERT_EQ(result.account.size(), 5u);
  EXPECT_EQ(result.account[0], kFirst + (result.log.end == 61 ? 1u : 0u));   // before the first item, and the last cycle
  EXPECT_EQ(result.account[1], 1u + 9u);
  EXPECT_EQ(result.account[3], 61u - 26u);
}

TEST(IssuingHost, an_empty_program_is_done_at_once) {
  EXPECT_EQ(play(isa::Program{}).done, kFirst);
}

TEST(IssuingHost, convolution_words_have_the_form_the_trace_names) {
  isa::Program program;
  isa::Instruction word;
  word.funct = isa::fields::LoopConv1::kFunct;
  program.command(word);
  Options options;
  options.params.revision = 2023;
  options.params.loop_conv_revision = 2025;
  EXPECT_EQ(play(program, options).taken.at(0).second.op, isa::Op::kLoopConv1Rect);
}

TEST(IssuingHost, convolution_words_are_square_in_old_traces_of_a_new_machine) {
  isa::Program program;
  isa::Instruction word;
  word.funct = isa::fields::LoopConv2::kFunct;
  program.command(word);
  Options options;
  options.params.revision = 2025;
  EXPECT_EQ(play(program, options).taken.at(0).second.op, isa::Op::kLoopConv2);
}

TEST(IssuingHost, store_to_scratchpad_exists_since_2025) {
  isa::Program program;
  isa::Instruction store;
  store.funct = 23;
  program.command(store);
  Options options;
  options.params.revision = 2025;
  EXPECT_EQ(play(program, options).taken.at(0).second.op, isa::Op::kStoreSpad);
}

TEST(IssuingHost, refuses_an_unknown_instruction_and_names_cycle_and_number) {
  isa::Program program;
  program.command(mvin(0));
  isa::Instruction unknown;
  unknown.funct = 23;   // exists in 2025 only
  program.command(unknown);
  try {
    play(program);
    FAIL() << "accepted";
  } catch (const ModelError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("17"), std::string::npos) << text;
    EXPECT_NE(text.find("command 1"), std::string::npos) << text;
    EXPECT_NE(text.find("revision 2023"), std::string::npos) << text;
  }
}

isa::HostOperation softmax(std::uint64_t rows, std::uint64_t columns) {
  isa::HostOperation operation;
  operation.kind = isa::HostOperationKind::kSoftmax;
  operation.rows = rows, operation.columns = columns;
  operation.in = operation.out = {Memory::kDefaultBase + 0x1000, 4 * columns};
  return operation;
}

TEST(IssuingHost, an_operation_takes_the_cycles_measured_for_its_elements_and_rows) {
  isa::Program program;
  program.host_ops.push_back(isa::encode(softmax(2, 256)));
  program.command(mvin(0));
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  program.command(mvin(16));
  Memory memory;
  Options options;
  options.params.memory = &memory;
  options.params.values = &memory;
  options.params.data = hw::kHostL2;
  // 98.2 cycles an element, 22 a line of 16 of them, and 136 a row.
  const Result result = play(program, options);
  EXPECT_EQ(result.log.accepts, (std::vector<Cycle>{16, 17 + 50278 + 1408 + 272}));
  EXPECT_EQ(result.account[4], 50278u + 1408u + 272u);
  float value = 0;
  std::memcpy(&value, memory.at(Memory::kDefaultBase + 0x1000, 4), 4);
  EXPECT_EQ(value, 1.0F / 256);
}

TEST(IssuingHost, without_memory_an_operation_takes_as_long) {
  isa::Program program;
  program.host_ops.push_back(isa::encode(softmax(1, 16)));
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  Options options;
  EXPECT_EQ(play(program, options).done, kFirst + 1707);
}

TEST(IssuingHost, computes_before_the_words_of_each_loop) {
  isa::Program program;
  const auto loop = [&](std::uint32_t n) {
    program.command(isa::make(isa::Op::kLoopWsBounds));
    program.command(mvin(n));
    program.command(isa::make(isa::Op::kLoopWs));
  };
  loop(0), loop(16);
  Options options;
  options.params.cpu.loop_cycles = 40;
  EXPECT_EQ(play(program, options).log.accepts, (std::vector<Cycle>{56, 57, 58, 99, 100, 101}));
}

// Answers an operation a number of cycles after its last access.
class AccessedMemory final : public Unit {
 public:
  AccessedMemory(const sc_core::sc_module_name& name, Channel<hw::HostAccess>& in, Channel<hw::HostAccessDone>& out, Cycle wait)
      : Unit(name), in_(in), out_(out), wait_(wait) {
    in_.bind_reader(*this);
    out_.bind_writer(*this);
  }
  void evaluate(Cycle now) override {
    if (in_.front(now) != nullptr) {
      accesses.push_back(in_.pop(now));
      if (accesses.back().last) {
        answer_ = now + wait_;
        wake_at(answer_);
      }
    }
    if (now != answer_) return;
    out_.push(now, {});
    answer_ = kNever;
  }
  std::vector<hw::HostAccess> accesses;

 private:
  Channel<hw::HostAccess>& in_;
  Channel<hw::HostAccessDone>& out_;
  const Cycle wait_;
  Cycle answer_ = kNever;
};

// Behind a shared memory system: row by row what is read and written, then the operation's own cycles.
TEST(IssuingHost, an_operation_waits_for_the_lines_that_it_touches) {
  isa::Program program;
  isa::HostOperation operation = softmax(2, 256);
  operation.out.address += 0x10000;
  program.host_ops.push_back(isa::encode(operation));
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  program.command(mvin(16));
  const auto texts = in_every_mode([&](BenchMode mode) {
    Memory memory;
    Channel<Command> raw("raw", 1, 2);
    Channel<hw::HostAccess> accesses("accesses", 1, 2);
    Channel<hw::HostAccessDone> done("done", 1, 2);
    std::string order;
    UnitBench bench(mode);
    hw::HostParams params;
    params.values = &memory;
    params.data = hw::kHostL1;
    params.accesses = &accesses;
    params.accesses_done = &done;
    params.before_values = [&] { order += "before "; };
    params.after_values = [&] { order += "after "; };
    IssuingHost host("host", params, raw, {});
    AccessedMemory slow("slow", accesses, done, 500);
    Sink<Command> sink("sink", raw);
    for (Unit* unit : std::initializer_list<Unit*>{&host, &slow, &sink}) bench.add(*unit);
    bench.elaborate();
    host.start(program);
    bench.run(1'000'000);
    for (const hw::HostAccess& a : slow.accesses) order += fmt::format("{}{:x}+{}{} ", a.write ? 'w' : 'r', a.address - Memory::kDefaultBase, a.bytes, a.last ? "!" : "");
    return order + std::to_string(host.log().accepts.at(0));
  });
  // Four accesses in cycles 16 to 19, the last one seen in 20, its answer in 521; then 98.2 cycles an element and 136 a row.
  for (const std::string& text : texts) {
    EXPECT_EQ(text, "before after r1000+1024 w11000+1024 r1400+1024 w11400+1024! " + std::to_string(521 + 50278 + 272));
  }
}

struct Refused {
  const char* name;
  isa::HostOp host;
  const char* message;
};

isa::HostOperation outside() {
  isa::HostOperation operation = softmax(1, 4);
  operation.out.address = 0x1000;
  return operation;
}

class RefusedOperations : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedOperations, end_as_misuse_that_says_why) {
  isa::Program program;
  program.items.push_back({isa::ItemKind::kHostOp, {}, 0});
  program.host_ops = {GetParam().host};
  Memory memory;
  Options options;
  options.params.memory = &memory;
  try {
    play(program, options);
    FAIL() << "accepted";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().message), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(IssuingHost, RefusedOperations,
                         ::testing::Values(Refused{"no_arguments", {"softmax", {}}, "0 arguments"}, Refused{"unknown", {"softmaks", {}}, "nearest: 'softmax'"},
                                           Refused{"empty", isa::encode(softmax(0, 4)), "0 x 4"}, Refused{"outside", isa::encode(outside()), "outside memory"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace systole::test
