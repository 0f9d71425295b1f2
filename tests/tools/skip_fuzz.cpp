// Runs random programs simulated whole, with skip-ahead, and by two machines that take turns, and compares everything a run without values leaves.
//   skip_fuzz mixed|products FIRST_SEED COUNT [JOBS]
// mixed: legal programs of all kinds, several times over and with their data in other places. products: matrix products of many loops, so that
// pieces begin and end inside loops.
// Exit code 1 when a program differs, or when next to nothing was skipped.
#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

#include "hw/top/machine.h"
#include "isa/instruction.h"
#include "isa/local_address.h"
#include "isa/trace.h"
#include "kernels/allocate.h"
#include "kernels/matmul.h"
#include "sim/base/process_pool.h"
#include "sim/config/machine_config.h"
#include "sim/config/trace_machine.h"
#include "sim/run/target.h"
#include "tests/support/program_generator.h"
#include "tests/support/run_text.h"

using namespace systole;

namespace {

constexpr Cycle kMaxCycles = 20'000'000;
constexpr std::uint64_t kPage = 4096;

// The same command with its data `distance` bytes further on.
isa::Instruction moved(isa::Instruction i, int revision, std::uint64_t distance) {
  const auto op = isa::decode(i, revision);
  if (!op) return i;
  for (const isa::NamedField& named : isa::info(*op).fields) {
    if (named.field.type == isa::FieldType::kDram && named.field.get(i) != 0) named.field.set(i, named.field.get(i) + distance);
  }
  return i;
}

using Piece = std::vector<isa::Item>;

std::vector<Piece> pieces_of(const isa::Program& program) {
  std::vector<Piece> pieces(1);
  for (const isa::Item& item : program.items) {
    pieces.back().push_back(item);
    if (item.kind == isa::ItemKind::kFence) pieces.emplace_back();
  }
  return pieces;
}

// A few commands that leave other registers, pointers and pages behind than whatever ran before.
Piece disturbance(std::mt19937_64& random, int dim) {
  namespace f = isa::fields;
  Piece piece;
  const auto add = [&](const isa::Instruction& i) { piece.push_back({isa::ItemKind::kCommand, i, 0}); };
  const std::uint64_t state = random() % 3;
  isa::Instruction load = isa::make(isa::Op::kConfigLd);
  f::ConfigLd::state.set(load, state);
  f::ConfigLd::stride.set(load, 16 * (random() % 40));
  f::ConfigLd::scale.set(load, random() % 2 == 0 ? 0x3F800000 : 0x3F000000);
  f::ConfigLd::shrink.set(load, 1);
  f::ConfigLd::block_stride.set(load, static_cast<std::uint64_t>(dim));
  f::ConfigLd::pixel_repeats.set(load, 1);
  add(load);
  if (random() % 2 == 0) {
    isa::Instruction execute = isa::make(isa::Op::kConfigEx);
    f::ConfigEx::set_only_strides.set(execute, 1);
    f::ConfigEx::a_stride.set(execute, 1 + random() % 2);
    f::ConfigEx::c_stride.set(execute, 1 + random() % 2);
    add(execute);
  }
  for (std::uint64_t count = random() % 4; count != 0; --count) {
    isa::Instruction move = isa::make(state == 0 ? isa::Op::kMvin : state == 1 ? isa::Op::kMvin2 : isa::Op::kMvin3);
    f::Mvin::dram.set(move, 0x80100000 + 64 * (random() % 512));
    f::Mvin::local.set(move, (random() % 2 == 0 ? 0u : isa::LocalAddress::kAccumulatorBit) + static_cast<unsigned>(dim) * (random() % 4));
    f::Mvin::cols.set(move, 1 + random() % static_cast<unsigned>(dim));
    f::Mvin::rows.set(move, 1 + random() % static_cast<unsigned>(dim));
    add(move);
  }
  for (std::uint64_t count = random() % 3; count != 0; --count) {
    isa::Instruction move = isa::make(isa::Op::kMvout);
    f::Mvout::dram.set(move, 0x80200000 + 64 * (random() % 512));
    f::Mvout::local.set(move, static_cast<unsigned>(dim) * (random() % 4));
    f::Mvout::cols.set(move, 1 + random() % static_cast<unsigned>(dim));
    f::Mvout::rows.set(move, 1 + random() % static_cast<unsigned>(dim));
    add(move);
  }
  return piece;
}

// Several programs one after the other, in random order and places, most of them more than once, and disturbed in between: the same pieces
// from other states. What they compute makes no sense.
isa::Program mixed(const std::vector<isa::Trace>& traces, int dim, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  isa::Program result;
  result.encoding = traces[0].program.encoding;
  result.regions = {{"even", 0}, {"odd", 0}};
  const std::size_t picks = 5 + random() % 4;
  for (std::size_t pick = 0; pick < picks; ++pick) {
    const std::vector<Piece> pieces = pieces_of(traces[random() % traces.size()].program);
    const std::uint64_t distance = random() % 3 == 0 ? 0 : (random() % 64) * kPage;
    for (std::size_t index = 0; index < pieces.size(); ++index) {
      const std::size_t times = 1 + random() % 2;
      for (std::size_t time = 0; time < times; ++time) {
        if (random() % 4 == 0) {
          for (const isa::Item& item : disturbance(random, dim)) result.items.push_back(item);
          result.items.push_back({isa::ItemKind::kFence, {}, 0});
        }
        if (random() % 4 == 0) result.items.push_back({isa::ItemKind::kRegion, {}, index % 2});
        for (isa::Item item : pieces[index]) {
          if (item.kind == isa::ItemKind::kCommand) item.instruction = moved(item.instruction, result.encoding.revision, distance);
          result.items.push_back(item);
        }
        result.items.push_back({isa::ItemKind::kFence, {}, 0});
      }
    }
  }
  return result;
}

struct Case {
  hw::MachineParams params;
  isa::Program program;
  int loop_conv_revision = 2023;
};

Case mixed_case(std::uint64_t seed) {
  test::PlanOptions plan;
  plan.convolutions = false;
  plan.max_steps = 6;
  const isa::Geometry geometry = test::make_plan(seed, plan).geometry;
  plan.geometry = geometry;
  std::vector<isa::Trace> traces;
  for (std::uint64_t part = 0; part < 3; ++part) traces.push_back(test::emit(test::make_plan(seed + part * 1'000'003, plan)));
  return {config::trace_machine(traces[0]).params, mixed(traces, geometry.dim, seed), traces[0].loop_conv_encoding};
}

Case products_case(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto one_of = [&](std::initializer_list<const char*> choices) { return std::string(choices.begin()[random() % choices.size()]); };
  std::vector<std::string> settings = {"array.dim=" + one_of({"8", "16", "16", "32"})};
  for (const auto& choices : std::initializer_list<std::initializer_list<const char*>>{
           {"memory.latency=5", "memory.latency=20", "memory.latency=120"},
           {"dma.max_in_flight=4", "dma.max_in_flight=16", "dma.max_in_flight=64"},
           {"scratchpad.kib=64", "scratchpad.kib=256"},
           {"accumulator.kib=32", "accumulator.kib=64"},
           {"queue.execute=4", "queue.execute=8"},
           {"reservation.execute=4", "reservation.execute=16"},
           {"scratchpad.read_delay=4", "scratchpad.read_delay=8"},
           {"revision=2023", "revision=2023", "revision=2025"}}) {
    settings.push_back(one_of(choices));
  }
  Case result{config::load_machine(one_of({"survey", "gemmini-2023"}), settings).params, {}};
  const kernels::Target target = run::target_of(result.params);
  const auto dim = static_cast<std::uint64_t>(target.dim);
  result.program.encoding.revision = result.params.revision;
  kernels::Builder builder(target, result.program);
  kernels::Allocator memory(result.program, target.dim);
  for (std::uint64_t product = 1 + random() % 3; product != 0; --product) {
    const std::string name = std::to_string(product);
    const auto size = [&](std::uint64_t tiles) { return std::max<std::uint64_t>(1, dim * (1 + random() % tiles) - (random() % 3 == 0 ? random() % dim : 0)); };
    const std::uint64_t m = size(24), n = size(40), k = size(40);
    const bool wide = random() % 4 == 0;
    kernels::MatmulBranch branch;
    branch.b = memory.matrix("b" + name, k, n, kernels::Element::kInt8);
    if (random() % 2 == 0) {
      const std::vector<std::int32_t> bias(n);
      branch.d = memory.repeated_row("d" + name, n, bias.data());
    }
    branch.c = memory.matrix("c" + name, m, n, wide ? kernels::Element::kInt32 : kernels::Element::kInt8);
    branch.store.scale = 0.01f;
    builder.region(name, 0);
    kernels::matmul(builder, memory.matrix("a" + name, m, k, kernels::Element::kInt8), false, {branch});
    if (random() % 2 == 0) builder.fence();
  }
  builder.fence();
  return result;
}

// "R" refused, "A" abandoned, "E" not a program for this machine, or "S" with the pieces simulated and repeated; "D" and a difference.
std::string check(const Case& test) {
  const isa::Program& program = test.program;
  const hw::MachineParams& params = test.params;
  Memory memory;
  hw::MachineOptions options;
  options.max_cycles = kMaxCycles;
  options.timing_only = true;
  options.look_into_loops_of = 1;
  options.loop_conv_revision = test.loop_conv_revision;
  if (!hw::cannot_skip_ahead(params, options, memory, program).empty()) return "R";
  hw::MachineOptions skipping = options;
  skipping.skip_ahead = true;
  hw::Machine whole(params, memory, options);
  hw::Machine quick(params, memory, skipping);
  hw::MachineOptions turns = options;
  turns.prefix = "first_";
  hw::Machine one(params, memory, turns);
  turns.prefix = "second_";
  hw::Machine two(params, memory, turns);
  hw::MachineResult expected;
  try {
    expected = whole.run(program);
  } catch (const ModelError&) {
    return "E";
  }
  try {
    const std::string by_turns = test::first_difference(test::run_text(expected), test::run_text(one.run_in_turns(program, two)));
    if (!by_turns.empty() && expected.warnings.empty()) return "Dby turns: " + by_turns;
    const hw::MachineResult actual = quick.run(program);
    const std::string difference = test::first_difference(test::run_text(expected), test::run_text(actual));
    if (!difference.empty()) return "D" + difference;
    return "S" + std::to_string(actual.skipped->simulated) + " " + std::to_string(actual.skipped->repeated) + " " + std::to_string(actual.skipped->rounds);
  } catch (const hw::SkipAbandoned&) {
    return "A";
  } catch (const ModelError& error) {
    return "D" + std::string(error.what());
  }
}

}  // namespace

