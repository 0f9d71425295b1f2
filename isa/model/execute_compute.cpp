// config_ex, preload and compute: matrix products of scratchpad operands.
#include <fmt/format.h>

#include <algorithm>

#include "isa/model/arithmetic.h"
#include "isa/model/model.h"

namespace systole::isa {
namespace {

// sums[j] += sum over k of a[k] * b[k][j]. Products of int8 and their sums over a row stay far below 2^24, so float is
// exact here, and it is what every x86-64 multiplies in vectors.
template <int kDim>
void multiply_row(const float* a, const float* b, int depth, int dim, float* sums) {
  const int columns = kDim != 0 ? kDim : dim;
  for (int k = 0; k < depth; ++k) {
    const float factor = a[k];
    const float* row = b + static_cast<std::ptrdiff_t>(k) * columns;
    for (int j = 0; j < columns; ++j) sums[j] += factor * row[j];
  }
}

void multiply_row(const float* a, const float* b, int depth, int dim, float* sums) {
  constexpr int kCommonDim = 16;
  if (dim == kCommonDim) return multiply_row<kCommonDim>(a, b, depth, dim, sums);
  multiply_row<0>(a, b, depth, dim, sums);
}

}  // namespace

void Model::config_execute(const Instruction& instruction) {
  namespace f = fields::ConfigEx;
  model::ExecuteState& execute = state_.execute;
  execute.a_stride = static_cast<std::uint32_t>(f::a_stride.get(instruction));
  execute.c_stride = static_cast<std::uint32_t>(f::c_stride.get(instruction));
  if (f::set_only_strides.get(instruction) != 0) return;
  constexpr std::uint64_t kRelu = 1;
  constexpr std::uint64_t kShiftMask = 31;
  execute.configured = true;
  execute.weight_stationary = f::dataflow.get(instruction) != 0;
  execute.relu = f::activation.get(instruction) == kRelu;
  execute.a_transpose = f::a_transpose.get(instruction) != 0;
  execute.b_transpose = f::b_transpose.get(instruction) != 0;
  execute.shift = static_cast<int>(f::in_shift.get(instruction) & kShiftMask);
  // Output-stationary, A passes the only transposer unless it is to be transposed (ExecuteController.scala).
  const bool a_through = execute.weight_stationary ? execute.a_transpose : !execute.a_transpose;
  if (a_through && execute.b_transpose) fail("both operands need the one transposer");
}

model::Operand Model::operand(std::uint32_t local, std::uint64_t cols, std::uint64_t rows) const {
  const std::uint64_t mask = (std::uint64_t{1} << geometry_.rows_bits()) - 1;
  return {LocalAddress(local), std::min(static_cast<int>(cols & mask), geometry_.dim),
          std::min(static_cast<int>(rows & mask), geometry_.dim)};
}

void Model::read_matrix(const model::Operand& source, std::uint32_t stride, bool transpose, const char* name,
                        std::vector<float>& out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  if (is_garbage(source.local)) return;
  if (source.local.is_accumulator())
    fail(fmt::format("operand {} lies in the accumulator; the hardware would hang", name));
  // With a transpose the instruction's rows and columns describe the operand as it is used, not as it is stored.
  const int stored_rows = transpose ? source.cols : source.rows;
  const int stored_cols = transpose ? source.rows : source.cols;
  const std::ptrdiff_t dim = geometry_.dim;
  for (int row = 0; row < stored_rows; ++row) {
    const std::int8_t* values =
        scratchpad_row(row_of(source.local.plus(static_cast<std::uint32_t>(row) * stride, row_bits_)));
    float* const to = out.data() + (transpose ? row : row * dim);
    const std::ptrdiff_t step = transpose ? dim : 1;
    for (int col = 0; col < stored_cols; ++col) to[col * step] = values[col];
  }
}

void Model::preload(const Instruction& instruction) {
  namespace f = fields::Preload;
  const model::ExecuteState& execute = state_.execute;
  if (!execute.configured) fail("the array is used before its config_ex");
  const model::Operand source = operand(static_cast<std::uint32_t>(f::local.get(instruction)), f::cols.get(instruction),
                                        f::rows.get(instruction));
  model::ArrayState& array = state_.array;
  array.preloaded = true;
  array.destination = operand(static_cast<std::uint32_t>(f::out_local.get(instruction)), f::out_cols.get(instruction),
                              f::out_rows.get(instruction));
  array.operand_garbage = is_garbage(source.local);
  // The B transpose concerns the stationary operand of the weight-stationary dataflow, the streamed one of the other.
  read_matrix(source, 1, execute.weight_stationary && execute.b_transpose, "of the preload", array.operand);
}

void Model::compute(const Instruction& instruction, bool flip) {
  namespace f = fields::ComputeFlip;
  const model::ExecuteState& execute = state_.execute;
  model::ArrayState& array = state_.array;
  if (!array.preloaded) fail("compute without a preload before it");
  array.preloaded = false;
  const model::Operand a = operand(static_cast<std::uint32_t>(f::a_local.get(instruction)), f::a_cols.get(instruction),
                                   f::a_rows.get(instruction));
  const model::Operand b = operand(static_cast<std::uint32_t>(f::b_local.get(instruction)), f::b_cols.get(instruction),
                                   f::b_rows.get(instruction));
  if (is_garbage(a.local) && a.rows > 0 && a.cols > 0) fail("operand A is absent; the hardware would use stale data");
  read_matrix(a, execute.a_stride, execute.a_transpose, "A", a_matrix_);
  read_matrix(b, 1, !execute.weight_stationary && execute.b_transpose, "B", b_matrix_);

  const std::ptrdiff_t dim = geometry_.dim;
  const bool stores = !is_garbage(array.destination.local);
  const int rows = execute.weight_stationary ? (stores ? array.destination.rows : 0) : geometry_.dim;
  // A short operation moves at least 4 rows; how many more depends on what comes with it (ExecuteController.scala
  // total_rows).
  constexpr int kLeastRows = 4;
  if (stores && execute.weight_stationary && rows > std::max({a.rows, is_garbage(b.local) ? 0 : b.rows, kLeastRows})) {
    fail(fmt::format("{} rows of results of {} rows of operands", rows, a.rows));
  }
  if (execute.weight_stationary) {
    if (!array.operand_garbage) array.next_weights.swap(array.operand);
    if (array.operand_garbage && flip) fail("flips to weights that no preload has brought");
    if (flip) array.weights.swap(array.next_weights);
  } else if (flip) {
    std::transform(array.operand.begin(), array.operand.end(), array.sums.begin(),
                   [](float value) { return static_cast<std::int32_t>(value); });
  }

  const std::vector<float>& stationary = execute.weight_stationary ? array.weights : b_matrix_;
  std::vector<float> sums(static_cast<std::size_t>(dim));
  for (int row = 0; row < rows; ++row) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    if (row < a.rows) multiply_row(a_matrix_.data() + row * dim, stationary.data(), a.cols, geometry_.dim, sums.data());
    std::int32_t* const to = c_matrix_.data() + row * dim;
    std::int32_t* const stationary_sums = array.sums.data() + row * dim;
    const float* const bias = b_matrix_.data() + row * dim;
    std::uint32_t wraps = 0;
    for (std::ptrdiff_t j = 0; j < dim; ++j) {
      const auto product = static_cast<std::int32_t>(sums[static_cast<std::size_t>(j)]);
      const std::int32_t exact =
          product + (execute.weight_stationary ? static_cast<std::int32_t>(bias[j]) : stationary_sums[j]);
      to[j] = model::wrap_to(exact, geometry_.spatial_bits);
      wraps += to[j] != exact ? 1u : 0u;
    }
    overflows_.array += wraps;
    if (execute.weight_stationary) continue;
    std::copy_n(to, dim, stationary_sums);
    const std::int32_t limit = static_cast<std::int32_t>((std::uint32_t{1} << (geometry_.spatial_bits - 1)) - 1);
    for (std::ptrdiff_t j = 0; j < dim; ++j)
      to[j] = std::clamp(model::shift_right_rounded(to[j], execute.shift), -limit - 1, limit);
  }
  if (stores) write_result(c_matrix_.data(), array.destination.rows);
}

