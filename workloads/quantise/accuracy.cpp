#include "workloads/quantise/accuracy.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace systole::workloads {
namespace {

struct BoundaryName {
  std::size_t layer = 0;
  std::string what;
};

// "act.3.ctx" -> {3, "ctx"}; nothing for the input ("act.-1.*") and for other names.
std::optional<BoundaryName> parse(const std::string& name) {
  if (name.rfind("act.", 0) != 0) {
    return std::nullopt;
  }
  BoundaryName parsed;
  const char* end = name.data() + name.size();
  const auto [dot, error] = std::from_chars(name.data() + 4, end, parsed.layer);
  if (error != std::errc{} || dot == end || *dot != '.') {
    return std::nullopt;
  }
  parsed.what.assign(dot + 1, end);
  return parsed;
}

double integer_at(const Tensor& tensor, std::size_t index) {
  return tensor.dtype == Dtype::I8 ? static_cast<double>(tensor.as<std::int8_t>()[index])
                                   : static_cast<double>(tensor.as<std::int32_t>()[index]);
}

std::size_t rows_of(const Tensor& tensor) { return tensor.shape.size() < 2 ? 0 : tensor.shape[tensor.shape.size() - 2]; }

Matrix<float> last_rows(const Matrix<float>& x, std::size_t count) {
  Matrix<float> rows(count, x.cols);
  std::copy(x.row(x.rows - count), x.row(x.rows - count) + rows.size(), rows.data.begin());
  return rows;
}

double scale_of(const NormConstants& norm) { return 1.0 / static_cast<double>(norm.scale); }

}  // namespace

FloatComparison::FloatComparison(const WeightSource& source, const QuantisedModel& model,
                                 const std::vector<std::int32_t>& tokens, const std::vector<std::int32_t>& target,
                                 std::size_t valid)
    : source_(source), model_(model), target_(target), valid_(valid == 0 ? model.valid : valid) {
  const Side side = model.architecture == Architecture::Gpt2 ? Side::Decoder : Side::Encoder;
  x_ = source.embed(side, tokens, 0);
  if (source.config().embedding_norm) {
    const FloatNorm norm = source.embedding_norm(side);
    x_ = reference::float_norm(x_, &norm, source.config().norm_epsilon);
  }
}

void FloatComparison::advance_to(std::size_t layer) {
  SYSTOLE_CHECK(!layer_ || layer >= *layer_);
  const ModelConfig& config = source_.config();
  const bool two_sided = model_.architecture == Architecture::EncoderDecoder;
  for (std::size_t next = layer_ ? *layer_ + 1 : 0; next <= layer && next < model_.layers.size(); ++next) {
    const bool decodes = two_sided && next >= model_.encoder_layers;
    if (two_sided && next == model_.encoder_layers) {
      encoded_ = std::move(x_);
      x_ = source_.embed(Side::Decoder, target_, 0);
      if (config.embedding_norm) {
        const FloatNorm norm = source_.embedding_norm(Side::Decoder);
        x_ = reference::float_norm(x_, &norm, config.norm_epsilon);
      }
    }
    const std::size_t index = decodes ? config.layers + (next - model_.encoder_layers) : next;
    trace_ = {};   // one layer at a time
    const FloatLayer weights = source_.layer(index);
    trace_ = reference::float_layer(config, weights, x_, {next, valid_, decodes ? &encoded_ : nullptr});
    if (model_.norm_form == NormForm::Fold) {
      const bool pre_norm = model_.architecture == Architecture::Gpt2;
      trace_.norm1 = reference::float_norm(pre_norm ? x_ : trace_.attention_sum, nullptr, config.norm_epsilon);
    }
    x_ = reference::output_of(config, trace_);
    layer_ = next;
  }
}

std::optional<FloatComparison::Real> FloatComparison::in_attention(const AttentionWeights& weights,
                                                                   const reference::AttentionTrace& trace,
                                                                   const std::string& what) const {
  Real real;
  if (what == "ctx") {
    return Real{&trace.ctx, weights.ctx_scale, true, std::vector<double>(weights.heads.size(), weights.ctx_scale)};
  }
  if (what != "q" && what != "k" && what != "v") {
    return std::nullopt;
  }
  real.by_head = true;
  real.values = what == "q" ? &trace.q : what == "k" ? &trace.k : &trace.v;
  for (const HeadWeights& head : weights.heads) {
    real.head_scales.push_back(what == "q" ? head.sq : what == "k" ? head.sk : head.sv);
  }
  return real;
}

