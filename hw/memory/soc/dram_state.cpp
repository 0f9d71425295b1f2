#include "hw/memory/soc/dram_state.h"

#include <algorithm>

#include "sim/base/errors.h"

namespace systole::hw::soc {

DramState::DramState(const DramTiming& timing) : timing_(timing), banks_(timing.banks) { window_.fill(kLongAgo); }

bool DramState::all_closed() const {
  return std::all_of(banks_.begin(), banks_.end(), [](const Bank& bank) { return bank.row == kClosed; });
}

DramClock DramState::earliest(DramCommand command, unsigned bank) const {
  const Bank& b = banks_[bank];
  const unsigned g = group(bank);
  switch (command) {
    case DramCommand::kActivate:
      return std::max({b.activate, activates_.next(g, timing_.rrd_s, timing_.rrd_l), window_[window_head_] + timing_.faw});
    case DramCommand::kPrecharge: return b.precharge;
    case DramCommand::kRead: {
      const DramClock written = timing_.cwl + timing_.burst;
      return std::max({b.column, reads_.next(g, timing_.ccd_s, timing_.ccd_l), writes_.next(g, written + timing_.wtr_s, written + timing_.wtr_l)});
    }
    case DramCommand::kWrite:
      return std::max({b.column, writes_.next(g, timing_.ccd_s, timing_.ccd_l), reads_.any + timing_.rtw()});
    case DramCommand::kRefresh: {
      DramClock at = 0;
      for (const Bank& each : banks_) at = std::max(at, each.activate);
      return at;
    }
  }
  SYSTOLE_CHECK(false);
}

void DramState::issue(DramClock at, DramCommand command, unsigned bank, std::int64_t row) {
  Bank& b = banks_[bank];
  switch (command) {
    case DramCommand::kActivate:
      SYSTOLE_CHECK(b.row == kClosed && row >= 0);
      b.row = row;
      b.column = at + timing_.rcd;
      b.precharge = at + timing_.ras;
      b.activate = at + timing_.rc();
      activates_.note(at, group(bank));
      window_[window_head_] = at;
      window_head_ = (window_head_ + 1) % window_.size();
      return;
    case DramCommand::kPrecharge:
      b.row = kClosed;
      b.activate = std::max(b.activate, at + timing_.rp);
      return;
    case DramCommand::kRead:
      b.precharge = std::max(b.precharge, at + timing_.rtp);
      reads_.note(at, group(bank));
      return;
    case DramCommand::kWrite:
      b.precharge = std::max(b.precharge, at + timing_.cwl + timing_.burst + timing_.wr);
      writes_.note(at, group(bank));
      return;
    case DramCommand::kRefresh:
      SYSTOLE_CHECK(all_closed());
      for (Bank& each : banks_) each.activate = at + timing_.rfc;
      return;
  }
}

}  // namespace systole::hw::soc
