#include "sim/base/yaml.h"

#include <gtest/gtest.h>

#include "sim/base/errors.h"

namespace systole {
namespace {

// The text of the ConfigError that `action` throws; empty when it throws none.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

std::string parse_error(const std::string& text) {
  return error_of([&] { (void)yaml::parse(text, "m.yaml"); });
}

TEST(Yaml, keeps_order_and_position_of_map_entries) {
  const yaml::Node root = yaml::parse("b: 1\na:\n  - x\n  - {c: 2.5, d: on}\n", "m.yaml");
  ASSERT_TRUE(root.is_map());
  ASSERT_EQ(root.entries("root").size(), 2u);
  EXPECT_EQ(root.entries("root")[0].first.text("key"), "b");
  EXPECT_EQ(root.at("b").integer("b", 0, 9), 1);
  EXPECT_EQ(root.at("b").where(), "m.yaml:1:4");
  const auto& items = root.at("a").items("a");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].at("c").number("c"), 2.5);
  EXPECT_TRUE(items[1].at("d").boolean("d"));
  EXPECT_EQ(items[1].at("d").where(), "m.yaml:4:17");
}

TEST(Yaml, empty_text_is_a_null_node) {
  EXPECT_TRUE(yaml::parse("", "m.yaml").is_null());
  EXPECT_TRUE(yaml::parse("# nothing\n", "m.yaml").is_null());
  EXPECT_TRUE(yaml::parse("a:\n", "m.yaml").at("a").is_null());
}

TEST(Yaml, refuses_what_can_be_misread) {
  EXPECT_EQ(parse_error("a: 1\nb: 2\na: 3\n"), "m.yaml:3:1: error: key 'a' appears twice (first in line 1)");
  EXPECT_NE(parse_error("a: &x 1\n").find("m.yaml:1:4: error: anchors"), std::string::npos);
  EXPECT_NE(parse_error("a: !!int 1\n").find("tags"), std::string::npos);
  EXPECT_NE(parse_error("---\na: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(parse_error("? [a, b]\n: 1\n").find("a key must be a single word"), std::string::npos);
  EXPECT_NE(parse_error("a: [1, 2\nb: 3\n").find("m.yaml:"), std::string::npos);
  EXPECT_NE(parse_error("a: [1, 2\nb: 3\n").find("not valid YAML"), std::string::npos);
  EXPECT_NE(parse_error(std::string(10000, '[')).find("m.yaml:1:"), std::string::npos);
  EXPECT_NE(parse_error("a: \"\\q\"\n").find("not valid YAML"), std::string::npos);
  EXPECT_NE(parse_error("\t- a\n").find("not valid YAML"), std::string::npos);
}

TEST(Yaml, wrong_types_name_value_and_place) {
  const yaml::Node root = yaml::parse("a: x\nb: [1]\nc: {d: 1}\ne: '5'\nf: 300\ng: 1e999\n", "m.yaml");
  EXPECT_EQ(error_of([&] { (void)root.at("a").integer("size", 0, 9); }), "m.yaml:1:4: error: size must be a whole number, not 'x'");
  EXPECT_EQ(error_of([&] { (void)root.at("b").text("size"); }), "m.yaml:2:4: error: size must be a single value, not a list");
  EXPECT_EQ(error_of([&] { (void)root.at("c").items("size"); }), "m.yaml:3:4: error: size must be a list, not a map");
  EXPECT_EQ(error_of([&] { (void)root.at("e").integer("size", 0, 9); }), "m.yaml:4:4: error: size must be a whole number, not '5'");
  EXPECT_EQ(error_of([&] { (void)root.at("f").integer("size", 0, 255); }), "m.yaml:5:4: error: size = 300 is outside of 0..255");
  EXPECT_EQ(error_of([&] { (void)root.at("g").number("size"); }), "m.yaml:6:4: error: size must be a number, not '1e999'");
  EXPECT_EQ(error_of([&] { (void)root.at("h"); }), "m.yaml:1:1: error: key 'h' is missing");
  EXPECT_EQ(error_of([&] { (void)root.at("a").choice("mode", {"fast", "native"}); }).substr(0, 59),
            "m.yaml:1:4: error: mode = 'x' is not one of fast, native; n");
  EXPECT_EQ(error_of([&] { root.at("c").expect_keys("c", {"dim", "kib"}); }), "m.yaml:3:5: error: unknown key 'd' of c; nearest: 'dim'");
}

}  // namespace
}  // namespace systole
