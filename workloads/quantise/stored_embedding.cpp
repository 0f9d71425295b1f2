#include "workloads/quantise/stored_embedding.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace systole::workloads {
namespace {

constexpr const char* kEncoder = "host.encoder.";
constexpr const char* kDecoder = "host.decoder.";

void put(TensorMap& tensors, const std::string& prefix, const EmbeddingTables& tables) {
  tensors[prefix + "words"] = Tensor::from(tables.words);
  tensors[prefix + "positions"] = Tensor::from(tables.positions);
  if (!tables.types.empty()) {
    tensors[prefix + "types"] = Tensor::from(tables.types);
  }
}

// A number that the quantiser noted; nothing if it did not.
std::optional<std::int32_t> note(const QuantisedModel& model, const char* key) {
  const auto found = model.notes.find(key);
  if (found == model.notes.end()) {
    return std::nullopt;
  }
  std::int32_t value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [stop, error] = std::from_chars(found->second.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) {
    throw ConfigError(fmt::format("metadata '{}' is '{}', needed is a token", key, found->second));
  }
  return value;
}

std::size_t rows_of(const SafetensorsFile& file, const std::string& name, std::size_t d) {
  const TensorView& table = file.view(name);
  if (table.shape.size() != 2 || table.shape[0] == 0 || table.shape[1] != d) {
    throw ConfigError(fmt::format("{}: tensor '{}' has shape {}, needed is [rows, {}]", file.name(), name, to_string(table.shape), d));
  }
  return table.shape[0];
}

}  // namespace

TensorMap embedding_tensors(const WeightSource& source) {
  TensorMap tensors;
  const ModelConfig& config = source.config();
  if (config.architecture != Architecture::Gpt2) {
    put(tensors, kEncoder, source.embedding_tables(Side::Encoder));
  }
  // The original Transformer shares its tables.
  if (config.architecture == Architecture::Gpt2 ||
      (config.architecture == Architecture::EncoderDecoder && !config.sinusoidal_positions)) {
    put(tensors, kDecoder, source.embedding_tables(Side::Decoder));
  }
  return tensors;
}

StoredEmbedding::StoredEmbedding(const std::string& path, const QuantisedModel& model) : file_(path) {
  config_.name = path;
  config_.architecture = model.architecture;
  const bool two_sided = model.architecture == Architecture::EncoderDecoder;
  config_.layers = two_sided ? model.encoder_layers : model.layers.size();
  config_.decoder_layers = model.layers.size() - config_.layers;
  config_.d = model.d;
  config_.f = model.f;
  config_.heads = model.heads;
  config_.pad_token = note(model, "pad").value_or(0);
  config_.start_token = note(model, "start");
  // Softmax sums are only safe up to as many keys as the model was quantised for.
  config_.max_positions = static_cast<std::size_t>(note(model, "lmax").value_or(static_cast<std::int32_t>(model.sequence)));
  if (!has_tables()) {
    return;
  }
  for (const Side side : {Side::Encoder, Side::Decoder}) {
    const std::string tables = prefix(side);
    config_.vocabulary = rows_of(file_, tables + "words", model.d);
    config_.max_positions = std::min(config_.max_positions, rows_of(file_, tables + "positions", model.d));
    if (file_.contains(tables + "types")) {
      (void)rows_of(file_, tables + "types", model.d);
    }
  }
}

bool StoredEmbedding::has_tables() const { return file_.contains(prefix(Side::Decoder) + "words"); }

std::string StoredEmbedding::prefix(Side side) const {
  const std::string mine = side == Side::Encoder ? kEncoder : kDecoder;
  const std::string other = side == Side::Encoder ? kDecoder : kEncoder;
  return file_.contains(mine + "words") ? mine : other;
}

Matrix<float> StoredEmbedding::embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const {
  if (!has_tables()) {
    throw ConfigError(file_.name() + ": holds no embedding tables, so tokens mean nothing to it");
  }
  check_tokens(config_, tokens, first);
  const std::string tables = prefix(side);
  const std::size_t d = config_.d;
  Matrix<float> rows(tokens.size(), d);
  std::vector<float> extra(d);
  const auto add = [&](float* row, const std::string& name, std::size_t index) {
    file_.read_float_row(name, file_.view(name).shape, index, extra.data());
    for (std::size_t c = 0; c < d; ++c) {
      row[c] += extra[c];
    }
  };
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    file_.read_float_row(tables + "words", file_.view(tables + "words").shape, static_cast<std::size_t>(tokens[r]), rows.row(r));
    if (file_.contains(tables + "types")) {
      add(rows.row(r), tables + "types", 0);
    }
    add(rows.row(r), tables + "positions", first + r);
  }
  return rows;
}

}  // namespace systole::workloads
