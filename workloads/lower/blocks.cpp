#include "workloads/lower/blocks.h"

#include <algorithm>
#include <optional>

#include "kernels/attention.h"
#include "kernels/convert.h"
#include "kernels/layer_norm.h"
#include "sim/base/errors.h"
#include "workloads/lower/host_blocks.h"

namespace systole::workloads::lowering {
namespace {

using kernels::Element;
using kernels::MatmulBranch;

std::uint64_t rows_in(const std::vector<kernels::Matrix>& parts) {
  std::uint64_t rows = 0;
  for (const kernels::Matrix& m : parts) rows += m.rows;
  return rows;
}

kernels::NonlinearConstants exp_constants(const ExpConstants& c) { return {c.qb, c.qc, c.qln2, c.qln2_inv}; }

}  // namespace

AttentionBuffers attention_buffers(Session& s, int layer, const std::string& prefix, std::size_t query_rows,
                                   std::size_t key_rows, std::size_t constants) {
  const QuantisedModel& model = s.model();
  const bool cross = prefix == "x";
  AttentionBuffers b;
  b.q = s.head_activations(layer, prefix + "q", query_rows, model.dk(), Element::kInt8);
  b.k = s.head_activations(layer, prefix + "k", key_rows, model.dk(), Element::kInt8);
  b.v = s.head_activations(layer, prefix + "v", key_rows, model.dk(), Element::kInt8);
  if (model.host_functions || s.options().store_all_boundaries || kernels::scores_need_memory(s.builder().target(), key_rows)) {
    b.s = s.head_activations(layer, prefix + "s", query_rows, key_rows, Element::kInt32, true, cross);
  }
  b.p = s.head_activations(layer, prefix + "p", query_rows, key_rows, Element::kInt8);
  // Heads side by side, the left operand of the output projection.
  const bool alone = model.architecture == Architecture::CrossAttention;
  b.context = alone ? s.output("ctx", query_rows, model.d) : s.unnamed(layer, prefix + "ctx", query_rows, model.d, constants);
  HeadActivations heads;
  for (std::size_t h = 0; h < model.heads; ++h) {
    heads.push_back({b.context.all.block(0, h * model.dk(), b.context.all.rows, model.dk()), query_rows});
  }
  s.add_boundary(layer, prefix + "ctx", heads);
  return b;
}

namespace {

// One branch per head for a part of the pass.
std::vector<MatmulBranch> projection_branches(const Session& s, const Pass& pass, const AttentionParameters& parameters,
                                              Projection projection, const HeadActivations& out, std::size_t part) {
  std::vector<MatmulBranch> branches;
  for (std::size_t h = 0; h < parameters.heads.size(); ++h) {
    const HeadParameters& head = parameters.heads[h];
    MatmulBranch b;
    switch (projection) {
      case Projection::kQuery:
        b.b = head.wq, b.d = head.bq, b.store.scale = head.constants->aq;
        break;
      case Projection::kKey:
        b.b = head.wk, b.d = head.bk, b.store.scale = head.constants->ak;
        break;
      case Projection::kValue:
        b.b = head.wv, b.d = head.bv, b.store.scale = head.constants->av;
        break;
    }
    b.c = out[h].of(pass, s.sequences())[part];
    branches.push_back(b);
  }
  return branches;
}

}  // namespace

void project(Session& s, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
             Projection projection, const Activations& x, const HeadActivations& out) {
  const std::vector<kernels::Matrix> parts = x.of(pass, s.sequences());
  s.open_region(pass.region + region, rows_in(parts) * x.all.cols * out.size() * out.at(0).all.cols);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    kernels::matmul(s.builder(), parts[part], false, projection_branches(s, pass, parameters, projection, out, part));
  }
}

