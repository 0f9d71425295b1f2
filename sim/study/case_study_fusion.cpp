// E5: softmax and LayerNorm in the read-out of the product before them, against steps of their own (section 5.5.2, figures 21 and 22).
#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/target.h"
#include "sim/study/case_study.h"
#include "sim/study/case_study_runs.h"
#include "workloads/case_study/fusion.h"

namespace systole::study {
namespace {

using workloads::NormalisedProduct;
using workloads::PairNorm;

constexpr const char* kDescription =
    "Latency of a product and the normalisation behind it, fused against not fused, 256 KiB scratchpad, BERT-Base. Three numbers "
    "for each case:\n"
    "* the paper's, an estimate of a mapping tool (Timeloop);\n"
    "* an estimate in that manner (\"other reading\"): each step takes the larger of its arithmetic and its traffic, with the "
    "tiles of Gemmini's library; a fused normalisation is hidden, a step of its own takes three passes of 16 elements a cycle; traffic "
    "at 8 bytes a cycle, as in the description of Gemmini for Timeloop in its repository (modeling/timeloop/arch, February 2023), "
    "and at the 16 of the simulated bus;\n"
    "* the simulated machine, with the commands of Gemmini's library: `tiled_matmul_auto` with softmax or LayerNorm in the read-out, "
    "against int32 results in memory and a pass of its own (LayerNorm: `tiled_norm_auto`; softmax: our kernel library's, since "
    "Gemmini's layer never runs one). Memory is ideal (20 cycles, 16 bytes a cycle).\n\n"
    "One cause is removed at a time, at l = 512: a scratchpad of two ports, in which loads do not disturb reads. The other way, "
    "a bus of 8 bytes, or an L2 and DRAM of 100 cycles behind the port, make the passes over int32 results dear.\n\n"
    "One head is simulated and counts twelve times: heads are equal. Results of fused and unfused programs are compared byte by "
    "byte on random operands (l = 128).\n\n"
    "What Gemmini's library cannot do: a whole row has to fit half of the accumulator, because loops alternate between the halves. "
    "At l = 4096 a row of scores is 16 KiB and a tile of 16 rows 256 KiB, so the fused softmax needs an accumulator of 512 KiB "
    "there; and LayerNorm of 768 columns leaves half of 128 KiB room for one tile of rows.\n\n"
    "To repeat: `systole reproduce E5 --out DIR`; machines `survey-256-128` and `survey-256-256`.";

constexpr double kHeads = 12;

struct Pair {
  const char* name;
  PairNorm norm;
  std::uint64_t columns, inner;  // columns 0: as many as rows
  double times;
};
constexpr Pair kScores = {"QxK + softmax", PairNorm::kSoftmax, 0, 64, kHeads};
constexpr Pair kOutput = {"W_out + LayerNorm", PairNorm::kLayerNorm, 768, 768, 1};
constexpr Pair kSecond = {"W_2 + LayerNorm", PairNorm::kLayerNorm, 768, 3072, 1};

struct Machine {
  const char* memory;  // "ideal" "ports-2" "bus-8" "soc-100"
  int accumulator_kib;
};

config::MachineConfig machine_of(const Machine& m) {
  std::vector<config::Setting> settings = {{"accumulator.kib", std::to_string(m.accumulator_kib), "E5"}};
  if (std::string(m.memory) == "ports-2") settings.push_back({"scratchpad.ports", "2", "E5"});
  if (std::string(m.memory) == "bus-8") settings.push_back({"dma.bus_bytes", "8", "E5"});
  if (std::string(m.memory) == "soc-100") {
    settings.push_back({"memory.model", "soc", "E5"});
    settings.push_back({"soc.axi_latency", "100", "E5"});
  }
  return config::change_machine(config::preset_machine("survey-256-256"), settings);
}

std::string text_of(const Machine& m) {
  const std::string memory = m.memory;
  if (memory == "ports-2") return "scratchpad of two ports";
  if (memory == "bus-8") return "bus of 8 bytes";
  return memory == "ideal" ? "ideal memory" : "L2 and DRAM of 100 cycles";
}

NormalisedProduct product_of(const Pair& pair, std::uint64_t rows, bool fused) {
  NormalisedProduct p;
  p.norm = pair.norm;
  p.rows = rows;
  p.columns = pair.columns == 0 ? rows : pair.columns;
  p.inner = pair.inner;
  p.fused = fused;
  return p;
}

CaseRun run_of(const Pair& pair, std::uint64_t rows, const Machine& machine, bool fused) {
  const char* kind = pair.norm == PairNorm::kSoftmax ? "softmax" : "norm";
  return {fmt::format("pair-{}-{}-{}-{}-{}-{}", kind, rows, pair.inner, machine.memory, machine.accumulator_kib,
                      fused ? "fused" : "plain"),
          product_of(pair, rows, fused), machine_of(machine)};
}

// Cycles of a pair both ways.
struct Both {
  double plain = 0, fused = 0;
  [[nodiscard]] double change() const { return 100 * (fused / plain - 1); }
  Both& operator+=(const Both& other) {
    plain += other.plain, fused += other.fused;
    return *this;
  }
};

// One number of the paper.
struct Case {
  const char* place;
  std::uint64_t rows;
  int accumulator_kib;        // the paper's
  std::vector<const Pair*> pairs;
  const char* printed;
  bool doubled = false;       // the accumulator has to be twice as large to run it at all
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"figure 21", 512, 128, {&kScores}, "-78"},
      {"figure 21", 512, 256, {&kScores}, "-78"},
      {"figure 21", 512, 128, {&kOutput}, "83"},
      {"figure 21", 512, 256, {&kOutput}, "-4"},
      {"figure 21", 512, 128, {&kScores, &kOutput}, "-23"},
      {"figure 21", 512, 256, {&kScores, &kOutput}, "-52"},
      {"figure 21", 4096, 256, {&kScores}, "-22", true},
      {"figure 21", 4096, 256, {&kScores, &kOutput}, "-21", true},
      {"figure 22", 512, 256, {&kSecond}, "27"},
      {"figure 22", 4096, 256, {&kSecond}, "27"},
  };
  return list;
}

