#include "sim/run/validate_units.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "hw/datapath/activation.h"
#include "isa/image.h"

namespace systole::run {
namespace {

using workloads::Comparison;
using workloads::SafetensorsFile;
using Words = std::vector<std::int32_t>;

Words words(const SafetensorsFile& file, const std::string& name) { return file.read_as<std::int32_t>(name, file.view(name).shape); }

// `rows` rows of results.
void compare(const SafetensorsFile& file, const std::string& name, const Words& actual, std::size_t rows, Comparison& result) {
  const Words expected = words(file, name);
  if (expected.size() != actual.size()) {
    throw ConfigError(fmt::format("{}: tensor '{}' has {} elements, its operands make {}", file.name(), name, expected.size(), actual.size()));
  }
  ++result.boundaries;
  result.values += actual.size();
  std::uint64_t mismatches = 0;
  const std::size_t cols = actual.size() / rows;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    ++mismatches;
    if (result.first) continue;
    workloads::Mismatch miss;
    miss.boundary = name;
    miss.row = i / cols, miss.column = i % cols;
    miss.expected = expected[i], miss.actual = actual[i];
    miss.instruction = "a word inside of the operation, which no instruction writes";
    result.first = miss;
  }
  result.mismatches += mismatches;
  result.different += mismatches == 0 ? 0 : 1;
}

hw::StoreConstants exponential(const Words& c) {
  hw::StoreConstants constants;
  constants.activation = isa::Activation::kSoftmax;
  constants.qb = c.at(0), constants.qc = c.at(1), constants.qln2 = c.at(2), constants.qln2_inv = c.at(3);
  return constants;
}

void compare_shifts(const SafetensorsFile& file, const Words& x, Comparison& result) {
  constexpr int kShifts = 32;
  Words y;
  for (int shift = 0; shift < kShifts; ++shift) {
    for (const std::int32_t word : x) y.push_back(hw::rounding_shift(word, shift));
  }
  compare(file, "shift.y", y, kShifts, result);
}

void compare_gelu(const SafetensorsFile& file, const Words& x, const std::string& prefix, Comparison& result) {
  const Words c = file.read_as<std::int32_t>(prefix + "c", {2});
  std::uint64_t ignored = 0;
  Words y;
  for (const std::int32_t word : x) y.push_back(hw::igelu(word, c[0], c[1], ignored));
  compare(file, prefix + "y", y, 1, result);
}

void compare_exponentials(const SafetensorsFile& file, const Words& x, const std::string& prefix, Comparison& result) {
  const hw::StoreConstants constants = exponential(file.read_as<std::int32_t>(prefix + "c", {4}));
  Words y;
  for (const std::int32_t word : x) y.push_back(hw::iexp(static_cast<std::int32_t>(-std::abs(static_cast<std::int64_t>(word))), constants));
  compare(file, prefix + "y", y, 1, result);
}

void compare_sums(const SafetensorsFile& file, const std::string& prefix, Comparison& result) {
  const Words x = words(file, prefix + "x");
  const workloads::Shape& shape = file.view(prefix + "x").shape;
  if (shape.size() != 2) throw ConfigError(fmt::format("{}: tensor '{}x' has shape {}, needed is [rows, columns]", file.name(), prefix, workloads::to_string(shape)));
  const hw::StoreConstants constants = exponential(file.read_as<std::int32_t>(prefix + "c", {4}));
  hw::OverflowCounters ignored;
  Words sums;
  for (std::size_t r = 0; r < shape[0]; ++r) {
    const auto cols = static_cast<int>(shape[1]);
    const std::int32_t* row = x.data() + r * shape[1];
    hw::RowStatistics statistics;
    statistics.max = hw::lane_max(row, cols);
    sums.push_back(static_cast<std::int32_t>(hw::lane_sum(row, cols, isa::NormCommand::kSumExp, statistics, constants, false, ignored)));
  }
  compare(file, prefix + "sum", sums, sums.size(), result);
}

}  // namespace

Comparison validate_units(const SafetensorsFile& file, const kernels::Target& target, const workloads::Machine& machine) {
  const workloads::UnitProgram units = workloads::lower_units(file, target);
  Memory memory;
  isa::load_image(units.lowered.program, memory);
  machine(units.lowered.program, memory);
  for (const kernels::Matrix& row : units.unscaled) {
    const Words x = words(file, "scale.x");
    Words y;
    for (const std::int32_t word : x) y.push_back(hw::scale_to_int32(word, 1.0F));
    std::memcpy(memory.at(row.address, 4 * y.size()), y.data(), 4 * y.size());
  }
  Comparison result = workloads::compare(units.lowered, workloads::Visibility{}, {units.expected}, memory, target.dim);
  if (file.contains("scale.x")) {
    const Words x = words(file, "scale.x");
    if (file.contains("shift.y")) compare_shifts(file, x, result);
    for (int set = 0; file.contains(fmt::format("igelu.{}.y", set)); ++set) compare_gelu(file, x, fmt::format("igelu.{}.", set), result);
    for (int set = 0; file.contains(fmt::format("iexp.{}.y", set)); ++set) compare_exponentials(file, x, fmt::format("iexp.{}.", set), result);
  }
  for (int set = 0; file.contains(fmt::format("sm.{}.sum", set)); ++set) compare_sums(file, fmt::format("sm.{}.", set), result);
  return result;
}

}  // namespace systole::run
