#pragma once
// The way of a stored row from its bank to the DMA writer (Scratchpad.scala write_dispatch_q, write_norm_q, write_scale_q, write_issue_q):
//   MvoutDispatch    starts the read of the row                     -> norm queue
//   MvoutNormStage   hands a read row to the normaliser             -> scale queue
//   MvoutScaleStage  moves rows into the scaling unit, and scaled rows to the writer   -> issue queue
// In a cycle they are evaluated from the writer backwards.
#include <cstdint>
#include <vector>

#include "hw/datapath/value_plane.h"
#include "hw/local/accumulator.h"
#include "hw/local/scratchpad.h"
#include "hw/ports/hazard_log.h"
#include "hw/ports/store_stages.h"
#include "hw/ports/writer_request.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

// The queues between the stages. Order is kept: they say which memory the next row comes from.
struct MvoutQueues {
  explicit MvoutQueues(const MachineParams& params);
  Channel<StoreRow> norm;
  Channel<StoreRow> scale;
  Channel<StoreRow> issue;
  int rows = 0;        // in the three queues
  BusyLine busy;       // queues not empty

  void residual(Residual& r) {
    r.rest(rows == 0);
    norm.residual(r);
    scale.residual(r);
    issue.residual(r);
    busy.residual(r);
  }
};

class MvoutScaleStage final : public Unit {
 public:
  MvoutScaleStage(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, Scratchpad& scratchpad,
                  MvoutQueues& queues, Channel<WriteRequest>& out_block, HazardLog* hazards);
  void bind(NormaliserPort& normaliser, ScalePort& scale);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    for (std::size_t i = 0; i < issue_slots_.size(); ++i) r(issue_slots_[(issue_slot_ + i) % issue_slots_.size()]);
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kWriterBusy, kScaling };

  [[nodiscard]] bool issue(Cycle now);
  [[nodiscard]] bool scale(Cycle now, bool queue_was_empty);
  // The scratchpad bank of a row, -1 for rows from elsewhere.
  [[nodiscard]] int scratchpad_bank(const StoreRow& row) const;
  // Before `row` enters the empty issue queue: have data already left a read path for nobody?
  void check_not_lost(Cycle now, const StoreRow& row) const;

  const MachineParams params_;
  const int row_bits_;
  const std::uint32_t scratchpad_rows_;
  ValuePlane* values_;
  Scratchpad& scratchpad_;
  MvoutQueues& queues_;
  // What the slots of the issue queue last held, as scratchpad_bank(); 0 after reset.
  std::vector<std::int8_t> issue_slots_;
  std::size_t issue_slot_ = 0;   // of the next row
  Channel<WriteRequest>& out_block_;
  NormaliserPort* normaliser_ = nullptr;
  ScalePort* scale_ = nullptr;
  HazardLog* hazards_;
  bool writer_refused_ = false;
  Ledger ledger_;
};

class MvoutNormStage final : public Unit {
 public:
  MvoutNormStage(const sc_core::sc_module_name& name, const MachineParams& params, Accumulator& accumulator, MvoutQueues& queues);
  void bind(NormaliserPort& normaliser) { normaliser_ = &normaliser; }

  void evaluate(Cycle now) override;
  void residual(Residual&) override {}   // has no registers

 private:
  const int row_bits_;
  Accumulator& accumulator_;
  MvoutQueues& queues_;
  NormaliserPort* normaliser_ = nullptr;
};

class MvoutDispatch final : public Unit {
 public:
  MvoutDispatch(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, Scratchpad& scratchpad,
                Accumulator& accumulator, MvoutQueues& queues, Channel<StoreRow>& in_row, Channel<StoreProgress>& out_progress);

  void evaluate(Cycle now) override;
  // The queues as well.
  void residual(Residual& r) override {
    queues_.residual(r);
    r.rest(affine_reads_ == 0);
    r.time(last_read_);
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kQueueFull, kBankBusy };

  [[nodiscard]] bool read(Cycle now, StoreRow& row);
  [[nodiscard]] bool read_scratchpad(Cycle now, StoreRow& row, std::uint32_t local_row);
  [[nodiscard]] bool read_accumulator(Cycle now, StoreRow& row, std::uint32_t local_row);
  [[nodiscard]] bool can_read_accumulator(Cycle now, std::uint32_t local_row);

  const MachineParams params_;
  const int row_bits_;
  const std::uint32_t scratchpad_rows_;
  ValuePlane* values_;
  Scratchpad& scratchpad_;
  Accumulator& accumulator_;
  MvoutQueues& queues_;
  Channel<StoreRow>& in_row_;
  Channel<StoreProgress>& out_progress_;
  int affine_reads_ = 0;       // extension E3: gain and bias rows read so far for the row at the head
  bool response_full_ = false; // the read was refused because the row that the bank has read before has not been taken
  Cycle last_read_ = kNever;   // of a row or of its operands: a second call in that cycle does nothing
  Ledger ledger_;
};

}  // namespace systole::hw
