#include <algorithm>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "sim/app/arguments.h"
#include "sim/app/exit_code.h"
#include "sim/app/progress.h"
#include "sim/app/simulation_options.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/report/table.h"
#include "workloads/quantise/accuracy.h"
#include "workloads/quantise/quantiser.h"
#include "workloads/quantise/stored_embedding.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/checkpoint.h"
#include "workloads/weights/random.h"

namespace systole::app {
namespace {

namespace po = boost::program_options;
using workloads::NormForm;
using workloads::ProbabilityForm;

constexpr std::size_t kDefaultRows = 128;
constexpr std::uint64_t kInputStream = 1000;   // away from the streams of the calibration tokens

// The member of `values` whose name is `text`.
template <class T>
T choice(const char* option, const std::string& text, const std::vector<T>& values) {
  std::vector<std::string> names;
  for (const T value : values) {
    names.emplace_back(name_of(value));
    if (names.back() == text) return value;
  }
  throw ConfigError(fmt::format("--{} {}: unknown; nearest: '{}'", option, text, nearest(text, names)));
}

workloads::QuantiseOptions quantise_options(const Arguments& arguments, const workloads::ModelConfig& config) {
  workloads::QuantiseOptions options;
  options.sequence = arguments.get<std::size_t>("seq", std::min(kDefaultRows, config.max_positions));
  options.layers = arguments.get<std::size_t>("layers", 0);
  options.seed = arguments.get<std::uint64_t>("seed", 1);
  options.norm_form = choice("norm", arguments.get<std::string>("norm", "affine"), std::vector{NormForm::Affine, NormForm::Fold});
  options.probability_form = choice("probabilities", arguments.get<std::string>("probabilities", "defer"),
                                    std::vector{ProbabilityForm::Deferred, ProbabilityForm::Calibrated, ProbabilityForm::Fixed127});
  options.threads = static_cast<unsigned>(processors());
  if (arguments.has("head") && arguments.has("no-head")) throw ConfigError("--head and --no-head: give one of them");
  const bool decodes = config.architecture != workloads::Architecture::Bert;
  options.language_head = arguments.has("head") || (decodes && !arguments.has("no-head"));
  if (options.layers > config.layers) throw ConfigError(fmt::format("--layers {}: the model has {} layers", options.layers, config.layers));
  return options;
}

std::unique_ptr<workloads::WeightSource> weights(const std::string& name, std::uint64_t seed) {
  if (std::filesystem::is_directory(name)) return std::make_unique<workloads::CheckpointWeights>(name);
  if (std::filesystem::exists(name)) throw ConfigError(fmt::format("'{}' is a file; a checkpoint is a directory with config.json and model.safetensors", name));
  return std::make_unique<workloads::RandomWeights>(workloads::find_model(name), seed);
}

void print_accuracy(const std::vector<workloads::BoundaryAccuracy>& boundaries) {
  using report::Align;
  report::Table table({{"boundary"}, {"SQNR dB", Align::kRight}, {"cosine", Align::kRight}, {"largest error", Align::kRight}, {"largest value", Align::kRight}});
  for (const workloads::BoundaryAccuracy& b : boundaries) {
    table.row({b.name, fmt::format("{:.1f}", b.metrics.sqnr_db()), fmt::format("{:.5f}", b.metrics.cosine()), fmt::format("{:.4g}", b.metrics.max_abs()),
               fmt::format("{:.4g}", b.metrics.reference_max())});
  }
  fmt::print("{}", table.text());
}

std::string accuracy_json(const std::vector<workloads::BoundaryAccuracy>& boundaries, const std::string& model) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const workloads::BoundaryAccuracy& b : boundaries) {
    rows.push_back({{"name", b.name},
                    {"sqnr_db", b.metrics.sqnr_db()},
                    {"cosine", b.metrics.cosine()},
                    {"max_abs", b.metrics.max_abs()},
                    {"reference_max", b.metrics.reference_max()}});
  }
  return nlohmann::ordered_json{{"schema", "systole-quantize 1"}, {"model", model}, {"boundaries", rows}}.dump(2) + "\n";
}

}  // namespace

