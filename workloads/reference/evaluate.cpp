#include "workloads/reference/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "workloads/reference/blocks.h"
#include "workloads/reference/host_functions.h"
#include "workloads/reference/gemm.h"

namespace systole::workloads::reference {
namespace {

Matrix<std::int32_t> word_logits(const LanguageHead& head, const Matrix<std::int8_t>& x) {
  Matrix<std::int32_t> logits(x.rows, head.w.cols);
  gemm(x.data.data(), head.w.data.data(), Right::Plain, head.b.empty() ? nullptr : head.b.data(), 0, logits.data.data(), x.rows,
       x.cols, head.w.cols);
  return logits;
}

std::string layer_prefix(std::size_t layer) { return fmt::format("act.{}.", layer); }

// A stored input as a matrix with `cols` columns.
template <typename T>
Matrix<T> matrix_of(const std::string& name, const Tensor& tensor, std::size_t cols) {
  if (tensor.dtype != dtype_of<T>() || tensor.shape.size() != 2 || tensor.shape[1] != cols || tensor.shape[0] == 0) {
    throw ConfigError(fmt::format("input '{}' is {} {}, needed is {} [rows, {}]", name, name_of(tensor.dtype),
                                  to_string(tensor.shape), name_of(dtype_of<T>()), cols));
  }
  Matrix<T> matrix(tensor.shape[0], cols);
  std::copy(tensor.as<T>(), tensor.as<T>() + matrix.size(), matrix.data.begin());
  return matrix;
}

const Tensor& input(const TensorMap& inputs, const std::string& name) {
  const auto found = inputs.find(name);
  if (found == inputs.end()) {
    throw ConfigError(fmt::format("input '{}' is missing", name));
  }
  return found->second;
}

// The int32 input: given, or made from float embeddings.
Matrix<std::int32_t> integer_input(const Context& context, const TensorMap& inputs, const std::string& integers,
                                   const std::string& floats, const std::optional<EmbeddingConstants>& constants) {
  const std::size_t d = context.model.d;
  Matrix<std::int32_t> x;
  if (inputs.count(integers) != 0) {
    x = matrix_of<std::int32_t>(integers, inputs.at(integers), d);
  } else {
    const Matrix<float> embeddings = matrix_of<float>(floats, input(inputs, floats), d);
    if (!constants) {
      throw ConfigError(fmt::format("the model has no scale for input '{}'", floats));
    }
    x = scale_embeddings(embeddings, constants->scale);
  }
  context.sink(integers, Tensor::from(x));
  return x;
}

// The int8 input of a post-LN stack.
Matrix<std::int8_t> normalised_input(const Context& context, const TensorMap& inputs, const std::string& normalised,
                                     const std::string& integers, const std::string& floats,
                                     const std::optional<EmbeddingConstants>& constants) {
  Matrix<std::int8_t> x;
  if (inputs.count(integers) == 0 && inputs.count(floats) == 0) {
    x = matrix_of<std::int8_t>(normalised, input(inputs, normalised), context.model.d);
  } else if (!constants && inputs.count(normalised) != 0) {
    x = matrix_of<std::int8_t>(normalised, inputs.at(normalised), context.model.d);
  } else if (!constants) {
    throw ConfigError(fmt::format("the model has no LayerNorm for input '{}'", integers));
  } else {
    const Matrix<std::int32_t> sums = integer_input(context, inputs, integers, floats, constants);
    if (constants->norm && context.model.host_functions) {
      x = host_norm(host_dequantise(sums, constants->scale), *constants->norm);
    } else if (constants->norm) {
      x = layer_norm(context, sums, *constants->norm);
    } else {
      x = Matrix<std::int8_t>(sums.rows, sums.cols);
      scale8(sums.data.data(), sums.size(), 1.0F, x.data.data());  // clips
    }
  }
  context.sink(normalised, Tensor::from(x));
  return x;
}

// LayerNorm of a * w + bias + x on the CPU. Reports the product as NAME.
Matrix<std::int8_t> host_block(const Context& context, const Matrix<std::int8_t>& a, const Matrix<std::int8_t>& w,
                               const std::vector<std::int32_t>& bias, double unit, const Matrix<std::int8_t>& x,
                               const Residual& residual, const NormConstants& norm, const std::string& name) {
  const Matrix<std::int32_t> sums = product(context, a, w, bias);
  context.sink(name, Tensor::from(sums));
  Matrix<float> y = host_dequantise(sums, unit);
  host_add(y, host_dequantise(x, residual.scale * unit));
  return host_norm(y, norm);
}

// "act.0.attn_acc" -> "act.0.attn_product": without the residual.
std::string product_name(const std::string& sums) { return sums.substr(0, sums.rfind("_acc")) + "_product"; }

// Everything of a post-LN layer after the context of its (self) attention.
Matrix<std::int8_t> post_norm_block(const Context& context, const Matrix<std::int8_t>& x,
                                    const Matrix<std::int8_t>& ctx, const AttentionWeights& attention,
                                    const NormConstants& norm, const std::string& sums, const std::string& normalised) {
  Matrix<std::int8_t> y;
  if (context.model.host_functions) {
    y = host_block(context, ctx, attention.wo, attention.bo, attention.out_scale, x, attention.residual, norm,
                   product_name(sums));
  } else {
    const Matrix<std::int32_t> acc = add_residual(context, ctx, attention.wo, attention.bo, x, attention.residual);
    context.sink(sums, Tensor::from(acc));
    y = layer_norm(context, acc, norm);
  }
  context.sink(normalised, Tensor::from(y));
  return y;
}

Matrix<std::int8_t> post_norm_feed_forward(const Context& context, const LayerWeights& layer,
                                           const Matrix<std::int8_t>& x, const std::string& prefix) {
  const Matrix<std::int8_t> inner = feed_forward(context, layer, x, prefix);
  Matrix<std::int8_t> y;
  if (context.model.host_functions) {
    y = host_block(context, inner, layer.w2, layer.b2, layer.out_scale, x, layer.ffn_residual, layer.norm2,
                   prefix + "ffn2_product");
  } else {
    const Matrix<std::int32_t> acc = add_residual(context, inner, layer.w2, layer.b2, x, layer.ffn_residual);
    context.sink(prefix + "ffn2_acc", Tensor::from(acc));
    y = layer_norm(context, acc, layer.norm2);
  }
  context.sink(prefix + "ln2", Tensor::from(y));
  return y;
}

Matrix<std::int8_t> encode(const Context& context, Matrix<std::int8_t> x, std::size_t layers, std::size_t valid) {
  const Mask mask{valid, false, 0};
  for (std::size_t index = 0; index < layers; ++index) {
    const LayerWeights& layer = context.model.layers[index];
    const std::string prefix = layer_prefix(index);
    HeadCaches caches;
    append_keys(context, layer.attention, x, prefix, caches);
    const Matrix<std::int8_t> ctx = attend(context, layer.attention, x, caches, mask, prefix);
    x = post_norm_block(context, x, ctx, layer.attention, layer.norm1, prefix + "attn_acc", prefix + "ln1");
    x = post_norm_feed_forward(context, layer, x, prefix);
  }
  return x;
}

Matrix<std::int8_t> encoder_input(const Context& context, const TensorMap& inputs) {
  return normalised_input(context, inputs, "act.-1.x0", "act.-1.emb_i32", "in.emb_f32", context.model.embedding);
}

Matrix<std::int8_t> target_input(const Context& context, const TensorMap& inputs) {
  return normalised_input(context, inputs, "act.-1.y0", "act.-1.demb_i32", "in.demb_f32", context.model.decoder_embedding);
}

Matrix<std::int8_t> rows_from(const Matrix<std::int8_t>& x, std::size_t first) {
  SYSTOLE_CHECK(first < x.rows);
  Matrix<std::int8_t> rest(x.rows - first, x.cols);
  std::copy(x.row(first), x.row(first) + rest.size(), rest.data.begin());
  return rest;
}

// What the transform of BERT's head makes of x.
Matrix<std::int8_t> head_transform(const Context& context, const HeadTransform& transform, const Matrix<std::int8_t>& x) {
  const std::string prefix = layer_prefix(context.model.layers.size()) + "mlm_";
  const Matrix<std::int8_t> inner = activated_product(context, x, transform.w, transform.b, transform.activation, prefix + "acc", prefix);
  Matrix<std::int32_t> spread(inner.rows, inner.cols);
  for (std::size_t i = 0; i < inner.size(); ++i) {
    spread.data[i] = scale32(inner.data[i], transform.spread);
  }
  Matrix<std::int8_t> y = layer_norm(context, spread, transform.norm);
  context.sink(prefix + "ln", Tensor::from(y));
  return y;
}

// Everything behind the last layer.
void evaluate_head(const Context& context, const Matrix<std::int8_t>& x, const EvaluateOptions& options) {
  const QuantisedModel& model = context.model;
  if (!model.language_head) {
    return;
  }
  const Matrix<std::int8_t> rows = rows_from(x, options.first_logits);
  const std::optional<HeadTransform>& transform = model.language_head->transform;
  context.sink(layer_prefix(model.layers.size()) + "logits",
               Tensor::from(word_logits(*model.language_head, transform ? head_transform(context, *transform, rows) : rows)));
}

void evaluate_cross_attention(const Context& context, const TensorMap& inputs) {
  const AttentionWeights& attention = context.model.layers.at(0).attention;
  const Matrix<std::int8_t> xq = matrix_of<std::int8_t>("in.xq", input(inputs, "in.xq"), context.model.d);
  const Matrix<std::int8_t> xkv = matrix_of<std::int8_t>("in.xkv", input(inputs, "in.xkv"), context.model.d);
  HeadCaches caches;
  append_keys(context, attention, xkv, "act.", caches);
  const Matrix<std::int8_t> ctx = attend(context, attention, xq, caches, Mask{xkv.rows, false, 0}, "act.");
  context.sink("out.ctx", Tensor::from(ctx));
}

void evaluate_gpt2(const Context& context, const TensorMap& inputs, const EvaluateOptions& options) {
  const QuantisedModel& model = context.model;
  const Matrix<std::int32_t> h0 = integer_input(context, inputs, "act.-1.h0", "in.h_f32", model.embedding);
  Decoder decoder(model);
  evaluate_head(context, decoder.append(h0, context.sink, context.overflows), options);
}

void evaluate_encoder_decoder(const Context& context, const TensorMap& inputs, const EvaluateOptions& options) {
  const QuantisedModel& model = context.model;
  const Matrix<std::int8_t> x0 = encoder_input(context, inputs);
  const std::size_t valid = valid_keys(model, inputs, x0.rows);
  const Matrix<std::int8_t> encoded = encode(context, x0, model.encoder_layers, valid);
  const Matrix<std::int8_t> y0 = target_input(context, inputs);
  Decoder decoder(model, encoded, valid, context.overflows);
  evaluate_head(context, decoder.append(y0, context.sink, context.overflows), options);
}

}  // namespace

Matrix<std::int32_t> scale_embeddings(const Matrix<float>& embeddings, double scale) {
  constexpr float kRange = 2147483648.0F;
  const auto divisor = static_cast<float>(scale);
  Matrix<std::int32_t> integers(embeddings.rows, embeddings.cols);
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const float y = std::nearbyint(embeddings.data[i] / divisor);
    if (std::isnan(y)) {
      throw ConfigError("an embedding is not a number");
    }
    integers.data[i] = y >= kRange   ? std::numeric_limits<std::int32_t>::max()
                       : y < -kRange ? std::numeric_limits<std::int32_t>::min()
                                     : static_cast<std::int32_t>(y);
  }
  return integers;
}

