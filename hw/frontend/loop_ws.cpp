#include "hw/frontend/loop_ws.h"

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw {
namespace {

// Bits of LOOP_WS that skip stages or keep results on chip; only the RTL of 2025 reads them (LoopMatmul.scala, commit 8c3f992).
constexpr isa::Field kSkips2025{isa::Register::kRs2, 9, 3, isa::FieldType::kUint};

std::uint32_t u32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

// A local row number in a register that counts `rows` rows, a power of two.
std::uint32_t row_register(std::uint32_t row, int rows) { return row & (static_cast<std::uint32_t>(rows) - 1u); }

}  // namespace

LoopWs::LoopWs(const sc_core::sc_module_name& name, const FrontEndParams& params, Channel<Command>& in, Channel<Command>& out,
               Completions& completions, Channel<IssueCredits>& issue_credits)
    : LoopUnroller(name, params, in, out, completions, issue_credits, Origin::kLoopWs,
                   {"loop_ws",
                    {{"idle", StateKind::kIdle, "no loop is configured and no command waits"},
                     {"busy", StateKind::kBusy, "a command was passed, taken or generated, or a stage was started"},
                     {"output_full", StateKind::kStall, "the queue in front of the reservation station is full"},
                     {"no_credit", StateKind::kStall,
                      "as many generated commands are in flight as the reservation station has entries"},
                     {"loads_behind", StateKind::kStall, "execution waits for loads, or stores for execution, to be generated"}}}),
      format_(params) {
  for (unsigned slot = 0; slot < loops_.size(); ++slot) {
    loops_[slot].a_start = slot * half_scratchpad();
    loops_[slot].b_end = (slot + 1) * half_scratchpad();
    loops_[slot].resadd_start = slot * half_accumulator();
  }
}

bool LoopWs::takes(isa::Op op) const {
  return op == isa::Op::kLoopWs || op == isa::Op::kLoopWsBounds || op == isa::Op::kLoopWsAddrsAb || op == isa::Op::kLoopWsAddrsDc ||
         op == isa::Op::kLoopWsStridesAb || op == isa::Op::kLoopWsStridesDc || op == isa::Op::kLoopWsSpadAb ||
         op == isa::Op::kLoopWsSpadC;
}

void LoopWs::configure(Cycle now, const Command& command) {
  const unsigned slot = slots_.filling();
  LoopWsLoop& loop = loops_[slot];
  write_word(loop, command);
  partly_configured_ = command.op != isa::Op::kLoopWs;
  if (partly_configured_) return;
  is_resadd_ = isa::fields::LoopWs::is_resadd.get(command.instruction) != 0;
  check_loop(now, loop, command.instruction);
  slots_.configure(slot, 0);
}

// Takes over what a command says about a loop.
void LoopWs::write_word(LoopWsLoop& loop, const Command& command) const {
  namespace f = isa::fields;
  const isa::Instruction& i = command.instruction;
  if (command.op == isa::Op::kLoopWsBounds) {
    loop.max_i = u32(f::LoopWsBounds::max_i.get(i));
    loop.max_j = u32(f::LoopWsBounds::max_j.get(i));
    loop.max_k = u32(f::LoopWsBounds::max_k.get(i));
    // The stages keep only the bits of a pad below dim.
    loop.pad_i = row_register(u32(f::LoopWsBounds::pad_i.get(i)), params_.dim);
    loop.pad_j = row_register(u32(f::LoopWsBounds::pad_j.get(i)), params_.dim);
    loop.pad_k = row_register(u32(f::LoopWsBounds::pad_k.get(i)), params_.dim);
  } else if (command.op == isa::Op::kLoopWsAddrsAb) {
    loop.a_dram = f::LoopWsAddrsAb::a.get(i);
    loop.b_dram = f::LoopWsAddrsAb::b.get(i);
  } else if (command.op == isa::Op::kLoopWsAddrsDc) {
    loop.d_dram = f::LoopWsAddrsDc::d.get(i);
    loop.c_dram = f::LoopWsAddrsDc::c.get(i);
  } else if (command.op == isa::Op::kLoopWsStridesAb) {
    loop.a_stride = f::LoopWsStridesAb::a.get(i);
    loop.b_stride = f::LoopWsStridesAb::b.get(i);
  } else if (command.op == isa::Op::kLoopWsStridesDc) {
    loop.d_stride = f::LoopWsStridesDc::d.get(i);
    loop.c_stride = f::LoopWsStridesDc::c.get(i);
  } else if (command.op == isa::Op::kLoopWsSpadAb) {
    loop.a_start = row_register(u32(f::LoopWsSpadAb::a.get(i)), params_.scratchpad_rows);
    loop.b_end = row_register(u32(f::LoopWsSpadAb::b.get(i)), 2 * params_.scratchpad_rows);
  } else if (command.op == isa::Op::kLoopWs) {
    loop.ex_accumulate = f::LoopWs::ex_accumulate.get(i) != 0;
    loop.full_c = f::LoopWs::full_c.get(i) != 0;
    loop.low_d = f::LoopWs::low_d.get(i) != 0;
    loop.activation = u32(f::LoopWs::activation.get(i));
    loop.a_spad_id = u32(f::LoopWs::a_spad_id.get(i));
    loop.b_spad_id = u32(f::LoopWs::b_spad_id.get(i));
    loop.row_group = u32(f::LoopWs::row_group.get(i));
    loop.a_transpose = f::LoopWs::a_transpose.get(i) != 0;
    loop.b_transpose = f::LoopWs::b_transpose.get(i) != 0;
    loop.sequence = command.sequence;
  }
}

// What the RTL would stop at with an assertion, or would not come back from.
void LoopWs::check_loop(Cycle now, const LoopWsLoop& loop, const isa::Instruction& instruction) const {
  const auto refuse = [&](const std::string& what) {
    throw ModelError(now, name(), fmt::format("command {}: {}", loop.sequence, isa::disassemble(instruction, params_.revision)), what);
  };
  if (loop.max_i == 0 || loop.max_j == 0 || (loop.max_k == 0 && !is_resadd_)) {
    refuse(fmt::format("a loop over {} x {} x {} tiles never ends", loop.max_i, loop.max_j, loop.max_k));
  }
  if (loop.a_transpose && loop.b_transpose) refuse("A and B cannot both be transposed");
  if (params_.revision >= 2025 && kSkips2025.get(instruction) != 0) {
    refuse("skipping stages and keeping results in the scratchpad (rs2 bits 9..3) are not modelled");
  }
}

bool LoopWs::idle(LoopStage stage) const {
  switch (stage) {
    case kStageLoadA:
      return load_a_.idle();
    case kStageLoadB:
      return load_b_.idle();
    case kStageLoadD:
      return load_d_.idle();
    case kStageExecute:
      return execute_.idle();
    case kStageStore:
      return store_.idle();
    case kLoopStages:
      break;
  }
  SYSTOLE_CHECK(false);
  return false;
}

unsigned LoopWs::slot_of(LoopStage stage) const {
  switch (stage) {
    case kStageLoadA:
      return load_a_.slot();
    case kStageLoadB:
      return load_b_.slot();
    case kStageLoadD:
      return load_d_.slot();
    case kStageExecute:
      return execute_.slot();
    case kStageStore:
      return store_.slot();
    case kLoopStages:
      break;
  }
  SYSTOLE_CHECK(false);
  return 0;
}

// The loads that the next preload or compute needs have been generated. B's progress is compared at A's k: a quirk of the RTL
// (LoopMatmul.scala ldb_ahead).
bool LoopWs::loads_ahead() const {
  const unsigned slot = execute_.slot();
  const std::uint32_t k = execute_.k();
  const bool a_ahead = elsewhere_or_idle(kStageLoadA, slot) || load_a_.major() > k ||
                       (load_a_.major() == k && load_a_.minor() > execute_.i());
  const bool b_ahead = elsewhere_or_idle(kStageLoadB, slot) || load_b_.major() > k ||
                       (load_a_.major() == k && load_b_.minor() > execute_.j());
  return a_ahead && b_ahead && elsewhere_or_idle(kStageLoadD, slot);
}

// The commands that produce what the next store reads have been generated.
bool LoopWs::producer_ahead() const {
  const unsigned slot = store_.slot();
  if (is_resadd_) {
    const bool loaded = elsewhere_or_idle(kStageLoadA, slot) && elsewhere_or_idle(kStageLoadB, slot);
    return loaded || store_.behind(0, load_b_.minor(), load_b_.major());
  }
  return elsewhere_or_idle(kStageExecute, slot) || store_.behind(execute_.k(), execute_.j(), execute_.i());
}

// A or B (WeightedArbiter.scala with weight 0): the chosen side blocks the other even when it has nothing to send.
LoopStage LoopWs::load_ab_choice() const {
  const bool same_slot = load_a_.slot() == load_b_.slot();
  bool force_a = !same_slot && load_a_.slot() == slots_.head();
  bool force_b = !same_slot && load_b_.slot() == slots_.head();
  if (is_resadd_) {
    force_a = same_slot && !load_a_.idle();
    force_b = force_b || load_a_.idle();
  }
  if (force_a) return kStageLoadA;
  if (force_b || load_a_.idle()) return kStageLoadB;
  if (load_b_.idle()) return kStageLoadA;
  const bool b_first = load_a_.major() > load_b_.major() || (load_b_.major() == 0 && load_b_.minor() == 0);
  return b_first ? kStageLoadB : kStageLoadA;
}

// Who may send a command in this cycle, by fixed priority; kLoopStages when nobody. Tells also why nobody does.
LoopStage LoopWs::choose(State& reason) const {
  const bool loads_full = overloaded(kStageLoadA);
  const bool executes_full = overloaded(kStageExecute);
  const bool stores_full = overloaded(kStageStore);
  if (store_.wants() && !stores_full && producer_ahead()) return kStageStore;
  if (execute_.wants() && !executes_full && loads_ahead()) return kStageExecute;
  if (!loads_full) {
    if (load_d_.wants()) return kStageLoadD;
    const LoopStage choice = load_ab_choice();
    if ((choice == kStageLoadA ? load_a_ : load_b_).wants()) return choice;
  }
  const bool loads_wait = load_a_.wants() || load_b_.wants() || load_d_.wants();
  const bool credit = (loads_wait && loads_full) || (execute_.wants() && executes_full) || (store_.wants() && stores_full);
  reason = credit ? State::kNoCredit : State::kLoadsBehind;
  return kLoopStages;
}

void LoopWs::emit(Cycle now, LoopStage stage) {
  const auto dim = static_cast<std::uint32_t>(params_.dim);
  Command& command = send(now, stage);
  const auto load = [&](TileLoad& unit, isa::Op op) {
    command.op = op;
    command.instruction = unit.command(format_, dim);
    command.sequence = unit.sequence();
    unit.advance();
  };
  switch (stage) {
    case kStageLoadA:
      load(load_a_, isa::Op::kMvin);
      break;
    case kStageLoadB:
      load(load_b_, isa::Op::kMvin2);
      break;
    case kStageLoadD:
      load(load_d_, isa::Op::kMvin3);
      break;
    case kStageExecute:
      if (on_weights_ && execute_.brings_weights() && execute_.operations() >= on_weights_from_) on_weights_();
      command.op = execute_.op();
      command.instruction = execute_.command(format_, dim);
      command.sequence = execute_.sequence();
      execute_.advance();
      break;
    case kStageStore:
      command.op = store_.op();
      command.instruction = store_.command(format_, dim);
      command.sequence = store_.sequence();
      store_.advance(dim);
      break;
    case kLoopStages:
      SYSTOLE_CHECK(false);
  }
}

// One cycle with a loop configured. Everything is decided from the state at the beginning of the cycle.
bool LoopWs::unroll(Cycle now) {
  return steady_ && next_configuration(now) == nullptr ? unroll_steadily(now) : unroll_any(now);
}

// Between starts and ends of stages only the choice of the next command changes from one cycle to the next.
bool LoopWs::unroll_steadily(Cycle now) {
  State state = State::kBusy;
  const LoopStage sender = choose(state);
  if (sender == kLoopStages || !out_.can_push(now)) {
    ledger_.enter(now, sender == kLoopStages ? state : State::kOutputFull);
    return false;
  }
  emit(now, sender);
  steady_ = !idle(sender);
  ledger_.enter(now, State::kBusy);
  if (!steady_) return true;
  const LoopStage next = choose(state);
  if (next != kLoopStages && out_.can_push(now + 1)) return true;
  ledger_.enter(now + 1, next == kLoopStages ? state : State::kOutputFull);
  return false;
}

bool LoopWs::unroll_any(Cycle now) {
  struct Start {
    bool fires = false;
    unsigned slot = 0;
  };
  std::array<Start, kLoopStages> starts;
  std::array<Start, kLoopStages> completes;
  for (unsigned s = 0; s < kLoopStages; ++s) {
    const auto stage = static_cast<LoopStage>(s);
    if (!idle(stage)) continue;
    StageMask after = 0;
    if (stage == kStageExecute) after = kLoadStages;
    if (stage == kStageStore && !is_resadd_) after = stage_bit(kStageExecute);
    starts[s] = {slots_.waits_for(stage, after), slots_.next_of(stage)};
    const LoopSlots::Flags& served = slots_[slot_of(stage)];
    completes[s] = {served.running && (served.started & stage_bit(stage)) != 0 && (served.completed & stage_bit(stage)) == 0,
                    slot_of(stage)};
  }
  const LoopSlots::Flags& head_flags = slots_[slots_.head()];
  const bool retires = head_flags.running && head_flags.completed == kAllStages;
  const bool resadd = is_resadd_;   // what the stages that start in this cycle see
  const Command* configuration = next_configuration(now);

  State state = State::kBusy;
  const LoopStage sender = choose(state);
  const bool fires = sender != kLoopStages && out_.can_push(now);
  if (sender != kLoopStages && !fires) state = State::kOutputFull;

  bool changed = fires || configuration != nullptr || retires;
  bool steps = false;
  const bool dropped = drop_skipped();
  changed |= dropped;
  if (fires) emit(now, sender);
  if (configuration != nullptr) take_configuration(now, *configuration);
  for (unsigned s = 0; s < kLoopStages; ++s) {
    const auto stage = static_cast<LoopStage>(s);
    if (starts[s].fires) {
      start_stage(stage, starts[s].slot, resadd);
      slots_.start(stage, starts[s].slot);
    }
    if (completes[s].fires) slots_.complete(stage, completes[s].slot);
    steps = steps || starts[s].fires || completes[s].fires;
  }
  changed |= steps;
  steady_ = !steps && !retires && !dropped && configuration == nullptr && !(fires && idle(sender));
  if (retires) slots_.retire_head();
  ledger_.enter(now, changed ? State::kBusy : state);
  return changed;
}

// Stages whose address is 0 (or that a residual addition does not need) give up their loop.
bool LoopWs::drop_skipped() {
  bool dropped = false;
  const auto drop = [&](auto& stage) {
    if (!stage.skips()) return;
    stage.drop();
    dropped = true;
  };
  drop(load_a_);
  drop(load_b_);
  drop(load_d_);
  drop(execute_);
  drop(store_);
  return dropped;
}

void LoopWs::start_stage(LoopStage stage, unsigned slot, bool resadd) {
  switch (stage) {
    case kStageLoadA:
      start_load_a(slot, resadd);
      return;
    case kStageLoadB:
      start_load_b(slot, resadd);
      return;
    case kStageLoadD:
      start_load_d(slot);
      return;
    case kStageExecute:
      start_execute(slot, resadd);
      return;
    case kStageStore:
      start_store(slot, resadd);
      return;
    case kLoopStages:
      break;
  }
  SYSTOLE_CHECK(false);
}

std::uint32_t LoopWs::a_start(const LoopWsLoop& loop, int rows) const {
  if (loop.a_spad_id == 0) return loop.a_start;
  return row_register((loop.a_spad_id - 1) * half_scratchpad(), rows);
}

std::uint64_t LoopWs::b_start(const LoopWsLoop& loop) const {
  const std::uint64_t end = loop.b_spad_id == 0 ? loop.b_end : loop.b_spad_id * half_scratchpad();
  return end - std::uint64_t{loop.max_k} * loop.max_j * u32(params_.dim);
}

void LoopWs::start_load_a(unsigned slot, bool resadd) {
  const LoopWsLoop& loop = loops_[slot];
  TileLoad::Request request;
  request.funct = isa::fields::Mvin::kFunct;
  request.slot = slot;
  request.sequence = loop.sequence;
  request.max_minor = loop.max_i;
  request.max_major = resadd ? loop.max_j : loop.max_k;
  request.pad_minor = loop.pad_i;
  request.pad_major = resadd ? loop.pad_j : loop.pad_k;
  request.column_is_minor = loop.a_transpose;
  request.max_blocks = std::min(loop.a_transpose ? request.max_minor : request.max_major, u32(params_.max_block_len));
  request.dram = loop.a_dram;
  request.stride = loop.a_stride;
  request.local_start = resadd ? loop.resadd_start : a_start(loop, std::max(params_.scratchpad_rows, params_.accumulator_rows));
  request.to_accumulator = resadd;
  load_a_.start(request);
}

void LoopWs::start_load_b(unsigned slot, bool resadd) {
  const LoopWsLoop& loop = loops_[slot];
  TileLoad::Request request;
  request.funct = isa::fields::Mvin2::kFunct;
  request.slot = slot;
  request.sequence = loop.sequence;
  request.max_minor = loop.max_j;
  request.max_major = resadd ? loop.max_i : loop.max_k;
  request.pad_minor = loop.pad_j;
  request.pad_major = resadd ? loop.pad_i : loop.pad_k;
  request.column_is_minor = !loop.b_transpose;
  request.pad_rows = false;   // its row padding compares a bound with itself minus one, never true (LoopMatmul.scala)
  request.max_blocks = std::min(loop.b_transpose ? request.max_major : request.max_minor, u32(params_.max_block_len));
  request.dram = loop.b_dram;
  request.stride = loop.b_stride;
  request.local_start = resadd ? loop.resadd_start : b_start(loop);
  request.to_accumulator = resadd;
  request.accumulate = resadd;
  load_b_.start(request);
}

void LoopWs::start_load_d(unsigned slot) {
  const LoopWsLoop& loop = loops_[slot];
  TileLoad::Request request;
  request.funct = isa::fields::Mvin3::kFunct;
  request.slot = slot;
  request.sequence = loop.sequence;
  request.max_minor = loop.max_i;
  request.max_major = loop.max_j;
  request.pad_minor = loop.pad_i;
  request.pad_major = loop.pad_j;
  request.max_blocks = std::min(loop.max_j, u32(loop.low_d ? params_.max_block_len : params_.max_block_len_acc));
  request.element_bytes = loop.low_d ? 1 : 4;
  request.dram = loop.d_dram;
  request.stride = loop.d_stride;
  request.local_start = take_half(loop.c_dram == 0, bias_base_);
  request.to_accumulator = true;
  load_d_.start(request);
}

void LoopWs::start_execute(unsigned slot, bool resadd) {
  const LoopWsLoop& loop = loops_[slot];
  LoopWsExecute::Request request;
  request.slot = slot;
  request.loop = loop;
  request.a_start = a_start(loop, params_.scratchpad_rows);
  request.b_start = b_start(loop);
  request.c_start = take_half(loop.c_dram == 0, execute_base_);
  request.skip = resadd;
  execute_.start(request);
}

void LoopWs::start_store(unsigned slot, bool resadd) {
  const LoopWsLoop& loop = loops_[slot];
  LoopWsStore::Request request;
  request.slot = slot;
  request.loop = loop;
  request.max_k = resadd ? 1 : loop.max_k;
  request.max_blocks = loop.full_c ? 1 : std::min(loop.max_j, u32(params_.max_block_len));
  const std::uint32_t half = take_half(loop.c_dram == 0, store_base_);
  request.c_start = resadd ? loop.resadd_start : half;
  request.is_resadd = resadd;
  store_.start(request);
}

// A loop is known by the number of its last command.
void LoopWs::residual_of_loop(Residual& r, LoopWsLoop& loop) const {
  r.sequence(loop.sequence);
  if (!r.loads()) return;
  const auto command = [&](std::uint32_t number) {
    Command result;
    result.instruction = r.command(number);
    result.op = *isa::decode(result.instruction, params_.revision);
    result.sequence = number;
    return result;
  };
  std::uint32_t first = loop.sequence;
  while (first != 0 && command(first - 1).op != isa::Op::kLoopWs) --first;
  for (std::uint32_t number = first; number <= loop.sequence; ++number) write_word(loop, command(number));
}

void LoopWs::residual(Residual& r) {
  LoopUnroller::residual(r);
  r.rest(!partly_configured_);
  for (unsigned slot = 0; slot < loops_.size(); ++slot) {
    LoopWsLoop& loop = loops_[slot];
    if (slots_[slot].configured) residual_of_loop(r, loop);
    r(loop.a_start);
    r(loop.b_end);
    r(loop.resadd_start);
  }
  for (TileLoad* load : {&load_a_, &load_b_, &load_d_}) load->residual(r);
  execute_.residual(r, loops_);
  store_.residual(r, loops_);
  r(steady_);
  r(is_resadd_);
  r(bias_base_);
  r(execute_base_);
  r(store_base_);
}

}  // namespace systole::hw
