#pragma once
// The scratchpad's banks and their read response path (Scratchpad.scala ScratchpadBank). A read that starts in cycle t leaves the bank in
// t + 1 into a latch that operands of the array and rows to be stored share; behind it each has an own path per bank. Only the rows to be stored
// are followed here: operands arrive a fixed time after their read.
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/params/derived.h"
#include "hw/ports/local_access.h"
#include "hw/ports/load_runs.h"
#include "hw/ports/operand_port.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

// Channels of one bank.
struct ScratchpadBank {
  ScratchpadBank(const MachineParams& params, int index);
  Channel<ScratchpadRead> latch;            // rows to be stored; operands of the array use it, too, see OperandPort
  Channel<ScratchpadRead> stores;           // to the DMA writer
};

class Scratchpad final : public Unit, public BankPort {
 public:
  // `loads`: announced loads, or null.
  Scratchpad(const sc_core::sc_module_name& name, const MachineParams& params, const LoadRuns* loads = nullptr);

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
    r(latched_);
    r.time(latched_in_);
  }

  void bind_operands(OperandPort& operands) { operands_ = &operands; }
  // For who stands behind the array's operand reads: may another read of this bank start?
  [[nodiscard]] bool can_read(Cycle now, std::uint32_t bank) const;

  [[nodiscard]] ScratchpadBank& bank(int index) { return *banks_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] BankPort& port() { return *this; }
  [[nodiscard]] std::uint32_t ready(Cycle now) const override {
    std::uint32_t busy = latched_in_ == now ? latched_ : 0u;
    if (!single_ported_) return ~busy;
    if (written_in_ == now) busy |= written_;
    if (loads_ != nullptr) {
      if (const auto bank = loads_->bank_in(now)) busy |= 1u << *bank;
    }
    return ~busy;
  }
  [[nodiscard]] Cycle first_refusal(std::uint32_t banks, Cycle from, Cycle until) const override {
    return loads_ != nullptr && single_ported_ ? loads_->first_write(banks, from, until) : kNever;
  }
  void settle(Cycle now) override {
    if (load_values_ != nullptr && !loads_->empty()) load_values_->settle(now);
  }
  // Writes the values of announced loads.
  class LoadValues {
   public:
    virtual ~LoadValues() = default;
    virtual void settle(Cycle now) = 0;
  };
  void bind_loads(LoadValues& values) { load_values_ = loads_ != nullptr ? &values : nullptr; }
  [[nodiscard]] std::uint32_t bank_of(std::uint32_t row) const { return row >> bank_shift_; }
  // Loads are going to write; the array's controller may be reading one of their banks then.
  void announced(const LoadRun& run) {
    if (operands_ == nullptr || !single_ported_) return;
    const std::uint32_t watched = operands_->watched_banks();
    if (watched == 0) return;
    const Cycle refusal = loads_->first_write(watched, run.first, run.last());
    if (refusal != kNever) operands_->refused(refusal);
  }
  // A row of this bank is written in this cycle.
  void note_write(Cycle now, std::uint32_t bank);

 private:
  void refuse(Cycle now, std::uint32_t banks);
  const bool single_ported_;
  const int bank_shift_;   // log2 of a bank's rows
  std::vector<std::unique_ptr<ScratchpadBank>> banks_;
  OperandPort* operands_ = nullptr;
  const LoadRuns* loads_;
  LoadValues* load_values_ = nullptr;
  std::uint32_t written_ = 0;   // banks written in cycle written_in_
  Cycle written_in_ = kNever;
  std::uint32_t latched_ = 0;   // banks whose latch is full in cycle latched_in_
  Cycle latched_in_ = kNever;
};

}  // namespace systole::hw
