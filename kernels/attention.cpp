#include "kernels/attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/accumulate.h"
#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Query tiles of one block under a causal mask: few, because a block computes all its columns up to the last row's, yet more
// than one, because each transposed weight tile costs one pass of its own.
constexpr std::uint64_t kCausalBlockTiles = 4;

// A block of query rows whose scores are in the accumulator at the same time.
struct RowBlock {
  std::uint64_t first = 0, rows = 0;
  std::uint64_t keys = 0;   // columns computed
};

std::vector<RowBlock> row_blocks(const Builder& b, const AttentionHead& h) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t tiles = b.target().accumulator_rows / dim;
  const std::uint64_t all_keys = h.k.rows;
  std::vector<RowBlock> blocks;
  for (std::uint64_t first = 0; first < h.q.rows;) {
    // A row of scores may use the whole accumulator if half of it is not enough.
    const std::uint64_t rows_left = ceil_div(h.q.rows - first, dim);
    std::uint64_t i = std::min(rows_left, h.causal_mask.present() ? kCausalBlockTiles : rows_left);
    std::uint64_t keys = all_keys;
    for (;; --i) {
      if (h.causal_mask.present()) keys = std::min(all_keys, first + i * dim);
      const std::uint64_t needed = i * ceil_div(keys, dim);
      if (needed <= tiles / 2 || (i == 1 && needed <= tiles)) break;
      if (i == 1) {
        throw ConfigError(fmt::format("a row of {} attention scores does not fit {} accumulator rows of {} elements", keys,
                                      b.target().accumulator_rows, dim));
      }
    }
    const std::uint64_t rows = std::min(i * dim, h.q.rows - first);
    blocks.push_back({first, rows, keys});
    first += rows;
  }
  return blocks;
}

// Loads the causal mask of a block into the accumulator where the loop will add the scores.
void load_causal_mask(Builder& b, const AttentionHead& h, const RowBlock& block) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t j_tiles = ceil_div(block.keys, dim);
  const std::uint64_t base = b.loop_accumulator_row();
  b.load_config(LoadState::kD, {h.causal_mask.stride, 1.0f, false});
  for (std::uint64_t ti = 0; ti * dim < block.rows; ++ti) {
    const std::uint64_t rows = std::min(dim, block.rows - ti * dim);
    const std::uint64_t diagonal = block.first / dim + ti;
    for (std::uint64_t tj = 0; tj < j_tiles; ++tj) {
      const std::uint64_t cols = std::min(dim, block.keys - tj * dim);
      const std::uint64_t source = tj < diagonal ? 0 : h.causal_mask.at(0, (tj - diagonal) * dim);
      b.mvin(LoadState::kD, source, b.accumulator(base + (ti * j_tiles + tj) * dim), cols, rows);
    }
  }
}

StoreConfig probability_store(const AttentionHead& h, bool deferred) {
  StoreConfig store;
  store.activation = deferred ? isa::Activation::kExp : isa::Activation::kSoftmax;
  store.scale = h.p_scale;
  store.constants = h.exp;
  store.pre_shift = h.pre_shift;
  return store;
}

// The loop keeps its product in the half whose turn it is; a product that needs both halves starts at row 0.
void align_half(Builder& b, std::uint64_t tiles, const AttentionHead& h, const RowBlock& block) {
  if (tiles <= kept_tiles(b)) return;
  // A one-element product whose result nobody reads: it goes where P will be written next, and toggles the half.
  b.execute_config({true, false, true});
  b.store_config({h.p.stride, isa::Activation::kNone, 1.0f, {}, 0, false});
  b.load_config(LoadState::kA, {h.q.stride, 1.0f, false});
  b.load_config(LoadState::kB, {h.k.stride, 1.0f, false});
  LoopWs loop;
  loop.pad_i = b.dim() - 1;
  loop.pad_j = b.dim() - 1;
  loop.pad_k = b.dim() - 1;
  loop.a = h.q.address;
  loop.b = h.k.address;
  loop.c = h.p.at(block.first, 0);
  loop.stride_a = h.q.stride_elements();
  loop.stride_b = h.k.stride_elements();
  loop.stride_c = h.p.stride_elements();
  loop.transpose_b = true;
  b.loop_ws(loop);
  b.fence();
}

