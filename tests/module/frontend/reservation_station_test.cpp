#include "hw/frontend/reservation_station.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <numeric>
#include <random>

#include "sim/base/errors.h"
#include "tests/module/frontend/controller_stub.h"
#include "tests/module/frontend/instructions.h"
#include "tests/module/frontend/loop_bench.h"

namespace systole::test {
namespace {

using hw::Command;
using hw::IssuedCommand;

constexpr Cycle kFirst = 3;   // the first command is offered in this cycle, so it is allocated one later

struct Options {
  hw::FrontEndParams params = reference_front_end();
  Cycle load_delay = 20, execute_delay = 30, store_delay = 25;
  Stall load_stall = Stall::none(), execute_stall = Stall::none(), store_stall = Stall::none();
  std::vector<Cycle> earliest;   // of each command at the input; kFirst where not given
  hw::Origin origin = hw::Origin::kHost;
  BenchMode mode;
  Cycle max_cycles = 20000;
};

struct Issue {
  Cycle cycle = 0;
  unsigned entry = 0;
  Cycle completed = kNever;
};

struct Result {
  std::map<std::uint32_t, Issue> issues;       // by number of the command
  std::vector<Cycle> pushed;
  std::vector<std::pair<Cycle, hw::IssueCredits>> credits;
  std::vector<std::pair<Cycle, bool>> busy;    // changes of the level
  std::vector<std::uint64_t> account;
  std::string state_text;
  hw::ReservationStation::Counters counters;

  [[nodiscard]] Cycle issued(std::uint32_t n) const { return issues.count(n) != 0 ? issues.at(n).cycle : kNever; }
};

// Reads the level of every cycle, one cycle later, as the host does.
class BusyProbe final : public Unit {
 public:
  BusyProbe(const sc_core::sc_module_name& name, BusyLine& line, Cycle end) : Unit(name), line_(line), end_(end) {}
  void evaluate(Cycle now) override {
    const bool level = line_.at(now - 1);
    if (changes_.empty() ? level : level != changes_.back().second) changes_.push_back({now - 1, level});
    if (now < end_) wake_at(now + 1);
  }
  [[nodiscard]] const std::vector<std::pair<Cycle, bool>>& changes() const { return changes_; }

