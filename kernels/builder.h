#pragma once
// Typed emission of instructions. Remembers what the machine's configuration registers hold, so that kernels state what they
// need and only changes become instructions; knows the rules of order that the hardware leaves to software.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isa/host_operation.h"
#include "isa/local_address.h"
#include "isa/program.h"
#include "kernels/target.h"
#include "kernels/tiling/search.h"

namespace systole::kernels {

// Load states: each mvin instruction has its own (mvin 0, mvin2 1, mvin3 2). The loops use 0 for A, 1 for B, 2 for D.
enum class LoadState : std::uint8_t { kA = 0, kB = 1, kD = 2 };

struct LoadConfig {
  std::uint64_t stride = 0;    // bytes between rows in memory; 0: the first row is repeated
  float scale = 1.0f;
  bool shrink = false;         // int8 in memory, into the accumulator
  friend bool operator==(const LoadConfig& a, const LoadConfig& b) {
    return a.stride == b.stride && a.scale == b.scale && a.shrink == b.shrink;
  }
};

struct ExecuteConfig {
  bool weight_stationary = true;
  bool transpose_a = false;
  bool transpose_b = false;
  friend bool operator==(const ExecuteConfig& a, const ExecuteConfig& b) {
    return a.weight_stationary == b.weight_stationary && a.transpose_a == b.transpose_a && a.transpose_b == b.transpose_b;
  }
};

// Integer constants of the non-linear functions: GELU uses qb and qc, softmax all four.
struct NonlinearConstants {
  std::int32_t qb = 0;
  std::int32_t qc = 0;
  std::int32_t qln2 = 0;
  std::int32_t qln2_inv = 0;
  friend bool operator==(const NonlinearConstants& a, const NonlinearConstants& b) {
    return a.qb == b.qb && a.qc == b.qc && a.qln2 == b.qln2 && a.qln2_inv == b.qln2_inv;
  }
};

// What happens to an accumulator row on its way to memory.
struct StoreConfig {
  std::uint64_t stride = 0;    // bytes between rows in memory
  isa::Activation activation = isa::Activation::kNone;
  float scale = 1.0f;
  NonlinearConstants constants;  // only compared and written when the activation uses them
  int pre_shift = 0;             // E1
  bool wide_variance = false;    // E5
};

// One matrix-multiplication loop: `i` x `j` x `k` tiles with padding in the last tile of each direction.
struct LoopWs {
  std::uint64_t i = 1, j = 1, k = 1;
  std::uint64_t pad_i = 0, pad_j = 0, pad_k = 0;
  std::uint64_t a = 0, b = 0, d = 0, c = 0;                       // addresses; 0: not loaded, not stored
  std::uint64_t stride_a = 0, stride_b = 0, stride_d = 0, stride_c = 0;  // elements
  bool accumulate = false;      // the first k step adds to the accumulator
  bool full_c = false;          // C is int32
  bool low_d = false;           // D is int8
  bool transpose_a = false;
  bool transpose_b = false;
  isa::Activation activation = isa::Activation::kNone;  // kLayerNorm, kSoftmax: three passes over each row
  std::uint32_t row_group = 0;  // E4: first block of dim row scales that the stores use
  int a_spad_id = 0;            // 0: the loop slot's own half; 1, 2: that half, so that a later loop finds A there
  int b_spad_id = 0;
};

// The unroller's other mode: C = A + B, int8, through the accumulator (load states 0 and 1 with shrink).
struct ResidualAddLoop {
  std::uint64_t i = 1, j = 1, pad_i = 0, pad_j = 0;
  std::uint64_t a = 0, b = 0, c = 0;
  std::uint64_t stride_a = 0, stride_b = 0, stride_c = 0;  // elements
};

class Builder {
 public:
  Builder(const Target& target, isa::Program& program) : target_(target), program_(program) {}

  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] isa::Program& program() { return program_; }
  [[nodiscard]] std::uint64_t dim() const { return static_cast<std::uint64_t>(target_.dim); }

  // The search's answer, remembered: layers and tokens repeat the same shapes.
  [[nodiscard]] std::optional<TilingChoice> tiling(const TilingRequest& request);
  // Throws ConfigError when the machine is too small for a tile of each operand.
  [[nodiscard]] TilingChoice product_tiling(const TilingRequest& request);

