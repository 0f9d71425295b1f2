#include "workloads/quantise/quantised_model.h"

#include <cmath>
#include <set>

#include <fmt/format.h>

#include "workloads/weights/safetensors.h"

namespace systole::workloads {
namespace {

constexpr int kMaxPreShift = 31;            // a 5-bit field of the machine
constexpr std::size_t kMaxSize = 1U << 24;  // of any dimension: keeps products of two far from overflow

[[noreturn]] void fail(const SafetensorsFile& file, const std::string& what) {
  throw ConfigError(fmt::format("{}: {}", file.name(), what));
}

// Access to the metadata of one file.
class Notes {
 public:
  explicit Notes(const SafetensorsFile& file) : file_(file), unread_(file.metadata()) {}

  [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise) {
    const auto found = unread_.find(key);
    if (found == unread_.end()) {
      return otherwise;
    }
    const std::string value = found->second;
    unread_.erase(found);
    return value;
  }
  [[nodiscard]] std::size_t size(const std::string& key) {
    const std::string value = text(key, "");
    if (value.empty()) {
      fail(file_, fmt::format("metadata '{}' is missing", key));
    }
    return parse(key, value);
  }
  [[nodiscard]] std::size_t size(const std::string& key, std::size_t otherwise) {
    const std::string value = text(key, "");
    return value.empty() ? otherwise : parse(key, value);
  }
  template <typename Enum>
  [[nodiscard]] Enum choice(const std::string& key, std::initializer_list<Enum> choices, const std::string& otherwise) {
    const std::string value = text(key, otherwise);
    std::vector<std::string> names;
    for (const Enum candidate : choices) {
      if (value == name_of(candidate)) {
        return candidate;
      }
      names.emplace_back(name_of(candidate));
    }
    fail(file_, fmt::format("metadata '{}' is '{}' (nearest: '{}')", key, value, nearest(value, names)));
  }
  [[nodiscard]] const Metadata& unread() const { return unread_; }

 private:
  std::size_t parse(const std::string& key, const std::string& value) const {
    std::size_t result = 0;
    for (const char c : value) {
      if (c < '0' || c > '9' || result > kMaxSize) {
        fail(file_, fmt::format("metadata '{}' is '{}', needed is an integer up to {}", key, value, kMaxSize));
      }
      result = result * 10 + static_cast<std::size_t>(c - '0');
    }
    if (result > kMaxSize) {
      fail(file_, fmt::format("metadata '{}' is '{}', needed is an integer up to {}", key, value, kMaxSize));
    }
    return result;
  }

  const SafetensorsFile& file_;
  Metadata unread_;
};

// Reads parameters below a name prefix.
class Reader {
 public:
  explicit Reader(const SafetensorsFile& file) : file_(file) {}