std::size_t valid_keys(const QuantisedModel& model, const TensorMap& inputs, std::size_t rows) {
  const auto found = inputs.find("in.valid");
  if (found == inputs.end()) {
    return std::min(model.valid, rows);
  }
  const Tensor& tensor = found->second;
  if (tensor.dtype != Dtype::I32 || tensor.shape != Shape{1}) {
    throw ConfigError(fmt::format("input 'in.valid' is {} {}, needed is I32 [1]", name_of(tensor.dtype), to_string(tensor.shape)));
  }
  const std::int32_t valid = *tensor.as<std::int32_t>();
  if (valid < 1 || static_cast<std::size_t>(valid) > rows) {
    throw ConfigError(fmt::format("input 'in.valid' is {}, the sequence has {} rows", valid, rows));
  }
  return static_cast<std::size_t>(valid);
}

void evaluate(const QuantisedModel& model, const TensorMap& inputs, const BoundarySink& sink,
              OverflowCounters& overflows, const EvaluateOptions& options) {
  const Context context{model, sink, overflows};
  switch (model.architecture) {
    case Architecture::Bert: {
      const Matrix<std::int8_t> x0 = encoder_input(context, inputs);
      return evaluate_head(context, encode(context, x0, model.layers.size(), valid_keys(model, inputs, x0.rows)), options);
    }
    case Architecture::Gpt2:
      return evaluate_gpt2(context, inputs, options);
    case Architecture::CrossAttention:
      return evaluate_cross_attention(context, inputs);
    case Architecture::EncoderDecoder:
      return evaluate_encoder_decoder(context, inputs, options);
  }
}

