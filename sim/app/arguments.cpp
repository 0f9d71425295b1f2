#include "sim/app/arguments.h"

#include <sstream>

#include <fmt/core.h>

#include "sim/base/errors.h"
#include "sim/report/table.h"

namespace systole::app {

namespace po = boost::program_options;

Arguments::Arguments(std::string usage, std::string text, std::vector<std::string> examples)
    : usage_(std::move(usage)), text_(std::move(text)), examples_(std::move(examples)) {
  options_.add_options()("help,h", "print this text");
}

Arguments& Arguments::add(const char* name, const po::value_semantic* value, const char* text) {
  options_.add_options()(name, value, text);
  return *this;
}

Arguments& Arguments::add_switch(const char* name, const char* text) {
  options_.add_options()(name, text);
  return *this;
}

Arguments& Arguments::positional(const char* what, int min, int max) {
  what_ = what;
  min_ = min;
  max_ = max;
  return *this;
}

std::vector<std::string> Arguments::option_names() const {
  std::vector<std::string> names;
  for (const auto& option : options_.options()) names.push_back("--" + option->long_name());
  return names;
}

std::string Arguments::help() const {
  std::ostringstream text;
  text << "usage: " << usage_ << "\n\n" << report::wrapped(text_, 100, 0) << "\n\n" << options_;
  if (!examples_.empty()) text << "\nexamples:\n";
  for (const std::string& example : examples_) text << "  " << example << "\n";
  return text.str();
}

bool Arguments::parse(const Words& words) {
  po::options_description all;
  all.add(options_);
  all.add_options()("(positional)", po::value<Words>());
  po::positional_options_description order;
  order.add("(positional)", -1);
  constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    po::store(po::command_line_parser(words).options(all).positional(order).style(kStyle).run(), values_);
    po::notify(values_);
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    name = name.substr(0, name.find('='));
    throw ConfigError(fmt::format("unknown option '{}'; nearest: '{}'", name, nearest(name, option_names())));
  } catch (const po::error& error) {
    throw ConfigError(error.what());
  }
  if (has("help")) {
    fmt::print("{}", help());
    return false;
  }
  if (has("(positional)")) positional_ = values_["(positional)"].as<Words>();
  const int count = static_cast<int>(positional_.size());
  if (count < min_) throw ConfigError(fmt::format("{} is missing; usage: {}", what_, usage_));
  if (max_ >= 0 && count > max_) {
    throw ConfigError(fmt::format("unexpected argument '{}'; usage: {}", positional_[static_cast<std::size_t>(max_)], usage_));
  }
  return true;
}

}  // namespace systole::app
