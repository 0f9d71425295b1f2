#include "hw/frontend/loop_conv.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "tests/module/frontend/loop_bench.h"

namespace systole::test {
namespace {

namespace f = isa::fields;

constexpr std::uint64_t kInput = 0x80100000, kWeights = 0x80200000, kBias = 0x80300000, kOutput = 0x80400000;

// A convolution in square words; `rect` makes the rectangular ones with equal rows and columns.
struct Conv {
  std::uint64_t batches = 1, in_dim = 8, in_channels = 16, out_channels = 16, out_dim = 8, kernel = 3, padding = 1, stride = 1;
  std::uint64_t pool_size = 0, pool_stride = 0, pool_padding = 0, pool_out_dim = 0;
  std::uint64_t kernel_dilation = 1, max_pixels_per_row = 1;
  std::uint64_t input = kInput, weights = kWeights, bias = kBias, output = kOutput;
  bool no_bias = false, downsample = false, depthwise = false, wrot180 = false, trans_input_3120 = false, input_dilated = false;
  bool trans_weight_0132 = false, trans_weight_1203 = false, trans_output_1203 = false;
};

void append_word_1(std::vector<isa::Instruction>& program, const Conv& c, bool rect) {
  isa::Instruction i = isa::make(rect ? isa::Op::kLoopConv1Rect : isa::Op::kLoopConv1);
  f::LoopConv1::batch_size.set(i, c.batches);
  f::LoopConv1::in_dim.set(i, c.in_dim);
  f::LoopConv1::in_channels.set(i, c.in_channels);
  f::LoopConv1::out_channels.set(i, c.out_channels);
  f::LoopConv1::out_dim.set(i, c.out_dim);
  f::LoopConv1::pool_out_dim.set(i, c.pool_out_dim);
  if (rect) {
    f::LoopConv1Rect::out_col_dim.set(i, c.out_dim);
    f::LoopConv1Rect::stride.set(i, c.stride);
    f::LoopConv1Rect::padding.set(i, c.padding);
  } else {
    f::LoopConv1::stride.set(i, c.stride);
    f::LoopConv1::padding.set(i, c.padding);
  }
  program.push_back(i);
}

void append_word_2(std::vector<isa::Instruction>& program, const Conv& c, bool rect) {
  isa::Instruction i = isa::make(rect ? isa::Op::kLoopConv2Rect : isa::Op::kLoopConv2);
  f::LoopConv2::kernel_dim.set(i, c.kernel);
  if (rect) {
    f::LoopConv2Rect::pool_out_col_dim.set(i, c.pool_out_dim);
    f::LoopConv2Rect::pool_size.set(i, c.pool_size);
    f::LoopConv2Rect::pool_stride.set(i, c.pool_stride);
    f::LoopConv2Rect::pool_padding.set(i, c.pool_padding);
  } else {
    f::LoopConv2::pool_size.set(i, c.pool_size);
    f::LoopConv2::pool_stride.set(i, c.pool_stride);
    f::LoopConv2::pool_padding.set(i, c.pool_padding);
  }
  const std::uint64_t pooled = c.pool_stride != 0 ? c.pool_out_dim : c.out_dim;
  f::LoopConv2::batches.set(i, c.batches);
  f::LoopConv2::porows.set(i, pooled);
  f::LoopConv2::pocols.set(i, pooled);
  f::LoopConv2::pochs.set(i, c.out_channels);
  program.push_back(i);
}

void append_word_3(std::vector<isa::Instruction>& program, const Conv& c, bool rect) {
  isa::Instruction i = isa::make(rect ? isa::Op::kLoopConv3Rect : isa::Op::kLoopConv3);
  f::LoopConv3::krows.set(i, c.kernel);
  f::LoopConv3::kcols.set(i, c.kernel);
  f::LoopConv3::kchs.set(i, c.in_channels);
  f::LoopConv3::lpad.set(i, c.padding);
  if (rect) {
    f::LoopConv3Rect::in_col_dim.set(i, c.in_dim);
    f::LoopConv3Rect::rpad.set(i, c.padding);
    f::LoopConv3Rect::upad.set(i, c.padding);
    f::LoopConv3Rect::dpad.set(i, c.padding);
    f::LoopConv3Rect::plpad.set(i, c.pool_padding);
  } else {
    f::LoopConv3::rpad.set(i, c.padding);
    f::LoopConv3::upad.set(i, c.padding);
    f::LoopConv3::dpad.set(i, c.padding);
    f::LoopConv3::plpad.set(i, c.pool_padding);
  }
  program.push_back(i);
}

void append_word_4_to_run(std::vector<isa::Instruction>& program, const Conv& c) {
  isa::Instruction w4 = isa::make(isa::Op::kLoopConv4);
  f::LoopConv4::kernel_dilation.set(w4, c.kernel_dilation);
  f::LoopConv4::pupad.set(w4, c.pool_padding);
  f::LoopConv4::orows.set(w4, c.out_dim);
  f::LoopConv4::ocols.set(w4, c.out_dim);
  f::LoopConv4::out_stride.set(w4, c.out_channels);
  f::LoopConv4::weight_stride.set(w4, c.out_channels);
  f::LoopConv4::in_stride.set(w4, c.in_channels);
  isa::Instruction w5 = isa::make(isa::Op::kLoopConv5);
  f::LoopConv5::weights.set(w5, c.weights);
  f::LoopConv5::output.set(w5, c.output);
  isa::Instruction w6 = isa::make(isa::Op::kLoopConv6);
  f::LoopConv6::bias.set(w6, c.bias);
  f::LoopConv6::input.set(w6, c.input);
  isa::Instruction run = isa::make(isa::Op::kLoopConv);
  f::LoopConv::no_bias.set(run, c.no_bias);
  f::LoopConv::wrot180.set(run, c.wrot180);
  f::LoopConv::trans_output_1203.set(run, c.trans_output_1203);
  f::LoopConv::trans_weight_1203.set(run, c.trans_weight_1203);
  f::LoopConv::trans_weight_0132.set(run, c.trans_weight_0132);
  f::LoopConv::trans_input_3120.set(run, c.trans_input_3120);
  f::LoopConv::depthwise.set(run, c.depthwise);
  f::LoopConv::max_pixels_per_row.set(run, c.max_pixels_per_row);
  f::LoopConv::no_pool.set(run, c.pool_stride == 0);
  f::LoopConv::downsample.set(run, c.downsample);
  f::LoopConv::input_dilated.set(run, c.input_dilated);
  f::LoopConv::activation.set(run, 1);
  program.insert(program.end(), {w4, w5, w6, run});
}

std::vector<isa::Instruction> program_of(const Conv& conv, bool rect = false) {
  std::vector<isa::Instruction> program;
  append_word_1(program, conv, rect);
  append_word_2(program, conv, rect);
  append_word_3(program, conv, rect);
  append_word_4_to_run(program, conv);
  return program;
}

constexpr std::size_t kRun = 6;   // LOOP_CONV_WS among the commands of one convolution
constexpr Cycle kQuick = 1;       // completion so quick that credits never run out

LoopBenchResult run(const Conv& conv, LoopBenchOptions options) { return run_loop<hw::LoopConv>(program_of(conv), options); }

std::vector<hw::Command> commands(const LoopBenchResult& result, isa::Op op) {
  std::vector<hw::Command> found;
  for (const auto& [cycle, command] : result.popped) {
    if (command.op == op) found.push_back(command);
  }
  return found;
}

// The stream of generated RTL (Gemmini v0.7.2): 8x8x16 -> 8x8x16, 3x3, padding 1, nothing completing: 8 loads, then no credit is left.
TEST(LoopConv, bias_comes_first_and_stops_at_eight_loads) {
  const LoopBenchOptions options;
  EXPECT_EQ(stream(run({}, options), options, kRun),
            "5:config_ld(3f80000000400111,0) 6:D(80000000,16,8) 7:D(80000008,16,8) 8:D(80000010,16,8) 9:D(80000018,16,8) "
            "10:D(80000020,16,8) 11:D(80000028,16,8) 12:D(80000030,16,8)");
}

TEST(LoopConv, weights_follow_the_bias_and_the_padded_input_comes_last) {
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  std::string text = stream(run({}, options), options, kRun);
  std::string expected = "5:config_ld(3f80000000400111,0)";
  Cycle cycle = 6;
  for (unsigned row = 0; row < 8; ++row) expected += fmt::format(" {}:D({:x},16,8)", cycle++, 0x80000000u + 8 * row);
  expected += fmt::format(" {}:config_ld(3f80000000900109,10)", cycle++);
  for (unsigned tile = 0; tile < 9; ++tile) expected += fmt::format(" {}:B({:x},16,16)", cycle++, 0x1f70u + 16 * tile);
  expected += fmt::format(" {}:config_ld(3f80000000640101,10)", cycle++);
  for (unsigned row = 0; row < 10; ++row) {
    expected += fmt::format(" {}:A({:x},16,1)", cycle++, 10 * row);
    expected += fmt::format(" {}:A({:x},16,8)", cycle++, 10 * row + 1);
    expected += fmt::format(" {}:A({:x},16,1)", cycle++, 10 * row + 9);
  }
  // The input's generator and pipeline are empty one cycle after its last command; two stages later the first preload is out.
  cycle += 2;
  expected += fmt::format(" {}:P(1f70:16->c0000000:8) {}:F(0,16,8) {}:P(-:16->c0000008:8) {}:S(a,16,8)", cycle, cycle + 1, cycle + 2, cycle + 3);
  EXPECT_EQ(text.substr(0, expected.size()), expected);
}

TEST(LoopConv, padding_is_read_from_address_zero_and_the_rest_row_by_row) {
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const auto loads = commands(run({}, options), isa::Op::kMvin);
  ASSERT_EQ(loads.size(), 30u);
  for (std::size_t n = 0; n < loads.size(); ++n) {
    const std::size_t row = n / 3;
    const bool inside = row >= 1 && row <= 8 && n % 3 == 1;
    EXPECT_EQ(loads[n].instruction.rs1, inside ? kInput + (row - 1) * 8 * 16 : 0) << n;
  }
}

TEST(LoopConv, stores_start_when_every_execute_command_is_out) {
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run({}, options);
  const auto stores = commands(result, isa::Op::kMvout);
  ASSERT_EQ(stores.size(), 8u);
  for (std::size_t row = 0; row < stores.size(); ++row) {
    EXPECT_EQ(brief(stores[row], options.params), fmt::format("ST({:x},16,8)", 0x80000000u + 8 * row));
    EXPECT_EQ(stores[row].instruction.rs1, kOutput + row * 8 * 16);
  }
  EXPECT_EQ(commands(result, isa::Op::kPreload).size(), 72u);
  for (std::size_t n = result.popped.size() - 8; n < result.popped.size(); ++n) EXPECT_EQ(result.popped[n].second.op, isa::Op::kMvout);
}

TEST(LoopConv, pooling_stores_whole_images_between_two_configurations) {
  Conv conv;
  conv.out_channels = 20;
  conv.pool_size = 3;
  conv.pool_stride = 2;
  conv.pool_padding = 1;
  conv.pool_out_dim = 4;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  const auto configs = commands(result, isa::Op::kConfigSt);
  ASSERT_EQ(configs.size(), 2u);
  EXPECT_EQ(f::ConfigSt::pool_size.get(configs[0].instruction), 3u);
  EXPECT_EQ(f::ConfigSt::pool_stride.get(configs[0].instruction), 2u);
  EXPECT_EQ(f::ConfigSt::upad.get(configs[0].instruction), 1u);
  EXPECT_EQ(f::ConfigSt::lpad.get(configs[0].instruction), 1u);
  EXPECT_EQ(f::ConfigSt::orows.get(configs[0].instruction), 8u);
  EXPECT_EQ(f::ConfigSt::porows.get(configs[0].instruction), 4u);
  EXPECT_EQ(f::ConfigSt::pool_out_dim.get(configs[0].instruction), 4u);
  EXPECT_EQ(f::ConfigSt::acc_scale.get(configs[0].instruction), 0xFFFFFFFFu);
  EXPECT_EQ(configs[1].instruction.rs1, 2u | 1u << 2);   // CONFIG_ST, ReLU, pooling off
  const auto stores = commands(result, isa::Op::kMvout);
  ASSERT_EQ(stores.size(), 2u);
  EXPECT_EQ(brief(stores[0], options.params), "ST(80000000,16,0)");
  EXPECT_EQ(brief(stores[1], options.params), "ST(80000040,4,0)");
  EXPECT_EQ(stores[1].instruction.rs1, kOutput + 16);
}

TEST(LoopConv, square_and_rectangular_words_give_the_same_stream) {
  Conv conv;
  conv.stride = 2;
  conv.out_dim = 4;
  conv.pool_size = 2;
  conv.pool_stride = 2;
  conv.pool_out_dim = 2;
  const auto texts = in_every_mode([&](BenchMode mode) {
    LoopBenchOptions options;
    options.mode = mode;
    options.completion_delay = 4;
    const bool rect = mode.reverse;
    options.loop_conv_revision = rect ? 2025 : 2023;
    return stream(run_loop<hw::LoopConv>(program_of(conv, rect), options), options, kRun);
  });
  EXPECT_GT(texts.front().size(), 500u);
  for (const std::string& text : texts) EXPECT_EQ(text, texts.front());
}

TEST(LoopConv, depthwise_weights_are_read_as_single_columns) {
  Conv conv;
  conv.in_channels = conv.out_channels = 1;
  conv.depthwise = true;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  EXPECT_EQ(f::ConfigLd::stride.get(commands(result, isa::Op::kConfigLd).at(1).instruction), 1u);
  const auto weights = commands(result, isa::Op::kMvin2);
  ASSERT_EQ(weights.size(), 9u);
  for (std::size_t n = 0; n < weights.size(); ++n) EXPECT_EQ(weights[n].instruction.rs1, kWeights + n);
}

TEST(LoopConv, several_pixels_of_few_channels_share_a_row) {
  Conv conv;
  conv.in_channels = 3;
  conv.max_pixels_per_row = 3;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  EXPECT_EQ(f::ConfigLd::pixel_repeats.get(commands(result, isa::Op::kConfigLd).at(2).instruction), 3u);
  const auto preloads = commands(result, isa::Op::kPreload);
  ASSERT_EQ(preloads.size(), 24u);   // 3 kernel rows x 8 output rows
  EXPECT_EQ(f::Preload::rows.get(preloads[0].instruction), 9u);
  EXPECT_EQ(f::ComputeFlip::a_cols.get(commands(result, isa::Op::kComputeFlip).at(0).instruction), 9u);
}

TEST(LoopConv, rotated_kernels_take_their_weights_backwards) {
  Conv conv;
  conv.wrot180 = true;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const auto preloads = commands(run(conv, options), isa::Op::kPreload);
  EXPECT_EQ(f::Preload::local.get(preloads.at(0).instruction), 0x2000u - 16);
  EXPECT_EQ(f::Preload::local.get(preloads.at(8).instruction), 0x2000u - 32);
}

// A gradient convolution: channels and batches change places, and the array's strides are set first.
TEST(LoopConv, transposed_input_starts_with_a_stride_configuration) {
  Conv conv;
  conv.batches = 4;
  conv.trans_input_3120 = true;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  const auto configs = commands(result, isa::Op::kConfigEx);
  ASSERT_EQ(configs.size(), 1u);
  EXPECT_EQ(f::ConfigEx::a_stride.get(configs[0].instruction), 100u);
  EXPECT_EQ(f::ConfigEx::c_stride.get(configs[0].instruction), 64u);
  EXPECT_EQ(f::ConfigEx::set_only_strides.get(configs[0].instruction), 1u);
  const auto preloads = commands(result, isa::Op::kPreload);
  EXPECT_EQ(preloads.size(), 9u * 64u);   // one output pixel at a time, four batches as rows
  EXPECT_EQ(f::Preload::out_rows.get(preloads[0].instruction), 4u);
}

TEST(LoopConv, dilated_input_passes_over_the_holes_in_two_cycles_each) {
  Conv conv;
  conv.in_channels = conv.out_channels = 4;
  conv.kernel = 1;
  conv.padding = 0;
  conv.out_dim = 4;
  conv.in_dim = 2;
  conv.input_dilated = true;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  const auto preloads = commands(result, isa::Op::kPreload);
  ASSERT_EQ(preloads.size(), 2u);   // output rows 0 and 2; in each, columns 0 and 2 as two rows of one operand
  EXPECT_EQ(f::Preload::out_rows.get(preloads[0].instruction), 2u);
  std::vector<Cycle> cycles;
  for (const auto& [cycle, command] : result.popped) {
    if (command.op == isa::Op::kPreload) cycles.push_back(cycle);
  }
  // Preload and compute of row 0, then the four columns of row 1 one by one: preload and compute state each.
  EXPECT_EQ(cycles[1] - cycles[0], 2u + 4u * 2u);
}

TEST(LoopConv, absent_operands_are_not_loaded_or_stored) {
  Conv conv;
  conv.bias = conv.output = 0;
  LoopBenchOptions options;
  options.completion_delay = kQuick;
  const LoopBenchResult result = run(conv, options);
  EXPECT_TRUE(commands(result, isa::Op::kMvin3).empty());
  EXPECT_TRUE(commands(result, isa::Op::kMvout).empty());
  EXPECT_EQ(commands(result, isa::Op::kPreload).size(), 72u);
  EXPECT_EQ(result.state_text, "");
}

TEST(LoopConv, refuses_a_convolution_that_never_ends) {
  Conv conv;
  conv.out_channels = 0;
  EXPECT_THROW(run(conv, {}), ModelError);
}

TEST(LoopConv, refuses_padding_larger_than_the_input) {
  Conv conv;
  conv.padding = 9;
  EXPECT_THROW(run(conv, {}), ModelError);
}

TEST(LoopConv, all_schedulers_and_orders_agree_under_stalls) {
  const auto texts = in_every_mode([](BenchMode mode) {
    Conv small;
    small.out_dim = small.in_dim = 4;
    std::vector<isa::Instruction> program = program_of(small);
    program.push_back(isa::make(isa::Op::kFlush));
    for (int n = 0; n < 2; ++n) {
      const auto next = program_of(small);
      program.insert(program.end(), next.begin(), next.end());
    }
    LoopBenchOptions options;
    options.mode = mode;
    options.completion_delay = 17;
    options.input_stall = Stall::random(1, 3, 3);
    options.output_stall = Stall::random(1, 4, 4);
    options.max_cycles = 5000;
    const LoopBenchResult result = run_loop<hw::LoopConv>(program, options);
    std::string text = stream(result, options, kRun);
    for (const std::uint64_t cycles : result.account) text += " " + std::to_string(cycles);
    return text;
  });
  EXPECT_GT(texts.front().size(), 1000u);
  for (const std::string& text : texts) EXPECT_EQ(text, texts.front());
}

}  // namespace
}  // namespace systole::test
