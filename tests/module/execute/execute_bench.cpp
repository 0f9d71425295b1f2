#include "tests/module/execute/execute_bench.h"

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

// Pushes commands as soon as there is room; numbers them; the number, modulo 256, is also the reservation-station index.
class Source : public Unit {
 public:
  Source(const char* name, Channel<IssuedCommand>& out) : Unit(name), out_(out) { out_.bind_writer(*this); }
  void load(std::vector<IssuedCommand> commands, std::vector<Cycle> at) {
    commands_ = std::move(commands);
    at_ = std::move(at);
  }
  [[nodiscard]] bool done() const { return next_ == commands_.size(); }
  void evaluate(Cycle now) override {
    if (done()) return;
    const Cycle at = next_ < at_.size() ? at_[next_] : 0;
    if (at > now) {
      wake_at(at);
      return;
    }
    if (!out_.can_push(now)) return;
    IssuedCommand command = commands_[next_];
    command.command.sequence = static_cast<std::uint32_t>(next_);
    command.rob = RobId{isa::Queue::kExecute, static_cast<std::uint8_t>(next_)};
    out_.push(now, command);
    ++next_;
    wake_at(now + 1);
  }

 private:
  Channel<IssuedCommand>& out_;
  std::vector<IssuedCommand> commands_;
  std::vector<Cycle> at_;
  std::size_t next_ = 0;
};

// In front of the scratchpad: tells it which banks are written.
class Writers : public Unit {
 public:
  Writers(const char* name, Scratchpad& scratchpad, const Wire<ArrayWrite>& write, Events& events)
      : Unit(name), scratchpad_(scratchpad), write_(write), events_(events) {}
  Disturbance disturbance;
  void evaluate(Cycle now) override {
    wake_at(now + 1);
    if (const ArrayWrite* write = write_.get(now)) {
      events_.writes.push_back({now, *write});
      if (!write->to_accumulator) scratchpad_.note_write(now, scratchpad_.bank_of(write->row));
    }
    const std::uint32_t banks = disturbance ? disturbance(now) : 0;
    for (std::uint32_t b = 0; b < 32; ++b) {
      if ((banks >> b & 1u) != 0) scratchpad_.note_write(now, b);
    }
  }

 private:
  Scratchpad& scratchpad_;
  const Wire<ArrayWrite>& write_;
  Events& events_;
};

}  // namespace

IssuedCommand config(const ExConfig& c) {
  using namespace isa::fields;
  IssuedCommand command;
  command.command.op = isa::Op::kConfigEx;
  isa::Instruction& i = command.command.instruction = isa::make(isa::Op::kConfigEx);
  ConfigEx::dataflow.set(i, c.weight_stationary ? 1 : 0);
  ConfigEx::activation.set(i, c.relu ? 1 : 0);
  ConfigEx::set_only_strides.set(i, c.only_strides ? 1 : 0);
  ConfigEx::a_transpose.set(i, c.a_transpose ? 1 : 0);
  ConfigEx::b_transpose.set(i, c.b_transpose ? 1 : 0);
  ConfigEx::a_stride.set(i, c.a_stride);
  ConfigEx::c_stride.set(i, c.c_stride);
  ConfigEx::in_shift.set(i, c.shift);
  return command;
}

IssuedCommand preload(const Block& d, const Block& c) {
  using namespace isa::fields;
  IssuedCommand command;
  command.command.op = isa::Op::kPreload;
  isa::Instruction& i = command.command.instruction = isa::make(isa::Op::kPreload);
  Preload::local.set(i, d.address);
  Preload::cols.set(i, d.cols);
  Preload::rows.set(i, d.rows);
  Preload::out_local.set(i, c.address);
  Preload::out_cols.set(i, c.cols);
  Preload::out_rows.set(i, c.rows);
  return command;
}

IssuedCommand compute(bool flip, const Block& a, const Block& b) {
  using namespace isa::fields;
  IssuedCommand command;
  command.command.op = flip ? isa::Op::kComputeFlip : isa::Op::kComputeStay;
  isa::Instruction& i = command.command.instruction = isa::make(command.command.op);
  ComputeFlip::a_local.set(i, a.address);
  ComputeFlip::a_cols.set(i, a.cols);
  ComputeFlip::a_rows.set(i, a.rows);
  ComputeFlip::b_local.set(i, b.address);
  ComputeFlip::b_cols.set(i, b.cols);
  ComputeFlip::b_rows.set(i, b.rows);
  return command;
}

// Behind all others: looks at the channels.
class Observer : public Unit, public HazardLog {
 public:
  Observer(const char* name, ExecuteLinks& execute, ArrayLinks& array, PriorityMerge<Completion, kCompletionSources>& completions, Events& events)
      : Unit(name), execute_(execute), array_(array), completions_(completions), events_(events) {}
  ExecuteController* controller = nullptr;
  MeshInput* mesh = nullptr;
  Scheduler* scheduler = nullptr;
  const Source* source = nullptr;
  Cycle quiet_limit = 3000;