  [[nodiscard]] Matrix<std::int8_t> weights(const std::string& name, std::size_t rows, std::size_t cols) const {
    Matrix<std::int8_t> matrix;
    matrix.rows = rows;
    matrix.cols = cols;
    matrix.data = file_.read_as<std::int8_t>(name, {rows, cols});
    return matrix;
  }
  [[nodiscard]] std::vector<std::int32_t> integers(const std::string& name, std::size_t count) const {
    return file_.read_as<std::int32_t>(name, {count});
  }
  [[nodiscard]] std::vector<float> scales(const std::string& name, std::size_t count) const {
    std::vector<float> values = file_.read_as<float>(name, {count});
    for (const float value : values) {
      if (!std::isfinite(value)) {
        fail(file_, fmt::format("tensor '{}' holds a value that is not finite", name));
      }
    }
    return values;
  }
  // A factor of the machine: 0 would erase everything and all ones means "keep the old scale" in its configuration.
  [[nodiscard]] float scale(const std::string& name) const {
    const float value = scales(name, 1)[0];
    if (value == 0) {
      fail(file_, fmt::format("tensor '{}' is 0, needed is a scale", name));
    }
    return value;
  }
  [[nodiscard]] double information(const std::string& name) const {
    return file_.contains(name) ? file_.read_as<double>(name, {1})[0] : 0.0;
  }
  [[nodiscard]] double positive_scale(const std::string& name) const {
    const double value = file_.read_as<double>(name, {1})[0];
    if (!std::isfinite(value) || value <= 0) {
      fail(file_, fmt::format("tensor '{}' is not a positive scale", name));
    }
    return value;
  }
  [[nodiscard]] int pre_shift(const std::string& name, std::int32_t value) const {
    if (value < 0 || value > kMaxPreShift) {
      fail(file_, fmt::format("tensor '{}': pre-shift {} is not in 0..{}", name, value, kMaxPreShift));
    }
    return value;
  }
  [[nodiscard]] NormConstants norm(const std::string& prefix, std::size_t d) const {
    NormConstants norm;
    norm.pre_shift = pre_shift(prefix + "sh", integers(prefix + "sh", 1)[0]);
    norm.scale = scale(prefix + "a");
    norm.gamma = scales(prefix + "g", d);
    norm.beta = scales(prefix + "b", d);
    return norm;
  }
  [[nodiscard]] Residual residual(const std::string& name, std::size_t d) const {
    Residual residual;
    if (file_.view(name).dtype == name_of(Dtype::I32)) {
      residual.diagonal = integers(name, d);
    } else {
      residual.scale = scale(name);
    }
    return residual;
  }
  [[nodiscard]] ActivationConstants activation(const std::string& prefix) const {
    const std::vector<std::int32_t> c = integers(prefix + ".c", 3);
    return {pre_shift(prefix + ".c", c[0]), c[1], c[2], scale(prefix + ".a"), information(prefix + ".S"),
            information(prefix + ".Sg")};
  }
  [[nodiscard]] HeadWeights head(const std::string& prefix, const QuantisedModel& model) const;
  [[nodiscard]] AttentionWeights attention(const std::string& layer, const std::string& kind, const char* suffix,
                                           const QuantisedModel& model) const;
  [[nodiscard]] LayerWeights layer(std::size_t index, const QuantisedModel& model) const;
  [[nodiscard]] EmbeddingConstants embedding(const std::string& prefix, std::size_t d) const {
    EmbeddingConstants constants;
    constants.scale = positive_scale(prefix + "S");
    if (file_.contains(prefix + "a")) {
      constants.norm = norm(prefix, d);
    }
    return constants;
  }

