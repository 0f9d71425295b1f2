#pragma once
// The input side of the array: control queue head, row buffers and request register. Sends one row into the array when all three operands of
// it are there (ExecuteController.scala, second half; MeshWithDelays.scala).
#include <string>
#include <vector>

#include "hw/datapath/gemm_array.h"
#include "hw/execute/execute_links.h"
#include "hw/params/machine.h"
#include "hw/ports/array_links.h"
#include "hw/ports/hazard_log.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class MeshInput : public Unit {
 public:
  // Without `values` the same cycles result; `hazards` may be null.
  MeshInput(const sc_core::sc_module_name& name, const MachineParams& params, ExecuteLinks& execute, ArrayLinks& array, GemmArray* values,
            HazardLog* hazards);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;

  // Requests that entered the array, flushes included.
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }

 private:
  // Registers that a flush request takes from the stale output of the empty control queue.
  struct StaleEntry {
    bool weight_stationary = false;
    bool a_transpose = false;
    bool bd_transpose = false;
    std::uint8_t shift = 0;
  };
  bool resume(Cycle now);
  void row_enters(Cycle now, bool last);
  void request_fires(Cycle now, const ControlSegment* entry);
  void take_row(Cycle now, const ControlSegment& entry, unsigned fired);
  void follow(Cycle now);
  void plan(Cycle now, bool popped);
  void remember(const MeshOp& op, unsigned entries);
  void warn_lost_propagate(Cycle now, const MeshOp& op);
  void warn_stale_flush(Cycle now, const StaleEntry& stale);

  static constexpr unsigned kAll = 7;   // all three operands

  int dim_;
  unsigned ids_;                        // simultaneous_matmuls
  ExecuteLinks& execute_;
  ArrayLinks& array_;
  GemmArray* values_;
  HazardLog* hazards_;

  bool request_valid_ = false;
  unsigned flush_ = 0;                  // two bits, counts down as in the RTL
  unsigned total_rows_ = 0;
  unsigned row_ = 0;                    // fire_counter
  unsigned written_ = 0;                // row buffers that hold a row, one bit per operand
  unsigned id_ = 0;                     // matmul_id
  std::uint16_t number_ = 0;            // request, for values
  Cycle fired_ = kNever;
  bool following_ = false;              // rows enter one per cycle without a look at them; the request fired in `fired_`
  bool announced_ = false;              // the row that enters now is known to the array
  bool first_entered_ = false;          // of the running request
  std::vector<StaleEntry> stale_;       // the last entries, one per slot of the control queue
  unsigned stale_next_ = 0;
  StaleEntry newest_;                   // of the operation whose row left the control queue last; and its command
  isa::Instruction newest_instruction_;
  std::uint32_t newest_sequence_ = 0;
  bool newest_known_ = false;
  bool newest_reported_ = false;
  std::uint16_t steered_op_ = 0xFFFF;   // operation that was last reported for changed steering
  std::uint64_t requests_ = 0;
  std::uint64_t rows_ = 0;
};

}  // namespace systole::hw
