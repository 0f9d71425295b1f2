// What programs leave in scratchpad and accumulator, against plain integer arithmetic; and that values, schedulers and time are independent.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ostream>
#include <random>

#include "hw/params/derived.h"
#include "tests/module/execute/random_program.h"

namespace systole::hw {
namespace {

struct Case {
  const char* name;
  int dim;
  int tile;
  int output_bits;
  ProgramStyle style;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Values : public testing::TestWithParam<Case> {};

TEST_P(Values, EqualIntegerArithmetic) {
  const Case& c = GetParam();
  MachineParams params;
  params.array.dim = c.dim;
  params.array.tile = c.tile;
  params.array.output_bits = c.output_bits;
  // Operations must be longer than the way of their first row, or an empty command queue is enough for a hazard (output-stationary).
  if (c.dim == 4) params.scratchpad.read_delay = 3;
  constexpr unsigned kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  const RandomProgram program = make_program(params, kSeed, c.dim > 16 ? 40 : 200, c.style);
  ExecuteBench bench(params);
  const auto dim = static_cast<std::size_t>(c.dim);
  std::copy(program.operands.begin(), program.operands.end(), bench.plane().scratchpad_row(0));
  const Events& events = bench.run(program.commands, program.at);
  EXPECT_EQ(events.done.size(), program.commands.size());
  EXPECT_TRUE(events.hazards.empty());
  for (std::uint32_t row = 0; row < static_cast<std::uint32_t>(scratchpad_rows(params)); ++row) {
    ASSERT_TRUE(std::equal(program.scratchpad.begin() + static_cast<std::ptrdiff_t>(row * dim),
                           program.scratchpad.begin() + static_cast<std::ptrdiff_t>((row + 1) * dim), bench.plane().scratchpad_row(row)))
        << "scratchpad row " << row;
  }
  for (std::uint32_t row = 0; row < static_cast<std::uint32_t>(accumulator_rows(params)); ++row) {
    ASSERT_TRUE(std::equal(program.accumulator.begin() + static_cast<std::ptrdiff_t>(row * dim),
                           program.accumulator.begin() + static_cast<std::ptrdiff_t>((row + 1) * dim), bench.plane().accumulator_row(row)))
        << "accumulator row " << row;
  }
}

constexpr ProgramStyle style(bool ws, bool transposes, bool partial, bool extreme = false) { return {ws, transposes, partial, true, extreme}; }

INSTANTIATE_TEST_SUITE_P(
    Programs, Values,
    testing::Values(Case{"ws_full", 16, 1, 20, style(true, false, false)}, Case{"ws_partial", 16, 1, 20, style(true, false, true)},
                    Case{"ws_transposed", 16, 1, 20, style(true, true, true)}, Case{"os_full", 16, 1, 20, style(false, false, false)},
                    Case{"os_partial", 16, 1, 20, style(false, false, true)}, Case{"os_transposed", 16, 1, 20, style(false, true, true)},
                    Case{"os_wraps", 16, 1, 20, style(false, false, false, true)}, Case{"ws_narrow", 16, 1, 16, style(true, false, true, true)},
                    Case{"ws_one_tile", 16, 16, 20, style(true, true, true)}, Case{"os_one_tile", 16, 16, 20, style(false, true, true)},
                    Case{"ws_dim4", 4, 1, 20, style(true, true, true)}, Case{"os_dim4", 4, 1, 20, style(false, true, true)},
                    Case{"ws_dim8", 8, 2, 20, style(true, true, true)}, Case{"ws_dim32", 32, 1, 20, style(true, true, true)},
                    Case{"ws_dim32_wraps", 32, 4, 20, style(true, false, false, true)}, Case{"os_dim32", 32, 2, 32, style(false, true, true)},
                    Case{"ws_dim128", 128, 1, 20, style(true, false, true)}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

// ---- one process per machine: a SystemC kernel runs once
template <class Function>
std::string in_child(Function&& function) {
  int ends[2];
  if (pipe(ends) != 0) return "pipe failed";
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const std::string text = function();
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = write(ends[1], text.data() + sent, text.size() - sent);
      if (count <= 0) _exit(1);
      sent += static_cast<std::size_t>(count);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(count));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : "child failed";
}

std::string text_of(const Events& e) {
  std::string text;
  for (const auto* list : {&e.control, &e.rows, &e.requests, &e.operations}) {
    for (const Cycle at : *list) text += std::to_string(at) + ' ';
    text += '\n';
  }
  for (const Done& d : e.done) text += std::to_string(d.at) + ':' + std::to_string(d.command) + ' ';
  for (const Write& w : e.writes) text += std::to_string(w.at) + ':' + std::to_string(w.row.row) + ' ';
  return text;
}

TEST(Schedulers, GiveTheSameCyclesWithAndWithoutValues) {
  const MachineParams params;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomProgram program = make_program(params, seed, 60, style(seed != 2, true, true));
    const auto run = [&](SchedulerMode mode, bool values) {
      return in_child([&] {
        ExecuteBench bench(params, mode, values);
        std::mt19937 random(seed);
        std::vector<std::uint32_t> banks(200000, 0);
        for (auto& b : banks) b = random() % 4 == 0 ? 1u << random() % 4 : 0;
        return text_of(bench.run(program.commands, program.at, [&](Cycle now) { return now < banks.size() ? banks[now] : 0u; }));
      });
    };
    const std::string reference = run(SchedulerMode::kEveryCycle, true);
    EXPECT_GT(reference.size(), 10000u);
    EXPECT_EQ(run(SchedulerMode::kFast, true), reference);
    EXPECT_EQ(run(SchedulerMode::kNative, true), reference);
    EXPECT_EQ(run(SchedulerMode::kFast, false), reference);
  }
}

}  // namespace
}  // namespace systole::hw