  // ---- configuration: an instruction only where something changes
  void execute_config(const ExecuteConfig& config);
  void load_config(LoadState state, const LoadConfig& config);
  void store_config(const StoreConfig& config);
  void stats_id(int id);                         // statistics registers of the next normalising stores
  void affine_row(std::uint32_t row);            // E3: accumulator row of gamma of column block 0
  void row_scale_base(std::uint32_t entry);      // E4: row-scale entry of a store's first row

  // ---- data movement and compute. rows <= dim; cols <= dim * blocks of one request.
  void mvin(LoadState state, std::uint64_t dram, isa::LocalAddress local, std::uint64_t cols, std::uint64_t rows);
  void mvout(std::uint64_t dram, isa::LocalAddress local, std::uint64_t cols, std::uint64_t rows);
  void preload(isa::LocalAddress b, std::uint64_t b_cols, std::uint64_t b_rows, isa::LocalAddress c, std::uint64_t c_cols,
               std::uint64_t c_rows);
  // `flip`: use the operand just preloaded; else keep the one in use.
  void compute(bool flip, isa::LocalAddress a, std::uint64_t a_cols, std::uint64_t a_rows);
  void loop_ws(const LoopWs& loop);
  void loop_residual_add(const ResidualAddLoop& loop);

  // Any instruction as it is. What the configuration registers hold is unknown afterwards.
  void raw(const isa::Instruction& instruction);

  // The CPU computes when everything issued is done and in memory; what follows sees its results.
  void host(const isa::HostOperation& operation);

  // ---- order
  void flush();
  // Published code fences twice in places; a fence without work costs a cycle or two.
  void redundant_fence() { program_.fence(); }
  // Waits until everything issued is done and visible in memory. Nothing when nothing was issued since the last one.
  void fence();
  // A loop since the last fence keeps an operand in a half of its choice: a later loop that loads the same half would overwrite it,
  // because the unroller issues loads ahead of the computation before (LoopMatmul.scala).
  [[nodiscard]] bool operand_resident() const { return operand_resident_; }
  void region(const std::string& name, std::uint64_t macs = 0) { program_.region(name, macs); }

  // ---- local addresses
  [[nodiscard]] isa::LocalAddress scratchpad(std::uint64_t row) const;
  [[nodiscard]] isa::LocalAddress accumulator(std::uint64_t row, bool accumulate = false, bool full_row = false,
                                              isa::NormCommand command = isa::NormCommand::kReset) const;
  [[nodiscard]] static isa::LocalAddress garbage() { return isa::LocalAddress(isa::LocalAddress::kGarbage); }
  // First accumulator row of the next loop_ws: loops that store alternate between two halves (LoopMatmul.scala).
  [[nodiscard]] std::uint64_t loop_accumulator_row() const { return loop_half_ * (target_.accumulator_rows / 2); }

 private:
  void command(const isa::Instruction& instruction);
  void loop_operands(const LoopWs& loop);
  void extension(std::uint32_t select, std::uint32_t value, std::optional<std::uint32_t>& register_copy);
  void norm_config(const NonlinearConstants& constants, bool activation_msb);

  const Target& target_;
  isa::Program& program_;
  std::vector<std::pair<TilingRequest, std::optional<TilingChoice>>> tilings_;
  std::optional<ExecuteConfig> execute_;
  std::array<std::optional<LoadConfig>, 3> load_;
  std::optional<std::uint64_t> store_stride_;
  std::optional<float> store_scale_;
  std::optional<isa::Activation> activation_;
  std::optional<NonlinearConstants> constants_;
  std::optional<int> stats_id_;
  // Extension registers are 0 after reset.
  std::optional<std::uint32_t> pre_shift_ = 0, affine_row_ = 0, row_scale_base_ = 0, flags_ = 0;
  std::uint64_t loop_half_ = 0;
  bool anything_since_fence_ = false;
  bool execute_since_fence_ = false;
  bool operand_resident_ = false;
};

// The store sequence of the loop unroller for a read-out activation: extensions take the sequence of the stock function that
// reads a row as often (three passes for softmax and LayerNorm).
[[nodiscard]] isa::Activation loop_store_sequence(isa::Activation activation);

// Bit pattern of an fp32 configuration value. A pattern of all ones means "keep" to the hardware and is refused.
[[nodiscard]] std::uint32_t scale_bits(float value);

}  // namespace systole::kernels
