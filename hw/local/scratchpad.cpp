#include "hw/local/scratchpad.h"

#include <fmt/format.h>

namespace systole::hw {
namespace {

// Revision 2023: a pipeline of read_delay stages; 2025: a queue of read_delay entries (Scratchpad.scala, spad_read_delay).
Cycle response_latency(const MachineParams& m) { return m.scratchpad.response_queue != 0 ? 1 : static_cast<Cycle>(m.scratchpad.read_delay); }

}  // namespace

ScratchpadBank::ScratchpadBank(const MachineParams& m, int index)
    : latch(fmt::format("scratchpad{}_latch", index), 1, 1, Full::kPipe),
      stores(fmt::format("scratchpad{}_stores", index), response_latency(m), static_cast<unsigned>(m.scratchpad.read_delay), Full::kPipe) {}

Scratchpad::Scratchpad(const sc_core::sc_module_name& name, const MachineParams& params, const LoadRuns* loads)
    : Unit(name), single_ported_(params.scratchpad.ports == 1), bank_shift_(log2_ceil(scratchpad_bank_rows(params))), loads_(loads) {
  for (int i = 0; i < params.scratchpad.banks; ++i) {
    banks_.push_back(std::make_unique<ScratchpadBank>(params, i));
    banks_.back()->latch.bind_reader(*this);
    banks_.back()->stores.bind_writer(*this);
  }
}

void Scratchpad::note_write(Cycle now, std::uint32_t bank) {
  if (written_in_ != now) written_ = 0;
  written_in_ = now;
  written_ |= 1u << bank;
  if (single_ported_) refuse(now, written_);
}

// The controller sleeps while its operand rows follow one another: only a bank that it reads concerns it then.
void Scratchpad::refuse(Cycle now, std::uint32_t banks) {
  if (operands_ != nullptr && (operands_->watched_banks() & banks) != 0) operands_->refused(now);
}

void Scratchpad::evaluate(Cycle now) {
  std::uint32_t full = 0;
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    ScratchpadBank& bank = *banks_[i];
    const ScratchpadRead* read = bank.latch.front(now);
    if (read == nullptr) continue;
    if (bank.stores.can_push(now)) bank.stores.push(now, bank.latch.pop(now));
    if (!bank.latch.empty()) {
      full |= 1u << i;
      wake_at(now + 1);
    }
  }
  if (full == 0) return;
  latched_ = full;
  latched_in_ = now;
  refuse(now, full);
}

bool Scratchpad::can_read(Cycle now, std::uint32_t bank) const {
  if ((ready(now) >> bank & 1u) == 0) return false;
  if (operands_ != nullptr && (operands_->reads(now, bank) || operands_->holds_latch(now, bank))) return false;
  return banks_[bank]->latch.can_push(now);
}

std::string Scratchpad::state_text() const {
  std::string text;
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    const ScratchpadBank& bank = *banks_[i];
    if (!bank.latch.empty() || !bank.stores.empty()) {
      text += fmt::format("bank {}: {} in the latch, {} rows to store; ", i, bank.latch.size(), bank.stores.size());
    }
  }
  return text;
}

}  // namespace systole::hw
