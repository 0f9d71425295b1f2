#pragma once
// Turns each mvin into row requests, one per cycle, and reports its completion (LoadController.scala).
#include <array>
#include <cstdint>

#include "hw/control/command_tracker.h"
#include "hw/params/derived.h"
#include "hw/ports/command.h"
#include "hw/ports/load_runs.h"
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class LoadController final : public Unit, private LoadRuns::Counter {
 public:
  LoadController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& in_command,
                 Channel<LoadProgress>& in_progress, Channel<RowRequest>& out_row, Channel<ZeroRow>& out_zero,
                 PriorityMerge<Completion, kCompletionSources>& completion, LoadRuns& load_runs);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class State : std::uint8_t { kWait, kWaitForDma, kSending };
  enum class Account : std::uint8_t { kIdle, kBusy, kNoTracker, kRequestQueueFull };

  // Registers of one load state, written by config_ld.
  struct LoadState {
    std::uint64_t stride = 0;
    std::uint32_t scale = 0;
    std::uint16_t block_stride = 0;
    std::uint8_t pixel_repeats = 1;
    bool shrink = false;
  };
  // The mvin at the head of the queue, decoded.
  struct Mvin {
    std::uint64_t address = 0;
    isa::LocalAddress local;
    std::uint32_t rows = 0;      // row requests of the command
    std::uint32_t cols = 0;
    std::uint32_t all_rows = 0;  // rows field
    const LoadState* state = nullptr;
    bool zeros = false;
    bool broadcast = false;      // stride 0: one request serves all rows
    bool accumulator_width = false;
  };

  [[nodiscard]] Mvin decode(const IssuedCommand& issued, Cycle now) const;
  void loaded(Cycle now, unsigned tracker, std::uint32_t bytes) override;
  void configure(const isa::Instruction& instruction);
  [[nodiscard]] bool request(Cycle now, const IssuedCommand& issued, const Mvin& mvin);
  void step(Cycle now);

  const MachineParams params_;
  const int row_bits_;
  const std::uint32_t cols_mask_;
  const std::uint32_t rows_mask_;
  Channel<IssuedCommand>& in_command_;
  Channel<LoadProgress>& in_progress_;
  Channel<RowRequest>& out_row_;
  Channel<ZeroRow>& out_zero_;
  PriorityMerge<Completion, kCompletionSources>& completion_;

  State state_ = State::kWait;
  std::uint32_t row_ = 0;
  unsigned tracker_entry_ = 0;
  CommandTracker tracker_;
  std::array<LoadState, 3> states_{};
  Ledger ledger_;
};

}  // namespace systole::hw
