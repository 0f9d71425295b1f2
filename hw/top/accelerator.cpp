#include "hw/top/accelerator.h"

#include <fmt/format.h>

#include <algorithm>

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

// A registered hop: what is written in a cycle is visible in the next one.
constexpr Cycle kHop = 1;
// Chisel's Queue() default depth, also that of rocket-chip's TLBuffer.
constexpr unsigned kQueue = 2;
// A register that its owner empties and refills in the same cycle.
constexpr unsigned kRegister = 1;

// Cycles from the beat merger's output to the write into the scratchpad, when nothing is in the way: hops, scaler, pixel repeater.
Cycle load_lag(const MachineParams& m) {
  const Cycle hops = m.mvin_scale.input_queue != 0 ? 2 : 1;
  const Cycle scaler = m.mvin_scale.units != 0 ? 1 : static_cast<Cycle>(m.mvin_scale.latency);
  return hops + scaler + 1;
}

// Cycles that the beats of a run may take: its rows are written before a result that the array begins meanwhile can come out. 0: less than
// the longest answer takes.
Cycle longest_load_run(const MachineParams& m) {
  constexpr Cycle kHops = 2;    // port, beat merger
  constexpr Cycle kSpare = 4;   // stricter than need be: what is no run goes row by row, in the same cycles
  const Cycle way = kHops + load_lag(m) + kSpare;
  const auto latency = static_cast<Cycle>(array_latency(m));
  const auto answer = static_cast<Cycle>(m.dma.max_bytes / m.dma.bus_bytes);
  return way + answer < latency ? latency - way - 1 : 0;
}

}  // namespace

// Queues between the units, in the order of the data's way.
struct Accelerator::Channels {
  Channels(const MachineParams& m, Granularity granularity)
      : loads("load_queue", kHop, static_cast<unsigned>(m.queue.load)),
        stores("store_queue", kHop, static_cast<unsigned>(m.queue.store)),
        execute_queue("execute_queue", kHop, static_cast<unsigned>(m.queue.execute)),
        row_requests("read_issue", kHop, static_cast<unsigned>(m.scratchpad.read_delay + 1), Full::kPipe),
        mvin_acc_scaled("mvin_acc_scale", static_cast<Cycle>(std::max(m.mvin_scale.latency, 1)),
                        static_cast<unsigned>(std::max(m.mvin_scale.latency, 1)), Full::kPipe),
        array_writes(static_cast<Cycle>(m.accumulator.latency), m.accumulator.banks),
        execute(m),
        array(m),
        load_runs(granularity == Granularity::kRuns ? longest_load_run(m) : 0, load_lag(m), log2_ceil(scratchpad_bank_rows(m)), m.dma.max_in_flight, array.tags) {
    load_runs.bind_response(reader_responses);
    load_runs.bind_accumulator_queue(m.mvin_scale.input_queue != 0 ? mvin_acc_queue : mvin_acc_register);
  }

  Channel<Command> to_loop_conv{"loop_conv_queue", kHop, kQueue};
  Channel<Command> to_loop_ws{"loop_ws_queue", kHop, kQueue};
  Channel<Command> unrolled{"unrolled_queue", kHop, kQueue};
  Channel<IssueCredits> loop_ws_credits{"loop_ws_credits", kHop, kQueue};
  Channel<IssueCredits> loop_conv_credits{"loop_conv_credits", kHop, kQueue};
  Channel<IssuedCommand> loads;
  Channel<IssuedCommand> stores;
  Channel<IssuedCommand> to_transpose_unroller{"transpose_queue", kHop, kQueue};
  Channel<IssuedCommand> execute_queue;
  PriorityMerge<Completion, kCompletionSources> completions;

