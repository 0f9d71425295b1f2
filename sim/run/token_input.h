#pragma once
// Token ids that a user gives: on the command line, or in a text file with a sequence per line.
#include <cstdint>
#include <string>
#include <vector>

namespace systole::run {

struct TokenSequence {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> target;   // what the decoder of an encoder-decoder model reads; empty: not given
};

// "101, 2023 102": numbers between commas or blanks. Throws ConfigError that starts with `where`.
[[nodiscard]] std::vector<std::int32_t> parse_tokens(const std::string& text, const std::string& where);

// Lines "TOKENS" or "TOKENS | TARGET"; empty lines and what follows a # do not count. Throws ConfigError with file:line.
[[nodiscard]] std::vector<TokenSequence> read_token_file(const std::string& path);

}  // namespace systole::run
