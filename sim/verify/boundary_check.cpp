#include "sim/verify/boundary_check.h"

#include <cstring>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "workloads/reference/evaluate.h"

namespace systole::verify {
namespace {

using kernels::Element;
using workloads::Boundary;
using workloads::Tensor;

workloads::Shape shape_of(const Boundary& boundary) {
  SYSTOLE_CHECK(!boundary.slices.empty());
  const kernels::Matrix& first = boundary.slices.front();
  workloads::Shape shape;
  if (boundary.by_head) shape.push_back(boundary.slices.size());
  shape.push_back(first.rows);
  shape.push_back(first.cols);
  return shape;
}

void check_type(const Boundary& boundary, const Tensor& expected) {
  const bool narrow = boundary.slices.front().element == Element::kInt8;
  const workloads::Dtype dtype = narrow ? workloads::Dtype::I8 : workloads::Dtype::I32;
  if (expected.dtype != dtype || expected.shape != shape_of(boundary)) {
    throw ConfigError(fmt::format("tensor '{}' is {} {}, the machine's is {} {}", boundary.name, name_of(expected.dtype),
                                  to_string(expected.shape), name_of(dtype), to_string(shape_of(boundary))));
  }
}

std::string place_of(const Boundary& boundary, std::size_t slice, std::uint64_t row, std::uint64_t col) {
  return fmt::format("{}{}, {}row {}, column {}", boundary.name, boundary.sequence == 0 ? "" : fmt::format(" of sequence {}", boundary.sequence),
                     boundary.by_head ? fmt::format("head {}, ", slice) : "", row, col);
}

template <class T>
void compare_slice(const Boundary& boundary, std::size_t slice, const T* expected, const workloads::QuantisedModel& model, const Memory& memory,
                   BoundaryResult& result) {
  const kernels::Matrix& matrix = boundary.slices[slice];
  for (std::uint64_t row = 0; row < matrix.rows; ++row, expected += matrix.cols) {
    const std::uint8_t* bytes = memory.at(matrix.at(row, 0), matrix.cols * sizeof(T));
    if (!boundary.masked && std::memcmp(bytes, expected, matrix.cols * sizeof(T)) == 0) {
      result.elements += matrix.cols;
      continue;
    }
    for (std::uint64_t col = 0; col < matrix.cols; ++col) {
      if (boundary.masked && !workloads::reference::key_is_visible(model, boundary.layer, boundary.cross, row, col)) continue;
      ++result.elements;
      T actual;
      std::memcpy(&actual, bytes + col * sizeof(T), sizeof(T));
      if (actual == expected[col]) continue;
      if (result.mismatches++ == 0) result.first = ElementDifference{place_of(boundary, slice, row, col), matrix.at(row, col), expected[col], actual};
    }
  }
}

}  // namespace

BoundaryResult compare_boundary(const Boundary& boundary, const Tensor& expected, const workloads::QuantisedModel& model, const Memory& memory) {
  check_type(boundary, expected);
  BoundaryResult result;
  result.name = boundary.name;
  const std::uint64_t elements = boundary.slices.front().rows * boundary.slices.front().cols;
  for (std::size_t slice = 0; slice < boundary.slices.size(); ++slice) {
    if (expected.dtype == workloads::Dtype::I8) {
      compare_slice(boundary, slice, expected.as<std::int8_t>() + slice * elements, model, memory, result);
    } else {
      compare_slice(boundary, slice, expected.as<std::int32_t>() + slice * elements, model, memory, result);
    }
  }
  return result;
}

}  // namespace systole::verify
