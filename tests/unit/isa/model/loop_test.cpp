// Loops against plain matrix arithmetic, and against the same work in single instructions.
#include <algorithm>

#include "tests/support/random.h"
#include "tests/unit/isa/model/bench.h"

namespace systole::isa {
namespace {

constexpr std::uint64_t kSeed = 77;

class Loop : public OracleTest {
 protected:
  // rows x cols small numbers, row-major, written with the given pitch.
  std::vector<int> matrix(std::uint64_t address, int rows, int cols, int pitch) {
    std::vector<int> result;
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        result.push_back(static_cast<int>(random_.range(-9, 9)));
        memory_.at(address + static_cast<std::uint64_t>(r * pitch + c), 1)[0] =
            static_cast<std::uint8_t>(result.back());
      }
    }
    return result;
  }
  test::Random random_{kSeed};
};

std::string loads(int a, int b) {
  return "config_ld scale=1f block_stride=4 stride=" + std::to_string(a) +
         "\nconfig_ld state=1 scale=1f block_stride=4 stride=" + std::to_string(b) + "\n";
}

// 6 x 7 times 7 x 5, padded to tiles of 4.
TEST_F(Loop, loop_ws_multiplies_padded_matrices) {
  const std::vector<int> a = matrix(kIn, 6, 7, 8);
  const std::vector<int> b = matrix(kIn + 0x200, 8, 5, 6);  // one row more than used
  run("config_ex dataflow=1 a_stride=1 c_stride=1\n" + loads(8, 6) +
      "config_st stride=16 acc_scale=1f\nloop_ws_bounds pad_i=2 pad_j=3 pad_k=1 max_i=2 max_j=2 "
      "max_k=2\nloop_ws_addrs_ab a=0x80001000 b=0x80001200\n"
      "loop_ws_addrs_dc c=0x80002000\nloop_ws_strides_ab a=8 b=6\nloop_ws_strides_dc c=16\nloop_ws\n");
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 5; ++j) {
      int sum = 0;
      for (int k = 0; k < 7; ++k)
        sum += a[static_cast<std::size_t>(i * 7 + k)] * b[static_cast<std::size_t>(k * 5 + j)];
      EXPECT_EQ(out(1, kOut + static_cast<std::uint64_t>(i * 16 + j))[0], std::clamp(sum, -128, 127))
          << i << "," << j << " seed " << kSeed;
    }
  }
  EXPECT_EQ(out(1, kOut + 5)[0], 0);  // nothing beyond the last column
}

TEST_F(Loop, loops_take_turns_in_both_memories) {
  matrix(kIn, 4, 4, 4);
  const std::string one =
      "config_ex dataflow=1 a_stride=1 c_stride=1\n" + loads(4, 4) +
      "config_st stride=4 acc_scale=1f\nloop_ws_bounds max_i=1 max_j=1 max_k=1\nloop_ws_addrs_ab a=0x80001000 "
      "b=0x80001000\n"
      "loop_ws_addrs_dc c=0x80002000\nloop_ws_strides_ab a=4 b=4\nloop_ws_strides_dc c=4\nloop_ws\n";
  run(one);
  EXPECT_EQ(scratchpad(0), out(4, kIn));        // A at the start of half 0
  EXPECT_EQ(scratchpad(128 - 4), out(4, kIn));  // B at its end
  const Words first = accumulator(0);
  EXPECT_EQ(accumulator(32), (Words{0, 0, 0, 0}));
  run(one);
  EXPECT_EQ(scratchpad(128), out(4, kIn));
  EXPECT_EQ(scratchpad(256 - 4), out(4, kIn));
  EXPECT_EQ(accumulator(32), first);
}

TEST_F(Loop, a_loop_without_output_keeps_its_accumulator_half_for_the_next) {
  matrix(kIn, 4, 4, 4);
  const auto loop = [](const char* c, const char* run) {
    return "config_ex dataflow=1 a_stride=1 c_stride=1\n" + loads(4, 4) +
           "config_st stride=16 acc_scale=1f\nloop_ws_bounds max_i=1 max_j=1 max_k=1\nloop_ws_addrs_ab a=0x80001000 "
           "b=0x80001000\nloop_ws_addrs_dc c=" +
           c + "\nloop_ws_strides_ab a=4 b=4\nloop_ws_strides_dc c=4\nloop_ws " + run + "\n";
  };
  run(loop("0x80002100", "full_c=1"));
  const Words once = out_words(16, 0x80002100);
  run(loop("0", ""));
  run(loop("0x80002000", "ex_accumulate=1 full_c=1"));
  Words twice = once;
  for (std::int32_t& value : twice) value *= 2;
  EXPECT_EQ(out_words(16), twice);
}

