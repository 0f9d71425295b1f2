#include "kernels/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernels/block_product.h"
#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// Query tiles of one block under a causal mask: few, because a block computes all its columns up to the last row's, yet more
// than one, because each transposed weight tile costs one array pass of its own.
constexpr std::uint64_t kCausalBlockTiles = 4;

// Query tiles of one block without: the softmax of a block overlaps with the product of the next, so several short blocks are better
// than a long one whose softmax nothing hides.
constexpr std::uint64_t kBlockTiles = 3;

// A block of query rows whose scores are in the accumulator at the same time.
struct RowBlock {
  std::uint64_t first = 0, rows = 0;
  std::uint64_t keys = 0;   // columns computed
};

// Query tiles per block so that whole rows of scores fit the half that a loop stores from; at least 1.
std::vector<RowBlock> row_blocks(const Builder& b, const AttentionHead& h) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t tiles = stored_tiles(b.target());
  const std::uint64_t all_keys = h.k.rows;
  const bool causal = h.mask.values.present() && h.mask.causal;
  std::vector<RowBlock> blocks;
  for (std::uint64_t first = 0; first < h.q.rows;) {
    const std::uint64_t rows_left = ceil_div(h.q.rows - first, dim);
    std::uint64_t i = std::min(rows_left, causal ? kCausalBlockTiles : kBlockTiles);
    std::uint64_t keys = all_keys;
    for (;; --i) {
      if (causal) keys = std::min(all_keys, h.mask.position + first + i * dim);
      if (i == 1 || i * ceil_div(keys, dim) <= tiles) break;
    }
    const std::uint64_t rows = std::min(i * dim, h.q.rows - first);
    blocks.push_back({first, rows, keys});
    first += rows;
  }
  return blocks;
}

// Pairs of a query of the block and a key it sees: what the model needs, not what is computed.
std::uint64_t visible_pairs(const AttentionHead& h, const RowBlock& block) {
  if (!h.mask.values.present() || !h.mask.causal) return block.rows * block.keys;
  std::uint64_t pairs = 0;
  for (std::uint64_t r = 0; r < block.rows; ++r) pairs += std::min(block.keys, h.mask.position + block.first + r + 1);
  return pairs;
}

StoreConfig probability_store(const AttentionHead& h, bool deferred) {
  StoreConfig store;
  store.activation = deferred ? isa::Activation::kExp : isa::Activation::kSoftmax;
  store.scale = h.p_scale;
  store.constants = h.exp;
  store.pre_shift = h.pre_shift;
  return store;
}

BlockProduct score_product(const AttentionHead& h, const RowBlock& block) {
  BlockProduct product;
  product.a = h.q.rows_from(block.first, block.rows);
  product.b = h.k.rows_from(0, block.keys);
  product.transpose_b = true;
  if (h.mask.values.present()) {
    const std::uint64_t column = h.mask.causal ? h.mask.origin - h.mask.position - block.first : 0;
    product.d = h.mask.values.block(0, column, block.rows, block.keys);
    product.d_scale = h.mask.scale;
  }
  return product;
}

void scores_and_softmax(Builder& b, const AttentionHead& h, const RowBlock& block, const AttentionOptions& options,
                        std::uint32_t row_scale_entry) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t tiles = ceil_div(block.rows, dim) * ceil_div(block.keys, dim);
  const bool fits = tiles <= stored_tiles(b.target());
  const Matrix p = h.p.block(block.first, 0, block.rows, block.keys);
  const StoreConfig store = probability_store(h, options.deferred);
  if (options.region) b.region(*options.region + "scores", visible_pairs(h, block) * h.q.cols);
  BlockProduct product = score_product(h, block);
  if (h.store_scores || !fits) {
    // Column ranges that fit, whole scores to memory.
    const std::uint64_t cols = std::min(block.keys, stored_tiles(b.target()) / ceil_div(block.rows, dim) * dim);
    for (std::uint64_t c = 0; c < block.keys; c += cols) {
      const std::uint64_t n = std::min(cols, block.keys - c);
      BlockProduct part = product;
      part.b = product.b.rows_from(c, n);
      if (part.d.present()) part.d = product.d.block(0, c, block.rows, n);
      part.c = h.scores.block(block.first, c, block.rows, n);
      multiply_block(b, part);
    }
  }
  if (fits) {
    // The loop's own softmax sequence.
    product.c = p;
    product.store = store;
    product.row_scales = row_scale_entry;
    product.cold = block.first == 0;
    multiply_block(b, product);
    return;
  }
  b.fence();
  normalise_matrix(b, RowStatistics::kSoftmax, h.scores.block(block.first, 0, block.rows, block.keys), p, store, 0,
                   options.deferred ? std::optional<std::uint32_t>(row_scale_entry) : std::nullopt);
}

