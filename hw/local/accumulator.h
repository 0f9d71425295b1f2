#pragma once
// The accumulator's banks: reads, writes and read-modify-writes with their ports and hazards (AccumulatorMem.scala). A write takes effect
// accumulator.latency cycles later; until then its row can neither be read nor accumulated to. Values are updated at once, which is the same.
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hw/params/derived.h"
#include "hw/ports/array_writes.h"
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class Accumulator final : public Unit {
 public:
  // `array_writes`: what the array announces, or null.
  Accumulator(const sc_core::sc_module_name& name, const MachineParams& params, ArrayWriteRuns* array_writes = nullptr);

  // Only single-ported banks with sub-banks have something to do: they drain their write queues.
  void evaluate(Cycle now) override;
  void residual(Residual& r) override;

  [[nodiscard]] std::uint32_t bank_of(std::uint32_t row) const { return row >> bank_shift_; }
  [[nodiscard]] std::uint32_t rows() const { return rows_; }

  // ---- writes: before evaluate() of the cycle
  // May this write take place in this cycle. Asking is offering: an accumulating offer blocks reads of the bank even when it is refused.
  [[nodiscard]] bool offer_write(Cycle now, std::uint32_t row, bool accumulate);
  void write(Cycle now, std::uint32_t row, bool accumulate);
  // Single-ported banks: loads wait one cycle behind two accumulations to the same sub-bank (Scratchpad.scala consecutive_write_block).
  [[nodiscard]] bool loads_blocked(Cycle now, std::uint32_t bank) const;
  // Two banks that accumulate in the same cycle share one adder and both get wrong sums; how often that happened.
  [[nodiscard]] std::uint64_t adder_conflicts() const { return adder_conflicts_; }

  // The row of an announced write of the array in this cycle.
  [[nodiscard]] std::optional<std::uint32_t> array_row(Cycle now) const {
    return array_writes_ == nullptr ? std::nullopt : array_writes_->row_in(now);
  }
  // Before the value of a row is read or written.
  void settle(Cycle now, std::uint32_t row) {
    if (array_writes_ != nullptr) array_writes_->settle(now, row);
  }

  // ---- reads: behind evaluate() of the cycle
  [[nodiscard]] bool can_read(Cycle now, std::uint32_t row) const;
  // Row that was read, from the cycle behind on.
  [[nodiscard]] Channel<StoreRow>& response(std::uint32_t bank) { return *banks_[bank].response; }

 private:
  struct PendingWrite {
    std::uint32_t row = 0;
    Cycle cycle = kNever;
  };
  struct SubBank {
    std::vector<std::uint32_t> queue;   // rows of writes that wait for the port
    Cycle port_used_in = kNever;        // by a read-modify-write or a drained write
  };
  struct Bank {
    std::unique_ptr<Channel<StoreRow>> response;
    std::vector<PendingWrite> pending;  // ring: the write of cycle c in slot c modulo latency + 1; older ones are in memory
    Cycle accumulate_offered_in = kNever;
    Cycle accumulated_in = kNever;
    std::vector<SubBank> sub_banks;
    std::uint32_t last_sub_bank = 0;    // of the last accumulation
    Cycle blocked_in = kNever;          // loads are refused in this cycle
  };

  [[nodiscard]] bool in_flight(const Bank& bank, std::uint32_t row, Cycle now) const;
  [[nodiscard]] std::uint32_t sub_bank_of(std::uint32_t row) const { return row % static_cast<std::uint32_t>(sub_banks_); }

  ArrayWriteRuns* const array_writes_;
  const Cycle latency_;
  const std::uint32_t rows_;
  const int bank_shift_;                // log2 of a bank's rows
  const int sub_banks_;                 // 0: two-ported
  std::vector<Bank> banks_;
  Cycle last_accumulate_ = kNever;      // and its bank
  std::uint32_t last_accumulate_bank_ = 0;
  std::uint64_t adder_conflicts_ = 0;
};

}  // namespace systole::hw
