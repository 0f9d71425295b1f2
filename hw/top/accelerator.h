#pragma once
// The accelerator: all units and the channels between them. The only place that sees every unit.
#include <memory>
#include <vector>

#include "hw/array/systolic_array.h"
#include "hw/control/load_controller.h"
#include "hw/control/store_controller.h"
#include "hw/dma/crossbar.h"
#include "hw/dma/reader.h"
#include "hw/dma/writer.h"
#include "hw/execute/execute_controller.h"
#include "hw/execute/mesh_input.h"
#include "hw/execute/transpose_unroller.h"
#include "hw/frontend/command_hop.h"
#include "hw/frontend/loop_conv.h"
#include "hw/frontend/loop_ws.h"
#include "hw/frontend/reservation_station.h"
#include "hw/local/mvout_stages.h"
#include "hw/local/row_writer.h"
#include "hw/sfu/accumulator_scale.h"
#include "hw/sfu/mvin_scale.h"
#include "hw/sfu/normaliser.h"
#include "hw/sfu/pass_through.h"
#include "hw/sfu/row_hop.h"
#include "hw/top/machine_result.h"
#include "sim/kernel/scheduler.h"

namespace systole::hw {

class Accelerator final : public sc_core::sc_module {
 public:
  // Commands come in through `command`; `port_request` and `port_response` are channels A and D of the memory port.
  // Without `values` the same cycles result.
  Accelerator(const sc_core::sc_module_name& name, const MachineParams& params, ValuePlane* values, HazardLog* hazards,
              Channel<Command>& command, Channel<RequestBeat>& port_request, Channel<ResponseBeat>& port_response,
              Granularity granularity = Granularity::kRuns);
  ~Accelerator() override;

  // For a memory that sends answers as runs.
  [[nodiscard]] LoadRuns& load_runs();
  // Before the ledgers are read: units that sleep account for the cycles before `end`.
  void settle_accounts(Cycle end) { row_writer_->account_rows(end); }

  // Hands the units to the scheduler: the datapath as a group in the order of the RTL's ready chain, the rest one by one.
  void register_units(Scheduler& scheduler, bool reverse_order);

  // Levels that a fence waits for (Controller.scala io.busy).
  [[nodiscard]] std::vector<BusyLine*> busy_lines();
  [[nodiscard]] std::vector<const Ledger*> ledgers() const;
  [[nodiscard]] std::vector<Counter> counters() const;
  // Commands that the reservation station has issued and that have completed: grows as long as anything goes on.
  [[nodiscard]] std::uint64_t progress() const;
  // What the program asked for and did not get.
  [[nodiscard]] std::vector<std::string> warnings() const;

  // For a machine without values; may be null.
  void set_zero_sums(const ZeroSums* zero_sums);
  // What all units carry into the next piece of work; only after register_units().
  void residual(Residual& r);
  // The loop that commands for the array come from; and who wants to know when a block of its weights begins (hw/frontend/loop_ws.h).
  [[nodiscard]] LoopWs& loop_ws() { return *loop_ws_; }
  [[nodiscard]] LoopWsExecute::Banks operand_banks() const;
  // Nothing from or to memory is under way in the next cycle, as far as can be told in a glance.
  [[nodiscard]] bool memory_is_quiet(Cycle now) const;

 private:
  struct Channels;
  const MachineParams params_;
  std::vector<Unit*> units_;   // all of them, once they are registered
  std::unique_ptr<Channels> channels_;

  // Front end.
  std::unique_ptr<CommandHop> command_queue_;
  std::unique_ptr<LoopConv> loop_conv_;
  std::unique_ptr<LoopWs> loop_ws_;
  std::unique_ptr<ReservationStation> reservation_station_;
  // Execute side.
  std::unique_ptr<GemmArray> gemm_;
  std::unique_ptr<TransposeUnroller> transpose_unroller_;
  std::unique_ptr<SystolicArray> array_;
  std::unique_ptr<MeshInput> mesh_input_;
  std::unique_ptr<ExecuteController> execute_controller_;
  // Local memories.
  std::unique_ptr<Scratchpad> scratchpad_;
  std::unique_ptr<Accumulator> accumulator_;
  std::unique_ptr<RowWriter> row_writer_;
  // Load side.
  std::unique_ptr<LoadController> load_controller_;
  std::unique_ptr<TransactionTable> transactions_;
  std::unique_ptr<ReadRequester> reader_;
  std::unique_ptr<BeatMerger> beat_merger_;
  std::unique_ptr<RowHop> mvin_hop_;              // revision 2025 only
  std::unique_ptr<RowHop> mvin_acc_hop_;
  std::unique_ptr<MvinScale> mvin_scale_;
  std::unique_ptr<MvinScale> mvin_acc_scale_;     // extension E2 only
  // Store side.
  std::unique_ptr<StoreController> store_controller_;
  std::unique_ptr<MvoutQueues> mvout_queues_;
  std::unique_ptr<MvoutDispatch> mvout_dispatch_;
  std::unique_ptr<MvoutNormStage> mvout_norm_stage_;
  std::unique_ptr<MvoutScaleStage> mvout_scale_stage_;
  std::unique_ptr<RowActivator> activator_;
  std::unique_ptr<Normaliser> normaliser_;        // or
  std::unique_ptr<PassThrough> pass_through_;
  std::unique_ptr<SharedScaleUnits> scale_units_; // or
  std::unique_ptr<ScalePipeline> scale_pipeline_;
  std::unique_ptr<DmaWriter> writer_;
  std::unique_ptr<DmaCrossbar> crossbar_;
};

}  // namespace systole::hw