void scores_and_softmax(Builder& b, const AttentionHead& h, const RowBlock& block, const AttentionOptions& options,
                        std::uint32_t row_scale_entry) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t dk = h.q.cols;
  b.region(options.region + "scores", block.rows * block.keys * dk);
  align_half(b, ceil_div(block.rows, dim) * ceil_div(block.keys, dim), h, block);
  const bool causal = h.causal_mask.present();
  if (causal) load_causal_mask(b, h, block);
  KeptProduct product;
  product.a = h.q.rows_from(block.first, block.rows);
  product.b = h.k.rows_from(0, block.keys);
  product.transpose_b = true;
  product.accumulate = causal;
  if (h.key_mask.present()) product.d = h.key_mask.block(0, 0, block.rows, block.keys);
  const AccumulatorLayout layout = multiply_and_keep(b, product);
  b.region(options.region + "softmax");
  if (h.scores.present()) {
    store_rows(b, layout, h.scores.block(block.first, 0, block.rows, block.keys), {});
  }
  normalise_rows(b, RowStatistics::kSoftmax, layout, h.p.block(block.first, 0, block.rows, block.keys),
                 probability_store(h, options.deferred),
                 options.deferred ? std::optional<std::uint32_t>(row_scale_entry) : std::nullopt);
}

void context(Builder& b, const AttentionHead& h, const RowBlock& block, const AttentionOptions& options,
             std::uint32_t row_scale_entry) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t dk = h.v.cols;
  const std::uint64_t j = ceil_div(dk, dim);
  // Rows at a time: the output tiles fit half the accumulator.
  const std::uint64_t tiles = std::max<std::uint64_t>(1, b.target().accumulator_rows / 2 / dim / j);
  b.region(options.region + "context", block.rows * block.keys * dk);
  for (std::uint64_t first = 0; first < block.rows; first += tiles * dim) {
    const std::uint64_t rows = std::min(tiles * dim, block.rows - first);
    KeptProduct product;
    product.a = h.p.block(block.first + first, 0, rows, block.keys);
    product.b = h.v.rows_from(0, block.keys);
    const AccumulatorLayout layout = multiply_and_keep(b, product);
    StoreConfig store;
    store.scale = h.context_scale;
    store.activation = options.deferred ? isa::Activation::kRowScale : isa::Activation::kNone;
    store_rows(b, layout, h.context.rows_from(block.first + first, rows), store,
               options.deferred ? std::optional<std::uint32_t>(row_scale_entry + static_cast<std::uint32_t>(first))
                                : std::nullopt);
  }
}

}  // namespace

std::uint64_t causal_mask_cols(std::uint64_t dim) { return kCausalBlockTiles * dim; }

std::vector<std::int32_t> causal_mask_rows(std::int32_t magnitude, std::uint64_t dim) {
  const std::uint64_t cols = causal_mask_cols(dim);
  std::vector<std::int32_t> rows(dim * cols, 0);
  for (std::uint64_t r = 0; r < dim; ++r) {
    for (std::uint64_t c = r + 1; c < cols; ++c) rows[r * cols + c] = -magnitude;
  }
  return rows;
}

void attention(Builder& b, const std::vector<AttentionHead>& heads, const AttentionOptions& options) {
  // Row scales of E4 live in a memory of limited size: as many blocks at a time as it holds.
  struct Work {
    const AttentionHead* head;
    RowBlock block;
    std::uint32_t entry;
  };
  std::vector<Work> batch;
  std::uint64_t entries = 0;
  const auto finish = [&] {
    if (batch.empty()) return;
    for (const Work& w : batch) scores_and_softmax(b, *w.head, w.block, options, w.entry);
    // P goes through memory.
    b.fence();
    for (const Work& w : batch) context(b, *w.head, w.block, options, w.entry);
    b.fence();
    batch.clear();
    entries = 0;
  };
  b.fence();
  for (const AttentionHead& h : heads) {
    SYSTOLE_CHECK(h.q.cols == h.k.cols && h.k.rows == h.v.rows && h.p.rows == h.q.rows && h.p.cols == h.k.rows);
    SYSTOLE_CHECK(!h.causal_mask.present() || !h.key_mask.present());
    for (const RowBlock& block : row_blocks(b, h)) {
      if (options.deferred && entries + block.rows > static_cast<std::uint64_t>(Target::kRowScales)) finish();
      batch.push_back({&h, block, static_cast<std::uint32_t>(entries)});
      entries += block.rows;
    }
  }
  finish();
}

}  // namespace systole::kernels
