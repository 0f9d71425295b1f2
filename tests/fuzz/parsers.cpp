#include "tests/fuzz/parsers.h"

#include "isa/assembler.h"
#include "isa/container.h"
#include "isa/expectation.h"
#include "isa/geometry.h"
#include "isa/legality.h"
#include "isa/trace.h"
#include "sim/base/errors.h"

namespace systole::test {
namespace {

constexpr std::uint64_t kMaxImageBytes = 65536;  // a short line can ask for much memory: that is not what is tested

// A program that was read must survive every other form.
void check_program(const isa::Program& program) {
  SYSTOLE_CHECK(isa::assemble(isa::disassemble(program), "again") == program);
  SYSTOLE_CHECK(isa::parse_container(isa::format_container(program), "again") == program);
  (void)isa::check_legality(program, isa::Geometry{});
}

template <class Parse>
void accept_config_error(const Parse& parse) {
  try {
    parse();
  } catch (const ConfigError&) {
  }
}

}  // namespace

void parse_as_assembly(std::string_view bytes) {
  accept_config_error([&] { check_program(isa::assemble(bytes, "fuzz", kMaxImageBytes)); });
}

void parse_as_container(std::string_view bytes) {
  accept_config_error([&] {
    const isa::Program program = isa::parse_container(bytes, "fuzz");
    SYSTOLE_CHECK(isa::format_container(program) == bytes);
    check_program(program);
  });
}

void parse_as_trace(std::string_view bytes) {
  accept_config_error([&] {
    const isa::Trace trace = isa::parse_trace(bytes, "fuzz");
    check_program(trace.program);
    const isa::Trace again = isa::parse_trace(isa::format_trace(trace), "again");
    SYSTOLE_CHECK(again.program.items == trace.program.items && again.fills.size() == trace.fills.size());
    (void)isa::geometry_of(trace);
  });
}

void parse_as_expectation(std::string_view bytes) {
  accept_config_error([&] {
    const isa::Expectation expectation = isa::parse_expectation(bytes, "fuzz");
    const isa::Expectation again = isa::parse_expectation(isa::format_expectation(expectation), "again");
    SYSTOLE_CHECK(isa::first_difference(expectation, again).empty());
  });
}

}  // namespace systole::test