std::string names_of(const Case& c) {
  std::string text;
  for (const Pair* pair : c.pairs) text += fmt::format("{}{}", text.empty() ? "" : " and ", pair->name);
  return text;
}

// Where the cycles of one pair go, for the cause.
std::string parts_of(const Pair& pair, const CaseNumbers& plain, const CaseNumbers& fused) {
  const double norm = static_cast<double>(plain.cycles_of("norm"));
  const auto waiting = [&](const char* state) {
    return 100 * static_cast<double>(fused.counters.at(std::string("study.execute.") + state)) / static_cast<double>(fused.cycles);
  };
  return fmt::format("{}: product {:.4g}, normalisation {:.4g} ({:.0f} %), fused {:.4g} cycles, in {:.0f} % of which the array waits "
                     "for a bank that a load writes, in {:.0f} % for two operands in one bank",
                     pair.name, pair.times * static_cast<double>(plain.cycles_of("product")), pair.times * norm,
                     100 * norm / static_cast<double>(plain.cycles), pair.times * static_cast<double>(fused.cycles),
                     waiting("bank_busy"), waiting("bank_conflict"));
}

void context(std::vector<CaseRow>& rows, const std::string& item, double ours, const std::string& cause) {
  rows.push_back({item, "", ours, CaseVerdict::kContext, cause});
}

void same_numbers(const CaseOptions& options, std::vector<CaseRow>& rows) {
  std::vector<CaseRun> runs;
  const std::vector<const Pair*> pairs = {&kScores, &kOutput, &kSecond};
  for (const Pair* pair : pairs) {
    for (const bool fused : {false, true}) {
      CaseRun run = run_of(*pair, 128, {"ideal", 256}, fused);
      std::get<NormalisedProduct>(run.layer).values = true;
      run.id += "-values";
      runs.push_back(run);
    }
  }
  const std::vector<CaseNumbers> numbers = run_cases(runs, options);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const std::uint64_t plain = numbers[2 * p].counters.at(kResultChecksum), fused = numbers[2 * p + 1].counters.at(kResultChecksum);
    if (plain != fused)
      throw InternalError(fmt::format("{}: fused and unfused results differ ({:08x}, {:08x})", pairs[p]->name, fused, plain));
    context(rows, fmt::format("{}, l=128: results of the fused and of the unfused program are the same bytes", pairs[p]->name), 1,
            fmt::format("CRC-32 {:08x} of both, random operands", plain));
  }
}

}  // namespace

