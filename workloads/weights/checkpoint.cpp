#include "workloads/weights/checkpoint.h"

#include <set>

#include <fmt/format.h>

namespace systole::workloads {
namespace {

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Buffers and heads that a checkpoint may hold beside the weights used here.
bool is_known_extra(const std::string& name) {
  return ends_with(name, "embeddings.position_ids") || ends_with(name, ".attn.bias") ||
         ends_with(name, ".attn.masked_bias") || contains(name, "pooler.") || contains(name, "cls.") ||
         contains(name, "classifier.") || contains(name, "qa_outputs.") || ends_with(name, "lm_head.weight");
}

const std::string& layer_folder(Architecture architecture) {
  static const std::string kBert = "encoder.layer.";
  static const std::string kGpt2 = "h.";
  return architecture == Architecture::Gpt2 ? kGpt2 : kBert;
}

}  // namespace

CheckpointWeights::CheckpointWeights(const std::string& folder)
    : folder_(folder), config_(read_model_config(folder + "/config.json")), file_(folder) {
  switch (config_.architecture) {
    case Architecture::Bert:
      prefix_ = file_.contains("bert.embeddings.word_embeddings.weight") ? "bert." : "";
      break;
    case Architecture::Gpt2:
      prefix_ = file_.contains("transformer.wte.weight") ? "transformer." : "";
      decoder_prefix_ = prefix_;
      break;
    case Architecture::EncoderDecoder:
      prefix_ = file_.contains("encoder.bert.embeddings.word_embeddings.weight") ? "encoder.bert." : "encoder.";
      decoder_prefix_ = file_.contains("decoder.embeddings.word_embeddings.weight") ? "decoder." : "decoder.bert.";
      break;
    case Architecture::CrossAttention:
      SYSTOLE_CHECK(false);
  }
  check_tensors();
}

std::string CheckpointWeights::find(const std::string& name) const {
  if (file_.contains(name)) {
    return name;
  }
  // Checkpoints converted from TensorFlow call LayerNorm's parameters gamma and beta.
  for (const auto& [modern, legacy] :
       {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
    if (ends_with(name, modern)) {
      const std::string old = name.substr(0, name.size() - std::string(modern).size()) + legacy;
      if (file_.contains(old)) {
        return old;
      }
    }
  }
  return name;
}

FloatLinear CheckpointWeights::transposed_linear(const std::string& name, std::size_t in, std::size_t out) const {
  const std::vector<float> stored = file_.read_floats(name + ".weight", {out, in});
  FloatLinear linear{Matrix<float>(in, out), file_.read_floats(name + ".bias", {out})};
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < in; ++i) {
      linear.w.at(i, o) = stored[o * in + i];
    }
  }
  return linear;
}

FloatLinear CheckpointWeights::plain_linear(const std::string& name, std::size_t in, std::size_t out) const {
  FloatLinear linear;
  linear.w.rows = in;
  linear.w.cols = out;
  linear.w.data = file_.read_floats(name + ".weight", {in, out});
  linear.b = file_.read_floats(name + ".bias", {out});
  return linear;
}

FloatNorm CheckpointWeights::norm(const std::string& name) const {
  return {file_.read_floats(find(name + ".weight"), {config_.d}), file_.read_floats(find(name + ".bias"), {config_.d})};
}

FloatLayer CheckpointWeights::bert_layer(const std::string& prefix, bool decodes) const {
  const std::size_t d = config_.d;
  const auto attention = [&](const std::string& name) {
    return FloatAttention{transposed_linear(name + ".self.query", d, d), transposed_linear(name + ".self.key", d, d),
                          transposed_linear(name + ".self.value", d, d),
                          transposed_linear(name + ".output.dense", d, d)};
  };
  FloatLayer layer;
  layer.attention = attention(prefix + "attention");
  layer.norm1 = norm(prefix + "attention.output.LayerNorm");
  if (decodes) {
    layer.cross = attention(prefix + "crossattention");
    layer.norm_cross = norm(prefix + "crossattention.output.LayerNorm");
  }
  layer.up = transposed_linear(prefix + "intermediate.dense", d, config_.f);
  layer.down = transposed_linear(prefix + "output.dense", config_.f, d);
  layer.norm2 = norm(prefix + "output.LayerNorm");
  return layer;
}