  Channel<RowRequest> row_requests;
  Channel<ZeroRow> zero_rows{"zero_writer", kHop, kRegister, Full::kPipe};
  Channel<LoadProgress> load_progress{"load_progress", kHop, kQueue};
  Channel<LoadedRow> mvin_queue{"mvin_scale_queue", kHop, kQueue};                  // revision 2025
  Channel<LoadedRow> mvin_acc_queue{"mvin_acc_queue", kHop, kQueue};                // revision 2025
  Channel<LoadedRow> mvin_register{"mvin_scale_register", kHop, kRegister, Full::kPipe};
  Channel<LoadedRow> mvin_acc_register{"mvin_acc_register", kHop, kRegister, Full::kPipe};
  Channel<LoadedRow> mvin_acc_scaled;                                               // extension E2
  Channel<LoadedRow> pixel_register{"pixel_repeater", kHop, kRegister, Full::kPipe};

  Channel<StoreRow> store_rows{"mvout_dispatch", kHop, kQueue};
  Channel<StoreProgress> store_progress{"store_progress", kHop, kQueue};
  Channel<WriteRequest> write_register{"dma_writer_register", kHop, kRegister, Full::kPipe};

  Channel<RequestBeat> reader_requests{"reader_a", kHop, kQueue};
  Channel<RequestBeat> writer_requests{"writer_a", kHop, kQueue};
  Channel<ResponseBeat> reader_responses{"reader_d", kHop, kQueue};
  Channel<ResponseBeat> writer_responses{"writer_d", kHop, kQueue};

  Tlb tlb;
  Wire<ArrayWrite> array_write;
  ArrayWriteRuns array_writes;
  ExecuteLinks execute;
  ArrayLinks array;
  LoadRuns load_runs;
  BusyLine reader_busy;
  BusyLine writer_busy;
  BusyLine execute_busy;
};

