#include "sim/kernel/scheduler.h"

#include <algorithm>
#ifdef SYSTOLE_COUNT_WAKEUPS
#include <cstdio>
#endif

namespace systole {

struct Scheduler::Entity {
  Wheel wheel;
  std::vector<Unit*> units;
  sc_core::sc_event event;
  Scheduler* scheduler = nullptr;
  Cycle armed = kNever;   // native: the cycle for which `event` is notified
  bool running = false;
#ifdef SYSTOLE_COUNT_WAKEUPS
  std::vector<std::uint64_t> counts;
  ~Entity() {
    for (unsigned i = 0; i < counts.size(); ++i) std::fprintf(stderr, "%-40s %12llu\n", names[i].c_str(), static_cast<unsigned long long>(counts[i]));
  }
  std::vector<std::string> names;
#endif
};

Scheduler::Scheduler(const sc_core::sc_module_name& name, SchedulerMode mode, sc_core::sc_time clock_period)
    : sc_core::sc_module(name), mode_(mode), period_(clock_period) {
  if (mode_ != SchedulerMode::kNative) {
    entities_.push_back(std::make_unique<Entity>());
    entities_.back()->scheduler = this;
  }
}

Scheduler::~Scheduler() = default;

void Scheduler::add(Unit& unit) { add_group(unit.name(), {&unit}); }

void Scheduler::add_group(const std::string&, const std::vector<Unit*>& members) {
  SYSTOLE_CHECK(!started_);
  if (mode_ == SchedulerMode::kNative) {
    entities_.push_back(std::make_unique<Entity>());
    entities_.back()->scheduler = this;
  }
  Entity& entity = *entities_.back();
  for (Unit* unit : members) {
    SYSTOLE_CHECK(entity.units.size() < Wheel::kMaxUnits);
    unit->attach(entity.wheel, static_cast<unsigned>(entity.units.size()));
    entity.units.push_back(unit);
#ifdef SYSTOLE_COUNT_WAKEUPS
    entity.names.push_back(unit->name());
#endif
  }
}

void Scheduler::run(Cycle max_cycles, std::function<Cycle(Cycle next)> extend) {
  max_cycles_ = max_cycles;
  extend_ = std::move(extend);
  if (!started_) {
    // "Simulation stopped by user" is no news: stopping is how every run ends.
    sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    spawn();
  }
  sc_core::sc_start();
  check();
}

void Scheduler::launch() {
  SYSTOLE_CHECK(!started_);
  embedded_ = true;
  spawn();
}

void Scheduler::spawn() {
  started_ = true;
  origin_ = sc_core::sc_time_stamp();
  for (auto& entity : entities_) {
    Entity* e = entity.get();
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.set_sensitivity(&e->event);
    sc_core::sc_spawn([this, e] { activate(*e); }, sc_core::sc_gen_unique_name("evaluate"), &options);
    // A run of our own sees every wake-up itself; with one process for all units that is all there are.
    if (mode_ == SchedulerMode::kNative || embedded_) {
      e->wheel.set_alarm(
          [](void* owner, Cycle at) {
            Entity& woken = *static_cast<Entity*>(owner);
            if (!woken.running && at < woken.armed) woken.scheduler->arm(woken, at);
          },
          e);
    }
  }
}

// SystemC's kernel calls the entity in the cycle `at`, or at once when that has begun. In whole ticks, because sc_time computes in double.
void Scheduler::arm(Entity& entity, Cycle at) {
  entity.armed = at;
  const sc_dt::uint64 when = origin_.value() + at * period_.value();
  const sc_dt::uint64 now = sc_core::sc_time_stamp().value();
  entity.event.notify(when > now ? sc_core::sc_time::from_value(when - now) : sc_core::SC_ZERO_TIME);
}

void Scheduler::activate(Entity& entity) {
  if (stopped_ || error_) return;
  try {
    if (mode_ == SchedulerMode::kNative) {
      advance_native(entity);
    } else {
      entity.armed = kNever;
      entity.running = true;
      advance_fast(entity);
      entity.running = false;
    }
  } catch (...) {
    // An exception must not cross the SystemC kernel, which would turn it into a report.
    error_ = std::current_exception();
    end();
  }
}

void Scheduler::run_cycle(Entity& entity, Cycle cycle) {
  now_ = std::max(now_, cycle);
  if (mode_ == SchedulerMode::kEveryCycle) {
    for (unsigned index = 0; index < entity.units.size(); ++index) entity.wheel.wake(index, cycle);
  }
  run_units(entity, cycle);
}

void Scheduler::run_units(Entity& entity, Cycle cycle) {
  Unit* const* units = entity.units.data();
#ifdef SYSTOLE_COUNT_WAKEUPS
  entity.counts.resize(entity.units.size());
  wakeups_ += entity.wheel.run_cycle(cycle, [&](unsigned index) { ++entity.counts[index]; units[index]->evaluate(cycle); });
#else
  wakeups_ += entity.wheel.run_cycle(cycle, [&](unsigned index) { units[index]->evaluate(cycle); });
#endif
}

void Scheduler::advance_fast(Entity& entity) {
  const bool alone = !embedded_ && !foreign_events_ && !sc_core::sc_pending_activity_at_current_time() &&
                     !sc_core::sc_pending_activity_at_future_time();
  if (alone && mode_ == SchedulerMode::kFast) {
    while (!stopped_) {
      const Cycle next = entity.wheel.next();
      if (next == kNever || !within_limit(next)) break;
      now_ = next;
      run_units(entity, next);
      if (pause_) {
        pause_ = false;
        between_(next);
      }
    }
    end();
    return;
  }
  while (!stopped_) {
    Cycle next = entity.wheel.next();
    if (next == kNever || !within_limit(next)) break;
    if (mode_ == SchedulerMode::kEveryCycle && entity.wheel.now() + 1 < next) next = entity.wheel.now() + 1;
    // A notification of this very time (a request that has just left for a TLM target) comes first.
    if (sc_core::sc_pending_activity_at_current_time()) {
      arm(entity, next);
      return;
    }
    // Nothing foreign can happen before SystemC's own next event, so running ahead up to it is exact.
    if (sc_core::sc_pending_activity_at_future_time()) {
      const sc_core::sc_time foreign = sc_core::sc_time_stamp() + sc_core::sc_time_to_pending_activity();
      if (time_of(next) > foreign) {
        entity.armed = next;
        entity.event.notify(std::max(time_of(next), foreign) - sc_core::sc_time_stamp());
        return;
      }
    }
    run_cycle(entity, next);
    if (pause_) {
      pause_ = false;
      between_(next);
    }
  }
  if (!embedded_) end();
}

bool Scheduler::run_to_pause() {
  SYSTOLE_CHECK(mode_ == SchedulerMode::kFast);
  Entity& entity = *entities_.front();
  while (!stopped_ && entity.wheel.next() != kNever) {
    run_cycle(entity, entity.wheel.next());
    if (pause_) {
      pause_ = false;
      return true;
    }
  }
  return false;
}

// A simulation of our own only pauses: another machine may run after it.
void Scheduler::end() {
  if (embedded_) {
    sc_core::sc_stop();
  } else {
    sc_core::sc_pause();
  }
}

bool Scheduler::pending(Wheel::Pending& wakes) const {
  SYSTOLE_CHECK(mode_ == SchedulerMode::kFast);
  return entities_.front()->wheel.pending(wakes);
}

void Scheduler::jump(Cycle to, const Wheel::Pending& wakes) {
  SYSTOLE_CHECK(mode_ == SchedulerMode::kFast && to >= now_);
  entities_.front()->wheel.jump(to, wakes);
  now_ = to;
}

void Scheduler::advance_native(Entity& entity) {
  const sc_dt::uint64 ticks = sc_core::sc_time_stamp().value() - origin_.value();
  const bool as_armed = entity.armed != kNever && ticks == entity.armed * period_.value();
  const Cycle cycle = as_armed ? entity.armed : ticks / period_.value();   // at its start SystemC calls everybody
  entity.armed = kNever;
  if (!within_limit(cycle)) {
    now_ = std::max(now_, cycle);
    end();
    return;
  }
  entity.running = true;
  if (entity.wheel.next() == cycle) run_cycle(entity, cycle);
  entity.running = false;
  const Cycle next = entity.wheel.next();
  if (next != kNever) arm(entity, next);
  if (stopped_) end();
}

std::string Scheduler::state_text() const {
  std::string text;
  for (const auto& entity : entities_) {
    for (const Unit* unit : entity->units) {
      const std::string state = unit->state_text();
      if (!state.empty()) text += std::string("  ") + unit->name() + ": " + state + "\n";
    }
  }
  return text;
}

}  // namespace systole
