#include "hw/top/steady_loop.h"

#include <algorithm>
#include <utility>

namespace systole::hw {
namespace {

constexpr std::uint32_t kFirst = 1;    // round 0 overwrites what the others add to
constexpr std::uint32_t kAtLast = 2;   // rounds at the end that are like no other
constexpr unsigned kTries = 4;         // looks at a loop; one that is not steady by then costs more than it saves

}  // namespace

bool SteadyLoop::wants() const {
  if (execution_.j() != 0 || execution_.k() < kFirst || execution_.k() + kAtLast >= execution_.rounds()) return false;
  return execution_.sequence() != loop_ || tries_ < kTries;
}

void SteadyLoop::at(Cycle now) {
  if (execution_.sequence() != loop_) {
    loop_ = execution_.sequence();
    tries_ = 0;
    last_.reset();
  }
  Round round{execution_.k(), host_.next(), Residual(now), {}};
  hooks_.visit(round.state);
  if (!round.state.at_rest() || !scheduler_.pending(round.wakes)) {
    last_.reset();
    return;
  }
  ++tries_;
  const std::uint32_t rounds = last_ ? rounds_alike(*last_, round) : 0;
  if (rounds != 0 && max_cycles_ - now > rounds * (now - last_->state.now())) {
    pass(now, *last_, round, rounds);
    tries_ = kTries;
    return;
  }
  last_ = std::move(round);
}

std::uint32_t SteadyLoop::rounds_alike(const Round& before, const Round& now) const {
  const std::vector<std::uint64_t>& from = before.state.words();
  const std::vector<std::uint64_t>& to = now.state.words();
  if (before.number + 1 != now.number || before.next_item != now.next_item || before.wakes != now.wakes || from.size() != to.size()) return 0;
  if (before.state.operands() != now.state.operands() || before.state.rounds() != now.state.rounds()) return 0;
  const auto same_name = [](const Residual::Named& a, const Residual::Named& b) { return a.kind == b.kind && a.setting == b.setting && a.word == b.word; };
  if (!std::equal(before.state.names().begin(), before.state.names().end(), now.state.names().begin(), now.state.names().end(), same_name)) return 0;
  const LoopWsExecute::Banks banks = hooks_.banks();
  auto operand = now.state.operands().begin();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const bool is_operand = operand != now.state.operands().end() && *operand == i;
    if (is_operand) ++operand;
    if (from[i] == to[i] || i == now.state.rounds().front()) continue;
    const bool rows_alone = is_operand && from[i] < banks.rows && to[i] < banks.rows;   // of the scratchpad
    if (!rows_alone) return 0;
  }
  // Operations of two rounds ago may be in the array still.
  const std::uint32_t last = execution_.rounds() - kAtLast;
  const std::uint32_t first = now.number - 2;
  std::uint32_t rounds = last - now.number;
  while (rounds != 0 && !execution_.keeps_banks(first, now.number + rounds, banks)) rounds /= 2;
  return rounds;
}

void SteadyLoop::pass(Cycle now, const Round& before, const Round& round, std::uint32_t rounds) {
  std::vector<std::uint64_t> words = round.state.words();
  for (const std::size_t i : round.state.operands()) words[i] += rounds * (words[i] - before.state.words()[i]);
  words[round.state.rounds().front()] += rounds;
  std::vector<std::uint64_t> counts = round.state.counts();
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = rounds * (counts[i] - before.state.counts()[i]);
  const Cycle cycles = rounds * (now - before.state.now());
  scheduler_.jump(now + cycles, round.wakes);
  Residual load(now + cycles, words, round.state.names(), counts);
  hooks_.visit(load);
  SYSTOLE_CHECK(load.exhausted());
  rounds_passed_ += rounds;
}

}  // namespace systole::hw