int run_quantize(const Words& words) {
  Arguments arguments("systole quantize CHECKPOINT_DIR|WORKLOAD -o MODEL.safetensors [options]",
                      "Quantises a Hugging Face checkpoint (config.json and model.safetensors), or a known model with random weights, for the machine: int8 weights, "
                      "int32 biases, integer constants, fp32 scales. Prints how far each boundary of a random input is from the float model.",
                      {"systole quantize my_checkpoint -o model.safetensors", "systole quantize bert-base --layers 1 -o model.safetensors --vectors"});
  arguments.add("output,o", po::value<std::string>()->value_name("FILE"), "the quantised model")
      .add("seq", po::value<std::size_t>()->value_name("L"), "rows that the model is calibrated for (default: 128)")
      .add("layers", po::value<std::size_t>()->value_name("N"), "only the first N layers (default: all)")
      .add("seed", po::value<std::uint64_t>()->value_name("S"), "of calibration and input, and of random weights (default: 1)")
      .add("norm", po::value<std::string>()->value_name("affine|fold"), "gamma and beta in the read-out of LayerNorm, or in the next weights (default: affine)")
      .add("probabilities", po::value<std::string>()->value_name("defer|calib|127"), "form of the softmax (default: defer)")
      .add_switch("head", "also the masked-language head of a BERT; models with a decoder have theirs in any case")
      .add_switch("no-head", "leave out the language-model head: `run --generate` then has none")
      .add_switch("no-embeddings", "leave out the embedding tables: `run` then needs --input with tensors instead of tokens")
      .add_switch("vectors", "also store the input and every boundary, so that `systole validate` can run the file")
      .add("json", po::value<std::string>()->value_name("FILE"), "write the accuracy as JSON; - is standard output")
      .add_switch("quiet", "print errors only")
      .positional("the checkpoint", 1, 1);
  if (!arguments.parse(words)) return kExitDone;
  if (!arguments.has("output")) throw ConfigError("-o FILE is missing: where the model goes");

  const std::string& name = arguments.words()[0];
  const std::string output = arguments.get<std::string>("output");
  check_writable(output);
  const std::string json = result_file(arguments, "json");
  PhaseLine phase(!arguments.has("quiet"));
  const auto source = weights(name, arguments.get<std::uint64_t>("seed", 1));
  workloads::QuantiseOptions options = quantise_options(arguments, source->config());
  if (options.language_head && !source->has_language_head()) {
    if (arguments.has("head")) throw ConfigError(fmt::format("{}: the checkpoint has no language-model head (cls.predictions.*)", name));
    options.language_head = false;
  }
  phase.show(name + ": quantising");
  const workloads::QuantisedModel model = workloads::quantise(*source, options);

  phase.show(name + ": comparing with float");
  const auto tokens = workloads::random_tokens(source->config(), model.sequence, options.seed, kInputStream);
  const auto target = workloads::random_tokens(source->config(), model.queries, options.seed, kInputStream + 1);
  workloads::TensorMap vectors = workloads::embedded_inputs(*source, tokens, target);
  const workloads::TensorMap inputs = vectors;
  workloads::FloatComparison comparison(*source, model, tokens, target);
  workloads::reference::OverflowCounters overflows;
  const auto sink = [&](const std::string& boundary, workloads::Tensor tensor) {
    comparison.see(boundary, tensor);
    if (arguments.has("vectors")) vectors[boundary] = std::move(tensor);
  };
  workloads::reference::evaluate(model, inputs, sink, overflows);
  if (!arguments.has("vectors")) vectors.clear();
  if (!arguments.has("no-embeddings")) vectors.merge(workloads::embedding_tensors(*source));
  workloads::save_quantised_model(output, model, std::move(vectors));
  phase.clear();

  if (!arguments.has("quiet") && json != "-") {
    print_accuracy(comparison.results());
    fmt::print("{} integers overflowed; model written to {}\n", overflows.total(), output);
  }
  if (!json.empty()) write_result(json, accuracy_json(comparison.results(), name));
  return kExitDone;
}

}  // namespace systole::app