void context(Builder& b, const AttentionHead& h, const RowBlock& block, const AttentionOptions& options,
             std::uint32_t row_scale_entry) {
  const std::uint64_t dim = b.dim();
  const std::uint64_t dk = h.v.cols;
  // Rows, and if need be columns, at a time: the output tiles fit half the accumulator.
  const std::uint64_t cols = std::min(dk, stored_tiles(b.target()) * dim);
  const std::uint64_t tiles = stored_tiles(b.target()) / ceil_div(cols, dim);
  if (options.region) b.region(*options.region + "context", visible_pairs(h, block) * dk);
  for (std::uint64_t first = 0; first < block.rows; first += tiles * dim) {
    const std::uint64_t rows = std::min(tiles * dim, block.rows - first);
    BlockProduct product;
    product.a = h.p.block(block.first + first, 0, rows, block.keys);
    product.store.scale = h.context_scale;
    product.cold = true;
    if (options.deferred) {
      product.store.activation = isa::Activation::kRowScale;
      product.row_scales = row_scale_entry + static_cast<std::uint32_t>(first);
    }
    for (std::uint64_t col = 0; col < dk; col += cols) {
      const std::uint64_t n = std::min(cols, dk - col);
      product.b = h.v.block(0, col, block.keys, n);
      product.c = h.context.block(block.first + first, col, rows, n);
      multiply_block(b, product);
    }
  }
}

}  // namespace

std::uint64_t causal_pattern_rows(std::uint64_t dim) { return kCausalBlockTiles * dim; }

bool scores_need_memory(const Target& target, std::uint64_t keys) {
  return ceil_div(keys, static_cast<std::uint64_t>(target.dim)) > stored_tiles(target);
}

void attention(Builder& b, const std::vector<AttentionHead>& heads, const AttentionOptions& options) {
  struct Work {
    const AttentionHead* head;
    RowBlock block;
    std::uint32_t entry;
  };
  std::vector<Work> batch;
  std::uint64_t entries = 0;
  // An instruction names an entry by its row group, which counts in array heights.
  const std::uint64_t most_entries =
      std::min<std::uint64_t>(Target::kRowScales, std::uint64_t{isa::LocalAddress::kRowGroups} * b.dim());
  const auto finish = [&] {
    if (batch.empty()) return;
    for (const Work& w : batch) scores_and_softmax(b, *w.head, w.block, options, w.entry);
    // P goes through memory.
    b.fence();
    // Blocks of one head that see the same keys make one product.
    for (std::size_t n = 0; n < batch.size();) {
      Work w = batch[n++];
      for (; n < batch.size() && batch[n].head == w.head && batch[n].block.keys == w.block.keys; ++n) {
        w.block.rows += batch[n].block.rows;
      }
      context(b, *w.head, w.block, options, w.entry);
    }
    b.fence();
    batch.clear();
    entries = 0;
  };
  b.fence();
  for (const AttentionHead& h : heads) {
    SYSTOLE_CHECK(h.q.cols == h.k.cols && h.k.rows == h.v.rows && h.p.rows == h.q.rows && h.p.cols == h.k.rows);
    SYSTOLE_CHECK(h.scores.present() || (!h.store_scores && !scores_need_memory(b.target(), h.k.rows)));
    for (const RowBlock& block : row_blocks(b, h)) {
      // Row scales of E4 live in a memory of limited size: as many blocks at a time as it holds. A block starts on a multiple
      // of dim, because the hardware counts rows modulo dim.
      const std::uint64_t needed = round_up(block.rows, b.dim());
      if (options.deferred && entries + needed > most_entries) finish();
      batch.push_back({&h, block, static_cast<std::uint32_t>(entries)});
      entries += needed;
    }
  }
  finish();
}

}  // namespace systole::kernels
