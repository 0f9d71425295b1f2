#include "sim/run/token_input.h"

#include <charconv>
#include <sstream>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::run {

std::vector<std::int32_t> parse_tokens(const std::string& text, const std::string& where) {
  std::vector<std::int32_t> tokens;
  std::string words = text;
  for (char& c : words) {
    if (c == ',') c = ' ';
  }
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    std::int32_t token = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), token);
    if (error != std::errc{} || stop != word.data() + word.size() || token < 0) {
      throw ConfigError(fmt::format("{}: '{}' is no token id; needed are numbers between commas or blanks", where, word));
    }
    tokens.push_back(token);
  }
  if (tokens.empty()) throw ConfigError(fmt::format("{}: no token ids", where));
  return tokens;
}

std::vector<TokenSequence> read_token_file(const std::string& path) {
  std::vector<TokenSequence> sequences;
  std::istringstream lines(read_file(path));
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", path, number);
    const std::size_t bar = line.find('|');
    TokenSequence sequence;
    sequence.tokens = parse_tokens(line.substr(0, bar), where);
    if (bar != std::string::npos) sequence.target = parse_tokens(line.substr(bar + 1), where);
    sequences.push_back(std::move(sequence));
  }
  if (sequences.empty()) throw ConfigError(fmt::format("{}: no sequence of token ids", path));
  return sequences;
}

}  // namespace systole::run
