#pragma once
// A hardware unit: an SC_MODULE whose only entry point is evaluate(now), called in the cycles it asked for (and possibly in others).
#include <cstdint>
#include <string>

#include <systemc>

#include "sim/base/cycle.h"
#include "sim/base/residual.h"
#include "sim/kernel/wheel.h"

namespace systole {

class Unit : public sc_core::sc_module {
 public:
  explicit Unit(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {}

  // Does what there is to do in cycle `now`. Called with nothing to do it changes nothing: a spurious wake-up has no effect.
  virtual void evaluate(Cycle now) = 0;

  // One line for the report of a deadlock: what the unit holds and waits for. Empty when idle.
  [[nodiscard]] virtual std::string state_text() const { return {}; }

  // What the unit carries from one piece of work into the next (sim/base/residual.h). A unit that does not say so is never at rest.
  virtual void residual(Residual& r) { r.rest(false); }

  // Asks for evaluate(at). `at` may be the running cycle only inside a group, for a unit that has not had its turn.
  void wake_at(Cycle at) { wheel_->wake(index_, at); }

  // Set once by the scheduler.
  void attach(Wheel& wheel, unsigned index) {
    wheel_ = &wheel;
    index_ = index;
  }

 private:
  Wheel* wheel_ = nullptr;
  unsigned index_ = 0;
};

}  // namespace systole
