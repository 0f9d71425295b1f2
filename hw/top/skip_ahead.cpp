#include "hw/top/skip_ahead.h"

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
      reader_(std::move(reader)) {}

void SkipAhead::at_fence(Cycle now) {
  for (;;) {
    Residual state(now);
    hooks_.visit(state);
    if (!state.at_rest()) {
      running_.fences.push_back(host_.next());
      break;
    }
    if (running_.valid) finish(now, state);
    if (repeat(now, state)) continue;
    running_ = Running{};
    running_.valid = true;
    running_.begin = host_.next();
    running_.start = now;
    running_.state = std::move(state);
    running_.accepts = host_.log().accepts.size();
    running_.fence_log = host_.log().fences.size();
    running_.regions = regions_.size();
    running_.totals = hooks_.totals(now);
    break;
  }
  host_.resume(now);
}

std::size_t SkipAhead::behind_fence(std::size_t item) const {
  for (; item < program_.items.size(); ++item) {
    if (program_.items[item].kind == isa::ItemKind::kFence) return item + 1;
  }
  return 0;
}

SkipAhead::Piece* SkipAhead::find(const std::vector<std::uint64_t>& key) {
  const auto bucket = pieces_.find(hash_of(key));
  if (bucket == pieces_.end()) return nullptr;
  for (Piece& piece : bucket->second) {
    if (piece.key == key) return &piece;
  }
  return nullptr;
}

void SkipAhead::keep(Piece piece) {
  if (find(piece.key) != nullptr) return;
  std::vector<Piece>& bucket = pieces_[hash_of(piece.key)];
  bucket.push_back(std::move(piece));
}

void SkipAhead::finish(Cycle now, const Residual& end) {
  ++counts_.simulated;
  counts_.simulated_cycles += now - running_.start;
  for (const std::size_t fence : running_.fences) {
    Piece beginning;
    beginning.key = reader_.read(running_.begin, fence, running_.state).words;
    keep(std::move(beginning));
  }
  Work work = reader_.read(running_.begin, host_.next(), running_.state);
  Piece piece;
  piece.whole = true;
  piece.repeatable = work.in_memory && scheduler_.pending(piece.wakes);
  piece.stretch.items = host_.next() - running_.begin;
  piece.stretch.cycles = now - running_.start;
  const IssuingHost::Log& log = host_.log();
  for (std::size_t i = running_.accepts; i < log.accepts.size(); ++i) piece.stretch.accepts.push_back(static_cast<std::uint32_t>(log.accepts[i] - running_.start));
  for (std::size_t i = running_.fence_log; i < log.fences.size(); ++i) piece.stretch.fences.push_back(static_cast<std::uint32_t>(log.fences[i] - running_.start));
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
  keep(std::move(piece));
  running_.valid = false;
}

bool SkipAhead::repeat(Cycle& now, const Residual& state) {
  const std::size_t begin = host_.next();
  for (std::size_t end = behind_fence(begin); end != 0; end = behind_fence(end)) {
    const Work work = reader_.read(begin, end, state);
    const Piece* piece = find(work.words);
    if (piece == nullptr) return false;
    if (!piece->whole) continue;
    if (!piece->repeatable || !work.in_memory || piece->stretch.cycles > max_cycles_ - now) return false;

    const std::vector<std::vector<std::uint64_t>> before = piece->regions.empty() ? std::vector<std::vector<std::uint64_t>>{} : hooks_.totals(now);
    std::size_t region = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const isa::Item& item = program_.items[i];
      if (item.kind != isa::ItemKind::kRegion) continue;
      const Region& known = piece->regions.at(region++);
      RegionStart start{static_cast<std::uint32_t>(item.value), now + known.begin, before};
      for (std::size_t unit = 0; unit < before.size(); ++unit) {
        for (std::size_t s = 0; s < before[unit].size(); ++s) start.totals[unit][s] += known.totals[unit][s];
      }
      regions_.push_back(std::move(start));
    }
    std::vector<Residual::Named> names;
    for (std::size_t i = 0; i < piece->names.size(); ++i) {
      const Residual::Named& now_named = state.names()[i];
      std::uint64_t word = piece->names[i] ? *work.word_of(*piece->names[i]) : now_named.word;
      if (now_named.kind == Residual::Name::kTurn) word = (now_named.word + word) % Residual::kTurns;
      names.push_back({now_named.kind, now_named.setting, word});
    }
    host_.skip(now, piece->stretch);
    now += piece->stretch.cycles;
    scheduler_.jump(now, piece->wakes);
    Residual load(now, piece->registers, names, piece->counts);
    hooks_.visit(load);
    SYSTOLE_CHECK(load.exhausted());
    ++counts_.repeated;
    counts_.repeated_cycles += piece->stretch.cycles;
    return true;
  }
  return false;
}

}  // namespace systole::hw
