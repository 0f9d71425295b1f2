// `run` with a program as its author wrote it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

using Json = nlohmann::json;

const std::string kExample = SYSTOLE_SOURCE "/isa/examples/tile_product.s";

Json result(const std::string& program, const std::vector<std::string>& options = {}) {
  std::vector<std::string> arguments = {"run", program, "--json", "-"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  return Json::parse(outcome.out);
}

TEST(RunProgram, the_example_leaves_what_its_instructions_say) {
  const Json json = result(kExample);
  EXPECT_EQ(json.at("checks").at("elements"), 256);
  EXPECT_EQ(json.at("checks").at("mismatches"), 0);
  EXPECT_EQ(json.at("macs"), 16 * 16 * 16);
  EXPECT_EQ(json.at("commands"), 10);
  EXPECT_EQ(json.at("regions").at(0).at("name"), "tile product");
  EXPECT_EQ(json.at("regions").at(0).at("cycles"), json.at("cycles"));
}

TEST(RunProgram, text_and_container_are_the_same_program) {
  const TemporaryDirectory directory;
  const std::string container = directory.path("p.systole");
  ASSERT_EQ(run({"asm", kExample, "-o", container}).code, 0);
  Json text = result(kExample), binary = result(container);
  for (Json* json : {&text, &binary}) {
    json->erase("simulator");
    json->erase("workload");
  }
  EXPECT_EQ(Json::diff(text, binary), Json::array());
}

// Without the fence between a store and a load of the same bytes, the machine is free to load first.
TEST(RunProgram, a_missing_fence_is_found) {
  const TemporaryDirectory directory;
  const auto program = [&](const std::string& between) {
    return directory.write("p.s",
                           ".segment 0x80000000\n  .fill 64 int8 1 100 1\n"
                           ".symbol copy 0x80002000 256\n"
                           "config_ld scale=1f stride=16\nconfig_st stride=16 acc_scale=1f\n"
                           "mvin dram=0x80000000 local=0 cols=16 rows=4\n"
                           "mvout dram=0x80001000 local=0 cols=16 rows=4\n" +
                               between +
                               "mvin dram=0x80001000 local=32 cols=16 rows=4\n"
                               "mvout dram=@copy local=32 cols=16 rows=4\n");
  };
  EXPECT_EQ(run({"run", program(".fence\n"), "--quiet"}).code, 0);
  const Outcome racy = run({"run", program("")});
  EXPECT_EQ(racy.code, 1);
  EXPECT_NE(racy.error.find("memory at copy+0x0 (0x80002000) is 0x00; the instructions, one after the other, leave 0x"), std::string::npos) << racy.error;
}

// ExecuteController.scala compares the operands of the next pair with results under way by is_same_address() alone. The pair that sends
// transposed weights through the array a second time has a garbage operand, whose row bits are those of the last row of an accumulator that
// has as many rows as an address can name. So the pair waits, and the weights are lost: our machine does the same and says so.
TEST(RunProgram, transposed_weights_behind_a_result_in_the_last_row_are_lost_as_in_the_rtl) {
  const TemporaryDirectory directory;
  const auto outcome = [&](const std::string& between, const std::string& row) {
    const std::string program = directory.write("p.s",
                                                ".segment 0x80000000\n  .fill 512 int8 -8 8 1\n"
                                                "config_ld scale=1f stride=16\n"
                                                "mvin dram=0x80000000 local=0 cols=16 rows=16\n"
                                                "mvin dram=0x80000100 local=16 cols=16 rows=16\n"
                                                "config_ex dataflow=1 b_transpose=1 a_stride=1 acc_scale=1f c_stride=1\n"
                                                "preload local=16 cols=16 rows=16 out_local=" +
                                                    row +
                                                    " out_cols=16 out_rows=1\n"
                                                    "compute_flip a_local=0 a_cols=16 a_rows=1 b_local=garbage b_cols=16 b_rows=1\n" +
                                                    between +
                                                    "preload local=16 cols=16 rows=16 out_local=0x80000000 out_cols=16 out_rows=16\n"
                                                    "compute_flip a_local=16 a_cols=16 a_rows=16 b_local=32 b_cols=16 b_rows=16\n"   // one bank: it takes its time
                                                    "config_st stride=16 acc_scale=1f\n"
                                                    "mvout dram=0x80002000 local=0x80000000 cols=16 rows=16\n");
    return run({"run", program, "--machine", "survey-64-256"});
  };
  const Outcome lost = outcome("", "0x80000fff");
  EXPECT_EQ(lost.code, 1) << lost.error;
  EXPECT_NE(lost.out.find("waits for a result in the accumulator's last row"), std::string::npos) << lost.out;
  EXPECT_EQ(outcome(".fence\n", "0x80000fff").code, 0);
  EXPECT_EQ(outcome("", "0x80000ffe").code, 0);
}

TEST(RunProgram, items_before_the_first_region_have_one) {
  const TemporaryDirectory directory;
  const std::string program = directory.write("p.s", "config_ld scale=1f stride=16\nmvin dram=0x80000000 local=0 cols=16 rows=4\n.fence\n.region later\nmvin dram=0x80000000 local=0 cols=16 rows=4\n");
  const Json json = result(program, {"--every-layer"});
  ASSERT_EQ(json.at("regions").size(), 2u);
  EXPECT_EQ(json.at("regions").at(0).at("name"), "start");
  EXPECT_EQ(json.at("regions").at(1).at("name"), "later");
  EXPECT_EQ(json.at("regions").at(0).at("cycles").get<std::uint64_t>() + json.at("regions").at(1).at("cycles").get<std::uint64_t>(), json.at("cycles"));
  EXPECT_EQ(result(directory.write("q.s", "flush\n")).at("regions").at(0).at("name"), "program");
}

// The run begins with what the CPU does first, as far as it is work.
TEST(RunProgram, host_operations_before_the_first_command_count) {
  const TemporaryDirectory directory;
  const std::string host = ".segment 0x80000000\n  .fill 256 int32 -100 100 3\n.host dequantise32 4 16 0x80000000 64 0 0 0x80001000 64 0x3f800000 0\n";
  const Json first = result(directory.write("a.s", host + "flush\n"));
  const Json second = result(directory.write("b.s", "flush\n.fence\n" + host + "flush\n"));
  const Json late = result(directory.write("c.s", ".gap 500\n.fence\n.gap 3\n" + host + "flush\n"));
  EXPECT_EQ(late.at("cycles"), first.at("cycles"));
  for (const Json& json : {first, second, late}) {
    const Json& unit = json.at("units").at("host");
    std::uint64_t sum = unit.at("busy").get<std::uint64_t>() + unit.at("idle").get<std::uint64_t>();
    for (const auto& stall : unit.at("stall")) {
      EXPECT_LE(stall, json.at("cycles"));
      sum += stall.get<std::uint64_t>();
    }
    EXPECT_EQ(sum, json.at("cycles"));
  }
  EXPECT_EQ(first.at("units").at("host").at("stall").at("host_operation"), second.at("units").at("host").at("stall").at("host_operation"));
  EXPECT_EQ(first.at("checks").at("elements"), 256);
}

TEST(RunProgram, what_cannot_run_is_refused) {
  const TemporaryDirectory directory;
  const auto outcome = [&](const std::string& text, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"run", directory.write("p.s", text)};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments);
  };
  EXPECT_EQ(outcome("mvon dram=0\n").code, 2);
  EXPECT_NE(outcome("mvon dram=0\n").error.find("p.s:1:1: "), std::string::npos);
  const Outcome illegal = outcome("flush\nconfig_ld scale=1f stride=16\nmvin dram=0x80000000 local=0x3fff cols=16 rows=16\n");
  EXPECT_EQ(illegal.code, 3);
  EXPECT_NE(illegal.error.find("item 2: "), std::string::npos) << illegal.error;
  EXPECT_NE(illegal.error.find("mvin"), std::string::npos) << illegal.error;
  EXPECT_EQ(outcome(".encoding revision=2025 loop_conv=2025\nflush\n").code, 2);
  EXPECT_NE(outcome("flush\n", {"--seq", "16"}).error.find("--seq: a program is run as it is"), std::string::npos);
  EXPECT_EQ(run({"run", directory.path("absent.s")}).code, 2);
  EXPECT_EQ(run({"run", directory.write("bad.systole", "no container")}).code, 2);
  EXPECT_NE(outcome(".gap 5\n.fence\n").error.find("has no commands"), std::string::npos);
}

}  // namespace
}  // namespace systole::test
