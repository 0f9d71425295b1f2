// The last-level cache alone, in front of a memory of 30 cycles: cycles derived by hand from its rules.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "hw/memory/soc/last_level_cache.h"

namespace systole::hw::soc {
namespace {

constexpr unsigned kBeats = 8;
constexpr std::uint64_t kA = 0x80000000, kSetBytes = 128 * 64;   // 16 KiB, 2 ways: 128 sets

struct Event {
  Cycle at;
  bool write;
  std::uint64_t address;
  friend bool operator==(const Event& a, const Event& b) { return a.at == b.at && a.write == b.write && a.address == b.address; }
};

class Below final : public AxiMemory {
 public:
  explicit Below(std::vector<Event>& log) : log_(log) {}
  void read(Cycle now, unsigned id, std::uint64_t address) override {
    log_.push_back({now, false, address});
    answer_read(id, now + 30);
  }
  void write(Cycle now, unsigned id, std::uint64_t address) override {
    log_.push_back({now, true, address});
    answer_write(id, now + 10);
  }

 private:
  std::vector<Event>& log_;
};

struct Answer {
  Cycle first = 0, last = 0, write = 0;
};

struct Bench {
  Bench() {
    SocParams params;
    params.llc_kib = 16;
    params.llc_ways = 2;
    params.llc_latency = 20;
    params.llc_misses = 4;
    cache = std::make_unique<LastLevelCache>(params, kBeats, std::make_unique<Below>(below), nullptr);
  }
  // Requests at their cycles (address on AXI; of a write: its last beat); their numbers are the ids.
  std::vector<Answer> serve(const std::vector<Event>& requests) {
    std::vector<Answer> answers(requests.size());
    Cycle free_at = 0;   // one beat a cycle
    std::size_t next = 0;
    for (Cycle now = 0; now < 5000; ++now) {
      if (cache->work_at() <= now) cache->advance(now);
      if (cache->write_offered() <= now) {
        answers[cache->write_id()].write = now;
        cache->take_write();
      }
      if (cache->read_offered() <= now && free_at <= now) {
        const unsigned id = cache->read_id();
        answers[id].first = now;
        answers[id].last = now + kBeats - 1;
        cache->take_read();
        free_at = now + kBeats;
      }
      while (next < requests.size() && requests[next].at <= now) {
        const Event& r = requests[next];
        if (r.write ? !cache->can_write() : !cache->can_read()) break;
        r.write ? cache->write(now, static_cast<unsigned>(next), r.address) : cache->read(now, static_cast<unsigned>(next), r.address);
        ++next;
      }
    }
    EXPECT_EQ(next, requests.size());
    return answers;
  }
  std::vector<Event> below;
  std::unique_ptr<LastLevelCache> cache;
};

TEST(LastLevelCache, MissThenHit) {
  Bench b;
  const auto answers = b.serve({{100, false, kA}, {300, false, kA}});
  EXPECT_EQ(b.below, (std::vector<Event>{{120, false, kA}}));   // lookup: 20
  EXPECT_EQ(answers[0].first, 120u + 30 + 1);
  EXPECT_EQ(answers[0].last, 151u + 7);
  EXPECT_EQ(answers[1].first, 320u);
  EXPECT_EQ(answers[1].last, 327u);
  EXPECT_EQ(b.cache->counts().read_hits, 1u);
}

TEST(LastLevelCache, MissesOverlapAndHitsOvertakeThem) {
  Bench b;
  const auto answers = b.serve({{100, false, kA}, {500, false, kA + 64}, {501, false, kA + 128}, {502, false, kA}});
  EXPECT_EQ(answers[1].first, 500u + 20 + 30 + 1);
  EXPECT_EQ(answers[2].first, answers[1].first + 8);   // one beat a cycle at memory
  EXPECT_EQ(answers[3].first, 522u);
}

TEST(LastLevelCache, WritesTakeAPlaceWithoutAFetch) {
  Bench b;
  const auto answers = b.serve({{100, true, kA}, {200, false, kA}});
  EXPECT_EQ(answers[0].write, 120u);
  EXPECT_EQ(answers[1].first, 220u);
  EXPECT_TRUE(b.below.empty());
  EXPECT_EQ(b.cache->counts().writes, 1u);
  EXPECT_EQ(b.cache->counts().write_hits, 0u);
}

TEST(LastLevelCache, TheLeastRecentlyUsedLineGoesAndIsWrittenBackIfDirty) {
  Bench b;
  const std::uint64_t kB = kA + kSetBytes, kC = kA + 2 * kSetBytes;
  const auto answers = b.serve({{100, true, kA}, {200, false, kB}, {400, false, kC}, {600, false, kB}, {700, false, kA}});
  // C comes with its first beat at 450: A goes, its last beat is on the way at 457.
  EXPECT_EQ(b.below, (std::vector<Event>{{220, false, kB}, {420, false, kC}, {457, true, kA}, {720, false, kA}}));
  EXPECT_EQ(answers[3].first, 620u);         // B is still there
  EXPECT_EQ(answers[4].first, 720u + 31);    // A is not
  EXPECT_EQ(b.cache->counts().victims_dirty, 1u);
  EXPECT_EQ(b.cache->counts().victims_clean, 1u);   // C, for A
}

TEST(LastLevelCache, AsManyMissesAsItMayFetch) {
  Bench b;
  std::vector<Event> requests;
  for (unsigned i = 0; i < 6; ++i) requests.push_back({100, false, kA + i * 64});
  const auto answers = b.serve(requests);
  EXPECT_EQ(b.below[3].at, 123u);
  EXPECT_GT(b.below[4].at, 150u);    // after the first one has come
  EXPECT_EQ(answers[0].first, 151u);
}

}  // namespace
}  // namespace systole::hw::soc
