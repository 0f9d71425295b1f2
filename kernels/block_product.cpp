#include "kernels/block_product.h"

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::kernels {

std::uint64_t stored_tiles(const Target& target) {
  return std::max<std::uint64_t>(1, target.accumulator_rows / 2 / static_cast<std::uint64_t>(target.dim));
}

void multiply_block(Builder& b, const BlockProduct& p) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t m = p.a.rows, k = p.a.cols, n = p.transpose_b ? p.b.rows : p.b.cols;
  SYSTOLE_CHECK((p.transpose_b ? p.b.cols : p.b.rows) == k);
  SYSTOLE_CHECK(p.c.rows == m && p.c.cols == n);
  SYSTOLE_CHECK(!p.d.present() || (p.d.cols == n && (p.d.stride == 0 || p.d.rows == m)));
  LoopWs loop;
  loop.i = ceil_div(m, dim);
  loop.j = ceil_div(n, dim);
  SYSTOLE_CHECK(loop.i * loop.j <= stored_tiles(b.target()));
  loop.pad_i = loop.i * dim - m;
  loop.pad_j = loop.j * dim - n;
  loop.stride_a = p.a.stride_elements();
  loop.stride_b = p.b.stride_elements();
  loop.stride_d = p.d.stride_elements();
  loop.stride_c = p.c.stride_elements();
  loop.transpose_b = p.transpose_b;
  loop.full_c = p.c.element == Element::kInt32;
  if (!loop.full_c) loop.activation = loop_store_sequence(p.store.activation);
  const std::uint64_t k_tiles = ceil_div(k, dim);
  const std::uint64_t input_tiles = b.target().scratchpad_rows / 2 / dim;
  SYSTOLE_CHECK(loop.i + loop.j <= input_tiles);
  const std::uint64_t largest = input_tiles / (loop.i + loop.j);
  const std::uint64_t first = std::min(largest, p.cold ? std::max<std::uint64_t>(1, k_tiles / 4) : k_tiles);
  b.execute_config({true, false, p.transpose_b});
  StoreConfig store = p.store;
  store.stride = p.c.stride;
  if (loop.full_c) store.activation = isa::Activation::kNone;
  b.store_config(store);
  if (store.activation == isa::Activation::kExp || store.activation == isa::Activation::kRowScale) {
    // The entry follows from the tile, so that blocks of one head differ in nothing that would have to be configured.
    SYSTOLE_CHECK(p.row_scales % dim == 0);
    b.row_scale_base(0);
    loop.row_group = static_cast<std::uint32_t>(p.row_scales / dim);
  }
  b.load_config(LoadState::kA, {p.a.stride, 1.0f, false});
  b.load_config(LoadState::kB, {p.b.stride, 1.0f, false});
  if (p.d.present()) b.load_config(LoadState::kD, {p.d.stride, p.d_scale, p.d.element == Element::kInt8});
  for (std::uint64_t k0 = 0; k0 < k_tiles; k0 += loop.k) {
    loop.k = k0 == 0 ? first : std::min(largest, k_tiles - k0);
    const bool last = k0 + loop.k == k_tiles;
    loop.pad_k = last ? k_tiles * dim - k : 0;
    loop.a = p.a.at(0, k0 * dim);
    loop.b = p.transpose_b ? p.b.at(0, k0 * dim) : p.b.at(k0 * dim, 0);
    loop.d = k0 == 0 ? p.d.address : 0;
    loop.low_d = p.d.present() && p.d.element == Element::kInt8;
    loop.c = last ? p.c.address : 0;
    loop.accumulate = k0 != 0 || p.d.present();
    b.loop_ws(loop);
  }
}

}  // namespace systole::kernels
