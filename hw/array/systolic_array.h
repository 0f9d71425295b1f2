#pragma once
// The output side of the array: rows leave a fixed number of cycles after they entered; the tag queue says where they go. One result row and
// one completion per cycle, never refused (MeshWithDelays.scala, ExecuteController.scala write-back).
#include <string>

#include "hw/datapath/gemm_array.h"
#include "hw/params/machine.h"
#include "hw/ports/array_links.h"
#include "hw/ports/array_writes.h"
#include "hw/ports/local_access.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/kernel/wire.h"

namespace systole::hw {

class SystolicArray : public Unit, private ArrayWriteRuns::Source {
 public:
  // `write_back` is driven in the cycle of a row that is written; the value is written at once. Without `values` the same cycles result.
  // With `runs`, rows that come out one after the other are announced there instead, and written before anybody looks at them.
  SystolicArray(const sc_core::sc_module_name& name, const MachineParams& params, ArrayLinks& links, Wire<ArrayWrite>& write_back,
                PriorityMerge<Completion, kCompletionSources>& completions, GemmArray* values, ArrayWriteRuns* runs = nullptr);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r(announced_.active);
    if (announced_.active) {
      r.since(announced_.first);
      for (std::uint32_t* field : {&announced_.count, &announced_.written, &announced_.row, &announced_.stride}) r(*field);
      r(announced_.cols);
      r(announced_.accumulate);
    }
    r(row_);
    r.count(rows_written_);
  }

  [[nodiscard]] std::uint64_t rows_written() const { return rows_written_; }

 private:
  // An announcement that has not ended: rows of the run in front.
  struct Announced {
    Cycle first = 0;
    unsigned count = 0;       // rows that come out, written or not
    unsigned written = 0;     // of these, rows that are written somewhere: the first ones
    unsigned settled = 0;     // of these, rows whose values are written
    std::uint32_t row = 0;
    std::uint32_t stride = 0;
    std::uint16_t cols = 0;
    bool accumulate = false;
    bool active = false;
  };
  [[nodiscard]] bool announce(Cycle first, Cycle now, const MeshRows& run);
  void come_out(Cycle now, MeshRows& run, unsigned rows);
  void settle(Cycle now) override;
  void fall_back(Cycle now) override;
  void write_row(Cycle now, const ArrayTag& tag, unsigned total_rows, const MeshRows& run);
  void write_accumulator(const std::int32_t* from, std::int32_t* to, unsigned cols, bool accumulate);
  void write_value(const ArrayWrite& write, unsigned cols, const MeshRows& run, Cycle now);

  int dim_;
  int row_bits_;
  std::uint32_t scratchpad_mask_;     // rows - 1
  std::uint32_t accumulator_mask_;
  std::uint32_t offset_mask_;         // width of the row offset of an output-stationary result
  ArrayLinks& links_;
  Wire<ArrayWrite>& write_back_;
  PriorityMerge<Completion, kCompletionSources>& completions_;
  GemmArray* values_;
  ArrayWriteRuns* runs_;
  Announced announced_;
  unsigned row_ = 0;                  // output_counter
  std::uint64_t rows_written_ = 0;
};

}  // namespace systole::hw
