#pragma once
// Who calls evaluate(), and when. All modes give the same result; a test compares them.
//   kFast        one SC_METHOD owns one calendar wheel for all units; SystemC time catches up afterwards
//   kNative      each unit, and each group of units, has its own SC_METHOD and sc_event
//   kEveryCycle  the wheel, but every unit is called in every cycle (finds a unit that forgot to wake up)
//
// Units outside a group may be evaluated in any order: between them there are only registered channels. The members of a group are coupled
// inside a cycle (ready chains, bank ports): they are evaluated in the order of the group, and are one process in native mode.
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <systemc>

#include "sim/kernel/scheduler_mode.h"
#include "sim/kernel/unit.h"

namespace systole {

class Scheduler : public sc_core::sc_module {
 public:
  Scheduler(const sc_core::sc_module_name& name, SchedulerMode mode, sc_core::sc_time clock_period);
  ~Scheduler() override;

  // Registration, before run(). A group's members are evaluated in the given order.
  void add(Unit& unit);
  void add_group(const std::string& name, const std::vector<Unit*>& members);

  // Units themselves notify SystemC events (a TLM target behind the memory port). Otherwise nothing foreign can appear while units run.
  void expect_foreign_events() { foreign_events_ = true; }

  // Runs until stop(), until nothing is left to do, or until `max_cycles`. Errors thrown by units are rethrown here. `extend` is asked when
  // something is to happen in a cycle behind the limit, and returns the new limit; the run ends when that cycle is still behind it.
  void run(Cycle max_cycles, std::function<Cycle(Cycle next)> extend = {});
  void stop() { stopped_ = true; }

  // Instead of run(), for units inside a simulation that others start and stop: once, during elaboration. The scheduler sleeps while there is
  // nothing to do and ends the simulation only when a unit throws; check() then rethrows the error.
  void launch();
  void check() const {
    if (error_) std::rethrow_exception(error_);
  }

  [[nodiscard]] Cycle now() const { return now_; }

  // Fast mode only: `between` is called once the units have had their turn in the cycle in which request_pause() was called. It may make time
  // jump ahead.
  void on_pause(std::function<void(Cycle now)> between) { between_ = std::move(between); }
  void request_pause() { pause_ = true; }
  // Instead of run(): goes on until request_pause(), without SystemC's clock. False when nothing is left to do, or after stop().
  [[nodiscard]] bool run_to_pause();
  [[nodiscard]] bool pending(Wheel::Pending& wakes) const;
  void jump(Cycle to, const Wheel::Pending& wakes);
  // SystemC's time of a cycle; the cycle that holds a time; the first cycle that does not begin before it.
  [[nodiscard]] sc_core::sc_time time_of(Cycle cycle) const { return origin_ + period_ * static_cast<double>(cycle); }
  [[nodiscard]] Cycle cycle_of(const sc_core::sc_time& time) const { return (time - origin_).value() / period_.value(); }
  [[nodiscard]] Cycle cycle_not_before(const sc_core::sc_time& time) const { return ((time - origin_).value() + period_.value() - 1) / period_.value(); }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] std::uint64_t wakeups() const { return wakeups_; }
  // Every unit that has something to say about itself, one per line: the report of a deadlock.
  [[nodiscard]] std::string state_text() const;

 private:
  struct Entity;   // one wheel with its units and, in native mode, its process

  void spawn();
  void arm(Entity& entity, Cycle at);
  void activate(Entity& entity);
  void advance_fast(Entity& entity);
  void advance_native(Entity& entity);
  void end();
  void run_cycle(Entity& entity, Cycle cycle);
  void run_units(Entity& entity, Cycle cycle);
  [[nodiscard]] bool within_limit(Cycle cycle) {
    if (cycle > max_cycles_ && extend_) max_cycles_ = extend_(cycle);
    return cycle <= max_cycles_;
  }

  SchedulerMode mode_;
  sc_core::sc_time period_;
  sc_core::sc_time origin_;
  std::vector<std::unique_ptr<Entity>> entities_;
  Cycle now_ = 0;
  Cycle max_cycles_ = kNever;
  std::function<Cycle(Cycle)> extend_;
  bool started_ = false;
  bool embedded_ = false;
  bool foreign_events_ = false;
  bool stopped_ = false;
  bool pause_ = false;
  std::function<void(Cycle)> between_;
  std::uint64_t wakeups_ = 0;
  std::exception_ptr error_;
};

}  // namespace systole
