#pragma once
// What a machine carries from one piece of work into the next: round-robin pointers, configuration registers, time stamps that are still looked
// at. Every unit visits its fields once; the same visit saves them, so that two machines can be compared, and puts them back. A unit either
// visits all that it has under way, as the front end and the array do, or says that it is not at rest while there is something, as everybody
// does through whom data from memory pass. Values have no part in it: cycles do not depend on them.
//   r(field)            a register, compared as it is
//   r.time(stamp)       a cycle, compared by its distance from now; those further back than any unit looks are all the same
//   r.since(stamp)      a cycle of which any distance matters: the beginning of something under way
//   r.sequence(number)  of a host's command, compared by its distance from the next one's
//   r.operand(row)      local address of an operand: the only thing that differs between two rounds of a loop (hw/top/steady_loop.h); and
//   r.round(number)     the number of the round
//   r.named(kind, word) a word that matters only by what it is equal to: it may be another one in another place (see Name)
//   r.setting(s, word)  a register that commands set: it matters only to work that uses it before setting it
//   r.count(counter)    a count that only grows; a change is added to whatever it is elsewhere
//   r.rest(condition)   what holds of the unit when it is at rest
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"

namespace systole {

namespace isa {
struct Instruction;
}

class Residual {
 public:
  enum class Name : std::uint8_t {
    kPage,       // number of a page of memory
    kScale,      // fp32 bits of a scale
    kConstant,   // integer constant of a non-linear function
    kRegister,   // no name: the word itself
    kTurn,       // place in a ring of three, see Setting::kScaledLoad
  };
  // Registers that are written together.
  enum class Setting : std::uint8_t {
    kAlways,     // none of these
    kLoad0,      // of a load state
    kLoad1,
    kLoad2,
    kStore,      // of config_st
    kActivation, // of config_st, and config_norm changes it
    kScaledLoad, // of a scaler, whose rows with scale 1 go through in turn without a look at it
    kSettings
  };
  struct Named {
    Name kind;
    Setting setting;
    std::uint64_t word;
  };

  static constexpr std::uint64_t kTurns = 3;

  // Saves.
  explicit Residual(Cycle now) : now_(now) {
    words_.reserve(kUsualWords);
    counts_.reserve(kUsualWords / 4);
  }
  // Puts back: registers and names as given, counts increased by `counts`.
  Residual(Cycle now, const std::vector<std::uint64_t>& words, const std::vector<Named>& names, const std::vector<std::uint64_t>& counts)
      : now_(now), loads_(true), words_(words), names_(names), counts_(counts) {}

  // The host's commands, for units that hold some: how many have been accepted, and what they are. Which commands these are is known from
  // the program, so only their numbers are compared.
  using Commands = std::function<const isa::Instruction&(std::uint32_t sequence)>;
  void set_commands(std::uint32_t accepted, Commands commands) {
    accepted_ = accepted;
    commands_ = std::move(commands);
  }
  [[nodiscard]] const isa::Instruction& command(std::uint32_t sequence) const { return commands_(sequence); }

  [[nodiscard]] Cycle now() const { return now_; }
  [[nodiscard]] bool loads() const { return loads_; }
  [[nodiscard]] bool at_rest() const { return at_rest_; }
  [[nodiscard]] const std::vector<std::uint64_t>& words() const { return words_; }
  // Places in words() that hold addresses of operands, and the number of the round.
  [[nodiscard]] const std::vector<std::size_t>& operands() const { return operands_; }
  [[nodiscard]] const std::vector<std::size_t>& rounds() const { return rounds_; }
  [[nodiscard]] const std::vector<Named>& names() const { return names_; }
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  // A load has used everything.
  [[nodiscard]] bool exhausted() const {
    return next_word_ == words_.size() && next_name_ == names_.size() && next_count_ == counts_.size();
  }

  template <class T>
  void operator()(T& field) {
    static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
    if (loads_) {
      field = static_cast<T>(words_.at(next_word_++));
    } else {
      words_.push_back(static_cast<std::uint64_t>(field));
    }
  }
  template <class T>
  void all(std::vector<T>& fields) {
    for (T& field : fields) (*this)(field);
  }
  void time(Cycle& stamp) {
    std::uint64_t distance = kLongAgo;   // shifted, so that cycles to come fit
    if (!loads_ && stamp != kNever && stamp + kLongAgo > now_) distance = now_ + kAhead - stamp;
    (*this)(distance);
    if (loads_) stamp = distance == kLongAgo ? (now_ > kLongAgo ? now_ - kLongAgo : 0) : now_ + kAhead - distance;
  }
  void since(Cycle& stamp) {
    std::uint64_t distance = now_ + kAhead - stamp;
    (*this)(distance);
    if (loads_) stamp = now_ + kAhead - distance;
  }
  void sequence(std::uint32_t& number) {
    std::uint32_t distance = accepted_ - number;
    (*this)(distance);
    if (loads_) number = accepted_ - distance;
  }
  void operand(std::uint32_t& row) {
    if (!loads_) operands_.push_back(words_.size());
    (*this)(row);
  }
  void round(std::uint32_t& number) {
    if (!loads_) rounds_.push_back(words_.size());
    (*this)(number);
  }
  template <class T>
  void setting(Setting setting, T& field) {
    named(Name::kRegister, field, setting);
  }
  [[nodiscard]] static Setting load_setting(std::size_t state) {
    return static_cast<Setting>(static_cast<std::size_t>(Setting::kLoad0) + state);
  }
  template <class T>
  void named(Name kind, T& word, Setting setting = Setting::kAlways) {
    if (loads_) {
      SYSTOLE_CHECK(names_.at(next_name_).kind == kind);
      word = static_cast<T>(names_[next_name_++].word);
    } else {
      names_.push_back({kind, setting, static_cast<std::uint64_t>(word)});
    }
  }
  void count(std::uint64_t& counter) {
    if (loads_) {
      counter += counts_.at(next_count_++);
    } else {
      counts_.push_back(counter);
    }
  }
  void rest(bool condition) { at_rest_ = at_rest_ && condition; }

 private:
  static constexpr std::size_t kUsualWords = 1024;
  static constexpr Cycle kLongAgo = 8;                         // no unit looks further back than two cycles
  static constexpr Cycle kAhead = Cycle{1} << 32;              // larger than any distance ahead

  Cycle now_;
  std::uint32_t accepted_ = 0;
  Commands commands_;
  bool loads_ = false;
  bool at_rest_ = true;
  std::vector<std::uint64_t> words_;
  std::vector<Named> names_;
  std::vector<std::uint64_t> counts_;
  std::vector<std::size_t> operands_;
  std::vector<std::size_t> rounds_;
  std::size_t next_word_ = 0;
  std::size_t next_name_ = 0;
  std::size_t next_count_ = 0;
};

}  // namespace systole
