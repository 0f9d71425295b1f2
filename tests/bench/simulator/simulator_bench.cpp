// Speed of the simulator: the parts (Google Benchmark), and whole machines on one product, each in a process of its own whose CPU time is
// counted. scripts/bench.sh puts the results into ratios.
#include <benchmark/benchmark.h>

#include <ctime>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "hw/datapath/gemm.h"
#include "isa/model/model.h"
#include "isa/model/tile_product.h"
#include "sim/base/process_pool.h"
#include "sim/config/geometry.h"
#include "sim/kernel/wheel.h"
#include "sim/run/simulation.h"
#include "tests/bench/simulator/yardsticks.h"

extern "C" int sc_main(int, char**) { return 1; }

namespace {

using namespace systole;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// ---- yardsticks

void pe_array(benchmark::State& state) {
  constexpr int kCycles = 2000;
  double seconds = 0;
  for (auto _ : state) {
    BackgroundTask task([] { return std::to_string(bench::pe_array_seconds(kCycles)); });
    seconds = std::stod(text_or_throw(task.wait()));
    state.SetIterationTime(seconds);
  }
  state.counters["seconds_per_cycle"] = seconds / kCycles;
}
BENCHMARK(pe_array)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void plain_gemm(benchmark::State& state) {
  constexpr std::size_t kM = 512, kN = 768, kK = 768;
  std::mt19937 random(1);
  std::vector<std::int8_t> a(kM * kK), b(kK * kN);
  for (std::int8_t& value : a) value = static_cast<std::int8_t>(random());
  for (std::int8_t& value : b) value = static_cast<std::int8_t>(random());
  std::vector<std::int32_t> c(kM * kN);
  for (auto _ : state) {
    const bool done = bench::plain_gemm(kM, kN, kK, a.data(), b.data(), c.data());
    if (!done) state.SkipWithError("no AVX2");
    benchmark::DoNotOptimize(c.data());
  }
}
BENCHMARK(plain_gemm)->Unit(benchmark::kMillisecond);

// ---- parts

void tile_operation(benchmark::State& state) {
  const std::vector<const hw::GemmKernel*> kernels = hw::gemm_kernels(16);
  const auto index = static_cast<std::size_t>(state.range(0));
  if (index >= kernels.size()) {
    state.SkipWithError("not on this CPU");
    return;
  }
  const hw::GemmKernel& kernel = *kernels[index];
  state.SetLabel(kernel.name);
  std::vector<std::int8_t> a(256, 3), w(256, 5);
  std::vector<std::int32_t> out(256);
  alignas(64) static std::uint8_t packed[4096];
  kernel.pack(16, w.data(), packed);
  for (auto _ : state) {
    kernel.multiply(16, 16, a.data(), packed, hw::GemmAddend::kOutput, nullptr, out.data(), 12);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(tile_operation)->DenseRange(0, 3);

void oracle_tile(benchmark::State& state) {
  isa::model::TileProduct tile(16);
  std::vector<std::int8_t> a(256, 3), w(256, 5);
  std::vector<std::int32_t> out(256);
  tile.set_weights(w.data(), 16, 16);
  for (auto _ : state) {
    benchmark::DoNotOptimize(tile.multiply(a.data(), 16, true, out.data()));
  }
}
BENCHMARK(oracle_tile);

// A unit that asks for the next cycle again and again, and one that sleeps.
void wheel(benchmark::State& state) {
  const auto distance = static_cast<Cycle>(state.range(0));
  Wheel wheel;
  wheel.wake(0, 1);
  for (auto _ : state) {
    const Cycle now = wheel.next();
    wheel.run_cycle(now, [&](unsigned index) { wheel.wake(index, now + distance); });
  }
}
BENCHMARK(wheel)->Arg(1)->Arg(100)->Arg(5000);

// ---- a whole machine on one product

enum Mode { kValues, kTiming, kWhole, kNative };   // the first two skip ahead

void gemm(benchmark::State& state, Mode mode) {
  const config::MachineConfig machine = config::load_machine("survey", {});
  const isa::Program program = bench::gemm_program(machine);
  double seconds = 0, cycles = 0, wakeups = 0, pieces = 0, repeated = 0;
  for (auto _ : state) {
    BackgroundTask task([&] {
      run::SimulationSettings settings;
      settings.timing_only = mode == kTiming;
      settings.skip_ahead = mode == kValues || mode == kTiming;
      settings.scheduler = mode == kNative ? SchedulerMode::kNative : SchedulerMode::kFast;
      Memory memory;
      const double before = cpu_seconds();
      const run::ProgramRun run = run::simulate(program, memory, machine, settings);
      std::ostringstream text;
      text << cpu_seconds() - before << ' ' << run.machine.cycles << ' ' << run.machine.wakeups << ' ' << run.skipping.pieces << ' ' << run.skipping.repeated;
      return text.str();
    });
    std::istringstream text(text_or_throw(task.wait()));
    text >> seconds >> cycles >> wakeups >> pieces >> repeated;
    state.SetIterationTime(seconds);
  }
  state.counters["cycles"] = cycles;
  state.counters["wakeups"] = wakeups;
  state.counters["pieces"] = pieces;
  state.counters["repeated"] = repeated;
  state.counters["macs"] = static_cast<double>(bench::kGemmMacs);
  state.counters["tiles"] = static_cast<double>(bench::kGemmTiles);
}
BENCHMARK_CAPTURE(gemm, values, kValues)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(gemm, timing, kTiming)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(gemm, whole, kWhole)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(gemm, native, kNative)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void gemm_oracle(benchmark::State& state) {
  const config::MachineConfig machine = config::load_machine("survey", {});
  const isa::Program program = bench::gemm_program(machine);
  Memory memory;
  for (auto _ : state) {
    isa::Model model(config::geometry_of(machine.params), memory);
    model.run(program);
    benchmark::DoNotOptimize(model.commands());
  }
}
BENCHMARK(gemm_oracle)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
