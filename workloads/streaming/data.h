#pragma once
// Queries, keys and values of one attention head, and its output in double precision to compare with.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace systole::workloads {

// q, k, v: rows x dim, row-major.
struct AttentionData {
  std::size_t rows = 0;
  std::size_t dim = 0;
  std::vector<float> q, k, v;
};

// Independent numbers of mean 0 and variance 1 (uniform), the same on every machine.
[[nodiscard]] AttentionData random_attention_data(std::size_t rows, std::size_t dim, std::uint64_t seed);

// Tensors q, k, v of one shape [rows, dim] in a safetensors file. ConfigError when one is missing or shapes differ.
[[nodiscard]] AttentionData read_attention_data(const std::string& path);

// softmax(q k^T / sqrt(dim)) v, rows x dim; causal: row r sees keys 0..r.
[[nodiscard]] std::vector<double> reference_attention(const AttentionData& data, bool causal);

// Largest |a - b|; infinity when one of them is not a number or the lengths differ.
[[nodiscard]] double largest_difference(const std::vector<float>& a, const std::vector<double>& b);

}  // namespace systole::workloads