Accelerator::Accelerator(const sc_core::sc_module_name& name, const MachineParams& m, ValuePlane* values, HazardLog* hazards,
                         Channel<Command>& command, Channel<RequestBeat>& port_request, Channel<ResponseBeat>& port_response,
                         Granularity granularity)
    : sc_core::sc_module(name), params_(m), channels_(std::make_unique<Channels>(m, granularity)) {
  Channels& c = *channels_;
  const bool row_by_row = granularity == Granularity::kRow;
  c.execute.row_by_row = row_by_row;
  // Single-ported accumulator banks have write queues, which must be drained row by row.
  ArrayWriteRuns* const array_writes = row_by_row || m.accumulator.sub_banks != 0 ? nullptr : &c.array_writes;
  const FrontEndParams front_end = make_front_end_params(m);
  command_queue_ = std::make_unique<CommandHop>("command_queue", command, c.to_loop_conv);
  loop_conv_ = std::make_unique<LoopConv>("loop_conv", front_end, c.to_loop_conv, c.to_loop_ws, c.completions, c.loop_conv_credits);
  loop_ws_ = std::make_unique<LoopWs>("loop_ws", front_end, c.to_loop_ws, c.unrolled, c.completions, c.loop_ws_credits);
  reservation_station_ = std::make_unique<ReservationStation>(
      "reservation_station", front_end, c.unrolled, c.completions,
      ReservationStation::Outputs{c.loads, c.to_transpose_unroller, c.stores, c.loop_ws_credits, c.loop_conv_credits});

  scratchpad_ = std::make_unique<Scratchpad>("scratchpad", m, &c.load_runs);
  accumulator_ = std::make_unique<Accumulator>("accumulator", m, array_writes);

  if (values != nullptr) gemm_ = std::make_unique<GemmArray>(m, *values);
  scratchpad_->bind_operands(c.execute);
  transpose_unroller_ = std::make_unique<TransposeUnroller>("transpose_unroller", c.to_transpose_unroller, c.execute_queue);
  array_ = std::make_unique<SystolicArray>("systolic_array", m, c.array, c.array_write, c.completions, gemm_.get(), array_writes);
  mesh_input_ = std::make_unique<MeshInput>("mesh_input", m, c.execute, c.array, gemm_.get(), hazards);
  execute_controller_ = std::make_unique<ExecuteController>("execute_controller", m, c.execute_queue, c.execute, c.array,
                                                            scratchpad_->port(), c.completions, c.execute_busy, gemm_.get(), hazards);

  load_controller_ = std::make_unique<LoadController>("load_controller", m, c.loads, c.load_progress, c.row_requests, c.zero_rows, c.completions, c.load_runs);
  transactions_ = std::make_unique<TransactionTable>(m.dma.max_in_flight);
  reader_ = std::make_unique<ReadRequester>("dma_reader", m, *transactions_, c.tlb, values, c.row_requests, c.reader_requests, c.reader_busy,
                                            c.load_runs);
  const bool queued = m.mvin_scale.input_queue != 0;
  if (queued) {
    mvin_hop_ = std::make_unique<RowHop>("mvin_queue", c.mvin_queue, c.mvin_register);
    mvin_acc_hop_ = std::make_unique<RowHop>("mvin_acc_queue", c.mvin_acc_queue, c.mvin_acc_register);
  }
  beat_merger_ = std::make_unique<BeatMerger>("beat_merger", m, *transactions_, *reader_, values, c.reader_responses,
                                              queued ? c.mvin_queue : c.mvin_register,
                                              queued ? c.mvin_acc_queue : c.mvin_acc_register, c.reader_busy, c.load_runs);
  mvin_scale_ = std::make_unique<MvinScale>("mvin_scale", m.array.dim, m.mvin_scale.units, m.mvin_scale.latency, c.mvin_register, c.pixel_register, &c.load_runs);
  if (m.sfu.mvin_acc_scale != 0) {
    // The stages of this scaler are the channel behind it.
    mvin_acc_scale_ = std::make_unique<MvinScale>("mvin_acc_scale", m.array.dim, 0, 0, c.mvin_acc_register, c.mvin_acc_scaled);
  }
  row_writer_ = std::make_unique<RowWriter>("row_writer", m, values, *scratchpad_, *accumulator_, c.array_write, c.pixel_register,
                                            mvin_acc_scale_ ? c.mvin_acc_scaled : c.mvin_acc_register, c.zero_rows, c.load_progress, c.load_runs);

  store_controller_ = std::make_unique<StoreController>("store_controller", m, c.stores, c.store_progress, c.store_rows, c.completions);
  mvout_queues_ = std::make_unique<MvoutQueues>(m);
  mvout_scale_stage_ = std::make_unique<MvoutScaleStage>("mvout_scale_stage", m, values, *scratchpad_, *mvout_queues_, c.write_register, hazards);
  mvout_norm_stage_ = std::make_unique<MvoutNormStage>("mvout_norm_stage", m, *accumulator_, *mvout_queues_);
  mvout_dispatch_ = std::make_unique<MvoutDispatch>("mvout_dispatch", m, values, *scratchpad_, *accumulator_, *mvout_queues_, c.store_rows, c.store_progress);
  activator_ = std::make_unique<RowActivator>(m, values, array_writes);
  if (m.sfu.normaliser != 0) {
    normaliser_ = std::make_unique<Normaliser>("normaliser", m, *activator_, hazards);
    normaliser_->bind(*mvout_scale_stage_, *mvout_norm_stage_);
  } else {
    pass_through_ = std::make_unique<PassThrough>(*activator_, *mvout_scale_stage_, *mvout_norm_stage_);
  }
  if (m.accumulator.scale_units != 0) {
    scale_units_ = std::make_unique<SharedScaleUnits>("scale_units", m);
    scale_units_->bind(*mvout_scale_stage_);
  } else {
    scale_pipeline_ = std::make_unique<ScalePipeline>(m, *mvout_scale_stage_);
  }
  NormaliserPort& norm = normaliser_ ? static_cast<NormaliserPort&>(*normaliser_) : *pass_through_;
  ScalePort& scale = scale_units_ ? static_cast<ScalePort&>(*scale_units_) : *scale_pipeline_;
  mvout_scale_stage_->bind(norm, scale);
  mvout_norm_stage_->bind(norm);
  writer_ = std::make_unique<DmaWriter>("dma_writer", m, c.tlb, values, c.write_register, c.writer_responses, c.writer_requests, c.writer_busy);
  crossbar_ = std::make_unique<DmaCrossbar>("dma_crossbar", c.reader_requests, c.writer_requests, port_request, port_response,
                                            c.reader_responses, c.writer_responses);
}

