#pragma once
// Scaled dot-product attention as streaming-dataflow graphs, after Sohn, Zhang, Olukotun (arXiv 2404.16629). N query
// rows of N elements; one element of a stream stands for one dim-wide dot product.
//   A  naive: the softmax divides each element by the sum of its row, so a FIFO (`bypass`) holds a whole row until the
//   sum is known: O(N) memory B  softmax with subtracted row maximum: a second reduction, a second long FIFO
//   (`max_bypass`) C  the division moved behind the product with V: only the maximum still needs a long FIFO D  running
//   maximum, running sum and running output, rescaled by e^(m_old - m_new): no long FIFO, O(1) memory
#include <cstdint>
#include <string>

#include "hw/params/stream.h"

namespace systole::workloads {

enum class AttentionGraph : std::uint8_t { kNaive, kRowMaximum, kReordered, kMemoryFree };

struct AttentionShape {
  std::uint64_t rows = 512;  // N
  std::size_t dim = 64;      // d
  bool causal = false;       // query row r sees keys 0..r only
};

// Depth of a FIFO that must hold a row of `length` elements while a reduction of the given latency ends: artifact of
// the paper, N + 24.
[[nodiscard]] std::uint64_t row_bypass_depth(std::uint64_t length);

[[nodiscard]] hw::StreamGraph attention_graph(AttentionGraph kind, const AttentionShape& shape);

[[nodiscard]] char letter_of(AttentionGraph kind);

}  // namespace systole::workloads