TensorMap evaluate(const QuantisedModel& model, const TensorMap& inputs) {
  TensorMap boundaries;
  OverflowCounters overflows;
  evaluate(
      model, inputs, [&](const std::string& name, Tensor tensor) { boundaries[name] = std::move(tensor); }, overflows);
  return boundaries;
}

bool key_is_visible(const QuantisedModel& model, std::size_t valid, std::size_t layer, bool cross, std::size_t query,
                    std::size_t key) {
  switch (model.architecture) {
    case Architecture::Bert:
      return key < valid;
    case Architecture::Gpt2:
      return key <= query;
    case Architecture::CrossAttention:
      return true;
    case Architecture::EncoderDecoder:
      return layer < model.encoder_layers || cross ? key < valid : key <= query;
  }
  SYSTOLE_CHECK(false);
  return false;
}

Decoder::Decoder(const QuantisedModel& model) : model_(model), self_(model.layers.size()) {
  SYSTOLE_CHECK(model.architecture == Architecture::Gpt2 && model.final_norm.has_value());
}

Decoder::Decoder(const QuantisedModel& model, const Matrix<std::int8_t>& encoded, std::size_t valid,
                 OverflowCounters& overflows)
    : model_(model), valid_(valid), self_(model.layers.size() - model.encoder_layers), cross_(self_.size()) {
  SYSTOLE_CHECK(model.architecture == Architecture::EncoderDecoder);
  // Keys and values of the encoder's output are computed once; their boundaries are reported by the first append.
  const BoundarySink ignore = [](const std::string&, Tensor) {};
  const Context context{model, ignore, overflows};
  for (std::size_t index = 0; index < self_.size(); ++index) {
    append_keys(context, *model.layers[model.encoder_layers + index].cross, encoded, "", cross_[index]);
  }
}

