#include "isa/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/base/errors.h"

namespace systole::isa {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

template <class Number>
bool parse_whole(std::string_view text, Number& value, int base) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc() && stop == end;
}

}  // namespace

SourceLine::SourceLine(const std::string& file, std::size_t number, std::string_view text, Words mode)
    : file_(file), number_(number), text_(text) {
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_blank(text[at])) ++at;
    const std::size_t begin = at;
    if (mode == Words::kQuoted && at < text.size() && text[at] == '"') {
      ++at;
      while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
      at = std::min(at + 1, text.size());
    }
    while (at < text.size() && !is_blank(text[at])) ++at;
    if (at > begin) words_.push_back({text.substr(begin, at - begin), begin + 1});
  }
}

std::string_view SourceLine::rest(std::size_t first) const {
  if (first >= words_.size()) return {};
  const std::size_t begin = words_[first].column - 1;
  const std::size_t end = words_.back().column - 1 + words_.back().text.size();
  return text_.substr(begin, end - begin);
}

void SourceLine::fail(const Word& at, const std::string& what) const {
  throw ConfigError(fmt::format("{}:{}:{}: error: {}", file_, number_, at.column, what));
}

void SourceLine::fail_choice(const Word& at, const std::string& what, const std::vector<std::string>& choices) const {
  // The distance grows with the product of the lengths: a hostile word is cut.
  const std::string best = nearest(std::string(at.text.substr(0, 64)), choices);
  fail(at, best.empty() ? what : fmt::format("{}; nearest: '{}'", what, best));
}

void SourceLine::expect_words(std::size_t count, const char* usage) const {
  if (words_.size() == count) return;
  const Word end{{}, text_.size() + 1};
  if (words_.size() < count) fail(end, fmt::format("operand missing; the form is '{}'", usage));
  fail(words_[count], fmt::format("unexpected {}; the form is '{}'", quoted(words_[count].text), usage));
}

std::uint64_t SourceLine::decimal(const Word& word, const char* what, std::uint64_t max) const {
  std::uint64_t value = 0;
  if (!parse_whole(word.text, value, 10)) {
    fail(word, fmt::format("{} {} is not a decimal number below 2^64", what, quoted(word.text)));
  }
  if (value > max) fail(word, fmt::format("{} {} is larger than {}", what, value, max));
  return value;
}

std::uint64_t SourceLine::hexadecimal(const Word& word, const char* what) const {
  std::uint64_t value = 0;
  if (!parse_whole(word.text, value, 16)) {
    fail(word, fmt::format("{} {} is not a hexadecimal number of at most 16 digits", what, quoted(word.text)));
  }
  return value;
}

std::int64_t SourceLine::signed_decimal(const Word& word, const char* what, std::int64_t min, std::int64_t max) const {
  std::int64_t value = 0;
  if (!parse_whole(word.text, value, 10)) {
    fail(word, fmt::format("{} {} is not a decimal number", what, quoted(word.text)));
  }
  if (value < min || value > max) fail(word, fmt::format("{} {} is not in {}..{}", what, value, min, max));
  return value;
}

std::uint64_t SourceLine::any_base(const Word& word, const char* what, std::uint64_t max) const {
  if (word.text.substr(0, 2) != "0x") return decimal(word, what, max);
  const Word digits{word.text.substr(2), word.column};
  const std::uint64_t value = hexadecimal(digits, what);
  if (value > max) fail(word, fmt::format("{} {:#x} is larger than {:#x}", what, value, max));
  return value;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

std::string quote_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string unquote_name(const SourceLine& at, const Word& word) {
  std::string_view text = word.text;
  if (text.empty() || text.front() != '"') return std::string(text);
  std::string result;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    const char escape = i + 1 < text.size() ? text[i + 1] : '\0';
    unsigned code = 0;
    if (escape == '"' || escape == '\\') {
      result += escape;
      i += 1;
    } else if (escape == 'x' && i + 3 < text.size() && parse_whole(text.substr(i + 2, 2), code, 16)) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      at.fail({text.substr(i), word.column + i}, "unknown escape in a name; known are \\\", \\\\ and \\xHH");
    }
  }
  if (i + 1 != text.size()) at.fail(word, fmt::format("name {} does not end with a quote", quoted(text)));
  return result;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kMaxShown = 40;
  std::string result = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return result + (text.size() > kMaxShown ? "...'" : "'");
}

}  // namespace systole::isa