// The head sees the last `rows` rows. Folded LayerNorms emit other values than the float model: left out there.
std::optional<FloatComparison::Real> FloatComparison::in_head(const std::string& what, std::size_t rows) {
  if (!model_.language_head || model_.norm_form == NormForm::Fold || rows == 0 || rows > x_.rows) {
    return std::nullopt;
  }
  if (!head_) {
    head_ = source_.language_head();
    Matrix<float> x = last_rows(x_, rows);
    if (model_.final_norm) {
      const FloatNorm norm = source_.final_norm();
      x = reference::float_norm(x, &norm, source_.config().norm_epsilon);
    }
    if (head_->transform) {
      head_trace_ = reference::float_head_transform(source_.config(), *head_->transform, x);
      x = head_trace_->norm;
    }
    scratch_ = std::move(x);
  }
  const LanguageHead& head = *model_.language_head;
  if (what == "logits") {
    FloatLinear words{std::move(head_->w), std::move(head_->b)};
    words.b.resize(words.w.cols);
    logits_ = reference::float_linear(scratch_, words);
    return Real{&logits_, head.w_scale * head.x_scale, false, {}};
  }
  if (!head_trace_ || !head.transform) {
    return std::nullopt;
  }
  if (what == "mlm_acc") {
    return Real{&head_trace_->before_activation, head.transform->activation.in_scale, false, {}};
  }
  if (what == "mlm_ln") {
    return Real{&head_trace_->norm, scale_of(head.transform->norm), false, {}};
  }
  return Real{&head_trace_->activation, head.transform->activation.out_scale, false, {}};
}

std::optional<FloatComparison::Real> FloatComparison::find(std::size_t layer, const std::string& what,
                                                           std::size_t rows) {
  const double epsilon = source_.config().norm_epsilon;
  if (layer == model_.layers.size()) {
    if (what != "lnf" || !model_.final_norm) {
      return in_head(what, rows);
    }
    const FloatNorm norm = source_.final_norm();
    scratch_ = reference::float_norm(x_, model_.norm_form == NormForm::Fold ? nullptr : &norm, epsilon);
    return Real{&scratch_, scale_of(*model_.final_norm), false, {}};
  }
  const LayerWeights& weights = model_.layers[layer];
  const bool pre_norm = model_.architecture == Architecture::Gpt2;
  // A folded LayerNorm emits its value before gamma and beta.
  const auto norm = [&](const Matrix<float>& output, const Matrix<float>& input, const NormConstants& constants) {
    if (model_.norm_form == NormForm::Affine || &output == &trace_.norm1) {
      return Real{&output, scale_of(constants), false, {}};
    }
    scratch_ = reference::float_norm(input, nullptr, epsilon);
    return Real{&scratch_, scale_of(constants), false, {}};
  };
  if (what == "attn_acc" || what == "h_mid") {
    return Real{&trace_.attention_sum, weights.attention.out_scale, false, {}};
  }
  if (what == "ln1") {
    return norm(trace_.norm1, trace_.attention_sum, weights.norm1);
  }
  if (what == "ffn1_acc") {
    return Real{&trace_.before_activation, weights.activation.in_scale, false, {}};
  }
  if (what == name_of(model_.activation)) {
    return Real{&trace_.activation, weights.activation.out_scale, false, {}};
  }
  if (what == "ffn2_acc" || what == "h_out") {
    return Real{&trace_.ffn_sum, weights.out_scale, false, {}};
  }
  if (what == "ln2") {
    return norm(trace_.norm2, pre_norm ? trace_.attention_sum : trace_.ffn_sum, weights.norm2);
  }
  if (weights.cross) {
    if (what == "xattn_acc") {
      return Real{&trace_.cross_sum, weights.cross->out_scale, false, {}};
    }
    if (what == "lnx") {
      return norm(trace_.norm_cross, trace_.cross_sum, weights.norm_cross);
    }
    if (what.size() > 1 && what[0] == 'x') {
      return in_attention(*weights.cross, trace_.cross, what.substr(1));
    }
  }
  return in_attention(weights.attention, trace_.attention, what);
}

void FloatComparison::see(const std::string& name, const Tensor& boundary) {
  const std::optional<BoundaryName> parsed = parse(name);
  if (!parsed || parsed->layer > model_.layers.size()) {
    return;
  }
  advance_to(parsed->layer);
  const std::optional<Real> real = find(parsed->layer, parsed->what, rows_of(boundary));
  if (real && (real->by_head ? real->head_scales.at(0) : real->scale) != 0) {
    compare(name, boundary, *real);
    // Logits are compared, but a model's promise is about its last layer.
    if (parsed->layer < model_.layers.size() || parsed->what == "lnf") {
      output_ = results_.size() - 1;
    }
  }
}

void FloatComparison::compare(const std::string& name, const Tensor& boundary, const Real& real) {
  const Matrix<float>& values = *real.values;
  if (boundary.elements() != values.size() || (boundary.dtype != Dtype::I8 && boundary.dtype != Dtype::I32)) {
    throw ConfigError(fmt::format("boundary '{}' is {} {}, the float model has {} x {}", name, name_of(boundary.dtype),
                                  to_string(boundary.shape), values.rows, values.cols));
  }
  BoundaryAccuracy accuracy;
  accuracy.name = name;
  const std::size_t dk = model_.dk();
  for (std::size_t r = 0; r < values.rows; ++r) {
    for (std::size_t c = 0; c < values.cols; ++c) {
      const std::size_t head = c / dk;
      const std::size_t index = real.by_head ? (head * values.rows + r) * dk + c % dk : r * values.cols + c;
      const double scale = real.by_head ? real.head_scales[head] : real.scale;
      accuracy.metrics.add(values.at(r, c), integer_at(boundary, index) * scale);
    }
  }
  results_.push_back(std::move(accuracy));
}

const ErrorMetrics& FloatComparison::output() const {
  SYSTOLE_CHECK(!results_.empty());
  return results_[output_].metrics;
}

}  // namespace systole::workloads
