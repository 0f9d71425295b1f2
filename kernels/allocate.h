#pragma once
// Places named matrices in main memory and writes their initial contents into a Program.
#include <cstdint>
#include <string>
#include <vector>

#include "isa/program.h"
#include "kernels/tensor.h"
#include "sim/base/memory.h"

namespace systole::kernels {

class Allocator {
 public:
  // A row starts on a boundary of one largest memory request, so that no row needs two requests where one would do.
  static constexpr std::uint64_t kRowAlignment = 64;
  // A matrix has its pages for itself: then what an access costs does not depend on what lies beside its matrix, and equal layers cost equal
  // cycles.
  static constexpr std::uint64_t kPage = Memory::kPage;
  // The first page stays free, as in a program image.
  static constexpr std::uint64_t kFirstAddress = Memory::kDefaultBase + 0x1000;

  // `dim`: rows are padded to whole tiles, because the loop unroller reads whole tiles of B (LoopMatmul.scala).
  Allocator(isa::Program& program, int dim, std::uint64_t first_address = kFirstAddress);

  // Adds a symbol of this name. Contents are 0.
  Matrix matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols, Element element);
  // The same with contents: `data` is packed row-major, `source_stride` elements from row to row (0: cols).
  template <typename T>
  Matrix matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols, const T* data,
                std::uint64_t source_stride = 0) {
    const Matrix m = matrix(name, rows, cols, element_of<T>());
    fill(m, data, source_stride);
    return m;
  }
  // Contents of a matrix or of a part of one. Parts with many rows and few columns cost a segment per row.
  template <typename T>
  void fill(const Matrix& m, const T* data, std::uint64_t source_stride = 0) {
    SYSTOLE_CHECK(bytes_of(m.element) == sizeof(T));
    write(m, data, (source_stride == 0 ? m.cols : source_stride) * sizeof(T));
  }
  // The same row of data in every row.
  void fill_rows(const Matrix& m, const std::vector<std::int8_t>& row);
  // A row vector that serves every row of a matrix: stride 0.
  template <typename T>
  Matrix repeated_row(const std::string& name, std::uint64_t cols, const T* data) {
    Matrix m = matrix(name, 1, cols, data);
    m.stride = 0;
    return m;
  }
  // One more name for a part of memory.
  void alias(const std::string& name, const Matrix& m);

  [[nodiscard]] std::uint64_t end() const { return next_; }

 private:
  template <typename T>
  static constexpr Element element_of() {
    static_assert(sizeof(T) == 1 || sizeof(T) == 4);
    if constexpr (sizeof(T) == 1) return Element::kInt8;
    return static_cast<T>(0.5f) != T{0} ? Element::kFloat32 : Element::kInt32;
  }
  void write(const Matrix& m, const void* data, std::uint64_t source_stride_bytes);

  isa::Program& program_;
  std::uint64_t dim_;
  std::uint64_t next_;
};

}  // namespace systole::kernels
