// config_ld and mvin: main memory to local rows.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "isa/model/arithmetic.h"
#include "isa/model/model.h"

namespace systole::isa {
namespace {

// DRAM strides and addresses have as many bits as the core's addresses (Rocket coreMaxAddrBits).
constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << 40) - 1;

float float_of(std::uint64_t bits) {
  const auto word = static_cast<std::uint32_t>(bits);
  float value = 0;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

}  // namespace

void Model::config_load(const Instruction& instruction) {
  namespace f = fields::ConfigLd;
  const std::uint64_t index = f::state.get(instruction);
  if (index >= state_.load.size()) fail(fmt::format("load state {} of {}", index, state_.load.size()));
  model::LoadState& load = state_.load[index];
  load.configured = true;
  load.stride = f::stride.get(instruction) & kAddressMask;
  load.scale = float_of(f::scale.get(instruction));
  load.shrink = f::shrink.get(instruction) != 0;
  load.block_stride = static_cast<std::uint32_t>(f::block_stride.get(instruction));
  load.pixel_repeats = std::max(1, static_cast<int>(f::pixel_repeats.get(instruction)));
}

void Model::mvin(const Instruction& instruction, int index) {
  namespace f = fields::Mvin;
  const model::LoadState& load = state_.load[static_cast<std::size_t>(index)];
  const std::uint64_t address = f::dram.get(instruction);
  const LocalAddress destination(static_cast<std::uint32_t>(f::local.get(instruction)));
  const int column_count = static_cast<int>(f::cols.get(instruction) & ((1u << geometry_.cols_bits()) - 1));
  const int row_count = static_cast<int>(f::rows.get(instruction) & ((1u << geometry_.rows_bits()) - 1));
  if (!load.configured) fail(fmt::format("load state {} is used before its config_ld", index));
  if (row_count == 0 || column_count == 0) fail("a load of 0 elements");
  if (row_count > geometry_.dim) fail(fmt::format("{} rows of at most {}", row_count, geometry_.dim));
  for (int row = 0; row < row_count; ++row) {
    // Address 0 stands for a row of zeros.
    const std::uint64_t from = address == 0 ? 0 : address + static_cast<std::uint64_t>(row) * load.stride;
    load_row(load, from, destination.plus(static_cast<std::uint32_t>(row), row_bits_), column_count);
  }
}

void Model::load_row(const model::LoadState& load, std::uint64_t address, LocalAddress local, int cols) {
  const bool to_accumulator = local.is_accumulator();
  const bool full_width = to_accumulator && !load.shrink;
  const bool scaled = load.scale != 1.0f;
  const int dim = geometry_.dim;
  const std::uint8_t* source =
      address == 0 ? nullptr : dram(address, static_cast<std::uint64_t>(cols) * (full_width ? 4 : 1), "a load");

  std::int32_t words[256];
  std::int8_t bytes[256];
  if (source == nullptr) {
    std::fill_n(words, dim, 0);
    std::fill_n(bytes, dim, std::int8_t{0});
  }
  for (int block = 0; block * dim < cols; ++block) {
    const int count = std::min(dim, cols - block * dim);
    const LocalAddress target = local.plus(static_cast<std::uint32_t>(block) * load.block_stride, row_bits_);
    if (source != nullptr && !to_accumulator && !scaled && load.pixel_repeats == 1) {
      std::memcpy(scratchpad(row_of(target)), source + block * dim, static_cast<std::size_t>(count));
      continue;
    }
    if (source != nullptr && full_width) {
      std::memcpy(words, source + std::size_t{4} * static_cast<std::size_t>(block * dim),
                  std::size_t{4} * static_cast<std::size_t>(count));
      if (geometry_.extensions.mvin_acc_scale && scaled) {
        for (int i = 0; i < count; ++i) words[i] = model::scale_to_int32(words[i], load.scale);
      }
    } else if (source != nullptr) {
      std::memcpy(bytes, source + block * dim, static_cast<std::size_t>(count));
      if (to_accumulator && geometry_.extensions.mvin_acc_scale) {
        for (int i = 0; i < count; ++i) words[i] = scaled ? model::scale_to_int32(bytes[i], load.scale) : bytes[i];
      } else {
        if (scaled) {
          for (int i = 0; i < count; ++i) bytes[i] = model::scale_to_int8(bytes[i], load.scale);
        }
        for (int i = 0; i < count; ++i) words[i] = bytes[i];
      }
    }
    if (!to_accumulator) {
      write_repeated_pixels(row_of(target), bytes, count, load.pixel_repeats);
      continue;
    }
    std::int32_t* row = accumulator(row_of(target));
    if (local.accumulate()) {
      for (int i = 0; i < count; ++i) {
        const std::int64_t sum = static_cast<std::int64_t>(row[i]) + words[i];
        row[i] = model::wrap32(sum);
        overflows_.accumulate += model::fits32(sum) ? 0 : 1;
      }
    } else {
      std::copy_n(words, count, row);
    }
  }
}

// First-layer optimisation: the pixel is written again one row lower and `count` columns to the right for each repeat,
// but not below the start of the scratchpad half it belongs to (PixelRepeater.scala).
void Model::write_repeated_pixels(std::uint32_t row, const std::int8_t* values, int count, int repeats) {
  const auto half = static_cast<std::uint32_t>(geometry_.scratchpad_rows() / 2);
  const std::uint32_t floor = row >= half ? half : 0;
  for (int repeat = repeats - 1; repeat >= 0; --repeat) {
    const auto lower = static_cast<std::uint32_t>(repeat);
    const int first = repeat * count;
    if (row < floor + lower || first >= geometry_.dim) continue;
    std::copy_n(values, std::min(count, geometry_.dim - first), scratchpad(row - lower) + first);
  }
}

}  // namespace systole::isa
