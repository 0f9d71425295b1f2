// E1: operations, bytes and arithmetic intensity (section 2.2; tables 3, 4, 10-12, figures 4-6).
#include <map>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/study/case_study.h"
#include "workloads/case_study/published.h"
#include "workloads/estimate/convolution_counts.h"
#include "workloads/estimate/operation_counts.h"

namespace systole::study {
namespace {

using workloads::Count;
using workloads::CountingRule;
using workloads::PrintedCount;
using workloads::TransformerCounts;
using workloads::TransformerShape;

constexpr const char* kDescription =
    "Floating-point operations, bytes and arithmetic intensity of BERT-Base, BERT-Large, GPT-2 and ResNet-50, without "
    "any "
    "machine. One byte per element; a product moves both operands and its result once; 2mnk FLOPs for a product with "
    "weights, "
    "m(2n-1)k for one of two activations. GFLOP and GMOP are 10^9 operations and bytes.\n\n"
    "What the paper leaves open, and what its digits show:\n"
    "* Element-wise operations (class \"other\"): softmax 4 FLOPs and 2 bytes per score; GELU, LayerNorm and residual "
    "additions "
    "together 58 FLOPs per element of an l x d matrix, and 18 bytes in the decoder but 17 in the encoder, as if one "
    "operand of a "
    "residual addition had been forgotten there; gain and bias of LayerNorm once per pass. How the 58 split cannot be "
    "told: "
    "d_FFN is 4d in every model. Items that end in \"(plain rule)\" count all 18.\n"
    "* Attention of the decoder: the FLOPs are (2t-1) d/h for both products of token t, the bytes 129 t + 192 per "
    "head. The rule "
    "of the encoder would give (2 d/h - 1) t + (2t-1) d/h, and 130 t + 128: items \"(plain rule)\".\n"
    "* BERT-Large: figure 4 is that of 2 l d^2 FLOPs per layer less than the network of table 1 has, one projection. "
    "Both are "
    "shown.\n\n"
    "To repeat: `systole reproduce E1 --out DIR`.";

TransformerShape shape_of(const std::string& network) {
  if (network == "bert-base") return workloads::kBertBase;
  if (network == "bert-large") return workloads::kBertLarge;
  if (network == "gpt2") return workloads::kGpt2;
  SYSTOLE_CHECK(network == "bert-base-4-heads");
  TransformerShape shape = workloads::kBertBase;
  shape.heads = 4;
  return shape;
}

Count row_of(const TransformerCounts& counts, const std::string& row) {
  if (row == "projections") return counts.projections;
  if (row == "attention") return counts.attention;
  if (row == "feed-forward") return counts.feed_forward;
  if (row == "other") return counts.other;
  SYSTOLE_CHECK(row == "total");
  return counts.total();
}

double metric_of(const Count& count, const Count& total, const std::string& metric) {
  if (metric == "gflop") return count.flops * 1e-9;
  if (metric == "gmop") return count.bytes * 1e-9;
  if (metric == "intensity") return count.intensity();
  if (metric == "flop_percent") return 100 * count.flops / total.flops;
  if (metric == "mop_percent") return 100 * count.bytes / total.bytes;
  if (metric == "flop_share") return count.flops / total.flops;
  SYSTOLE_CHECK(metric == "mop_share");
  return count.bytes / total.bytes;
}

std::string unit_of(const std::string& metric) {
  static const std::map<std::string, std::string> units = {{"gflop", "GFLOP"},
                                                           {"gmop", "GMOP"},
                                                           {"intensity", "FLOP/byte"},
                                                           {"flop_percent", "% of FLOPs"},
                                                           {"mop_percent", "% of MOPs"},
                                                           {"flop_share", "share of FLOPs"},
                                                           {"mop_share", "share of MOPs"}};
  return units.at(metric);
}

// The paper's own numbers exclude what it prints.
CaseRow with_objection(CaseRow row, const std::string& objection) {
  if (row.verdict != CaseVerdict::kDeviation || objection.empty()) return row;
  row.verdict = CaseVerdict::kContradiction;
  row.cause = objection;
  return row;
}

// One d x d projection per layer fewer.
Count without_a_projection(Count count, const TransformerShape& shape, std::uint64_t seq) {
  const double weights = static_cast<double>(shape.model * shape.model * shape.layers);
  return {count.flops - 2 * static_cast<double>(seq) * weights, count.bytes - weights};
}

void transformers(std::vector<CaseRow>& rows) {
  for (const PrintedCount& printed : workloads::printed_counts()) {
    const TransformerShape shape = shape_of(printed.network);
    const TransformerCounts counts = workloads::count_transformer(shape, printed.seq, CountingRule::kAsPrinted);
    const Count count = row_of(counts, printed.row);
    const std::string item = fmt::format("{}: {}, l={}, {}, {}", printed.place, printed.network, printed.seq,
                                         printed.row, unit_of(printed.metric));
    rows.push_back(with_objection(compared(item, printed.printed, metric_of(count, counts.total(), printed.metric), ""),
                                  printed.objection));
    if (printed.network == "bert-large") {
      const Count fewer = without_a_projection(count, shape, printed.seq);
      rows.push_back(compared(item + " (one projection fewer)", printed.printed,
                              metric_of(fewer, fewer, printed.metric),
                              "the weights of one projection alone do not explain the last digit of the bytes"));
      rows.back().verdict = CaseVerdict::kReading;
    }
    const bool plain_differs = printed.network == "gpt2" ? printed.row == "attention" : printed.row == "other";
    if (plain_differs && (printed.metric == "gflop" || printed.metric == "gmop" || printed.metric == "intensity")) {
      const TransformerCounts plain = workloads::count_transformer(shape, printed.seq, CountingRule::kPlain);
      rows.push_back(compared(item + " (plain rule)", printed.printed,
                              metric_of(row_of(plain, printed.row), plain.total(), printed.metric),
                              "the paper's digits follow another rule here than in its other rows; see above"));
      rows.back().verdict = CaseVerdict::kReading;
    }
  }
}

void convolutions(std::vector<CaseRow>& rows) {
  double flops = 0;
  for (const workloads::PrintedConvolution& c : workloads::printed_convolutions()) {
    const Count count =
        workloads::count_convolution({c.kernel, c.in_channels, c.out_channels, c.size, c.size, c.repeats, true});
    flops += count.flops;
    const std::string item =
        fmt::format("table 12: {0}x{0}, {1} channels, {2}x{2} pixels", c.kernel, c.out_channels, c.size);
    rows.push_back(compared(item + ", GFLOP", c.gflop, count.flops * 1e-9, ""));
    rows.push_back(compared(item + ", GMOP", c.gmop, count.bytes * 1e-9, ""));
    rows.push_back(compared(item + ", FLOP/byte", c.intensity, count.intensity(), ""));
  }
  rows.push_back({"table 12: sum of its rows, GFLOP", "", flops * 1e-9, CaseVerdict::kContext,
                  "its 3 layers 1x1, 64 channels have 256 input channels; in ResNet-50 one of them has 64"});
}

void resnet(std::vector<CaseRow>& rows) {
  const workloads::ResnetCounts counts = workloads::count_resnet50();
  const Count total = counts.total();
  const std::string list =
      "the paper's list of layers is not given: ours is ResNet-50 of figure 28 with all 53 convolutions; no "
      "choice of its layers gives 7.26 GFLOP at 183.36 FLOP/byte";
  const std::string norm =
      "2 FLOPs and 2 bytes per element of a convolution's result give the printed intensity, but the paper "
      "counts about 1.6 times as many elements";
  const auto row = [&](const std::string& name, const Count& count, const char* gflop, const char* gmop,
                       const char* intensity, const std::string& cause) {
    rows.push_back(compared("table 4: ResNet-50, " + name + ", GFLOP", gflop, count.flops * 1e-9, cause));
    rows.push_back(compared("table 4: ResNet-50, " + name + ", GMOP", gmop, count.bytes * 1e-9, cause));
    rows.push_back(compared("table 4: ResNet-50, " + name + ", FLOP/byte", intensity, count.intensity(), cause));
  };
  row("convolution", counts.convolution, "7.26", "0.04", "183.36", list);
  row("BatchNorm", counts.batch_norm, "0.03", "0.03", "1.00", norm);
  row("ReLU", counts.relu, "0.008", "0.02", "0.50",
      "the paper leaves out the ReLU behind the first convolution (8.3 of 9.1 million elements)");
  row("other", counts.other, "0.01", "0.02", "0.53",
      "the paper does not say what it counts: ours are residual additions, pooling and the classifier");
  row("total, unfused", total, "7.31", "0.11", "66.94", list);
  row("total, fused", counts.fused(), "7.28", "0.06", "121.36", list);
  const Count bert = workloads::count_transformer(workloads::kBertBase, 128, CountingRule::kAsPrinted).total();
  rows.push_back(
      compared("section 2.2.1: FLOPs of BERT-Base, l=128, over ResNet-50", "3.07", bert.flops / total.flops, list));
  rows.push_back(
      compared("section 2.2.1: MOPs of BERT-Base, l=128, over ResNet-50", "1.28", bert.bytes / total.bytes, list));
}

}  // namespace

CaseStudy workload_analysis() {
  CaseStudy study{"E1", "workload analysis", kDescription, {}};
  transformers(study.rows);
  convolutions(study.rows);
  resnet(study.rows);
  return study;
}

}  // namespace systole::study