Matrix<std::int8_t> Decoder::append(const Matrix<std::int32_t>& residual, const BoundarySink& sink,
                                    OverflowCounters& overflows) {
  SYSTOLE_CHECK(model_.architecture == Architecture::Gpt2);
  const Context context{model_, sink, overflows};
  const Mask mask{rows_ + residual.rows, true, rows_};
  if (model_.host_functions) return append_on_host(context, residual, mask);
  Matrix<std::int32_t> h = residual;
  for (std::size_t index = 0; index < model_.layers.size(); ++index) {
    const LayerWeights& layer = model_.layers[index];
    const std::string prefix = layer_prefix(index);
    Matrix<std::int8_t> y = layer_norm(context, h, layer.norm1);
    sink(prefix + "ln1", Tensor::from(y));
    append_keys(context, layer.attention, y, prefix, self_[index]);
    const Matrix<std::int8_t> ctx = attend(context, layer.attention, y, self_[index], mask, prefix);
    h = add_residual(context, ctx, layer.attention.wo, layer.attention.bo, h, layer.attention.residual);
    sink(prefix + "h_mid", Tensor::from(h));
    y = layer_norm(context, h, layer.norm2);
    sink(prefix + "ln2", Tensor::from(y));
    const Matrix<std::int8_t> inner = feed_forward(context, layer, y, prefix);
    h = add_residual(context, inner, layer.w2, layer.b2, h, layer.ffn_residual);
    sink(prefix + "h_out", Tensor::from(h));
  }
  rows_ += residual.rows;
  Matrix<std::int8_t> lnf = layer_norm(context, h, *model_.final_norm);
  sink(layer_prefix(model_.layers.size()) + "lnf", Tensor::from(lnf));
  return lnf;
}

