#include "hw/top/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hw/host/issuing_host.h"
#include "hw/memory/ideal_memory.h"
#include "hw/memory/soc/soc_memory.h"
#include "hw/memory/tlm_memory.h"
#include "hw/top/accelerator.h"
#include "hw/top/hazard_texts.h"
#include "hw/top/memory_counters.h"
#include "hw/top/skip_ahead.h"
#include "hw/top/steady_loop.h"
#include "hw/top/work_reader.h"
#include "isa/image.h"

namespace systole::hw {
namespace {

// The host's command of a number.
const isa::Instruction* command_of(const isa::Program& program, std::uint32_t sequence) {
  for (const isa::Item& item : program.items) {
    if (item.kind == isa::ItemKind::kCommand && sequence-- == 0) return &item.instruction;
  }
  return nullptr;
}

UnitAccount account_of(const Ledger& ledger, const std::vector<std::uint64_t>& cycles) {
  UnitAccount account;
  account.unit = ledger.unit();
  for (std::size_t i = 0; i < cycles.size(); ++i) {
    account.states.push_back({ledger.states()[i].name, ledger.states()[i].kind == StateKind::kStall, cycles[i], ledger.states()[i].text});
  }
  return account;
}

// A machine that skips may have another one beside it.
std::string module_name(const MachineOptions& options, const char* part) { return options.prefix + (options.skip_ahead ? "skipping_" : "") + part; }

}  // namespace

std::string cannot_skip_ahead(const MachineParams& params, const MachineOptions& options, const Memory& memory, const isa::Program& program) {
  if (options.scheduler != SchedulerMode::kFast) return "only the fast scheduler skips";
  if (options.tlm_memory || params.memory.model != MemoryModel::kIdeal) return "only the ideal memory can be put back into an earlier state";
  if (!options.timing_only) return "the machine computes values";
  if (options.port_log != nullptr && !options.port_log->stands_repeats()) return "every beat on the memory port is logged";
  if (options.state_log != nullptr) return "the states of all units are recorded";
  if (options.reverse_order) return "the units are in reverse order";
  return WorkReader(params, memory, program).refusal();
}

std::string values_follow_order(const MachineParams& params, const Memory& memory, const isa::Program& program) {
  return WorkReader(params, memory, program).memory_race();
}

struct Machine::Parts {
  Parts(const MachineParams& m, Memory& main_memory, const MachineOptions& run_options)
      : params(buildable(m)),
        options(run_options),
        memory(main_memory),
        scheduler(module_name(options, "scheduler").c_str(), options.scheduler, sc_core::sc_time(1, sc_core::SC_NS)),
        hazards(params.revision),
        values(options.timing_only ? nullptr : std::make_unique<ValuePlane>(params, memory)),
        accelerator(module_name(options, "accelerator").c_str(), params, values.get(), &hazards, commands, port_request, port_response, options.granularity),
        host(module_name(options, "host").c_str(), host_params(), commands,
             {[this](Cycle) { finish(); }, [this](const IssuingHost::Boundary& boundary) { begin_region(boundary); }, [this](Cycle) { return hold(); },
              [this](Cycle now) {
                if (options.state_log != nullptr) options.state_log->begin(now);
              }}),
        port(make_memory()) {
    for (BusyLine* line : accelerator.busy_lines()) host.watch(*line);
    accelerator.set_zero_sums(options.zero_sums);
    if (options.reverse_order) {
      scheduler.add(*port);
      accelerator.register_units(scheduler, true);
      scheduler.add(host);
    } else {
      scheduler.add(host);
      accelerator.register_units(scheduler, false);
      scheduler.add(*port);
    }
  }

