#pragma once
// Words of a line and the numbers in them, with errors that name file, line and column: shared by the text readers of
// isa.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace systole::isa {

// A piece of a line; `column` counts from 1.
struct Word {
  std::string_view text;
  std::size_t column = 1;
};

// One line of a named file. The text it points to must outlive it.
class SourceLine {
 public:
  // With kQuoted a word that starts with " ends at the next " that no backslash precedes, blanks included.
  enum class Words : std::uint8_t { kPlain, kQuoted };
  SourceLine(const std::string& file, std::size_t number, std::string_view text, Words words = Words::kPlain);

  [[nodiscard]] std::size_t number() const { return number_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  // Blank-separated words.
  [[nodiscard]] const std::vector<Word>& words() const { return words_; }
  // The rest of the line from word `first` on, without surrounding blanks.
  [[nodiscard]] std::string_view rest(std::size_t first) const;

  // Throws ConfigError "file:line:column: what".
  [[noreturn]] void fail(const Word& at, const std::string& what) const;
  // The same with "; nearest: '...'" chosen from `choices`.
  [[noreturn]] void fail_choice(const Word& at, const std::string& what, const std::vector<std::string>& choices) const;
  // Exactly `count` words, or an error that says how the line is to be written.
  void expect_words(std::size_t count, const char* usage) const;

  // Numbers; `what` names the operand in the error.
  [[nodiscard]] std::uint64_t decimal(const Word& word, const char* what, std::uint64_t max = ~std::uint64_t{0}) const;
  [[nodiscard]] std::uint64_t hexadecimal(const Word& word, const char* what) const;
  [[nodiscard]] std::int64_t signed_decimal(const Word& word, const char* what, std::int64_t min,
                                            std::int64_t max) const;
  // Decimal, or hexadecimal with 0x in front.
  [[nodiscard]] std::uint64_t any_base(const Word& word, const char* what, std::uint64_t max = ~std::uint64_t{0}) const;

 private:
  const std::string& file_;
  std::size_t number_;
  std::string_view text_;
  std::vector<Word> words_;
};

// Splits `text` at newlines; a carriage return before the newline belongs to it.
[[nodiscard]] std::vector<std::string_view> split_lines(std::string_view text);

// A name between double quotes with \", \\ and \xHH for what cannot stand for itself, and back. A word without quotes
// is the name itself.
[[nodiscard]] std::string quote_name(std::string_view name);
[[nodiscard]] std::string unquote_name(const SourceLine& at, const Word& word);

// A piece of input as it may appear in a message: printable and not longer than 40 characters.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace systole::isa