Matrix<std::int8_t> Decoder::append_on_host(const Context& context, const Matrix<std::int32_t>& residual, const Mask& mask) {
  Matrix<float> h = host_dequantise(residual, model_.embedding.value().scale);
  for (std::size_t index = 0; index < model_.layers.size(); ++index) {
    const LayerWeights& layer = model_.layers[index];
    const std::string prefix = layer_prefix(index);
    Matrix<std::int8_t> y = host_norm(h, layer.norm1);
    context.sink(prefix + "ln1", Tensor::from(y));
    append_keys(context, layer.attention, y, prefix, self_[index]);
    const Matrix<std::int8_t> ctx = attend(context, layer.attention, y, self_[index], mask, prefix);
    Matrix<std::int32_t> sums = product(context, ctx, layer.attention.wo, layer.attention.bo);
    context.sink(prefix + "attn_product", Tensor::from(sums));
    host_add(h, host_dequantise(sums, layer.attention.out_scale));
    y = host_norm(h, layer.norm2);
    context.sink(prefix + "ln2", Tensor::from(y));
    const Matrix<std::int8_t> inner = feed_forward(context, layer, y, prefix);
    sums = product(context, inner, layer.w2, layer.b2);
    context.sink(prefix + "ffn2_product", Tensor::from(sums));
    host_add(h, host_dequantise(sums, layer.out_scale));
  }
  rows_ += residual.rows;
  Matrix<std::int8_t> lnf = host_norm(h, *model_.final_norm);
  context.sink(layer_prefix(model_.layers.size()) + "lnf", Tensor::from(lnf));
  return lnf;
}

Matrix<std::int8_t> Decoder::append(const Matrix<std::int8_t>& y0, const BoundarySink& sink,
                                    OverflowCounters& overflows) {
  SYSTOLE_CHECK(model_.architecture == Architecture::EncoderDecoder);
  const Context context{model_, sink, overflows};
  const Mask self_mask{rows_ + y0.rows, true, rows_};
  Matrix<std::int8_t> y = y0;
  for (std::size_t index = 0; index < self_.size(); ++index) {
    const std::size_t number = model_.encoder_layers + index;
    const LayerWeights& layer = model_.layers[number];
    const std::string prefix = layer_prefix(number);
    append_keys(context, layer.attention, y, prefix, self_[index]);
    Matrix<std::int8_t> ctx = attend(context, layer.attention, y, self_[index], self_mask, prefix);
    y = post_norm_block(context, y, ctx, layer.attention, layer.norm1, prefix + "attn_acc", prefix + "ln1");

    const HeadCaches& cross = cross_[index];
    if (rows_ == 0) {
      for (const char* name : {"xk", "xv"}) {
        Tensor stack(Dtype::I8, {cross.size(), cross[0].k.rows, model_.dk()});
        for (std::size_t h = 0; h < cross.size(); ++h) {
          const std::vector<std::int8_t>& slice = name[1] == 'k' ? cross[h].k.data : cross[h].v.data;
          std::copy(slice.begin(), slice.end(), stack.as<std::int8_t>() + h * slice.size());
        }
        sink(prefix + name, std::move(stack));
      }
    }
    ctx =
        attend(context, *layer.cross, y, cross, Mask{valid_, false, 0}, prefix + "x");
    y = post_norm_block(context, y, ctx, *layer.cross, layer.norm_cross, prefix + "xattn_acc", prefix + "lnx");
    y = post_norm_feed_forward(context, layer, y, prefix);
  }
  rows_ += y0.rows;
  return y;
}

Matrix<std::int8_t> encode(const QuantisedModel& model, const TensorMap& inputs, OverflowCounters& overflows) {
  const BoundarySink ignore = [](const std::string&, Tensor) {};
  const Context context{model, ignore, overflows};
  const Matrix<std::int8_t> x0 = encoder_input(context, inputs);
  const std::size_t layers = model.architecture == Architecture::EncoderDecoder ? model.encoder_layers : model.layers.size();
  return encode(context, x0, layers, valid_keys(model, inputs, x0.rows));
}

Matrix<std::int8_t> decoder_input(const QuantisedModel& model, const TensorMap& inputs, OverflowCounters& overflows) {
  const BoundarySink ignore = [](const std::string&, Tensor) {};
  return target_input({model, ignore, overflows}, inputs);
}

Matrix<std::int32_t> language_logits(const QuantisedModel& model, const Matrix<std::int8_t>& x, OverflowCounters& overflows) {
  SYSTOLE_CHECK(model.language_head.has_value());
  const BoundarySink ignore = [](const std::string&, Tensor) {};
  const std::optional<HeadTransform>& transform = model.language_head->transform;
  return word_logits(*model.language_head, transform ? head_transform({model, ignore, overflows}, *transform, x) : x);
}

std::int32_t argmax(const std::int32_t* logits, std::size_t count) {
  return static_cast<std::int32_t>(std::max_element(logits, logits + count) - logits);
}

}  // namespace systole::workloads::reference