FloatLayer CheckpointWeights::gpt2_layer(const std::string& prefix) const {
  const std::size_t d = config_.d;
  const FloatLinear fused = plain_linear(prefix + "attn.c_attn", d, 3 * d);
  // Columns are [q | k | v], each grouped by head.
  const auto part = [&](std::size_t index) {
    FloatLinear linear{Matrix<float>(d, d), {}};
    for (std::size_t r = 0; r < d; ++r) {
      std::copy(fused.w.row(r) + index * d, fused.w.row(r) + (index + 1) * d, linear.w.row(r));
    }
    linear.b.assign(fused.b.begin() + static_cast<std::ptrdiff_t>(index * d),
                    fused.b.begin() + static_cast<std::ptrdiff_t>((index + 1) * d));
    return linear;
  };
  FloatLayer layer;
  layer.norm1 = norm(prefix + "ln_1");
  layer.attention = {part(0), part(1), part(2), plain_linear(prefix + "attn.c_proj", d, d)};
  layer.norm2 = norm(prefix + "ln_2");
  layer.up = plain_linear(prefix + "mlp.c_fc", d, config_.f);
  layer.down = plain_linear(prefix + "mlp.c_proj", config_.f, d);
  return layer;
}

FloatLayer CheckpointWeights::layer(std::size_t index) const {
  SYSTOLE_CHECK(index < config_.all_layers());
  if (config_.architecture == Architecture::Gpt2) {
    return gpt2_layer(fmt::format("{}h.{}.", prefix_, index));
  }
  const bool decodes = index >= config_.layers;
  return bert_layer(
      fmt::format("{}encoder.layer.{}.", decodes ? decoder_prefix_ : prefix_, decodes ? index - config_.layers : index),
      decodes);
}

Matrix<float> CheckpointWeights::embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const {
  check_tokens(config_, tokens, first);
  const bool gpt2 = config_.architecture == Architecture::Gpt2;
  const std::string& prefix = side_prefix(side);
  const std::string words = prefix + (gpt2 ? "wte.weight" : "embeddings.word_embeddings.weight");
  const std::string positions = prefix + (gpt2 ? "wpe.weight" : "embeddings.position_embeddings.weight");
  const std::string types = prefix + "embeddings.token_type_embeddings.weight";
  const std::size_t d = config_.d;
  Matrix<float> rows(tokens.size(), d);
  std::vector<float> extra(d);
  const auto add = [&](float* row, const std::string& name, std::size_t count, std::size_t index) {
    file_.read_float_row(name, {count, d}, index, extra.data());
    for (std::size_t c = 0; c < d; ++c) {
      row[c] += extra[c];
    }
  };
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    float* row = rows.row(r);
    file_.read_float_row(words, {config_.vocabulary, d}, static_cast<std::size_t>(tokens[r]), row);
    if (!gpt2) {
      add(row, types, config_.type_vocabulary, 0);
    }
    add(row, positions, config_.max_positions, first + r);
  }
  return rows;
}

FloatNorm CheckpointWeights::embedding_norm(Side side) const {
  return norm(side_prefix(side) + "embeddings.LayerNorm");
}

FloatNorm CheckpointWeights::final_norm() const { return norm(prefix_ + "ln_f"); }

std::string CheckpointWeights::head_prefix() const {
  return config_.architecture == Architecture::EncoderDecoder ? "decoder.cls.predictions." : "cls.predictions.";
}

bool CheckpointWeights::has_language_head() const {
  return config_.architecture == Architecture::Gpt2 || file_.contains(head_prefix() + "transform.dense.weight");
}

FloatLanguageHead CheckpointWeights::language_head() const {
  const std::size_t d = config_.d;
  const std::size_t vocabulary = config_.vocabulary;
  FloatLanguageHead head;
  std::string name;
  if (config_.architecture == Architecture::Gpt2) {
    // Usually tied to the word embeddings and then absent.
    name = file_.contains("lm_head.weight") ? "lm_head.weight" : prefix_ + "wte.weight";
  } else {
    const std::string prefix = head_prefix();
    head.transform = {transposed_linear(prefix + "transform.dense", d, d), norm(prefix + "transform.LayerNorm")};
    head.b = file_.read_floats(prefix + "bias", {vocabulary});
    name = prefix + "decoder.weight";
    if (!file_.contains(name)) {
      name = (config_.architecture == Architecture::EncoderDecoder ? decoder_prefix_ : prefix_) +
             "embeddings.word_embeddings.weight";
    }
  }
  head.w = Matrix<float>(d, vocabulary);
  std::vector<float> row(d);
  for (std::size_t token = 0; token < vocabulary; ++token) {
    file_.read_float_row(name, {vocabulary, d}, token, row.data());
    for (std::size_t c = 0; c < d; ++c) {
      head.w.at(c, token) = row[c];
    }
  }
  return head;
}

