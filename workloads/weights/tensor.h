#pragma once
// Row-major arrays on the host: Matrix<T> where the program knows the type, Tensor where a file decides it.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "sim/base/errors.h"

namespace systole::workloads {

// rows x cols, row-major, packed.
template <typename T>
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<T> data;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t col_count)
      : rows(row_count), cols(col_count), data(row_count * col_count) {}

  [[nodiscard]] T* row(std::size_t r) { return data.data() + r * cols; }
  [[nodiscard]] const T* row(std::size_t r) const { return data.data() + r * cols; }
  [[nodiscard]] T& at(std::size_t r, std::size_t c) { return data[r * cols + c]; }
  [[nodiscard]] const T& at(std::size_t r, std::size_t c) const { return data[r * cols + c]; }
  [[nodiscard]] std::size_t size() const { return data.size(); }
  [[nodiscard]] bool empty() const { return data.empty(); }
};

// Element types of the safetensors format that a model can use.
enum class Dtype { Bool, U8, I8, I16, I32, I64, F16, BF16, F32, F64 };

[[nodiscard]] std::size_t bytes_of(Dtype dtype);
[[nodiscard]] const char* name_of(Dtype dtype);  // as written in files: "F32"

template <typename T>
constexpr Dtype dtype_of() {
  if constexpr (std::is_same_v<T, std::int8_t>) {
    return Dtype::I8;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return Dtype::U8;
  } else if constexpr (std::is_same_v<T, std::int16_t>) {
    return Dtype::I16;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return Dtype::I32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return Dtype::I64;
  } else if constexpr (std::is_same_v<T, float>) {
    return Dtype::F32;
  } else {
    static_assert(std::is_same_v<T, double>, "no element type of this name");
    return Dtype::F64;
  }
}

using Shape = std::vector<std::size_t>;  // empty: a scalar

[[nodiscard]] std::size_t elements_of(const Shape& shape);
[[nodiscard]] std::string to_string(const Shape& shape);  // "[4, 16, 16]"

// A named boundary or parameter that owns its bytes (little-endian, row-major, packed).
struct Tensor {
  Dtype dtype = Dtype::I8;
  Shape shape;
  std::vector<std::uint8_t> bytes;

  Tensor() = default;
  Tensor(Dtype type, Shape dimensions);  // zeros

  template <typename T>
  static Tensor from(const T* values, Shape dimensions) {
    Tensor tensor(dtype_of<T>(), std::move(dimensions));
    if (!tensor.bytes.empty()) {
      std::memcpy(tensor.bytes.data(), values, tensor.bytes.size());
    }
    return tensor;
  }
  template <typename T>
  static Tensor from(const Matrix<T>& matrix) {
    return from(matrix.data.data(), {matrix.rows, matrix.cols});
  }
  template <typename T>
  static Tensor from(const std::vector<T>& values) {
    return from(values.data(), {values.size()});
  }

  [[nodiscard]] std::size_t elements() const { return elements_of(shape); }

  // Typed view; the type must be the tensor's own.
  template <typename T>
  [[nodiscard]] const T* as() const {
    SYSTOLE_CHECK(dtype == dtype_of<T>());
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <typename T>
  [[nodiscard]] T* as() {
    SYSTOLE_CHECK(dtype == dtype_of<T>());
    return reinterpret_cast<T*>(bytes.data());
  }
};

}  // namespace systole::workloads