// libsystemc has a main() of its own that calls sc_main(); it is never called.
extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  const std::string kind_of_program = argc > 3 ? argv[1] : "";
  if (kind_of_program != "mixed" && kind_of_program != "products") {
    std::cerr << "usage: skip_fuzz mixed|products FIRST_SEED COUNT [JOBS]\n";
    return 2;
  }
  const auto make = kind_of_program == "mixed" ? mixed_case : products_case;
  const std::uint64_t first = std::strtoull(argv[2], nullptr, 10);
  const std::size_t count = std::strtoull(argv[3], nullptr, 10);
  std::size_t different = 0, refused = 0, abandoned = 0, errors = 0, simulated = 0, repeated = 0, rounds = 0;
  run_tasks(
      count, argc > 4 ? std::atoi(argv[4]) : 1, [&](std::size_t i) { return check(make(first + i)); },
      [&](std::size_t i, const TaskResult& result) {
        const char kind = result.end == TaskEnd::kDone && !result.text.empty() ? result.text[0] : 'D';
        if (kind == 'R') ++refused;
        if (kind == 'A') ++abandoned;
        if (kind == 'E') ++errors;
        if (kind == 'S') {
          std::istringstream text(result.text.substr(1));
          std::size_t a = 0, b = 0, c = 0;
          text >> a >> b >> c;
          rounds += c;
          simulated += a;
          repeated += b;
        }
        if (kind == 'D') {
          ++different;
          std::cout << "seed " << first + i << ": " << result.text << '\n';
        }
      });
  std::cout << count << " programs: " << different << " differ, " << refused << " cannot be skipped, " << abandoned << " meet a hazard, " << errors
            << " are no programs; " << simulated << " pieces simulated, " << repeated << " repeated, " << rounds << " rounds of loops passed at once\n";
  const bool skips = 20 * repeated > simulated && (kind_of_program == "mixed" || rounds != 0);
  return different == 0 && skips ? 0 : 1;
}
