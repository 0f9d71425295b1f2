#include "hw/top/tlm_accelerator.h"

#include <fmt/format.h>

#include <cstring>
#include <deque>
#include <functional>
#include <optional>

#include "hw/host/command_decoder.h"
#include "hw/top/accelerator.h"
#include "hw/top/hazard_texts.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {
namespace {

// Commands on their way from the registers to the accelerator, and the end of the last one.
class CommandQueue final : public Unit {
 public:
  CommandQueue(const sc_core::sc_module_name& name, std::size_t capacity, Channel<Command>& out, std::function<void()> room, std::function<void(Cycle)> done)
      : Unit(name), capacity_(capacity), out_(out), room_(std::move(room)), done_(std::move(done)) {
    out_.bind_writer(*this);
  }
  void watch(BusyLine& line) { lines_.push_back(&line); }
  [[nodiscard]] std::size_t free() const { return capacity_ - queue_.size(); }
  [[nodiscard]] bool busy() const { return working_; }
  [[nodiscard]] Cycle first() const { return first_; }
  [[nodiscard]] Cycle last() const { return last_; }

  void issue(Cycle at, const Command& command) {
    queue_.push_back(command);
    queue_.back().sequence = sequence_++;
    working_ = true;
    wake_at(at);
  }
  void evaluate(Cycle now) override {
    if (!working_) return;
    if (!queue_.empty()) {
      if (!out_.can_push(now)) return;
      out_.push(now, queue_.front());
      queue_.pop_front();
      if (first_ == kNever) first_ = now;
      pushed_ = now;
      room_();
      wake_at(now + 1);
      return;
    }
    // As a fence in the cycle after the last command: what cycle c was like is known in c + 1.
    if (now < pushed_ + 2) return wake_at(pushed_ + 2);
    for (BusyLine* line : lines_) {
      if (line->at(now - 1)) return line->wake_when_low(*this, now);
    }
    working_ = false;
    last_ = now - 1;
    done_(now);
  }
  [[nodiscard]] std::string state_text() const override { return working_ ? fmt::format("{} commands wait", queue_.size()) : std::string{}; }

 private:
  const std::size_t capacity_;
  Channel<Command>& out_;
  std::function<void()> room_;
  std::function<void(Cycle)> done_;
  std::vector<BusyLine*> lines_;
  std::deque<Command> queue_;
  std::uint32_t sequence_ = 0;
  bool working_ = false;
  Cycle pushed_ = 0;
  Cycle first_ = kNever;
  Cycle last_ = 0;
};

}  // namespace

struct TlmAccelerator::Parts {
  Parts(const MachineParams& machine, const TlmAcceleratorOptions& run_options, std::function<void()> room, std::function<void(Cycle)> done)
      : params(buildable(machine)),
        options(run_options),
        scheduler("scheduler", options.scheduler, options.clock_period),
        hazards(params.revision),
        values(options.timing_only ? nullptr : std::make_unique<ValuePlane>(params, unused)),
        accelerator("accelerator", params, values.get(), &hazards, commands, port_request, port_response),
        memory("memory", params, options.memory_style, scheduler, values.get(), port_request, port_response, nullptr),
        queue("command_queue", static_cast<std::size_t>(options.command_queue), commands, std::move(room), std::move(done)) {
    for (BusyLine* line : accelerator.busy_lines()) queue.watch(*line);
    scheduler.add(queue);
    accelerator.register_units(scheduler, false);
    scheduler.add(memory);
    scheduler.launch();
  }
  const MachineParams params;
  const TlmAcceleratorOptions options;
  Memory unused;
  Scheduler scheduler;
  HazardTexts hazards;
  std::unique_ptr<ValuePlane> values;
  Channel<Command> commands{"raw_command_queue", 1, 2};
  Channel<RequestBeat> port_request{"port_a", 1, 2};
  Channel<ResponseBeat> port_response{"port_d", 1, 2};
  Accelerator accelerator;
  TlmMemory memory;
  CommandQueue queue;
};

