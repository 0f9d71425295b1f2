// What a user gets for a mistake: the exit code, and a message that names the mistake and the nearest valid choice.
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

struct Case {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  const char* message;   // part of standard error
};

class BadInput : public ::testing::TestWithParam<Case> {};

TEST_P(BadInput, is_refused_with_a_message) {
  const Case& c = GetParam();
  const Outcome outcome = run(c.arguments);
  EXPECT_EQ(outcome.code, c.code) << outcome.error;
  EXPECT_NE(outcome.error.find(c.message), std::string::npos) << outcome.error;
}

const Case kCases[] = {
    {"no_command", {}, 2, "a command is missing"},
    {"unknown_command", {"shw"}, 2, "unknown command 'shw'; nearest: 'show'"},
    {"unknown_option", {"show", "machine", "--machin", "x"}, 2, "unknown option '--machin'; nearest: '--machine'"},
    {"option_without_value", {"show", "machine", "--set"}, 2, "--set"},
    {"no_topic", {"show"}, 2, "is missing"},
    {"unknown_topic", {"show", "machines"}, 2, "unknown topic 'machines'; nearest: 'machine'"},
    {"unknown_instruction", {"show", "isa", "mvn"}, 2, "unknown instruction 'mvn'; nearest: 'mvin'"},
    {"unknown_preset", {"show", "machine", "--machine", "survay"}, 2, "nearest preset: 'survey'"},
    {"unknown_key", {"show", "machine", "--set", "scratchpad.kb=3"}, 2, "--set: error: unknown key 'scratchpad.kb'; nearest: 'scratchpad.kib'"},
    {"out_of_range", {"show", "machine", "--set", "array.dim=17"}, 2, "--set: error: array.dim = 17 is out of range; legal: 4..128, power of two"},
    {"broken_rule", {"show", "machine", "--set", "array.tile=32"}, 2, "--set: error: array.tile = 32 is larger than array.dim = 16"},
    {"run_without_workload", {"run"}, 2, "the workload is missing"},
    {"unknown_workload", {"run", "bert-bsae"}, 2, "nearest: 'bert-base'"},
    {"two_workloads", {"run", "bert-base", "gpt2"}, 2, "unexpected argument 'gpt2'"},
    {"sequence_of_zero", {"run", "bert-base", "--seq", "0"}, 2, "--seq 0 is outside of 1.."},
    {"negative_layers", {"run", "bert-base", "--layers", "-1"}, 2, "--layers -1 is outside of 1.."},
    {"sequence_that_is_no_number", {"run", "bert-base", "--seq", "many"}, 2, "seq"},
    {"sequence_beyond_the_model", {"run", "bert-base", "--seq", "513"}, 2, "longer than the 512 positions of bert-base"},
    {"layers_beyond_the_model", {"run", "bert-base", "--layers", "13"}, 2, "bert-base has 12 layers"},
    {"encoder_that_generates", {"run", "bert-base", "--generate", "3"}, 2, "bert-base has no decoder"},
    {"model_beyond_the_machine", {"run", "bert-base", "--layers", "1", "--machine", "gemmini-2023"}, 2, "sfu.pre_shift=1"},
    {"unknown_tiler", {"run", "bert-base", "--tiler", "gemini"}, 2, "--tiler gemini: unknown; nearest: 'gemmini'"},
    {"unknown_scheduler", {"run", "bert-base", "--scheduler", "quick"}, 2, "--scheduler quick: unknown; nearest:"},
    {"unknown_log_level", {"run", "bert-base", "--log", "all"}, 2, "--log all: unknown level"},
    {"result_nowhere", {"run", "bert-base", "--json", "/absent/result.json"}, 2, "/absent/result.json: cannot create a file beside it"},
    {"result_is_a_directory", {"run", "bert-base", "--json", "/tmp"}, 2, "/tmp: is a directory"},
    {"model_nowhere", {"quantize", "bert-base", "-o", "/absent/model.safetensors"}, 2, "/absent/model.safetensors: cannot create a file beside it"},
    {"absent_graph", {"run", "absent.yaml"}, 2, "absent.yaml"},
    {"absent_trace", {"replay", "absent.trace"}, 2, "'absent.trace' does not exist"},
    {"absent_vectors", {"validate", "absent.safetensors"}, 2, "absent.safetensors"},
    {"float_checkpoint_as_vectors", {"validate", SYSTOLE_TEST_DATA "/numerics/bert_tiny.model.safetensors"}, 2, "metadata"},
    {"sweep_without_directory", {"sweep", "s.yaml"}, 2, "--out DIR is missing"},
    {"absent_sweep", {"sweep", "absent.yaml", "--out", "nowhere"}, 2, "absent.yaml"},
    {"no_jobs", {"replay", "x.trace", "--jobs", "0"}, 2, "--jobs 0 is outside of 1..1024"},
    {"diff_needs_two", {"show", "machine", "--diff", "survey"}, 2, "--diff needs two machines"},
};

INSTANTIATE_TEST_SUITE_P(CommandLine, BadInput, ::testing::ValuesIn(kCases), [](const auto& info) { return std::string(info.param.name); });

TEST(MachineFile, errors_name_file_line_and_column) {
  const TemporaryDirectory directory;
  const std::string file = directory.write("m.yaml", "preset: survey\ndma:\n  bus_bytes: 24\n  bus_bytes: 16\n");
  const Outcome outcome = run({"show", "machine", "--machine", file});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find(file + ":4:3: error: key 'bus_bytes' appears twice"), std::string::npos) << outcome.error;
}

TEST(MachineFile, a_directory_or_binary_file_is_refused) {
  const TemporaryDirectory directory;
  EXPECT_EQ(run({"show", "machine", "--machine", directory.path("")}).code, 2);
  const std::string file = directory.write("m.yaml", std::string("\x7f\0\xff\xfe\x01", 5));
  EXPECT_EQ(run({"show", "machine", "--machine", file}).code, 2);
}

TEST(Help, is_available_everywhere) {
  const Outcome top = run({"--help"});
  EXPECT_EQ(top.code, 0);
  EXPECT_NE(top.out.find("usage: systole COMMAND"), std::string::npos);
  std::size_t commands = 0;
  std::size_t position = top.out.find("commands:\n") + 10;
  while (top.out.compare(position, 2, "  ") == 0) {
    const std::string line = top.out.substr(position, top.out.find('\n', position) - position);
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    const Outcome help = run({name, "--help"});
    EXPECT_EQ(help.code, 0) << name << help.error;
    EXPECT_EQ(help.out.rfind("usage: systole " + name, 0), 0u) << help.out;
    EXPECT_NE(help.out.find("examples:\n"), std::string::npos) << name;
    position += line.size() + 1;
    ++commands;
  }
  EXPECT_GE(commands, 1u);
}

TEST(Show, machine_yaml_is_a_machine_file) {
  const TemporaryDirectory directory;
  const Outcome first = run({"show", "machine", "--machine", "survey-64-256", "--set", "dma.max_in_flight=32", "--yaml"});
  ASSERT_EQ(first.code, 0);
  const std::string file = directory.write("m.yaml", first.out);
  const Outcome difference = run({"show", "machine", "--diff", "survey-64-256", file});
  EXPECT_EQ(difference.code, 0);
  EXPECT_NE(difference.out.find("dma.max_in_flight"), std::string::npos) << difference.out;
  EXPECT_EQ(difference.out.find("scratchpad.kib"), std::string::npos) << difference.out;
}

}  // namespace
}  // namespace systole::test
