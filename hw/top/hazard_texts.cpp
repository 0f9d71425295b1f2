#include "hw/top/hazard_texts.h"

#include <fmt/format.h>

#include "isa/instruction.h"

namespace systole::hw {

void HazardTexts::hazard(Cycle now, const std::string& unit, const isa::Instruction& instruction, std::uint32_t sequence, const std::string& what) {
  if (!is_new(sequence, sequence, what)) return;
  texts_.push_back(fmt::format("cycle {}: {}: command {} ({}): {}", now, unit, sequence, isa::disassemble(instruction, revision_), what));
}

void HazardTexts::conflict(Cycle now, const std::string& unit, std::uint32_t first, std::uint32_t second, const std::string& what) {
  if (!is_new(first, second, what)) return;
  texts_.push_back(fmt::format("cycle {}: {}: commands {} and {}: {}", now, unit, text_of(first), text_of(second), what));
}

ModelError HazardTexts::error_of(const CommandFault& fault) const {
  return ModelError(fault.cycle, fault.unit, "command " + text_of(fault.sequence), fault.what);
}

std::vector<std::string> HazardTexts::texts() const {
  std::vector<std::string> result = texts_;
  if (left_out_ != 0) result.push_back(fmt::format("{} further warnings left out", left_out_));
  return result;
}

bool HazardTexts::is_new(std::uint32_t first, std::uint32_t second, const std::string& what) {
  if (!seen_.insert({first, second, what}).second) return false;
  if (texts_.size() < kMost) return true;
  ++left_out_;
  return false;
}

std::string HazardTexts::text_of(std::uint32_t sequence) const {
  const isa::Instruction* command = lookup_ ? lookup_(sequence) : nullptr;
  return command == nullptr ? fmt::format("{}", sequence) : fmt::format("{} ({})", sequence, isa::disassemble(*command, revision_));
}

}  // namespace systole::hw
