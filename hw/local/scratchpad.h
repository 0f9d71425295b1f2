#pragma once
// The scratchpad's banks and their read response path (Scratchpad.scala ScratchpadBank). A read that starts in cycle t leaves the bank in
// t + 1 into a latch that operands of the array and rows to be stored share; behind it each has an own path per bank.
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/params/derived.h"
#include "hw/ports/local_access.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/wire.h"

namespace systole::hw {

// Channels of one bank.
struct ScratchpadBank {
  ScratchpadBank(const MachineParams& params, int index);
  Channel<ScratchpadRead> latch;            // pushed when a read starts; at most one per cycle and bank
  Channel<OperandArrived> operands;         // to the array
  Channel<ScratchpadRead> stores;           // to the DMA writer
};

class Scratchpad final : public Unit {
 public:
  Scratchpad(const sc_core::sc_module_name& name, const MachineParams& params);

  // Member of the datapath group behind all who take responses or write, in front of all who read.
  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;

  [[nodiscard]] ScratchpadBank& bank(int index) { return *banks_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] Wire<BanksReady>& ready() { return ready_; }
  [[nodiscard]] std::uint32_t bank_of(std::uint32_t row) const { return row / bank_rows_; }
  // A row of this bank is written in this cycle.
  void note_write(Cycle now, std::uint32_t bank);

 private:
  const bool single_ported_;
  const std::uint32_t bank_rows_;
  std::vector<std::unique_ptr<ScratchpadBank>> banks_;
  Wire<BanksReady> ready_;
  std::uint32_t written_ = 0;   // banks written in cycle written_in_
  Cycle written_in_ = kNever;
};

}  // namespace systole::hw