TlmAccelerator::TlmAccelerator(const sc_core::sc_module_name& name, const MachineParams& params, const TlmAcceleratorOptions& options) : sc_core::sc_module(name) {
  if (options.command_queue < 1 || options.command_queue > 255) throw ConfigError(fmt::format("a queue of {} commands: legal are 1..255", options.command_queue));
  // Both are called while the scheduler may be ahead of SystemC: what the platform sees happens at the time of the cycle.
  const auto at = [this](sc_core::sc_event& event, Cycle cycle) {
    const sc_core::sc_time when = parts_->scheduler.time_of(cycle);
    event.notify(when > sc_core::sc_time_stamp() ? when - sc_core::sc_time_stamp() : sc_core::SC_ZERO_TIME);
  };
  parts_ = std::make_unique<Parts>(
      params, options, [this, at] { at(room_, parts_->scheduler.now()); },
      [this, at](Cycle now) {
        interrupt_level_ = true;
        at(interrupt_event_, now);
      });
  registers.register_b_transport(this, &TlmAccelerator::transport);
  sc_core::sc_spawn_options method;
  method.spawn_method();
  method.dont_initialize();
  method.set_sensitivity(&interrupt_event_);
  sc_core::sc_spawn([this] { drive_interrupt(); }, "drive_interrupt", &method);
}

TlmAccelerator::~TlmAccelerator() = default;

TlmMemory& TlmAccelerator::memory() { return parts_->memory; }
void TlmAccelerator::check() const {
  try {
    parts_->scheduler.check();
  } catch (const CommandFault& fault) {
    throw parts_->hazards.error_of(fault);
  }
}
std::vector<std::string> TlmAccelerator::warnings() const {
  std::vector<std::string> result = parts_->hazards.texts();
  for (std::string& warning : parts_->accelerator.warnings()) result.push_back(std::move(warning));
  return result;
}
Cycle TlmAccelerator::cycles() const { return parts_->queue.first() == kNever ? 0 : parts_->queue.last() - parts_->queue.first(); }
void TlmAccelerator::drive_interrupt() { interrupt.write(interrupt_level_); }

// Whoever looks at the interrupt after a write that takes it back sees it low, even if it has just been rising.
void TlmAccelerator::await_low() {
  sc_core::wait(sc_core::SC_ZERO_TIME);
  while (interrupt.read()) sc_core::wait(interrupt.negedge_event());
}

void TlmAccelerator::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  // The accelerator's time is SystemC's: an initiator that has run ahead is waited for.
  if (delay > sc_core::SC_ZERO_TIME) {
    sc_core::wait(delay);
    delay = sc_core::SC_ZERO_TIME;
  }
  payload.set_dmi_allowed(false);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (payload.get_data_length() != sizeof(std::uint64_t) || payload.get_streaming_width() < sizeof(std::uint64_t)) {
    return payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  }
  if (payload.get_byte_enable_ptr() != nullptr) return payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  CommandQueue& queue = parts_->queue;
  std::uint64_t value = 0;
  if (payload.is_read()) {
    switch (payload.get_address()) {
      case kRs1: value = rs1_; break;
      case kRs2: value = rs2_; break;
      case kStatus: value = (queue.busy() ? 1u : 0u) | (interrupt.read() ? 2u : 0u) | static_cast<std::uint64_t>(queue.free()) << 8; break;
      default: return payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
    std::memcpy(payload.get_data_ptr(), &value, sizeof value);
    return;
  }
  if (!payload.is_write()) return payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
  std::memcpy(&value, payload.get_data_ptr(), sizeof value);
  switch (payload.get_address()) {
    case kRs1: rs1_ = value; break;
    case kRs2: rs2_ = value; break;
    case kCommand: {
      Command command;
      if (value > 127) return payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
      command.instruction.funct = static_cast<decltype(command.instruction.funct)>(value);
      command.instruction.rs1 = rs1_;
      command.instruction.rs2 = rs2_;
      const std::optional<isa::Op> op = decode_host_command(command.instruction, parts_->params.revision, parts_->options.loop_conv_revision);
      if (!op) return payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
      command.op = *op;
      while (queue.free() == 0) sc_core::wait(room_);
      interrupt_level_ = false;
      interrupt_event_.cancel();
      interrupt_event_.notify(sc_core::SC_ZERO_TIME);
      queue.issue(parts_->scheduler.cycle_of(sc_core::sc_time_stamp()) + 1, command);
      await_low();
      break;
    }
    case kInterrupt:
      interrupt_level_ = false;
      interrupt_event_.notify(sc_core::SC_ZERO_TIME);
      await_low();
      break;
    default: payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
}

}  // namespace systole::hw
