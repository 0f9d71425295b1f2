#include "isa/legality.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "isa/instruction.h"
#include "isa/local_address.h"

namespace systole::isa {
namespace {

using Severity = Finding::Severity;

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

class Checker {
 public:
  Checker(const Program& program, const Geometry& geometry, const MemoryRange& memory, std::size_t max_findings)
      : program_(program),
        geometry_(geometry),
        memory_(memory),
        max_findings_(max_findings),
        dim_(static_cast<std::uint64_t>(geometry.dim)),
        row_bits_(geometry.row_bits()) {}

  std::vector<Finding> check() {
    check_image();
    for (item_ = 0; item_ < program_.items.size() && findings_.size() < max_findings_; ++item_) {
      const Item& item = program_.items[item_];
      switch (item.kind) {
        case ItemKind::kCommand:
          command(item.instruction);
          break;
        case ItemKind::kFence:
          fenced_ = true;
          break;
        case ItemKind::kRegion:
          if (item.value >= program_.regions.size())
            error(fmt::format("region {} of {}", item.value, program_.regions.size()));
          break;
        case ItemKind::kHostOp:
          if (item.value >= program_.host_ops.size())
            error(fmt::format("host operation {} of {}", item.value, program_.host_ops.size()));
          break;
        case ItemKind::kGap:
          break;
      }
    }
    item_ = program_.items.size();
    current_ = nullptr;
    if (preload_pending_) warn("the last preload has no compute");
    if (!fenced_) warn("the program does not end with a fence: its results may still be on their way");
    return std::move(findings_);
  }

 private:
  void error(const std::string& what) { add(Severity::kError, what); }
  void warn(const std::string& what) { add(Severity::kWarning, what); }
  void add(Severity severity, const std::string& what) {
    if (findings_.size() >= max_findings_) return;
    findings_.push_back(
        {severity, item_, what,
         current_ == nullptr ? "" : disassemble(*current_, geometry_.revision, geometry_.loop_conv_encoding)});
  }

  void check_image() {
    item_ = 0;
    for (const Segment& segment : program_.image) {
      if (!memory_.contains(segment.address, segment.bytes.size())) {
        error(fmt::format("initial memory of {} bytes at {:#x} lies outside of main memory", segment.bytes.size(),
                          segment.address));
      }
    }
    for (const Symbol& symbol : program_.symbols) {
      if (!memory_.contains(symbol.address, symbol.bytes))
        warn(fmt::format("symbol '{}' lies outside of main memory", symbol.name));
    }
  }

  void command(const Instruction& instruction) {
    current_ = &instruction;
    fenced_ = false;
    const std::optional<Op> op = decode(instruction, geometry_.revision, geometry_.loop_conv_encoding);
    if (!op) {
      error(fmt::format("unknown funct {} in revision {}", instruction.funct, geometry_.revision));
    } else {
      dispatch(*op, instruction);
    }
    current_ = nullptr;
  }

  void dispatch(Op op, const Instruction& instruction) {
    switch (op) {
      case Op::kConfigLd:
        return config_load(instruction);
      case Op::kMvin:
        return load(instruction, 0);
      case Op::kMvin2:
        return load(instruction, 1);
      case Op::kMvin3:
        return load(instruction, 2);
      case Op::kConfigEx:
        return config_execute(instruction);
      case Op::kPreload:
        return preload(instruction);
      case Op::kComputeFlip:
        return compute(instruction, true);
      case Op::kComputeStay:
        return compute(instruction, false);
      case Op::kConfigSt:
        return config_store(instruction);
      case Op::kConfigNorm:
        return config_norm(instruction);
      case Op::kMvout:
        return store(instruction);
      case Op::kStoreSpad:
        return warn("store_spad writes nothing on a machine without external scratchpad");
      case Op::kLoopWsBounds:
      case Op::kLoopWsAddrsAb:
      case Op::kLoopWsAddrsDc:
      case Op::kLoopWsStridesAb:
      case Op::kLoopWsStridesDc:
      case Op::kLoopWsSpadAb:
      case Op::kLoopWsSpadC:
        return config_matmul(op, instruction);
      case Op::kLoopWs:
        return loop_matmul(instruction);
      case Op::kLoopConv1:
      case Op::kLoopConv1Rect:
      case Op::kLoopConv2:
      case Op::kLoopConv2Rect:
      case Op::kLoopConv3:
      case Op::kLoopConv3Rect:
      case Op::kLoopConv4:
      case Op::kLoopConv5:
      case Op::kLoopConv6:
        return config_conv(op, instruction);
      case Op::kLoopConv:
        return loop_conv(instruction);
      case Op::kFlush:
      case Op::kClockGate:
      case Op::kCounter:
        return;
    }
  }

