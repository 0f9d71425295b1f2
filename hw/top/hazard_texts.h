#pragma once
// Keeps the hazards of a run as texts: each kind once per pair of commands, and no more than a reader would read.
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "hw/ports/command_fault.h"
#include "hw/ports/hazard_log.h"
#include "sim/base/errors.h"

namespace systole::hw {

class HazardTexts final : public HazardLog {
 public:
  static constexpr std::size_t kMost = 100;

  // The host's command of a number; null when it is not known any more. Asked for only when a text is made.
  using Lookup = std::function<const isa::Instruction*(std::uint32_t sequence)>;

  explicit HazardTexts(int revision) : revision_(revision) {}
  void set_lookup(Lookup lookup) { lookup_ = std::move(lookup); }

  void hazard(Cycle now, const std::string& unit, const isa::Instruction& instruction, std::uint32_t sequence, const std::string& what) override;
  void conflict(Cycle now, const std::string& unit, std::uint32_t first, std::uint32_t second, const std::string& what) override;

  // A fault with the instruction it is about.
  [[nodiscard]] ModelError error_of(const CommandFault& fault) const;
  [[nodiscard]] std::vector<std::string> texts() const;
  [[nodiscard]] bool any() const { return !texts_.empty(); }

 private:
  [[nodiscard]] bool is_new(std::uint32_t first, std::uint32_t second, const std::string& what);
  [[nodiscard]] std::string text_of(std::uint32_t sequence) const;   // number, and instruction where known

  const int revision_;
  Lookup lookup_;
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::string>> seen_;
  std::vector<std::string> texts_;
  std::size_t left_out_ = 0;
};

}  // namespace systole::hw
