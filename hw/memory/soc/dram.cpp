#include "hw/memory/soc/dram.h"

#include <limits>

#include "hw/memory/soc/geometry.h"

namespace systole::hw::soc {
namespace {

constexpr DramClock kNoClock = std::numeric_limits<DramClock>::max();

}  // namespace

Dram::Dram(const SocParams& params, const DramTiming& timing, DramLog* log)
    : timing_(timing),
      cycle_ps_(1'000'000 / static_cast<std::uint64_t>(params.clock_mhz)),
      tck_ps_(static_cast<std::uint64_t>(timing_.tck_ps)),
      controller_latency_(static_cast<Cycle>(params.dram_controller_latency)),
      write_latency_(static_cast<Cycle>(params.axi_write_latency)),
      read_limit_(static_cast<std::size_t>(params.dram_read_queue)),
      write_limit_(static_cast<std::size_t>(params.dram_write_queue)),
      closed_page_(params.dram_page == PagePolicy::kClosed),
      log_(log),
      state_(timing_),
      next_refresh_(timing_.refi) {}

Dram::Request Dram::request_of(Cycle now, unsigned id, std::uint64_t address) const {
  Request request;
  request.id = id;
  request.address = address;
  request.arrival = clock_at(now);
  std::uint64_t line = address / kLineBytes;
  const std::uint64_t group = line % timing_.groups;
  line /= timing_.groups;
  line /= timing_.row_lines;
  const std::uint64_t banks_in_group = timing_.banks / timing_.groups;
  // The state numbers banks so that bank % groups is the group.
  request.bank = static_cast<unsigned>(line % banks_in_group * timing_.groups + group);
  request.row = static_cast<std::int64_t>(line / banks_in_group);
  return request;
}

void Dram::arrive(Cycle now) {
  const DramClock clock = std::max(clock_, clock_at(now));
  if (reads_.size() + writes_.size() == 1) {
    clock_ = clock;
    catch_up_refreshes(clock);
  }
  work_at_ = std::min(work_at_, std::max(now, cycle_at(clock)));
}

void Dram::read(Cycle now, unsigned id, std::uint64_t address) {
  ++counts_.reads;
  for (const Request& write : writes_) {
    if (write.address != address) continue;
    ++counts_.forwarded;
    answer_read(id, now + controller_latency_);
    return;
  }
  reads_.push_back(request_of(now, id, address));
  arrive(now);
}

void Dram::write(Cycle now, unsigned id, std::uint64_t address) {
  ++counts_.writes;
  answer_write(id, now + write_latency_);
  for (const Request& write : writes_) {
    if (write.address == address) return;   // the newer line replaces the older one
  }
  writes_.push_back(request_of(now, id, address));
  arrive(now);
}

// Refreshes that were due while nothing was to be done took place at their time.
void Dram::catch_up_refreshes(DramClock clock) {
  while (next_refresh_ <= clock) {
    DramClock at = next_refresh_;
    for (unsigned bank = 0; bank < timing_.banks; ++bank) {
      if (state_.open_row(bank) != DramState::kClosed) at = std::max(at, state_.earliest(DramCommand::kPrecharge, bank));
    }
    for (unsigned bank = 0; bank < timing_.banks; ++bank) {
      if (state_.open_row(bank) != DramState::kClosed) issue(at, DramCommand::kPrecharge, bank, 0);
    }
    at = std::max(at, state_.earliest(DramCommand::kRefresh, 0));
    issue(at, DramCommand::kRefresh, 0, 0);
    next_refresh_ += timing_.refi;
  }
}

void Dram::issue(DramClock clock, DramCommand command, unsigned bank, std::int64_t row) {
  if (log_ != nullptr) log_->command(clock, command, bank, row);
  if (command == DramCommand::kRefresh) ++counts_.refreshes;
  state_.issue(clock, command, bank, row);
}

void Dram::advance(Cycle now) {
  while (cycle_at(clock_) <= now) {
    if (reads_.empty() && writes_.empty()) {
      work_at_ = kNever;
      return;
    }
    clock_ = step(clock_);
  }
  work_at_ = cycle_at(clock_);
}

bool Dram::row_wanted(unsigned bank, std::int64_t row) const {
  const auto wants = [&](const Request& request) { return request.bank == bank && request.row == row; };
  return std::any_of(reads_.begin(), reads_.end(), wants) || std::any_of(writes_.begin(), writes_.end(), wants);
}

// One command or none in `clock`; returns the next clock in which one is possible.
DramClock Dram::step(DramClock clock) {
  if (clock >= next_refresh_) return refresh_step(clock);
  if (draining_ ? writes_.size() * 4 <= write_limit_ : writes_.size() * 4 >= write_limit_ * 3) draining_ = !draining_;
  const bool writing = draining_ || reads_.empty();
  std::deque<Request>& queue = writing ? writes_ : reads_;
  const DramCommand column = writing ? DramCommand::kWrite : DramCommand::kRead;

  DramClock next = next_refresh_;
  // The oldest request whose row is open.
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const Request& request = queue[i];
    if (state_.open_row(request.bank) != request.row) continue;
    const DramClock at = std::max(state_.earliest(column, request.bank), request.arrival);
    if (at > clock) {
      next = std::min(next, at);
      continue;
    }
    issue(clock, column, request.bank, request.row);
    finish(clock, queue, i);
    return clock + 1;
  }
  // The oldest request whose row can be opened, or whose bank can be closed for it.
  for (Request& request : queue) {
    const std::int64_t open = state_.open_row(request.bank);
    if (open == request.row) continue;
    const bool closed = open == DramState::kClosed;
    if (!closed) {
      const auto hits = [&](const Request& other) { return other.bank == request.bank && other.row == open; };
      if (std::any_of(queue.begin(), queue.end(), hits)) continue;
    }
    const DramCommand command = closed ? DramCommand::kActivate : DramCommand::kPrecharge;
    const DramClock at = std::max(state_.earliest(command, request.bank), request.arrival);
    if (at > clock) {
      next = std::min(next, at);
      continue;
    }
    request.opened = true;
    request.conflict = request.conflict || !closed;
    issue(clock, command, request.bank, closed ? request.row : 0);
    return clock + 1;
  }
  return std::max(next, clock + 1);
}