 private:
  const SafetensorsFile& file_;
};

HeadWeights Reader::head(const std::string& prefix, const QuantisedModel& model) const {
  const std::size_t dk = model.dk();
  HeadWeights head;
  head.wq = weights(prefix + "Wq", model.d, dk);
  head.wk = weights(prefix + "Wk", model.d, dk);
  head.wv = weights(prefix + "Wv", model.d, dk);
  head.bq = integers(prefix + "bq", dk);
  head.bk = integers(prefix + "bk", dk);
  head.bv = integers(prefix + "bv", dk);
  head.aq = scale(prefix + "aq");
  head.ak = scale(prefix + "ak");
  head.av = scale(prefix + "av");
  head.context_scale = scale(prefix + "ac");
  head.probability_scale = scale(prefix + (model.probability_form == ProbabilityForm::Deferred ? "ae" : "ap"));
  const std::vector<std::int32_t> c = integers(prefix + "c", 4);
  head.exp = {c[0], c[1], c[2], c[3]};
  head.pre_shift = pre_shift(prefix + "sh", integers(prefix + "sh", 1)[0]);
  // Beyond these the mask of the attention would not fit int32.
  if (head.exp.qln2 < 1 || static_cast<std::int64_t>(head.exp.qln2) << head.pre_shift > (std::int64_t{1} << 24)) {
    fail(file_,
         fmt::format("tensor '{}c': qln2 = {} with a pre-shift of {} is out of range", prefix, c[2], head.pre_shift));
  }
  head.sq = information(prefix + "Sq");
  head.sk = information(prefix + "Sk");
  head.sv = information(prefix + "Sv");
  head.score_scale = information(prefix + "S");
  head.p_scale = information(prefix + "Sp");
  return head;
}

AttentionWeights Reader::attention(const std::string& layer, const std::string& kind, const char* suffix,
                                   const QuantisedModel& model) const {
  AttentionWeights attention;
  for (std::size_t h = 0; h < model.heads; ++h) {
    attention.heads.push_back(head(fmt::format("{}{}.{}.", layer, kind, h), model));
  }
  attention.ctx_scale = information(layer + kind + ".Sctx");
  if (model.architecture == Architecture::CrossAttention) {
    return attention;
  }
  attention.wo = weights(layer + "W" + suffix, model.d, model.d);
  attention.bo = integers(layer + "b" + suffix, model.d);
  attention.residual = residual(layer + "r" + suffix, model.d);
  attention.out_scale = information(layer + "S" + suffix);
  return attention;
}

LayerWeights Reader::layer(std::size_t index, const QuantisedModel& model) const {
  const std::string prefix = fmt::format("q.{}.", index);
  const bool decodes = model.architecture == Architecture::EncoderDecoder && index >= model.encoder_layers;
  LayerWeights layer;
  layer.attention = attention(prefix, "at", "o", model);
  layer.norm1 = norm(prefix + "n1.", model.d);
  if (decodes) {
    layer.cross = attention(prefix, "xa", "x", model);
    layer.norm_cross = norm(prefix + "nx.", model.d);
  }
  layer.norm2 = norm(prefix + "n2.", model.d);
  layer.w1 = weights(prefix + "W1", model.d, model.f);
  layer.w2 = weights(prefix + "W2", model.f, model.d);
  layer.b1 = integers(prefix + "b1", model.f);
  layer.b2 = integers(prefix + "b2", model.d);
  layer.activation = activation(prefix + "ge");
  layer.ffn_residual = residual(prefix + "r2", model.d);
  layer.out_scale = information(prefix + (model.architecture == Architecture::Gpt2 ? "Sh" : "S2"));
  if (model.architecture == Architecture::Gpt2 &&
      !(layer.attention.residual.diagonal.empty() && layer.ffn_residual.diagonal.empty())) {
    fail(file_, fmt::format("tensor '{}ro' or '{}r2' is int32: the residual of gpt2 is itself int32 and needs a scale",
                            prefix, prefix));
  }
  return layer;
}

void read_sizes(const SafetensorsFile& file, Notes& notes, QuantisedModel& model) {
  model.architecture = notes.choice(
      "arch", {Architecture::Bert, Architecture::Gpt2, Architecture::CrossAttention, Architecture::EncoderDecoder},
      "bert");
  model.norm_form = notes.choice("ln", {NormForm::Affine, NormForm::Fold}, "affine");
  model.probability_form =
      notes.choice("p", {ProbabilityForm::Deferred, ProbabilityForm::Calibrated, ProbabilityForm::Fixed127}, "defer");
  model.activation = notes.choice("act", {Activation::Gelu, Activation::Relu}, "gelu");
  model.wide_variance = notes.size("wide", 0) != 0;
  model.d = notes.size("d");
  model.heads = notes.size("heads");
  if (model.heads == 0 || model.d == 0 || model.d % model.heads != 0) {
    fail(file, fmt::format("metadata 'd' = {} is not a multiple of 'heads' = {}", model.d, model.heads));
  }
  if (model.architecture == Architecture::CrossAttention) {
    model.queries = notes.size("lq");
    model.keys = notes.size("lk");
    return;
  }
  model.sequence = notes.size("l");
  model.valid = notes.size("valid", model.sequence);
  const bool two_sided = model.architecture == Architecture::EncoderDecoder;
  const std::size_t decoded = two_sided ? notes.size("lq") : model.sequence;
  model.prefill = notes.size("prefill", decoded);
  if (model.valid == 0 || model.valid > model.sequence) {
    fail(file, fmt::format("metadata 'valid' = {} is not in 1..{}", model.valid, model.sequence));
  }
  if (model.prefill == 0 || model.prefill > decoded) {
    fail(file, fmt::format("metadata 'prefill' = {} is not in 1..{}", model.prefill, decoded));
  }
  if (two_sided) {
    model.queries = decoded;
    model.keys = notes.size("lk", model.sequence);
    if (model.keys != model.sequence) {
      fail(file, fmt::format("metadata 'lk' = {} differs from the encoder's 'l' = {}", model.keys, model.sequence));
    }
  }
}

// The feed-forward width of files that do not state it.
std::size_t feed_forward_width(const SafetensorsFile& file) {
  const Shape& shape = file.view("q.0.W1").shape;
  if (shape.size() != 2 || shape[1] == 0 || shape[1] > kMaxSize) {
    fail(file, fmt::format("tensor 'q.0.W1' has shape {}, needed is [d, f]", to_string(shape)));
  }
  return shape[1];
}

QuantisedModel read_model(const SafetensorsFile& file) {
  if (file.metadata().count("d") == 0) {
    fail(file, "holds no quantised model (no metadata 'd'); `systole quantize` makes one of a checkpoint");
  }
  QuantisedModel model;
  Notes notes(file);
  read_sizes(file, notes, model);
  const Reader reader(file);
  if (model.architecture == Architecture::CrossAttention) {
    LayerWeights layer;
    layer.attention = reader.attention("q.", "at", "", model);
    model.layers.push_back(std::move(layer));
    model.notes = notes.unread();
    return model;
  }
  const std::size_t layers = notes.size("layers");
  if (layers == 0) {
    fail(file, "metadata 'layers' is 0");
  }
  model.f = notes.size("f", 0);
  if (model.f == 0) {
    model.f = feed_forward_width(file);
  }
  model.encoder_layers = model.architecture == Architecture::EncoderDecoder ? notes.size("encoder_layers") : 0;
  if (model.encoder_layers > layers) {
    fail(file, fmt::format("metadata 'encoder_layers' = {} exceeds 'layers' = {}", model.encoder_layers, layers));
  }
  for (std::size_t index = 0; index < layers; ++index) {
    model.layers.push_back(reader.layer(index, model));
  }
  if (file.contains("emb.S")) {
    model.embedding = reader.embedding("emb.", model.d);
  }
  if (file.contains("demb.S")) {
    model.decoder_embedding = reader.embedding("demb.", model.d);
  }
  if (model.architecture == Architecture::Gpt2) {
    if (file.contains("S0")) {
      model.embedding = EmbeddingConstants{reader.positive_scale("S0"), {}};
    }
    model.final_norm = reader.norm("nf.", model.d);
  }
  if (file.contains("lm.W")) {
    const Shape& shape = file.view("lm.W").shape;
    LanguageHead head;
    head.w = reader.weights("lm.W", model.d, shape.size() == 2 ? shape[1] : 0);
    head.w_scale = reader.positive_scale("lm.Sw");
    head.x_scale = reader.information("lm.Sx");
    if (file.contains("mlm.W")) {
      HeadTransform transform;
      transform.w = reader.weights("mlm.W", model.d, model.d);
      transform.b = reader.integers("mlm.b", model.d);
      transform.activation = reader.activation("mlm.ge");
      transform.spread = reader.scale("mlm.r");
      transform.norm = reader.norm("mlm.n.", model.d);
      head.transform = std::move(transform);
    }
    if (file.contains("lm.b")) {
      head.b = reader.integers("lm.b", head.w.cols);
    }
    model.language_head = std::move(head);
  }
  if (file.contains("host.g")) {
    model.host_gamma = reader.scales("host.g", model.d);
    model.host_beta = reader.scales("host.b", model.d);
  }
  model.notes = notes.unread();
  return model;
}

// Collects the tensors of a model under their names.
class Writer {
 public:
  explicit Writer(TensorMap& tensors) : tensors_(tensors) {}