  void evaluate(Cycle now) override {
    wake_at(now + 1);
    if (now != 0) {
      if (const Completion* completion = completions_.granted(now - 1)) events_.done.push_back({now - 1, completion->rob.index});
    }
    const bool pushed = execute_.control.pushed_in(now);
    if (pushed) {
      if (ended_) events_.starts.push_back(now);
      ended_ = false;
      events_.control.push_back(now);
      last_ = now;
    }
    if (array_.rows.entered_in(now)) {
      events_.rows.push_back(now);
      last_ = now;
    }
    if (mesh->requests() != requests_) {
      requests_ = mesh->requests();
      events_.requests.push_back(now);
    }
    if (controller->counters().operations != operations_) {
      operations_ = controller->counters().operations;
      events_.operations.push_back(now);
      ended_ = true;
    }
    if (!source->done()) last_ = now;
    if (now > last_ + quiet_limit) scheduler->stop();
  }
  void conflict(Cycle, const std::string&, std::uint32_t, std::uint32_t, const std::string&) override {}   // of the store side only
  void hazard(Cycle now, const std::string&, const isa::Instruction&, std::uint32_t sequence, const std::string& what) override {
    events_.hazards.push_back({now, sequence, what});
  }

 private:
  ExecuteLinks& execute_;
  ArrayLinks& array_;
  PriorityMerge<Completion, kCompletionSources>& completions_;
  Events& events_;
  std::uint64_t operations_ = 0;
  std::uint64_t requests_ = 0;
  bool ended_ = true;
  Cycle last_ = 0;
};

struct ExecuteBench::Parts {
  Parts(const MachineParams& params, SchedulerMode mode, ValuePlane* plane)
      : scheduler("scheduler", mode, sc_core::sc_time(1, sc_core::SC_NS)),
        gemm(plane != nullptr ? std::make_unique<GemmArray>(params, *plane) : nullptr),
        issued("issued", 1, 2),
        commands("commands", 1, static_cast<unsigned>(params.queue.execute)),
        execute(params),
        array(params),
        scratchpad("scratchpad", params),
        source("source", issued),
        unroller("unroller", issued, commands),
        systolic("array", params, array, write_back, completions, gemm.get()),
        observer("observer", execute, array, completions, events),
        mesh("mesh", params, execute, array, gemm.get(), &observer),
        writers("writers", scratchpad, write_back, events),
        controller("controller", params, commands, execute, array, scratchpad.port(), completions, busy, gemm.get(), &observer) {
    scratchpad.bind_operands(execute);
    observer.controller = &controller;
    observer.mesh = &mesh;
    observer.source = &source;
    observer.scheduler = &scheduler;
    scheduler.add_group("datapath", {&systolic, &mesh, &writers, &scratchpad, &controller, &observer});
    scheduler.add(unroller);
    scheduler.add(source);
    writers.wake_at(0);
    observer.wake_at(0);
    source.wake_at(0);
  }

  Events events;
  Scheduler scheduler;
  std::unique_ptr<GemmArray> gemm;
  Channel<IssuedCommand> issued;
  Channel<IssuedCommand> commands;
  ExecuteLinks execute;
  ArrayLinks array;
  Wire<ArrayWrite> write_back;
  PriorityMerge<Completion, kCompletionSources> completions;
  BusyLine busy;
  Scratchpad scratchpad;
  Source source;
  TransposeUnroller unroller;
  SystolicArray systolic;
  Observer observer;
  MeshInput mesh;
  Writers writers;
  ExecuteController controller;
};

ExecuteBench::ExecuteBench(const MachineParams& params, SchedulerMode mode, bool with_values)
    : memory_(std::make_unique<Memory>(Memory::kDefaultBase, 4096)), plane_(std::make_unique<ValuePlane>(params, *memory_)) {
  parts_ = std::make_unique<Parts>(params, mode, with_values ? plane_.get() : nullptr);
}

ExecuteBench::~ExecuteBench() = default;

const Events& ExecuteBench::run(const std::vector<IssuedCommand>& commands, const std::vector<Cycle>& at, const Disturbance& disturbance,
                                Cycle max_cycles) {
  parts_->source.load(commands, at);
  parts_->writers.disturbance = disturbance;
  parts_->scheduler.run(max_cycles);
  return parts_->events;
}

ExecuteController& ExecuteBench::controller() { return parts_->controller; }
std::uint64_t ExecuteBench::wakeups() const { return parts_->scheduler.wakeups(); }
Cycle ExecuteBench::end() const { return parts_->scheduler.now(); }

}  // namespace systole::hw