CaseStudy fusion(const CaseOptions& options) {
  CaseStudy study{"E5", "fusion of products and normalisations", kDescription, {}};
  std::vector<CaseRun> runs;
  const auto add = [&](const Pair& pair, std::uint64_t rows, const Machine& machine) {
    for (const bool fused : {false, true}) runs.push_back(run_of(pair, rows, machine, fused));
    return runs.size() - 2;
  };
  struct Simulated {
    const Case* of;
    Machine machine;
    std::vector<std::size_t> first;  // run of each pair, not fused; the next one is fused
  };
  std::vector<Simulated> simulated;
  for (const Case& c : cases()) {
    if (options.quick && c.rows > 512) continue;
    for (const char* memory : {"ideal", "ports-2", "bus-8", "soc-100"}) {
      if (std::string(memory) != "ideal" && (c.rows > 512 || options.quick)) continue;
      Simulated s{&c, {memory, c.doubled ? 2 * c.accumulator_kib : c.accumulator_kib}, {}};
      for (const Pair* pair : c.pairs) s.first.push_back(add(*pair, c.rows, s.machine));
      simulated.push_back(s);
    }
  }
  const std::vector<CaseNumbers> numbers = run_cases(runs, options);
  const auto cycles_of = [&](const Simulated& s) {
    Both cycles;
    for (std::size_t p = 0; p < s.of->pairs.size(); ++p) {
      const double times = s.of->pairs[p]->times;
      cycles += {times * static_cast<double>(numbers[s.first[p]].cycles), times * static_cast<double>(numbers[s.first[p] + 1].cycles)};
    }
    return cycles;
  };
  const auto estimate_of = [](const Simulated& s, double bus) {
    const kernels::Target target = run::target_of(machine_of(s.machine).params);
    Both estimate;
    for (const Pair* pair : s.of->pairs) {
      estimate += {pair->times * estimate_pair(product_of(*pair, s.of->rows, false), target, bus).cycles(),
                   pair->times * estimate_pair(product_of(*pair, s.of->rows, true), target, bus).cycles()};
    }
    return estimate;
  };
  for (std::size_t n = 0; n < simulated.size(); ++n) {
    const Simulated& s = simulated[n];
    const Case& c = *s.of;
    const Both cycles = cycles_of(s);
    std::string parts;
    for (std::size_t p = 0; p < c.pairs.size(); ++p) {
      const Pair& pair = *c.pairs[p];
      parts += fmt::format("{}{}", parts.empty() ? "" : "; ", parts_of(pair, numbers[s.first[p]], numbers[s.first[p] + 1]));
    }
    if (c.doubled) parts += fmt::format(" (accumulator of {} KiB)", s.machine.accumulator_kib);
    const std::string item = fmt::format("{}: l={}, accumulator {} KiB, {}, change of latency, %", c.place, c.rows, c.accumulator_kib,
                                         names_of(c));
    if (std::string(s.machine.memory) != "ideal") {
      study.rows.push_back(compared(fmt::format("{} ({})", item, text_of(s.machine)), c.printed, cycles.change(), parts));
      study.rows.back().verdict = CaseVerdict::kReading;
      continue;
    }
    // The same case with other memories comes next, if it was run.
    std::string others;
    for (std::size_t m = n + 1; m < simulated.size() && simulated[m].of == s.of && simulated[m].machine.memory != s.machine.memory; ++m)
      others += fmt::format("{} {:.3g} %; ", text_of(simulated[m].machine), cycles_of(simulated[m]).change());
    parts = others + parts;
    study.rows.push_back(compared(item, c.printed, cycles.change(), parts));
    for (const double bus : {8.0, 16.0}) {
      const Both estimate = estimate_of(s, bus);
      study.rows.push_back(compared(fmt::format("{} (estimate, {:.0f} bytes a cycle)", item, bus), c.printed, estimate.change(),
                                    fmt::format("{:.4g} cycles not fused, {:.4g} fused; simulation with 16 bytes over estimate {:.3f} "
                                                "and {:.3f}",
                                                estimate.plain, estimate.fused, cycles.plain / estimate.plain,
                                                cycles.fused / estimate.fused)));
      study.rows.back().verdict = CaseVerdict::kReading;
    }
  }
  if (options.quick) {
    for (const Case& c : cases()) {
      if (c.rows > 512)
        study.rows.push_back({fmt::format("{}: l={}, accumulator {} KiB, {}, change of latency, %", c.place, c.rows, c.accumulator_kib,
                                          names_of(c)),
                              c.printed, std::nullopt, CaseVerdict::kOpen, "not with --quick"});
    }
  }
  same_numbers(options, study.rows);
  return study;
}

}  // namespace systole::study
