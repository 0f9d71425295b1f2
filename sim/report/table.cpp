#include "sim/report/table.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::report {
namespace {

std::string padded(const std::string& text, std::size_t width, Align align) {
  const std::size_t used = display_width(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return align == Align::kLeft ? text + blanks : blanks + text;
}

void trim_right(std::string& text) { text.erase(text.find_last_not_of(' ') + 1); }

}  // namespace

void Table::row(std::vector<std::string> cells) {
  SYSTOLE_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& cells : rows_) width = std::max(width, display_width(cells[i]));
    widths.push_back(width);
  }
  std::size_t total = 0;
  for (const std::size_t width : widths) total += width + 2;
  const std::string rule = std::string(total - 2, '-') + "\n";

  std::string result;
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) text += (i == 0 ? "" : "  ") + padded(cell_of(i), widths[i], columns_[i].align);
    trim_right(text);
    result += text + "\n";
  };
  line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  result += rule;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (std::find(rules_.begin(), rules_.end(), r) != rules_.end() && r != 0) result += rule;
    line([&](std::size_t i) -> const std::string& { return rows_[r][i]; });
  }
  return result;
}

std::string Table::markdown() const {
  std::string result = "|";
  for (const Column& column : columns_) result += " " + column.title + " |";
  result += "\n|";
  for (const Column& column : columns_) result += column.align == Align::kLeft ? "---|" : "---:|";
  result += "\n";
  for (const auto& cells : rows_) {
    result += "|";
    for (const std::string& cell : cells) result += " " + cell + " |";
    result += "\n";
  }
  return result;
}

std::string grouped(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t position = text.size(); position > 3;) {
    position -= 3;
    text.insert(position, ",");
  }
  return text;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100.0 * share); }

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find(' ', begin);
    if (end == std::string::npos) end = text.size();
    const std::string word = text.substr(begin, end - begin);
    if (column != 0 && column + 1 + word.size() > width) {
      result += "\n" + std::string(indent, ' ') + word;
      column = indent + word.size();
    } else {
      result += (column == 0 ? "" : " ") + word;
      column += word.size() + (column == 0 ? 0 : 1);
    }
    begin = end + 1;
  }
  return result;
}

}  // namespace systole::report
