#pragma once
// Writes rows into the local memories, one per bank and cycle at most. Write-backs of the array win over loaded rows, these over zeros
// (Scratchpad.scala, bank write ports). Holds the pixel repeaters in front of the banks (PixelRepeater.scala) and the unit that cuts rows of
// zeros into blocks (ZeroWriter.scala).
#include <cstdint>
#include <optional>

#include "hw/datapath/value_plane.h"
#include "hw/local/accumulator.h"
#include "hw/local/scratchpad.h"
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/wire.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class RowWriter final : public Unit, private LoadRuns::Writer, private Scratchpad::LoadValues {
 public:
  // in_row: the pixel repeater's register; in_accumulator_row: rows of the accumulator path, written from where they stand;
  // in_zero: the zero writer's register.
  RowWriter(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, Scratchpad& scratchpad,
            Accumulator& accumulator, Wire<ArrayWrite>& array_write, Channel<LoadedRow>& in_row, Channel<LoadedRow>& in_accumulator_row,
            Channel<ZeroRow>& in_zero, Channel<LoadProgress>& out_progress,
            LoadRuns& load_runs);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(pixel_repeats_left_ < 0 && accumulator_repeats_left_ < 0 && zero_column_ == 0 && !zero_block_);
    if (!r.loads()) account_rows(r.now());
    ledger_.residual(r);
  }
  // Rows of a run that were written before `now` while it slept.
  void account_rows(Cycle now);
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kBankBusy };

  // What a source offers to the banks in this cycle.
  struct Offer {
    bool valid = false;
    bool last = false;
    bool to_accumulator = false;
    bool accumulate = false;
    std::uint32_t row = 0;      // of the whole memory
    std::uint32_t bank = 0;
    LoadedRow source;
    int repeat = 0;             // pixel repeat
  };
  struct RunRow {
    bool valid = false;
    bool last = false;          // of its run
    std::uint32_t bank = 0;
  };
  // One block of a zero row, in the zero path's pixel repeater.
  struct ZeroBlock {
    ZeroRow zero;
    std::uint32_t row = 0;
    std::uint16_t cols = 0;     // of this block
    bool last = false;
    int repeats_left = 0;
  };

  [[nodiscard]] Offer offer_of(const LoadedRow& row, int repeat, bool pixel_path) const;
  [[nodiscard]] Offer offer_of_zero() const;
  void announced(const LoadRun& run) override;
  void settle(Cycle now) override;
  [[nodiscard]] RunRow row_of_run(Cycle now);
  void finish_run(Cycle now);
  void array_write(Cycle now);
  [[nodiscard]] bool write_row(Cycle now, const Offer& offer);
  void finish(Cycle now, const Offer& offer);
  void end_row(const LoadedRow& row);
  void advance_pixel(Cycle now);
  void advance_accumulator(Cycle now);
  void advance_zero();
  void refill_zero(Cycle now);
  [[nodiscard]] bool bank_taken(const Offer& offer) const;
  void take_bank(Cycle now, bool to_accumulator, std::uint32_t bank);
  void store_values(const Offer& offer);

  const MachineParams params_;
  const std::uint32_t scratchpad_rows_;
  ValuePlane* values_;
  Scratchpad& scratchpad_;
  Accumulator& accumulator_;
  Wire<ArrayWrite>& array_write_;
  Channel<LoadedRow>& in_row_;
  Channel<LoadedRow>& in_accumulator_row_;
  Channel<ZeroRow>& in_zero_;
  Channel<LoadProgress>& out_progress_;
  LoadRuns& load_runs_;

  int pixel_repeats_left_ = -1;           // of the row in in_row; -1: not looked at yet
  int accumulator_repeats_left_ = -1;
  std::uint32_t zero_column_ = 0;         // first column of the next block of the row in in_zero
  std::optional<ZeroBlock> zero_block_;
  unsigned rows_accounted_ = 0;           // of the first run
  std::uint32_t scratchpad_taken_ = 0;    // banks that have been written in this cycle
  std::uint32_t accumulator_taken_ = 0;
  Ledger ledger_;
};

}  // namespace systole::hw