void project_all(Session& s, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
                 const Activations& x, const AttentionBuffers& buffers) {
  struct Step {
    Projection projection;
    const char* name;
    const HeadActivations& out;
  };
  const Step steps[] = {{Projection::kQuery, "query", buffers.q}, {Projection::kKey, "key", buffers.k},
                        {Projection::kValue, "value", buffers.v}};
  const std::vector<kernels::Matrix> parts = x.of(pass, s.sequences());
  const kernels::Matrix& a = parts[0];
  const std::uint64_t dk = buffers.q[0].all.cols;
  const kernels::TilingChoice plan =
      s.builder().product_tiling({{a.rows, dk, a.cols}, false, false, 3 * parameters.heads.size()});
  const bool one_block = a.rows <= plan.tiling.i * s.builder().dim();
  if (parts.size() != 1 || !plan.resident_a || !one_block) {
    for (const Step& step : steps) project(s, pass, region + step.name, parameters, step.projection, x, step.out);
    return;
  }
  std::vector<MatmulBranch> branches;
  for (const Step& step : steps) {
    std::vector<MatmulBranch> more = projection_branches(s, pass, parameters, step.projection, step.out, 0);
    more[0].before = [&s, &a, name = pass.region + region + step.name, cols = dk * more.size()] {
      s.open_region(name, a.rows * a.cols * cols);
    };
    branches.insert(branches.end(), more.begin(), more.end());
  }
  kernels::matmul_tiled(s.builder(), a, false, branches, plan);
}

void attend(Session& s, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
            const AttentionBuffers& buffers, const std::vector<std::size_t>& visible, bool causal) {
  if (s.model().host_functions) return attend_on_host(s, pass, region, parameters, buffers, visible, causal);
  std::vector<kernels::AttentionHead> heads;
  const std::size_t dk = s.model().dk();
  for (std::size_t n = 0; n < s.sequences(); ++n) {
    const auto rows = [&](const Activations& a) { return a.all.rows_from(n * a.rows + pass.first, pass.count); };
    const auto keys = [&](const Activations& a) { return a.all.rows_from(n * a.rows, visible.at(n)); };
    for (std::size_t h = 0; h < parameters.heads.size(); ++h) {
      const HeadParameters& hp = parameters.heads[h];
      kernels::AttentionHead head;
      head.q = rows(buffers.q[h]);
      head.k = keys(buffers.k[h]);
      head.v = keys(buffers.v[h]);
      head.p = rows(buffers.p[h]).block(0, 0, pass.count, visible[n]);
      const kernels::Matrix context = buffers.context.all.block(0, h * dk, buffers.context.all.rows, dk);
      head.context = context.rows_from(n * buffers.context.rows + pass.first, pass.count);
      if (!buffers.s.empty()) {
        head.scores = rows(buffers.s[h]).block(0, 0, pass.count, visible[n]);
        head.store_scores = s.options().store_all_boundaries;
      }
      head.exp = exp_constants(hp.constants->exp);
      head.pre_shift = hp.constants->pre_shift;
      head.p_scale = hp.constants->probability_scale;
      head.context_scale = hp.constants->context_scale;
      // A single query sees every key there is.
      if (causal && pass.count > 1) {
        head.mask = hp.causal;
        head.mask.position = pass.first;
      }
      heads.push_back(head);
    }
  }
  kernels::attention(s.builder(), heads,
                     {s.model().probability_form == ProbabilityForm::Deferred, pass.region + region});
}

namespace {

// One branch per part of the pass.
std::vector<MatmulBranch> residual_branches(Session& s, const Pass& pass, const ProductParameters& parameters,
                                            const Activations& x, const Activations& out) {
  const std::vector<kernels::Matrix> term = x.of(pass, s.sequences());
  const std::vector<kernels::Matrix> result = out.of(pass, s.sequences());
  std::vector<MatmulBranch> branches;
  for (std::size_t part = 0; part < result.size(); ++part) {
    MatmulBranch b;
    b.b = parameters.w;
    b.c = result[part];
    if (parameters.constants != 0) {
      b.d = term[part];
      b.d_scale = parameters.residual.scale;
    } else {
      b.d = parameters.bias;
      b.residual = kernels::ResidualTerm{term[part], parameters.residual.scale, parameters.residual.diagonal, parameters.residual.passes};
    }
    branches.push_back(b);
  }
  return branches;
}

std::uint64_t macs_of(std::uint64_t rows, const ProductParameters& p) { return rows * (p.w.rows - p.constants) * p.w.cols; }

kernels::StoreConfig norm_store(const Session& s, const NormParameters& parameters) {
  kernels::StoreConfig store;
  store.activation = parameters.affine.present() ? isa::Activation::kLayerNormAffine : isa::Activation::kLayerNorm;
  store.scale = parameters.constants->scale;
  store.pre_shift = parameters.constants->pre_shift;
  store.wide_variance = s.model().wide_variance;
  return store;
}

// The tiling of a product whose read-out is a LayerNorm, if that is possible and wanted.
std::optional<kernels::TilingChoice> fused_tiling(Session& s, const kernels::Matrix& a,
                                                  const kernels::Matrix& w, bool split_k, const NormParameters& parameters) {
  const NormFusion fusion = s.options().norm_fusion;
  if (fusion == NormFusion::kSeparate) return std::nullopt;
  kernels::TilingRequest request{{a.rows, w.cols, a.cols}, false, split_k, 1};
  const kernels::TilingChoice separate = s.builder().product_tiling(request);
  request.whole_rows = true;
  request.reserved_rows = parameters.affine.rows;
  const std::optional<kernels::TilingChoice> fused = s.builder().tiling(request);
  if (!fused || fusion == NormFusion::kFused) return fused;
  // A separate LayerNorm is bound by loading its int32 rows, 16 bytes a cycle.
  return fused->cycles <= separate.cycles + a.rows * w.cols / 4 ? fused : std::nullopt;
}

}  // namespace