  void put(const std::string& name, Tensor tensor) { tensors_.insert_or_assign(name, std::move(tensor)); }
  void put(const std::string& name, float value) { put(name, Tensor::from(&value, {1})); }
  void put(const std::string& name, double value) { put(name, Tensor::from(&value, {1})); }
  void put(const std::string& name, std::int32_t value) { put(name, Tensor::from(&value, {1})); }
  void put(const std::string& prefix, const NormConstants& norm) {
    put(prefix + "sh", norm.pre_shift);
    put(prefix + "a", norm.scale);
    put(prefix + "g", Tensor::from(norm.gamma));
    put(prefix + "b", Tensor::from(norm.beta));
  }
  void put(const std::string& name, const Residual& residual) {
    if (residual.diagonal.empty()) {
      put(name, residual.scale);
    } else {
      put(name, Tensor::from(residual.diagonal));
    }
  }
  void put(const std::string& prefix, const ActivationConstants& activation) {
    const std::int32_t c[3] = {activation.pre_shift, activation.qb, activation.qc};
    put(prefix + ".c", Tensor::from(c, {3}));
    put(prefix + ".a", activation.scale);
    put(prefix + ".S", activation.in_scale);
    put(prefix + ".Sg", activation.out_scale);
  }
  void put(const std::string& prefix, const EmbeddingConstants& embedding) {
    put(prefix + "S", embedding.scale);
    if (embedding.norm) {
      put(prefix, *embedding.norm);
    }
  }
  void put(const std::string& prefix, const HeadWeights& head, ProbabilityForm form);
  void put(const std::string& layer, const std::string& kind, const std::string& suffix,
           const AttentionWeights& attention, ProbabilityForm form);
  void put(const std::string& prefix, const LayerWeights& layer, const QuantisedModel& model);

