#pragma once
// Who is at fault decides the type of an error and the exit code of the program (only sim/app prints and exits).
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/base/cycle.h"

namespace systole {

// The user's fault: a file, key, option or size. The text starts with file:line where there is one. Exit code 2.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The simulated program misuses the machine. Names cycle, unit and instruction. Exit code 3.
class ModelError : public std::runtime_error {
 public:
  ModelError(Cycle cycle, const std::string& unit, const std::string& instruction, const std::string& what);
  // For programs that run without time (the ISA oracle): names only the instruction.
  ModelError(const std::string& unit, const std::string& instruction, const std::string& what);
  // A whole message, as another process reported it.
  explicit ModelError(const std::string& text) : std::runtime_error(text) {}
};

// Our own bug. Exit code 70.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// The member of `choices` with the smallest edit distance to `name` (empty when there is no choice).
[[nodiscard]] std::string nearest(const std::string& name, const std::vector<std::string>& choices);

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace systole

// States what must hold whatever the input is. Input can never trigger it: bad input is a ConfigError or a ModelError.
#define SYSTOLE_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::systole::check_failed(#condition, __FILE__, __LINE__))
