// LOOP_WS: a tiled matrix multiplication (or residual addition), unrolled into the instructions its loop units emit
// (LoopMatmul.scala).
#include <fmt/format.h>

#include <algorithm>

#include "isa/model/model.h"
#include "isa/model/unroll.h"

namespace systole::isa {
namespace {

constexpr std::uint32_t kAccumulator = LocalAddress::kAccumulatorBit;

// Columns of a wide move of `tiles` tiles that starts at tile `first` of `count`.
std::uint32_t columns(std::uint32_t dim, std::uint32_t first, std::uint32_t tiles, std::uint32_t count,
                      std::uint32_t pad) {
  return tiles * dim - (first + tiles >= count ? pad : 0);
}

}  // namespace

void Model::config_matmul(Op op, const Instruction& instruction) {
  model::MatmulSlot& slot = state_.matmul.slots[static_cast<std::size_t>(state_.matmul.current)];
  const auto get = [&](const Field& field) { return field.get(instruction); };
  const auto get32 = [&](const Field& field) { return static_cast<std::uint32_t>(field.get(instruction)); };
  if (op == Op::kLoopWsBounds) {
    namespace f = fields::LoopWsBounds;
    const std::uint32_t pad_mask = static_cast<std::uint32_t>(geometry_.dim) - 1;
    slot.i = get32(f::max_i);
    slot.j = get32(f::max_j);
    slot.k = get32(f::max_k);
    slot.pad_i = get32(f::pad_i) & pad_mask;
    slot.pad_j = get32(f::pad_j) & pad_mask;
    slot.pad_k = get32(f::pad_k) & pad_mask;
  } else if (op == Op::kLoopWsAddrsAb) {
    slot.a = get(fields::LoopWsAddrsAb::a);
    slot.b = get(fields::LoopWsAddrsAb::b);
  } else if (op == Op::kLoopWsAddrsDc) {
    slot.d = get(fields::LoopWsAddrsDc::d);
    slot.c = get(fields::LoopWsAddrsDc::c);
  } else if (op == Op::kLoopWsStridesAb) {
    slot.a_stride = get(fields::LoopWsStridesAb::a);
    slot.b_stride = get(fields::LoopWsStridesAb::b);
  } else if (op == Op::kLoopWsStridesDc) {
    slot.d_stride = get(fields::LoopWsStridesDc::d);
    slot.c_stride = get(fields::LoopWsStridesDc::c);
  } else if (op == Op::kLoopWsSpadAb) {
    slot.a_start = get32(fields::LoopWsSpadAb::a);
    slot.b_end = get32(fields::LoopWsSpadAb::b);
  }
  // loop_ws_spad_c is accepted and has no handler (LoopMatmul.scala).
}

void Model::loop_matmul(const Instruction& loop) {
  namespace f = fields::LoopWs;
  const int slot_index = state_.matmul.current;
  const model::MatmulSlot& slot = state_.matmul.slots[static_cast<std::size_t>(slot_index)];
  state_.matmul.current ^= 1;
  const bool is_2025 = geometry_.revision >= 2025;
  const auto flag = [&](const Field& field) { return field.get(loop) != 0; };
  const auto skip = [&](const Field& field) { return is_2025 && flag(field); };
  const bool spad_only = skip(f::spad_only);
  if (skip(f::skip_a) && skip(f::skip_b) && skip(f::skip_d) && skip(f::skip_execute) && skip(f::skip_c)) {
    fail("a loop that skips everything never ends in the hardware");
  }
  if (slot.i == 0 || slot.j == 0) fail("loop over 0 tiles (each of the two loop slots keeps its own configuration)");
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  const auto half = static_cast<std::uint32_t>(geometry_.accumulator_rows() / 2);
  const bool next_half = spad_only ? skip(f::inc_acc_addr) : slot.c != 0;
  const auto take_half = [&](int& which, bool advance) {
    const std::uint32_t base = static_cast<std::uint32_t>(which) * half;
    if (advance) which ^= 1;
    return base;
  };
  in_loop_ = true;

  if (flag(f::is_resadd)) {
    if (slot.d != 0) fail("a residual addition with a bias");
    if (flag(f::a_transpose) || flag(f::b_transpose)) fail("a residual addition with a transposed operand");
    take_half(state_.matmul.d_half, slot.c != 0);
    take_half(state_.matmul.execute_half, next_half);
    take_half(state_.matmul.c_half, next_half);
    loop_residual(slot, slot_index);
    store_matmul(slot, static_cast<std::uint32_t>(slot_index) * half, loop);
    return;
  }
  if (slot.k == 0) fail("loop over 0 tiles (each of the two loop slots keeps its own configuration)");

  const auto scratchpad_half = static_cast<std::uint32_t>(geometry_.scratchpad_rows() / 2);
  const auto a_id = static_cast<std::uint32_t>(f::a_spad_id.get(loop));
  const auto b_id = static_cast<std::uint32_t>(f::b_spad_id.get(loop));
  const auto start_of = [&](std::uint32_t start, std::uint32_t id) {
    return id == 0 ? start : (id - 1) * scratchpad_half;
  };
  const auto end_of = [&](std::uint32_t end, std::uint32_t id) { return id == 0 ? end : id * scratchpad_half; };
  const std::uint32_t b_rows = slot.k * slot.j * dim;
  const std::uint32_t row_mask = (1u << row_bits_) - 1;
  const auto emit = [&](Op op, const Instruction& instruction) {
    unrolled_ = instruction;
    dispatch(op, instruction);
  };

  if (!skip(f::skip_d)) {
    const std::uint32_t base = take_half(state_.matmul.d_half, slot.c != 0);
    if (slot.d != 0) {
      const bool low = flag(f::low_d);
      const auto step =
          std::min(slot.j, static_cast<std::uint32_t>(low ? geometry_.max_blocks() : geometry_.max_blocks_full()));
      for (std::uint32_t j = 0; j < slot.j; j += step) {
        const std::uint32_t tiles = std::min(step, slot.j - j);
        for (std::uint32_t i = 0; i < slot.i; ++i) {
          const std::uint64_t from = (i * slot.d_stride + j) * dim * (low ? 1 : 4);
          emit(Op::kMvin3,
               model::move(Op::kMvin3, model::dram_address(slot.d, from),
                           kAccumulator | ((base + (i * slot.j + j) * dim) & row_mask),
                           columns(dim, j, tiles, slot.j, slot.pad_j), dim - (i == slot.i - 1 ? slot.pad_i : 0)));
        }
      }
    }
  }

  // A and B: rows x cols tiles in memory order, tile (row, col) at local row (row * cols + col) * dim.
  const auto load = [&](Op op, std::uint64_t address, std::uint64_t stride, std::uint32_t start, std::uint32_t rows,
                        std::uint32_t cols, std::uint32_t pad_rows, std::uint32_t pad_cols) {
    const auto step = std::min(cols, static_cast<std::uint32_t>(geometry_.max_blocks()));
    for (std::uint32_t col = 0; col < cols; col += step) {
      const std::uint32_t tiles = std::min(step, cols - col);
      for (std::uint32_t row = 0; row < rows; ++row) {
        emit(op, model::move(op, model::dram_address(address, (row * stride + col) * dim),
                             (start + (row * cols + col) * dim) & row_mask, columns(dim, col, tiles, cols, pad_cols),
                             dim - (row == rows - 1 ? pad_rows : 0)));
      }
    }
  };
  const bool a_transposed = flag(f::a_transpose);
  const bool b_transposed = flag(f::b_transpose);
  if (slot.a != 0 && !skip(f::skip_a)) {
    const std::uint32_t start = start_of(slot.a_start, a_id);
    if (a_transposed) {
      load(Op::kMvin, slot.a, slot.a_stride, start, slot.k, slot.i, slot.pad_k, slot.pad_i);
    } else {
      load(Op::kMvin, slot.a, slot.a_stride, start, slot.i, slot.k, slot.pad_i, slot.pad_k);
    }
  }
  if (slot.b != 0 && !skip(f::skip_b)) {
    // The row padding of B is never applied: the hardware compares the bound with itself minus one.
    const std::uint32_t start = end_of(slot.b_end, b_id) - b_rows;
    if (b_transposed) {
      load(Op::kMvin2, slot.b, slot.b_stride, start, slot.j, slot.k, 0, slot.pad_k);
    } else {
      load(Op::kMvin2, slot.b, slot.b_stride, start, slot.k, slot.j, 0, slot.pad_j);
    }
  }

  if (!skip(f::skip_execute)) {
    const std::uint32_t base = take_half(state_.matmul.execute_half, next_half);
    const std::uint32_t a_start = start_of(slot.a_start, spad_only ? 0 : a_id);
    const std::uint32_t b_start = end_of(slot.b_end, spad_only ? 0 : b_id) - b_rows;
    const LoopProducts products{slot.i,  slot.j,  slot.k,  slot.pad_i,   slot.pad_j,   slot.pad_k,
                                a_start, b_start, base,    a_transposed, b_transposed, flag(f::ex_accumulate)};
    const bool at_once = multiply_tiles(products);
    for (std::uint32_t k = 0; k < slot.k && !at_once; ++k) {
      const std::uint32_t depth = dim - (k == slot.k - 1 ? slot.pad_k : 0);
      const bool accumulate = k != 0 || flag(f::ex_accumulate);
      for (std::uint32_t j = 0; j < slot.j; ++j) {
        const std::uint32_t cols = dim - (j == slot.j - 1 ? slot.pad_j : 0);
        const std::uint32_t b = (b_start + (b_transposed ? j * slot.k + k : k * slot.j + j) * dim) & row_mask;
        for (std::uint32_t i = 0; i < slot.i; ++i) {
          const std::uint32_t rows = dim - (i == slot.i - 1 ? slot.pad_i : 0);
          const std::uint32_t c = kAccumulator | (accumulate ? LocalAddress::kAccumulateBit : 0) |
                                  ((base + (i * slot.j + j) * dim) & row_mask);
          const std::uint32_t a = (a_start + (a_transposed ? k * slot.i + i : i * slot.k + k) * dim) & row_mask;
          emit(Op::kPreload, model::preload(i == 0 ? b : LocalAddress::kGarbage, cols, depth, c, cols, rows));
          emit(i == 0 ? Op::kComputeFlip : Op::kComputeStay, model::compute(i == 0, a, depth, rows, dim, dim));
        }
      }
    }
  }

  if (skip(f::skip_c)) return;
  const std::uint32_t base = take_half(state_.matmul.c_half, next_half);
  if (spad_only) return;  // the results go to an external scratchpad, which this machine does not have
  store_matmul(slot, base, loop);
}

void Model::loop_residual(const model::MatmulSlot& slot, int slot_index) {
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  const std::uint32_t base = static_cast<std::uint32_t>(slot_index * (geometry_.accumulator_rows() / 2));
  const std::uint32_t row_mask = (1u << row_bits_) - 1;
  const auto step = std::min(slot.j, static_cast<std::uint32_t>(geometry_.max_blocks()));
  const auto load = [&](Op op, std::uint64_t address, std::uint64_t stride, std::uint32_t accumulate,
                        std::uint32_t pad_rows) {
    if (address == 0) return;
    for (std::uint32_t j = 0; j < slot.j; j += step) {
      const std::uint32_t tiles = std::min(step, slot.j - j);
      for (std::uint32_t i = 0; i < slot.i; ++i) {
        unrolled_ = model::move(op, model::dram_address(address, (i * stride + j) * dim),
                                kAccumulator | accumulate | ((base + (i * slot.j + j) * dim) & row_mask),
                                columns(dim, j, tiles, slot.j, slot.pad_j), dim - (i == slot.i - 1 ? pad_rows : 0));
        dispatch(op, unrolled_);
      }
    }
  };
  load(Op::kMvin, slot.a, slot.a_stride, 0, slot.pad_i);
  load(Op::kMvin2, slot.b, slot.b_stride, LocalAddress::kAccumulateBit,
       0);  // rows of B are never padded, see loop_matmul
}

void Model::store_matmul(const model::MatmulSlot& slot, std::uint32_t base, const Instruction& loop) {
  namespace f = fields::LoopWs;
  if (slot.c == 0) return;
  const bool full_c = f::full_c.get(loop) != 0;
  const auto row_group = static_cast<std::uint32_t>(f::row_group.get(loop));
  const auto activation = static_cast<Activation>(f::activation.get(loop));
  if (activation == Activation::kLayerNorm || activation == Activation::kSoftmax) {
    return store_normalised(slot, base, activation == Activation::kLayerNorm, full_c, row_group);
  }
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  const std::uint32_t row_mask = (1u << row_bits_) - 1;
  const std::uint32_t step = full_c ? 1 : std::min(slot.j, static_cast<std::uint32_t>(geometry_.max_blocks()));
  const std::uint32_t flags = kAccumulator | (full_c ? LocalAddress::kFullRowBit : 0);
  for (std::uint32_t j = 0; j < slot.j; j += step) {
    const std::uint32_t tiles = std::min(step, slot.j - j);
    for (std::uint32_t i = 0; i < slot.i; ++i) {
      const std::uint64_t to = (i * slot.c_stride + j) * dim * (full_c ? 4 : 1);
      const std::uint32_t group = row_group_bits(row_group + i);
      unrolled_ = model::move(Op::kMvout, model::dram_address(slot.c, to),
                              flags | group | ((base + (i * slot.j + j) * dim) & row_mask),
                              columns(dim, j, tiles, slot.j, slot.pad_j), dim - (i == slot.i - 1 ? slot.pad_i : 0));
      dispatch(Op::kMvout, unrolled_);
    }
  }
}

// LayerNorm and softmax read every row three times: twice for its statistics, once to write it. Two rows are in work at
// a time.
void Model::store_normalised(const model::MatmulSlot& slot, std::uint32_t base, bool layer_norm, bool full_c,
                             std::uint32_t row_group) {
  struct Pass {
    NormCommand inner;  // blocks before the last one of the row
    NormCommand last;
  };
  constexpr Pass kLayerNorm[] = {{NormCommand::kSum, NormCommand::kMean},
                                 {NormCommand::kVariance, NormCommand::kInvStddev},
                                 {NormCommand::kReset, NormCommand::kReset}};
  constexpr Pass kSoftmax[] = {{NormCommand::kMax, NormCommand::kMax},
                               {NormCommand::kSumExp, NormCommand::kInvSumExp},
                               {NormCommand::kReset, NormCommand::kReset}};
  constexpr std::uint32_t kRowsInWork = 2;
  if (full_c) fail("LayerNorm or softmax with full-width results");
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  const std::uint32_t row_mask = (1u << row_bits_) - 1;
  const std::uint32_t step = std::min(slot.j, static_cast<std::uint32_t>(geometry_.max_blocks()));
  for (std::uint32_t i = 0; i < slot.i; ++i) {
    const std::uint32_t rows = dim - (i == slot.i - 1 ? slot.pad_i : 0);
    for (std::uint32_t first = 0; first < rows; first += kRowsInWork) {
      for (const Pass& pass : layer_norm ? kLayerNorm : kSoftmax) {
        for (std::uint32_t id = 0; id < std::min(kRowsInWork, rows - first); ++id) {
          unrolled_ = make(Op::kConfigNorm);
          fields::ConfigNorm::set_stats_id_only.set(unrolled_, 1);
          fields::ConfigNorm::stats_id.set(unrolled_, id);
          dispatch(Op::kConfigNorm, unrolled_);
          const std::uint32_t row = first + id;
          for (std::uint32_t j = 0; j < slot.j; j += step) {
            const std::uint32_t tiles = std::min(step, slot.j - j);
            const NormCommand command = j + step >= slot.j ? pass.last : pass.inner;
            const std::uint64_t to = (i * slot.c_stride + j) * dim + row * slot.c_stride;
            const std::uint32_t local = kAccumulator |
                                        (static_cast<std::uint32_t>(command) << LocalAddress::kNormCommandShift) |
                                        row_group_bits(row_group + i) | ((base + (i * slot.j + j) * dim + row) & row_mask);
            unrolled_ = model::move(Op::kMvout, model::dram_address(slot.c, to), local,
                                    columns(dim, j, tiles, slot.j, slot.pad_j), 1);
            dispatch(Op::kMvout, unrolled_);
          }
        }
      }
    }
  }
}

std::uint32_t Model::row_group_bits(std::uint32_t tile_row) const {
  if (!geometry_.extensions.deferred_softmax || row_bits_ >= LocalAddress::kRowGroupShift) return 0;
  return (tile_row % LocalAddress::kRowGroups) << LocalAddress::kRowGroupShift;
}

}  // namespace systole::isa