  [[nodiscard]] bool host_shares_memory() const { return !options.tlm_memory && params.memory.model == MemoryModel::kSoc; }
  [[nodiscard]] HostParams host_params() {
    HostParams result;
    result.revision = params.revision;
    result.loop_conv_revision = options.loop_conv_revision;
    result.cpu = params.host;
    result.data = host_memory(params.host, params.soc);
    result.values = options.timing_only ? nullptr : &memory;
    result.memory = &memory;
    if (host_shares_memory()) {
      result.data = kHostL1;   // what is not there is fetched
      result.accesses = &host_access;
      result.accesses_done = &host_access_done;
      result.before_values = [this] { soc->store_values(); };
      result.after_values = [this] { soc->forget_values(); };
    }
    return result;
  }
  std::unique_ptr<Unit> make_memory() {
    if (options.tlm_memory) {
      scheduler.expect_foreign_events();
      auto unit = std::make_unique<TlmMemory>(module_name(options, "memory").c_str(), params, *options.tlm_memory, scheduler, values.get(), port_request, port_response, options.port_log);
      tlm = unit.get();
      return unit;
    }
    switch (params.memory.model) {
      case MemoryModel::kIdeal:
        if (!options.resident.empty()) throw ConfigError("resident lines need the cache of memory.model = soc");
        return std::make_unique<IdealMemory>(module_name(options, "memory").c_str(), params, memory, values.get(), port_request, port_response, options.port_log, &accelerator.load_runs());
      case MemoryModel::kSoc: {
        auto unit = std::make_unique<SocMemory>(module_name(options, "memory").c_str(), params, memory, values.get(), port_request, port_response, options.port_log, options.memory_log, &accelerator.load_runs());
        for (const ResidentRange& range : options.resident) unit->place(range);
        unit->connect_host(host_access, host_access_done);
        soc = unit.get();
        return unit;
      }
    }
    SYSTOLE_CHECK(false);
  }
  void begin_region(const IssuingHost::Boundary& boundary) {
    boundaries.push_back({boundary.region, boundary.begin, totals(boundary.begin)});
  }
  // Cycles of each state of each unit in [0, end).
  [[nodiscard]] std::vector<std::vector<std::uint64_t>> totals(Cycle end) {
    accelerator.settle_accounts(end);
    std::vector<std::vector<std::uint64_t>> result;
    for (const Ledger* ledger : ledgers()) result.push_back(ledger->totals(end));
    return result;
  }
  [[nodiscard]] Cycle end() const { return host.log().fences.empty() ? host.log().end : host.log().fences.back(); }
  // The program is done. Beats that are still to arrive in memory do so afterwards, which belongs to nobody's account.
  void finish() {
    final_totals = totals(end());
    if (options.state_log != nullptr) {
      for (const Ledger* ledger : ledgers()) ledger->finish_record(end());
    }
    if (soc != nullptr && soc->expects_beats()) soc->when_complete([this] { scheduler.stop(); });
    else scheduler.stop();
  }
  // Of the accelerator; and of the host when it does more than issue commands that are ready.
  [[nodiscard]] std::vector<const Ledger*> ledgers() const {
    std::vector<const Ledger*> result = accelerator.ledgers();
    if (host_works) result.push_back(&host.ledger());
    return result;
  }

  void record_states(StateLog& log) const {
    const std::vector<const Ledger*> all = ledgers();
    log.units(all);
    for (unsigned i = 0; i < all.size(); ++i) all[i]->record_to(log, i);
  }
  // Lines of host operations that the memory they share with the accelerator has delivered.
  [[nodiscard]] std::uint64_t host_lines() const {
    if (soc == nullptr) return 0;
    const HostAccessCounts counts = soc->host_counts();
    return counts.hits + counts.misses;
  }

