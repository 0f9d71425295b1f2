// Every command of the README that names no file of the reader's own does what it says.
#include <unistd.h>

#include <cctype>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace systole::test {
namespace {

// The commands between backquotes that start with build/systole, without that word.
std::vector<std::vector<std::string>> readme_commands() {
  const std::string text = read(SYSTOLE_SOURCE "/README.md");
  const std::string start = "`build/systole ";
  std::vector<std::vector<std::string>> commands;
  for (std::size_t position = text.find(start); position != std::string::npos; position = text.find(start, position + 1)) {
    std::istringstream words(text.substr(position + start.size(), text.find('`', position + 1) - position - start.size()));
    std::vector<std::string> command;
    for (std::string word; words >> word;) command.push_back(word);
    commands.push_back(command);
  }
  return commands;
}

// Words in capitals (STREAM.trace, DIR) and my_ files stand for something of the reader's.
bool is_placeholder(const std::string& word) {
  return word.rfind("my_", 0) == 0 || (word.size() > 1 && std::isupper(static_cast<unsigned char>(word[0])) != 0);
}

TEST(Readme, commands_work) {
  ASSERT_EQ(chdir(SYSTOLE_SOURCE), 0);
  std::size_t tried = 0;
  for (std::vector<std::string> command : readme_commands()) {
    const TemporaryDirectory directory;
    // Takes minutes; .ci/run runs it with --quick.
    bool skip = command[0] == "reproduce" && command[1] == "all";
    for (std::size_t i = 0; i < command.size(); ++i) {
      if (command[i] == "DIR" && i > 0 && command[i - 1] == "--out") command[i] = directory.path("out");
      skip = skip || is_placeholder(command[i]);
    }
    if (skip) continue;
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 0) << command[0] << " " << command[1] << ": " << outcome.error;
    ++tried;
  }
  EXPECT_GE(tried, 6u);
}

}  // namespace
}  // namespace systole::test
