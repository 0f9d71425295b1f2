#include "sim/run/simulation.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>

#include <nlohmann/json.hpp>

#include "hw/host/host_values.h"
#include "hw/ports/port_log.h"
#include "hw/top/machine.h"
#include "isa/image.h"
#include "isa/model/model.h"
#include "sim/base/process_pool.h"
#include "sim/config/geometry.h"
#include "sim/run/workload.h"

namespace systole::run {
namespace {

// Counts what crosses the memory port.
class TrafficCounter final : public hw::PortLog {
 public:
  explicit TrafficCounter(std::function<void(Cycle now)> progress) : progress_(std::move(progress)) {}

  void request(Cycle now, const hw::RequestBeat& beat) override {
    if (beat.last && ++traffic_.transactions % kBetweenProgress == 0) progress_(now);
    if (beat.opcode == hw::TlOpcodeA::kGet) {
      traffic_.read_bytes += std::uint64_t{1} << beat.lg_size;
    } else {
      traffic_.write_bytes += static_cast<std::uint64_t>(__builtin_popcountll(beat.mask));
    }
  }
  void response(Cycle, const hw::ResponseBeat&) override {}
  void response_stalled(Cycle) override {}
  [[nodiscard]] bool stands_repeats() const override { return true; }
  void residual(Residual& r) override {
    r.count(traffic_.read_bytes);
    r.count(traffic_.write_bytes);
    r.count(traffic_.transactions);
  }

  [[nodiscard]] const MemoryTraffic& traffic() const { return traffic_; }

 private:
  static constexpr std::uint64_t kBetweenProgress = 4096;   // transactions

