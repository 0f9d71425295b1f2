#include "workloads/lower/requirements.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

struct Needs {
  bool pre_shift = false;
  bool accumulator_scale = false;
  bool gelu = false;
  bool softmax = false;
  bool layer_norm = false;
};

void collect(const AttentionWeights& attention, Needs& needs) {
  for (const HeadWeights& head : attention.heads) {
    needs.softmax = true;
    needs.pre_shift = needs.pre_shift || head.pre_shift != 0;
  }
  needs.accumulator_scale = needs.accumulator_scale || (attention.wo.rows != 0 && attention.residual.diagonal.empty());
}

void collect(const NormConstants& norm, Needs& needs) {
  needs.layer_norm = true;
  needs.pre_shift = needs.pre_shift || norm.pre_shift != 0;
}

Needs needs_of(const QuantisedModel& model) {
  Needs needs;
  for (const LayerWeights& layer : model.layers) {
    collect(layer.attention, needs);
    if (layer.cross) collect(*layer.cross, needs);
    if (model.f == 0) continue;
    collect(layer.norm1, needs);
    if (layer.cross) collect(layer.norm_cross, needs);
    collect(layer.norm2, needs);
    needs.accumulator_scale = needs.accumulator_scale || layer.ffn_residual.diagonal.empty();
    needs.gelu = needs.gelu || model.activation == Activation::Gelu;
    needs.pre_shift = needs.pre_shift || (model.activation == Activation::Gelu && layer.activation.pre_shift != 0);
  }
  for (const auto* embedding : {&model.embedding, &model.decoder_embedding}) {
    if (*embedding && (*embedding)->norm) collect(*(*embedding)->norm, needs);
  }
  if (model.final_norm) collect(*model.final_norm, needs);
  if (model.language_head && model.language_head->transform) {
    const HeadTransform& transform = *model.language_head->transform;
    collect(transform.norm, needs);
    needs.accumulator_scale = needs.accumulator_scale || transform.spread != 1;
  }
  return needs;
}

}  // namespace

void require_functions(const QuantisedModel& model, const kernels::Target& target) {
  if (model.host_functions) return;
  const Needs needs = needs_of(model);
  const kernels::Extensions& has = target.extensions;
  std::vector<std::string> missing;
  const auto need = [&](bool needed, bool present, const char* setting, const char* why) {
    if (needed && !present) missing.push_back(fmt::format("{} ({})", setting, why));
  };
  need(needs.softmax || needs.layer_norm || needs.gelu, target.normaliser, "sfu.normaliser=1", "softmax, LayerNorm and GELU");
  need(needs.softmax, has.integer_exp, "sfu.iexp_as_igelu=0", "softmax");
  need(needs.pre_shift, has.pre_shift, "sfu.pre_shift=1", "non-linear functions of int32 accumulators");
  need(needs.accumulator_scale, has.accumulator_scale, "sfu.mvin_acc_scale=1", "residuals of another scale");
  need(needs.layer_norm && model.norm_form == NormForm::Affine, has.norm_affine, "sfu.layer_norm_affine=1",
       "gamma and beta; or a model in 'fold' form");
  need(needs.softmax && model.probability_form == ProbabilityForm::Deferred, has.deferred_softmax, "sfu.deferred_softmax=1",
       "deferred softmax; or a model with probabilities of form 'calib'");
  need(needs.layer_norm && model.wide_variance, has.wide_variance, "sfu.wide_variance=1", "LayerNorm of the int32 residual");
  if (missing.empty()) return;
  throw ConfigError(fmt::format("the model needs functions that this machine does not have: {}", fmt::join(missing, "; ")));
}

}  // namespace systole::workloads