Accelerator::~Accelerator() = default;

LoadRuns& Accelerator::load_runs() { return channels_->load_runs; }

void Accelerator::register_units(Scheduler& scheduler, bool reverse_order) {
  // Consumers before producers, writes before banks before reads: the ready signals of the RTL run against the data within a cycle.
  std::vector<Unit*> datapath = {array_.get(), mesh_input_.get(), writer_.get(), mvout_scale_stage_.get()};
  if (scale_units_) datapath.push_back(scale_units_.get());
  if (normaliser_) datapath.push_back(normaliser_.get());
  datapath.insert(datapath.end(), {mvout_norm_stage_.get(), row_writer_.get(), accumulator_.get(), scratchpad_.get(), execute_controller_.get(),
                                   mvout_dispatch_.get(), mvin_scale_.get()});
  if (mvin_acc_scale_) datapath.push_back(mvin_acc_scale_.get());
  if (mvin_hop_) datapath.insert(datapath.end(), {mvin_hop_.get(), mvin_acc_hop_.get()});
  datapath.insert(datapath.end(), {beat_merger_.get(), reader_.get(), load_controller_.get()});
  // Any order gives the same result; with readers in front of writers fewer of them are woken for nothing.
  std::vector<Unit*> others = {crossbar_.get(), store_controller_.get(), transpose_unroller_.get(), reservation_station_.get(), loop_ws_.get(),
                               loop_conv_.get(), command_queue_.get()};
  units_ = datapath;
  units_.insert(units_.end(), others.begin(), others.end());
  if (reverse_order) std::reverse(others.begin(), others.end());
  if (reverse_order) scheduler.add_group("datapath", datapath);
  for (Unit* unit : others) scheduler.add(*unit);
  if (!reverse_order) scheduler.add_group("datapath", datapath);
}

std::vector<BusyLine*> Accelerator::busy_lines() {
  Channels& c = *channels_;
  return {&command_queue_->busy(), &loop_conv_->busy(), &loop_ws_->busy(), &reservation_station_->busy(),
          &c.reader_busy,          &c.writer_busy,      &mvout_queues_->busy};
}

std::vector<const Ledger*> Accelerator::ledgers() const {
  std::vector<const Ledger*> result = {&execute_controller_->ledger(),  &load_controller_->ledger(),   &store_controller_->ledger(),
                                       &reservation_station_->ledger(), &loop_ws_->ledger(),           &loop_conv_->ledger(),
                                       &reader_->ledger(),              &beat_merger_->ledger(),       &row_writer_->ledger(),
                                       &mvout_dispatch_->ledger(),      &mvout_scale_stage_->ledger(), &writer_->ledger()};
  if (normaliser_) result.push_back(&normaliser_->ledger());
  return result;
}

std::uint64_t Accelerator::progress() const {
  const ReservationStation::Counters& counters = reservation_station_->counters();
  std::uint64_t sum = counters.completed + counters.flushes + counters.counter_operations;
  for (const std::uint64_t issued : counters.issued) sum += issued;
  return sum;
}

std::vector<std::string> Accelerator::warnings() const {
  std::vector<std::string> result;
  if (const std::uint64_t conflicts = accumulator_->adder_conflicts(); conflicts != 0) {
    result.push_back(fmt::format("{} cycles in which two banks used the shared adder; both sums are wrong in the RTL", conflicts));
  }
  if (const std::uint64_t reads = reservation_station_->counters().counter_operations; reads != 0) {
    result.push_back(fmt::format("{} counter commands take their cycles, but the performance counters of CounterFile.scala do not exist here: nothing is counted, and no value is "
                                 "returned. `systole show stats` lists what is counted in every run",
                                 reads));
  }
  return result;
}