bool Model::multiply_tiles(const LoopProducts& loop) {
  const model::ExecuteState& execute = state_.execute;
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  constexpr std::uint64_t kLargestProduct = 128 * 128;
  if (!execute.configured || !execute.weight_stationary || execute.a_transpose || execute.b_transpose != loop.b_transposed || loop.a_transposed ||
      execute.a_stride != 1 || execute.c_stride != 1 || dim * kLargestProduct >= std::uint64_t{1} << (geometry_.spatial_bits - 1)) {
    return false;
  }
  const std::uint32_t a = loop.a & scratchpad_mask_;
  const std::uint32_t b = loop.b & scratchpad_mask_;
  const std::uint32_t c = loop.c & accumulator_mask_;
  const auto fits = [dim](std::uint32_t first, std::uint64_t tiles, std::uint32_t mask) { return first + tiles * dim <= std::uint64_t{mask} + 1; };
  if (!fits(a, std::uint64_t{loop.i} * loop.k, scratchpad_mask_) || !fits(b, std::uint64_t{loop.k} * loop.j, scratchpad_mask_) ||
      !fits(c, std::uint64_t{loop.i} * loop.j, accumulator_mask_)) {
    return false;
  }
  model::ArrayState& array = state_.array;
  model::Operand weights;
  for (std::uint32_t k = 0; k < loop.k; ++k) {
    const std::uint32_t depth = dim - (k == loop.k - 1 ? loop.pad_k : 0);
    const bool accumulate = k != 0 || loop.accumulate;
    for (std::uint32_t j = 0; j < loop.j; ++j) {
      const std::uint32_t cols = dim - (j == loop.j - 1 ? loop.pad_j : 0);
      weights.local = LocalAddress(b + (loop.b_transposed ? j * loop.k + k : k * loop.j + j) * dim);
      weights.cols = static_cast<int>(cols);
      weights.rows = static_cast<int>(depth);
      const std::int8_t* tile = scratchpad_row(weights.local.bits());
      if (loop.b_transposed) {
        for (std::uint32_t row = 0; row < dim; ++row) {
          for (std::uint32_t col = 0; col < dim; ++col) transposed_[col * dim + row] = tile[row * dim + col];
        }
        tile = transposed_.data();
      }
      tile_.set_weights(tile, weights.rows, weights.cols);
      for (std::uint32_t i = 0; i < loop.i; ++i) {
        const auto rows = static_cast<int>(dim - (i == loop.i - 1 ? loop.pad_i : 0));
        const std::int8_t* const left = scratchpad_row(a + (i * loop.k + k) * dim);
        std::int32_t* const out = accumulator(c + (i * loop.j + j) * dim);
        if (cols == dim) {
          overflows_.accumulate += tile_.multiply(left, rows, accumulate, out);
          continue;
        }
        // The columns beyond stay as they are.
        tile_.multiply(left, rows, false, c_matrix_.data());
        for (int row = 0; row < rows; ++row) {
          for (std::uint32_t col = 0; col < cols; ++col) {
            std::int32_t& to = out[static_cast<std::uint32_t>(row) * dim + col];
            const std::int32_t product = c_matrix_[static_cast<std::uint32_t>(row) * dim + col];
            const auto sum = accumulate ? static_cast<std::int32_t>(static_cast<std::uint32_t>(to) + static_cast<std::uint32_t>(product)) : product;
            if (accumulate) overflows_.accumulate += static_cast<std::uint32_t>((to ^ sum) & (product ^ sum)) >> 31;
            to = sum;
          }
        }
      }
    }
  }
  // What the last pair of instructions leaves in the array.
  read_matrix(weights, 1, loop.b_transposed, "of the preload", array.weights);
  array.preloaded = false;
  array.operand_garbage = loop.i > 1;
  array.destination.local = LocalAddress(LocalAddress::kAccumulatorBit | (loop.k > 1 || loop.accumulate ? LocalAddress::kAccumulateBit : 0) |
                                         (c + (loop.i * loop.j - 1) * dim));
  array.destination.cols = static_cast<int>(dim - loop.pad_j);
  array.destination.rows = static_cast<int>(dim - loop.pad_i);
  return true;
}

