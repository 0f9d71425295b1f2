#pragma once
// Turns each mvout into reads of local rows, one per cycle, and reports its completion when the last row has been read
// (StoreController.scala). Holds the registers of config_st and config_norm.
#include <cstdint>
#include <vector>

#include "hw/control/command_tracker.h"
#include "hw/params/derived.h"
#include "hw/ports/command.h"
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class StoreController final : public Unit {
 public:
  StoreController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& in_command,
                  Channel<StoreProgress>& in_progress, Channel<StoreRow>& out_row,
                  PriorityMerge<Completion, kCompletionSources>& completion);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class State : std::uint8_t { kWait, kWaitForDma, kSending, kPooling };
  enum class Account : std::uint8_t { kIdle, kBusy, kNoTracker, kDispatchFull };

  // Max-pooling registers and, for pool_stride 0 with a window, the sizes of a one-dimensional mvout.
  struct Pool {
    std::uint32_t stride = 0, size = 0, out_dim = 0, out_rows = 0, out_cols = 0, rows = 0, cols = 0, upper_pad = 0, left_pad = 0;
  };
  struct Mvout {
    std::uint64_t address = 0;
    isa::LocalAddress local;
    std::uint32_t cols = 0, rows = 0, blocks = 0;
    bool pooling = false;
    bool one_dimensional = false;
  };

  [[nodiscard]] Mvout decode(const IssuedCommand& issued, Cycle now) const;
  void configure_store(const isa::Instruction& instruction);
  void configure_norm(const IssuedCommand& issued, Cycle now);
  void write_extension(const IssuedCommand& issued, Cycle now);
  [[nodiscard]] bool request(Cycle now, const IssuedCommand& issued, const Mvout& mvout);
  [[nodiscard]] StoreRow row_of(const IssuedCommand& issued, const Mvout& mvout);
  void number_affine_block(StoreRow& row);
  void pool_source(const Mvout& mvout, StoreRow& row) const;
  void advance(const Mvout& mvout);
  [[nodiscard]] bool counters_are_zero() const;
  void step(Cycle now);
  [[noreturn]] void misuse(Cycle now, const IssuedCommand& issued, const std::string& what) const;

  const MachineParams params_;
  const int row_bits_;
  const std::uint32_t cols_mask_;
  const std::uint32_t rows_mask_;
  Channel<IssuedCommand>& in_command_;
  Channel<StoreProgress>& in_progress_;
  Channel<StoreRow>& out_row_;
  PriorityMerge<Completion, kCompletionSources>& completion_;

  State state_ = State::kWait;
  std::uint64_t stride_ = 0;
  StoreConstants constants_;
  Pool pool_;
  std::uint32_t row_ = 0, block_ = 0;                                   // of an mvout
  std::uint32_t out_row_index_ = 0, out_col_ = 0, window_row_ = 0, window_col_ = 0;   // of max-pooling
  unsigned tracker_entry_ = 0;
  CommandTracker tracker_;
  std::vector<std::uint16_t> affine_blocks_;   // extension E3, by statistics id: blocks sent since the statistics ended
  Ledger ledger_;
};

}  // namespace systole::hw
