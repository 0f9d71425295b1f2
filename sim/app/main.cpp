// The command line: finds the subcommand, and turns errors into messages and exit codes. Nothing else in the project prints or exits.
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

#include <fmt/core.h>

#include "sim/app/commands.h"
#include "sim/app/exit_code.h"
#include "sim/app/version.h"
#include "sim/base/errors.h"

namespace systole::app {
namespace {

void print_help() {
  fmt::print("systole {} - cycle-accurate simulator of a Gemmini-class systolic accelerator\n\nusage: systole COMMAND [arguments]\n\ncommands:\n",
             kVersion);
  for (const Command& command : commands()) fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`systole COMMAND --help` explains a command.\n"
             "exit codes: 0 done and equal, 1 a comparison failed, 2 bad input, 3 the program misused the machine, 70 internal error\n");
}

int dispatch(const Words& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_help();
    if (!words.empty()) return kExitDone;
    throw ConfigError("a command is missing");
  }
  if (words[0] == "--version") {
    fmt::print("systole {}\n", kVersion);
    return kExitDone;
  }
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (words[0] == command.name) return command.run({words.begin() + 1, words.end()});
    names.emplace_back(command.name);
  }
  throw ConfigError(fmt::format("unknown command '{}'; nearest: '{}'", words[0], nearest(words[0], names)));
}

int report(const char* kind, const char* text, int code) {
  std::fflush(stdout);
  std::string line;
  for (const char* c = text;; ++c) {
    if (*c != '\0' && *c != '\n') {
      line += *c;
      continue;
    }
    // A line that starts with a place in a file stays as it is: editors and CI systems find the place.
    if (line.find(": error: ") != std::string::npos) {
      fmt::print(stderr, "{}\n", line);
    } else {
      fmt::print(stderr, "systole: {}: {}\n", kind, line);
    }
    line.clear();
    if (*c == '\0') break;
  }
  return code;
}

// Runs the command; every way out of the program goes through here.
int guarded(const Words& words) {
  try {
    const int code = dispatch(words);
    if (std::fflush(stdout) != 0) throw ConfigError("cannot write to standard output");
    return code;
  } catch (const ConfigError& error) {
    return report("error", error.what(), kExitBadInput);
  } catch (const ModelError& error) {
    return report("misuse of the machine", error.what(), kExitMisuse);
  } catch (const std::system_error& error) {
    return report("error", error.what(), kExitBadInput);   // a full disk, a closed pipe
  } catch (const std::bad_alloc&) {
    return report("internal error", "out of memory", kExitInternalError);
  } catch (const std::exception& error) {
    return report("internal error", error.what(), kExitInternalError);
  }
}

}  // namespace
}  // namespace systole::app

// libsystemc has a main() of its own, which prints a banner and calls sc_main(). This main() takes its place; the other is never called.
extern "C" int sc_main(int, char**) { return systole::app::kExitInternalError; }

int main(int count, char** arguments) { return systole::app::guarded({arguments + (count > 0 ? 1 : 0), arguments + count}); }