 private:
  TensorMap& tensors_;
};

void Writer::put(const std::string& prefix, const HeadWeights& head, ProbabilityForm form) {
  put(prefix + "Wq", Tensor::from(head.wq));
  put(prefix + "Wk", Tensor::from(head.wk));
  put(prefix + "Wv", Tensor::from(head.wv));
  put(prefix + "bq", Tensor::from(head.bq));
  put(prefix + "bk", Tensor::from(head.bk));
  put(prefix + "bv", Tensor::from(head.bv));
  put(prefix + "aq", head.aq);
  put(prefix + "ak", head.ak);
  put(prefix + "av", head.av);
  put(prefix + "ac", head.context_scale);
  put(prefix + (form == ProbabilityForm::Deferred ? "ae" : "ap"), head.probability_scale);
  const std::int32_t c[4] = {head.exp.qb, head.exp.qc, head.exp.qln2, head.exp.qln2_inv};
  put(prefix + "c", Tensor::from(c, {4}));
  put(prefix + "sh", head.pre_shift);
  put(prefix + "Sq", head.sq);
  put(prefix + "Sk", head.sk);
  put(prefix + "Sv", head.sv);
  put(prefix + "S", head.score_scale);
  put(prefix + "Sp", head.p_scale);
}

void Writer::put(const std::string& layer, const std::string& kind, const std::string& suffix,
                 const AttentionWeights& attention, ProbabilityForm form) {
  for (std::size_t h = 0; h < attention.heads.size(); ++h) {
    put(fmt::format("{}{}.{}.", layer, kind, h), attention.heads[h], form);
  }
  put(layer + kind + ".Sctx", attention.ctx_scale);
  if (attention.wo.empty()) {
    return;
  }
  put(layer + "W" + suffix, Tensor::from(attention.wo));
  put(layer + "b" + suffix, Tensor::from(attention.bo));
  put(layer + "r" + suffix, attention.residual);
  put(layer + "S" + suffix, attention.out_scale);
}

void Writer::put(const std::string& prefix, const LayerWeights& layer, const QuantisedModel& model) {
  put(prefix, "at", "o", layer.attention, model.probability_form);
  put(prefix + "n1.", layer.norm1);
  if (layer.cross) {
    put(prefix, "xa", "x", *layer.cross, model.probability_form);
    put(prefix + "nx.", layer.norm_cross);
  }
  put(prefix + "n2.", layer.norm2);
  put(prefix + "W1", Tensor::from(layer.w1));
  put(prefix + "W2", Tensor::from(layer.w2));
  put(prefix + "b1", Tensor::from(layer.b1));
  put(prefix + "b2", Tensor::from(layer.b2));
  put(prefix + "ge", layer.activation);
  put(prefix + "r2", layer.ffn_residual);
  put(prefix + (model.architecture == Architecture::Gpt2 ? "Sh" : "S2"), layer.out_scale);
}

Metadata metadata_of(const QuantisedModel& model) {
  Metadata notes = model.notes;
  notes["arch"] = name_of(model.architecture);
  notes["p"] = name_of(model.probability_form);
  notes["d"] = std::to_string(model.d);
  notes["heads"] = std::to_string(model.heads);
  if (model.architecture == Architecture::CrossAttention) {
    notes["lq"] = std::to_string(model.queries);
    notes["lk"] = std::to_string(model.keys);
    return notes;
  }
  notes["ln"] = name_of(model.norm_form);
  notes["act"] = name_of(model.activation);
  notes["wide"] = model.wide_variance ? "1" : "0";
  notes["layers"] = std::to_string(model.layers.size());
  notes["f"] = std::to_string(model.f);
  notes["l"] = std::to_string(model.sequence);
  notes["valid"] = std::to_string(model.valid);
  if (model.architecture == Architecture::Gpt2 || model.architecture == Architecture::EncoderDecoder) {
    notes["prefill"] = std::to_string(model.prefill);
  }
  if (model.architecture == Architecture::EncoderDecoder) {
    notes["encoder_layers"] = std::to_string(model.encoder_layers);
    notes["lq"] = std::to_string(model.queries);
    notes["lk"] = std::to_string(model.keys);
  }
  return notes;
}

}  // namespace

std::int32_t mask_magnitude(std::size_t dk, const HeadWeights& head) {
  // Any two scores of int8 operands are less than 2 * dk * 2^14 apart. The exponential is 0 from 32 halvings on, and
  // since qln2_inv is truncated (by up to 11 % at qln2 = 8192) 48 * qln2 below the maximum is enough; 64 covers the
  // rounding shift.
  constexpr std::int64_t kHalvings = 48;
  constexpr std::int64_t kRounding = 64;
  const std::int64_t spread = 2 * static_cast<std::int64_t>(dk) * (1 << 14);
  const std::int64_t magnitude = spread + ((kHalvings * head.exp.qln2 + kRounding) << head.pre_shift);
  if (magnitude >= std::int64_t{1} << 30) {
    throw ConfigError(fmt::format("a mask of {} leaves no room in int32 (dk = {}, qln2 = {}, pre-shift {})", magnitude,
                                  dk, head.exp.qln2, head.pre_shift));
  }
  return static_cast<std::int32_t>(magnitude);
}

QuantisedModel load_quantised_model(const std::string& path) { return read_model(SafetensorsFile(path)); }

QuantisedFile load_quantised_file(const std::string& path) { return load_quantised_file(SafetensorsFile(path)); }

QuantisedFile load_quantised_file(const SafetensorsFile& file) {
  QuantisedFile loaded;
  loaded.model = read_model(file);
  for (const auto& entry : file.tensors()) {
    for (const char* prefix : {"act.", "in.", "out.", "float."}) {
      if (entry.first.rfind(prefix, 0) == 0) {
        loaded.vectors.emplace(entry.first, file.read(entry.first));
      }
    }
  }
  return loaded;
}

void save_quantised_model(const std::string& path, const QuantisedModel& model, TensorMap vectors) {
  TensorMap& tensors = vectors;
  Writer writer(tensors);
  if (model.architecture == Architecture::CrossAttention) {
    writer.put("q.", "at", "", model.layers.at(0).attention, model.probability_form);
    write_safetensors(path, tensors, metadata_of(model));
    return;
  }
  for (std::size_t index = 0; index < model.layers.size(); ++index) {
    writer.put(fmt::format("q.{}.", index), model.layers[index], model);
  }
  if (model.embedding && model.architecture == Architecture::Gpt2) {
    writer.put("S0", model.embedding->scale);
  } else if (model.embedding) {
    writer.put("emb.", *model.embedding);
  }
  if (model.decoder_embedding) {
    writer.put("demb.", *model.decoder_embedding);
  }
  if (model.final_norm) {
    writer.put("nf.", *model.final_norm);
  }
  if (model.language_head) {
    writer.put("lm.W", Tensor::from(model.language_head->w));
    writer.put("lm.Sw", model.language_head->w_scale);
    writer.put("lm.Sx", model.language_head->x_scale);
    if (const std::optional<HeadTransform>& transform = model.language_head->transform) {
      writer.put("mlm.W", Tensor::from(transform->w));
      writer.put("mlm.b", Tensor::from(transform->b));
      writer.put("mlm.ge", transform->activation);
      writer.put("mlm.r", transform->spread);
      writer.put("mlm.n.", transform->norm);
    }
    if (!model.language_head->b.empty()) {
      writer.put("lm.b", Tensor::from(model.language_head->b));
    }
  }
  if (!model.host_gamma.empty()) {
    writer.put("host.g", Tensor::from(model.host_gamma));
    writer.put("host.b", Tensor::from(model.host_beta));
  }
  write_safetensors(path, tensors, metadata_of(model));
}

const char* name_of(NormForm form) {
  switch (form) {
    case NormForm::Affine:
      return "affine";
    case NormForm::Fold:
      return "fold";
  }
  SYSTOLE_CHECK(false);
  return "";
}

const char* name_of(ProbabilityForm form) {
  switch (form) {
    case ProbabilityForm::Deferred:
      return "defer";
    case ProbabilityForm::Calibrated:
      return "calib";
    case ProbabilityForm::Fixed127:
      return "127";
  }
  SYSTOLE_CHECK(false);
  return "";
}

}  // namespace systole::workloads