  // ---- ranges

  [[nodiscard]] std::uint64_t rows_of(bool accumulator) const {
    return static_cast<std::uint64_t>(accumulator ? geometry_.accumulator_rows() : geometry_.scratchpad_rows());
  }
  [[nodiscard]] static const char* name_of(bool accumulator) { return accumulator ? "accumulator" : "scratchpad"; }

  // Rows first .. first + span - 1 of the memory that `local` names.
  void local_range(LocalAddress local, std::uint64_t span, const char* what) {
    const bool accumulator = local.is_accumulator();
    const std::uint64_t first = local.row(row_bits_);
    const std::uint64_t rows = rows_of(accumulator);
    if (first + span > rows) {
      error(fmt::format("{}: rows {}..{} of the {}, which has {}", what, first, first + span - 1, name_of(accumulator),
                        rows));
    }
    // Between the row number and the flags nothing is decoded, except the row group of extension E4.
    const std::uint32_t unused_mask = ((1u << LocalAddress::kNormCommandShift) - 1) & ~((1u << row_bits_) - 1);
    std::uint32_t unused = local.bits() & unused_mask;
    if (geometry_.extensions.deferred_softmax && row_bits_ < LocalAddress::kRowGroupShift) {
      unused &= (1u << LocalAddress::kRowGroupShift) - 1;
    }
    if (unused != 0)
      warn(fmt::format("{}: address bits {:#x} above the {}-bit row number are not decoded", what, unused, row_bits_));
  }

  void memory_range(std::uint64_t address, std::uint64_t stride, std::uint64_t rows, std::uint64_t row_bytes,
                    const char* what) {
    for (const std::uint64_t row : {std::uint64_t{0}, rows - 1}) {
      if (memory_.contains(address + row * stride, row_bytes)) continue;
      return error(
          fmt::format("{}: {} bytes at {:#x} lie outside of main memory", what, row_bytes, address + row * stride));
    }
  }

  // Rows or columns of an operand: what the hardware decodes must be what is written.
  bool count(std::uint64_t value, std::uint64_t max, const char* what) {
    if (value >= 1 && value <= max) return true;
    error(fmt::format("{} {}; 1..{} are possible", value, what, max));
    return false;
  }

  // ---- loads

  struct LoadState {
    bool configured = false;
    bool shrink = false;
    std::uint64_t stride = 0;
    std::uint64_t block_stride = 0;
  };

  void config_load(const Instruction& instruction) {
    namespace f = fields::ConfigLd;
    const std::uint64_t state = f::state.get(instruction);
    if (state >= loads_.size()) return error(fmt::format("load state {} of {}", state, loads_.size()));
    if (f::pixel_repeats.get(instruction) > dim_)
      error(fmt::format("{} pixel repeats; at most {}", f::pixel_repeats.get(instruction), dim_));
    loads_[state] = {true, f::shrink.get(instruction) != 0, f::stride.get(instruction),
                     f::block_stride.get(instruction)};
  }

  void load(const Instruction& instruction, std::size_t index) {
    namespace f = fields::Mvin;
    const LoadState& state = loads_[index];
    if (!state.configured) return error(fmt::format("load state {} is used before its config_ld", index));
    const LocalAddress local(static_cast<std::uint32_t>(f::local.get(instruction)));
    const bool full = local.is_accumulator() && !state.shrink;
    const auto max_blocks = static_cast<std::uint64_t>(full ? geometry_.max_blocks_full() : geometry_.max_blocks());
    const std::uint64_t rows = f::rows.get(instruction);
    const std::uint64_t cols = f::cols.get(instruction);
    if (!count(rows, dim_, "rows") || !count(cols, max_blocks * dim_, "columns")) return;
    const std::uint64_t blocks = ceil_div(cols, dim_);
    if (blocks > 1 && state.block_stride < rows) {
      error(fmt::format("{} rows with a block stride of {}: the tiles overlap", rows, state.block_stride));
    }
    local_range(local, rows + (blocks - 1) * state.block_stride, "destination");
    const std::uint64_t dram = f::dram.get(instruction);
    if (dram != 0) memory_range(dram, state.stride, rows, cols * (full ? 4 : 1), "source");
  }