void product_with_residual(Session& s, const Pass& pass, const std::string& region, const Activations& a,
                           const ProductParameters& parameters, const Activations& x, const Activations& out) {
  const std::vector<kernels::Matrix> left = a.of(pass, s.sequences());
  const std::vector<MatmulBranch> branches = residual_branches(s, pass, parameters, x, out);
  s.open_region(pass.region + region, macs_of(rows_in(left), parameters));
  for (std::size_t part = 0; part < left.size(); ++part) kernels::matmul(s.builder(), left[part], false, {branches[part]});
}

void product_with_residual_and_norm(Session& s, const Pass& pass, const std::string& region, const Activations& a,
                                    const ProductParameters& parameters, const Activations& x, const Activations& sums,
                                    const std::string& norm_region, const NormParameters& norm_parameters, const Activations& out) {
  if (s.model().host_functions) {
    product_on_array(s, pass, region, a, parameters, sums);
    const std::string place = norm_region.substr(0, norm_region.rfind('/') + 1);
    add_and_norm_on_host(s, pass, place, sums, parameters, x, norm_parameters, out);
    return;
  }
  const std::vector<kernels::Matrix> left = a.of(pass, s.sequences());
  const std::optional<kernels::TilingChoice> plan = fused_tiling(s, left[0], parameters.w, parameters.constants == 0, norm_parameters);
  if (plan && !s.options().store_all_boundaries) s.drop_boundary(sums);
  if (!plan || s.options().store_all_boundaries) product_with_residual(s, pass, region, a, parameters, x, sums);
  if (!plan) {
    norm(s, pass, norm_region, sums, norm_parameters, out);
    return;
  }
  std::vector<MatmulBranch> branches = residual_branches(s, pass, parameters, x, out);
  s.open_region(pass.region + region, s.options().store_all_boundaries ? 0 : macs_of(rows_in(left), parameters));
  if (norm_parameters.affine.present()) {
    (void)kernels::load_affine_rows(s.builder(), norm_parameters.affine);
    s.builder().fence();
  }
  for (std::size_t part = 0; part < left.size(); ++part) {
    branches[part].store = norm_store(s, norm_parameters);
    kernels::matmul_tiled(s.builder(), left[part], false, {branches[part]}, *plan);
  }
  s.builder().fence();
}

void feed_forward(Session& s, const Pass& from, const Pass& to, const std::string& region, const Activations& x,
                  const kernels::Matrix& w1, const kernels::Matrix& b1, const ActivationConstants& constants, const Activations& out,
                  const Activations& sums) {
  if (s.model().host_functions && s.model().activation == Activation::Gelu) {
    ProductParameters product;
    product.w = w1, product.bias = b1;
    product_on_array(s, to, region, x, product, sums);
    gelu_on_host(s, to, region.substr(0, region.rfind('/') + 1), sums, constants, out);
    return;
  }
  const std::vector<kernels::Matrix> left = x.of(from, s.sequences());
  s.open_region(to.region + region, rows_in(left) * w1.rows * w1.cols);
  const std::vector<kernels::Matrix> result = out.of(to, s.sequences());
  for (std::size_t part = 0; part < left.size(); ++part) {
    MatmulBranch b;
    b.b = w1;
    b.d = b1;
    b.c = result[part];
    b.store.scale = constants.scale;
    if (s.model().activation == Activation::Gelu) {
      b.store.activation = isa::Activation::kIgelu;
      b.store.constants.qb = constants.qb;
      b.store.constants.qc = constants.qc;
      b.store.pre_shift = constants.pre_shift;
    } else {
      b.store.activation = isa::Activation::kRelu;
    }
    kernels::matmul(s.builder(), left[part], false, {b});
    if (!sums.all.present()) continue;
    MatmulBranch full;
    full.b = w1;
    full.d = b1;
    full.c = sums.of(to, s.sequences())[part];
    kernels::matmul(s.builder(), left[part], false, {full});
  }
}

