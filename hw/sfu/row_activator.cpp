#include "hw/sfu/row_activator.h"

#include "hw/params/derived.h"

namespace systole::hw {

void RowActivator::pre_shift(StoreRow& row) {
  if (values_ == nullptr || row.constants.pre_shift == 0 || row.local.full_row() || !takes_pre_shift(row.constants.activation)) return;
  auto* words = reinterpret_cast<std::int32_t*>(values_->bytes(row.values));
  for (int i = 0; i < params_.array.dim; ++i) words[i] = rounding_shift(words[i], row.constants.pre_shift);
}

void RowActivator::activate(Cycle now, StoreRow& row, const RowStatistics& stats) {
  if (values_ == nullptr || row.local.full_row()) return;
  const std::int32_t* words = this->words(row);
  AffineOperands affine;
  if (row.constants.activation == isa::Activation::kLayerNormAffine) {
    // Gain and bias of a block of columns stand in two neighbouring accumulator rows, as fp32 bit patterns.
    const auto rows = static_cast<std::uint32_t>(accumulator_rows(params_));
    const std::uint32_t first = row.constants.affine_row + 2u * row.affine_block;
    if (array_writes_ != nullptr) {
      array_writes_->settle(now, first % rows);
      array_writes_->settle(now, (first + 1) % rows);
    }
    affine.gain = reinterpret_cast<const float*>(values_->accumulator_row(first % rows));
    affine.bias = reinterpret_cast<const float*>(values_->accumulator_row((first + 1) % rows));
  }
  const float row_scale = row_scales_[(row.constants.rowscale_base + row.row_scale) % kRowScales];
  const ValueRef out = values_->allocate();
  activate_row(words, params_.array.dim, row.constants, stats, row_scale, affine, params_.sfu.normaliser != 0,
               params_.sfu.iexp_as_igelu != 0, reinterpret_cast<std::int8_t*>(values_->bytes(out)), overflows_);
  row.values = out;
}

}  // namespace systole::hw