  // ---- execute

  void config_execute(const Instruction& instruction) {
    namespace f = fields::ConfigEx;
    a_stride_ = f::a_stride.get(instruction);
    c_stride_ = f::c_stride.get(instruction);
    if (f::set_only_strides.get(instruction) != 0) return;
    execute_configured_ = true;
    weight_stationary_ = f::dataflow.get(instruction) != 0;
    a_transpose_ = f::a_transpose.get(instruction) != 0;
    b_transpose_ = f::b_transpose.get(instruction) != 0;
    const bool a_through = weight_stationary_ ? a_transpose_ : !a_transpose_;
    if (a_through && b_transpose_) error("both operands need the one transposer");
    constexpr std::uint64_t kMaxShift = 31;
    if (f::in_shift.get(instruction) > kMaxShift)
      warn(fmt::format("shift by {}: only 5 bits are decoded", f::in_shift.get(instruction)));
  }

  [[nodiscard]] bool garbage(std::uint64_t local) const {
    return LocalAddress(static_cast<std::uint32_t>(local)).is_garbage(row_bits_);
  }

  // An operand of the array; `stored_rows` rows lie `stride` rows apart.
  void operand(std::uint64_t local, std::uint64_t cols, std::uint64_t rows, std::uint64_t stored_rows,
               std::uint64_t stride, const char* what, bool source) {
    if (garbage(local)) return;
    if (rows > dim_ || cols > dim_)
      return error(fmt::format("{}: {} rows, {} columns; at most {}", what, rows, cols, dim_));
    const LocalAddress address(static_cast<std::uint32_t>(local));
    if (source && address.is_accumulator())
      return error(fmt::format("{} lies in the accumulator: the machine would hang", what));
    if (stored_rows > 0) local_range(address, (stored_rows - 1) * stride + 1, what);
  }

  void preload(const Instruction& instruction) {
    namespace f = fields::Preload;
    if (!execute_configured_) error("the array is used before its config_ex");
    if (preload_pending_) warn("two preloads without a compute between them");
    preload_pending_ = true;
    preload_garbage_ = garbage(f::local.get(instruction));
    result_rows_ = garbage(f::out_local.get(instruction)) ? 0 : f::out_rows.get(instruction);
    const std::uint64_t cols = f::cols.get(instruction);
    const std::uint64_t rows = f::rows.get(instruction);
    operand(f::local.get(instruction), cols, rows, weight_stationary_ && b_transpose_ ? cols : rows, 1,
            "operand of the preload", true);
    const std::uint64_t out_rows = f::out_rows.get(instruction);
    operand(f::out_local.get(instruction), f::out_cols.get(instruction), out_rows, out_rows,
            weight_stationary_ ? c_stride_ : 1, "destination", false);
    if (!weight_stationary_ && c_stride_ != 1)
      warn(fmt::format("a C stride of {} counts from the last row in the output-stationary dataflow", c_stride_));
  }

  void compute(const Instruction& instruction, bool flip) {
    namespace f = fields::ComputeFlip;
    if (!preload_pending_) error("compute without a preload before it");
    if (flip && preload_pending_ && preload_garbage_ && weight_stationary_)
      error("flips to weights that no preload has brought");
    const std::uint64_t a_rows = f::a_rows.get(instruction);
    constexpr std::uint64_t kLeastRows = 4;
    const std::uint64_t streamed =
        std::max({a_rows, garbage(f::b_local.get(instruction)) ? 0 : f::b_rows.get(instruction), kLeastRows});
    if (preload_pending_ && weight_stationary_ && result_rows_ > streamed)
      error(fmt::format("{} rows of results of {} rows of operands", result_rows_, a_rows));
    preload_pending_ = false;
    const std::uint64_t a_cols = f::a_cols.get(instruction);
    if (garbage(f::a_local.get(instruction)) && a_rows > 0 && a_cols > 0)
      error("operand A is absent: the machine would use stale data");
    operand(f::a_local.get(instruction), a_cols, a_rows, a_transpose_ ? a_cols : a_rows, a_stride_, "operand A", true);
    const std::uint64_t b_rows = f::b_rows.get(instruction);
    const std::uint64_t b_cols = f::b_cols.get(instruction);
    operand(f::b_local.get(instruction), b_cols, b_rows, !weight_stationary_ && b_transpose_ ? b_cols : b_rows, 1,
            "operand B", true);
  }

