#include "tests/module/frontend/loop_bench.h"

#include <fmt/format.h>

#include "isa/local_address.h"
#include "sim/base/errors.h"

namespace systole::test {

using hw::Command;

hw::FrontEndParams reference_front_end() { return hw::make_front_end_params(hw::MachineParams{}); }

std::string brief(const Command& command, const hw::FrontEndParams& params) {
  namespace f = isa::fields;
  const isa::Instruction& i = command.instruction;
  const auto row = [&](std::uint64_t bits) {
    const auto address = static_cast<std::uint32_t>(bits);
    return isa::LocalAddress(address).is_garbage(params.row_bits) ? std::string("-") : fmt::format("{:x}", address);
  };
  const auto move = [&](const char* name) {
    return fmt::format("{}({},{},{})", name, row(f::Mvin::local.get(i)), f::Mvin::cols.get(i), f::Mvin::rows.get(i));
  };
  const auto compute = [&](const char* name) {
    return fmt::format("{}({},{},{})", name, row(f::ComputeFlip::a_local.get(i)), f::ComputeFlip::a_cols.get(i),
                       f::ComputeFlip::a_rows.get(i));
  };
  if (command.op == isa::Op::kMvin) return move("A");
  if (command.op == isa::Op::kMvin2) return move("B");
  if (command.op == isa::Op::kMvin3) return move("D");
  if (command.op == isa::Op::kMvout) return move("ST");
  if (command.op == isa::Op::kComputeFlip) return compute("F");
  if (command.op == isa::Op::kComputeStay) return compute("S");
  if (command.op == isa::Op::kPreload) {
    return fmt::format("P({}:{}->{}:{})", row(f::Preload::local.get(i)), f::Preload::rows.get(i), row(f::Preload::out_local.get(i)),
                       f::Preload::out_rows.get(i));
  }
  return fmt::format("{}({:x},{:x})", isa::info(command.op).mnemonic, i.rs1, i.rs2);
}

CompletingSink::CompletingSink(const sc_core::sc_module_name& name, Channel<Command>& in, Completions& completions,
                               Channel<hw::IssueCredits>& credits, Cycle delay, Stall stall)
    : Unit(name), in_(in), completions_(completions), credits_(credits), delay_(delay), stall_(stall) {
  in_.bind_reader(*this);
  credits_.bind_writer(*this);
}

void CompletingSink::evaluate(Cycle now) {
  if (!due_.empty() && due_.front().first <= now) {
    completions_.offer(hw::kCompletionExecute, now, due_.front().second);
    due_.pop_front();
  }
  if (in_.front(now) != nullptr) {
    if (stall_.holds(now)) {
      wake_at(now + 1);
    } else {
      take(now, in_.pop(now));
    }
  }
  if (!due_.empty()) wake_at(std::max(now + 1, due_.front().first));
}

void CompletingSink::take(Cycle now, const Command& command) {
  popped_.push_back({now, command});
  if (command.origin == hw::Origin::kHost || delay_ == kNeverCompletes) return;
  const bool config = command.op == isa::Op::kConfigLd || command.op == isa::Op::kConfigSt || command.op == isa::Op::kConfigNorm;
  if (config) {
    const bool load = command.op == isa::Op::kConfigLd;
    credits_.push(now, {load, !load});
    return;
  }
  due_.push_back({now + delay_, {{isa::info(command.op).queue, 0}, command.origin}});
}

template <class Unroller>
LoopBenchResult run_loop(const std::vector<isa::Instruction>& program, const LoopBenchOptions& options) {
  Channel<Command> in("in", 1, 2);
  Channel<Command> out("out", 1, 2);
  Channel<hw::IssueCredits> credits("credits", 1, 2);
  CompletingSink::Completions completions;
  UnitBench bench(options.mode);
  Source<Command> source("source", in, options.input_stall);
  Unroller unroller("unroller", options.params, in, out, completions, credits);
  CompletingSink sink("sink", out, completions, credits, options.completion_delay, options.output_stall);
  bench.add(source);
  bench.add(unroller);
  bench.add(sink);
  bench.elaborate();
  for (std::size_t n = 0; n < program.size(); ++n) {
    Command command;
    command.instruction = program[n];
    command.op = isa::decode(program[n], options.params.revision).value();
    if (isa::info(command.op).funct >= isa::fields::LoopConv1::kFunct && isa::info(command.op).funct <= isa::fields::LoopConv3::kFunct) {
      command.op = isa::decode(program[n], options.loop_conv_revision).value();
    }
    command.sequence = static_cast<std::uint32_t>(n);
    source.add(1, command);
  }
  source.begin();
  bench.run(options.max_cycles);
  LoopBenchResult result;
  result.pushed = source.pushed();
  result.popped = sink.popped();
  result.account = unroller.ledger().totals(options.max_cycles);
  result.state_text = unroller.state_text();
  return result;
}

template LoopBenchResult run_loop<hw::LoopWs>(const std::vector<isa::Instruction>&, const LoopBenchOptions&);
template LoopBenchResult run_loop<hw::LoopConv>(const std::vector<isa::Instruction>&, const LoopBenchOptions&);

std::string stream(const LoopBenchResult& result, const LoopBenchOptions& options, std::size_t origin) {
  std::string text;
  for (const auto& [cycle, command] : result.popped) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", cycle - 1 - result.pushed.at(origin), brief(command, options.params));
  }
  return text;
}

}  // namespace systole::test