// A refresh is due: all banks are closed, then refreshed.
DramClock Dram::refresh_step(DramClock clock) {
  DramClock next = kNoClock;
  for (unsigned bank = 0; bank < timing_.banks; ++bank) {
    if (state_.open_row(bank) == DramState::kClosed) continue;
    const DramClock at = state_.earliest(DramCommand::kPrecharge, bank);
    if (at <= clock) {
      issue(clock, DramCommand::kPrecharge, bank, 0);
      return clock + 1;
    }
    next = std::min(next, at);
  }
  if (next != kNoClock) return next;
  const DramClock at = state_.earliest(DramCommand::kRefresh, 0);
  if (at > clock) return at;
  issue(clock, DramCommand::kRefresh, 0, 0);
  book_refresh(next_refresh_, clock + timing_.rfc);
  next_refresh_ += timing_.refi;
  return clock + 1;
}

// Every read that waits meanwhile waits for the refresh. Those that come before it ends are not counted for it.
void Dram::book_refresh(DramClock begin, DramClock end) {
  for (Request& request : reads_) request.refreshing += end - std::max(begin, std::min(request.arrival, end));
}

void Dram::finish(DramClock clock, std::deque<Request>& queue, std::size_t index) {
  const Request request = queue[index];
  queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(index));
  ++(!request.opened ? counts_.row_hits : request.conflict ? counts_.row_conflicts : counts_.row_misses);
  if (&queue == &reads_) {
    const Cycle arrived = cycle_at(clock + timing_.cl + timing_.burst) + controller_latency_;
    const DramClock row = request.opened ? timing_.rcd + (request.conflict ? timing_.rp : 0) : 0;
    answer_read(request.id, arrived, {cycle_at(row), cycle_at(request.refreshing), 0});
  }
  if (closed_page_ && !row_wanted(request.bank, request.row)) {
    // Auto-precharge: the part closes the row itself as early as it may.
    state_.issue(state_.earliest(DramCommand::kPrecharge, request.bank), DramCommand::kPrecharge, request.bank);
  }
}

}  // namespace systole::hw::soc
