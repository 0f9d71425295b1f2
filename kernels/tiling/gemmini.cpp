#include "kernels/tiling/gemmini.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

std::uint64_t integer_sqrt(std::uint64_t x) {
  std::uint64_t r = 0;
  while ((r + 1) * (r + 1) <= x) ++r;
  return r;
}

}  // namespace

std::uint64_t scratchpad_rows(const Target& target, const Tiling& t) {
  return (t.i * t.k + t.k * t.j) * static_cast<std::uint64_t>(target.dim);
}

std::uint64_t accumulator_rows(const Target& target, const Tiling& t) {
  return t.i * t.j * static_cast<std::uint64_t>(target.dim);
}

Tiling gemmini_tiling(const Target& target, const MatmulShape& shape, bool whole_rows) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t i_tiles = ceil_div(shape.m, dim);
  const std::uint64_t j_tiles = ceil_div(shape.n, dim);
  const std::uint64_t k_tiles = ceil_div(shape.k, dim);
  const std::uint64_t max_scratchpad = target.scratchpad_rows / 2;
  const std::uint64_t max_accumulator = target.accumulator_rows / 2;

  Tiling t;
  if (whole_rows) {
    t = {1, j_tiles, 1};
  } else {
    const std::uint64_t side = std::max<std::uint64_t>(1, integer_sqrt(max_accumulator / dim));
    const std::uint64_t max_k = std::max<std::uint64_t>(1, max_scratchpad / 2 / dim / side);
    t = {std::min(i_tiles, side), std::min(j_tiles, side), std::min(k_tiles, max_k)};
  }
  const auto fits = [&](const Tiling& x) {
    return scratchpad_rows(target, x) <= max_scratchpad && accumulator_rows(target, x) <= max_accumulator;
  };
  if (!fits(t)) {
    throw ConfigError(fmt::format(
        "a {} x {} x {} product {}needs {} accumulator and {} scratchpad rows; half of the memories is {} and {}", shape.m,
        shape.n, shape.k, whole_rows ? "with whole rows " : "", accumulator_rows(target, t), scratchpad_rows(target, t),
        max_accumulator, max_scratchpad));
  }
  for (bool grown = true; grown;) {
    grown = false;
    if (t.j < j_tiles && fits({t.i, t.j + 1, t.k})) ++t.j, grown = true;
    if (t.i < i_tiles && fits({t.i + 1, t.j, t.k})) ++t.i, grown = true;
    if (t.k < k_tiles && fits({t.i, t.j, t.k + 1})) ++t.k, grown = true;
  }
  return t;
}

}  // namespace systole::kernels
