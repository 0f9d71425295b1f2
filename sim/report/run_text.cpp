#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/report/run_report.h"
#include "sim/report/table.h"

namespace systole::report {
namespace {

using run::RegionResult;
using run::Results;

double share(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

std::string headline(const Results& r) {
  const std::string sizes = r.of_program() ? std::string() : fmt::format(", seq {}, {} layer{}", r.seq, r.layers, r.layers == 1 ? "" : "s");
  return fmt::format("{}{} on machine {} ({}x{} array, {} KiB scratchpad, {} KiB accumulator)", r.workload, sizes, r.machine.preset, r.machine.params.array.dim,
                     r.machine.params.array.dim, r.machine.params.scratchpad.kib, r.machine.params.accumulator.kib);
}

std::string summary(const Results& r) {
  if (r.macs == 0) return fmt::format("{} cycles, {} commands\n", grouped(r.cycles), grouped(r.commands));
  return fmt::format("{} cycles, {} multiply-accumulates, array utilisation {}, {} commands\n", grouped(r.cycles), grouped(r.macs),
                     percent(run::utilisation(r.macs, r.cycles, r.machine.params.array.dim)), grouped(r.commands));
}

bool has_tokens(const Results& r) {
  return std::any_of(r.regions.begin(), r.regions.end(), [](const RegionResult& region) { return region.name.rfind("token.", 0) == 0; });
}

// Regions begin when their first command is offered: without a fence between them the array still works for the one before.
std::string utilisation_text(std::uint64_t macs, Cycle cycles, int dim) {
  if (macs == 0) return "-";
  const double utilisation = run::utilisation(macs, cycles, dim);
  return utilisation > 1 ? "> 100 %" : percent(utilisation);
}

Table region_table(const Results& r, bool every_layer) {
  Table table({{"region"}, {"cycles", Align::kRight}, {"share", Align::kRight}, {"MACs", Align::kRight}, {"utilisation", Align::kRight},
               {"largest stall"}, {"cycles", Align::kRight}});
  const int dim = r.machine.params.array.dim;
  for (const RegionResult& region : run::merged_regions(r.regions, !every_layer && (r.layers > 1 || has_tokens(r)))) {
    const run::LargestStall stall = run::largest_stall(region.accounts);
    table.row({region.name, grouped(region.cycles), percent(share(region.cycles, r.cycles)), grouped(region.macs),
               utilisation_text(region.macs, region.cycles, dim),
               stall.cycles == 0 ? "-" : stall.unit + ": " + stall.state, stall.cycles == 0 ? "" : grouped(stall.cycles)});
  }
  table.rule();
  table.row({"all", grouped(r.cycles), percent(1), grouped(r.macs), percent(run::utilisation(r.macs, r.cycles, dim)), "", ""});
  return table;
}

constexpr double kSmallestShown = 0.0005;   // a share that would print as 0.0 %

// The stalls of a unit, largest first.
std::string stall_list(const hw::UnitAccount& account, Cycle cycles) {
  std::vector<hw::StateCycles> stalls;
  for (const hw::StateCycles& state : account.states) {
    if (state.stall && share(state.cycles, cycles) >= kSmallestShown) stalls.push_back(state);
  }
  std::stable_sort(stalls.begin(), stalls.end(), [](const auto& a, const auto& b) { return a.cycles > b.cycles; });
  std::vector<std::string> parts;
  for (const hw::StateCycles& stall : stalls) parts.push_back(fmt::format("{} {}", stall.name, percent(share(stall.cycles, cycles))));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::uint64_t cycles_of(const hw::UnitAccount& account, const char* name) {
  std::uint64_t sum = 0;
  for (const hw::StateCycles& state : account.states) {
    if (!state.stall && state.name == name) sum += state.cycles;
  }
  return sum;
}

Table unit_table(const std::vector<hw::UnitAccount>& accounts, Cycle cycles) {
  Table table({{"unit"}, {"busy", Align::kRight}, {"stalled", Align::kRight}, {"idle", Align::kRight}, {"stalls, in shares of all cycles"}});
  for (const hw::UnitAccount& account : accounts) {
    std::uint64_t stalled = 0;
    for (const hw::StateCycles& state : account.states) stalled += state.stall ? state.cycles : 0;
    table.row({account.unit, percent(share(cycles_of(account, "busy"), cycles)), percent(share(stalled, cycles)),
               percent(share(cycles_of(account, "idle"), cycles)), stall_list(account, cycles)});
  }
  return table;
}

// memory.model = soc: what the caches did, and what reads waited for.
std::string soc_text(const Results& r) {
  const auto value = [&](const std::string& name) -> std::uint64_t {
    const auto counter = std::find_if(r.counters.begin(), r.counters.end(), [&](const hw::Counter& c) { return c.name == name; });
    return counter == r.counters.end() ? 0 : counter->value;
  };
  const std::uint64_t reads = value("memory.read_wait.reads"), total = value("memory.read_wait.total");
  if (reads == 0) return {};
  std::string text = fmt::format("L2: {} hits, {} misses, {} lines given up clean, {} written back\n", grouped(value("memory.l2.hits")),
                                 grouped(value("memory.l2.misses")), grouped(value("memory.l2.victims_clean")), grouped(value("memory.l2.victims_dirty")));
  if (value("memory.llc.reads") + value("memory.llc.writes") != 0) {
    text += fmt::format("last-level cache: {} of {} reads hit, {} of {} writes hit, {} lines written to memory\n", grouped(value("memory.llc.read_hits")),
                        grouped(value("memory.llc.reads")), grouped(value("memory.llc.write_hits")), grouped(value("memory.llc.writes")),
                        grouped(value("memory.llc.victims_dirty")));
  }
  if (const std::uint64_t accesses = value("memory.dram.row_hits") + value("memory.dram.row_misses") + value("memory.dram.row_conflicts"); accesses != 0) {
    text += fmt::format("DRAM: {} lines read, {} written; {} of the accesses found their row open; {} refreshes\n", grouped(value("memory.dram.reads")),
                        grouped(value("memory.dram.writes")), percent(share(value("memory.dram.row_hits"), accesses)), grouped(value("memory.dram.refreshes")));
  }
  if (value("memory.cpu.misses") != 0) {
    text += fmt::format("CPU: {} lines fetched into its L1, {} written back, {} probed by the L2; {} cycles waited\n", grouped(value("memory.cpu.misses")),
                        grouped(value("memory.cpu.write_backs")), grouped(value("memory.cpu.probes")), grouped(value("memory.cpu.wait")));
  }
  Table table({{"a read waits for"}, {"cycles", Align::kRight}, {"per read", Align::kRight}, {"share", Align::kRight}});
  const std::pair<const char*, const char*> parts[] = {
      {"bus", "bus, behind other answers"},   {"hit", "L2 hit: lookup, data, way back"}, {"miss", "L2 miss: the line from memory"},
      {"mshr_full", "L2 input: no MSHR free"}, {"same_set", "L2: another request to the set"}, {"row_miss", "DRAM row miss"},
      {"refresh", "DRAM refresh"},            {"llc", "last-level cache"},               {"probe", "probe of the CPU's L1"}};
  for (const auto& [name, what] : parts) {
    const std::uint64_t cycles = value(std::string("memory.read_wait.") + name);
    if (cycles != 0) table.row({what, grouped(cycles), fmt::format("{:.1f}", static_cast<double>(cycles) / static_cast<double>(reads)), percent(share(cycles, total))});
  }
  table.rule();
  table.row({fmt::format("all, {} reads", grouped(reads)), grouped(total), fmt::format("{:.1f}", static_cast<double>(total) / static_cast<double>(reads)), percent(1)});
  return text + table.text();
}

// The first and last of many.
std::string some(const std::vector<std::int32_t>& tokens) {
  constexpr std::size_t kShown = 24, kEnds = 8;
  if (tokens.size() <= kShown) return fmt::format("{}", fmt::join(tokens, " "));
  const auto end = static_cast<std::ptrdiff_t>(kEnds);
  return fmt::format("{} ... {} ({} tokens)", fmt::join(tokens.begin(), tokens.begin() + end, " "), fmt::join(tokens.end() - end, tokens.end(), " "),
                     tokens.size());
}

std::string tokens_text(const run::SequenceTokens& s) {
  std::string text = s.prompt.empty() ? std::string() : fmt::format("tokens: {}\n", some(s.prompt));
  if (!s.generated.empty()) text += fmt::format("generated: {}\n", fmt::join(s.generated, " "));
  if (!s.predicted.empty()) text += fmt::format("most likely: {}\n", some(s.predicted));
  return text;
}

std::string check_text(const Results& r) {
  const run::CheckResult& checks = *r.checks;
  const char* const elements = r.of_program() ? "bytes" : "elements";
  const char* const reference = r.of_program() ? "functional model of the instruction set" : "integer reference";
  std::string text;
  if (checks.mismatches != 0) {
    text = fmt::format("values: {} of {} {} DIFFER from the {}; first: {}\n", grouped(checks.mismatches), grouped(checks.elements), elements, reference, checks.first_mismatch);
  } else if (r.of_program()) {
    text = fmt::format("values: {} bytes stored, equal to the {}\n", grouped(checks.elements), reference);
  } else {
    text = fmt::format("values: {} tensors ({} elements) equal to the {}\n", checks.boundaries, grouped(checks.elements), reference);
  }
  if (const run::CheckResult::Overflows& o = checks.overflows; o.total() != 0) {
    text += fmt::format("warning: integers that left their range: {} accumulator words, {} GELU elements, {} softmax rows, {} LayerNorm rows\n", o.accumulator, o.gelu,
                        o.exp_sum, o.variance);
  }
  if (checks.against_float) {
    const auto& f = *checks.against_float;
    const bool promised = f.min_sqnr_db > 0;
    text += fmt::format("against float: cosine {:.6f}{}, SQNR {:.1f} dB{}, largest error {:.3f} of the largest value\n", f.cosine,
                        promised ? fmt::format(" (at least {:.4f})", f.min_cosine) : "", f.sqnr_db,
                        promised ? fmt::format(" (at least {:.1f})", f.min_sqnr_db) : "", f.max_abs);
  }
  return text;
}

// Where cycles and values come from.
std::string skipping_text(const Results& r) {
  const run::Skipping& s = r.skipping;
  if (!s.wanted) return {};
  if (!s.refused.empty()) return fmt::format("skip-ahead: off, everything was simulated: {}\n", s.refused);
  return fmt::format("skip-ahead: {} pieces simulated, {} repeated because equal to one of them ({} of the cycles){}\n", grouped(s.pieces), grouped(s.repeated),
                     percent(share(s.repeated_cycles, r.cycles)), s.values_of_model ? "; values by the functional model of the instruction set" : "");
}

std::string performance_text(const Results& r) {
  const run::Performance& p = r.performance;
  return fmt::format("simulated in {:.2f} s of CPU time ({:.2f} s elapsed): {:.2f} million cycles per second, {} wake-ups, {} MiB, {} scheduler\n",
                     p.cpu_seconds, p.wall_seconds, p.cpu_seconds == 0 ? 0 : static_cast<double>(r.cycles) / p.cpu_seconds / 1e6,
                     grouped(p.wakeups), p.peak_rss_bytes >> 20, p.scheduler);
}

}  // namespace

Timeline::Run timeline_run(const Results& r) {
  Timeline::Run run{fmt::format("{}: {} cycles", headline(r), grouped(r.cycles)), r.cycles, {}};
  for (const RegionResult& region : r.regions) run.regions.push_back({region.name, region.cycles});
  return run;
}

std::string unit_text(const std::vector<hw::UnitAccount>& accounts, Cycle cycles) {
  return unit_table(accounts, cycles).text() + fmt::format("every unit: busy + stalled + idle = {} cycles\n", grouped(cycles));
}

std::string run_text(const Results& r, const RunReportOptions& options) {
  std::string text = headline(r) + "\n" + summary(r);
  if (!r.regions.empty()) text += "\n" + region_table(r, options.every_layer).text();
  text += "\n" + unit_text(r.accounts, r.cycles) + "\n";
  text += fmt::format("memory port: {} bytes read, {} bytes written, {} transactions\n", grouped(r.memory.read_bytes), grouped(r.memory.write_bytes),
                      grouped(r.memory.transactions));
  text += soc_text(r);
  for (const std::string& warning : r.warnings) text += "warning: " + warning + "\n";
  for (const run::SequenceTokens& s : r.tokens) text += tokens_text(s);
  if (r.checks) {
    text += check_text(r);
  } else {
    text += r.timing_only ? "values: not simulated (--timing-only)\n" : "values: not checked\n";
  }
  return text + skipping_text(r) + performance_text(r);
}

}  // namespace systole::report
