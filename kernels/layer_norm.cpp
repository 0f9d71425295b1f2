#include "kernels/layer_norm.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::kernels {

std::vector<float> affine_rows(const std::vector<float>& gamma, const std::vector<float>& beta, std::uint64_t dim) {
  SYSTOLE_CHECK(gamma.size() == beta.size());
  std::vector<float> rows(2 * round_up(gamma.size(), dim), 0.0f);
  for (std::size_t e = 0; e < gamma.size(); ++e) {
    const std::size_t row = e / dim * 2;
    rows[row * dim + e % dim] = gamma[e];
    rows[(row + 1) * dim + e % dim] = beta[e];
  }
  return rows;
}

void layer_norm(Builder& b, const LayerNormArguments& args) {
  const Matrix& x = args.x;
  SYSTOLE_CHECK(args.out.rows == x.rows && args.out.cols == x.cols);
  StoreConfig store;
  store.activation = args.affine.present() ? isa::Activation::kLayerNormAffine : isa::Activation::kLayerNorm;
  store.scale = args.scale;
  store.pre_shift = args.pre_shift;
  store.wide_variance = args.wide_variance;
  // The accumulator is free and x is in memory.
  b.fence();
  const std::uint64_t reserved = args.affine.present() ? load_affine_rows(b, args.affine) : 0;
  normalise_matrix(b, RowStatistics::kLayerNorm, x, args.out, store, reserved, std::nullopt, args.x_scale);
}

std::uint64_t load_affine_rows(Builder& b, const Matrix& affine) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t rows = b.target().accumulator_rows;
  if (affine.rows >= rows) {
    throw ConfigError(fmt::format("gamma and beta of {} columns do not fit {} accumulator rows of {} elements",
                                  affine.rows / 2 * dim, rows, dim));
  }
  const std::uint64_t first = rows - affine.rows;
  b.load_config(LoadState::kB, {affine.stride, 1.0f, false});
  for (std::uint64_t r = 0; r < affine.rows; r += dim) {
    b.mvin(LoadState::kB, affine.at(r, 0), b.accumulator(first + r), dim, std::min(dim, affine.rows - r));
  }
  b.affine_row(static_cast<std::uint32_t>(first));
  return affine.rows;
}

}  // namespace systole::kernels
