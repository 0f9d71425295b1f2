#include "workloads/lower/session.h"

#include <algorithm>

#include <fmt/format.h>

#include "kernels/bias_rows.h"
#include "kernels/layer_norm.h"
#include "sim/base/errors.h"
#include "workloads/reference/evaluate.h"

namespace systole::workloads::lowering {

using kernels::Element;

std::vector<kernels::Matrix> Activations::of(const Pass& pass, std::size_t sequences) const {
  if (pass.first == 0 && pass.count == rows) return {all};
  std::vector<kernels::Matrix> parts;
  for (std::size_t n = 0; n < sequences; ++n) parts.push_back(all.rows_from(n * rows + pass.first, pass.count));
  return parts;
}

Session::Session(const QuantisedModel& model, const kernels::Target& target, const LowerOptions& options, std::size_t sequences)
    : model_(model),
      target_(target),
      options_(options),
      sequences_(sequences),
      memory_(result_.program, target.dim),
      builder_(target_, result_.program) {}

const std::vector<std::size_t>& Session::set_valid(const std::vector<TensorMap>& inputs, std::size_t rows) {
  for (const TensorMap& map : inputs) result_.valid.push_back(reference::valid_keys(model_, map, rows));
  return result_.valid;
}

void Session::open_region(const std::string& name, std::uint64_t macs) {
  const bool first = result_.program.items.empty();
  builder_.fence();
  builder_.region(name, macs);
  // Cycles count from the first command, and the first operation may be the CPU's.
  if (first && model_.host_functions) builder_.flush();
}

Lowered Session::take() {
  builder_.fence();
  result_.memory_end = memory_.end();
  return std::move(result_);
}

kernels::Matrix Session::place_weights(const std::string& name, const Matrix<std::int8_t>& weights) {
  const kernels::Matrix m = memory_.matrix(name, weights.rows, weights.cols, Element::kInt8);
  fill_weights(m, weights);
  return m;
}

void Session::fill_weights(const kernels::Matrix& m, const Matrix<std::int8_t>& weights) {
  if (weights.empty()) return;   // sizes alone (QuantiseOptions::keep_weights)
  if (options_.borrow_weights && m.stride == weights.cols) {
    result_.borrowed.push_back({m.address, weights.data.data(), weights.size()});
  } else {
    memory_.fill(m, weights.data.data());
  }
}

kernels::Matrix Session::place_bias(const std::string& name, const std::vector<std::int32_t>& bias) {
  return memory_.repeated_row(name, bias.size(), bias.data());
}

ResidualParameters Session::place_residual(const std::string& name, const Residual& residual) {
  ResidualParameters p;
  p.scale = residual.scale;
  if (!residual.diagonal.empty()) {
    const auto dim = static_cast<std::uint64_t>(target_.dim);
    const kernels::DiagonalTiles tiles = kernels::make_diagonal(residual.diagonal, dim);
    p.passes = tiles.passes;
    p.diagonal = memory_.matrix(name, tiles.data.size() / (tiles.passes * dim), tiles.passes * dim, tiles.data.data());
  }
  return p;
}

ProductParameters Session::place_product(const std::string& w_name, const std::string& bias_name,
                                         const std::string& residual_name, const Matrix<std::int8_t>& w,
                                         const std::vector<std::int32_t>& bias, const Residual& residual) {
  ProductParameters p;
  if (model_.host_functions) {
    p.residual.scale = residual.scale;  // the CPU adds it
    p.w = place_weights(w_name, w);
    p.bias = place_bias(bias_name, bias);
    return p;
  }
  p.residual = place_residual(residual_name, residual);
  const auto dim = static_cast<std::uint64_t>(target_.dim);
  const std::uint64_t needed = kernels::bias_rows_needed(bias);
  // Worth it while the additional array passes are few.
  if (p.residual.passes != 0 || needed > std::max<std::uint64_t>(dim, w.rows / 8)) {
    p.w = place_weights(w_name, w);
    p.bias = place_bias(bias_name, bias);
    return p;
  }
  // Up to a whole tile, so that layers with other biases have the same shapes.
  p.constants = kernels::round_up(w.rows + needed, dim) - w.rows;
  p.w = memory_.matrix(w_name, w.rows + p.constants, w.cols, Element::kInt8);
  fill_weights(p.w.rows_from(0, w.rows), w);
  memory_.fill(p.w.rows_from(w.rows, p.constants), kernels::make_bias_rows(bias, p.constants).rows.data());
  return p;
}

AttentionParameters Session::place_attention(const std::string& name, const std::string& residual_name,
                                             const AttentionWeights& weights) {
  AttentionParameters p;
  for (std::size_t h = 0; h < weights.heads.size(); ++h) {
    const HeadWeights& head = weights.heads[h];
    const std::string prefix = fmt::format("{}{}.", name, h);
    HeadParameters hp;
    hp.wq = place_weights(prefix + "Wq", head.wq);
    hp.wk = place_weights(prefix + "Wk", head.wk);
    hp.wv = place_weights(prefix + "Wv", head.wv);
    hp.bq = place_bias(prefix + "bq", head.bq);
    hp.bk = place_bias(prefix + "bk", head.bk);
    hp.bv = place_bias(prefix + "bv", head.bv);
    hp.constants = &head;
    p.heads.push_back(hp);
  }
  if (weights.wo.rows != 0) {
    p.output = place_product(residual_name + "Wo", residual_name + "bo", residual_name + "ro", weights.wo, weights.bo,
                             weights.residual);
    p.output.unit = weights.out_scale;
  }
  return p;
}

NormParameters Session::place_norm(const std::string& name, const NormConstants& norm) {
  NormParameters p;
  p.constants = &norm;
  if (model_.host_functions) {
    std::vector<float> rows = norm.gamma;
    for (const float beta : norm.beta) rows.push_back(beta / norm.scale);  // stored in units of the result
    p.affine = memory_.matrix(name, 2, norm.gamma.size(), rows.data());
    return p;
  }
  if (model_.norm_form == NormForm::Affine) {
    const auto dim = static_cast<std::uint64_t>(target_.dim);
    const std::vector<float> rows = kernels::affine_rows(norm.gamma, norm.beta, dim);
    p.affine = memory_.matrix(name, rows.size() / dim, dim, rows.data());
  }
  return p;
}

void Session::add_causal_masks(AttentionParameters& parameters, std::size_t positions) {
  if (model_.host_functions) return;  // the CPU's softmax counts the keys
  const auto dim = static_cast<std::uint64_t>(target_.dim);
  // A window of the pattern starts on a request boundary whenever the query's position does.
  const std::uint64_t origin = kernels::round_up(positions, kernels::Allocator::kRowAlignment);
  const std::uint64_t rows = kernels::causal_pattern_rows(dim);
  for (HeadParameters& head : parameters.heads) {
    const std::int32_t magnitude = mask_magnitude(model_.dk(), *head.constants);
    const auto as_float = static_cast<float>(magnitude);
    // One int8 pattern serves all heads if the load can scale it to the exact magnitude.
    const bool scaled = target_.extensions.accumulator_scale && static_cast<std::int64_t>(as_float) == magnitude;
    kernels::ScoreMask& mask = causal_[scaled ? 0 : magnitude];
    if (!mask.values.present()) {
      mask.causal = true;
      mask.origin = origin;
      if (scaled) {
        const std::vector<std::int8_t> pattern = kernels::causal_pattern<std::int8_t>(dim, origin, -1);
        mask.values = memory_.matrix("mask.causal", rows, origin + rows, pattern.data());
      } else {
        const std::vector<std::int32_t> pattern = kernels::causal_pattern<std::int32_t>(dim, origin, -magnitude);
        mask.values = memory_.matrix(fmt::format("mask.causal.{}", magnitude), rows, origin + rows, pattern.data());
      }
    }
    SYSTOLE_CHECK(mask.origin == origin);
    head.causal = mask;
    head.causal.scale = scaled ? as_float : 1.0f;
  }
}

std::string Session::boundary_name(int layer, const std::string& name) const {
  if (model_.architecture == Architecture::CrossAttention) return "act." + name;
  return fmt::format("act.{}.{}", layer, name);
}

kernels::Matrix Session::buffer(int layer, const std::string& name, std::size_t rows, std::size_t cols, Element element) {
  const std::string full = boundary_name(layer, name);
  if (!options_.reuse_buffers) return memory_.matrix(full, rows, cols, element);
  const auto found = shared_.find(name);
  if (found != shared_.end() && found->second.rows == rows && found->second.cols == cols) return found->second;
  return shared_[name] = memory_.matrix("act." + name, rows, cols, element);
}

Activations Session::activations(int layer, const std::string& name, std::size_t rows, std::size_t cols, Element element) {
  const Activations a{buffer(layer, name, rows * sequences_, cols, element), rows};
  add_boundary(layer, boundary_name(layer, name), {a}, false, false, false);
  return a;
}

Activations Session::unnamed(int layer, const std::string& name, std::size_t rows, std::size_t cols, std::size_t constants) {
  const Activations a{buffer(layer, name, rows * sequences_, cols + constants, Element::kInt8), rows};
  if (constants != 0) memory_.fill_rows(a.all.block(0, cols, a.all.rows, constants), kernels::bias_constants(constants));
  return a;
}

kernels::Matrix Session::floats(const std::string& name, std::size_t rows, std::size_t cols) {
  const std::string full = fmt::format("host.{}.{}x{}", name, rows, cols);
  const auto found = shared_.find(full);
  if (found != shared_.end()) return found->second;
  return shared_[full] = memory_.matrix(full, rows, cols, Element::kFloat32);
}

Activations Session::output(const std::string& name, std::size_t rows, std::size_t cols) {
  const Activations a{memory_.matrix("out." + name, rows * sequences_, cols, Element::kInt8), rows};
  add_boundary(0, "out." + name, {a}, false, false, false);
  return a;
}

Activations Session::input(const std::string& name, std::size_t rows, std::size_t cols) {
  return {memory_.matrix(name, rows * sequences_, cols, Element::kInt8), rows};
}

HeadActivations Session::head_activations(int layer, const std::string& name, std::size_t rows, std::size_t cols,
                                          Element element, bool scores, bool cross) {
  const auto dim = static_cast<std::uint64_t>(target_.dim);
  const std::uint64_t head_rows = kernels::round_up(rows * sequences_, dim);
  const kernels::Matrix all = buffer(layer, name, head_rows * model_.heads, cols, element);
  HeadActivations heads;
  for (std::size_t h = 0; h < model_.heads; ++h) heads.push_back({all.rows_from(h * head_rows, rows * sequences_), rows});
  add_boundary(layer, boundary_name(layer, name), heads, true, scores, cross);
  return heads;
}

void Session::add_boundary(int layer, const std::string& name, const HeadActivations& heads) {
  add_boundary(layer, boundary_name(layer, name), heads, true, false, false);
}

void Session::add_boundary(int layer, const std::string& name, const Activations& a) {
  add_boundary(layer, boundary_name(layer, name), {a}, false, false, false);
}

void Session::drop_boundary(const Activations& a) {
  const auto inside = [&](const Boundary& b) {
    const std::uint64_t address = b.slices.at(0).address;
    return !b.by_head && address >= a.all.address && address < a.all.at(a.all.rows, 0);
  };
  result_.boundaries.erase(std::remove_if(result_.boundaries.begin(), result_.boundaries.end(), inside), result_.boundaries.end());
}

void Session::add_boundary(int layer, const std::string& full_name, const HeadActivations& heads, bool by_head, bool scores,
                           bool cross) {
  for (std::size_t n = 0; n < sequences_; ++n) {
    Boundary b;
    b.name = full_name;
    b.sequence = n;
    b.by_head = by_head;
    b.masked = scores;
    b.layer = static_cast<std::size_t>(layer < 0 ? 0 : layer);
    b.cross = cross;
    for (const Activations& a : heads) b.slices.push_back(a.all.rows_from(n * a.rows, a.rows));
    result_.boundaries.push_back(std::move(b));
  }
}

}  // namespace systole::workloads::lowering
