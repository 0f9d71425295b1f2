// E4: where the time of BERT-Base goes, with non-linear operations on the CPU and in the accelerator (sections 3.4.2 to
// 3.4.4, figure 14).
#include <cmath>

#include <fmt/format.h>

#include "hw/params/host_costs.h"
#include "sim/base/errors.h"
#include "sim/study/case_study.h"
#include "sim/study/case_study_runs.h"

namespace systole::study {
namespace {

using hw::HostCode;
using hw::HostKernel;
using hw::HostMemory;
using workloads::LayerProducts;

constexpr const char* kDescription =
    "Time of an encoder layer of BERT-Base, twice, both simulated.\n"
    "* Baseline: matrix products on the accelerator with 256/64 KiB (`survey-baseline`), everything else on the CPU in floating "
    "point, one after the other. What an operation takes on the CPU was measured on the RTL of a Rocket core, per element, line "
    "and row (`hw/params/host_costs.def`).\n"
    "* With the I-BERT units: the layer as Gemmini's published software issues it, all on the accelerator with 64/256 KiB "
    "(`survey-64-256`). Its commands equal those of the recorded program of that software in every bit (tests/workload, "
    "l_enc_base_128), and its cycles those of the RTL. Softmax is the time of scores with softmax less that of scores alone.\n\n"
    "What the paper leaves open, and what we chose before looking at its numbers: the CPU is Rocket; its code is plain C with the "
    "C library's expf and erff, -O2; its data come from DRAM (30 cycles on AXI), because the scores of a layer at l = 512 do not "
    "fit an L2; a residual addition is an addition of two floats. De- and re-quantisation: of the results of all products and of "
    "their inputs. The accelerator's memory is ideal (20 cycles) in the first rows.\n\n"
    "Other codes, places of the data and counts of conversions stand below, one change at a time. They change nothing but the "
    "CPU's own time, so they are the simulated products and the CPU's sums; a row compares such a sum with the simulated "
    "baseline. `systole run bert-base --machine survey-baseline --set host.code=ibert` computes the layer that way, with values.\n\n"
    "To repeat: `systole reproduce E4 --out DIR`.";

struct HostChoice {
  std::string text;
  HostCode code = HostCode::kLibm;
  HostMemory memory = hw::host_dram(30);
  bool wide_residual = true;  // false: operands and result of the residual addition are 8 bits, converted in it
  bool all_products = true;   // false: only values that enter or leave an operation of the CPU are converted
};

struct Shares {
  double products = 0, gelu = 0, softmax = 0, norm = 0, residual = 0, conversion = 0;
  [[nodiscard]] double total() const { return products + gelu + softmax + norm + residual + conversion; }
  [[nodiscard]] double percent(double Shares::*part) const { return 100 * this->*part / total(); }
};

// Of the program that workloads::layer_products emits, from the costs alone.
Shares by_costs(std::uint64_t rows, double product_cycles, const HostChoice& choice) {
  constexpr double kModel = 768, kFeedForward = 3072, kHeads = 12;
  const double l = static_cast<double>(rows);
  const auto host = [&](HostKernel kernel, double n, double columns) {
    return hw::host_cycles(kernel, choice.code, choice.memory, n, n * columns);
  };
  const auto both = [&](double n, double columns) {
    return host(HostKernel::kDequantise8, n, columns) + host(HostKernel::kQuantise, n, columns);
  };
  Shares shares;
  shares.products = product_cycles;
  shares.softmax = host(HostKernel::kSoftmax, kHeads * l, l);
  shares.gelu = host(HostKernel::kGelu, l, kFeedForward);
  shares.norm = 2 * host(HostKernel::kLayerNorm, l, kModel);
  shares.residual = 2 * host(HostKernel::kResidual, l, kModel);
  const double operand = 2 * host(HostKernel::kDequantise8, l, kModel);
  const double matrices = choice.all_products ? 6 : 2;
  shares.conversion = matrices * both(l, kModel) + both(l, kFeedForward) + both(kHeads * l, l);
  if (choice.wide_residual) {
    shares.conversion += operand;
  } else {
    shares.residual += operand + 2 * both(l, kModel);
  }
  return shares;
}

Shares simulated_baseline(const CaseNumbers& n) {
  const auto cycles = [&](const char* region) { return static_cast<double>(n.cycles_of(region)); };
  Shares shares;
  shares.softmax = cycles("softmax");
  shares.gelu = cycles("gelu");
  shares.norm = cycles("layer_norm");
  shares.residual = cycles("residual");
  shares.conversion = cycles("conversion");
  shares.products = static_cast<double>(n.cycles) - shares.softmax - shares.gelu - shares.norm - shares.residual - shares.conversion;
  return shares;
}

Shares accelerated(const CaseNumbers& layer, const CaseNumbers& products) {
  const auto cycles = [&](const char* region) { return static_cast<double>(layer.cycles_of(region)); };
  Shares shares;
  shares.softmax = cycles("scores_softmax") - static_cast<double>(products.cycles_of("scores"));
  shares.norm = cycles("ln1") + cycles("ln2");
  shares.residual = cycles("resadd1") + cycles("resadd2");
  shares.products = static_cast<double>(layer.cycles) - shares.softmax - shares.norm - shares.residual;
  return shares;
}

void context(std::vector<CaseRow>& rows, const std::string& item, double ours, const std::string& cause) {
  rows.push_back({item, "", ours, CaseVerdict::kContext, cause});
}

struct Part {
  const char* name;
  double Shares::*value;
  const char* printed;
};
constexpr Part kBaseline[] = {{"matrix products", &Shares::products, "1"},     {"GELU", &Shares::gelu, "10"},
                              {"softmax", &Shares::softmax, "19"},             {"LayerNorm", &Shares::norm, "4"},
                              {"residual addition", &Shares::residual, "11"},  {"de- and quantisation", &Shares::conversion, "49"}};
constexpr Part kUnits[] = {{"matrix products with GELU", &Shares::products, "87"},
                           {"softmax", &Shares::softmax, "3"},
                           {"LayerNorm", &Shares::norm, "7"},
                           {"residual addition", &Shares::residual, "4"}};

const std::vector<HostChoice>& choices() {
  const HostMemory dram = hw::host_dram(30);
  static const std::vector<HostChoice> list = {
      {"as above"},
      {hw::text_of(HostCode::kSizeLibm), HostCode::kSizeLibm},
      {hw::text_of(HostCode::kPolynomial), HostCode::kPolynomial},
      {hw::text_of(HostCode::kFastMath), HostCode::kFastMath},
      {hw::text_of(HostCode::kIbert), HostCode::kIbert},
      {hw::text_of(HostCode::kUnrolled), HostCode::kUnrolled},
      {hw::text_of(HostCode::kUnoptimised), HostCode::kUnoptimised},
      {"data in the L1", HostCode::kLibm, hw::kHostL1},
      {"data in the L2", HostCode::kLibm, hw::kHostL2},
      {"DRAM of 100 cycles", HostCode::kLibm, hw::host_dram(100)},
      {"residual addition of 8-bit operands", HostCode::kLibm, dram, false},
      {"conversions only around the CPU's operations", HostCode::kLibm, dram, true, false},
      {"I-BERT's polynomials and residual addition of 8-bit operands", HostCode::kIbert, dram, false},
  };
  return list;
}

// The paper's 39.6 times and shares, as far as a choice is from them.
double distance(const Shares& s) {
  double sum = 0;
  for (const Part& part : kBaseline) sum += std::abs(s.percent(part.value) - std::stod(part.printed));
  return sum;
}

const HostChoice& nearest_choice(std::uint64_t rows, double products) {
  const HostChoice* best = &choices()[0];
  for (const HostChoice& choice : choices()) {
    if (distance(by_costs(rows, products, choice)) < distance(by_costs(rows, products, *best))) best = &choice;
  }
  return *best;
}

// What the share becomes when one thing changes: the cause of a deviation, with its number.
std::string removed(const Part& part, const Shares& ours, std::uint64_t l) {
  const auto with = [&](const HostChoice& choice) { return by_costs(l, ours.products, choice).percent(part.value); };
  const HostChoice ibert{"", HostCode::kIbert}, l2{"", HostCode::kLibm, hw::kHostL2},
      narrow{"", HostCode::kLibm, hw::host_dram(30), false}, few{"", HostCode::kLibm, hw::host_dram(30), true, false};
  std::string text = fmt::format("{:.4g} cycles per layer; with I-BERT's polynomials instead of the C library {:.3g} %, data in the L2 "
                                 "{:.3g} %, 8-bit residual operands {:.3g} %, fewer conversions {:.3g} %",
                                 ours.*part.value, with(ibert), with(l2), with(narrow), with(few));
  if (part.value == &Shares::products)
    text += "; the paper's text says 4 (96 % is not products), and 1 cannot be: with 39.6 times less time and 87 % products afterwards "
            "they would have become slower";
  return text;
}

struct Length {
  std::uint64_t rows;
  Shares cpu, units, soc_units;
  double macs;
};

void add_length(std::vector<CaseRow>& rows, const Length& length, bool has_soc) {
  const std::uint64_t l = length.rows;
  const bool printed = l == 512;
  for (const Part& part : kBaseline) {
    const std::string item = fmt::format("figure 14: baseline, l={}, {}, % of time", l, part.name);
    if (!printed) {
      context(rows, item, length.cpu.percent(part.value), fmt::format("{:.0f} cycles per layer", length.cpu.*part.value));
      continue;
    }
    rows.push_back(compared(item, part.printed, length.cpu.percent(part.value), removed(part, length.cpu, l)));
    if (part.value == &Shares::products && rows.back().verdict == CaseVerdict::kDeviation)
      rows.back().verdict = CaseVerdict::kContradiction;
  }
  if (printed) {
    rows.push_back(compared("section 3.4.2: baseline, l=512, not matrix products, % of time", "96",
                            100 - length.cpu.percent(&Shares::products), removed(kBaseline[0], length.cpu, l)));
  }
  for (const Part& part : kUnits) {
    const std::string item = fmt::format("figure 14: I-BERT units, l={}, {}, % of time", l, part.name);
    const std::string cycles = fmt::format("{:.0f} cycles per layer", length.units.*part.value);
    if (!printed) {
      context(rows, item, length.units.percent(part.value), cycles);
      continue;
    }
    std::string cause = cycles;
    if (has_soc) cause += fmt::format("; behind L2 and DRAM of 100 cycles {:.3g} %", length.soc_units.percent(part.value));
    rows.push_back(compared(item, part.printed, length.units.percent(part.value), cause));
  }
  const std::string item = fmt::format("section 3.4.4: speed-up by the units and the split of the memories, l={}", l);
  const double speed_up = length.cpu.total() / length.units.total();
  if (printed) {
    const HostChoice& near = nearest_choice(l, length.cpu.products);
    const Shares s = by_costs(l, length.cpu.products, near);
    rows.push_back(compared(item, "39.6", speed_up,
                            fmt::format("{:.4g} / {:.4g} cycles for 12 layers; the baseline is the CPU's code: with \"{}\", whose "
                                        "shares come nearest to figure 14, {:.4g}",
                                        12 * length.cpu.total(), 12 * length.units.total(), near.text,
                                        s.total() / length.units.total())));
  } else {
    context(rows, item, speed_up, fmt::format("{:.0f} / {:.0f} cycles per layer", length.cpu.total(), length.units.total()));
  }
  context(rows, fmt::format("baseline, l={}, % utilisation of the array", l), 100 * length.macs / (length.cpu.total() * 256),
          "\"far less than 1 %\" in section 3.4.2");
}

}  // namespace

CaseStudy time_shares(const CaseOptions& options) {
  CaseStudy study{"E4", "where time goes", kDescription, {}};
  std::vector<std::uint64_t> lengths = {512, 256, 128};
  if (options.quick) lengths = {128};
  const config::MachineConfig before = config::preset_machine("survey-baseline");
  const config::MachineConfig after = config::preset_machine("survey-64-256");
  const config::MachineConfig soc =
      config::change_machine(after, {{"memory.model", "soc", "E4"}, {"soc.axi_latency", "100", "E4"}});
  const config::MachineConfig soc_before =
      config::change_machine(before, {{"memory.model", "soc", "E4"}, {"soc.axi_latency", "100", "E4"}});
  std::vector<CaseRun> runs;
  for (const std::uint64_t l : lengths) {
    LayerProducts products;
    products.rows = l;
    LayerProducts cpu = products;
    cpu.cpu = LayerProducts::Cpu::kAll;
    runs.push_back({fmt::format("products-{}-cpu-256-64", l), cpu, before});
    runs.push_back({fmt::format("layer-{}-64-256", l), bert_base_layer(l), after});
    runs.push_back({fmt::format("products-{}-64-256", l), products, after});
  }
  LayerProducts products;
  products.rows = lengths[0];
  LayerProducts cpu = products;
  cpu.cpu = LayerProducts::Cpu::kAll;
  const std::size_t on_soc = runs.size();
  runs.push_back({fmt::format("layer-{}-soc-100-64-256", lengths[0]), bert_base_layer(lengths[0]), soc});
  runs.push_back({fmt::format("products-{}-64-256-soc-100", lengths[0]), products, soc});
  runs.push_back({fmt::format("products-{}-cpu-soc-100-256-64", lengths[0]), cpu, soc_before});
  const std::vector<CaseNumbers> numbers = run_cases(runs, options);
  const Shares soc_units = accelerated(numbers[on_soc], numbers[on_soc + 1]);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    add_length(study.rows,
               {lengths[i], simulated_baseline(numbers[3 * i]), accelerated(numbers[3 * i + 1], numbers[3 * i + 2]), soc_units,
                static_cast<double>(numbers[3 * i].macs)},
               i == 0);
  }
  const Shares cpu_first = simulated_baseline(numbers[0]);
  const double units = accelerated(numbers[1], numbers[2]).total();
  context(study.rows, fmt::format("baseline, l={}: products and sums of the CPU's costs over the simulated layer", lengths[0]),
          by_costs(lengths[0], cpu_first.products, choices()[0]).total() / cpu_first.total(),
          "1: the CPU's operations wait for nothing and overlap with nothing, so the following rows need no run of their own");
  for (const HostChoice& choice : choices()) {
    const Shares s = by_costs(lengths[0], cpu_first.products, choice);
    context(study.rows, fmt::format("one change at a time, l={}: {}: speed-up", lengths[0], choice.text), s.total() / units,
            fmt::format("products {:.1f}, GELU {:.1f}, softmax {:.1f}, LayerNorm {:.1f}, residual addition {:.1f}, conversions {:.1f} % "
                        "of {:.4g} cycles for 12 layers",
                        s.percent(&Shares::products), s.percent(&Shares::gelu), s.percent(&Shares::softmax), s.percent(&Shares::norm),
                        s.percent(&Shares::residual), s.percent(&Shares::conversion), 12 * s.total()));
  }
  const Shares soc_cpu = simulated_baseline(numbers[on_soc + 2]);
  context(study.rows, fmt::format("L2 and DRAM of 100 cycles for both, l={}: speed-up", lengths[0]), soc_cpu.total() / soc_units.total(),
          fmt::format("with the units: products {:.1f}, softmax {:.1f}, LayerNorm {:.1f}, residual addition {:.1f} % of {:.4g} cycles for "
                      "12 layers; products before: {:.1f} %",
                      soc_units.percent(&Shares::products), soc_units.percent(&Shares::softmax), soc_units.percent(&Shares::norm),
                      soc_units.percent(&Shares::residual), 12 * soc_units.total(), soc_cpu.percent(&Shares::products)));
  return study;
}

}  // namespace systole::study
