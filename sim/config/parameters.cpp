#include "sim/config/parameters.h"

#include <charconv>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/base/errors.h"

namespace systole::config {
namespace {

// Turns `visit` lines into list entries.
class Lister {
 public:
  template <class T>
  void operator()(T& field, const char* key, hw::Range range, const char* meaning, const char* source) {
    static_assert(std::is_integral_v<T>);
    Parameter& parameter = add(field, key, meaning, source);
    parameter.range = range;
  }

  template <class T>
  void choice(T& field, const char* key, const hw::Choices& choices, const char* meaning, const char* source) {
    Parameter& parameter = add(field, key, meaning, source);
    parameter.choices.assign(choices.begin(), choices.end());
    parameter.range = {0, static_cast<std::int64_t>(choices.size()) - 1};
  }

  template <class Group>
  void group(const char* name, Group& group) {
    group_ = name;
    std::remove_const_t<Group>::visit(group, *this);
    group_.clear();
  }

  std::vector<Parameter> take() { return std::move(list_); }

 private:
  template <class T>
  Parameter& add(T& field, const char* key, const char* meaning, const char* source) {
    Parameter parameter;
    parameter.key = group_.empty() ? key : group_ + "." + key;
    parameter.group = group_;
    parameter.meaning = meaning;
    parameter.source = source;
    parameter.get = [&field] { return static_cast<std::int64_t>(field); };
    if constexpr (std::is_const_v<T>) {
      parameter.set = [](std::int64_t) { SYSTOLE_CHECK(!"a constant machine cannot be changed"); };
    } else {
      parameter.set = [&field](std::int64_t value) { field = static_cast<T>(value); };
    }
    list_.push_back(std::move(parameter));
    return list_.back();
  }

  std::string group_;
  std::vector<Parameter> list_;
};

bool is_flag(const hw::Range& range) { return range.min == 0 && range.max == 1 && !range.power_of_two; }

bool is_legal(const hw::Range& range, std::int64_t value) {
  if (value == 0 && range.zero_allowed) return true;
  if (value < range.min || value > range.max) return false;
  return !range.power_of_two || (value > 0 && (value & (value - 1)) == 0);
}

std::string last_word(const std::string& key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::string Parameter::value() const {
  const std::int64_t number = get();
  return choices.empty() ? std::to_string(number) : choices.at(static_cast<std::size_t>(number));
}

std::string Parameter::legal() const {
  if (!choices.empty()) return fmt::format("{}", fmt::join(choices, ", "));
  if (is_flag(range)) return "0 or 1";
  return fmt::format("{}{}..{}{}", range.zero_allowed ? "0, " : "", range.min, range.max, range.power_of_two ? ", power of two" : "");
}

std::string Parameter::assign(const std::string& text) const {
  if (!choices.empty()) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (choices[i] == text) {
        set(static_cast<std::int64_t>(i));
        return {};
      }
    }
    return fmt::format("{} = '{}' is not one of {}; nearest: '{}'", key, text, fmt::join(choices, ", "), nearest(text, choices));
  }
  std::int64_t number = 0;
  if (is_flag(range) && (text == "true" || text == "on" || text == "yes")) {
    number = 1;
  } else if (is_flag(range) && (text == "false" || text == "off" || text == "no")) {
    number = 0;
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
      return fmt::format("{} = '{}' is not a whole number; legal: {} ({})", key, text, legal(), meaning);
    }
    if (error != std::errc() || !is_legal(range, number)) {
      return fmt::format("{} = {} is out of range; legal: {} ({})", key, text, legal(), meaning);
    }
  }
  set(number);
  return {};
}

std::vector<Parameter> parameters(hw::MachineParams& machine) {
  Lister lister;
  hw::MachineParams::visit(machine, lister);
  return lister.take();
}

std::vector<Parameter> parameters(const hw::MachineParams& machine) {
  Lister lister;
  hw::MachineParams::visit(machine, lister);
  return lister.take();
}

std::vector<std::string> parameter_keys() {
  const hw::MachineParams machine;
  std::vector<std::string> keys;
  for (const Parameter& parameter : parameters(machine)) keys.push_back(parameter.key);
  return keys;
}

std::string nearest_key(const std::string& key) {
  const std::vector<std::string> keys = parameter_keys();
  for (const std::string& known : keys) {
    if (last_word(known) == last_word(key)) return known;
  }
  return nearest(key, keys);
}

}  // namespace systole::config