TEST_F(Loop, residual_addition_scales_both_sides) {
  bytes({10, 20, 30, 40, 1, 2, 3, 4});
  run("config_ld shrink=1 scale=2f block_stride=4 stride=4\nconfig_ld state=1 shrink=1 scale=-1f block_stride=4 "
      "stride=4\nconfig_st stride=4 acc_scale=1f\n"
      "loop_ws_bounds pad_i=3 max_i=1 max_j=1\nloop_ws_addrs_ab a=0x80001000 b=0x80001004\nloop_ws_addrs_dc "
      "c=0x80002000\n"
      "loop_ws_strides_ab a=4 b=4\nloop_ws_strides_dc c=4\nloop_ws is_resadd=1\n");
  EXPECT_EQ(out(4), (Row{19, 38, 57, 76}));
}

TEST_F(Loop, fused_softmax_is_the_discrete_one) {
  geometry_.accumulator_kib = 4;
  matrix(kIn, 4, 4, 4);
  matrix(kIn + 0x100, 4, 8, 8);
  const std::string constants =
      "config_norm activation_msb=1 q_const=693 qb=1353 qc=959832\nconfig_norm activation_msb=1 q_const_type=1 "
      "q_const=94 qb=1353 qc=959832\n";
  const std::string head = "config_ex dataflow=1 a_stride=1 c_stride=1\n" + loads(4, 8);
  const std::string loop =
      "loop_ws_bounds pad_i=1 pad_j=1 max_i=1 max_j=2 max_k=1\nloop_ws_addrs_ab a=0x80001000 "
      "b=0x80001100\nloop_ws_strides_ab a=4 b=8\nloop_ws_strides_dc c=8\n";
  run(head + "config_st stride=8 acc_scale=1f\n" + constants + loop +
      "loop_ws_addrs_dc c=0x80002000\nloop_ws activation=4\n");
  const std::vector<int> fused = out(24);
  // The same rows with single stores, from the other half (accumulator rows 128 and up).
  run(head + loop +
      "loop_ws_addrs_dc c=0x80003000\nconfig_st stride=8 acc_scale=1f\nloop_ws\nconfig_st stride=8 acc_scale=1f\n" +
      constants);
  for (std::uint32_t row = 0; row < 3; ++row) {
    for (const std::uint32_t command : {5u, 7u, 0u}) {
      run("mvout dram=" + std::to_string(0x80004000u + 8 * row) +
          " local=" + std::to_string(0x80000000u + 128 + row + (command << 26)) + " cols=7 rows=1\n");
    }
  }
  EXPECT_EQ(out(23, 0x80004000), std::vector<int>(fused.begin(), fused.end() - 1));
}

