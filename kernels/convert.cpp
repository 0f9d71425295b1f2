#include "kernels/convert.h"

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::kernels {

void convert(Builder& b, const Matrix& x, const Matrix& out, float scale) {
  SYSTOLE_CHECK(x.element == Element::kInt32 && out.element == Element::kInt8 && x.rows == out.rows && x.cols == out.cols);
  const std::uint64_t dim = b.dim();
  const std::uint64_t width = static_cast<std::uint64_t>(b.target().max_blocks()) * dim;
  const std::uint64_t load = static_cast<std::uint64_t>(b.target().max_blocks_acc()) * dim;
  const std::uint64_t slots = std::max<std::uint64_t>(1, b.target().accumulator_rows / width);
  StoreConfig store;
  store.stride = out.stride;
  store.scale = scale;
  b.store_config(store);
  b.load_config(LoadState::kA, {x.stride, 1.0f, false});
  std::uint64_t slot = 0;
  for (std::uint64_t r = 0; r < x.rows; r += dim) {
    const std::uint64_t rows = std::min(dim, x.rows - r);
    for (std::uint64_t c = 0; c < x.cols; c += width, slot = (slot + 1) % slots) {
      const std::uint64_t cols = std::min(width, x.cols - c);
      for (std::uint64_t part = 0; part < cols; part += load) {
        b.mvin(LoadState::kA, x.at(r, c + part), b.accumulator(slot * width + part), std::min(load, cols - part), rows);
      }
      b.mvout(out.at(r, c), b.accumulator(slot * width), cols, rows);
    }
  }
}

}  // namespace systole::kernels