  // ---- stores

  void config_store(const Instruction& instruction) {
    namespace f = fields::ConfigSt;
    store_configured_ = true;
    store_stride_ = f::stride.get(instruction);
    pool_stride_ = f::pool_stride.get(instruction);
    pool_size_ = f::pool_size.get(instruction);
    pool_ = instruction;
    if (pool_stride_ != 0 && (pool_size_ == 0 || f::porows.get(instruction) == 0 || f::pocols.get(instruction) == 0)) {
      error("max-pooling with an empty window or output");
    }
  }

  void config_norm(const Instruction& instruction) {
    namespace f = fields::ConfigNorm;
    if (!geometry_.normaliser) return error("this machine has no normaliser");
    const std::uint64_t select = f::ext_select.get(instruction);
    const Extensions& extensions = geometry_.extensions;
    const bool present[] = {true, extensions.pre_shift, extensions.layer_norm_affine, extensions.deferred_softmax,
                            extensions.wide_variance};
    if (select >= std::size(present)) return error(fmt::format("unknown extension register {}", select));
    if (!present[select]) error(fmt::format("this machine does not have the extension of register {}", select));
    if (select == 0 && f::stats_id.get(instruction) >= static_cast<std::uint64_t>(geometry_.stats_ids)) {
      error(fmt::format("statistics id {} of {}", f::stats_id.get(instruction), geometry_.stats_ids));
    }
  }

  void store(const Instruction& instruction) {
    namespace f = fields::Mvout;
    namespace st = fields::ConfigSt;
    if (!store_configured_) warn("a store before the first config_st: stride and scale are 0");
    const LocalAddress local(static_cast<std::uint32_t>(f::local.get(instruction)));
    const std::uint64_t rows = f::rows.get(instruction);
    const std::uint64_t cols = f::cols.get(instruction);
    const std::uint64_t dram = f::dram.get(instruction);
    if (local.is_garbage(row_bits_)) return warn("stores zeros: the local address names no row");
    const bool full = local.is_accumulator() && local.full_row();
    const bool pooled = pool_stride_ != 0 || pool_size_ != 0;
    const std::uint64_t max_cols = full || pooled ? dim_ : static_cast<std::uint64_t>(geometry_.max_blocks()) * dim_;
    if (!count(cols, max_cols, "columns")) return;
    if (local.is_accumulator() && local.norm_command() != 0) {
      if (!geometry_.normaliser) return error("this machine has no normaliser");
      if (pooled) error("statistics of a pooling store");
    }
    if (pooled) {
      local_range(local, st::orows.get(pool_) * st::ocols.get(pool_), "source");
      if (full && pool_stride_ != 0) error("max-pooling of full accumulator rows");
      const std::uint64_t out_rows = pool_stride_ != 0 ? st::porows.get(pool_) : st::orows.get(pool_);
      const std::uint64_t out_cols = pool_stride_ != 0 ? st::pocols.get(pool_) : st::ocols.get(pool_);
      if (out_rows == 0 || out_cols == 0) return error("a pooling store of 0 rows");
      const std::uint64_t last = (out_rows - 1) * st::pool_out_dim.get(pool_) + out_cols - 1;
      return memory_range(dram, last * store_stride_, 2, cols * (full ? 4 : 1), "destination");
    }
    if (!count(rows, dim_, "rows")) return;
    local_range(local, rows + (ceil_div(cols, dim_) - 1) * dim_, "source");
    const bool writes = !local.is_accumulator() || local.norm_command() == 0;
    if (writes) memory_range(dram, store_stride_, rows, cols * (full ? 4 : 1), "destination");
  }

  // ---- LOOP_WS