void Model::write_result(const std::int32_t* result, int rows) {
  const model::ExecuteState& execute = state_.execute;
  const model::Operand& to = state_.array.destination;
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  for (int row = 0; row < rows; ++row) {
    const auto index = static_cast<std::uint32_t>(row);
    // Output-stationary results leave bottom row first, and the stride counts from there (ExecuteController.scala).
    const std::uint32_t distance =
        execute.weight_stationary ? index * execute.c_stride : (dim - 1) - (dim - 1 - index) * execute.c_stride;
    const std::uint32_t target = row_of(to.local.plus(distance, row_bits_));
    const std::int32_t* const values = result + static_cast<std::ptrdiff_t>(row) * geometry_.dim;
    if (!to.local.is_accumulator()) {
      std::int8_t* const out = scratchpad(target);
      const std::int32_t low = execute.relu ? 0 : -128;
      for (int j = 0; j < to.cols; ++j) out[j] = static_cast<std::int8_t>(std::clamp(values[j], low, 127));
    } else if (to.local.accumulate()) {
      std::int32_t* const out = accumulator(target);
      std::uint32_t wraps = 0;
      for (int j = 0; j < to.cols; ++j) {
        const auto sum =
            static_cast<std::int32_t>(static_cast<std::uint32_t>(out[j]) + static_cast<std::uint32_t>(values[j]));
        wraps += static_cast<std::uint32_t>((out[j] ^ sum) & (values[j] ^ sum)) >> 31;
        out[j] = sum;
      }
      overflows_.accumulate += wraps;
    } else {
      std::copy_n(values, to.cols, accumulator(target));
    }
  }
}

}  // namespace systole::isa
