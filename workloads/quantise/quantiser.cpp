#include "workloads/quantise/quantiser.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "workloads/quantise/calibration.h"
#include "workloads/quantise/layer_quantiser.h"
#include "workloads/quantise/parallel.h"
#include "workloads/reference/float_model.h"

namespace systole::workloads {
namespace {

constexpr double kEmbeddingUnits = 16777216.0;  // 2^24: as fine as fp32, with 7 bits of headroom in int32

// Leaves the sizes.
void drop_values(Matrix<std::int8_t>& weights) { weights.data = std::vector<std::int8_t>(); }

// Calibration sequences of one side of a model on their way through its layers.
class Calibration {
 public:
  Calibration(const WeightSource& source, Side side, std::size_t rows, std::uint64_t stream,
              const QuantiseOptions& options)
      : config_(source.config()), options_(options) {
    for (std::size_t i = 0; i < options.calibration_sequences; ++i) {
      const auto tokens = random_tokens(config_, rows, options.seed, stream + i);
      x_.push_back(source.embed(side, tokens, 0));
    }
  }

  [[nodiscard]] const std::vector<Matrix<float>>& sequences() const { return x_; }
  [[nodiscard]] double largest() const {
    double result = 0;
    for (const Matrix<float>& x : x_) {
      result = std::max(result, reference::largest_magnitude(x.data));
    }
    return result;
  }
  // Replaces all sequences by their LayerNorm.
  NormRange normalise(const FloatNorm& norm) {
    NormRange range;
    for (Matrix<float>& x : x_) {
      Matrix<float> y = reference::float_norm(x, &norm, config_.norm_epsilon);
      const NormRange one = norm_range(x, y, options_.norm_form, config_.norm_epsilon);
      range.deviation = std::max(range.deviation, one.deviation);
      range.output = std::max(range.output, one.output);
      x = std::move(y);
    }
    return range;
  }
  // Takes all sequences through one layer.
  LayerRanges run(std::size_t index, const FloatLayer& weights, std::size_t valid, const Calibration* encoder) {
    std::vector<LayerRanges> ranges(x_.size());
    parallel_for(options_.threads, x_.size(), [&](std::size_t i) {
      const Matrix<float>* encoded = encoder == nullptr ? nullptr : &encoder->x_[i];
      const reference::LayerTrace trace =
          reference::float_layer(config_, weights, x_[i], {index, valid, encoded});
      ranges[i] = ranges_of(config_, x_[i], trace, options_.norm_form);
      x_[i] = reference::output_of(config_, trace);
    });
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      ranges[0].merge(ranges[i]);
    }
    return ranges[0];
  }

 private:
  const ModelConfig& config_;
  const QuantiseOptions& options_;
  std::vector<Matrix<float>> x_;
};

class ModelQuantiser {
 public:
  ModelQuantiser(const WeightSource& source, const QuantiseOptions& options)
      : source_(source),
        config_(source.config()),
        options_(options),
        max_keys_(options.max_keys == 0 ? config_.max_positions : options.max_keys),
        wide_(options.wide_variance.value_or(config_.architecture == Architecture::Gpt2)),
        layer_(config_, options, wide_, max_keys_) {}

  QuantisedModel run() {
    set_sizes();
    switch (config_.architecture) {
      case Architecture::Bert:
        (void)encoder();
        break;
      case Architecture::Gpt2:
        gpt2();
        break;
      case Architecture::EncoderDecoder:
        encoder_decoder();
        break;
      case Architecture::CrossAttention:
        throw ConfigError("a single cross attention is not a model that can be quantised");
    }
    return std::move(model_);
  }

 private:
  struct Encoded {
    Calibration calibration;
    Int8Stream stream;
  };

  void set_sizes();
  Int8Stream embedding(Calibration& calibration, Side side, const std::string& name,
                       std::optional<EmbeddingConstants>& constants);
  Encoded encoder();
  void gpt2();
  void encoder_decoder();
  // `outputs`: calibration sequences behind the last LayerNorm.
  void finish(const Int8Stream& last, const Calibration& outputs);
  void add(LayerWeights layer);
  [[nodiscard]] std::size_t layers_of(std::size_t all) const {
    return options_.layers == 0 ? all : std::min(all, options_.layers);
  }

