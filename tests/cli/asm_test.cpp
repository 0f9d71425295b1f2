#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

constexpr const char* kProgram =
    ".symbol input 0x80001000 4096\n"
    ".region \"load\"\n"
    "config_ld stride=16 scale=1.0f\n"
    "mvin dram=@input local=0x10 cols=16 rows=16\n"
    ".fence\n";

TEST(Asm, text_and_container_are_the_same_program) {
  const TemporaryDirectory directory;
  const std::string text = directory.write("p.s", kProgram);
  ASSERT_EQ(run({"asm", text}).code, 0);
  const Outcome first = run({"disasm", directory.path("p.systole")});
  EXPECT_EQ(first.code, 0);
  EXPECT_NE(first.out.find("mvin dram=0x80001000 local=0x10 cols=16 rows=16"), std::string::npos) << first.out;
  const std::string again = directory.write("q.s", first.out);
  ASSERT_EQ(run({"asm", again, "-o", directory.path("q.systole")}).code, 0);
  EXPECT_EQ(read(directory.path("p.systole")), read(directory.path("q.systole")));
}

TEST(Asm, mistakes_name_line_and_nearest_instruction) {
  const TemporaryDirectory directory;
  const std::string text = directory.write("p.s", ".fence\nmvn cols=1\n");
  const Outcome outcome = run({"asm", text});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find(text + ":2:1: error: unknown instruction 'mvn'; nearest: 'mvin'"), std::string::npos) << outcome.error;
}

TEST(Asm, a_program_that_misuses_the_machine_is_refused) {
  const TemporaryDirectory directory;
  const std::string text = directory.write("p.s", "config_ld stride=16 scale=1.0f\nmvin dram=0x80001000 local=0x10 cols=200 rows=16\n.fence\n");
  const Outcome outcome = run({"asm", text, "--machine", "survey"});
  EXPECT_EQ(outcome.code, 3) << outcome.error;
  EXPECT_NE(outcome.error.find("mvin"), std::string::npos) << outcome.error;
}

TEST(Disasm, refuses_what_is_no_container) {
  const TemporaryDirectory directory;
  ASSERT_EQ(run({"asm", directory.write("p.s", kProgram)}).code, 0);
  const std::string container = read(directory.path("p.systole"));
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{40}, container.size() - 1}) {
    EXPECT_EQ(run({"disasm", directory.write("short.systole", container.substr(0, size))}).code, 2) << size;
  }
  std::string damaged = container;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  EXPECT_EQ(run({"disasm", directory.write("damaged.systole", damaged)}).code, 2);
  EXPECT_EQ(run({"disasm", directory.path("absent.systole")}).code, 2);
}

}  // namespace
}  // namespace systole::test