  // ---- skip-ahead
  void visit(Residual& r) {
    r.set_commands(static_cast<std::uint32_t>(host.log().accepts.size()), [this](std::uint32_t number) -> const isa::Instruction& { return *host_commands.at(number); });
    commands.residual(r);
    port_request.residual(r);
    port_response.residual(r);
    accelerator.residual(r);
    port->residual(r);
    host.residual(r);
    if (options.port_log != nullptr) options.port_log->residual(r);
  }
  bool hold() {
    if (options.at_fence && !options.timing_only) {
      if (host_shares_memory()) soc->store_values();
      options.at_fence(host.next());
      if (host_shares_memory()) soc->forget_values();
    }
    if (holds) scheduler.request_pause();
    return holds;
  }
  // Has scheduler.on_pause() called in front of pieces, and in loops when `wants` says so.
  void stop_at_pieces(const isa::Program& program, std::function<bool()> wants) {
    for (const isa::Item& item : program.items) {
      if (item.kind == isa::ItemKind::kCommand) host_commands.push_back(&item.instruction);
    }
    holds = true;
    accelerator.loop_ws().on_weights([this, wants = std::move(wants)] {
      if (wants() && accelerator.memory_is_quiet(scheduler.now())) scheduler.request_pause();
    }, options.look_into_loops_of);
  }
  void start_skipping(const isa::Program& program) {
    const std::string refusal = cannot_skip_ahead(params, options, memory, program);
    if (!refusal.empty()) throw ConfigError("skip-ahead: " + refusal);
    skip_ahead = std::make_unique<SkipAhead>(WorkReader(params, memory, program, options.zero_sums), program, scheduler, host, boundaries, options.max_cycles,
                                             SkipAhead::Hooks{[this](Residual& r) { visit(r); }, [this](Cycle now) { return totals(now); }, [this] { return accelerator.loop_ws().execution().sequence(); }});
    const LoopWsExecute& execution = accelerator.loop_ws().execution();
    steady_loop = std::make_unique<SteadyLoop>(scheduler, host, execution, options.max_cycles,
                                               SteadyLoop::Hooks{[this](Residual& r) { visit(r); }, [this] { return accelerator.operand_banks(); }});
    stop_at_pieces(program, [this, &execution] { return skip_ahead->wants(execution.sequence()) || steady_loop->wants(); });
    scheduler.on_pause([this](Cycle now) {
      if (hazards.any()) {
        scheduler.stop();
      } else {
        if (host.held() || skip_ahead->wants(accelerator.loop_ws().execution().sequence())) now = skip_ahead->at(now);
        if (!host.held() && steady_loop->wants()) steady_loop->at(now);
      }
    });
  }

