#pragma once
// Leaps over the steady state: many elements per event, with exactly the cycles of one element per event.
//
// The graph is a deterministic machine. Let its state at the start of cycle `now` equal its state at the start of an
// earlier cycle `from`: every initiation interval and every result in a pipeline is equally far away, and every FIFO
// holds equally many elements. Then the cycles [from, now) repeat, shifted, for as long as the ports act as they did,
// i.e. until a node reaches the first or last firing of its row. A FIFO may also grow or shrink by the same number in
// each period, provided that all decisions about it came out, and will come out, the same: during all these cycles it
// was, and stays, neither empty nor full. So all repetitions up to the earliest of these limits happen at once.
//
// The same argument holds for whole rows: if also the positions in the rows are equal, the ports repeat too, and the
// limit is the last firing.
#include <cstdint>
#include <vector>

#include "hw/stream/fifo.h"
#include "hw/stream/node.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

// Registered with the scheduler before all nodes, so that it sees the state at the start of a cycle.
class SteadyState final : public Unit {
 public:
  SteadyState(const sc_core::sc_module_name& name, std::vector<StreamNode*> nodes, std::vector<StreamFifo>& fifos);

  void evaluate(Cycle now) override;

  // A node did something in `now`; one of its ports had its turn of the row; it went from one row to the next.
  void note(Cycle now) {
    if (noted_ == now) return;
    noted_ = now;
    wake_at(now + 1);
  }
  void note_row_port() { inside_rows_.disturbed = true; }
  void note_row_passed(std::size_t node) {
    if (node == pivot_) row_passed_ = true;
  }

  [[nodiscard]] std::uint64_t leaps() const { return leaps_; }
  [[nodiscard]] Cycle cycles_leapt() const { return cycles_leapt_; }

 private:
  // A remembered state and what happened since. After `patience` comparisons in vain the present state replaces it,
  // with twice the patience (Brent's cycle detection: any period is found in the end).
  struct Anchor {
    bool valid = false;
    bool disturbed = false;
    Cycle at = 0;
    std::uint64_t patience = 1;
    std::uint64_t tries = 0;
    std::vector<std::uint32_t> signature;
    std::vector<std::uint64_t> positions;
    std::vector<std::uint64_t> firings;
    std::vector<std::uint64_t> sizes, pushes, smallest, largest;  // per FIFO
  };

  void set_anchor(Anchor& anchor, Cycle now, std::uint64_t patience);
  void sample(Anchor& anchor) const;
  [[nodiscard]] bool try_leap(Anchor& anchor, Cycle now, bool whole_rows);
  void choose_pivot();

  std::vector<StreamNode*> nodes_;
  std::vector<StreamFifo>& fifos_;
  Anchor inside_rows_;
  Anchor across_rows_;
  bool rows_repeat_ = true;  // no node has growing rows
  std::size_t pivot_ = 0;    // states are compared when this node passes from row to row
  bool row_passed_ = false;
  Cycle noted_ = kNever;
  Cycle resume_ = 0;
  std::vector<std::uint32_t> signature_;
  std::uint64_t leaps_ = 0;
  Cycle cycles_leapt_ = 0;
};

}  // namespace systole::hw
