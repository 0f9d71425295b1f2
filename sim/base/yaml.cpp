#include "sim/base/yaml.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::yaml {
namespace {

constexpr int kMaxDepth = 64;   // deeper documents are a mistake; the limit keeps recursion bounded

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return "a single value";
    case Kind::kSequence: return "a list";
    case Kind::kMap: return "a map";
  }
  return "";
}

[[noreturn]] void fail_at(const std::string& file, int line, int column, const std::string& what) {
  throw ConfigError(file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": error: " + what);
}

std::string listed(const std::vector<std::string>& choices) {
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "" : ", ") + choice;
  return text;
}

}  // namespace

// Builds the tree from the parser's events: only there are duplicate keys and positions all visible.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::string file) : file_(std::move(file)) {}

  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override { root_ = make(mark, Kind::kNull); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(make(mark, Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { fail(mark, "aliases (*name) are not supported: write the value out"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    Node node = make(mark, Kind::kScalar);
    node.quoted_ = tag == "!";
    node.text_ = value;
    if (!node.quoted_ && (value.empty() || value == "~" || value == "null")) node.kind_ = Kind::kNull;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Node node;
    bool has_key = false;
    Node key;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const { fail_at(file_, mark.line + 1, mark.column + 1, what); }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(mark, "anchors (&name) are not supported: write the value out where it is needed");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") fail(mark, "tags (" + tag + ") are not supported");
  }

  [[nodiscard]] Node make(const YAML::Mark& mark, Kind kind) const {
    Node node;
    node.kind_ = kind;
    node.file_ = file_;
    node.line_ = mark.line + 1;
    node.column_ = mark.column + 1;
    return node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (levels_.size() >= kMaxDepth) fail(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (!levels_.empty() && levels_.back().node.is_map() && !levels_.back().has_key) fail(mark, "a key must be a single word");
    levels_.push_back({make(mark, kind), false, {}});
  }

  void close() {
    SYSTOLE_CHECK(!levels_.empty());
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.is_sequence()) {
      level.node.items_.push_back(std::move(node));
    } else if (!level.has_key) {
      if (!node.is_scalar()) node.fail("a key must be a single word");
      for (const Node::Entry& entry : level.node.entries_) {
        if (entry.first.text_ == node.text_) {
          node.fail("key '" + node.text_ + "' appears twice (first in line " + std::to_string(entry.first.line_) + ")");
        }
      }
      level.key = std::move(node);
      level.has_key = true;
    } else {
      level.node.entries_.emplace_back(std::move(level.key), std::move(node));
      level.has_key = false;
    }
  }

  std::string file_;
  Node root_;
  std::vector<Level> levels_;
};

std::string Node::where() const { return file_ + ":" + std::to_string(line_) + ":" + std::to_string(column_); }

void Node::fail(const std::string& what) const { fail_at(file_, line_, column_, what); }

void Node::fail_choice(const std::string& what, const std::vector<std::string>& choices) const {
  fail(what + "; nearest: '" + nearest(text_, choices) + "'");
}

const std::string& Node::text(const std::string& what) const {
  if (kind_ != Kind::kScalar) fail(what + " must be a single value, not " + name_of(kind_));
  return text_;
}

std::int64_t Node::integer(const std::string& what, std::int64_t min, std::int64_t max) const {
  const std::string& value = text(what);
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (quoted_ || error == std::errc::invalid_argument || end != value.data() + value.size()) {
    fail(what + " must be a whole number, not '" + value + "'");
  }
  if (error != std::errc() || result < min || result > max) {
    fail(what + " = " + value + " is outside of " + std::to_string(min) + ".." + std::to_string(max));
  }
  return result;
}

double Node::number(const std::string& what) const {
  const std::string& value = text(what);
  double result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (quoted_ || error != std::errc() || end != value.data() + value.size() || !std::isfinite(result)) {
    fail(what + " must be a number, not '" + value + "'");
  }
  return result;
}

bool Node::boolean(const std::string& what) const {
  const std::string& value = text(what);
  if (!quoted_ && (value == "true" || value == "on" || value == "yes" || value == "1")) return true;
  if (!quoted_ && (value == "false" || value == "off" || value == "no" || value == "0")) return false;
  fail(what + " must be true or false, not '" + value + "'");
}

std::size_t Node::choice(const std::string& what, const std::vector<std::string>& choices) const {
  const std::string& value = text(what);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == value) return i;
  }
  fail_choice(what + " = '" + value + "' is not one of " + listed(choices), choices);
}

const std::vector<Node>& Node::items(const std::string& what) const {
  if (kind_ != Kind::kSequence) fail(what + " must be a list, not " + name_of(kind_));
  return items_;
}

const std::vector<Node::Entry>& Node::entries(const std::string& what) const {
  if (kind_ != Kind::kMap) fail(what + " must be a map of keys and values, not " + name_of(kind_));
  return entries_;
}

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.first.text_ == key) return &entry.second;
  }
  return nullptr;
}

const Node& Node::at(std::string_view key) const {
  const Node* node = find(key);
  if (node == nullptr) fail("key '" + std::string(key) + "' is missing");
  return *node;
}

void Node::expect_keys(const std::string& what, const std::vector<std::string>& keys) const {
  for (const Entry& entry : entries(what)) {
    bool known = false;
    for (const std::string& key : keys) known = known || key == entry.first.text_;
    if (!known) entry.first.fail_choice("unknown key '" + entry.first.text_ + "' of " + what, keys);
  }
}

Node parse(std::string_view text, const std::string& name) {
  std::istringstream stream{std::string(text)};
  Builder builder(name);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return parse("~", name);
    Node root = builder.take();
    Builder rest(name);
    if (parser.HandleNextDocument(rest)) rest.take().fail("a second document: one file holds one");
    return root;
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 1 : error.mark.line + 1;
    const int column = error.mark.is_null() ? 1 : error.mark.column + 1;
    fail_at(name, line, column, "not valid YAML: " + error.msg);
  }
}

Node load(const std::string& path) { return parse(read_file(path), path); }

}  // namespace systole::yaml
