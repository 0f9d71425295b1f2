// Random models of odd and awkward sizes on machines of odd sizes: the oracle leaves what the integer reference computes.
#include <gtest/gtest.h>

#include "isa/image.h"
#include "isa/legality.h"
#include "tests/workload/oracle.h"
#include "tests/workload/random_model.h"
#include "workloads/reference/evaluate.h"

namespace systole::workloads {
namespace {

struct Case {
  const char* name;
  RandomModel model;
  int dim = 16;
  int scratchpad_kib = 256, accumulator_kib = 64;
  std::size_t batch = 1;
  LowerOptions options = {};
  kernels::Tiler tiler = kernels::Tiler::kSearch;
  bool host_functions = false;
};

kernels::Target target_of(const Case& c) {
  kernels::Target t;
  t.dim = c.dim;
  t.tiler = c.tiler;
  t.scratchpad_rows = static_cast<std::uint32_t>(c.scratchpad_kib * 1024 / c.dim);
  t.accumulator_rows = static_cast<std::uint32_t>(c.accumulator_kib * 1024 / (4 * c.dim));
  return t;
}

void set_scales(AttentionWeights& attention, double scale) {
  for (HeadWeights& head : attention.heads) {
    head.score_scale = 3e-3 * scale;
    head.p_scale = 0.5 / 127;
    head.context_scale = 0.01F;
  }
  attention.out_scale = 1e-3 * scale;
}

// The scales that only the CPU's operations need.
QuantisedModel on_host(QuantisedModel model) {
  model.host_functions = true;
  double scale = 1;
  for (LayerWeights& layer : model.layers) {
    scale *= 1.1;
    set_scales(layer.attention, scale);
    if (layer.cross) set_scales(*layer.cross, scale);
    layer.activation.in_scale = 2e-3 * scale;
    layer.activation.out_scale = 0.03 * scale;
    layer.out_scale = 8e-4 * scale;
  }
  return model;
}

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class Shapes : public ::testing::TestWithParam<Case> {};

TEST_P(Shapes, equal_to_the_reference) {
  const Case& c = GetParam();
  const QuantisedModel model = c.host_functions ? on_host(random_model(c.model)) : random_model(c.model);
  std::vector<TensorMap> inputs, expected;
  for (std::size_t n = 0; n < c.batch; ++n) {
    inputs.push_back(random_input(c.model, c.model.seed + 100 + static_cast<unsigned>(n)));
    expected.push_back(reference::evaluate(model, inputs.back()));
  }
  kernels::Target target = target_of(c);
  if (c.host_functions) target.normaliser = false;
  LowerOptions options = c.options;
  options.store_all_boundaries = !options.reuse_buffers;
  const Lowered lowered = lower(model, inputs, target, options);
  for (const isa::Finding& finding : isa::check_legality(lowered.program, geometry_of(target))) {
    ADD_FAILURE() << isa::to_string(finding);
  }
  Memory memory;
  isa::load_image(lowered.program, memory);
  oracle(target)(lowered.program, memory);
  if (options.reuse_buffers) {
    // Only the last layer is left.
    for (TensorMap& map : expected) {
      for (auto i = map.begin(); i != map.end();) {
        i = i->first.rfind("act." + std::to_string(c.model.layers - 1), 0) == 0 ? std::next(i) : map.erase(i);
      }
    }
  }
  const Comparison result = compare(lowered, model, expected, memory, target.dim);
  ASSERT_TRUE(result.equal()) << result.different << " of " << result.boundaries << " differ; " << describe(*result.first);
  EXPECT_GT(result.boundaries, 0u);
  for (const std::string& name : result.unseen) {
    EXPECT_TRUE(options.reuse_buffers || name.find("rowsum") != std::string::npos) << name;
  }
}

RandomModel bert(std::size_t rows, std::size_t d, std::size_t f, std::size_t heads, std::size_t layers = 1, std::size_t valid = 0) {
  RandomModel m;
  m.rows = rows, m.d = d, m.f = f, m.heads = heads, m.layers = layers, m.valid = valid;
  m.seed = static_cast<unsigned>(rows * 1000 + d);
  return m;
}

// Biases that no few rows of int8 can hold: residuals take the fenced way.
RandomModel large_bias(RandomModel m) {
  m.bias = 600000;
  return m;
}

RandomModel with(RandomModel m, NormForm norm, ProbabilityForm p, Activation a = Activation::Gelu) {
  m.norm_form = norm, m.probability_form = p, m.activation = a;
  return m;
}

RandomModel gpt2(std::size_t rows, std::size_t prefill, std::size_t d, std::size_t f, std::size_t heads, std::size_t layers,
                 std::size_t vocabulary = 0) {
  RandomModel m = bert(rows, d, f, heads, layers);
  m.architecture = Architecture::Gpt2;
  m.prefill = prefill, m.vocabulary = vocabulary;
  return m;
}

RandomModel encoder_decoder(std::size_t rows, std::size_t keys, std::size_t prefill, std::size_t valid, std::size_t d,
                            std::size_t heads, std::size_t vocabulary) {
  RandomModel m = bert(rows, d, 2 * d, heads, 3, valid);
  m.architecture = Architecture::EncoderDecoder;
  m.encoder_layers = 1, m.keys = keys, m.prefill = prefill, m.vocabulary = vocabulary;
  m.activation = Activation::Relu;
  return m;
}

RandomModel cross(std::size_t queries, std::size_t keys, std::size_t d, std::size_t heads, ProbabilityForm p) {
  RandomModel m = bert(queries, d, 0, heads);
  m.architecture = Architecture::CrossAttention;
  m.keys = keys, m.probability_form = p;
  return m;
}

LowerOptions reuse() {
  LowerOptions o;
  o.reuse_buffers = true;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    Bert, Shapes,
    ::testing::Values(Case{"odd_with_padding", bert(37, 80, 176, 5, 2, 29)}, Case{"one_row", bert(1, 48, 64, 3)},
                      Case{"one_tile", bert(16, 16, 16, 1)}, Case{"prime", bert(17, 51, 67, 3)},
                      Case{"wide_head", bert(33, 200, 120, 1)}, Case{"medium", bert(128, 256, 512, 4)},
                      Case{"long_rows", bert(300, 64, 64, 1), 16, 64, 16}, Case{"long_rows_two_halves", bert(250, 64, 64, 2), 16, 64, 16},
                      Case{"row_longer_than_the_accumulator", bert(300, 32, 32, 2), 16, 64, 16},
                      Case{"more_rows_than_row_scales", bert(520, 32, 32, 4)},
                      Case{"batch", bert(21, 64, 96, 2, 2), 16, 256, 64, 3}, Case{"shared_buffers", bert(40, 64, 96, 2, 3), 16, 256, 64, 2, reuse()},
                      Case{"fold", with(bert(37, 80, 96, 5, 2), NormForm::Fold, ProbabilityForm::Calibrated)},
                      Case{"fold_one_tile", with(bert(5, 16, 16, 1), NormForm::Fold, ProbabilityForm::Calibrated)},
                      Case{"fixed_scale", with(bert(37, 64, 96, 2), NormForm::Affine, ProbabilityForm::Fixed127)},
                      Case{"large_bias", large_bias(bert(37, 80, 176, 5, 1, 29))}, Case{"large_bias_one_tile", large_bias(bert(5, 16, 16, 1))},
                      Case{"relu", with(bert(37, 64, 96, 2), NormForm::Affine, ProbabilityForm::Deferred, Activation::Relu)}),
    [](const auto& info) { return info.param.name; });

LowerOptions fusion(NormFusion f) {
  LowerOptions o;
  o.norm_fusion = f;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    Fusion, Shapes,
    ::testing::Values(Case{"fused", bert(37, 80, 176, 5), 16, 256, 64, 1, fusion(NormFusion::kFused)},
                      Case{"separate", bert(37, 80, 176, 5), 16, 256, 64, 1, fusion(NormFusion::kSeparate)},
                      Case{"fused_wide", bert(70, 256, 512, 4), 16, 64, 256, 2, fusion(NormFusion::kFused)},
                      Case{"fused_one_tile", bert(5, 16, 16, 1), 16, 64, 64, 1, fusion(NormFusion::kFused)},
                      Case{"fused_fold", with(bert(37, 80, 96, 5), NormForm::Fold, ProbabilityForm::Calibrated), 16, 256, 64, 1,
                           fusion(NormFusion::kFused)},
                      Case{"does_not_fit", bert(37, 600, 64, 5), 16, 64, 64, 1, fusion(NormFusion::kFused)}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Machines, Shapes,
    ::testing::Values(Case{"dim4", bert(37, 80, 176, 5, 1, 29), 4}, Case{"dim8", bert(37, 80, 176, 5, 1, 29), 8},
                      Case{"dim32", bert(37, 80, 176, 5, 1, 29), 32}, Case{"dim64", bert(70, 80, 176, 5, 1, 29), 64},
                      Case{"dim128", bert(70, 80, 176, 5, 1, 29), 128, 512, 256}, Case{"rebalanced", bert(64, 256, 256, 4), 16, 64, 256},
                      // 600 rows of two heads: an instruction names 64 groups of 8 row scales.
                      Case{"dim8_more_rows_than_row_groups", bert(300, 32, 32, 2), 8}, Case{"tiny", bert(37, 80, 176, 5), 16, 16, 16}),
    [](const auto& info) { return info.param.name; });

constexpr kernels::Tiler kGemmini = kernels::Tiler::kGemmini;
INSTANTIATE_TEST_SUITE_P(
    GemminiTiler, Shapes,
    ::testing::Values(Case{"bert", bert(37, 80, 176, 5, 2, 29), 16, 256, 64, 1, {}, kGemmini},
                      Case{"bert_medium", bert(128, 256, 512, 4), 16, 64, 64, 2, {}, kGemmini},
                      Case{"bert_large_bias", large_bias(bert(37, 80, 176, 5)), 16, 256, 64, 1, {}, kGemmini},
                      Case{"bert_fold", with(bert(37, 80, 96, 5, 2), NormForm::Fold, ProbabilityForm::Calibrated), 8, 64, 64, 1, {}, kGemmini},
                      Case{"bert_fused", bert(37, 80, 176, 5), 16, 256, 64, 1, fusion(NormFusion::kFused), kGemmini},
                      Case{"gpt2", gpt2(37, 30, 96, 160, 3, 2, 101), 16, 256, 64, 2, {}, kGemmini},
                      Case{"encoder_decoder", encoder_decoder(25, 37, 20, 31, 64, 4, 90), 32, 256, 64, 1, {}, kGemmini}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(Gpt2, Shapes,
                         ::testing::Values(Case{"prefill_and_tokens", gpt2(37, 30, 96, 160, 3, 2, 101)}, Case{"prefill", gpt2(150, 0, 64, 96, 2, 1)},
                                           Case{"tokens", gpt2(20, 1, 64, 96, 2, 1)}, Case{"batch", gpt2(20, 17, 64, 96, 2, 1, 33), 16, 256, 64, 2},
                                           Case{"dim8", gpt2(45, 40, 64, 96, 2, 1), 8},
                                           Case{"calibrated", with(gpt2(45, 40, 64, 96, 2, 1), NormForm::Affine, ProbabilityForm::Calibrated)}),
                         [](const auto& info) { return info.param.name; });

Case host_case(const char* name, RandomModel model, int dim = 16, std::size_t batch = 1) {
  model.probability_form = ProbabilityForm::Calibrated;
  Case c{name, model, dim, 256, 64, batch};
  c.host_functions = true;
  return c;
}

INSTANTIATE_TEST_SUITE_P(Host, Shapes,
                         ::testing::Values(host_case("bert", bert(37, 80, 176, 5, 2, 29)), host_case("one_row", bert(1, 48, 64, 3)),
                                           host_case("dim8_batch", bert(21, 64, 96, 2, 2), 8, 3),
                                           host_case("relu", with(bert(37, 64, 96, 2), NormForm::Affine, ProbabilityForm::Calibrated, Activation::Relu)),
                                           host_case("gpt2_tokens", gpt2(37, 30, 96, 160, 3, 2, 101)), host_case("gpt2_batch", gpt2(20, 17, 64, 96, 2, 1), 16, 2),
                                           host_case("encoder_decoder", encoder_decoder(25, 37, 20, 31, 64, 4, 90)),
                                           host_case("cross", cross(9, 21, 64, 4, ProbabilityForm::Calibrated))),
                         [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(Cross, Shapes,
                         ::testing::Values(Case{"attention", cross(9, 21, 64, 4, ProbabilityForm::Deferred)},
                                           Case{"attention_long", cross(70, 200, 48, 3, ProbabilityForm::Calibrated)},
                                           Case{"encoder_decoder", encoder_decoder(25, 37, 20, 31, 64, 4, 90)},
                                           Case{"encoder_decoder_batch", encoder_decoder(18, 40, 0, 40, 48, 3, 0), 16, 256, 64, 2}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace systole::workloads
