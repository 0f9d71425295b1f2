#include "isa/host_operation.h"

#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::isa {
namespace {

constexpr HostOperationInfo kInfos[] = {
#define SYSTOLE_HOST_OPERATION(id, name, operands, text) {name, operands, text},
#include "isa/host_operations.def"
#undef SYSTOLE_HOST_OPERATION
};
constexpr std::size_t kArguments = 10;

}  // namespace

std::uint64_t HostOperation::elements() const {
  if (visible == 0) return rows * columns;
  std::uint64_t sum = 0;
  for (std::uint64_t r = 0; r < rows; ++r) sum += width(r);
  return sum;
}

const HostOperationInfo& info(HostOperationKind kind) { return kInfos[static_cast<std::size_t>(kind)]; }

HostOperandBytes operand_bytes(HostOperationKind kind) {
  switch (kind) {
    case HostOperationKind::kDequantise8:
      return {1, 0, 4};
    case HostOperationKind::kQuantise:
      return {4, 0, 1};
    case HostOperationKind::kDequantise32:
    case HostOperationKind::kSoftmax:
    case HostOperationKind::kGelu:
      return {4, 0, 4};
    case HostOperationKind::kLayerNorm:
    case HostOperationKind::kResidual:
      return {4, 4, 4};
  }
  SYSTOLE_CHECK(false);
  return {};
}

std::vector<HostRange> ranges_of(const HostOperation& o) {
  const HostOperandBytes bytes = operand_bytes(o.kind);
  std::vector<HostRange> ranges;
  const auto add = [&](const HostRows& rows, std::uint64_t count, std::uint64_t element, bool written) {
    if (element == 0) return;
    ranges.push_back({rows.address, (count - 1) * rows.stride + o.columns * element, written});
  };
  constexpr std::uint64_t kGammaAndBeta = 2;
  add(o.in, o.rows, bytes.in, false);
  add(o.second, o.kind == HostOperationKind::kLayerNorm ? kGammaAndBeta : o.rows, bytes.second, false);
  add(o.out, o.rows, bytes.out, true);
  return ranges;
}

HostOp encode(const HostOperation& o) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &o.scale, sizeof bits);
  return {info(o.kind).name,
          {o.rows, o.columns, o.in.address, o.in.stride, o.second.address, o.second.stride, o.out.address, o.out.stride, bits,
           o.visible}};
}

HostOperation decode_host_operation(const HostOp& host) {
  HostOperation o;
  std::vector<std::string> names;
  bool known = false;
  for (std::size_t k = 0; k < std::size(kInfos); ++k) {
    names.emplace_back(kInfos[k].name);
    if (host.name != kInfos[k].name) continue;
    o.kind = static_cast<HostOperationKind>(k);
    known = true;
  }
  if (!known) {
    throw ConfigError(fmt::format("unknown host operation '{}'; nearest: '{}'", host.name, nearest(host.name, names)));
  }
  const std::vector<std::uint64_t>& a = host.arguments;
  if (a.size() != kArguments) {
    throw ConfigError(fmt::format("host operation '{}' has {} arguments, needed are {}: rows, columns, address and stride of in, "
                                  "second and out, bits of the scale, visible",
                                  host.name, a.size(), kArguments));
  }
  constexpr std::uint64_t kMost = std::uint64_t{1} << 31;
  o.rows = a[0], o.columns = a[1];
  if (o.rows == 0 || o.columns == 0 || o.rows > kMost || o.columns > kMost) {
    throw ConfigError(fmt::format("host operation '{}' of {} x {} numbers", host.name, o.rows, o.columns));
  }
  o.in = {a[2], a[3]}, o.second = {a[4], a[5]}, o.out = {a[6], a[7]};
  const auto bits = static_cast<std::uint32_t>(a[8]);
  std::memcpy(&o.scale, &bits, sizeof bits);
  o.visible = a[9];
  return o;
}

}  // namespace systole::isa
