#include "kernels/tiling/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/tiling/gemmini.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// A cold loop, one that starts with nothing loaded ahead, waits for the command path and the memory ...
constexpr std::uint64_t kStart = 150;
// ... for its bias, tile by tile (two loads of one row in flight, each about a memory latency) ...
constexpr std::uint64_t kBiasTile = 25;
// ... and for its operands: loads win the scratchpad banks that the array reads (Scratchpad.scala), so the array stands still for
// about as long as they last. Bytes per cycle from memory (Configs.scala: dma_buswidth 128):
constexpr std::uint64_t kBusBytes = 16;
// Least cycles of one load however narrow its rows: 16 requests in flight, about 30 cycles each.
constexpr std::uint64_t kLeastLoad = 28;
// The third loop loads where the first is still read: rows of A arrive behind the array's last passes and win their bank, unless a wide
// load of B comes first. Cycles per tile row of A, and per loop with wide rows of B; both found by runs of the machine.
constexpr std::uint64_t kTurnoverRow = 45;
constexpr std::uint64_t kTurnoverWide = 80;
// Beats that compete with the array for the local memories, and energy: a sixteenth of a cycle decides between equals.
constexpr std::uint64_t kTrafficWeight = 16;

class Loads {
 public:
  Loads(const Target& target, const TilingRequest& r)
      : blocks_(static_cast<std::uint64_t>(target.max_blocks())),
        tile_beats_(std::max<std::uint64_t>(
            1, static_cast<std::uint64_t>(target.dim) * static_cast<std::uint64_t>(target.dim) / kBusBytes)),
        a_rows_(std::min(static_cast<std::uint64_t>(target.dim), r.shape.m)),
        dim_(static_cast<std::uint64_t>(target.dim)),
        bank_tiles_(target.scratchpad_rows / static_cast<std::uint64_t>(target.scratchpad_banks) / dim_),
        transpose_b_(r.transpose_b) {}

  // Cycles to load i x k tiles of A, k x j of B.
  [[nodiscard]] std::uint64_t a(std::uint64_t i, std::uint64_t k) const { return i * row_of(k) * a_rows_ / dim_; }
  [[nodiscard]] std::uint64_t b(std::uint64_t j, std::uint64_t k) const { return transpose_b_ ? j * row_of(k) : k * row_of(j); }
  // What a loop of few tile rows loses because its loads write where the array reads: with one row less the wider its rows of B, much
  // more when B takes more than a bank; with two rows when rows of B are wide. Found by runs of the machine.
  [[nodiscard]] std::uint64_t conflicts(std::uint64_t i, std::uint64_t j, std::uint64_t k, std::uint64_t beats) const {
    if (i == 1) return beats / j + (j * k > bank_tiles_ ? beats / 3 : 0);
    if (i == 2 && j >= blocks_) return k <= blocks_ ? beats / 8 : beats * 2 / 5;
    return 0;
  }

 private:
  // Tiles side by side.
  [[nodiscard]] std::uint64_t row_of(std::uint64_t tiles) const {
    const std::uint64_t rest = tiles % blocks_;
    return tiles / blocks_ * std::max(kLeastLoad, blocks_ * tile_beats_) + (rest == 0 ? 0 : std::max(kLeastLoad, rest * tile_beats_));
  }

  std::uint64_t blocks_, tile_beats_, a_rows_, dim_, bank_tiles_;
  bool transpose_b_;
};