  std::function<void(Cycle)> progress_;
  MemoryTraffic traffic_;
};

std::vector<RegionResult> regions_of(const isa::Program& program, const hw::MachineResult& machine) {
  std::vector<RegionResult> regions;
  std::vector<bool> counted(program.regions.size(), false);
  for (const hw::RegionCycles& region : machine.regions) {
    const isa::Region& info = program.regions.at(region.region);
    // A region that is left and entered again needs its multiply-accumulates once.
    regions.push_back({info.name, region.cycles, counted[region.region] ? 0 : info.macs, region.accounts});
    counted[region.region] = true;
  }
  return regions;
}

// Of this process, or of the one that checks the hidden boundaries if that needed more.
std::uint64_t peak_rss_bytes() {
  rusage self{}, child{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &child);
  return static_cast<std::uint64_t>(std::max(self.ru_maxrss, child.ru_maxrss)) * 1024;   // Linux counts kibibytes
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// CPU time of what a run does, one thing after the other.
class PhaseClock {
 public:
  void begin(const std::string& name) {
    const double now = cpu_seconds();
    if (!phases_.empty()) phases_.back().cpu_seconds += now - since_;
    phases_.push_back({name, 0});
    since_ = now;
  }
  // So much of the running phase belongs to a phase of its own.
  void set_aside(double seconds) {
    since_ += seconds;
    aside_ += seconds;
  }
  // That phase begins: with what was set aside.
  void begin_aside(const std::string& name) {
    begin(name);
    phases_.back().cpu_seconds = aside_;
  }
  [[nodiscard]] double aside() const { return aside_; }
  [[nodiscard]] std::vector<Performance::Phase> end() {
    begin("");
    phases_.pop_back();
    return phases_;
  }

 private:
  std::vector<Performance::Phase> phases_;
  double since_ = 0;
  double aside_ = 0;
};

// The CPU time of a follower is not the simulation's.
class TimedFollower final : public Follower {
 public:
  TimedFollower(std::unique_ptr<Follower> follower, PhaseClock& phases) : follower_(std::move(follower)), phases_(phases) {}

  void at_fence(std::size_t next) override {
    const double before = cpu_seconds();
    follower_->at_fence(next);
    phases_.set_aside(cpu_seconds() - before);
  }
  [[nodiscard]] CheckResult finish() override { return follower_->finish(); }

 private:
  std::unique_ptr<Follower> follower_;
  PhaseClock& phases_;
};

const char* name_of(SchedulerMode mode) {
  switch (mode) {
    case SchedulerMode::kFast: return "fast";
    case SchedulerMode::kNative: return "native";
    case SchedulerMode::kEveryCycle: return "every-cycle";
  }
  return "";
}

// The hidden boundaries need a machine, hence a process, of their own.
std::string check_hidden(const Workload& workload, const config::MachineConfig& machine, const SimulationSettings& settings) {
  const CheckResult result =
      workload.check_hidden([&](const isa::Program& program, Memory& memory, Follower& follower) { (void)simulate(program, memory, machine, settings, &follower); });
  return nlohmann::json{{"boundaries", result.boundaries}, {"elements", result.elements}, {"mismatches", result.mismatches}, {"first", result.first_mismatch}}
      .dump();
}

void add_hidden(CheckResult& checks, const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  checks.boundaries += json.at("boundaries").get<std::uint64_t>();
  checks.elements += json.at("elements").get<std::uint64_t>();
  checks.mismatches += json.at("mismatches").get<std::uint64_t>();
  if (checks.first_mismatch.empty()) checks.first_mismatch = json.at("first").get<std::string>();
}

void set_counter(hw::MachineResult& result, const std::string& name, std::uint64_t value) {
  for (hw::Counter& counter : result.counters) {
    if (counter.name == name) counter.value = value;
  }
}

// What the program leaves in memory, by the functional model.
isa::Overflows compute_values(const isa::Program& program, Memory& memory, const config::MachineConfig& config, Follower* follower,
                              hw::ZeroSums& zero_sums) {
  if (follower == nullptr) {
    isa::load_image(program, memory);
  } else {
    follower->at_fence(0);
  }
  isa::Geometry geometry = config::geometry_of(config.params);
  geometry.loop_conv_encoding = program.encoding.loop_conv;
  isa::Model model(geometry, memory);
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    const isa::Item& item = program.items[n];
    if (item.kind == isa::ItemKind::kCommand) model.execute(item.instruction);
    if (item.kind == isa::ItemKind::kHostOp) hw::compute_host_operation(isa::decode_host_operation(program.host_ops.at(item.value)), memory);
    if (item.kind != isa::ItemKind::kFence) continue;
    zero_sums.at_fence.push_back(model.divisions());
    if (follower != nullptr) follower->at_fence(n + 1);
  }
  zero_sums.rows = model.zero_divisions();
  return model.overflows();
}

// True when the run is complete, with the values in memory; else memory is as new and run.skipping.refused says why.
bool skip_ahead(const isa::Program& program, Memory& memory, const config::MachineConfig& config, const hw::MachineOptions& options,
                const SimulationSettings& settings, Follower* follower, ProgramRun& run) {
  const auto refuse = [&](std::string why) {
    run.skipping.refused = std::move(why);
    memory = Memory(memory.base(), memory.bytes());
    return false;
  };
  try {
    hw::MachineOptions quick = options;
    hw::ZeroSums zero_sums;
    isa::Overflows overflows;
    // Values first: those that time depends on are known then.
    if (!settings.timing_only) {
      settings.progress("computing values");
      overflows = compute_values(program, memory, config, follower, zero_sums);
      quick.zero_sums = &zero_sums;
      settings.progress("simulating");
    }
    hw::Machine machine(config.params, memory, quick);
    run.machine = machine.run(program, settings.timing_only);
    if (!settings.timing_only) {
      set_counter(run.machine, "array.overflow", overflows.array);
      set_counter(run.machine, "accumulator.overflow", overflows.accumulate);
      set_counter(run.machine, "sfu.overflow.gelu", overflows.gelu);
      set_counter(run.machine, "sfu.overflow.exp_sum", overflows.exp_sum);
      set_counter(run.machine, "sfu.overflow.variance", overflows.variance + overflows.row_sum);
      run.skipping.values_of_model = true;
    }
  } catch (const hw::SkipAbandoned& abandoned) {
    return refuse("the program runs into a hazard of the RTL: " + abandoned.hazard);
  } catch (const ModelError& error) {
    return refuse(error.what());   // the full simulation says where
  }
  const hw::SkipCounts& counts = run.machine.skipped.value();
  run.skipping.pieces = counts.simulated;
  run.skipping.repeated = counts.repeated;
  run.skipping.repeated_cycles = counts.repeated_cycles;
  return true;
}

}  // namespace

ProgramRun simulate(const isa::Program& program, Memory& memory, const config::MachineConfig& config, const SimulationSettings& settings,
                    Follower* follower) {
  std::uint64_t macs = 0;
  for (const isa::Region& region : program.regions) macs += region.macs;
  const Cycle at_least = macs / static_cast<std::uint64_t>(config.params.array.dim * config.params.array.dim);
  const auto progress = [&](Cycle now) { settings.on_cycle(now, at_least); };
  TrafficCounter traffic(progress);
  hw::MachineOptions options;
  options.scheduler = settings.scheduler;
  options.granularity = settings.granularity;
  options.timing_only = settings.timing_only;
  options.max_cycles = settings.max_cycles;
  options.watchdog = settings.watchdog;
  options.port_log = &traffic;
  options.state_log = settings.state_log;
  options.loop_conv_revision = program.encoding.loop_conv;
  if (follower != nullptr) options.at_fence = [follower](std::size_t next) { follower->at_fence(next); };
  ProgramRun run;
  run.skipping.wanted = settings.skip_ahead;
  // Both machines have to be there before the first of them runs.
  hw::Machine machine(config.params, memory, options);
  if (settings.skip_ahead) {
    TrafficCounter counts(progress);
    hw::MachineOptions skipping = options;
    skipping.timing_only = true;
    skipping.port_log = &counts;
    run.skipping.refused = hw::cannot_skip_ahead(config.params, skipping, memory, program);
    if (run.skipping.refused.empty() && !settings.timing_only) run.skipping.refused = hw::values_follow_order(config.params, memory, program);
    skipping.skip_ahead = true;
    if (run.skipping.refused.empty() && skip_ahead(program, memory, config, skipping, settings, follower, run)) {
      run.traffic = counts.traffic();
      return run;
    }
  }
  run.machine = machine.run(program, follower == nullptr);
  run.traffic = traffic.traffic();
  return run;
}

Results run_workload(const WorkloadRequest& request, const config::MachineConfig& machine, const SimulationSettings& given) {
  const auto started = std::chrono::steady_clock::now();
  PhaseClock phases;
  SimulationSettings settings = given;
  settings.progress = [&](const std::string& phase) {
    phases.begin(phase);
    given.progress(phase);
  };
  const std::unique_ptr<Workload> workload = make_workload(request, machine, !settings.timing_only, settings.threads, settings.progress);
  if (settings.timing_only) workload->drop_values();
  const bool check = settings.check && !settings.timing_only;
  settings.skip_ahead = settings.skip_ahead && !(check && workload->compares_with_functional_model());
  std::optional<BackgroundTask> hidden;
  if (check && workload->has_hidden_boundaries()) hidden.emplace([&] { return check_hidden(*workload, machine, settings); });

  settings.progress("simulating");
  Memory memory;
  std::unique_ptr<Follower> follower;
  if (!settings.timing_only) follower = workload->follow(memory, check);
  if (check) follower = std::make_unique<TimedFollower>(std::move(follower), phases);
  const double before = cpu_seconds();
  const ProgramRun run = simulate(workload->program(), memory, machine, settings, follower.get());
  const double simulated = cpu_seconds() - before - phases.aside();

  Results results;
  results.workload = request.name;
  results.seq = workload->seq();
  results.layers = workload->layers();
  results.seed = request.seed;
  results.tiler = request.tiler;
  results.machine = machine;
  results.timing_only = settings.timing_only;
  results.cycles = run.machine.cycles;
  for (const isa::Region& region : workload->program().regions) results.macs += region.macs;
  results.commands = run.machine.accepts.size();
  results.regions = regions_of(workload->program(), run.machine);
  results.accounts = run.machine.accounts;
  results.counters = run.machine.counters;
  results.memory = run.traffic;
  results.warnings = config::settings_without_effect(machine);
  const std::vector<std::string> of_workload = workload->warnings();
  results.warnings.insert(results.warnings.end(), of_workload.begin(), of_workload.end());
  results.warnings.insert(results.warnings.end(), run.machine.warnings.begin(), run.machine.warnings.end());
  if (!settings.timing_only) results.tokens = workload->tokens(memory);
  results.skipping = run.skipping;
  check_accounting(results);
  if (check) {
    given.progress("checking values");
    phases.begin_aside("checking values");
    results.checks = follower->finish();
    if (hidden) add_hidden(*results.checks, text_or_throw(hidden->wait()));
  }
  results.performance.phases = phases.end();
  results.performance.cpu_seconds = simulated;
  results.performance.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  results.performance.peak_rss_bytes = peak_rss_bytes();
  results.performance.wakeups = run.machine.wakeups;
  results.performance.scheduler = name_of(settings.scheduler);
  return results;
}

}  // namespace systole::run
