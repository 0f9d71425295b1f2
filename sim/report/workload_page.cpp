#include "sim/report/workload_page.h"

#include <fmt/format.h>

#include "sim/report/table.h"
#include "workloads/models/model_config.h"

namespace systole::report {
namespace {

const char* describe(workloads::Architecture architecture) {
  switch (architecture) {
    case workloads::Architecture::Bert: return "encoder, LayerNorm after each sum";
    case workloads::Architecture::Gpt2: return "decoder, LayerNorm before each block";
    case workloads::Architecture::CrossAttention: return "one cross attention";
    case workloads::Architecture::EncoderDecoder: return "encoder and decoder with cross attention";
  }
  return "";
}

const char* describe(workloads::FloatActivation activation) {
  switch (activation) {
    case workloads::FloatActivation::GeluErf: return "GELU";
    case workloads::FloatActivation::GeluTanh: return "GELU (tanh form)";
    case workloads::FloatActivation::Relu: return "ReLU";
  }
  return "";
}

}  // namespace

std::string workloads_text() {
  Table table({{"workload"}, {"layers", Align::kRight}, {"width", Align::kRight}, {"feed-forward", Align::kRight}, {"heads", Align::kRight},
               {"positions", Align::kRight}, {"activation"}, {"architecture"}});
  for (const workloads::ModelConfig& model : workloads::known_models()) {
    const std::string layers = model.decoder_layers == 0 ? std::to_string(model.layers) : fmt::format("{} + {}", model.layers, model.decoder_layers);
    table.row({model.name, layers, std::to_string(model.d), std::to_string(model.f), std::to_string(model.heads), std::to_string(model.max_positions),
               describe(model.activation), describe(model.architecture)});
  }
  return table.text();
}

}  // namespace systole::report