std::uint64_t price(const Target& target, const TilingRequest& r, const Tiling& t, bool resident) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const Loads loads(target, r);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  const auto tail = [](std::uint64_t first, std::uint64_t tile, std::uint64_t all) { return std::min(tile, all - first); };
  const auto cold = [&](std::uint64_t i, std::uint64_t j, std::uint64_t k, bool with_a) {
    return kStart + i * j * kBiasTile + loads.b(j, k) + (with_a ? loads.a(i, k) : 0);
  };
  std::uint64_t total = 0;
  for (std::uint64_t i0 = 0; i0 < it; i0 += t.i) {
    const std::uint64_t i = tail(i0, t.i, it);
    for (std::uint64_t j0 = 0; j0 < jt; j0 += t.j) {
      const std::uint64_t j = tail(j0, t.j, jt);
      for (std::uint64_t k0 = 0; k0 < kt; k0 += t.k) {
        const std::uint64_t k = tail(k0, t.k, kt);
        const std::uint64_t array = dim * j * k * (i + (r.transpose_b ? 1 : 0));
        const auto loop = [&](bool with_a) {
          const std::uint64_t beats = loads.b(j, k) + (with_a ? loads.a(i, k) : 0);
          const bool wide = j >= static_cast<std::uint64_t>(target.max_blocks());
          const std::uint64_t turnover = !with_a ? 0 : wide ? kTurnoverWide : i * kTurnoverRow;
          return std::max(array + turnover, beats) + loads.conflicts(i, j, k, beats) + beats / kTrafficWeight + 1;
        };
        total += resident ? loop(j0 == 0) + (r.branches - 1) * loop(false) : r.branches * loop(true);
      }
    }
    // Another branch brings another read-out scale, and a changed scale empties the loop unroller.
    if (i0 == 0 || r.branches > 1) total += cold(i, std::min(t.j, jt), std::min(t.k, kt), true);
    total += (r.branches - 1) * cold(i, std::min(t.j, jt), std::min(t.k, kt), !resident);
  }
  return total;
}

}  // namespace

std::optional<TilingChoice> find_tiling(const Target& target, const TilingRequest& r) {
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t it = ceil_div(r.shape.m, dim), jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  const std::uint64_t half = target.accumulator_rows / 2;
  const std::uint64_t output_tiles = half > r.reserved_rows ? (half - r.reserved_rows) / dim : 0;
  const std::uint64_t input_tiles = target.scratchpad_rows / 2 / dim;
  constexpr std::uint64_t kMoreSteps = 3;
  // A step along K of whole memory requests, so that the rows of every step start on a request boundary.
  const auto blocks = static_cast<std::uint64_t>(target.max_blocks());
  const auto aligned = [&](std::uint64_t k, std::uint64_t all, std::uint64_t most) {
    if (k >= all || k % blocks == 0) return k;
    if (round_up(k, blocks) <= most && round_up(k, blocks) < all) return round_up(k, blocks);
    return k > blocks ? k / blocks * blocks : k;
  };
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
      std::uint64_t least = ceil_div(kt, max_k);
      if (r.split_k && least == 1 && kt > 1) least = 2;
      // Shorter loops than need be start sooner.
      for (std::uint64_t nk = least; nk <= std::min(kt, least + kMoreSteps); ++nk) {
        const Tiling t{i, j, aligned(ceil_div(kt, nk), kt, max_k)};
        for (const bool resident : {false, true}) {
          if ((resident && ceil_div(kt, t.k) > 2) || (r.split_k && kt > 1 && t.k >= kt)) continue;
          const std::uint64_t cycles = price(target, r, t, resident);
          if (!best || cycles < best->cycles) best = TilingChoice{t, resident, cycles};
        }
      }
      if (j == 1) break;
    }
    if (i == 1) break;
  }
  return best;
}

std::optional<TilingChoice> gemmini_choice(const Target& target, const TilingRequest& r) {
  Target free = target;
  if (r.reserved_rows * 2 >= target.accumulator_rows) return std::nullopt;
  free.accumulator_rows -= static_cast<std::uint32_t>(2 * r.reserved_rows);  // the heuristic takes half of what there is
  const auto dim = static_cast<std::uint64_t>(target.dim);
  const std::uint64_t jt = ceil_div(r.shape.n, dim), kt = ceil_div(r.shape.k, dim);
  if (r.whole_rows && (jt * dim > free.accumulator_rows / 2 || (1 + jt) * dim > target.scratchpad_rows / 2)) return std::nullopt;
  Tiling t = gemmini_tiling(free, r.shape, r.whole_rows);
  if (r.split_k && kt > 1) t.k = std::min(t.k, ceil_div(kt, 2));
  return TilingChoice{t, false, price(target, r, t, false)};
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
