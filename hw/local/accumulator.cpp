#include "hw/local/accumulator.h"

#include <fmt/format.h>

#include <algorithm>

namespace systole::hw {
namespace {

constexpr std::size_t kWriteQueueEntries = 3;   // AccumulatorMem.scala nEntries

}  // namespace

Accumulator::Accumulator(const sc_core::sc_module_name& name, const MachineParams& params, ArrayWriteRuns* array_writes)
    : Unit(name),
      array_writes_(array_writes),
      latency_(static_cast<Cycle>(params.accumulator.latency)),
      rows_(static_cast<std::uint32_t>(accumulator_rows(params))),
      bank_shift_(log2_ceil(accumulator_bank_rows(params))),
      sub_banks_(params.accumulator.sub_banks),
      banks_(static_cast<std::size_t>(params.accumulator.banks)) {
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    banks_[i].response = std::make_unique<Channel<StoreRow>>(fmt::format("accumulator{}_response", i), 1, 1, Full::kPipe);
    banks_[i].pending.resize(static_cast<std::size_t>(latency_) + 1);
    banks_[i].sub_banks.resize(static_cast<std::size_t>(sub_banks_));
  }
}

// A write of the row fired at most `latency` cycles ago.
bool Accumulator::in_flight(const Bank& bank, std::uint32_t row, Cycle now) const {
  for (const PendingWrite& write : bank.pending) {
    if (write.row == row && write.cycle < now && now - write.cycle <= latency_) return true;
  }
  return array_writes_ != nullptr && array_writes_->in_flight(row, now);
}

bool Accumulator::offer_write(Cycle now, std::uint32_t row, bool accumulate) {
  Bank& bank = banks_[bank_of(row)];
  if (!accumulate) return true;
  bank.accumulate_offered_in = now;
  if (in_flight(bank, row, now)) return false;
  if (sub_banks_ != 0) {
    const SubBank& sub_bank = bank.sub_banks[sub_bank_of(row)];
    if (std::find(sub_bank.queue.begin(), sub_bank.queue.end(), row) != sub_bank.queue.end()) return false;
  }
  return true;
}

void Accumulator::write(Cycle now, std::uint32_t row, bool accumulate) {
  const std::uint32_t index = bank_of(row);
  Bank& bank = banks_[index];
  if (array_writes_ != nullptr) {
    array_writes_->note_write(now, row);
    // The array's announced write of this cycle came before.
    if (accumulate && last_accumulate_ != now && array_writes_->accumulates_in(now)) {
      last_accumulate_ = now;
      last_accumulate_bank_ = bank_of(*array_writes_->row_in(now));
    }
  }
  bank.pending[now % (latency_ + 1)] = {row, now};
  if (accumulate) {
    bank.accumulated_in = now;
    if (last_accumulate_ == now && last_accumulate_bank_ != index) ++adder_conflicts_;
    last_accumulate_ = now;
    last_accumulate_bank_ = index;
  }
  if (sub_banks_ == 0) return;
  if (accumulate) {
    bank.sub_banks[sub_bank_of(row)].port_used_in = now;
    if (sub_bank_of(row) == bank.last_sub_bank) {
      bank.blocked_in = now + 1;
    } else {
      bank.last_sub_bank = sub_bank_of(row);
    }
  }
  wake_at(now);
}

bool Accumulator::loads_blocked(Cycle now, std::uint32_t bank) const { return banks_[bank].blocked_in == now; }

void Accumulator::evaluate(Cycle now) {
  bool active = false;
  for (Bank& bank : banks_) {
    for (SubBank& sub_bank : bank.sub_banks) {
      // A read-modify-write owns the port; else a queued write takes it.
      if (sub_bank.port_used_in != now && !sub_bank.queue.empty()) {
        sub_bank.queue.erase(sub_bank.queue.begin());
        sub_bank.port_used_in = now;
      }
    }
    for (const PendingWrite& write : bank.pending) {
      if (write.cycle == kNever || now - write.cycle > latency_) continue;
      active = true;
      if (sub_banks_ == 0 || write.cycle + latency_ != now) continue;
      SubBank& sub_bank = bank.sub_banks[sub_bank_of(write.row)];
      if (sub_bank.queue.size() == kWriteQueueEntries) throw ModelError(now, name(), "", "the write queue of an accumulator sub-bank overflows");
      sub_bank.queue.push_back(write.row);
    }
    for (const SubBank& sub_bank : bank.sub_banks) active = active || !sub_bank.queue.empty();
  }
  if (active && sub_banks_ != 0) wake_at(now + 1);
}

bool Accumulator::can_read(Cycle now, std::uint32_t row) const {
  const Bank& bank = banks_[bank_of(row)];
  if (!bank.response->can_push(now)) return false;
  if (bank.accumulate_offered_in == now) return false;
  if (array_writes_ != nullptr && array_writes_->accumulates_in(now) && bank_of(*array_writes_->row_in(now)) == bank_of(row)) return false;
  if (in_flight(bank, row, now)) return false;
  if (sub_banks_ == 0) return true;
  const SubBank& sub_bank = bank.sub_banks[sub_bank_of(row)];
  return sub_bank.port_used_in != now && std::find(sub_bank.queue.begin(), sub_bank.queue.end(), row) == sub_bank.queue.end();
}

void Accumulator::residual(Residual& r) {
  if (array_writes_ != nullptr) array_writes_->residual(r);
  for (Bank& bank : banks_) {
    bank.response->residual(r);
    for (const PendingWrite& write : bank.pending) r.rest(write.cycle == kNever || r.now() - write.cycle > latency_);
    r.time(bank.accumulate_offered_in);
    r.time(bank.accumulated_in);
    r.time(bank.blocked_in);
    r(bank.last_sub_bank);
    for (SubBank& sub_bank : bank.sub_banks) {
      r.rest(sub_bank.queue.empty());
      r.time(sub_bank.port_used_in);
    }
  }
  r.time(last_accumulate_);
  r(last_accumulate_bank_);
  r.count(adder_conflicts_);
}

}  // namespace systole::hw
