#include "isa/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "isa/trace.h"
#include "sim/base/errors.h"

namespace systole::isa {
namespace {

// Bits of the numbers 0..max.
int bits_of(int max) {
  int bits = 0;
  while (bits < 31 && (max >> bits) != 0) ++bits;
  return bits;
}

bool power_of_two(int value) { return value > 0 && (value & (value - 1)) == 0; }

void require_power_of_two(const char* name, int value, int min, int max) {
  if (!power_of_two(value) || value < min || value > max) {
    throw ConfigError(fmt::format("geometry: {} = {} is not a power of two in {}..{}", name, value, min, max));
  }
}

void require_choice(const char* name, int value, int a, int b) {
  if (value != a && value != b) throw ConfigError(fmt::format("geometry: {} = {} is not {} or {}", name, value, a, b));
}

}  // namespace

int Geometry::row_bits() const { return bits_of(std::max(scratchpad_rows(), accumulator_rows()) - 1); }
int Geometry::rows_bits() const { return bits_of(dim); }
int Geometry::cols_bits() const { return bits_of(std::max(max_request_bytes, dim)); }

void Geometry::validate() const {
  constexpr int kMaxKib = 65536;
  require_power_of_two("array.dim", dim, 2, 256);
  require_power_of_two("scratchpad.kib", scratchpad_kib, 1, kMaxKib);
  require_power_of_two("accumulator.kib", accumulator_kib, 1, kMaxKib);
  require_power_of_two("scratchpad.banks", scratchpad_banks, 1, 1024);
  require_power_of_two("accumulator.banks", accumulator_banks, 1, 1024);
  require_power_of_two("dma.max_bytes", max_request_bytes, 4, 4096);
  if (scratchpad_rows() < 2 * dim) {
    throw ConfigError(
        fmt::format("geometry: a scratchpad of {} KiB holds fewer than two tiles of {} rows", scratchpad_kib, dim));
  }
  if (accumulator_rows() < 2 * dim) {
    throw ConfigError(
        fmt::format("geometry: an accumulator of {} KiB holds fewer than two tiles of {} rows", accumulator_kib, dim));
  }
  if (scratchpad_rows() < scratchpad_banks || accumulator_rows() < accumulator_banks) {
    throw ConfigError("geometry: a bank has no row");
  }
  // Bits 26 and up of a local address carry flags; the bit above the row number marks "no operand".
  constexpr int kMaxRowBits = 25;
  if (row_bits() > kMaxRowBits)
    throw ConfigError(fmt::format("geometry: row numbers need {} bits, more than {}", row_bits(), kMaxRowBits));
  if (spatial_bits < 16 || spatial_bits > 32)
    throw ConfigError(fmt::format("geometry: spatial_bits = {} is not in 16..32", spatial_bits));
  if (stats_ids < 1 || stats_ids > 256)
    throw ConfigError(fmt::format("geometry: stats_ids = {} is not in 1..256", stats_ids));
  require_choice("revision", revision, 2023, 2025);
  require_choice("loop_conv encoding", loop_conv_encoding, 2023, 2025);
}

Geometry geometry_of(const Trace& trace) {
  Geometry result;
  result.loop_conv_encoding = trace.loop_conv_encoding;
  const auto read = [&](const char* key, int& field) {
    const std::string* value = trace.setting(key);
    if (value == nullptr) return;
    const char* const end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, field);
    if (error != std::errc() || stop != end) {
      const auto entry = std::find_if(trace.machine.begin(), trace.machine.end(),
                                      [&](const MachineSetting& s) { return s.key == key; });
      throw ConfigError(fmt::format("{}:{}: error: machine {} = '{}' is not a number", trace.name, entry->line, key,
                                    value->substr(0, 40)));
    }
  };
  const auto read_flag = [&](const char* key, bool& field) {
    int value = field ? 1 : 0;
    read(key, value);
    field = value != 0;
  };
  read("array.dim", result.dim);
  read("array.output_bits", result.spatial_bits);
  read("scratchpad.kib", result.scratchpad_kib);
  read("accumulator.kib", result.accumulator_kib);
  read("scratchpad.banks", result.scratchpad_banks);
  read("accumulator.banks", result.accumulator_banks);
  read("dma.max_bytes", result.max_request_bytes);
  read("revision", result.revision);
  result.iexp_as_igelu = result.revision >= 2025;
  read_flag("sfu.normaliser", result.normaliser);
  read("sfu.stats_ids", result.stats_ids);
  read_flag("sfu.iexp_as_igelu", result.iexp_as_igelu);
  read_flag("sfu.pre_shift", result.extensions.pre_shift);
  read_flag("sfu.mvin_acc_scale", result.extensions.mvin_acc_scale);
  read_flag("sfu.layer_norm_affine", result.extensions.layer_norm_affine);
  read_flag("sfu.deferred_softmax", result.extensions.deferred_softmax);
  read_flag("sfu.wide_variance", result.extensions.wide_variance);
  try {
    result.validate();
  } catch (const ConfigError& error) {
    throw ConfigError(trace.name + ": error: " + error.what());
  }
  return result;
}

}  // namespace systole::isa
