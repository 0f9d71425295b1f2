#pragma once
// Everything the oracle remembers between two instructions.
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "isa/geometry.h"
#include "isa/local_address.h"

namespace systole::isa::model {

// config_ld, one per load state. Gemmini does not reset these registers, so a load before its config_ld is an error.
struct LoadState {
  bool configured = false;
  std::uint64_t stride = 0;  // bytes between DRAM rows
  float scale = 0;
  bool shrink = false;             // DRAM elements are int8 although the destination is the accumulator
  std::uint32_t block_stride = 0;  // local rows between the tiles of a wide load
  int pixel_repeats = 1;
};

// config_st and config_norm. Reset to 0 by the hardware.
struct StoreState {
  std::uint32_t stride = 0;  // bytes between DRAM rows
  float scale = 0;
  std::uint32_t activation = 0;   // 3 bits
  std::uint32_t pool_stride = 0;  // 0: no max-pooling
  std::uint32_t pool_size = 0;
  std::uint32_t pool_out_dim = 0;
  std::uint32_t pool_rows = 0, pool_cols = 0;  // of the output
  std::uint32_t rows = 0, cols = 0;            // of the input tile
  std::uint32_t upper_pad = 0, left_pad = 0;
  std::uint32_t stats_id = 0;
  std::int32_t qb = 0, qc = 0, qln2 = 0, qln2_inv = 0;
  // Extension registers.
  int pre_shift = 0;
  std::uint32_t affine_row = 0;  // accumulator row of the gain of column block 0
  std::uint32_t row_scale_base = 0;
  bool wide_variance = false;
};

// config_ex. Not reset by the hardware.
struct ExecuteState {
  bool configured = false;
  bool weight_stationary = false;
  bool relu = false;
  bool a_transpose = false;
  bool b_transpose = false;
  int shift = 0;
  std::uint32_t a_stride = 1;
  std::uint32_t c_stride = 1;
};

// An execute operand as the instruction names it; rows and columns as decoded.
struct Operand {
  LocalAddress local;
  int cols = 0;
  int rows = 0;
};

// The array: matrices are dim x dim, row-major. float holds int8 operands exactly.
struct ArrayState {
  bool preloaded = false;  // a preload waits for its compute
  Operand destination;
  bool operand_garbage = true;      // the preload named no operand
  std::vector<float> operand;       // what the preload read
  std::vector<float> weights;       // in use (WS)
  std::vector<float> next_weights;  // behind them (WS)
  std::vector<std::int32_t> sums;   // in use (OS)
};

// One row whose statistics are collected (Normalizer.scala).
struct RowStatistics {
  std::int64_t sum = 0;     // 32 bits unless wide_variance
  std::uint32_t count = 0;  // 16 bits
  std::int32_t running_max = std::numeric_limits<std::int32_t>::min();
  std::int32_t max = std::numeric_limits<std::int32_t>::min();
  std::int32_t mean = 0;
  float layer_norm_scale = 0;      // 1 / standard deviation, times the accumulator scale
  float softmax_scale = 0;         // 127 / sum of exponentials, times the accumulator scale
  std::uint32_t column_block = 0;  // extension E3: blocks of the row that have left since its statistics ended
};

// One of the two loop slots of LOOP_WS: its registers keep their values until they are written again.
struct MatmulSlot {
  std::uint32_t i = 0, j = 0, k = 0;  // tiles
  std::uint32_t pad_i = 0, pad_j = 0, pad_k = 0;
  std::uint64_t a = 0, b = 0, d = 0, c = 0;                              // DRAM addresses
  std::uint64_t a_stride = 0, b_stride = 0, d_stride = 0, c_stride = 0;  // elements
  std::uint32_t a_start = 0, b_end = 0;                                  // scratchpad rows
};

struct MatmulLoops {
  std::array<MatmulSlot, 2> slots;
  int current = 0;  // being configured
  // Half of the accumulator that the next bias load, computation and store use (0 or 1).
  int d_half = 0, execute_half = 0, c_half = 0;
};

// One of the two loop slots of LOOP_CONV_WS.
struct ConvSlot {
  std::uint32_t batch_size = 0, in_rows = 0, in_cols = 0, in_channels = 0, out_channels = 0, out_rows = 0, out_cols = 0;
  std::uint32_t pool_out_rows = 0, pool_out_cols = 0, stride = 0, kernel_dim = 0, kernel_dilation = 0;
  std::uint32_t pool_size = 0, pool_stride = 0;
  std::uint32_t in_stride = 0, weight_stride = 0, out_stride = 0;
  std::uint32_t batches = 0, porows = 0, pocols = 0, pochs = 0, krows = 0, kcols = 0, kchs = 0;
  std::uint32_t lpad = 0, rpad = 0, upad = 0, dpad = 0, plpad = 0, pupad = 0;
  std::uint32_t orows = 0, ocols = 0;
  std::uint64_t weights = 0, output = 0, bias = 0, input = 0;  // DRAM addresses
};

struct ConvLoops {
  std::array<ConvSlot, 2> slots;
  int current = 0;
  int half = 0;
};

struct MachineState {
  static constexpr std::uint32_t kRowScales = 1024;  // extension E4

  explicit MachineState(const Geometry& geometry);

  std::vector<std::int8_t> scratchpad;    // rows x dim
  std::vector<std::int32_t> accumulator;  // rows x dim
  std::array<LoadState, 3> load;
  StoreState store;
  ExecuteState execute;
  ArrayState array;
  std::vector<RowStatistics> statistics;
  std::vector<float> row_scales;
  MatmulLoops matmul;
  ConvLoops conv;
};

}  // namespace systole::isa::model
