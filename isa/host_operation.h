#pragma once
// What a Program's host_ops mean: work of the CPU on rows of numbers in memory, in single precision.
#include <cstdint>
#include <vector>

#include "isa/program.h"

namespace systole::isa {

enum class HostOperationKind : std::uint8_t {
#define SYSTOLE_HOST_OPERATION(id, name, operands, text) id,
#include "isa/host_operations.def"
#undef SYSTOLE_HOST_OPERATION
};

// Rows in memory: `stride` bytes from one to the next.
struct HostRows {
  std::uint64_t address = 0, stride = 0;
};

struct HostOperation {
  HostOperationKind kind = HostOperationKind::kDequantise8;
  std::uint64_t rows = 0, columns = 0;
  HostRows in, second, out;   // which of them are used: host_operations.def
  float scale = 1;            // dequantise: real value of a unit; quantise: units per 1
  std::uint64_t visible = 0;  // softmax: row r has visible + r elements, the rest of its columns becomes 0; 0: all columns

  // Elements of row r that are computed.
  [[nodiscard]] std::uint64_t width(std::uint64_t row) const {
    return visible == 0 || visible + row > columns ? columns : visible + row;
  }
  [[nodiscard]] std::uint64_t elements() const;
};

struct HostOperationInfo {
  const char* name;
  const char* operands;
  const char* text;
};
[[nodiscard]] const HostOperationInfo& info(HostOperationKind kind);

// Bytes per element of the operands; 0: the kind has none there.
struct HostOperandBytes {
  std::uint64_t in = 0, second = 0, out = 0;
};
[[nodiscard]] HostOperandBytes operand_bytes(HostOperationKind kind);
// A range of memory that an operation reads or writes.
struct HostRange {
  std::uint64_t address = 0, bytes = 0;
  bool written = false;
};
[[nodiscard]] std::vector<HostRange> ranges_of(const HostOperation& operation);

// Arguments: rows, columns, address and stride of in, second and out, bits of the scale, visible.
[[nodiscard]] HostOp encode(const HostOperation& operation);
// Throws ConfigError: an unknown name, the wrong number of arguments, no rows or columns.
[[nodiscard]] HostOperation decode_host_operation(const HostOp& host);

}  // namespace systole::isa