void norm(Session& s, const Pass& pass, const std::string& region, const Activations& x, const NormParameters& parameters,
          const Activations& out, float x_scale) {
  s.open_region(pass.region + region);
  const std::vector<kernels::Matrix> from = x.of(pass, s.sequences());
  const std::vector<kernels::Matrix> to = out.of(pass, s.sequences());
  for (std::size_t part = 0; part < from.size(); ++part) {
    kernels::LayerNormArguments a;
    a.x = from[part];
    a.x_scale = x_scale;
    a.out = to[part];
    a.affine = parameters.affine;
    a.scale = parameters.constants->scale;
    a.pre_shift = parameters.constants->pre_shift;
    a.wide_variance = s.model().wide_variance;
    kernels::layer_norm(s.builder(), a);
  }
  s.builder().fence();
}

void normalise_input(Session& s, const Pass& pass, const Activations& x, const NormParameters* parameters,
                     const Activations& out, double unit) {
  if (parameters != nullptr && s.model().host_functions) {
    norm_on_host(s, pass, "embedding/", x, unit, *parameters, out);
    return;
  }
  if (parameters != nullptr) {
    norm(s, pass, "embedding/norm", x, *parameters, out);
    return;
  }
  s.open_region(pass.region + "embedding/convert");
  const std::vector<kernels::Matrix> from = x.of(pass, s.sequences());
  const std::vector<kernels::Matrix> to = out.of(pass, s.sequences());
  for (std::size_t part = 0; part < from.size(); ++part) kernels::convert(s.builder(), from[part], to[part], 1.0f);
  s.builder().fence();
}

LanguageHeadBuffers place_head(Session& s, std::size_t rows, std::size_t prompt) {
  LanguageHeadBuffers h;
  const QuantisedModel& model = s.model();
  if (!model.language_head) return h;
  const LanguageHead& head = *model.language_head;
  const int layer = static_cast<int>(model.layers.size());
  h.w = s.place_weights("lm.W", head.w);
  if (!head.b.empty()) h.b = s.place_bias("lm.b", head.b);
  if (s.options().last_logits_only) h.first = prompt - 1;
  const std::size_t count = rows - h.first;
  if (head.transform) {
    h.transform = &*head.transform;
    h.dense = s.place_weights("mlm.W", head.transform->w);
    h.dense_bias = s.place_bias("mlm.b", head.transform->b);
    h.norm = s.place_norm("mlm.n", head.transform->norm);
    if (s.options().store_all_boundaries) h.inner_sum = s.activations(layer, "mlm_acc", count, model.d, Element::kInt32);
    h.inner = s.activations(layer, std::string("mlm_") + name_of(model.activation), count, model.d, Element::kInt8);
    h.normalised = s.activations(layer, "mlm_ln", count, model.d, Element::kInt8);
  }
  h.logits = s.activations(layer, "logits", count, head.w.cols, Element::kInt32);
  return h;
}

void language_head(Session& s, const Pass& pass, const Activations& x, const LanguageHeadBuffers& head) {
  Pass from = pass;
  if (s.options().last_logits_only) {
    from.first = pass.first + pass.count - 1;
    from.count = 1;
  }
  Pass to = from;  // in the head's own buffers
  to.first -= head.first;
  Activations rows = x;
  if (head.transform != nullptr) {
    feed_forward(s, from, to, "head/dense", x, head.dense, head.dense_bias, head.transform->activation, head.inner, head.inner_sum);
    norm(s, to, "head/norm", head.inner, head.norm, head.normalised, head.transform->spread);
    rows = head.normalised;
    from = to;
  }
  const std::vector<kernels::Matrix> left = rows.of(from, s.sequences());
  const std::vector<kernels::Matrix> result = head.logits.of(to, s.sequences());
  s.open_region(pass.region + (head.transform != nullptr ? "head/words" : "head"), rows_in(left) * head.w.rows * head.w.cols);
  for (std::size_t part = 0; part < left.size(); ++part) {
    MatmulBranch b;
    b.b = head.w;
    b.d = head.b;
    b.c = result[part];
    kernels::matmul(s.builder(), left[part], false, {b});
  }
  s.builder().fence();
}

}  // namespace systole::workloads::lowering
