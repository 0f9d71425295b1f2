#pragma once
// What answers on the cache's AXI port: whole lines are read and written. Reads are answered beat by beat in the order in which the memory
// chooses to, writes once.
#include <cstdint>

#include "sim/base/cycle.h"

namespace systole::hw::soc {

class AxiMemory {
 public:
  virtual ~AxiMemory() = default;

  // ---- requests; `now` is the cycle of the beat on AXI. `id` comes back with the answer.
  [[nodiscard]] virtual bool can_read() const = 0;
  virtual void read(Cycle now, unsigned id, std::uint64_t address) = 0;
  [[nodiscard]] virtual bool can_write() const = 0;
  virtual void write(Cycle now, unsigned id, std::uint64_t address) = 0;   // `now`: of the last data beat

  // ---- answers
  // First cycle in which a beat can be taken, kNever: none is known yet.
  [[nodiscard]] Cycle read_offered() const { return read_offered_; }
  [[nodiscard]] Cycle write_offered() const { return write_offered_; }
  [[nodiscard]] unsigned read_id() const { return read_id_; }
  [[nodiscard]] unsigned write_id() const { return write_id_; }
  virtual void take_read(Cycle now) = 0;
  virtual void take_write(Cycle now) = 0;

 protected:
  // Kept by the memory: the answers at the head.
  Cycle read_offered_ = kNever;
  Cycle write_offered_ = kNever;
  unsigned read_id_ = 0;
  unsigned write_id_ = 0;
};

}  // namespace systole::hw::soc