 private:
  BusyLine& line_;
  Cycle end_;
  std::vector<std::pair<Cycle, bool>> changes_;
};

Result simulate(const std::vector<isa::Instruction>& program, const Options& options) {
  Channel<Command> in("in", 1, 2);
  Channel<IssuedCommand> load("load", 1, 8), execute("execute", 1, 2), store("store", 1, 2);
  Channel<hw::IssueCredits> ws("ws", 1, 2), conv("conv", 1, 2);
  ControllerStub::Completions completions;
  UnitBench bench(options.mode);
  Source<Command> source("source", in);
  hw::ReservationStation station("station", options.params, in, completions, {load, execute, store, ws, conv});
  ControllerStub loads("loads", hw::kCompletionLoad, load, completions, options.load_delay, options.load_stall);
  ControllerStub executes("executes", hw::kCompletionExecute, execute, completions, options.execute_delay, options.execute_stall);
  ControllerStub stores("stores", hw::kCompletionStore, store, completions, options.store_delay, options.store_stall);
  Sink<hw::IssueCredits> ws_sink("ws_sink", ws), conv_sink("conv_sink", conv);
  BusyProbe probe("probe", station.busy(), options.max_cycles - 1);
  for (Unit* unit : std::initializer_list<Unit*>{&source, &station, &loads, &executes, &stores, &ws_sink, &conv_sink, &probe}) {
    bench.add(*unit);
  }
  bench.elaborate();
  for (std::size_t n = 0; n < program.size(); ++n) {
    Command command;
    command.instruction = program[n];
    command.op = isa::decode(program[n], options.params.revision).value();
    command.origin = options.origin;
    command.sequence = static_cast<std::uint32_t>(n);
    source.add(n < options.earliest.size() ? options.earliest[n] : kFirst, command);
  }
  source.begin();
  probe.wake_at(1);
  bench.run(options.max_cycles);

  Result result;
  for (const ControllerStub* stub : {&loads, &executes, &stores}) {
    std::size_t completed = 0;
    for (const auto& record : stub->records()) {
      Issue issue{record.cycle, record.issued.rob.index, kNever};
      const isa::Op op = record.issued.command.op;
      const bool config = op == isa::Op::kConfigLd || op == isa::Op::kConfigSt || op == isa::Op::kConfigNorm;
      if (!config && completed < stub->granted().size()) issue.completed = stub->granted()[completed++];
      result.issues[record.issued.command.sequence] = issue;
    }
  }
  result.pushed = source.pushed();
  result.credits = options.origin == hw::Origin::kLoopConv ? conv_sink.popped() : ws_sink.popped();
  result.busy = probe.changes();
  result.account = station.ledger().totals(options.max_cycles);
  result.state_text = station.state_text();
  result.counters = station.counters();
  return result;
}

// Cycles in which command `second` is issued after `first` completed: 1 with a dependence, else it does not wait for it.
bool waits(const std::vector<isa::Instruction>& program, std::uint32_t first, std::uint32_t second, Options options = {}) {
  const Result result = simulate(program, options);
  const Cycle completed = result.issues.at(first).completed;
  const Cycle issued = result.issued(second);
  EXPECT_TRUE(issued < completed || issued == completed + 1) << "issued " << issued << ", completed " << completed;
  return issued > completed;
}

TEST(ReservationStation, a_command_is_issued_the_cycle_after_its_allocation) {
  const Result result = simulate({mvin(0)}, {});
  const Cycle allocated = kFirst + 1;
  EXPECT_EQ(result.issued(0), allocated + 1);
}

TEST(ReservationStation, independent_commands_flow_one_a_cycle) {
  const Result result = simulate({mvin(0), mvin(16), mvin(32), mvin(48)}, {});
  for (std::uint32_t n = 0; n < 4; ++n) {
    EXPECT_EQ(result.issued(n), kFirst + 2 + n);
    EXPECT_EQ(result.issues.at(n).entry, n);
  }
}

TEST(ReservationStation, the_three_queues_issue_in_the_same_cycle) {
  // All wait for the load of row 0, and are issued together when it completes.
  const Result result = simulate({config_ex(), mvin(0), mvout(0), preload(0, accumulator(0)), mvin(64)}, {});
  const Cycle completed = result.issues.at(1).completed;
  EXPECT_EQ(result.issued(2), completed + 1);
  EXPECT_EQ(result.issued(3), completed + 1);
}

TEST(ReservationStation, a_full_queue_blocks_everything_behind_it_and_a_freed_entry_is_used_in_the_next_cycle) {
  std::vector<isa::Instruction> program;
  const auto entries = static_cast<std::uint32_t>(reference_front_end().load_entries);
  for (std::uint32_t n = 0; n <= entries; ++n) program.push_back(mvin(16 * n));
  program.push_back(mvout(accumulator(0)));
  const Result result = simulate(program, {});
  // The completion granted in cycle c frees the entry for an allocation in c + 1, issued in c + 2.
  const Cycle completed = result.issues.at(0).completed;
  EXPECT_EQ(result.issued(entries), completed + 2);
  EXPECT_EQ(result.issues.at(entries).entry, 0u);
  EXPECT_EQ(result.issued(entries + 1), completed + 3);
}

TEST(ReservationStation, a_full_controller_queue_holds_back_issue) {
  Options options;
  options.store_stall = Stall::always();
  const Result result = simulate({mvout(accumulator(0)), mvout(accumulator(16)), mvout(accumulator(32))}, options);
  EXPECT_TRUE(result.issues.empty());   // the stub never takes them
  EXPECT_EQ(result.counters.issued[2], 2u);
}

TEST(ReservationStation, load_waits_for_array_and_stores_that_read_its_rows) {
  EXPECT_TRUE(waits({config_ex(), preload(0, accumulator(0)), mvin(8)}, 1, 2));
}
TEST(ReservationStation, load_waits_for_a_compute_that_reads_its_rows_as_b) {
  EXPECT_TRUE(waits({config_ex(), compute(64, 0), mvin(15)}, 1, 2));
}
TEST(ReservationStation, load_does_not_wait_for_rows_next_to_it) {
  EXPECT_FALSE(waits({config_ex(), compute(64, 0), mvin(16)}, 1, 2));
}
TEST(ReservationStation, load_waits_for_a_preload_that_writes_its_rows) {
  EXPECT_TRUE(waits({config_ex(), preload(64, accumulator(0)), mvin(accumulator(4))}, 1, 2));
}
TEST(ReservationStation, load_waits_for_a_store_of_its_rows) { EXPECT_TRUE(waits({mvout(accumulator(8)), mvin(accumulator(0))}, 0, 1)); }
TEST(ReservationStation, load_does_not_wait_for_an_older_load_of_the_same_rows) { EXPECT_FALSE(waits({mvin(0), mvin(0)}, 0, 1)); }
TEST(ReservationStation, memories_do_not_overlap) { EXPECT_FALSE(waits({mvout(accumulator(0)), mvin(0)}, 0, 1)); }

TEST(ReservationStation, array_waits_for_loads_of_either_operand) {
  EXPECT_TRUE(waits({config_ex(), mvin(0), compute(0, kNoOperand)}, 1, 2));
}
TEST(ReservationStation, array_waits_for_the_load_of_its_b_operand) { EXPECT_TRUE(waits({config_ex(), mvin(0), compute(64, 4)}, 1, 2)); }
TEST(ReservationStation, array_does_not_wait_for_loads_without_an_operand) {
  EXPECT_FALSE(waits({config_ex(), mvin(0), compute(kNoOperand, kNoOperand)}, 1, 2));
}
TEST(ReservationStation, preload_waits_for_a_store_of_its_destination) {
  EXPECT_TRUE(waits({config_ex(), mvout(accumulator(0)), preload(0, accumulator(0))}, 1, 2));
}
TEST(ReservationStation, compute_does_not_wait_for_a_store_of_what_it_reads) {
  EXPECT_FALSE(waits({config_ex(), mvout(0), compute(0, kNoOperand)}, 1, 2));
}
TEST(ReservationStation, preload_does_not_wait_for_a_store_of_its_weights) {
  EXPECT_FALSE(waits({config_ex(), mvout(0), preload(0, accumulator(0))}, 1, 2));
}
TEST(ReservationStation, array_commands_do_not_wait_for_each_other) {
  EXPECT_FALSE(waits({config_ex(), preload(0, 16), compute(16, kNoOperand)}, 1, 2));
}

TEST(ReservationStation, store_waits_for_the_preload_that_names_its_rows_as_destination) {
  EXPECT_TRUE(waits({config_ex(), preload(0, accumulator(0)), mvout(accumulator(0))}, 1, 2));
}
TEST(ReservationStation, store_does_not_wait_for_rows_the_array_only_reads) {
  EXPECT_FALSE(waits({config_ex(), compute(0, kNoOperand), mvout(0)}, 1, 2));
}
TEST(ReservationStation, store_waits_for_a_load_of_its_rows) { EXPECT_TRUE(waits({mvin(0), mvout(15)}, 0, 1)); }
TEST(ReservationStation, store_does_not_wait_for_an_older_store) { EXPECT_FALSE(waits({mvout(accumulator(0)), mvout(accumulator(0))}, 0, 1)); }

// A wide load covers blocks that lie the configured stride apart; what is between them counts as covered.
TEST(ReservationStation, a_wide_load_covers_everything_up_to_its_last_block) {
  EXPECT_TRUE(waits({config_ld(0, 100), mvin(0, 64, 16), mvout(315)}, 1, 2));
}
TEST(ReservationStation, a_wide_load_ends_with_its_last_block) { EXPECT_FALSE(waits({config_ld(0, 100), mvin(0, 64, 16), mvout(316)}, 1, 2)); }
TEST(ReservationStation, the_block_stride_belongs_to_one_load_state) {
  EXPECT_FALSE(waits({config_ld(0, 100), config_ld(1, 16), mvin(0, 64, 16, isa::Op::kMvin2), mvout(64)}, 2, 3));
}
TEST(ReservationStation, a_wide_store_covers_blocks_dim_rows_apart) { EXPECT_TRUE(waits({mvout(accumulator(0), 64), mvin(accumulator(63))}, 0, 1)); }
TEST(ReservationStation, a_wide_store_ends_after_its_last_block) { EXPECT_FALSE(waits({mvout(accumulator(0), 64), mvin(accumulator(64))}, 0, 1)); }

// Pixel repeats write rows below the address; the end moves down with the start.
TEST(ReservationStation, pixel_repeats_lower_the_first_row) { EXPECT_TRUE(waits({config_ld(0, 16, 3), mvin(20), mvout(3, 16, 16)}, 1, 2)); }
TEST(ReservationStation, pixel_repeats_lower_the_last_row_too) { EXPECT_FALSE(waits({config_ld(0, 16, 3), mvin(20), mvout(34)}, 1, 2)); }
TEST(ReservationStation, pixel_repeats_stop_at_the_middle_of_the_scratchpad) {
  const auto half = static_cast<std::uint32_t>(reference_front_end().scratchpad_rows) / 2;
  EXPECT_FALSE(waits({config_ld(0, 16, 16), mvin(half + 2), mvout(half - 16)}, 1, 2));
}

TEST(ReservationStation, a_range_that_wraps_covers_the_rows_behind_its_start) {
  const auto rows = static_cast<std::uint32_t>(reference_front_end().scratchpad_rows);
  EXPECT_TRUE(waits({mvin(rows - 8), mvout(rows - 4, 16, 4)}, 0, 1));
}

TEST(ReservationStation, strides_of_the_array_stretch_its_operands) {
  EXPECT_TRUE(waits({config_ex(2, 1), mvin(31, 16, 1), compute(0, kNoOperand)}, 1, 2));
}
TEST(ReservationStation, without_a_stride_the_operand_is_short) {
  EXPECT_FALSE(waits({config_ex(1, 1), mvin(31, 16, 1), compute(0, kNoOperand)}, 1, 2));
}
TEST(ReservationStation, the_destination_stride_stretches_the_result) {
  EXPECT_TRUE(waits({config_ex(1, 3), preload(0, 100), mvin(147, 16, 1)}, 1, 2));
}
TEST(ReservationStation, a_transposed_a_covers_as_many_rows_as_it_has_columns) {
  EXPECT_TRUE(waits({config_ex(1, 1, true), mvin(9, 16, 1), compute(0, kNoOperand, 4, 10)}, 1, 2));
}
TEST(ReservationStation, stride_zero_makes_an_empty_operand) {
  // Before any CONFIG_EX strides are 0: nothing but the row numbers themselves is compared.
  EXPECT_FALSE(waits({mvin(4, 16, 4), compute(0, kNoOperand)}, 0, 1));
}

TEST(ReservationStation, a_pooling_store_covers_the_rest_of_its_bank) {
  EXPECT_TRUE(waits({config_st(1), mvout(accumulator(0)), mvin(accumulator(511), 16, 1)}, 1, 2));
}
TEST(ReservationStation, a_pooling_store_ends_at_the_next_bank) {
  EXPECT_FALSE(waits({config_st(1), mvout(accumulator(0)), mvin(accumulator(512), 16, 1)}, 1, 2));
}
TEST(ReservationStation, a_pooling_store_in_the_last_bank_wraps) {
  EXPECT_TRUE(waits({config_st(1), mvout(accumulator(512)), mvin(accumulator(1023), 16, 1)}, 1, 2));
}

// Where a command has no second operand, the RTL compares with row 0 of the scratchpad.
isa::Instruction store_to_row_1000() {
  isa::Instruction store = isa::make(isa::Op::kStoreSpad);
  namespace f = isa::fields;
  f::StoreSpad::dst_local.set(store, 1000);
  f::StoreSpad::rows.set(store, 16);
  f::StoreSpad::cols.set(store, 16);
  f::StoreSpad::local.set(store, accumulator(0));
  return store;
}
Options revision_2025() {
  Options options;
  options.params.revision = 2025;
  return options;
}
TEST(ReservationStation, a_result_for_row_0_waits_for_a_store_to_the_scratchpad_elsewhere) {
  EXPECT_TRUE(waits({config_ex(), store_to_row_1000(), preload(64, 0)}, 1, 2, revision_2025()));
}
TEST(ReservationStation, a_result_for_another_row_does_not) { EXPECT_FALSE(waits({config_ex(), store_to_row_1000(), preload(64, 32)}, 1, 2, revision_2025())); }

TEST(ReservationStation, stores_wait_for_older_stores_to_complete_in_revision_2025) {
  Options options;
  options.params.stores_serialised = true;
  EXPECT_TRUE(waits({mvout(accumulator(0)), mvout(accumulator(32))}, 0, 1, options));
}
TEST(ReservationStation, store_configurations_wait_too_in_revision_2025) {
  Options options;
  options.params.stores_serialised = true;
  EXPECT_TRUE(waits({mvout(accumulator(0)), config_st()}, 0, 1, options));
}
TEST(ReservationStation, a_store_configuration_lets_the_next_store_go_a_cycle_later) {
  Options options;
  options.params.stores_serialised = true;
  const Result result = simulate({config_st(), mvout(accumulator(0))}, options);
  EXPECT_EQ(result.issued(1), result.issued(0) + 1);
}

TEST(ReservationStation, configurations_of_loads_and_stores_complete_when_issued) {
  Options options;
  options.origin = hw::Origin::kLoopConv;
  const Result result = simulate({config_ld(0, 16), config_st(), config_ex()}, options);
  ASSERT_EQ(result.credits.size(), 2u);
  EXPECT_TRUE(result.credits[0].second.load && !result.credits[0].second.store);
  EXPECT_EQ(result.credits[0].first, result.issued(0) + 1);
  EXPECT_TRUE(result.credits[1].second.store && !result.credits[1].second.load);
  EXPECT_EQ(result.issues.at(2).completed, result.issued(2) + 1 + options.execute_delay);
}

TEST(ReservationStation, the_array_s_completions_win_over_loads_and_loads_over_stores) {
  Options options;
  // Issued one after the other, completed in the same cycle.
  options.store_delay = 12;
  options.load_delay = 11;
  options.execute_delay = 10;
  const Result result = simulate({mvout(accumulator(0)), mvin(0), compute(64, kNoOperand)}, options);
  EXPECT_EQ(result.issues.at(1).completed, result.issues.at(2).completed + 1);
  EXPECT_EQ(result.issues.at(0).completed, result.issues.at(2).completed + 2);
}

TEST(ReservationStation, is_busy_from_the_arrival_of_a_command_to_the_cycle_after_its_completion) {
  const Result result = simulate({mvin(0)}, {});
  ASSERT_EQ(result.busy.size(), 2u);
  EXPECT_EQ(result.busy[0], std::make_pair(kFirst + 1, true));
  EXPECT_EQ(result.busy[1], std::make_pair(result.issues.at(0).completed + 1, false));
}

TEST(ReservationStation, a_preload_alone_does_not_count_as_busy) {
  Options options;
  options.execute_delay = kNever;   // as in the machine, where it waits for its compute
  const Result result = simulate({preload(0, accumulator(0))}, options);
  ASSERT_EQ(result.busy.size(), 2u);
  EXPECT_EQ(result.busy[1], std::make_pair(kFirst + 2, false));   // busy only while it waits at the input
}

TEST(ReservationStation, flush_counters_and_clock_gating_take_a_cycle_each_at_the_head) {
  const Result result = simulate({isa::make(isa::Op::kFlush), isa::make(isa::Op::kCounter), isa::make(isa::Op::kClockGate), mvin(0)}, {});
  EXPECT_EQ(result.counters.flushes, 1u);
  EXPECT_EQ(result.counters.counter_operations, 1u);
  EXPECT_EQ(result.issued(3), kFirst + 3 + 2);
}

TEST(ReservationStation, counter_commands_take_two_cycles_each) {
  const isa::Instruction counter = isa::make(isa::Op::kCounter);
  const Result result = simulate({counter, counter, counter, mvin(0)}, {});
  EXPECT_EQ(result.counters.counter_operations, 3u);
  EXPECT_EQ(result.issued(3), kFirst + 5 + 2);   // the last one's answer is nobody's business
}

TEST(ReservationStation, the_account_of_cycles_names_what_is_waited_for) {
  Options options;
  options.max_cycles = 1000;
  const Result result = simulate({config_ex(), mvin(0), compute(0, kNoOperand)}, options);
  EXPECT_EQ(std::accumulate(result.account.begin(), result.account.end(), std::uint64_t{0}), options.max_cycles);
  constexpr std::size_t kWaitLoad = 6;
  EXPECT_EQ(result.account[kWaitLoad], result.issued(2) - result.issued(1) - 1);
}

TEST(ReservationStation, refuses_a_load_state_that_does_not_exist) { EXPECT_THROW(simulate({config_ld(3, 16)}, {}), ModelError); }

TEST(ReservationStation, tells_what_it_waits_for) {
  Options options;
  options.load_delay = kNever;
  const Result result = simulate({config_ex(), mvin(0), compute(0, kNoOperand)}, options);
  EXPECT_NE(result.state_text.find("next is command 2 (compute_flip), which waits for 1 loads"), std::string::npos) << result.state_text;
}

std::vector<isa::Instruction> random_program(unsigned seed, std::size_t commands) {
  std::mt19937 random(seed);
  const auto pick = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  const auto row = [&] { return pick(3) == 0 ? accumulator(16 * pick(6)) : 16 * pick(6); };
  std::vector<isa::Instruction> program{config_ex()};
  while (program.size() < commands) {
    switch (pick(7)) {
      case 0:
        program.push_back(mvout(row(), 16 * (1 + pick(4)), 1 + pick(16)));
        break;
      case 1:
        program.push_back(config_st(pick(2)));
        break;
      case 2:
        program.push_back(config_ld(pick(3), 16 * pick(3), pick(4)));
        break;
      case 3:
        program.push_back(preload(row(), row()));
        break;
      case 4:
        program.push_back(compute(row(), pick(2) == 0 ? kNoOperand : row()));
        break;
      default:
        program.push_back(mvin(row(), 16 * (1 + pick(4)), 1 + pick(16)));
    }
  }
  return program;
}

TEST(ReservationStation, all_schedulers_and_orders_agree_under_stalls) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    const auto texts = in_every_mode([&](BenchMode mode) {
      Options options;
      options.mode = mode;
      options.params.stores_serialised = seed == 2;
      options.load_stall = Stall::random(1, 3, seed);
      options.execute_stall = Stall::random(2, 3, seed + 1);
      options.store_stall = Stall::random(3, 4, seed + 2);
      const Result result = simulate(random_program(seed, 300), options);
      std::string text;
      for (const auto& [n, issue] : result.issues) text += fmt::format("{}:{}:{} ", n, issue.cycle, issue.entry);
      for (const auto& [cycle, level] : result.busy) text += fmt::format("{}{} ", level ? '+' : '-', cycle);
      for (const std::uint64_t cycles : result.account) text += fmt::format("{} ", cycles);
      return text;
    });
    EXPECT_GT(texts.front().size(), 1000u) << "seed " << seed;
    for (const std::string& text : texts) EXPECT_EQ(text, texts.front()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace systole::test
