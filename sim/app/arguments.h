#pragma once
// The arguments of one subcommand: declared with Boost.program_options, with --help, and with errors that name the nearest option.
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "sim/app/commands.h"

namespace systole::app {

class Arguments {
 public:
  // `usage`: "systole show TOPIC [NAME]"; `text`: what the command does; `examples`: whole command lines.
  Arguments(std::string usage, std::string text, std::vector<std::string> examples);

  // add("json", value<std::string>(), "...") as in Boost; a switch has no value.
  Arguments& add(const char* name, const boost::program_options::value_semantic* value, const char* text);
  Arguments& add_switch(const char* name, const char* text);
  // Words that are not options, at least `min` and at most `max` (-1: any number); `what` names one in an error.
  Arguments& positional(const char* what, int min, int max);

  // Returns false when the user asked for help, which has then been printed. Throws ConfigError.
  [[nodiscard]] bool parse(const Words& words);

  [[nodiscard]] bool has(const char* name) const { return values_.count(name) != 0; }
  [[nodiscard]] const Words& words() const { return positional_; }
  template <class T>
  [[nodiscard]] const T& get(const char* name) const { return values_[name].as<T>(); }
  template <class T>
  [[nodiscard]] T get(const char* name, const T& otherwise) const { return has(name) ? values_[name].as<T>() : otherwise; }

 private:
  [[nodiscard]] std::string help() const;
  [[nodiscard]] std::vector<std::string> option_names() const;

  std::string usage_;
  std::string text_;
  std::vector<std::string> examples_;
  std::string what_ = "argument";
  int min_ = 0;
  int max_ = 0;
  boost::program_options::options_description options_{"options", 110, 55};
  boost::program_options::variables_map values_;
  Words positional_;
};

}  // namespace systole::app
