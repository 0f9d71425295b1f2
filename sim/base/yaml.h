#pragma once
// YAML documents whose nodes know where they stand in the file. Duplicate keys, tags, anchors and aliases are refused, so a document means
// what it looks like. Every error is a ConfigError that starts with "file:line:column: error: ".
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace systole::yaml {

enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };

class Node {
 public:
  using Entry = std::pair<Node, Node>;   // key (a scalar) and value

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == Kind::kNull; }
  [[nodiscard]] bool is_scalar() const { return kind_ == Kind::kScalar; }
  [[nodiscard]] bool is_sequence() const { return kind_ == Kind::kSequence; }
  [[nodiscard]] bool is_map() const { return kind_ == Kind::kMap; }

  // "file:line:column" of the node's first character.
  [[nodiscard]] std::string where() const;
  [[noreturn]] void fail(const std::string& what) const;
  // The same with "; nearest: '...'" when one of `choices` is similar to this scalar.
  [[noreturn]] void fail_choice(const std::string& what, const std::vector<std::string>& choices) const;

  // Scalars. `what` names the value in the error. A quoted number is text, not a number.
  [[nodiscard]] const std::string& text(const std::string& what) const;
  [[nodiscard]] std::int64_t integer(const std::string& what, std::int64_t min, std::int64_t max) const;
  [[nodiscard]] double number(const std::string& what) const;
  [[nodiscard]] bool boolean(const std::string& what) const;
  // The index of the scalar in `choices`.
  [[nodiscard]] std::size_t choice(const std::string& what, const std::vector<std::string>& choices) const;

  // Elements of a sequence; fails for another kind.
  [[nodiscard]] const std::vector<Node>& items(const std::string& what) const;

  // Entries of a map in file order; fails for another kind.
  [[nodiscard]] const std::vector<Entry>& entries(const std::string& what) const;
  // The value of a key; nullptr when the map does not have it.
  [[nodiscard]] const Node* find(std::string_view key) const;
  // The value of a key; fails when it is missing.
  [[nodiscard]] const Node& at(std::string_view key) const;
  // Fails at the first key that is not in `keys`, naming the nearest one.
  void expect_keys(const std::string& what, const std::vector<std::string>& keys) const;

 private:
  friend class Builder;

  Kind kind_ = Kind::kNull;
  bool quoted_ = false;
  std::string file_;
  int line_ = 1;
  int column_ = 1;
  std::string text_;
  std::vector<Node> items_;
  std::vector<Entry> entries_;
};

// Exactly one document. An empty text is a null node.
[[nodiscard]] Node parse(std::string_view text, const std::string& name);
[[nodiscard]] Node load(const std::string& path);

}  // namespace systole::yaml
