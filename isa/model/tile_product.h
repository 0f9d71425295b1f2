#pragma once
// Products of one array-sized tile for the oracle's loops: int8 x int8 -> int32. Its own arithmetic, not that of hw/datapath; the version is
// chosen by what the running CPU offers, and all give the same bits.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace systole::isa::model {

struct TileVersion;

class TileProduct {
 public:
  // `version`: an index into versions(); the last one is the fastest.
  explicit TileProduct(int dim, std::size_t version = ~std::size_t{0});

  // Names of what this CPU can run.
  [[nodiscard]] static std::vector<const char*> versions();

  // The stationary operand: row k is `weights` + k * dim, of which `depth` rows and `columns` columns count; the rest is 0.
  void set_weights(const std::int8_t* weights, int depth, int columns);
  // out[r][j] = (accumulate ? out[r][j] : 0) + sum over k of a[r][k] * weights[k][j], for r < rows and all j < dim; a and out are dim wide.
  // Sums wrap at 32 bits. Returns how many additions to `out` did.
  std::uint64_t multiply(const std::int8_t* a, int rows, bool accumulate, std::int32_t* out) const;

 private:
  int dim_;
  const TileVersion* version_;
  std::vector<std::int8_t> padded_;      // dim x dim
  std::vector<std::uint8_t> packed_;     // as the version wants it
};

}  // namespace systole::isa::model