std::vector<Counter> Accelerator::counters() const {
  const ExecuteCounters& execute = execute_controller_->counters();
  const OverflowCounters& overflows = activator_->overflows();
  return {
      {"execute.computes", execute.computes, "compute commands"},
      {"execute.preloads", execute.preloads, "preload commands that bring weights or bias"},
      {"execute.operations", execute.operations, "operations of the array: preload, compute, or both at once"},
      {"execute.macs", execute.macs, "multiply-accumulates that the commands ask for"},
      {"execute.operand_rows", execute.operand_rows, "scratchpad rows read for the array"},
      {"array.rows_written", array_->rows_written(), "result rows written by the array"},
      {"loop_ws.commands", loop_ws_->commands_emitted(), "commands made by the matrix-multiplication loop"},
      {"loop_conv.commands", loop_conv_->commands_emitted(), "commands made by the convolution loop"},
      {"dma.reader.requests", reader_->requests(), "read requests on the memory port"},
      {"dma.reader.bytes", reader_->bytes(), "bytes read that the program asked for"},
      {"dma.writer.requests", writer_->requests(), "write requests on the memory port"},
      {"dma.writer.bytes", writer_->bytes(), "bytes written"},
      {"array.overflow", gemm_ ? gemm_->overflows() : 0, "partial sums that did not fit array.output_bits"},
      {"accumulator.overflow", gemm_ ? gemm_->plane().accumulator_overflows() : 0, "accumulator additions that did not fit 32 bits"},
      {"sfu.overflow.gelu", overflows.gelu, "GELU results that did not fit 32 bits"},
      {"sfu.overflow.exp_sum", overflows.exp_sum, "sums of exponentials that did not fit 32 bits"},
      {"sfu.overflow.variance", overflows.variance, "sums and squares of LayerNorm that did not fit 32 bits"},
      {"accumulator.adder_conflicts", accumulator_->adder_conflicts(), "cycles in which two banks used the shared adder; both sums are wrong in the RTL"},
  };
}

void Accelerator::set_zero_sums(const ZeroSums* zero_sums) {
  if (normaliser_) normaliser_->set_zero_sums(zero_sums);
}

LoopWsExecute::Banks Accelerator::operand_banks() const {
  LoopWsExecute::Banks banks;
  banks.bank_rows = static_cast<std::uint64_t>(scratchpad_bank_rows(params_));
  banks.rows = static_cast<std::uint64_t>(scratchpad_rows(params_));
  banks.dim = static_cast<std::uint32_t>(params_.array.dim);
  banks.operand_rows = (banks.dim - 1) * std::max(execute_controller_->a_stride(), std::uint32_t{1}) + 1;
  return banks;
}

bool Accelerator::memory_is_quiet(Cycle now) const {
  return !channels_->reader_busy.at(now + 1) && !channels_->writer_busy.at(now + 1) && !mvout_queues_->busy.at(now + 1);
}

void Accelerator::residual(Residual& r) {
  Channels& c = *channels_;
  const auto empty = [&](auto&... channels) { (channels.residual(r), ...); };
  empty(c.to_loop_conv, c.to_loop_ws, c.unrolled, c.loop_ws_credits, c.loop_conv_credits, c.loads, c.stores, c.to_transpose_unroller,
        c.execute_queue, c.completions, c.row_requests, c.zero_rows, c.load_progress, c.mvin_queue, c.mvin_acc_queue, c.mvin_register,
        c.mvin_acc_register, c.mvin_acc_scaled, c.pixel_register, c.store_rows, c.store_progress, c.write_register, c.reader_requests,
        c.writer_requests, c.reader_responses, c.writer_responses);
  c.tlb.residual(r);
  for (Unit* unit : units_) unit->residual(r);
  if (pass_through_) pass_through_->residual(r);
  if (scale_pipeline_) scale_pipeline_->residual(r);
  OverflowCounters& overflows = activator_->overflows();
  for (std::uint64_t* count : {&overflows.gelu, &overflows.exp_sum, &overflows.variance}) r.count(*count);
}

}  // namespace systole::hw
