#include "hw/memory/soc/last_level_cache.h"

namespace systole::hw::soc {

LastLevelCache::LastLevelCache(const SocParams& params, unsigned beats, std::unique_ptr<AxiMemory> memory, LineValues* flat)
    : beats_(beats),
      ways_(static_cast<unsigned>(params.llc_ways)),
      sets_(static_cast<std::size_t>(params.llc_kib) * 1024 / kLineBytes / ways_),
      latency_(static_cast<Cycle>(params.llc_latency)),
      miss_limit_(static_cast<unsigned>(params.llc_misses)),
      memory_(std::move(memory)),
      flat_(flat),
      places_(sets_ * ways_),
      lines_(places_.size(), flat) {}

std::size_t LastLevelCache::find(std::uint64_t address) const {
  const std::uint64_t line = address / kLineBytes;
  const std::size_t first = line % sets_ * ways_;
  for (std::size_t place = first; place < first + ways_; ++place) {
    if (places_[place].line == line) return place;
  }
  return kNowhere;
}

// The least recently used place of the set; what stood there goes.
std::size_t LastLevelCache::take_place(std::uint64_t address) {
  const std::uint64_t line = address / kLineBytes;
  const std::size_t first = line % sets_ * ways_;
  std::size_t place = first;
  for (std::size_t other = first; other < first + ways_; ++other) {
    if (places_[other].used < places_[place].used) place = other;
  }
  Place& p = places_[place];
  if (p.line != kNoLine) {
    ++(p.dirty ? counts_.victims_dirty : counts_.victims_clean);
    if (p.dirty) write_backs_.push_back(p.line * kLineBytes);
    if (lines_.used()) {
      lines_.write_back(place);
      lines_.leave(place);
    }
  }
  p = {line, ++uses_, false};
  return place;
}

void LastLevelCache::read(Cycle now, unsigned id, std::uint64_t address) {
  ++counts_.reads;
  const std::size_t place = find(address);
  if (place != kNowhere) {
    ++counts_.read_hits;
    places_[place].used = ++uses_;
    answer_read(id, now + latency_, {0, 0, latency_});
    return;
  }
  ++reads_under_way_;
  waiting_.push_back({now + latency_, id, address});
  plan(now);
}

void LastLevelCache::write(Cycle now, unsigned id, std::uint64_t address) {
  ++counts_.writes;
  std::size_t place = find(address);
  if (place != kNowhere) {
    ++counts_.write_hits;
    places_[place].used = ++uses_;
  } else {
    place = take_place(address);
  }
  places_[place].dirty = true;
  answer_write(id, now + latency_);
  plan(now);
}

void LastLevelCache::advance(Cycle now) {
  if (memory_->work_at() <= now) memory_->advance(now);
  // ---- answers of memory
  if (memory_->write_offered() <= now) memory_->take_write();
  if (memory_->read_offered() <= now && lines_from_ <= now) {
    const unsigned number = memory_->read_id();
    const Fetch fetch = asked_[number];
    MemoryWaits waits = memory_->read_waits();
    waits.llc += latency_ + 1;
    (void)take_place(fetch.address);
    answer_read(fetch.id, now + 1, waits);
    free_.push_back(number);
    --reads_under_way_;
    memory_->take_read();
    lines_from_ = now + beats_;
  }
  // ---- requests: one read, or one beat of a write, a cycle
  if (channel_free_ <= now) {
    if (!waiting_.empty() && waiting_.front().at <= now && memory_->can_read()) {
      const Fetch fetch = waiting_.front();
      waiting_.pop_front();
      if (free_.empty()) {
        free_.push_back(static_cast<unsigned>(asked_.size()));
        asked_.emplace_back();
      }
      const unsigned number = free_.back();
      free_.pop_back();
      asked_[number] = fetch;
      memory_->read(now, number, fetch.address);
      channel_free_ = now + 1;
    } else if (!write_backs_.empty() && memory_->can_write()) {
      memory_->write(now + beats_ - 1, 0, write_backs_.front());
      write_backs_.pop_front();
      channel_free_ = now + beats_;
    }
  }
  plan(now + 1);
}

// When there is work next, not before `now`.
void LastLevelCache::plan(Cycle now) {
  Cycle at = std::min({memory_->work_at(), std::max(memory_->read_offered(), lines_from_), memory_->write_offered()});
  if (!waiting_.empty()) at = std::min(at, std::max(waiting_.front().at, channel_free_));
  if (!write_backs_.empty()) at = std::min(at, channel_free_);
  work_at_ = at == kNever ? kNever : std::max(at, now);
}

const std::uint8_t* LastLevelCache::look(std::uint64_t address, std::uint8_t* buffer) {
  const std::size_t place = find(address);
  return place == kNowhere ? flat_->look(address, buffer) : lines_.read(place, address);
}

void LastLevelCache::store(std::uint64_t address, const std::uint8_t* line) {
  const std::size_t place = find(address);
  if (place == kNowhere) flat_->store(address, line);
  else std::memcpy(lines_.write_whole(place, address), line, kLineBytes);
}

}  // namespace systole::hw::soc
