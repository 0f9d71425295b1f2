#pragma once
// Matrices in main memory as kernels see them: an address, a shape and a row stride.
#include <cstdint>

#include "sim/base/errors.h"

namespace systole::kernels {

enum class Element : std::uint8_t { kInt8, kInt32, kFloat32 };

[[nodiscard]] constexpr std::uint64_t bytes_of(Element e) { return e == Element::kInt8 ? 1 : 4; }

// A rows x cols matrix, row-major, `stride` bytes from row to row (0: one row serves all rows, as a bias does).
struct Matrix {
  std::uint64_t address = 0;   // 0: absent
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::uint64_t stride = 0;
  Element element = Element::kInt8;

  [[nodiscard]] bool present() const { return address != 0; }
  [[nodiscard]] std::uint64_t at(std::uint64_t row, std::uint64_t col) const {
    return address + row * stride + col * bytes_of(element);
  }
  // Row stride in elements, the unit of the matrix-multiplication loop.
  [[nodiscard]] std::uint64_t stride_elements() const { return stride / bytes_of(element); }
  // The part of `n_rows` x `n_cols` that starts at (row, col).
  [[nodiscard]] Matrix block(std::uint64_t row, std::uint64_t col, std::uint64_t n_rows, std::uint64_t n_cols) const {
    SYSTOLE_CHECK(present() && col + n_cols <= cols && (stride == 0 || row + n_rows <= rows));
    return {at(row, col), n_rows, n_cols, stride, element};
  }
  [[nodiscard]] Matrix rows_from(std::uint64_t row, std::uint64_t n_rows) const { return block(row, 0, n_rows, cols); }
};

}  // namespace systole::kernels
