#pragma once
// The instruction set for readers, made from isa::table().
#include <string>

namespace systole::report {

// All instructions, a line each, by consumer.
[[nodiscard]] std::string isa_text();
// One instruction (every encoding of that mnemonic) with its fields. Throws ConfigError with the nearest mnemonic.
[[nodiscard]] std::string instruction_text(const std::string& mnemonic);
[[nodiscard]] std::string isa_markdown();

}  // namespace systole::report
