#include "kernels/tiling/search.h"

#include <algorithm>
#include <optional>

#include "kernels/tiling/gemmini.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Cycles from the first command of a loop to its first array pass when nothing was loaded ahead: command path, memory
// latency, array depth. Only relative weight matters here.
constexpr std::uint64_t kStart = 150;
// Bytes per cycle between memory and the local memories (Configs.scala: dma_buswidth 128).
constexpr std::uint64_t kBusBytes = 16;

std::uint64_t price(const Target& target, const TilingRequest& r, const Tiling& t, bool resident) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t tile_beats = std::max<std::uint64_t>(1, dim * dim / kBusBytes);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  std::uint64_t total = 0;
  for (std::uint64_t i0 = 0; i0 < it; i0 += t.i) {
    const std::uint64_t i = std::min(t.i, it - i0);
    for (std::uint64_t j0 = 0; j0 < jt; j0 += t.j) {
      const std::uint64_t j = std::min(t.j, jt - j0);
      for (std::uint64_t k0 = 0; k0 < kt; k0 += t.k) {
        const std::uint64_t k = std::min(t.k, kt - k0);
        const std::uint64_t array = dim * j * k * (i + (r.transpose_b ? 1 : 0));
        const std::uint64_t first = k * (i + j) * tile_beats;
        const std::uint64_t later = k * j * tile_beats;
        const std::uint64_t loads = resident && j0 != 0 ? later : first;
        total += std::max(array, loads) + (k0 == 0 ? 0 : 1);
        if (resident && j0 == 0) {
          // The other branches find A in place.
          total += (r.branches - 1) * std::max(array, later);
        } else {
          total += (r.branches - 1) * std::max(array, loads);
        }
      }
    }
    // A new row block of a resident A waits until the old one is no longer read.
    if (resident) total += kStart;
  }
  return total + kStart * r.branches;
}

}  // namespace

TilingChoice search_tiling(const Target& target, const TilingRequest& r) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  const std::uint64_t output_tiles = std::max<std::uint64_t>(1, target.accumulator_rows / 2 / dim);
  const std::uint64_t input_tiles = target.scratchpad_rows / 2 / dim;
  std::optional<TilingChoice> best;
  for (std::uint64_t ni = 1; ni <= it; ++ni) {
    const std::uint64_t i = ceil_div(it, ni);
    if (ni > 1 && i == ceil_div(it, ni - 1)) continue;
    for (std::uint64_t nj = 1; nj <= jt; ++nj) {
      const std::uint64_t j = ceil_div(jt, nj);
      if (nj > 1 && j == ceil_div(jt, nj - 1)) continue;
      if (i * j > output_tiles || i + j > input_tiles) continue;
      // Operands in different banks, so that both can be read in one cycle: A from the bottom, B from the top of a half.
      const std::uint64_t bank_limit = std::max<std::uint64_t>(1, input_tiles / 2 / std::max(i, j));
      const std::uint64_t max_k = std::min(input_tiles / (i + j), bank_limit);
      std::uint64_t nk = ceil_div(kt, max_k);
      if (r.split_k && nk == 1 && kt > 1) nk = 2;
      const Tiling t{i, j, ceil_div(kt, nk)};
      for (const bool resident : {false, true}) {
        if (resident && ceil_div(kt, t.k) > 2) continue;
        const std::uint64_t cycles = price(target, r, t, resident);
        if (!best || cycles < best->cycles) best = TilingChoice{t, resident, cycles};
      }
      if (j == 1) break;
    }
    if (i == 1) break;
  }
  SYSTOLE_CHECK(best.has_value());
  return *best;
}

}  // namespace systole::kernels