TEST_F(Loop, convolution_3x3_with_padding_stride_and_bias) {
  constexpr int kIn0 = 5, kChannels = 3, kOutChannels = 5, kOutDim = 3;
  const std::vector<int> image = matrix(kIn, kIn0 * kIn0, kChannels, kChannels);
  const std::vector<int> weights = matrix(kIn + 0x400, 9 * kChannels, kOutChannels, kOutChannels);
  const Words bias = {100, -50, 3, 0, 7};
  words(bias, kIn + 0x800);
  for (const int encoding : {2023, 2025}) {
    geometry_.loop_conv_encoding = encoding;
    model_.reset();
    const std::string rect = encoding == 2025 ? "1" : "";
    std::string text = "config_ex dataflow=1 a_stride=2 c_stride=1\nconfig_st stride=5 acc_scale=1f\n";
    if (encoding == 2023) {
      text +=
          "loop_conv_1 batch_size=1 in_dim=5 in_channels=3 out_channels=5 out_dim=3 stride=2 padding=1\n"
          "loop_conv_2 kernel_dim=3 pochs=5 pocols=3 porows=3 batches=1\n"
          "loop_conv_3 lpad=1 kchs=3 kcols=3 krows=3 upad=1 rpad=2 dpad=2\n";
    } else {
      text +=
          "loop_conv_1 batch_size=1 in_row_dim=5 in_channels=3 out_channels=5 out_row_dim=3 out_col_dim=3 stride=2 "
          "padding=1\n"
          "loop_conv_2 kernel_dim=3 pochs=5 pocols=3 porows=3 batches=1\n"
          "loop_conv_3 lpad=1 kchs=3 kcols=3 krows=3 upad=1 rpad=2 dpad=2 in_col_dim=5\n";
    }
    text +=
        "loop_conv_4 kernel_dilation=1 orows=3 ocols=3 out_stride=5 weight_stride=5 in_stride=3\nloop_conv_5 "
        "weights=0x80001400 output=0x80002000\n"
        "loop_conv_6 bias=0x80001800 input=0x80001000\nloop_conv_ws no_pool=1\n";
    std::memset(memory_.at(kOut, 64), 0, 64);
    run(text);
    for (int r = 0; r < kOutDim; ++r) {
      for (int c = 0; c < kOutDim; ++c) {
        for (int o = 0; o < kOutChannels; ++o) {
          int sum = bias[static_cast<std::size_t>(o)];
          for (int kr = 0; kr < 3; ++kr) {
            for (int kc = 0; kc < 3; ++kc) {
              const int y = 2 * r + kr - 1, x = 2 * c + kc - 1;
              if (y < 0 || x < 0 || y >= kIn0 || x >= kIn0) continue;
              for (int i = 0; i < kChannels; ++i) {
                sum += image[static_cast<std::size_t>((y * kIn0 + x) * kChannels + i)] *
                       weights[static_cast<std::size_t>(((kr * 3 + kc) * kChannels + i) * kOutChannels + o)];
              }
            }
          }
          ASSERT_EQ(out(1, kOut + static_cast<std::uint64_t>((r * kOutDim + c) * kOutChannels + o))[0],
                    std::clamp(sum, -128, 127))
              << encoding << ": " << r << "," << c << "," << o << " seed " << kSeed;
        }
      }
    }
  }
}

TEST_F(Loop, revision_2025_can_skip_parts_and_place_operands) {
  geometry_.revision = 2025;
  bytes({1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  run("config_ex dataflow=1 a_stride=1 c_stride=1\n" + loads(4, 4) +
      "mvin dram=0x80001000 local=40 cols=4 rows=4\nmvin dram=0x80001000 local=60 cols=4 rows=4\nconfig_st stride=4 "
      "acc_scale=1f\n"
      "loop_ws_spad_ab a=40 b=64\nloop_ws_bounds max_i=1 max_j=1 max_k=1\nloop_ws_addrs_ab a=0x80001000 "
      "b=0x80001000\nloop_ws_addrs_dc c=0x80002000\n"
      "loop_ws_strides_ab a=4 b=4\nloop_ws_strides_dc c=4\nloop_ws skip_a=1 skip_b=1\nstore_spad cols=1 "
      "rows=1\nloop_ws_spad_c\n");
  EXPECT_EQ(out(16), (Row{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}));
}

TEST_F(Loop, misuse_is_named) {
  EXPECT_EQ(error_of("loop_ws\n"),
            "oracle, command 0: loop over 0 tiles (each of the two loop slots keeps its own configuration) "
            "(instruction: loop_ws)");
  EXPECT_NE(error_of("loop_conv_ws\n"), "no error");
  EXPECT_NE(error_of("loop_conv_ws wrot180=1\n"), "no error");
  run("config_ex dataflow=1 a_stride=1 c_stride=1\n");
  const std::string error =
      error_of("loop_ws_bounds max_i=1 max_j=1 max_k=1\nloop_ws_addrs_ab a=0x80001000\nloop_ws\n");
  EXPECT_NE(error.find("load state 0 is used before its config_ld (instruction: loop_ws, unrolled: mvin "
                       "dram=0x80001000 local=0x80 cols=4 rows=4)"),
            std::string::npos)
      << error;
}

}  // namespace
}  // namespace systole::isa