EmbeddingTables CheckpointWeights::embedding_tables(Side side) const {
  const bool gpt2 = config_.architecture == Architecture::Gpt2;
  const std::string& prefix = side_prefix(side);
  const auto table = [&](const std::string& name, std::size_t rows) {
    Matrix<float> values;
    values.rows = rows;
    values.cols = config_.d;
    values.data = file_.read_floats(name, {rows, config_.d});
    return values;
  };
  EmbeddingTables tables;
  tables.words = table(prefix + (gpt2 ? "wte.weight" : "embeddings.word_embeddings.weight"), config_.vocabulary);
  tables.positions = table(prefix + (gpt2 ? "wpe.weight" : "embeddings.position_embeddings.weight"), config_.max_positions);
  if (!gpt2) {
    tables.types = Matrix<float>(1, config_.d);
    file_.read_float_row(prefix + "embeddings.token_type_embeddings.weight", {config_.type_vocabulary, config_.d}, 0,
                         tables.types.data.data());
  }
  return tables;
}

void CheckpointWeights::check_tensors() {
  const std::size_t d = config_.d;
  const std::size_t f = config_.f;
  std::set<std::string> used;
  const auto need = [&](const std::string& wanted, const Shape& shape) {
    const std::string name = find(wanted);
    const TensorView& found = file_.view(name);
    if (found.shape != shape) {
      throw ConfigError(fmt::format("{}: tensor '{}' has shape {}, config.json makes it {}", file_.name(), name,
                                    to_string(found.shape), to_string(shape)));
    }
    if (const std::optional<std::size_t> bad = file_.find_not_finite(name)) {
      throw ConfigError(fmt::format("{}: tensor '{}' holds NaN or infinity at element {} (row {}, column {})", file_.name(), name, *bad,
                                    *bad / shape.back(), *bad % shape.back()));
    }
    used.insert(name);
  };
  const auto need_linear = [&](const std::string& name, const Shape& shape, std::size_t out) {
    need(name + ".weight", shape);
    need(name + ".bias", {out});
  };
  const auto need_norm = [&](const std::string& name) { need_linear(name, {d}, d); };
  const auto need_embeddings = [&](const std::string& prefix) {
    need(prefix + "word_embeddings.weight", {config_.vocabulary, d});
    need(prefix + "position_embeddings.weight", {config_.max_positions, d});
    need(prefix + "token_type_embeddings.weight", {config_.type_vocabulary, d});
    need_norm(prefix + "LayerNorm");
  };
  const auto need_attention = [&](const std::string& name) {
    for (const char* part : {".self.query", ".self.key", ".self.value", ".output.dense"}) {
      need_linear(name + part, {d, d}, d);
    }
    need_norm(name + ".output.LayerNorm");
  };
  if (config_.architecture == Architecture::Gpt2) {
    need(prefix_ + "wte.weight", {config_.vocabulary, d});
    need(prefix_ + "wpe.weight", {config_.max_positions, d});
    need_norm(prefix_ + "ln_f");
  } else {
    need_embeddings(prefix_ + "embeddings.");
    if (config_.architecture == Architecture::EncoderDecoder) {
      need_embeddings(decoder_prefix_ + "embeddings.");
    }
  }
  for (std::size_t index = 0; index < config_.all_layers(); ++index) {
    const bool decodes = index >= config_.layers;
    const std::string name = fmt::format("{}{}{}.", decodes ? decoder_prefix_ : prefix_,
                                         layer_folder(config_.architecture), decodes ? index - config_.layers : index);
    if (config_.architecture == Architecture::Gpt2) {
      need_norm(name + "ln_1");
      need_linear(name + "attn.c_attn", {d, 3 * d}, 3 * d);
      need_linear(name + "attn.c_proj", {d, d}, d);
      need_norm(name + "ln_2");
      need_linear(name + "mlp.c_fc", {d, f}, f);
      need_linear(name + "mlp.c_proj", {f, d}, d);
      continue;
    }
    need_attention(name + "attention");
    if (decodes) {
      need_attention(name + "crossattention");
    }
    need_linear(name + "intermediate.dense", {f, d}, f);
    need_linear(name + "output.dense", {d, f}, d);
    need_norm(name + "output.LayerNorm");
  }
  if (config_.architecture != Architecture::Gpt2 && has_language_head()) {
    const std::string head = head_prefix();
    need_linear(head + "transform.dense", {d, d}, d);
    need_norm(head + "transform.LayerNorm");
    need(head + "bias", {config_.vocabulary});
    if (file_.contains(head + "decoder.weight")) {
      need(head + "decoder.weight", {config_.vocabulary, d});
    }
  } else if (file_.contains("lm_head.weight") && config_.architecture == Architecture::Gpt2) {
    need("lm_head.weight", {config_.vocabulary, d});
  }
  for (const auto& entry : file_.tensors()) {
    if (used.count(entry.first) == 0 && !is_known_extra(entry.first)) {
      unknown_.push_back(entry.first);
    }
  }
}

}  // namespace systole::workloads
