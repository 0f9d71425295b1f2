#include "sim/run/simulation.h"

#include "hw/ports/port_log.h"
#include "hw/top/machine.h"

namespace systole::run {
namespace {

// Counts what crosses the memory port.
class TrafficCounter final : public hw::PortLog {
 public:
  void request(Cycle, const hw::RequestBeat& beat) override {
    if (beat.last) ++traffic_.transactions;
    if (beat.opcode == hw::TlOpcodeA::kGet) {
      traffic_.read_bytes += std::uint64_t{1} << beat.lg_size;
    } else {
      traffic_.write_bytes += static_cast<std::uint64_t>(__builtin_popcountll(beat.mask));
    }
  }
  void response(Cycle, const hw::ResponseBeat&) override {}
  void response_stalled(Cycle) override {}

  [[nodiscard]] const MemoryTraffic& traffic() const { return traffic_; }

 private:
  MemoryTraffic traffic_;
};

}  // namespace

ProgramRun simulate(const isa::Program& program, Memory& memory, const config::MachineConfig& config, const SimulationSettings& settings) {
  TrafficCounter traffic;
  hw::MachineOptions options;
  options.scheduler = settings.scheduler;
  options.timing_only = settings.timing_only;
  options.max_cycles = settings.max_cycles;
  options.port_log = &traffic;
  options.loop_conv_revision = program.encoding.loop_conv;
  hw::Machine machine(config.params, memory, options);
  ProgramRun run;
  run.machine = machine.run(program);
  run.traffic = traffic.traffic();
  return run;
}

}  // namespace systole::run
