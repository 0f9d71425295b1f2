#pragma once
// What a program can see of a machine: sizes and features, no latencies. Read by the oracle and by the static checks.
#include <cstdint>
#include <string>

namespace systole::isa {

struct Trace;

// Operations that Gemmini's RTL does not have (isa/opcodes.def, config_norm.ext_select). A machine without an extension
// refuses its use.
struct Extensions {
  bool pre_shift = false;          // E1: rounding right shift in front of the activation functions
  bool mvin_acc_scale = false;     // E2: fp32 scale on loads into the accumulator
  bool layer_norm_affine = false;  // E3: LayerNorm with gain and bias per column
  bool deferred_softmax = false;   // E4: unnormalised exponentials and a row scale
  bool wide_variance = false;      // E5: 64-bit sums in LayerNorm
};

// Defaults: the reference machine (Gemmini v0.7.2, 16x16 int8) without normaliser.
struct Geometry {
  int dim = 16;              // rows and columns of the array; elements of a local row
  int scratchpad_kib = 256;  // rows of `dim` int8
  int accumulator_kib = 64;  // rows of `dim` int32
  int scratchpad_banks = 4;
  int accumulator_banks = 2;
  int max_request_bytes = 64;  // largest memory request: bounds the columns of a load or store
  int spatial_bits = 20;       // width of a sum inside the array
  bool normaliser = false;
  int stats_ids = 2;              // rows whose statistics can be collected at a time
  int revision = 2023;            // 2023 or 2025
  int loop_conv_encoding = 2023;  // form of the convolution configuration words: 2023 (square) or 2025 (rectangular)
  bool iexp_as_igelu = false;     // the exponential of revision 2025 is computed with the body of GELU
  Extensions extensions;

  [[nodiscard]] int scratchpad_rows() const { return scratchpad_kib * 1024 / dim; }
  [[nodiscard]] int accumulator_rows() const { return accumulator_kib * 1024 / (4 * dim); }
  // Bits of a row number in a local address.
  [[nodiscard]] int row_bits() const;
  // Bits of the rows and columns operands that the hardware decodes (GemminiConfigs.scala mvin_rows_bits,
  // mvin_cols_bits).
  [[nodiscard]] int rows_bits() const;
  [[nodiscard]] int cols_bits() const;
  // Tiles (of `dim` columns) that one load or store moves at most, int8 and int32.
  [[nodiscard]] int max_blocks() const { return max_request_bytes / dim > 1 ? max_request_bytes / dim : 1; }
  [[nodiscard]] int max_blocks_full() const {
    return max_request_bytes / (4 * dim) > 1 ? max_request_bytes / (4 * dim) : 1;
  }

  // Throws ConfigError naming the field when no machine can have this shape.
  void validate() const;
};

// The machine of a trace: the defaults above, changed by the `machine` line. Keys that only concern time are skipped.
// Throws ConfigError (file:line) for a value that is not a number or a shape that cannot be.
[[nodiscard]] Geometry geometry_of(const Trace& trace);

}  // namespace systole::isa