  const WeightSource& source_;
  const ModelConfig& config_;
  const QuantiseOptions& options_;
  std::size_t max_keys_;
  bool wide_;
  LayerQuantiser layer_;
  QuantisedModel model_;
};

void ModelQuantiser::set_sizes() {
  if (options_.sequence == 0 || options_.sequence > max_keys_ || options_.queries > max_keys_) {
    throw ConfigError(fmt::format("a sequence of {} rows does not fit a model for 1..{} keys",
                                  std::max(options_.sequence, options_.queries), max_keys_));
  }
  if (options_.calibration_sequences == 0) {
    throw ConfigError("calibration needs at least one sequence");
  }
  const bool two_sided = config_.architecture == Architecture::EncoderDecoder;
  const std::size_t decoded = two_sided && options_.queries != 0 ? options_.queries : options_.sequence;
  if (options_.valid > options_.sequence || options_.prefill > decoded) {
    throw ConfigError(fmt::format("valid ({}) and prefill ({}) may not exceed the sequence ({})", options_.valid,
                                  options_.prefill, options_.valid > options_.sequence ? options_.sequence : decoded));
  }
  model_.architecture = config_.architecture;
  model_.norm_form = options_.norm_form;
  model_.probability_form = options_.probability_form;
  model_.activation = config_.activation == FloatActivation::Relu ? Activation::Relu : Activation::Gelu;
  model_.wide_variance = wide_;
  model_.d = config_.d;
  model_.f = config_.f;
  model_.heads = config_.heads;
  model_.sequence = options_.sequence;
  model_.valid = options_.valid == 0 ? options_.sequence : options_.valid;
  model_.prefill = options_.prefill == 0 ? decoded : options_.prefill;
  if (config_.architecture == Architecture::EncoderDecoder) {
    model_.queries = options_.queries == 0 ? options_.sequence : options_.queries;
    model_.keys = options_.sequence;
    model_.encoder_layers = layers_of(config_.layers);
  }
  model_.notes["model"] = config_.name;
  model_.notes["pad"] = std::to_string(config_.pad_token);
  if (config_.start_token) {
    model_.notes["start"] = std::to_string(*config_.start_token);
  }
  model_.notes["lmax"] = std::to_string(max_keys_);
  model_.notes["seed"] = std::to_string(options_.seed);
}

Int8Stream ModelQuantiser::embedding(Calibration& calibration, Side side, const std::string& name,
                                     std::optional<EmbeddingConstants>& constants) {
  const double largest = calibration.largest();
  if (!std::isfinite(largest) || largest == 0) {
    throw ConfigError(fmt::format("cannot quantise '{}': embeddings are up to {}", name, largest));
  }
  Int8Stream x;
  constants.emplace();
  if (!config_.embedding_norm) {
    x.scale = largest / 127.0;
    constants->scale = x.scale;
    return x;
  }
  constants->scale = largest / kEmbeddingUnits;
  const FloatNorm norm = source_.embedding_norm(side);
  const NormRange range = calibration.normalise(norm);
  constants->norm = layer_.norm(name, norm, constants->scale, range, x);
  return x;
}

ModelQuantiser::Encoded ModelQuantiser::encoder() {
  Encoded encoded{Calibration(source_, Side::Encoder, model_.sequence, 0, options_), {}};
  encoded.stream = embedding(encoded.calibration, Side::Encoder, "emb", model_.embedding);
  for (std::size_t index = 0; index < layers_of(config_.layers); ++index) {
    const FloatLayer weights = source_.layer(index);
    const LayerRanges ranges = encoded.calibration.run(index, weights, model_.valid, nullptr);
    add(layer_.post_norm(index, weights, ranges, encoded.stream, nullptr));
  }
  if (config_.architecture == Architecture::Bert) {
    finish(encoded.stream, encoded.calibration);
  }
  return encoded;
}

void ModelQuantiser::encoder_decoder() {
  const Encoded encoded = encoder();
  // Other tokens than the encoder's: their streams follow the encoder's.
  Calibration calibration(source_, Side::Decoder, model_.queries, options_.calibration_sequences, options_);
  Int8Stream y = embedding(calibration, Side::Decoder, "demb", model_.decoder_embedding);
  for (std::size_t index = 0; index < layers_of(config_.decoder_layers); ++index) {
    const FloatLayer weights = source_.layer(config_.layers + index);
    const LayerRanges ranges = calibration.run(index, weights, model_.valid, &encoded.calibration);
    add(layer_.post_norm(model_.layers.size(), weights, ranges, y, &encoded.stream));
  }
  finish(y, calibration);
}

void ModelQuantiser::gpt2() {
  Calibration calibration(source_, Side::Decoder, model_.sequence, 0, options_);
  double range = calibration.largest();
  if (!std::isfinite(range) || range == 0) {
    throw ConfigError(fmt::format("cannot quantise 'S0': embeddings are up to {}", range));
  }
  double scale = range / kEmbeddingUnits;
  model_.embedding = EmbeddingConstants{scale, {}};
  for (std::size_t index = 0; index < layers_of(config_.layers); ++index) {
    const FloatLayer weights = source_.layer(index);
    const LayerRanges ranges = calibration.run(index, weights, model_.sequence, nullptr);
    add(layer_.pre_norm(index, weights, ranges, scale, range));
    range = ranges.ffn_sum;
  }
  const FloatNorm norm = source_.final_norm();
  Int8Stream last;
  model_.final_norm = layer_.norm("nf", norm, scale, calibration.normalise(norm), last);
  finish(last, calibration);
}

void ModelQuantiser::add(LayerWeights layer) {
  if (!options_.keep_weights) {
    const auto drop_attention = [](AttentionWeights& attention) {
      for (HeadWeights& head : attention.heads) {
        drop_values(head.wq), drop_values(head.wk), drop_values(head.wv);
      }
      drop_values(attention.wo);
    };
    drop_attention(layer.attention);
    if (layer.cross) {
      drop_attention(*layer.cross);
    }
    drop_values(layer.w1), drop_values(layer.w2);
  }
  model_.layers.push_back(std::move(layer));
}

void ModelQuantiser::finish(const Int8Stream& last, const Calibration& outputs) {
  model_.host_gamma = last.gamma;
  model_.host_beta = last.beta;
  if (options_.language_head) {
    const FloatLanguageHead head = source_.language_head();
    HeadRanges ranges;
    if (head.transform) {
      for (const Matrix<float>& x : outputs.sequences()) {
        merge_head_ranges(config_, *head.transform, x, options_.norm_form, ranges);
      }
    }
    model_.language_head = layer_.language_head(head, ranges, last);
    if (!options_.keep_weights) {
      drop_values(model_.language_head->w);
    }
  }
}

}  // namespace

QuantisedModel quantise(const WeightSource& source, const QuantiseOptions& options) {
  return ModelQuantiser(source, options).run();
}

TensorMap embedded_inputs(const TokenEmbedding& source, const std::vector<std::int32_t>& tokens,
                          const std::vector<std::int32_t>& target) {
  TensorMap inputs;
  switch (source.config().architecture) {
    case Architecture::Bert:
      inputs["in.emb_f32"] = Tensor::from(source.embed(Side::Encoder, tokens, 0));
      break;
    case Architecture::Gpt2:
      inputs["in.h_f32"] = Tensor::from(source.embed(Side::Decoder, tokens, 0));
      break;
    case Architecture::EncoderDecoder:
      inputs["in.emb_f32"] = Tensor::from(source.embed(Side::Encoder, tokens, 0));
      inputs["in.demb_f32"] = Tensor::from(source.embed(Side::Decoder, target, 0));
      break;
    case Architecture::CrossAttention:
      SYSTOLE_CHECK(false);
  }
  return inputs;
}

}  // namespace systole::workloads
