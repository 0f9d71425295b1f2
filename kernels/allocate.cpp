#include "kernels/allocate.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/target.h"
#include "sim/base/errors.h"

namespace systole::kernels {

Allocator::Allocator(isa::Program& program, int dim, std::uint64_t first_address)
    : program_(program), dim_(static_cast<std::uint64_t>(dim)), next_(round_up(first_address, kPage)) {}

Matrix Allocator::matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols, Element element) {
  SYSTOLE_CHECK(rows >= 1 && cols >= 1);
  Matrix m{next_, rows, cols, round_up(cols * bytes_of(element), kRowAlignment), element};
  next_ = round_up(next_ + m.stride * (rows == 1 ? 1 : round_up(rows, dim_)), kPage);
  if (next_ > Memory::kDefaultBase + Memory::kDefaultBytes) {
    throw ConfigError(fmt::format("tensor '{}' ({} x {}) does not fit: the workload needs more than {} MiB of main memory",
                                  name, rows, cols, Memory::kDefaultBytes >> 20));
  }
  alias(name, m);
  return m;
}

void Allocator::alias(const std::string& name, const Matrix& m) {
  const std::uint64_t last_row = m.cols * bytes_of(m.element);
  program_.symbols.push_back({name, m.address, (m.rows - 1) * m.stride + last_row});
}

void Allocator::write(const Matrix& m, const void* data, std::uint64_t source_stride_bytes) {
  const std::uint64_t row_bytes = m.cols * bytes_of(m.element);
  program_.image.push_back({m.address, {}});
  std::vector<std::uint8_t>& bytes = program_.image.back().bytes;
  const auto* source = static_cast<const std::uint8_t*>(data);
  if (m.rows == 1 || (row_bytes == m.stride && source_stride_bytes == m.stride)) {
    bytes.assign(source, source + (m.rows - 1) * m.stride + row_bytes);
    return;
  }
  bytes.resize((m.rows - 1) * m.stride + row_bytes);
  for (std::uint64_t r = 0; r < m.rows; ++r) {
    std::memcpy(bytes.data() + r * m.stride, source + r * source_stride_bytes, row_bytes);
  }
}

void Allocator::fill_rows(const Matrix& m, const std::vector<std::int8_t>& row) {
  SYSTOLE_CHECK(m.element == Element::kInt8 && row.size() == m.cols);
  for (std::uint64_t r = 0; r < m.rows; ++r) {
    program_.image.push_back({m.at(r, 0), std::vector<std::uint8_t>(row.begin(), row.end())});
  }
}

}  // namespace systole::kernels