  struct MatmulSlot {
    std::uint64_t i = 0, j = 0, k = 0;
    std::uint64_t d = 0;
  };

  void config_matmul(Op op, const Instruction& instruction) {
    MatmulSlot& slot = matmul_[matmul_slot_];
    if (op == Op::kLoopWsBounds) {
      namespace f = fields::LoopWsBounds;
      slot.i = f::max_i.get(instruction);
      slot.j = f::max_j.get(instruction);
      slot.k = f::max_k.get(instruction);
      for (const Field& pad : {f::pad_i, f::pad_j, f::pad_k}) {
        if (pad.get(instruction) >= dim_)
          error(fmt::format("a padding of {} rows or columns; at most {}", pad.get(instruction), dim_ - 1));
      }
    } else if (op == Op::kLoopWsAddrsDc) {
      slot.d = fields::LoopWsAddrsDc::d.get(instruction);
    } else if (op == Op::kLoopWsSpadAb) {
      spad_bases_ = true;
    }
  }

  void loop_matmul(const Instruction& instruction) {
    namespace f = fields::LoopWs;
    const MatmulSlot& slot = matmul_[matmul_slot_];
    matmul_slot_ ^= 1;
    preload_pending_ = false;
    const bool resadd = f::is_resadd.get(instruction) != 0;
    if (slot.i == 0 || slot.j == 0 || (slot.k == 0 && !resadd)) {
      return error("loop over 0 tiles (each of the two loop slots keeps its own configuration)");
    }
    const std::uint64_t results = slot.i * slot.j * dim_;
    const std::uint64_t accumulator_half = rows_of(true) / 2;
    if (results > accumulator_half)
      error(fmt::format("{} rows of results; half of the accumulator has {}", results, accumulator_half));
    const std::uint64_t activation = f::activation.get(instruction);
    const bool normalising = activation == static_cast<std::uint64_t>(Activation::kLayerNorm) ||
                             activation == static_cast<std::uint64_t>(Activation::kSoftmax);
    if (normalising && !geometry_.normaliser) error("this machine has no normaliser");
    if (normalising && f::full_c.get(instruction) != 0) error("LayerNorm or softmax with full-width results");
    if (resadd) {
      if (slot.d != 0) error("a residual addition with a bias");
      if (f::a_transpose.get(instruction) != 0 || f::b_transpose.get(instruction) != 0)
        error("a residual addition with a transposed operand");
      return;
    }
    if (!execute_configured_) error("the array is used before its config_ex");
    if (execute_configured_ && !weight_stationary_) error("LOOP_WS in the output-stationary dataflow");
    if (spad_bases_) return;  // the program places A and B itself
    const std::uint64_t scratchpad_half = rows_of(false) / 2;
    const std::uint64_t a_rows = slot.i * slot.k * dim_;
    const std::uint64_t b_rows = slot.k * slot.j * dim_;
    // With the same id (or none) A grows from the start and B from the end of one half.
    const bool same_half = f::a_spad_id.get(instruction) == f::b_spad_id.get(instruction);
    const std::uint64_t needed = same_half ? a_rows + b_rows : std::max(a_rows, b_rows);
    if (needed > scratchpad_half)
      error(fmt::format("{} rows of operands; half of the scratchpad has {}", needed, scratchpad_half));
  }

  // ---- LOOP_CONV_WS

  struct ConvSlot {
    std::uint64_t stride = 0, kernel_dilation = 0, batches = 0, pochs = 0, krows = 0, kcols = 0, kchs = 0, orows = 0,
                  ocols = 0;
  };

  void config_conv(Op op, const Instruction& instruction) {
    ConvSlot& slot = conv_[conv_slot_];
    const auto get = [&](const Field& field) { return field.get(instruction); };
    if (op == Op::kLoopConv1) slot.stride = get(fields::LoopConv1::stride);
    if (op == Op::kLoopConv1Rect) slot.stride = get(fields::LoopConv1Rect::stride);
    if (op == Op::kLoopConv2 || op == Op::kLoopConv2Rect) {
      slot.batches = get(fields::LoopConv2::batches);
      slot.pochs = get(fields::LoopConv2::pochs);
    } else if (op == Op::kLoopConv3 || op == Op::kLoopConv3Rect) {
      slot.krows = get(fields::LoopConv3::krows);
      slot.kcols = get(fields::LoopConv3::kcols);
      slot.kchs = get(fields::LoopConv3::kchs);
    } else if (op == Op::kLoopConv4) {
      slot.kernel_dilation = get(fields::LoopConv4::kernel_dilation);
      slot.orows = get(fields::LoopConv4::orows);
      slot.ocols = get(fields::LoopConv4::ocols);
    }
  }

