#pragma once
// Decides which operation runs next, fetches its operand rows from the scratchpad, one row step per cycle, and hands them to MeshInput
// through the control queue (ExecuteController.scala, first half).
#include <array>
#include <string>

#include "hw/datapath/gemm_array.h"
#include "hw/execute/execute_links.h"
#include "hw/params/machine.h"
#include "hw/ports/array_links.h"
#include "hw/ports/command.h"
#include "hw/ports/hazard_log.h"
#include "hw/ports/operand_port.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/priority_merge.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

// Where the controller's cycles go.
enum class ExecuteState : unsigned {
  kIdle,
  kBusy,
  kWaitCommand,
  kBankConflict,
  kBankBusy,
  kArrayFull,
  kHazard,
  kDrain,
  kFlush,
};

struct ExecuteCounters {
  std::uint64_t computes = 0;          // compute commands, without those that the transpose unroller invents
  std::uint64_t preloads = 0;          // preload commands that bring weights or bias
  std::uint64_t configs = 0;
  std::uint64_t operations = 0;        // array operations: preload, compute, or both overlapped
  std::uint64_t overlapped = 0;        // of these: compute and preload at once
  std::uint64_t macs = 0;              // multiply-accumulates that the commands ask for
  std::uint64_t operand_rows = 0;      // rows read from the scratchpad
};

class ExecuteController : public Unit {
 public:
  // `commands`: the command queue, filled by TransposeUnroller. Without `values` the same cycles result; `hazards` may be null.
  ExecuteController(const sc_core::sc_module_name& name, const MachineParams& params, Channel<IssuedCommand>& commands, ExecuteLinks& execute,
                    ArrayLinks& array, BankPort& banks, PriorityMerge<Completion, kCompletionSources>& completions,
                    BusyLine& busy, GemmArray* values, HazardLog* hazards);

  // Throws ModelError for operations that hang the RTL or whose result it does not define.
  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;

  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] const ExecuteCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint32_t a_stride() const { return a_stride_; }

 private:
  enum class State : std::uint8_t { kWait, kCompute, kFlush, kFlushing };

  struct Pending {
    bool valid = false;
    RobId rob;
    Origin origin = Origin::kHost;
  };

  // An operand of the running operation.
  struct Fetch {
    std::uint32_t row = 0;      // first row's number, row_bits wide
    unsigned rows = 0;          // rows beyond are zero
    unsigned cols = 0;
  };

  // Operand words of a command: address, columns, rows.
  struct Matrix {
    isa::LocalAddress address;
    unsigned cols = 0;
    unsigned rows = 0;
  };

  void wait(Cycle now);
  void configure(Cycle now, const IssuedCommand& command);
  void start(Cycle now, MeshOpKind kind);
  bool begin_run(Cycle now);
  void run(Cycle now);
  void leave_run();
  void count_reads(unsigned steps);
  void step(Cycle now);
  void finish(Cycle now);
  void enter_flush(Cycle now);
  void flushing(Cycle now);
  void update_steering();
  void take_commands(Cycle now, unsigned count);
  void update_busy(Cycle now);
  void check_operand(Cycle now, const IssuedCommand& command, const char* which, const Matrix& matrix) const;
  void check_garbage_a(Cycle now, const IssuedCommand& compute, const Matrix& a, const Matrix& b, bool result_dropped) const;
  static void residual_of_operation(Residual& r, MeshOp& op);
  [[nodiscard]] bool in_prop_flush(Cycle now) const { return in_prop_flush_ && !(array_.config.weight_stationary && now > dataflow_since_); }
  [[nodiscard]] Matrix matrix(std::uint64_t operand) const;
  [[nodiscard]] bool is_garbage(const Matrix& m) const { return m.address.is_garbage(row_bits_); }
  [[nodiscard]] static Pending pending_of(const IssuedCommand& command) { return {command.rob_valid, command.rob, command.command.origin}; }
  [[nodiscard]] std::string text_of(const IssuedCommand& command) const;

  const int dim_;
  const int revision_;
  const int row_bits_;
  const std::uint32_t field_mask_;        // of a rows or cols field
  const std::uint32_t row_mask_;
  const std::uint32_t scratchpad_mask_;
  const int bank_shift_;
  Channel<IssuedCommand>& commands_;
  ExecuteLinks& execute_;
  ArrayLinks& array_;
  BankPort& banks_;
  PriorityMerge<Completion, kCompletionSources>& completions_;
  BusyLine& busy_;
  GemmArray* values_;
  HazardLog* hazards_;
  const bool single_ported_;

  State state_ = State::kWait;
  Cycle taken_at_ = kNever;               // when commands were taken last, and whether there were more
  bool commands_left_ = false;
  std::array<Pending, 2> pending_{};

  // Configuration; dataflow and c_stride are in ArrayConfig.
  bool a_transpose_ = false;
  bool bd_transpose_ = false;
  std::uint8_t shift_ = 0;
  std::uint32_t a_stride_ = 0;
  bool in_prop_flush_ = false;            // weight-stationary clears it one cycle after it takes effect
  Cycle dataflow_since_ = 0;              // first cycle of the present dataflow

  // The running operation.
  MeshOpKind kind_ = MeshOpKind::kPreload;
  std::uint16_t op_ = 0;                  // its place in ExecuteLinks::ops
  unsigned rows_total_ = 0;
  unsigned live_ = 0;                     // streamed and not garbage
  unsigned accumulator_ = 0;              // address lies in the accumulator (only operands without a real row get here)
  bool compute_flips_ = false;
  Fetch fetch_[kOperands];
  unsigned counter_[kOperands] = {0, 0, 0};
  unsigned started_ = 0;
  std::uint32_t a_offset_ = 0;

  // A run: the operation's steps follow one another without a hitch, so nobody looks at them until the last one, or until a bank is not
  // ready or the control queue is full.
  bool running_ = false;
  Cycle finished_ = kNever;               // the last operation's last row was fetched
  bool wants_commands_ = true;            // a command that comes in is looked at
  Cycle run_start_ = 0;
  std::uint32_t run_banks_ = 0;           // one bit per bank that is read
  unsigned run_last_read_[kOperands] = {0, 0, 0};   // steps from here on do not read

  // Destination of the preload that was taken last.
  unsigned destination_cols_ = 0;
  bool destination_garbage_ = true;

  Ledger ledger_;
  ExecuteCounters counters_;
};

}  // namespace systole::hw
