#include "kernels/tiling/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/tiling/gemmini.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Cycles from the first command of a loop to its first array pass when nothing was loaded ahead: command path, memory
// latency, array depth. Only relative weight matters here.
constexpr std::uint64_t kStart = 150;
// Beats of one wide load (16 rows of 64 bytes).
constexpr std::uint64_t kBlockBeats = 64;
// Bytes per cycle between memory and the local memories (Configs.scala: dma_buswidth 128).
constexpr std::uint64_t kBusBytes = 16;

std::uint64_t price(const Target& target, const TilingRequest& r, const Tiling& t, bool resident) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t tile_beats = std::max<std::uint64_t>(1, dim * dim / kBusBytes);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  const auto tail = [](std::uint64_t first, std::uint64_t tile, std::uint64_t all) { return std::min(tile, all - first); };
  // Beats that compete with the array for the local memories, and energy: a sixteenth of a cycle decides between equals.
  constexpr std::uint64_t kTrafficWeight = 16;
  std::uint64_t total = 0;
  for (std::uint64_t i0 = 0; i0 < it; i0 += t.i) {
    const std::uint64_t i = tail(i0, t.i, it);
    for (std::uint64_t j0 = 0; j0 < jt; j0 += t.j) {
      const std::uint64_t j = tail(j0, t.j, jt);
      for (std::uint64_t k0 = 0; k0 < kt; k0 += t.k) {
        const std::uint64_t k = tail(k0, t.k, kt);
        const std::uint64_t array = dim * j * k * (i + (r.transpose_b ? 1 : 0));
        const auto loop = [&](bool with_a) {
          const std::uint64_t beats = k * (j + (with_a ? i : 0)) * tile_beats;
          return std::max(array, beats) + beats / kTrafficWeight + 1;
        };
        const std::uint64_t rest = r.branches - 1;
        total += resident ? loop(j0 == 0) + rest * loop(false) : r.branches * loop(true);
      }
    }
    // Another branch brings another read-out scale: it starts with nothing loaded ahead. So does a new row block of a resident A.
    const std::uint64_t first_tiles = (resident ? 0 : i) + 1;
    if (r.branches > 1) total += r.branches * (kStart + first_tiles * kBlockBeats);
    if (resident) total += kStart + i * kBlockBeats;
  }
  return total + kStart;
}

}  // namespace

std::optional<TilingChoice> find_tiling(const Target& target, const TilingRequest& r) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  const std::uint64_t half = target.accumulator_rows / 2;
  const std::uint64_t output_tiles = half > r.reserved_rows ? (half - r.reserved_rows) / dim : 0;
  const std::uint64_t input_tiles = target.scratchpad_rows / 2 / dim;
  std::optional<TilingChoice> best;
  for (std::uint64_t ni = 1; ni <= it; ++ni) {
    const std::uint64_t i = ceil_div(it, ni);
    if (ni > 1 && i == ceil_div(it, ni - 1)) continue;
    for (std::uint64_t nj = 1; nj <= jt; ++nj) {
      const std::uint64_t j = ceil_div(jt, nj);
      if (r.whole_rows && nj > 1) break;
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
  return best;
}

TilingChoice search_tiling(const Target& target, const TilingRequest& r) {
  const std::optional<TilingChoice> choice = find_tiling(target, r);
  if (!choice) {
    throw ConfigError(fmt::format("half of {} accumulator rows and {} scratchpad rows does not hold one tile of each operand",
                                  target.accumulator_rows, target.scratchpad_rows));
  }
  return *choice;
}

}  // namespace systole::kernels
