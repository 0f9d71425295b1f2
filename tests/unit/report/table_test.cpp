#include "sim/report/table.h"

#include <gtest/gtest.h>

#include "sim/base/errors.h"
#include "sim/report/isa_page.h"
#include "sim/report/machine_page.h"

namespace systole::report {
namespace {

TEST(Table, aligns_columns_and_draws_rules) {
  Table table({{"name"}, {"cycles", Align::kRight}});
  table.row({"a", "1"});
  table.row({"longer", "1,234,567"});
  table.rule();
  table.row({"total", "x"});
  EXPECT_EQ(table.text(),
            "name       cycles\n"
            "-----------------\n"
            "a               1\n"
            "longer  1,234,567\n"
            "-----------------\n"
            "total           x\n");
  EXPECT_EQ(table.markdown(), "| name | cycles |\n|---|---:|\n| a | 1 |\n| longer | 1,234,567 |\n| total | x |\n");
}

TEST(Table, numbers_are_grouped_and_shares_rounded) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(percent(0.9321), "93.2 %");
  EXPECT_EQ(display_width("µs"), 2u);
  EXPECT_EQ(wrapped("aa bb cc", 5, 2), "aa bb\n  cc");
}

TEST(MachinePage, shows_every_parameter_with_its_origin) {
  const std::string text = machine_text(config::load_machine("survey", {"dma.max_in_flight=32"}));
  EXPECT_NE(text.find("dma.max_in_flight                32   default 16; legal 1..256; set by --set"), std::string::npos) << text;
  EXPECT_NE(machine_markdown().find("| `array.dim` | 16 | 4..128, power of two |"), std::string::npos);
  const config::MachineConfig survey = config::preset_machine("survey");
  EXPECT_EQ(machine_difference(survey, "a", survey, "b").find("a and b are equal"), 0u);
  EXPECT_NE(machine_difference(survey, "a", config::preset_machine("survey-64-256"), "b").find("accumulator.kib   64  256"), std::string::npos);
}

TEST(IsaPage, shows_fields_and_names_the_nearest_instruction) {
  EXPECT_NE(isa_text().find("loop_ws"), std::string::npos);
  EXPECT_NE(instruction_text("mvin").find("rows   rs2[63:48]"), std::string::npos);
  EXPECT_THROW(
      {
        try {
          (void)instruction_text("mvn");
        } catch (const ConfigError& error) {
          EXPECT_STREQ(error.what(), "unknown instruction 'mvn'; nearest: 'mvin'");
          throw;
        }
      },
      ConfigError);
}

}  // namespace
}  // namespace systole::report
