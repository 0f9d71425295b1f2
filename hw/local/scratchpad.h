#pragma once
// The scratchpad's banks and their read response path (Scratchpad.scala ScratchpadBank). A read that starts in cycle t leaves the bank in
// t + 1 into a latch that operands of the array and rows to be stored share; behind it each has an own path per bank. Only the rows to be stored
// are followed here: operands arrive a fixed time after their read.
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/params/derived.h"
#include "hw/ports/local_access.h"
#include "hw/ports/operand_port.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/wire.h"

namespace systole::hw {

// Channels of one bank.
struct ScratchpadBank {
  ScratchpadBank(const MachineParams& params, int index);
  Channel<ScratchpadRead> latch;            // rows to be stored; operands of the array use it, too, see OperandPort
  Channel<ScratchpadRead> stores;           // to the DMA writer
};

class Scratchpad final : public Unit {
 public:
  Scratchpad(const sc_core::sc_module_name& name, const MachineParams& params);

  // Member of the datapath group behind all who take responses or write, in front of all who read.
  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    for (auto& bank : banks_) {
      bank->latch.residual(r);
      bank->stores.residual(r);
    }
    r(written_);
    r.time(written_in_);
  }

  void bind_operands(const OperandPort& operands) { operands_ = &operands; }
  // For who stands behind the array's operand reads: may another read of this bank start?
  [[nodiscard]] bool can_read(Cycle now, std::uint32_t bank) const;

  [[nodiscard]] ScratchpadBank& bank(int index) { return *banks_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] Wire<BanksReady>& ready() { return ready_; }
  [[nodiscard]] std::uint32_t bank_of(std::uint32_t row) const { return row >> bank_shift_; }
  // A row of this bank is written in this cycle.
  void note_write(Cycle now, std::uint32_t bank);

 private:
  const bool single_ported_;
  const int bank_shift_;   // log2 of a bank's rows
  std::vector<std::unique_ptr<ScratchpadBank>> banks_;
  Wire<BanksReady> ready_;
  const OperandPort* operands_ = nullptr;
  std::uint32_t written_ = 0;   // banks written in cycle written_in_
  Cycle written_in_ = kNever;
};

}  // namespace systole::hw