  const MachineParams params;
  const MachineOptions options;
  Memory& memory;
  Scheduler scheduler;
  HazardTexts hazards;
  std::unique_ptr<ValuePlane> values;
  Channel<Command> commands{"raw_command_queue", 1, 2};
  Channel<RequestBeat> port_request{"port_a", 1, 2};
  Channel<ResponseBeat> port_response{"port_d", 1, 2};
  Channel<HostAccess> host_access{"host_access", 1, 2};
  Channel<HostAccessDone> host_access_done{"host_access_done", 1, 2};
  Accelerator accelerator;
  IssuingHost host;
  SocMemory* soc = nullptr;
  TlmMemory* tlm = nullptr;
  std::unique_ptr<Unit> port;           // what answers at the memory port
  std::vector<RegionStart> boundaries;
  std::vector<std::vector<std::uint64_t>> final_totals;   // of the whole run
  bool host_works = false;
  std::unique_ptr<SkipAhead> skip_ahead;
  std::unique_ptr<SteadyLoop> steady_loop;
  bool holds = false;                   // the host, behind every fence
  std::vector<const isa::Instruction*> host_commands;   // by number, with `holds`
};

Machine::Machine(const MachineParams& params, Memory& memory, const MachineOptions& options)
    : parts_(std::make_unique<Parts>(params, memory, options)) {}

Machine::~Machine() = default;

TlmMemory& Machine::tlm_memory() {
  if (parts_->tlm == nullptr) throw ConfigError("this machine has no TLM socket: MachineOptions::tlm_memory is not set");
  return *parts_->tlm;
}

MachineResult Machine::run(const isa::Program& program, bool load) {
  Parts& p = *parts_;
  if (load && !p.options.timing_only) isa::load_image(program, p.memory);
  if (p.soc != nullptr && p.params.soc.l2_state == L2State::kResident) {
    for (const isa::Symbol& symbol : program.symbols) p.soc->place_where_room(symbol.address, symbol.bytes);
    for (const isa::Segment& segment : program.image) p.soc->place_where_room(segment.address, segment.bytes.size());
  }
  p.hazards.set_lookup([&program](std::uint32_t sequence) { return command_of(program, sequence); });
  p.host_works = !program.host_ops.empty() || p.params.host.loop_cycles != 0;
  if (p.options.state_log != nullptr) p.record_states(*p.options.state_log);
  if (p.options.skip_ahead) p.start_skipping(program);
  p.host.start(program);
  // The watchdog looks at the end of each period, which is the same in every scheduler: nothing happens between the last event and the next.
  const Cycle period = p.options.watchdog == 0 ? p.options.max_cycles : p.options.watchdog;
  Cycle looks_at = period;
  std::uint64_t seen = 0;
  bool stuck = false;
  bool exceeded = false;
  const auto extend = [&](Cycle next) -> Cycle {
    const std::uint64_t progress = p.accelerator.progress() + p.host.log().accepts.size() + p.host_lines();
    while (looks_at < next && looks_at < p.options.max_cycles) {
      const bool waited_for = p.host.item_start() + period <= looks_at;   // not in a gap or a host operation
      stuck = p.options.watchdog != 0 && progress == seen && waited_for;
      if (stuck) return 0;
      seen = progress;
      looks_at += period;
    }
    exceeded = next > p.options.max_cycles;
    return std::min(looks_at, p.options.max_cycles);
  };
  try {
    p.scheduler.run(std::min(period, p.options.max_cycles), extend);
  } catch (const CommandFault& fault) {
    throw p.hazards.error_of(fault);
  }
  if (p.skip_ahead && p.hazards.any()) throw SkipAbandoned{p.hazards.texts().front()};
  if (!p.scheduler.stopped()) {
    const bool deadlock = !exceeded;
    throw ModelError(stuck ? looks_at : p.scheduler.now(), "machine", "",
                     (stuck      ? fmt::format("livelock: no command has been issued or completed for {} cycles\n", period)
                      : deadlock ? std::string("deadlock: nothing can happen any more\n")
                                 : fmt::format("the program is not done after {} cycles\n", p.options.max_cycles)) +
                         p.scheduler.state_text());
  }
  return result();
}

MachineResult Machine::run_in_turns(const isa::Program& program, Machine& other) {
  Parts* active = parts_.get();
  Parts* resting = other.parts_.get();
  for (Parts* p : {active, resting}) {
    SYSTOLE_CHECK(p->options.scheduler == SchedulerMode::kFast && p->options.timing_only && !p->options.skip_ahead);
    p->stop_at_pieces(program, [] { return true; });
    p->host.start(program);
    SYSTOLE_CHECK(p->scheduler.run_to_pause());
  }
  while (true) {
    const Cycle begin = active->scheduler.now();
    Residual before(begin);
    active->visit(before);
    const std::size_t first = active->host.next();
    const std::size_t accepts = active->host.log().accepts.size(), fences = active->host.log().fences.size(), regions = active->boundaries.size();
    Cycle now = begin;
    while (true) {
      if (active->host.held()) active->host.resume(now);
      if (!active->scheduler.run_to_pause()) {
        SYSTOLE_CHECK(active->scheduler.stopped());
        return active == parts_.get() ? result() : other.result();
      }
      now = active->scheduler.now();
      Residual after(now);
      active->visit(after);
      if (!after.at_rest()) continue;
      // The other machine takes over what this one has come to.
      IssuingHost::Stretch stretch;
      stretch.items = active->host.next() - first;
      stretch.cycles = now - begin;
      stretch.holds = active->host.held();
      if (const Cycle started = active->host.log().begin; started != kNever && started >= begin) stretch.begin = started - begin;
      for (std::size_t i = accepts; i < active->host.log().accepts.size(); ++i) stretch.accepts.push_back(static_cast<std::uint32_t>(active->host.log().accepts[i] - begin));
      for (std::size_t i = fences; i < active->host.log().fences.size(); ++i) stretch.fences.push_back(static_cast<std::uint32_t>(active->host.log().fences[i] - begin));
      std::vector<std::uint64_t> counts = after.counts();
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= before.counts()[i];
      Wheel::Pending wakes;
      SYSTOLE_CHECK(active->scheduler.pending(wakes));
      // Its own running states end where the piece began.
      Residual closed(begin);
      resting->visit(closed);
      resting->host.skip(begin, stretch);
      resting->scheduler.jump(now, wakes);
      Residual load(now, after.words(), after.names(), counts);
      resting->visit(load);
      resting->boundaries.insert(resting->boundaries.end(), active->boundaries.begin() + static_cast<std::ptrdiff_t>(regions), active->boundaries.end());
      std::swap(active, resting);
      break;
    }
  }
}

MachineResult Machine::result() {
  Parts& p = *parts_;
  const IssuingHost::Log& log = p.host.log();
  const Cycle origin = log.begin == kNever ? 0 : log.begin;
  const Cycle end = p.end();
  MachineResult result;
  result.origin = origin;
  result.cycles = end - origin;
  for (const Cycle fence : log.fences) result.fences.push_back(fence - origin);
  for (const Cycle accept : log.accepts) result.accepts.push_back(accept - origin);
  result.counters = p.accelerator.counters();
  result.warnings = p.hazards.texts();
  for (std::string& warning : p.accelerator.warnings()) result.warnings.push_back(std::move(warning));
  if (p.options.timing_only && p.params.sfu.iexp_as_igelu != 0 && p.params.sfu.normaliser != 0) {
    result.warnings.push_back("timing-only run with the exponential of revision 2025: its sums may be zero, which shortens divisions; cycles of softmax are an upper bound");
  }
  result.wakeups = p.scheduler.wakeups();
  if (p.skip_ahead) {
    if (!result.warnings.empty() && p.params.sfu.iexp_as_igelu == 0) throw SkipAbandoned{result.warnings.front()};
    result.skipped = p.skip_ahead->counts();
    result.skipped->rounds = p.steady_loop->rounds_passed();
  }
  if (p.soc != nullptr) {
    p.soc->drain();
    result.l2 = p.soc->counts();
    const std::vector<Counter> counters = memory_counters(*p.soc);
    result.counters.insert(result.counters.end(), counters.begin(), counters.end());
  }

  // Regions: from the first item of one to the first item of the next. What precedes the run's begin (IssuingHost::Log) is not part of it.
  const std::vector<const Ledger*> ledgers = p.ledgers();
  const auto accounts = [&](const std::vector<std::vector<std::uint64_t>>& from, const std::vector<std::vector<std::uint64_t>>& to) {
    std::vector<UnitAccount> list;
    for (std::size_t u = 0; u < ledgers.size(); ++u) {
      std::vector<std::uint64_t> cycles = to[u];
      for (std::size_t s = 0; s < cycles.size(); ++s) {
        SYSTOLE_CHECK(cycles[s] >= from[u][s]);
        cycles[s] -= from[u][s];
      }
      list.push_back(account_of(*ledgers[u], cycles));
    }
    return list;
  };
  // Before it every unit is idle, so the start of the run can be moved there by idle cycles alone.
  std::vector<std::vector<std::uint64_t>> start;
  for (const Ledger* ledger : ledgers) {
    start.emplace_back(ledger->states().size(), 0);
    start.back()[0] = origin;
  }
  result.accounts = accounts(start, p.final_totals);
  for (std::size_t i = 0; i < p.boundaries.size(); ++i) {
    const RegionStart& begin = p.boundaries[i];
    const bool last = i + 1 == p.boundaries.size();
    RegionCycles region;
    region.region = begin.region;
    const Cycle from = std::max(begin.begin, origin);
    const Cycle to = last ? end : std::max(p.boundaries[i + 1].begin, origin);
    region.cycles = to - from;
    region.accounts = accounts(begin.begin <= origin ? start : begin.totals, last ? p.final_totals : p.boundaries[i + 1].begin <= origin ? start : p.boundaries[i + 1].totals);
    result.regions.push_back(std::move(region));
  }
  return result;
}

}  // namespace systole::hw
