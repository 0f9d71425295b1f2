#include "sim/run/model_input.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/base/errors.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/quantise/stored_embedding.h"
#include "workloads/reference/generate.h"
#include "workloads/weights/checkpoint.h"
#include "workloads/weights/random.h"

namespace systole::run {
namespace {

using workloads::Architecture;
using workloads::TensorMap;

constexpr std::uint64_t kDefaultRows = 128;
constexpr std::uint64_t kInputStream = 1000;   // away from the streams of the calibration tokens
constexpr std::size_t kNamedTensors = 3;       // of unknown ones, in a warning

bool is_safetensors(const std::string& name) { return std::filesystem::path(name).extension() == ".safetensors"; }

// What the user gives; no tokens: random.
struct Given {
  std::vector<TokenSequence> sequences;
  TensorMap tensors;
};

Given given_input(const WorkloadRequest& request) {
  Given given;
  given.sequences = request.tokens;
  if (request.input.empty()) return given;
  if (!request.tokens.empty()) throw ConfigError("--input and --tokens: give one of them");
  if (!is_safetensors(request.input)) {
    given.sequences = read_token_file(request.input);
    return given;
  }
  const workloads::SafetensorsFile file(request.input);
  for (const auto& entry : file.tensors()) given.tensors[entry.first] = file.read(entry.first);
  return given;
}

// Repeats a single sequence, and fills up shorter ones: `valid` says how long they were.
void complete_batch(const WorkloadRequest& request, const workloads::ModelConfig& config, ModelInput& input) {
  std::vector<TokenSequence>& sequences = input.sequences;
  if (request.seq != 0) throw ConfigError("--seq: the tokens say how many rows there are");
  if (request.batch > 1 && sequences.size() == 1) sequences.resize(request.batch, sequences[0]);
  if (request.batch != 0 && request.batch != sequences.size()) {
    throw ConfigError(fmt::format("--batch {}: the input has {} sequences", request.batch, sequences.size()));
  }
  std::size_t longest = 0;
  for (const TokenSequence& s : sequences) longest = std::max(longest, s.tokens.size());
  for (TokenSequence& s : sequences) {
    workloads::check_tokens(config, s.tokens, 0);
    workloads::check_tokens(config, s.target, 0);
    if (!s.target.empty() && config.architecture != Architecture::EncoderDecoder) {
      throw ConfigError(fmt::format("target tokens: {} has no encoder and decoder", config.name));
    }
    if (s.target.size() != sequences[0].target.size()) throw ConfigError("target tokens: all sequences of a batch need equally many");
    if (s.tokens.size() != longest && request.generate != 0 && config.architecture == Architecture::Gpt2) {
      throw ConfigError(fmt::format("--generate: prompts of {} and {} tokens in one batch; they must be equally long", s.tokens.size(), longest));
    }
    input.valid.push_back(s.tokens.size());
    s.tokens.resize(longest, config.pad_token);
  }
}

void set_sizes(const WorkloadRequest& request, const workloads::ModelConfig& config, ModelInput& input) {
  ModelSizes& sizes = input.sizes;
  const bool given = !input.sequences.empty();
  sizes.layers = request.layers == 0 ? config.layers : request.layers;
  sizes.batch = given ? input.sequences.size() : std::max<std::uint64_t>(request.batch, 1);
  sizes.rows = given ? input.sequences[0].tokens.size() : request.seq == 0 ? std::min<std::size_t>(kDefaultRows, config.max_positions) : request.seq;
  sizes.prompt = sizes.rows;
  switch (config.architecture) {
    case Architecture::Gpt2: sizes.rows += request.generate; break;
    case Architecture::EncoderDecoder: {
      const std::size_t start = given ? input.sequences[0].target.size() : 0;
      // Without generation the decoder reads a target as long as the input.
      sizes.prompt = start != 0 ? start : request.generate != 0 ? 1 : sizes.rows;
      sizes.target = sizes.prompt + request.generate;
      break;
    }
    case Architecture::Bert:
    case Architecture::CrossAttention:
      if (request.generate != 0) throw ConfigError(fmt::format("--generate: {} has no decoder", config.name));
      break;
  }
  if (sizes.layers > config.layers) throw ConfigError(fmt::format("--layers {}: {} has {} layers", sizes.layers, config.name, config.layers));
  if (std::max(sizes.rows, sizes.target) > config.max_positions) {
    throw ConfigError(fmt::format("a sequence of {} rows is longer than the {} positions of {}", std::max(sizes.rows, sizes.target),
                                  config.max_positions, config.name));
  }
}

// Random tokens, the same ones for the same seed whatever else is asked.
void fill_random(const WorkloadRequest& request, const workloads::ModelConfig& config, ModelInput& input) {
  const ModelSizes& sizes = input.sizes;
  const bool two_sided = config.architecture == Architecture::EncoderDecoder;
  const bool drawn = input.sequences.empty();
  input.sequences.resize(sizes.batch);
  for (std::size_t i = 0; i < sizes.batch; ++i) {
    TokenSequence& s = input.sequences[i];
    if (drawn) {
      s.tokens = workloads::random_tokens(config, two_sided ? sizes.rows : sizes.prompt, request.seed, kInputStream + 2 * i);
      input.valid.push_back(s.tokens.size());
    }
    if (!two_sided || !s.target.empty()) continue;
    if (request.generate != 0) {
      if (!config.start_token) throw ConfigError(fmt::format("--generate: {} names no decoder_start_token_id; give the decoder's first tokens with --target", config.name));
      s.target = {*config.start_token};
    } else {
      s.target = workloads::random_tokens(config, sizes.prompt, request.seed, kInputStream + 2 * i + 1);
    }
  }
}

workloads::QuantisedModel quantise(const WorkloadRequest& request, const ModelInput& input, const kernels::Target& target, bool head, bool values,
                                   unsigned threads) {
  workloads::QuantiseOptions options;
  const kernels::Extensions& extensions = target.extensions;
  // The forms that the machine can compute; the CPU can compute all.
  if (target.normaliser && (!extensions.norm_affine || !extensions.accumulator_scale)) options.norm_form = workloads::NormForm::Fold;
  if (!target.normaliser || !extensions.deferred_softmax) options.probability_form = workloads::ProbabilityForm::Calibrated;
  options.sequence = input.sizes.rows;
  options.queries = input.sizes.target;
  options.prefill = input.sizes.prompt;
  options.layers = input.sizes.layers;
  options.language_head = head;
  options.keep_weights = values;
  options.seed = request.seed;
  options.threads = threads;
  workloads::QuantisedModel model = workloads::quantise(*input.source, options);
  model.host_functions = !target.normaliser;
  if (model.host_functions && model.language_head && model.language_head->transform) {
    throw ConfigError("--head: the masked-language head needs a machine with a normaliser (sfu.normaliser=1)");
  }
  return model;
}

// The integers of the tokens, with what generation adds to them.
void embed(const WorkloadRequest& request, const workloads::TokenEmbedding& embedding, bool values, ModelInput& input) {
  const bool two_sided = input.model.architecture == Architecture::EncoderDecoder;
  for (std::size_t i = 0; i < input.sequences.size(); ++i) {
    const TokenSequence& s = input.sequences[i];
    std::vector<std::int32_t> tokens = s.tokens, target = s.target;
    TensorMap map;
    if (two_sided) map = workloads::embedded_inputs(embedding, tokens, target);
    const auto valid = static_cast<std::int32_t>(input.valid[i]);
    const bool padded = input.valid[i] != s.tokens.size() && input.model.architecture != Architecture::Gpt2;
    if (padded) map["in.valid"] = workloads::Tensor::from(&valid, {1});
    if (request.generate != 0) {
      std::vector<std::int32_t> more;
      if (values && input.model.language_head) {
        workloads::reference::OverflowCounters overflows;
        more = workloads::reference::generate(input.model, embedding, map, two_sided ? target : tokens, request.generate, overflows);
        input.generated.push_back(more);
      } else {
        more = workloads::random_tokens(embedding.config(), request.generate, request.seed, kInputStream + 2 * i + 1);
      }
      std::vector<std::int32_t>& all = two_sided ? target : tokens;
      all.insert(all.end(), more.begin(), more.end());
    }
    TensorMap embedded = workloads::embedded_inputs(embedding, tokens, target);
    if (padded) embedded["in.valid"] = workloads::Tensor::from(&valid, {1});
    input.inputs.push_back(std::move(embedded));
    input.sequences[i] = {std::move(tokens), std::move(target)};
  }
}

bool wants_head(const WorkloadRequest& request) { return request.language_head || (request.generate != 0 && !request.no_language_head); }

ModelInput from_weights(const WorkloadRequest& request, const kernels::Target& target, Given given, bool values, unsigned threads,
                        const std::function<void(const std::string&)>& progress) {
  ModelInput input;
  if (std::filesystem::is_directory(request.name)) {
    auto checkpoint = std::make_unique<workloads::CheckpointWeights>(request.name);
    const std::vector<std::string>& unknown = checkpoint->unknown_tensors();
    if (!unknown.empty()) {
      const std::vector<std::string> few(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(std::min(kNamedTensors, unknown.size())));
      input.warnings.push_back(fmt::format("{} tensors of the checkpoint are not used: {}{}", unknown.size(), fmt::join(few, ", "),
                                           unknown.size() > few.size() ? ", ..." : ""));
    }
    input.source = std::move(checkpoint);
  } else {
    input.source = std::make_unique<workloads::RandomWeights>(workloads::find_model(request.name), request.seed);
    input.random_weights = true;
  }
  const workloads::ModelConfig& config = input.source->config();
  if (!given.tensors.empty()) {
    throw ConfigError(fmt::format("--input {}: tensors are the input of a quantised model; {} reads tokens", request.input, config.name));
  }
  input.sequences = std::move(given.sequences);
  if (!input.sequences.empty()) complete_batch(request, config, input);
  set_sizes(request, config, input);
  fill_random(request, config, input);
  const bool head = wants_head(request);
  if (head && !input.source->has_language_head()) {
    throw ConfigError(fmt::format("{}: the checkpoint has no language-model head (cls.predictions.*)", config.name));
  }
  progress("quantising");
  input.model = quantise(request, input, target, head, values, threads);
  if (head && values && request.generate != 0) progress("generating");
  embed(request, *input.source, values, input);
  return input;
}

ModelInput from_file(const WorkloadRequest& request, Given given, bool values, const std::function<void(const std::string&)>& progress) {
  progress("reading");
  ModelInput input;
  workloads::QuantisedFile file = workloads::load_quantised_file(request.name);
  input.model = std::move(file.model);
  workloads::QuantisedModel& model = input.model;
  const workloads::StoredEmbedding embedding(request.name, model);
  if (request.layers != 0) throw ConfigError("--layers: a quantised model has the layers it was quantised with");
  if (wants_head(request) && !model.language_head) {
    throw ConfigError(fmt::format("{}: the file holds no language-model head; `systole quantize --head` stores one", request.name));
  }
  if (!wants_head(request)) model.language_head.reset();
  const bool any_tokens = !given.sequences.empty() || (embedding.has_tables() && given.tensors.empty() && model.embedding);
  if (!any_tokens) {
    // The tensors of a file: those that the user names, or the ones stored beside the model.
    if (request.generate != 0) throw ConfigError(fmt::format("--generate: {} holds no embedding tables, so a generated token means nothing to it", request.name));
    if (request.seq != 0 || request.batch > 1) throw ConfigError("--seq, --batch: the input tensors say how many rows there are");
    input.inputs.push_back(given.tensors.empty() ? std::move(file.vectors) : std::move(given.tensors));
    input.sizes.layers = model.layers.size();
    input.sizes.rows = input.sizes.prompt = model.sequence;
    if (model.architecture == Architecture::CrossAttention) input.sizes.rows = input.sizes.prompt = model.queries;
    return input;
  }
  const workloads::ModelConfig& config = embedding.config();
  if (!embedding.has_tables()) throw ConfigError(fmt::format("{}: holds no embedding tables, so tokens mean nothing to it", request.name));
  input.sequences = std::move(given.sequences);
  if (!input.sequences.empty()) complete_batch(request, config, input);
  WorkloadRequest sized = request;
  if (input.sequences.empty() && sized.seq == 0) sized.seq = model.architecture == Architecture::Gpt2 ? std::max<std::size_t>(1, std::min(model.sequence, config.max_positions - std::min<std::size_t>(config.max_positions, request.generate))) : model.sequence;
  set_sizes(sized, config, input);
  fill_random(request, config, input);
  model.sequence = model.valid = input.sizes.rows;
  model.keys = model.sequence;
  model.queries = input.sizes.target;
  model.prefill = input.sizes.prompt;
  if (values && request.generate != 0) progress("generating");
  embed(request, embedding, values, input);
  input.sizes.layers = model.layers.size();
  return input;
}

}  // namespace

ModelInput make_model_input(const WorkloadRequest& request, const kernels::Target& target, bool values, unsigned threads,
                            const std::function<void(const std::string&)>& progress) {
  if (request.language_head && request.no_language_head) throw ConfigError("--head and --no-head: give one of them");
  if (is_safetensors(request.name)) return from_file(request, given_input(request), values, progress);
  return from_weights(request, target, given_input(request), values, threads, progress);
}

}  // namespace systole::run
