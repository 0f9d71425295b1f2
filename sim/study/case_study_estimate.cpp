// E2: the analytical model (section 3.3; table 5, figure 32), and its error against our own cycle-accurate runs.
#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/study/case_study.h"
#include "sim/study/case_study_runs.h"
#include "workloads/case_study/published.h"
#include "workloads/estimate/analytical_model.h"
#include "workloads/estimate/operation_counts.h"

namespace systole::study {
namespace {

using workloads::TransformerEstimate;
using workloads::TransformerShape;

constexpr const char* kDescription =
    "The analytical model of figure 11: 16 x 16 array, 16 lanes for non-linear operations, 128 KiB accumulator, 2 MiB "
    "L2, "
    "64 bytes per cycle from DRAM to the L2 and 16 from there to the local memories. An operator takes the larger of "
    "its "
    "arithmetic and its memory time; nothing is fused; 32-bit results in front of non-linear operations. `systole "
    "estimate` is "
    "the same model for any size.\n\n"
    "What the paper leaves open, and what we chose:\n"
    "* Traffic between DRAM and L2: rules read off table 5 (all its 18 operators), those of result tiles of 1024 rows "
    "by 440 to "
    "511 columns in the L2.\n"
    "* Tiles in the local memories (\"square tiling\"): the largest square of 32-bit results in the accumulator, 176 x "
    "176. A "
    "double-buffered accumulator (128 x 128) changes BERT-Base at l = 4096 from 80.6 to 81.4.\n"
    "* Both memory times are added. With the larger of the two instead GPT-2 would be at 14.8 (l = 128) and 685 (l = "
    "4096), "
    "where the paper has 18 and 840.\n"
    "* Bars of figures 30 and 31 carry no numbers, and of ResNet-50 the paper gives no layers: not computed.\n\n"
    "The last rows set the estimate of one encoder layer beside our cycle-accurate run of the same layer (Gemmini's "
    "published "
    "software, machine `survey-256-128`, ideal memory with 20 cycles of latency and 16 bytes per cycle).\n\n"
    "To repeat: `systole reproduce E2 --out DIR`.";

TransformerShape shape_of(const std::string& network) {
  if (network == "bert-base") return workloads::kBertBase;
  if (network == "bert-large") return workloads::kBertLarge;
  SYSTOLE_CHECK(network == "gpt2");
  return workloads::kGpt2;
}

void intensities(std::vector<CaseRow>& rows) {
  for (const workloads::PrintedIntensity& printed : workloads::printed_intensities()) {
    const TransformerEstimate estimate = workloads::estimate_transformer(workloads::kBertBase, printed.seq);
    const bool total = printed.name == "total";
    const double ours = total ? estimate.intensity() : estimate.find(printed.name).intensity();
    rows.push_back(compared(
        fmt::format("table 5: bert-base, l={}, {}, FLOP/byte", printed.seq, printed.name), printed.printed, ours,
        total ? "the 18 operators are equal, so the rest is the traffic or the FLOPs of element-wise operations, which "
                "the paper "
                "does not give: ours are 5 bytes per element of softmax, GELU, LayerNorm and 3 of residual additions"
              : "printed with one digit too many: 2*128*768*768 FLOPs over 884736 bytes are 170.667"));
  }
  rows.push_back({"section 3.3: ResNet-50, FLOP/byte", "121.312", std::nullopt, CaseVerdict::kOpen,
                  "the paper's list of layers is not given (E1, table 4)"});
}

void latencies(std::vector<CaseRow>& rows) {
  const double unit = workloads::estimate_transformer(workloads::kBertBase, 128).cycles();
  for (const workloads::PrintedLatency& printed : workloads::printed_latencies()) {
    const TransformerShape shape = shape_of(printed.network);
    const double cycles = workloads::estimate_transformer(shape, printed.seq).cycles();
    const std::string item =
        fmt::format("figure 32: {}, l={}, latency over bert-base at 128", printed.network, printed.seq);
    const bool large = printed.network == "bert-large";
    const char* cause =
        large ? "the paper's BERT-Large lacks one projection per layer, as in figure 4 (E1)"
        : shape.decoder
            ? "less than 1 %: the paper does not say which traffic of vectors it counts beside that of weights, keys "
              "and values"
            : "the local tiles are not given: 176 x 176 gives 80.6, 256 x 256 would give 79.8";
    rows.push_back(compared(item, printed.printed, cycles / unit, cause));
    if (!large) continue;
    const double d = static_cast<double>(shape.model);
    const double projection = static_cast<double>(shape.layers * printed.seq) * d * d / 256;  // compute bound
    rows.push_back(compared(item + " (one projection fewer)", printed.printed, (cycles - projection) / unit,
                            "the local tiles are not given"));
    rows.back().verdict = CaseVerdict::kReading;
  }
  rows.push_back({"appendix A.5: ResNet-50 faster than bert-base at 128", "1.28", std::nullopt, CaseVerdict::kOpen,
                  "the paper's list of layers is not given (E1, table 4)"});
  rows.push_back({"appendix A.5: ResNet-50, speed-up by fusing BatchNorm and ReLU", "1.32", std::nullopt,
                  CaseVerdict::kOpen, "the paper's list of layers is not given (E1, table 4)"});
}

struct Step {
  std::vector<const char*> operators;  // of the estimate
  std::vector<const char*> regions;    // of the run
};
const Step kSteps[] = {{{"W_QKV"}, {"q_proj", "k_proj", "v_proj"}},
                       {{"QxK", "softmax"}, {"scores_softmax"}},
                       {{"AxV"}, {"context"}},
                       {{"W_out"}, {"out_proj"}},
                       {{"W_1", "GELU"}, {"ff1_gelu"}},
                       {{"W_2"}, {"ff2"}},
                       {{"LayerNorm"}, {"ln1", "ln2"}},
                       {{"residual"}, {"resadd1", "resadd2"}}};

void error_of_the_estimate(const CaseOptions& options, std::vector<CaseRow>& rows) {
  std::vector<std::uint64_t> lengths = {128};
  if (!options.quick) lengths.push_back(512);
  std::vector<CaseRun> runs;
  for (const std::uint64_t l : lengths)
    runs.push_back({fmt::format("layer-{}-256-128", l), bert_base_layer(l), config::preset_machine("survey-256-128")});
  const std::vector<CaseNumbers> numbers = run_cases(runs, options);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    TransformerShape shape = workloads::kBertBase;
    shape.layers = 1;
    const TransformerEstimate estimate = workloads::estimate_transformer(shape, lengths[r]);
    const auto add = [&](const std::string& name, double estimated, double simulated) {
      rows.push_back({fmt::format("estimate over simulation: l={}, {}", lengths[r], name), "", estimated / simulated,
                      CaseVerdict::kContext,
                      fmt::format("{:.0f} cycles estimated, {:.0f} simulated", estimated, simulated)});
    };
    double all = 0;
    for (const Step& step : kSteps) {
      double estimated = 0, simulated = 0;
      std::string name;
      for (const char* op : step.operators) {
        estimated += estimate.find(op).cycles;
        name += fmt::format("{}{}", name.empty() ? "" : " + ", op);
      }
      for (const char* region : step.regions) simulated += static_cast<double>(numbers[r].cycles_of(region));
      all += estimated;
      add(name, estimated, simulated);
    }
    add("layer", all, static_cast<double>(numbers[r].cycles));
  }
}

}  // namespace

CaseStudy analytical_model(const CaseOptions& options) {
  CaseStudy study{"E2", "analytical model", kDescription, {}};
  intensities(study.rows);
  latencies(study.rows);
  error_of_the_estimate(options, study.rows);
  return study;
}

}  // namespace systole::study
