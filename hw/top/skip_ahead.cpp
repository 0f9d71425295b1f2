#include "hw/top/skip_ahead.h"

#include <algorithm>
#include <utility>

namespace systole::hw {
namespace {

std::uint64_t hash_of(const std::vector<std::uint64_t>& words) {
  std::uint64_t hash = words.size();
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::vector<std::uint64_t> difference(const std::vector<std::uint64_t>& to, const std::vector<std::uint64_t>& from) {
  SYSTOLE_CHECK(to.size() == from.size());
  std::vector<std::uint64_t> result = to;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] -= from[i];
  return result;
}

}  // namespace

SkipAhead::SkipAhead(WorkReader reader, const isa::Program& program, Scheduler& scheduler, IssuingHost& host, std::vector<RegionStart>& regions,
                     Cycle max_cycles, Hooks hooks)
    : program_(program),
      scheduler_(scheduler),
      host_(host),
      regions_(regions),
      max_cycles_(max_cycles),
      hooks_(std::move(hooks)),
      reader_(std::move(reader)) {
  for (std::size_t i = 0; i < program_.items.size(); ++i) {
    if (program_.items[i].kind == isa::ItemKind::kCommand) commands_.push_back(i);
  }
}

Cycle SkipAhead::at(Cycle now) {
  for (;;) {
    Residual state(now);
    hooks_.visit(state);
    if (!state.at_rest()) break;
    if (running_.valid) finish(now, state);
    loop_ = host_.held() ? kNoLoop : hooks_.loop();
    if (host_.held()) behind_fence_ = host_.next();
    if (repeat(now, state)) continue;
    running_ = Running{};
    running_.valid = true;
    running_.first = first_item();
    running_.next = host_.next();
    running_.start = now;
    running_.state = std::move(state);
    running_.accepts = host_.log().accepts.size();
    running_.fences = host_.log().fences.size();
    running_.regions = regions_.size();
    running_.totals = hooks_.totals(now);
    break;
  }
  if (host_.held()) host_.resume(now);
  return now;
}

// Inside a loop: what the loop was configured with. What is in front of the loop before it is done.
std::size_t SkipAhead::first_item() const {
  if (loop_ == kNoLoop) return host_.next();
  std::uint32_t command = loop_;
  while (command != 0 && commands_[command - 1] >= behind_fence_ && !reader_.starts_loop(program_.items[commands_[command - 1]])) --command;
  return commands_[command];
}

void SkipAhead::finish(Cycle now, const Residual& end) {
  ++counts_.simulated;
  counts_.simulated_cycles += now - running_.start;
  const bool holds = host_.held();
  Piece piece;
  // Inside a loop, what the host offers next may have cost it time already.
  piece.items = std::min(host_.next() + (holds ? 0 : 1), program_.items.size()) - running_.first;
  Work work = reader_.read(running_.first, running_.first + piece.items, running_.state);
  piece.repeatable = work.in_memory && scheduler_.pending(piece.wakes);
  piece.stretch.items = host_.next() - running_.next;
  piece.stretch.cycles = now - running_.start;
  piece.stretch.holds = holds;
  const IssuingHost::Log& log = host_.log();
  for (std::size_t i = running_.accepts; i < log.accepts.size(); ++i) piece.stretch.accepts.push_back(static_cast<std::uint32_t>(log.accepts[i] - running_.start));
  for (std::size_t i = running_.fences; i < log.fences.size(); ++i) piece.stretch.fences.push_back(static_cast<std::uint32_t>(log.fences[i] - running_.start));
  piece.registers = end.words();
  const std::vector<Residual::Named>& before = running_.state.names();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Residual::Named& named = end.names()[i];
    std::optional<Work::Name> name;
    const auto setting = static_cast<std::size_t>(named.setting);
    const bool changes = named.setting == Residual::Setting::kScaledLoad ? work.uses[setting] : work.sets[setting];
    if (named.kind != Residual::Name::kTurn && (named.setting == Residual::Setting::kAlways || changes)) {
      name = work.name_of(named);
      // A page of none of the piece's stretches is one that was not touched.
      if (name && named.kind == Residual::Name::kPage && name->number == 0) name.reset();
    } else if (named.kind == Residual::Name::kTurn) {
      name = Work::Name{named.kind, 0, named.word + Residual::kTurns - before[i].word};   // how far it turned
    }
    if (!name && named.word != before[i].word) piece.repeatable = false;
    piece.names.push_back(name);
  }
  piece.counts = difference(end.counts(), running_.state.counts());
  for (std::size_t i = running_.regions; i < regions_.size(); ++i) {
    Region region;
    region.begin = regions_[i].begin - running_.start;
    for (std::size_t unit = 0; unit < running_.totals.size(); ++unit) region.totals.push_back(difference(regions_[i].totals[unit], running_.totals[unit]));
    piece.regions.push_back(std::move(region));
  }
  piece.key = std::move(work.words);
  pieces_[hash_of(running_.state.words())].push_back(std::move(piece));
  running_.valid = false;
}

bool SkipAhead::repeat(Cycle& now, const Residual& state) {
  const auto bucket = pieces_.find(hash_of(state.words()));
  if (bucket == pieces_.end()) return false;
  const std::size_t first = first_item();
  std::size_t items = 0;
  Work work;
  for (const Piece& piece : bucket->second) {
    if (piece.items > program_.items.size() - first) continue;
    if (piece.items != items) {
      items = piece.items;
      work = reader_.read(first, first + items, state);
    }
    if (work.words != piece.key) continue;
    if (!piece.repeatable || !work.in_memory || piece.stretch.cycles > max_cycles_ - now) return false;
    go_on(now, state, piece, work);
    return true;
  }
  return false;
}

// As if the piece had been simulated.
void SkipAhead::go_on(Cycle& now, const Residual& state, const Piece& piece, const Work& work) {
  const std::vector<std::vector<std::uint64_t>> before = piece.regions.empty() ? std::vector<std::vector<std::uint64_t>>{} : hooks_.totals(now);
  std::size_t region = 0;
  for (std::size_t i = host_.next(); i < host_.next() + piece.stretch.items; ++i) {
    const isa::Item& item = program_.items[i];
    if (item.kind != isa::ItemKind::kRegion) continue;
    const Region& known = piece.regions.at(region++);
    RegionStart start{static_cast<std::uint32_t>(item.value), now + known.begin, before};
    for (std::size_t unit = 0; unit < before.size(); ++unit) {
      for (std::size_t s = 0; s < before[unit].size(); ++s) start.totals[unit][s] += known.totals[unit][s];
    }
    regions_.push_back(std::move(start));
  }
  std::vector<Residual::Named> names;
  for (std::size_t i = 0; i < piece.names.size(); ++i) {
    const Residual::Named& now_named = state.names()[i];
    std::uint64_t word = piece.names[i] ? *work.word_of(*piece.names[i]) : now_named.word;
    if (now_named.kind == Residual::Name::kTurn) word = (now_named.word + word) % Residual::kTurns;
    names.push_back({now_named.kind, now_named.setting, word});
  }
  host_.skip(now, piece.stretch);
  now += piece.stretch.cycles;
  scheduler_.jump(now, piece.wakes);
  Residual load(now, piece.registers, names, piece.counts);
  hooks_.visit(load);
  SYSTOLE_CHECK(load.exhausted());
  ++counts_.repeated;
  counts_.repeated_cycles += piece.stretch.cycles;
}

}  // namespace systole::hw
