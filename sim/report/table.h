#pragma once
// Plain-text tables for the terminal, and the same rows as Markdown.
#include <cstdint>
#include <string>
#include <vector>

namespace systole::report {

enum class Align : std::uint8_t { kLeft, kRight };

class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void row(std::vector<std::string> cells);
  // A line between the rows before and after it.
  void rule() { rules_.push_back(rows_.size()); }

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string markdown() const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> rules_;
};

// 12345678 -> "12,345,678".
[[nodiscard]] std::string grouped(std::uint64_t value);
// A share as "93.2 %".
[[nodiscard]] std::string percent(double share);
// Width on the terminal: code points, not bytes.
[[nodiscard]] std::size_t display_width(const std::string& text);
// Breaks at blanks so that no line is longer than `width`; lines after the first are indented by `indent`.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t indent);

}  // namespace systole::report
