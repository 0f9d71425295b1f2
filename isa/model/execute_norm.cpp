// config_norm, the statistics of rows, and the activation functions with which accumulator rows leave.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "isa/model/arithmetic.h"
#include "isa/model/model.h"

namespace systole::isa {
namespace {

constexpr std::uint32_t kCountMask = 0xFFFF;  // the normaliser counts elements with 16 bits
constexpr int kMaxDim = 256;
constexpr float kInt8Max = 127.0f;  // softmax values are scaled to the largest int8

// Truncating division of the hardware; an empty row has the average 0.
std::int64_t average(std::int64_t sum, std::uint32_t count) {
  return count == 0 ? 0 : sum / static_cast<std::int64_t>(count);
}

float gain(std::int32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

bool is_shifted(Activation activation) {
  switch (activation) {
    case Activation::kLayerNorm:
    case Activation::kIgelu:
    case Activation::kSoftmax:
    case Activation::kExp:
    case Activation::kLayerNormAffine:
      return true;
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kRowScale:
      return false;
  }
  return false;
}

}  // namespace

void Model::config_norm(const Instruction& instruction) {
  namespace f = fields::ConfigNorm;
  if (!geometry_.normaliser) fail("this machine has no normaliser");
  model::StoreState& store = state_.store;
  const auto constant = static_cast<std::int32_t>(f::q_const.get(instruction));
  const auto require = [&](bool present, const char* extension) {
    if (!present) fail(fmt::format("this machine does not have the extension {}", extension));
  };
  switch (static_cast<ExtensionRegister>(f::ext_select.get(instruction))) {
    case ExtensionRegister::kNone:
      break;
    case ExtensionRegister::kPreShift:
      require(geometry_.extensions.pre_shift, "pre_shift");
      store.pre_shift = constant & 31;
      return;
    case ExtensionRegister::kAffineRow:
      require(geometry_.extensions.layer_norm_affine, "layer_norm_affine");
      store.affine_row = static_cast<std::uint32_t>(constant);
      return;
    case ExtensionRegister::kRowScaleBase:
      require(geometry_.extensions.deferred_softmax, "deferred_softmax");
      store.row_scale_base = static_cast<std::uint32_t>(constant);
      return;
    case ExtensionRegister::kFlags:
      require(geometry_.extensions.wide_variance, "wide_variance");
      store.wide_variance = (constant & 1) != 0;
      return;
  }
  if (f::ext_select.get(instruction) != 0)
    fail(fmt::format("unknown extension register {}", f::ext_select.get(instruction)));

  std::uint32_t id_mask = 1;
  while (id_mask < static_cast<std::uint32_t>(geometry_.stats_ids)) id_mask *= 2;
  store.stats_id = static_cast<std::uint32_t>(f::stats_id.get(instruction)) & (id_mask - 1);
  if (store.stats_id >= state_.statistics.size())
    fail(fmt::format("statistics id {} of {}", store.stats_id, state_.statistics.size()));
  if (f::set_stats_id_only.get(instruction) != 0) return;
  store.qb = static_cast<std::int32_t>(f::qb.get(instruction));
  store.qc = static_cast<std::int32_t>(f::qc.get(instruction));
  (f::q_const_type.get(instruction) != 0 ? store.qln2_inv : store.qln2) = constant;
  store.activation = (static_cast<std::uint32_t>(f::activation_msb.get(instruction)) << 2) | (store.activation & 3u);
}

std::int32_t Model::exponential(std::int32_t q, bool& wrapped) const {
  const model::StoreState& store = state_.store;
  if (geometry_.iexp_as_igelu) return model::igelu(q, store.qb, store.qc, wrapped);
  return model::iexp(q, {store.qb, store.qc, store.qln2, store.qln2_inv});
}

void Model::read_shifted(std::uint32_t row, int cols, std::int32_t* out) const {
  const std::int32_t* words = accumulator_row(row);
  const int shift = is_shifted(static_cast<Activation>(state_.store.activation)) ? state_.store.pre_shift : 0;
  for (int i = 0; i < cols; ++i) out[i] = model::shift_right_rounded(words[i], shift);
}

bool Model::collect(const std::int32_t* words, int cols, NormCommand command, std::uint32_t row, std::uint32_t group) {
  model::RowStatistics& statistics = state_.statistics[state_.store.stats_id];
  statistics.count = (statistics.count + static_cast<std::uint32_t>(cols)) & kCountMask;
  const bool wide = state_.store.wide_variance;
  std::int32_t x[kMaxDim];
  std::copy_n(words, cols, x);
  if (command != NormCommand::kReset) read_shifted(row, cols, x);

  // 32-bit sums wrap; in the wide mode of extension E5 they have 64 bits.
  const auto add = [&](std::uint64_t block_sum, std::uint64_t& overflows, bool is_wide) {
    const auto exact = static_cast<std::int64_t>(static_cast<std::uint64_t>(statistics.sum) + block_sum);
    statistics.sum = is_wide ? exact : model::wrap32(exact);
    overflows += statistics.sum == exact ? 0 : 1;
  };
  const auto end_sum = [&] {
    statistics.sum = 0;
    statistics.count = 0;
    statistics.running_max = std::numeric_limits<std::int32_t>::min();
  };

  switch (command) {
    case NormCommand::kReset:
      end_sum();
      return true;
    case NormCommand::kMax:
      for (int i = 0; i < cols; ++i) statistics.running_max = std::max(statistics.running_max, x[i]);
      statistics.max = statistics.running_max;
      return false;
    case NormCommand::kSum:
    case NormCommand::kMean: {
      std::int64_t sum = 0;
      for (int i = 0; i < cols; ++i) sum += x[i];
      add(static_cast<std::uint64_t>(sum), overflows_.row_sum, wide);
      if (command == NormCommand::kMean) {
        note_division(statistics.sum);
        statistics.mean = model::wrap32(average(statistics.sum, statistics.count));
        end_sum();
      }
      return false;
    }
    case NormCommand::kVariance:
    case NormCommand::kInvStddev: {
      std::uint64_t sum = 0;
      bool wrapped = false;
      for (int i = 0; i < cols; ++i) {
        const std::int64_t exact = static_cast<std::int64_t>(x[i]) - statistics.mean;
        if (wide) {
          sum += static_cast<std::uint64_t>(exact) * static_cast<std::uint64_t>(exact);
          continue;
        }
        const std::int64_t deviation = model::wrap32(exact);
        const std::int64_t square = deviation * deviation;
        wrapped = wrapped || deviation != exact || !model::fits32(square);
        sum += static_cast<std::uint64_t>(static_cast<std::int64_t>(model::wrap32(square)));
      }
      std::uint64_t wraps = wrapped ? 1 : 0;
      add(sum, wraps, wide);
      overflows_.variance += wraps != 0 ? 1 : 0;
      if (command == NormCommand::kInvStddev) {
        note_division(statistics.sum);
        finish_layer_norm(statistics);
        end_sum();
      }
      return false;
    }
    case NormCommand::kSumExp:
    case NormCommand::kInvSumExp: {
      std::int64_t sum = 0;
      bool wrapped = false;
      for (int i = 0; i < cols; ++i) {
        sum += exponential(model::wrap32(static_cast<std::int64_t>(x[i]) - statistics.max), wrapped);
      }
      add(static_cast<std::uint64_t>(sum), overflows_.exp_sum, false);
      if (command == NormCommand::kInvSumExp) {
        note_division(statistics.sum);
        // The sum is not cleared here: the read-out of the row does it.
        const float scale = kInt8Max / static_cast<float>(statistics.sum);
        statistics.softmax_scale = scale * state_.store.scale;
        if (geometry_.extensions.deferred_softmax) state_.row_scales[row_scale_index(row, group)] = scale;
      }
      return false;
    }
  }
  return false;
}

void Model::note_division(std::int64_t sum) {
  if (sum == 0) zero_divisions_.push_back(divisions_);
  ++divisions_;
}

void Model::finish_layer_norm(model::RowStatistics& statistics) {
  statistics.column_block = 0;
  float deviation = 1;
  if (state_.store.wide_variance) {
    // Sums beyond 2^63 cannot occur: fewer than 2^16 squares below 2^47 in any calibrated model.
    const std::int64_t variance = average(statistics.sum, statistics.count);
    if (variance != 0) deviation = std::sqrt(static_cast<float>(variance));
  } else {
    const auto variance = static_cast<std::uint32_t>(average(statistics.sum, statistics.count));
    // The hardware reads the 16-bit root as a signed number (Normalizer.scala); only a wrapped sum has so large a root.
    const auto root = static_cast<std::int16_t>(static_cast<std::uint16_t>(model::integer_sqrt(variance)));
    if (root != 0) deviation = static_cast<float>(root);
  }
  const float inverse = 1.0f / deviation;
  statistics.layer_norm_scale = inverse * state_.store.scale;
}

std::size_t Model::row_scale_index(std::uint32_t row, std::uint32_t group) const {
  const auto dim = static_cast<std::uint32_t>(geometry_.dim);
  return (state_.store.row_scale_base + group * dim + row % dim) % model::MachineState::kRowScales;
}

void Model::read_activated(LocalAddress local, int cols, std::int8_t* out) {
  const std::uint32_t row = row_of(local);
  const std::int32_t* words = accumulator(row);
  const model::StoreState& store = state_.store;
  auto activation = static_cast<Activation>(store.activation);
  if (activation == Activation::kRelu) {
    for (int i = 0; i < cols; ++i) out[i] = model::scale_to_int8(std::max(words[i], 0), store.scale);
    return;
  }
  // Without a normaliser the other codes do nothing (AccumulatorScale.scala).
  if (!geometry_.normaliser) activation = Activation::kNone;
  const auto require = [&](bool present, const char* extension) {
    if (!present) fail(fmt::format("this machine does not have the extension {}", extension));
  };
  model::RowStatistics& statistics = state_.statistics[store.stats_id];
  std::int32_t x[kMaxDim];
  const auto centred = [&](int i, std::int32_t centre) {
    return model::wrap32(static_cast<std::int64_t>(x[i]) - centre);
  };
  bool wrapped = false;
  switch (activation) {
    case Activation::kNone:
    case Activation::kRelu:
      model::scale_row(words, cols, store.scale, out);
      return;
    case Activation::kLayerNorm:
      read_shifted(row, cols, x);
      for (int i = 0; i < cols; ++i)
        out[i] = model::scale_to_int8(centred(i, statistics.mean), statistics.layer_norm_scale);
      return;
    case Activation::kIgelu:
      read_shifted(row, cols, x);
      for (int i = 0; i < cols; ++i) {
        wrapped = false;
        out[i] = model::scale_to_int8(model::igelu(x[i], store.qb, store.qc, wrapped), store.scale);
        overflows_.gelu += wrapped ? 1 : 0;
      }
      return;
    case Activation::kSoftmax:
      read_shifted(row, cols, x);
      for (int i = 0; i < cols; ++i)
        out[i] = model::scale_to_int8(exponential(centred(i, statistics.max), wrapped), statistics.softmax_scale);
      return;
    case Activation::kExp:
      require(geometry_.extensions.deferred_softmax, "deferred_softmax");
      read_shifted(row, cols, x);
      for (int i = 0; i < cols; ++i)
        out[i] = model::scale_to_int8(exponential(centred(i, statistics.max), wrapped), store.scale);
      return;
    case Activation::kRowScale: {
      require(geometry_.extensions.deferred_softmax, "deferred_softmax");
      const float scale = state_.row_scales[row_scale_index(row, local.row_group(row_bits_))] * store.scale;
      model::scale_row(words, cols, scale, out);
      return;
    }
    case Activation::kLayerNormAffine: {
      require(geometry_.extensions.layer_norm_affine, "layer_norm_affine");
      read_shifted(row, cols, x);
      const std::uint32_t gains_row = store.affine_row + 2 * statistics.column_block++;
      const std::int32_t* gains = accumulator(gains_row);
      const std::int32_t* biases = accumulator(gains_row + 1);
      for (int i = 0; i < cols; ++i) {
        const float normalised = static_cast<float>(centred(i, statistics.mean)) * statistics.layer_norm_scale;
        const float amplified = normalised * gain(gains[i]);
        out[i] = model::round_to_int8(amplified + gain(biases[i]));
      }
      return;
    }
  }
}

}  // namespace systole::isa
