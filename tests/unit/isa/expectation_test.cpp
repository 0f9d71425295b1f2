#include "isa/expectation.h"

#include <gtest/gtest.h>

#include <functional>

#include "sim/base/errors.h"

namespace systole::isa {
namespace {

Expectation example() {
  Expectation e;
  e.latency = 60;
  e.commands = 2;
  e.cycles = 900;
  e.fences = {400, 900};
  e.accept = {0, 3};
  e.accept_crc32 = 0x00c0ffee;
  e.get.add(4, 1);
  e.get.add(6, 4);
  e.put.add(7, 8);
  e.port_a_beats = 10;
  e.port_a_every100 = {25};
  e.checks = {{0x80001000, 64, 0xdeadbeef}, {0x80002000, 16, 1}};
  return e;
}

TEST(Expectation, text_has_the_keys_in_order_one_a_line) {
  EXPECT_EQ(
      format_expectation(example()),
      "{\n  \"format\": \"systole-expect 1\",\n  \"revision\": \"2023\",\n  \"latency\": 60,\n  \"commands\": 2,\n  "
      "\"cycles\": 900,\n"
      "  \"fences\": [400,900],\n  \"accept_every\": 1,\n  \"accept\": [0,3],\n  \"accept_crc32\": \"00c0ffee\",\n"
      "  \"get\": {\"transactions\": 2, \"beats\": 5, \"size16\": 1, \"size32\": 0, \"size64\": 1},\n"
      "  \"put\": {\"transactions\": 1, \"beats\": 8, \"size16\": 0, \"size32\": 0, \"size64\": 0, \"size128\": 1},\n"
      "  \"port_a_beats\": 10,\n  \"port_a_crc32\": \"00000000\",\n  \"port_a_every100\": [25],\n  \"port_d_crc32\": "
      "\"00000000\",\n"
      "  \"port_d_stall_cycles\": 0,\n  \"checks\": [\n    {\"addr\": \"80001000\", \"bytes\": 64, \"crc32\": "
      "\"deadbeef\"},\n"
      "    {\"addr\": \"80002000\", \"bytes\": 16, \"crc32\": \"00000001\"}\n  ]\n}\n");
}

TEST(Expectation, reads_what_it_writes) {
  Expectation e = example();
  e.port_d_request_crc32 = 7;
  e.axi = AxiExpectation{1, 2, std::nullopt, 3, 4};
  e.l2 = CacheExpectation{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(format_expectation(parse_expectation(format_expectation(e), "x")), format_expectation(e));
  EXPECT_EQ(first_difference(e, parse_expectation(format_expectation(e), "x")), "");
}

TEST(Expectation, the_first_difference_comes_in_debugging_order) {
  const Expectation expected = example();
  const auto difference = [&](const std::function<void(Expectation&)>& change) {
    Expectation actual = example();
    actual.accept_crc32 = 0;  // always there, reported last
    change(actual);
    return first_difference(expected, actual);
  };
  EXPECT_EQ(difference([](Expectation&) {}), "accept_crc32: expected 00c0ffee, got 00000000");
  EXPECT_EQ(difference([](Expectation& e) {
              e.cycles = 901;
              e.fences[1] = 901;
            }),
            "fences[1] (number 1): expected cycle 900, got 901 (+1)");
  EXPECT_EQ(difference([](Expectation& e) { e.fences.pop_back(); }), "fences: expected 2 entries, got 1");
  EXPECT_EQ(difference([](Expectation& e) {
              e.port_a_every100[0] = 20;
              e.fences[0] = 1;
            }),
            "port_a_every100[0] (number 0): expected cycle 25, got 20 (-5)");
  EXPECT_EQ(difference([](Expectation& e) {
              e.get.beats = 6;
              e.fences[0] = 1;
            }),
            "get.beats: expected 5, got 6");
  EXPECT_EQ(difference([](Expectation& e) {
              (*e.checks)[1].crc32 = 2;
              e.get.beats = 6;
            }),
            "checks[1] (memory 0x80002000, 16 bytes): expected 00000001, got 00000002");
  EXPECT_EQ(difference([](Expectation& e) { e.checks.reset(); }), "checks: missing");
}

TEST(Expectation, keys_that_are_not_expected_are_not_compared) {
  Expectation actual = example();
  actual.axi = AxiExpectation{1, 2, 3, 4, 5};
  EXPECT_EQ(first_difference(example(), actual), "");
  EXPECT_EQ(first_difference(actual, example()), "axi: missing");
}

TEST(Expectation, errors_name_file_and_key) {
  const auto error = [](std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    try {
      (void)parse_expectation(text, "x.json");
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const std::string good = format_expectation(example());
  EXPECT_EQ(error(good, "\"cycles\": 900,", ""), "x.json: error: key 'cycles' is missing");
  EXPECT_EQ(error(good, "\"cycles\": 900,", "\"cycles\": -1,"), "x.json: error: 'cycles' is not a number (0 or more)");
  EXPECT_EQ(error(good, "\"cycles\": 900,", "\"cycles\": 900, \"cycle\": 1,"),
            "x.json: error: unknown key 'cycle'; nearest: 'cycles'");
  EXPECT_EQ(error(good, "systole-expect 1", "systole-expect 2"), "x.json: error: 'format' is not 'systole-expect 1'");
  EXPECT_EQ(error(good, "deadbeef", "deadbeefs"),
            "x.json: error: checks[0]: 'crc32' is not a hexadecimal number of at most 8 digits");
  EXPECT_EQ(error(good, "[400,900]", "[400,\"x\"]"), "x.json: error: 'fences' is not a number (0 or more)");
  EXPECT_NE(error(good, "}\n", ""), "no error");
}

TEST(Expectation, stands_beside_its_trace) {
  EXPECT_EQ(expectation_path("a/b.trace"), "a/b.expect.json");
  EXPECT_EQ(expectation_path("a/b.trace.gz"), "a/b.expect.json");
}

TEST(Expectation, samples_every_acceptance_of_short_streams) {
  EXPECT_EQ(accept_step(400), 1u);
  EXPECT_EQ(accept_step(401), 100u);
}

}  // namespace
}  // namespace systole::isa
