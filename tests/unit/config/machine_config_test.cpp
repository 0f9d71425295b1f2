#include "sim/config/machine_config.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "sim/base/errors.h"
#include "sim/config/parameters.h"
#include "sim/config/presets.h"
#include "sim/config/trace_machine.h"

namespace systole::config {
namespace {

// A file that disappears with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / ("systole_machine_" + std::to_string(::getpid()) + ".yaml")) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

std::string values(const hw::MachineParams& params) {
  std::string text;
  for (const Parameter& parameter : parameters(params)) text += parameter.key + "=" + parameter.value() + "\n";
  return text;
}

TEST(Parameters, keys_are_unique_and_documented) {
  std::set<std::string> seen;
  const hw::MachineParams machine;
  for (const Parameter& parameter : parameters(machine)) {
    EXPECT_TRUE(seen.insert(parameter.key).second) << parameter.key;
    EXPECT_FALSE(parameter.meaning.empty()) << parameter.key;
    EXPECT_FALSE(parameter.source.empty()) << parameter.key;
  }
  EXPECT_GT(seen.size(), 40u);
}

TEST(Parameters, keys_of_scripts_and_traces_exist_with_the_reference_values) {
  const std::pair<const char*, const char*> expected[] = {
      {"array.dim", "16"}, {"array.tile", "1"}, {"array.tile_latency", "0"}, {"array.output_delay", "1"},
      {"scratchpad.kib", "256"}, {"scratchpad.banks", "4"}, {"scratchpad.ports", "1"}, {"scratchpad.read_delay", "4"},
      {"accumulator.kib", "64"}, {"accumulator.banks", "2"}, {"accumulator.ports", "2"}, {"accumulator.sub_banks", "0"},
      {"accumulator.latency", "2"}, {"accumulator.scale_latency", "8"}, {"accumulator.scale_units", "0"}, {"revision", "2023"},
      {"dma.max_in_flight", "16"}, {"dma.bus_bytes", "16"}, {"dma.max_bytes", "64"}, {"mvin_scale.latency", "4"}, {"mvin_scale.units", "4"},
      {"reservation.load", "8"}, {"reservation.execute", "16"}, {"reservation.store", "4"}, {"queue.load", "8"}, {"queue.execute", "8"},
      {"queue.store", "2"}, {"sfu.normaliser", "1"}, {"memory.model", "ideal"}, {"memory.latency", "20"}, {"soc.axi_latency", "30"},
      {"soc.axi_write_latency", "10"}, {"soc.l2_state", "clean"}};
  const hw::MachineParams machine;
  const std::string text = "\n" + values(machine);
  for (const auto& [key, value] : expected) EXPECT_NE(text.find(std::string("\n") + key + "=" + value + "\n"), std::string::npos) << key;
}

TEST(Presets, all_can_be_built_and_the_reference_is_the_default) {
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(hw::broken_rules(preset_machine(preset.name).params).empty()) << preset.name;
  }
  EXPECT_EQ(values(preset_machine(kReferencePreset).params), values(hw::MachineParams{}));
  EXPECT_EQ(preset_machine("survey-baseline").params.sfu.normaliser, 0);
  EXPECT_EQ(preset_machine("survey").params.sfu.deferred_softmax, 1);
  EXPECT_EQ(preset_machine("survey-64-256").params.accumulator.kib, 256);
  EXPECT_EQ(preset_machine("gemmini-2025").params.reservation.stores_serialised, 1);
}

TEST(MachineConfig, file_overrides_preset_and_set_overrides_file) {
  const TemporaryFile file("preset: survey-64-256\ndma:\n  max_in_flight: 32\nscratchpad.kib: 128\n");
  const MachineConfig machine = load_machine(file.path(), {"dma.max_in_flight=64"});
  EXPECT_EQ(machine.params.dma.max_in_flight, 64);
  EXPECT_EQ(machine.params.scratchpad.kib, 128);
  EXPECT_EQ(machine.params.accumulator.kib, 256);
  EXPECT_EQ(machine.params.sfu.pre_shift, 1);
  EXPECT_EQ(machine.origins.at("dma.max_in_flight"), "--set");
  EXPECT_EQ(machine.origins.at("scratchpad.kib"), file.path() + ":4:17");
  EXPECT_EQ(machine.origins.at("accumulator.kib"), "preset survey-64-256");
  EXPECT_EQ(machine.preset, "survey-64-256");
}

TEST(MachineConfig, revision_sets_its_switches_wherever_it_stands) {
  const TemporaryFile file("reservation.stores_serialised: 0\nrevision: 2025\n");
  const MachineConfig machine = load_machine(file.path());
  EXPECT_EQ(machine.params.scratchpad.response_queue, 1);
  EXPECT_EQ(machine.params.reservation.stores_serialised, 0);
}

TEST(MachineConfig, dump_reads_back_as_the_same_machine) {
  for (const Preset& preset : presets()) {
    const MachineConfig machine = load_machine(preset.name, {"queue.load=3", "memory.model=soc", "soc.l2_state=dirty"});
    const TemporaryFile file(dump_yaml(machine));
    const MachineConfig again = load_machine(file.path());
    EXPECT_EQ(values(again.params), values(machine.params)) << preset.name;
    EXPECT_EQ(again.preset, machine.preset);
  }
}

TEST(MachineConfig, all_errors_are_reported_together_with_their_places) {
  const TemporaryFile file("preset: survay\ndma:\n  max_inflight: 32\n  bus_bytes: 24\nscratchpads:\n  kib: 3\narray.dim: [4]\n");
  const std::string p = file.path();
  EXPECT_EQ(error_of([&] { (void)load_machine(p); }),
            p + ":1:9: error: unknown preset 'survay'; nearest: 'survey'\n" +                                   //
                p + ":5:1: error: unknown group 'scratchpads'; nearest: 'scratchpad'\n" +                        //
                p + ":7:12: error: 'array.dim' needs a single value\n" +                                         //
                p + ":3:3: error: unknown key 'dma.max_inflight'; nearest: 'dma.max_in_flight'\n" +              //
                p + ":4:14: error: dma.bus_bytes = 24 is out of range; legal: 8..64, power of two (bytes of one beat of the memory port)");
}

TEST(MachineConfig, a_broken_rule_names_the_line_that_broke_it) {
  const TemporaryFile file("preset: survey\nscratchpad:\n  kib: 100\n");
  EXPECT_EQ(error_of([&] { (void)load_machine(file.path()); }).find(file.path() + ":3:8: error: scratchpad.kib = 100: a bank must have a power of two"), 0u);
  EXPECT_EQ(error_of([&] { (void)load_machine("survey", {"accumulator.ports=1"}); }).find("--set: error: accumulator.ports = 1 needs"), 0u);
}

TEST(MachineConfig, unknown_names_and_bad_settings_name_the_nearest) {
  EXPECT_EQ(error_of([] { (void)load_machine("gemini-2023"); }), "machine 'gemini-2023' is neither a preset nor a file; nearest preset: 'gemmini-2023'");
  EXPECT_EQ(error_of([] { (void)load_machine("survey", {"max_in_flight=3"}); }),
            "--set: error: unknown key 'max_in_flight'; nearest: 'dma.max_in_flight'");
  EXPECT_EQ(error_of([] { (void)load_machine("survey", {"sfu.normaliser=2"}); }),
            "--set: error: sfu.normaliser = 2 is out of range; legal: 0 or 1 (1: softmax, LayerNorm and GELU on the machine)");
  EXPECT_EQ(error_of([] { (void)load_machine("survey", {"dma"}); }), "--set 'dma': write key=value, e.g. scratchpad.kib=128");
  EXPECT_EQ(error_of([] { (void)load_machine("survey", {"dma.bus_bytes=0x10"}); }).find("--set: error: dma.bus_bytes = '0x10' is not a whole number"), 0u);
  EXPECT_NE(error_of([] { (void)load_machine("survey", {"dma.max_in_flight=1"}); }).find("dma.max_in_flight = 1: a write holds its id"), std::string::npos);
}

TEST(SettingsWithoutEffect, are_named_with_what_makes_them_pointless) {
  const auto found = [](const std::vector<std::string>& sets) { return settings_without_effect(load_machine("survey", sets)); };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(found({"soc.l2_ways=4"}), Texts{"soc.l2_ways = 4 (--set) has no effect with memory.model = ideal"});
  EXPECT_EQ(found({"memory.model=soc", "dram_timing.ras=50"}), Texts{"dram_timing.ras = 50 (--set) has no effect with soc.dram = fixed"});
  EXPECT_EQ(found({"memory.model=soc", "soc.dram_page=closed"}), Texts{"soc.dram_page = closed (--set) has no effect with soc.dram = fixed"});
  EXPECT_EQ(found({"memory.model=soc", "soc.llc_ways=4"}), Texts{"soc.llc_ways = 4 (--set) has no effect with soc.llc_kib = 0"});
  EXPECT_EQ(found({"memory.model=soc", "soc.dram=ddr4_2400", "soc.axi_latency=31"}), Texts{"soc.axi_latency = 31 (--set) has no effect with soc.dram = ddr4_2400"});
  EXPECT_EQ(found({"memory.model=soc", "memory.latency=31"}), Texts{"memory.latency = 31 (--set) has no effect with memory.model = soc"});
  EXPECT_EQ(found({"memory.model=soc", "soc.dram=ddr4_2400", "soc.dram_page=closed", "dram_timing.ras=50", "soc.llc_kib=64", "soc.llc_ways=4", "soc.axi_bytes=16"}), Texts{});
  EXPECT_EQ(found({"soc.l2_ways=8", "memory.latency=31"}), Texts{});   // the first one says what the preset says
}

constexpr const char* kTraceEnd = "cmd 7 0000000000000000 0000000000000000\nfence\n";

TEST(TraceMachine, without_a_machine_line_there_is_no_normaliser) {
  const isa::Trace trace = isa::parse_trace(std::string("# systole-trace 1\nmem latency=60 beat_bytes=16\n") + kTraceEnd, "t.trace");
  const MachineConfig machine = trace_machine(trace);
  EXPECT_EQ(machine.params.sfu.normaliser, 0);
  EXPECT_EQ(machine.params.memory.latency, 60);
}

TEST(TraceMachine, machine_lines_set_parameters) {
  const isa::Trace trace = isa::parse_trace(
      std::string("# systole-trace 1\nmachine revision=2025 array.dim=8 sfu.normaliser=1\nmem latency=4 beat_bytes=16\n") + kTraceEnd, "t.trace");
  const MachineConfig machine = trace_machine(trace);
  EXPECT_EQ(machine.params.array.dim, 8);
  EXPECT_EQ(machine.params.sfu.normaliser, 1);
  EXPECT_EQ(machine.params.scratchpad.response_queue, 1);
  EXPECT_EQ(trace_machine(trace, preset_machine("survey")).params.memory.latency, 4);
}

TEST(TraceMachine, unknown_keys_and_a_wrong_bus_are_refused) {
  const isa::Trace key = isa::parse_trace(std::string("# systole-trace 1\nmachine array.dimm=8\nmem latency=4 beat_bytes=16\n") + kTraceEnd, "t.trace");
  EXPECT_EQ(error_of([&] { (void)trace_machine(key); }), "t.trace:2: error: unknown key 'array.dimm'; nearest: 'array.dim'");
  const isa::Trace bus = isa::parse_trace(std::string("# systole-trace 1\nmachine dma.bus_bytes=32\nmem latency=4 beat_bytes=16\n") + kTraceEnd, "t.trace");
  EXPECT_EQ(error_of([&] { (void)trace_machine(bus); }), "t.trace: error: mem beat_bytes=16 differs from dma.bus_bytes = 32 of its machine");
}

}  // namespace
}  // namespace systole::config