  void loop_conv(const Instruction& instruction) {
    namespace f = fields::LoopConv;
    const ConvSlot& slot = conv_[conv_slot_];
    conv_slot_ ^= 1;
    preload_pending_ = false;
    for (const Field& field : {f::wrot180, f::trans_output_1203, f::trans_weight_1203, f::trans_weight_0132,
                               f::trans_input_3120, f::input_dilated}) {
      if (field.get(instruction) != 0) return error("convolutions for training are not part of this machine");
    }
    for (const std::uint64_t size : {slot.stride, slot.kernel_dilation, slot.batches, slot.pochs, slot.krows,
                                     slot.kcols, slot.kchs, slot.orows, slot.ocols}) {
      if (size == 0)
        return error("convolution with an empty dimension (each of the two loop slots keeps its own configuration)");
    }
    if (!execute_configured_) error("the array is used before its config_ex");
    const std::uint64_t results = ceil_div(slot.pochs, dim_) * slot.batches * slot.orows * slot.ocols;
    if (results > rows_of(true) / 2)
      error(fmt::format("{} rows of results; half of the accumulator has {}", results, rows_of(true) / 2));
    const std::uint64_t downsample = f::downsample.get(instruction);
    const std::uint64_t input_rows = (slot.orows * slot.stride + slot.kernel_dilation * (slot.krows - 1)) >> downsample;
    const std::uint64_t input_cols = (slot.ocols * slot.stride + slot.kernel_dilation * (slot.kcols - 1)) >> downsample;
    const std::uint64_t inputs = ceil_div(slot.kchs, dim_) * slot.batches * input_rows * input_cols;
    const std::uint64_t weights = ceil_div(slot.pochs, dim_) * slot.krows * slot.kcols * slot.kchs;
    const bool same_half = f::a_spad_id.get(instruction) == f::b_spad_id.get(instruction);
    const std::uint64_t needed = same_half ? inputs + weights : std::max(inputs, weights);
    if (needed > rows_of(false) / 2)
      error(fmt::format("{} rows of operands; half of the scratchpad has {}", needed, rows_of(false) / 2));
  }

  const Program& program_;
  const Geometry& geometry_;
  const MemoryRange& memory_;
  std::size_t max_findings_;
  std::uint64_t dim_;
  int row_bits_;

  std::vector<Finding> findings_;
  std::size_t item_ = 0;
  const Instruction* current_ = nullptr;
  bool fenced_ = true;

  std::array<LoadState, 3> loads_;
  bool execute_configured_ = false;
  bool weight_stationary_ = false;
  bool a_transpose_ = false;
  bool b_transpose_ = false;
  std::uint64_t a_stride_ = 1;
  std::uint64_t c_stride_ = 1;
  bool preload_pending_ = false;
  bool preload_garbage_ = false;
  std::uint64_t result_rows_ = 0;
  bool store_configured_ = false;
  std::uint64_t store_stride_ = 0;
  std::uint64_t pool_stride_ = 0;
  std::uint64_t pool_size_ = 0;
  Instruction pool_;
  std::array<MatmulSlot, 2> matmul_;
  std::size_t matmul_slot_ = 0;
  bool spad_bases_ = false;
  std::array<ConvSlot, 2> conv_;
  std::size_t conv_slot_ = 0;
};

}  // namespace

std::vector<Finding> check_legality(const Program& program, const Geometry& geometry, const MemoryRange& memory,
                                    std::size_t max_findings) {
  geometry.validate();
  return Checker(program, geometry, memory, max_findings).check();
}

std::string to_string(const Finding& finding) {
  return fmt::format("item {}: {}: {}{}", finding.item, finding.severity == Severity::kError ? "error" : "warning",
                     finding.what, finding.instruction.empty() ? "" : " (" + finding.instruction + ")");
}

}  // namespace systole::isa
