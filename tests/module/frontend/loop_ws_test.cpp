// The streams are those of the generated RTL (Gemmini v0.7.2 in Verilator): every command with the cycle it leaves the unroller in,
// counted from the push of LOOP_WS into the unroller's input queue, with nothing completing meanwhile.
#include "hw/frontend/loop_ws.h"

#include <gtest/gtest.h>

#include <numeric>

#include "sim/base/errors.h"
#include "tests/module/frontend/loop_bench.h"

namespace systole::test {
namespace {

constexpr std::uint64_t kA = 0x80010000, kB = 0x80020000, kD = 0x80030000, kC = 0x80040000;

struct Loop {
  std::uint64_t i = 2, j = 2, k = 2;
  std::uint64_t pad_i = 0, pad_j = 0, pad_k = 0;
  std::uint64_t d = 0, c = kC;
  bool full_c = false, low_d = false, a_transpose = false, b_transpose = false, is_resadd = false;
  std::uint64_t activation = 0;
};

void append(std::vector<isa::Instruction>& program, const Loop& loop) {
  namespace f = isa::fields;
  isa::Instruction bounds = isa::make(isa::Op::kLoopWsBounds);
  f::LoopWsBounds::max_i.set(bounds, loop.i);
  f::LoopWsBounds::max_j.set(bounds, loop.j);
  f::LoopWsBounds::max_k.set(bounds, loop.k);
  f::LoopWsBounds::pad_i.set(bounds, loop.pad_i);
  f::LoopWsBounds::pad_j.set(bounds, loop.pad_j);
  f::LoopWsBounds::pad_k.set(bounds, loop.pad_k);
  isa::Instruction ab = isa::make(isa::Op::kLoopWsAddrsAb);
  f::LoopWsAddrsAb::a.set(ab, kA);
  f::LoopWsAddrsAb::b.set(ab, kB);
  isa::Instruction dc = isa::make(isa::Op::kLoopWsAddrsDc);
  f::LoopWsAddrsDc::d.set(dc, loop.d);
  f::LoopWsAddrsDc::c.set(dc, loop.c);
  isa::Instruction strides_ab = isa::make(isa::Op::kLoopWsStridesAb);
  f::LoopWsStridesAb::a.set(strides_ab, 64);
  f::LoopWsStridesAb::b.set(strides_ab, 64);
  isa::Instruction strides_dc = isa::make(isa::Op::kLoopWsStridesDc);
  f::LoopWsStridesDc::d.set(strides_dc, 64);
  f::LoopWsStridesDc::c.set(strides_dc, 128);
  isa::Instruction run = isa::make(isa::Op::kLoopWs);
  f::LoopWs::full_c.set(run, loop.full_c);
  f::LoopWs::low_d.set(run, loop.low_d);
  f::LoopWs::activation.set(run, loop.activation);
  f::LoopWs::a_transpose.set(run, loop.a_transpose);
  f::LoopWs::b_transpose.set(run, loop.b_transpose);
  f::LoopWs::is_resadd.set(run, loop.is_resadd);
  program.insert(program.end(), {bounds, ab, dc, strides_ab, strides_dc, run});
}

TEST(LoopWsExecute, knows_in_which_rounds_operands_keep_their_banks) {
  hw::LoopWsExecute::Request request;
  request.loop.max_i = 2;
  request.loop.max_j = 1;
  request.loop.max_k = 8;
  request.a_start = 8;      // rows 8..135 and 136..263
  request.b_start = 512;    // rows 512..639
  hw::LoopWsExecute execute;
  execute.start(request);
  const auto keeps = [&](std::uint32_t from, std::uint32_t to, std::uint32_t operand_rows = 16) {
    return execute.keeps_banks(from, to, {256, 1024, 16, operand_rows});
  };
  EXPECT_TRUE(keeps(0, 6));
  EXPECT_FALSE(keeps(0, 7));          // rows 248..263 of A lie in two banks
  EXPECT_FALSE(keeps(6, 6, 31));      // so do rows 232..262, every other one
  EXPECT_TRUE(keeps(5, 5, 31));
  request.b_start = 1024 - 7 * 16;    // its last tile is behind the last row
  execute.start(request);
  EXPECT_TRUE(keeps(0, 6));
  request.b_start = 1024 - 6 * 16;
  execute.start(request);
  EXPECT_FALSE(keeps(0, 6));
}

constexpr std::size_t kRun = 5;   // LOOP_WS among the commands of one loop

std::string stream_of(const Loop& loop, LoopBenchOptions options = {}) {
  std::vector<isa::Instruction> program;
  append(program, loop);
  return stream(run_loop<hw::LoopWs>(program, options), options, kRun);
}

std::string commands_only(const std::string& stream) {
  std::string text;
  bool command = false;
  for (const char c : stream) {
    if (c == ' ') command = false;
    if (command || c == ' ') text += c;
    if (c == ':') command = true;
  }
  return text;
}

TEST(LoopWs, product_of_2x2x2_tiles) {
  EXPECT_EQ(stream_of({}),
            "3:B(1fc0,32,16) 4:A(0,32,16) 5:P(1fc0:16->80000000:16) 6:F(0,16,16) 7:A(20,32,16) 8:P(-:16->80000020:16) "
            "9:S(20,16,16) 10:P(1fd0:16->80000010:16) 11:F(0,16,16) 12:P(-:16->80000030:16) 13:S(20,16,16) 14:B(1fe0,32,16) "
            "15:P(1fe0:16->c0000000:16) 16:F(10,16,16) 17:P(-:16->c0000020:16) 18:S(30,16,16) 19:P(1ff0:16->c0000010:16) "
            "20:F(10,16,16) 21:ST(80000000,32,16) 22:P(-:16->c0000030:16) 23:S(30,16,16) 24:ST(80000020,32,16)");
}

TEST(LoopWs, bias_is_loaded_first) {
  Loop loop;
  loop.d = kD;
  EXPECT_EQ(stream_of(loop),
            "3:D(80000000,16,16) 4:D(80000020,16,16) 5:D(80000010,16,16) 6:D(80000030,16,16) 7:B(1fc0,32,16) 8:A(0,32,16) "
            "9:P(1fc0:16->80000000:16) 10:F(0,16,16) 11:A(20,32,16) 12:P(-:16->80000020:16) 13:S(20,16,16) "
            "14:P(1fd0:16->80000010:16) 15:F(0,16,16) 16:P(-:16->80000030:16) 17:S(20,16,16) 18:B(1fe0,32,16) "
            "19:P(1fe0:16->c0000000:16) 20:F(10,16,16) 21:P(-:16->c0000020:16) 22:S(30,16,16) 23:P(1ff0:16->c0000010:16) "
            "24:F(10,16,16) 25:ST(80000000,32,16) 26:P(-:16->c0000030:16) 27:S(30,16,16) 28:ST(80000020,32,16)");
}

TEST(LoopWs, transposed_a) {
  Loop loop;
  loop.a_transpose = true;
  EXPECT_EQ(stream_of(loop),
            "3:B(1fc0,32,16) 4:A(0,32,16) 5:P(1fc0:16->80000000:16) 6:F(0,16,16) 7:P(-:16->80000020:16) 8:S(10,16,16) "
            "9:P(1fd0:16->80000010:16) 10:F(0,16,16) 11:P(-:16->80000030:16) 12:S(10,16,16) 13:A(20,32,16) 14:B(1fe0,32,16) "
            "15:P(1fe0:16->c0000000:16) 16:F(20,16,16) 17:P(-:16->c0000020:16) 18:S(30,16,16) 19:P(1ff0:16->c0000010:16) "
            "20:F(20,16,16) 21:ST(80000000,32,16) 22:P(-:16->c0000030:16) 23:S(30,16,16) 24:ST(80000020,32,16)");
}

TEST(LoopWs, transposed_b) {
  Loop loop;
  loop.b_transpose = true;
  EXPECT_EQ(stream_of(loop),
            "3:B(1fc0,32,16) 4:A(0,32,16) 5:P(1fc0:16->80000000:16) 6:F(0,16,16) 7:A(20,32,16) 8:P(-:16->80000020:16) "
            "9:S(20,16,16) 10:B(1fe0,32,16) 11:P(1fe0:16->80000010:16) 12:F(0,16,16) 13:P(-:16->80000030:16) 14:S(20,16,16) "
            "15:P(1fd0:16->c0000000:16) 16:F(10,16,16) 17:P(-:16->c0000020:16) 18:S(30,16,16) 19:P(1ff0:16->c0000010:16) "
            "20:F(10,16,16) 21:ST(80000000,32,16) 22:P(-:16->c0000030:16) 23:S(30,16,16) 24:ST(80000020,32,16)");
}

TEST(LoopWs, full_width_results_are_stored_tile_by_tile) {
  Loop loop;
  loop.full_c = true;
  const std::string text = stream_of(loop);
  EXPECT_EQ(text.substr(text.find("16:F")),
            "16:F(10,16,16) 17:ST(a0000000,16,16) 18:P(-:16->c0000020:16) 19:S(30,16,16) 20:ST(a0000020,16,16) "
            "21:P(1ff0:16->c0000010:16) 22:F(10,16,16) 23:ST(a0000010,16,16) 24:P(-:16->c0000030:16) 25:S(30,16,16) "
            "26:ST(a0000030,16,16)");
}

TEST(LoopWs, padding_shortens_the_last_tiles_but_not_the_rows_of_b) {
  Loop loop;
  loop.pad_i = 3;
  loop.pad_j = 5;
  loop.pad_k = 7;
  EXPECT_EQ(stream_of(loop),
            "3:B(1fc0,27,16) 4:A(0,25,16) 5:P(1fc0:16->80000000:16) 6:F(0,16,16) 7:A(20,25,13) 8:P(-:16->80000020:13) "
            "9:S(20,16,13) 10:P(1fd0:16->80000010:16) 11:F(0,16,16) 12:P(-:16->80000030:13) 13:S(20,16,13) 14:B(1fe0,27,16) "
            "15:P(1fe0:9->c0000000:16) 16:F(10,9,16) 17:P(-:9->c0000020:13) 18:S(30,9,13) 19:P(1ff0:9->c0000010:16) "
            "20:F(10,9,16) 21:ST(80000000,27,16) 22:P(-:9->c0000030:13) 23:S(30,9,13) 24:ST(80000020,27,13)");
}

TEST(LoopWs, residual_addition_goes_through_the_accumulator) {
  Loop loop;
  loop.i = 2;
  loop.j = 6;
  loop.k = 0;
  loop.is_resadd = true;
  EXPECT_EQ(stream_of(loop),
            "3:A(80000000,64,16) 4:A(80000060,64,16) 5:A(80000040,32,16) 6:A(800000a0,32,16) 7:B(c0000000,64,16) "
            "8:ST(80000000,64,16) 9:B(c0000040,32,16) 10:B(c0000060,64,16) 11:ST(80000060,64,16) 12:ST(80000040,32,16) "
            "13:B(c00000a0,32,16) 14:ST(800000a0,32,16)");
}

TEST(LoopWs, a_second_loop_follows_in_the_other_halves_and_stops_when_the_credits_are_used_up) {
  std::vector<isa::Instruction> program;
  for (int n = 0; n < 3; ++n) append(program, {});
  const LoopBenchOptions options;
  const LoopBenchResult result = run_loop<hw::LoopWs>(program, options);
  const std::string text = stream(result, options, kRun);
  EXPECT_EQ(text.substr(text.find("24:ST")), "24:ST(80000020,32,16) 25:B(3fc0,32,16) 26:A(2000,32,16) 27:A(2020,32,16) 28:B(3fe0,32,16)");
  EXPECT_NE(result.state_text, "");
}

TEST(LoopWs, a_completion_in_cycle_c_lets_the_next_command_leave_in_c_plus_1) {
  Loop loop;
  loop.j = 16;   // more loads than there are entries
  LoopBenchOptions options;
  options.completion_delay = 100;
  std::vector<isa::Instruction> program;
  append(program, loop);
  const LoopBenchResult result = run_loop<hw::LoopWs>(program, options);
  std::vector<Cycle> loads, completions;
  for (const auto& [cycle, command] : result.popped) {
    if (isa::info(command.op).queue == isa::Queue::kLoad) loads.push_back(cycle);
  }
  const auto entries = static_cast<std::size_t>(options.params.load_entries);
  ASSERT_GT(loads.size(), entries);
  const Cycle completed = loads[0] + options.completion_delay;
  const Cycle left = loads[entries] - 1;
  EXPECT_EQ(left, completed + 1);
}

TEST(LoopWs, generated_commands_carry_the_number_of_the_loop) {
  std::vector<isa::Instruction> program;
  append(program, {});
  append(program, {});
  LoopBenchOptions options;
  options.completion_delay = 5;
  const LoopBenchResult result = run_loop<hw::LoopWs>(program, options);
  ASSERT_EQ(result.popped.size(), 44u);
  for (const auto& [cycle, command] : result.popped) {
    EXPECT_EQ(command.origin, hw::Origin::kLoopWs);
    EXPECT_TRUE(command.sequence == kRun || command.sequence == kRun + 6);
  }
  EXPECT_EQ(result.state_text, "");
}

// LoopMatmul.scala: per row three passes over its blocks; two rows take turns; a CONFIG_NORM names the statistics id of each pass.
TEST(LoopWs, layer_norm_is_stored_row_by_row_in_three_passes) {
  Loop loop;
  loop.i = 1;
  loop.j = 5;
  loop.k = 1;
  loop.pad_i = 13;   // three rows: a pair, and one alone
  loop.pad_j = 1;
  loop.activation = static_cast<std::uint64_t>(isa::Activation::kLayerNorm);
  LoopBenchOptions options;
  options.completion_delay = 1;
  const std::string text = commands_only(stream_of(loop, options));
  const std::size_t first = text.find(" config_norm");
  ASSERT_NE(first, std::string::npos);
  // Row r of column block b is at row b * 16 + r; normaliser commands in bits 28..26: SUM 1, MEAN 2, VARIANCE 3, INV_STDDEV 4, RESET 0.
  EXPECT_EQ(text.substr(first),
            " config_norm(20003,0) ST(84000000,64,1) ST(88000040,15,1) config_norm(20103,0) ST(84000001,64,1) ST(88000041,15,1)"
            " config_norm(20003,0) ST(8c000000,64,1) ST(90000040,15,1) config_norm(20103,0) ST(8c000001,64,1) ST(90000041,15,1)"
            " config_norm(20003,0) ST(80000000,64,1) ST(80000040,15,1) config_norm(20103,0) ST(80000001,64,1) ST(80000041,15,1)"
            " config_norm(20003,0) ST(84000002,64,1) ST(88000042,15,1) config_norm(20003,0) ST(8c000002,64,1) ST(90000042,15,1)"
            " config_norm(20003,0) ST(80000002,64,1) ST(80000042,15,1)");
}

TEST(LoopWs, softmax_has_its_own_normaliser_commands) {
  Loop loop;
  loop.i = 1;
  loop.j = 5;
  loop.k = 1;
  loop.pad_i = 15;
  loop.activation = static_cast<std::uint64_t>(isa::Activation::kSoftmax);
  LoopBenchOptions options;
  options.completion_delay = 1;
  const std::string text = commands_only(stream_of(loop, options));
  // MAX 5 twice; SUM_EXP 6, INV_SUM_EXP 7; RESET 0.
  EXPECT_EQ(text.substr(text.find(" config_norm")),
            " config_norm(20003,0) ST(94000000,64,1) ST(94000040,16,1) config_norm(20003,0) ST(98000000,64,1) ST(9c000040,16,1)"
            " config_norm(20003,0) ST(80000000,64,1) ST(80000040,16,1)");
}

TEST(LoopWs, rows_of_a_normalised_result_go_to_consecutive_rows_in_memory) {
  Loop loop;
  loop.i = 2;
  loop.j = 1;
  loop.k = 1;
  loop.activation = static_cast<std::uint64_t>(isa::Activation::kSoftmax);
  std::vector<isa::Instruction> program;
  append(program, loop);
  LoopBenchOptions options;
  options.completion_delay = 1;
  std::vector<std::uint64_t> addresses;
  for (const auto& [cycle, command] : run_loop<hw::LoopWs>(program, options).popped) {
    const isa::LocalAddress local(static_cast<std::uint32_t>(isa::fields::Mvout::local.get(command.instruction)));
    if (command.op == isa::Op::kMvout && local.norm_command() == 0) addresses.push_back(command.instruction.rs1);
  }
  ASSERT_EQ(addresses.size(), 32u);
  constexpr std::uint64_t kRowStride = 128;
  for (std::size_t row = 0; row < addresses.size(); ++row) EXPECT_EQ(addresses[row], kC + row * kRowStride) << row;
}

TEST(LoopWs, other_commands_wait_until_no_loop_is_configured) {
  std::vector<isa::Instruction> program;
  append(program, {});
  program.push_back(isa::make(isa::Op::kFlush));
  LoopBenchOptions options;
  options.completion_delay = 3;
  const LoopBenchResult result = run_loop<hw::LoopWs>(program, options);
  ASSERT_EQ(result.popped.back().second.op, isa::Op::kFlush);
  const Cycle last_store = result.popped[result.popped.size() - 2].first;
  // The store stage is idle one cycle after its last command, completed two, the slot free three; then the flush passes.
  EXPECT_EQ(result.popped.back().first, last_store + 3);
}

TEST(LoopWs, refuses_loops_that_never_end) {
  Loop empty;
  empty.k = 0;
  EXPECT_THROW(stream_of(empty), ModelError);
}

TEST(LoopWs, refuses_double_transposition) {
  Loop loop;
  loop.a_transpose = loop.b_transpose = true;
  EXPECT_THROW(stream_of(loop), ModelError);
}

TEST(LoopWs, all_schedulers_and_orders_agree_under_stalls) {
  const auto texts = in_every_mode([](BenchMode mode) {
    std::vector<isa::Instruction> program;
    Loop loop;
    loop.i = 3;
    loop.j = 5;
    loop.k = 4;
    loop.d = kD;
    append(program, loop);
    program.push_back(isa::make(isa::Op::kFlush));
    append(program, {});
    append(program, loop);
    LoopBenchOptions options;
    options.mode = mode;
    options.completion_delay = 23;
    options.input_stall = Stall::random(1, 3, 7);
    options.output_stall = Stall::random(1, 4, 8);
    options.max_cycles = 5000;
    const LoopBenchResult result = run_loop<hw::LoopWs>(program, options);
    std::string text = stream(result, options, kRun);
    for (const std::uint64_t cycles : result.account) text += " " + std::to_string(cycles);
    return text;
  });
  for (const std::string& text : texts) EXPECT_EQ(text, texts.front());
}

}  // namespace
}  // namespace systole::test
