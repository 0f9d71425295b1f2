#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <vector>

#include "hw/memory/soc/dram.h"

namespace systole::hw::soc {
namespace {

constexpr DramKind kKinds[] = {DramKind::kDdr3_1600, DramKind::kDdr4_2400, DramKind::kLpddr4_3200};
constexpr DramCommand kAct = DramCommand::kActivate, kPre = DramCommand::kPrecharge, kRd = DramCommand::kRead, kWr = DramCommand::kWrite,
                      kRef = DramCommand::kRefresh;

// A command follows at n clocks and not at n - 1.
#define EXPECT_GAP(state, command, bank, from, n)                      \
  do {                                                                 \
    EXPECT_GT((state).earliest(command, bank), (from) + (n)-1);        \
    EXPECT_LE((state).earliest(command, bank), (from) + (n));          \
  } while (false)

TEST(DramState, EveryTimingHoldsAtItsClock) {
  for (const DramKind kind : kKinds) {
    const DramTiming t = dram_timing(kind);
    SCOPED_TRACE(t.source);
    const unsigned same_group = t.groups == 1 ? 2 : t.groups;   // bank 0 and this one share a group
    const unsigned other_group = 1;             // another group, where there are groups
    constexpr DramClock kStart = 1000;
    {
      DramState s(t);
      s.issue(kStart, kAct, 0, 5);
      EXPECT_EQ(s.open_row(0), 5);
      EXPECT_GAP(s, kRd, 0, kStart, t.rcd);
      EXPECT_GAP(s, kWr, 0, kStart, t.rcd);
      EXPECT_GAP(s, kPre, 0, kStart, t.ras);
      EXPECT_GAP(s, kAct, 0, kStart, t.ras + t.rp);
      EXPECT_GAP(s, kAct, same_group, kStart, t.rrd_l);
      EXPECT_GAP(s, kAct, other_group, kStart, t.groups > 1 ? t.rrd_s : t.rrd_l);
    }
    {
      DramState s(t);   // tFAW: the fifth activate
      DramClock at = kStart;
      for (unsigned bank = 0; bank < 4; ++bank) {
        at = std::max(at, s.earliest(kAct, bank));
        s.issue(at, kAct, bank, 1);
      }
      EXPECT_GAP(s, kAct, 4, kStart, std::max(t.faw, at + (t.groups > 1 ? t.rrd_l : t.rrd_s) - kStart));
    }
    {
      DramState s(t);   // tRP after a late precharge, tRTP
      s.issue(kStart, kAct, 0, 5);
      const DramClock read = kStart + t.ras + 50;
      s.issue(read, kRd, 0);
      EXPECT_GAP(s, kPre, 0, read, t.rtp);
      EXPECT_GAP(s, kRd, 0, read, t.ccd_l);
      EXPECT_GAP(s, kWr, 0, read, t.cl + t.burst + 2 - t.cwl);
      s.issue(read + t.rtp, kPre, 0);
      EXPECT_EQ(s.open_row(0), DramState::kClosed);
      EXPECT_GAP(s, kAct, 0, read + t.rtp, t.rp);
      EXPECT_GAP(s, kRef, 0, read + t.rtp, t.rp);
      s.issue(read + t.rtp + t.rp, kRef, 0);
      for (unsigned bank = 0; bank < t.banks; ++bank) EXPECT_GAP(s, kAct, bank, read + t.rtp + t.rp, t.rfc);
    }
    {
      DramState s(t);   // column commands to other banks, and after a write
      s.issue(kStart, kAct, 0, 1);
      s.issue(kStart + 50, kAct, other_group, 1);
      s.issue(kStart + 120, kAct, same_group, 1);
      const DramClock write = kStart + 500;
      s.issue(write, kWr, 0);
      EXPECT_GAP(s, kPre, 0, write, t.cwl + t.burst + t.wr);
      EXPECT_GAP(s, kWr, same_group, write, t.ccd_l);
      EXPECT_GAP(s, kRd, same_group, write, t.cwl + t.burst + t.wtr_l);
      if (t.groups > 1) {
        EXPECT_GAP(s, kWr, other_group, write, t.ccd_s);
        EXPECT_GAP(s, kRd, other_group, write, t.cwl + t.burst + t.wtr_s);
        s.issue(write + 200, kRd, 0);
        EXPECT_GAP(s, kRd, other_group, write + 200, t.ccd_s);
      }
    }
  }
}

struct Command {
  DramClock at;
  DramCommand command;
  unsigned bank;
  std::int64_t row;
};

class CommandList final : public DramLog {
 public:
  void command(DramClock at, DramCommand command, unsigned bank, std::int64_t row) override { list.push_back({at, command, bank, row}); }
  std::vector<Command> list;
};

// Runs requests to their end. Returns the ids of the reads in the order of their answers, with the cycle of each.
std::vector<std::pair<unsigned, Cycle>> serve(Dram& dram, const std::vector<std::tuple<Cycle, bool, std::uint64_t>>& requests, Cycle limit) {
  std::vector<std::pair<unsigned, Cycle>> answers;
  std::size_t next = 0;
  for (Cycle now = 0; now < limit; ++now) {
    if (dram.work_at() <= now) dram.advance(now);
    if (dram.write_offered() <= now) dram.take_write();
    if (dram.read_offered() <= now) {
      const unsigned id = dram.read_id();
      dram.take_read();
      answers.emplace_back(id, now);
    }
    if (next < requests.size() && std::get<0>(requests[next]) <= now) {
      const auto& [at, write, address] = requests[next];
      if (write ? dram.can_write() : dram.can_read()) {
        write ? dram.write(now + 1, static_cast<unsigned>(next), address) : dram.read(now + 1, static_cast<unsigned>(next), address);
        ++next;
      }
    }
  }
  EXPECT_EQ(next, requests.size());
  return answers;
}

SocParams params_of(DramKind kind, PagePolicy page = PagePolicy::kOpen) {
  SocParams params;
  params.dram = kind;
  params.dram_page = page;
  return params;
}

// An independent look at a list of commands: every pair against the standard's table.
void check_commands(const std::vector<Command>& list, const DramTiming& t, bool closed_page) {
  std::map<unsigned, std::int64_t> open;
  std::map<unsigned, DramClock> closed_at;
  std::vector<DramClock> activates;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Command& c = list[i];
    if (i != 0) {
      ASSERT_GE(c.at, list[i - 1].at + (list[i - 1].command == kPre && c.command == kPre ? 0 : 1));
    }
    if (c.command == kAct) {
      if (!closed_page) {
        ASSERT_EQ(open.count(c.bank), 0u);
      }
      open[c.bank] = c.row;
      if (activates.size() >= 4) {
        ASSERT_GE(c.at - activates[activates.size() - 4], t.faw);
      }
      activates.push_back(c.at);
    } else if (c.command == kPre) {
      open.erase(c.bank);
    } else if (c.command == kRef) {
      if (!closed_page) {
        ASSERT_TRUE(open.empty());
      }
      open.clear();
    } else {
      ASSERT_EQ(open.at(c.bank), c.row);
    }
    for (std::size_t k = i; k-- > 0;) {
      const Command& before = list[k];
      const DramClock gap = c.at - before.at;
      if (gap > t.rfc + t.rc()) break;
      const bool same = before.bank == c.bank;
      const bool group = before.bank % t.groups == c.bank % t.groups;
      const DramClock written = t.cwl + t.burst;
      DramClock least = 0;
      if (before.command == kRef && c.command != kPre) least = t.rfc;
      if (before.command == kAct && c.command == kAct) least = same ? t.rc() : group ? t.rrd_l : t.rrd_s;
      if (before.command == kAct && same && (c.command == kRd || c.command == kWr)) least = t.rcd;
      if (before.command == kAct && same && c.command == kPre) least = t.ras;
      if (before.command == kPre && ((same && c.command == kAct) || c.command == kRef)) least = t.rp;
      if (before.command == kRd && same && c.command == kPre) least = t.rtp;
      if (before.command == kWr && same && c.command == kPre) least = written + t.wr;
      if (before.command == kRd && same && c.command == kAct) least = t.rtp + t.rp;
      if (before.command == kWr && same && c.command == kAct) least = written + t.wr + t.rp;
      if (before.command == c.command && (c.command == kRd || c.command == kWr)) least = group ? t.ccd_l : t.ccd_s;
      if (before.command == kRd && c.command == kWr) least = t.cl + t.burst + 2 - t.cwl;
      if (before.command == kWr && c.command == kRd) least = written + (group ? t.wtr_l : t.wtr_s);
      ASSERT_GE(gap, least) << fmt::format("command {} to bank {} at {} after command {} to bank {} at {}", static_cast<int>(c.command), c.bank, c.at,
                                           static_cast<int>(before.command), before.bank, before.at);
    }
  }
}

TEST(Dram, RandomTrafficKeepsEveryTiming) {
  for (const DramKind kind : kKinds) {
    for (const PagePolicy page : {PagePolicy::kOpen, PagePolicy::kClosed}) {
      for (unsigned seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE(fmt::format("{} page {} seed {}", dram_timing(kind).source, static_cast<int>(page), seed));
        std::mt19937_64 random(seed);
        std::vector<std::tuple<Cycle, bool, std::uint64_t>> requests;
        Cycle at = 0;
        std::size_t reads = 0;
        for (int i = 0; i < (seed == 1 ? 6000 : 1500); ++i) {
          at += random() % (seed == 1 ? 2 : seed == 2 ? 20 : 60);
          const bool write = random() % 3 == 0;
          reads += write ? 0 : 1;
          const std::uint64_t address = 0x80000000u + random() % 4096 * 64 * (seed == 3 ? 997 : 1);
          requests.emplace_back(at, write, address);
        }
        CommandList log;
        Dram dram(params_of(kind, page), dram_timing(kind), &log);
        const auto answers = serve(dram, requests, at + 200'000);
        EXPECT_EQ(answers.size(), reads);
        const DramCounts& counts = dram.counts();
        EXPECT_EQ(counts.reads + counts.writes, requests.size());
        EXPECT_GT(counts.refreshes, 0u);
        check_commands(log.list, dram_timing(kind), page == PagePolicy::kClosed);
        if (testing::Test::HasFatalFailure()) return;
        DramClock last = 0;
        for (const Command& c : log.list) {
          if (c.command != kRef) continue;
          EXPECT_LE(c.at - last, 2 * dram_timing(kind).refi);
          last = c.at;
        }
      }
    }
  }
}

TEST(Dram, LatencyOfOneReadIsTheSumOfItsParts) {
  for (const DramKind kind : kKinds) {
    const DramTiming t = dram_timing(kind);
    const SocParams params = params_of(kind);
    Dram dram(params, dram_timing(kind));
    const auto answers = serve(dram, {{100, false, 0x80000000}}, 2000);
    ASSERT_EQ(answers.size(), 1u);
    const std::uint64_t arrival = (101'000 + static_cast<std::uint64_t>(t.tck_ps) - 1) / static_cast<std::uint64_t>(t.tck_ps);
    const std::uint64_t data_ps = (arrival + static_cast<std::uint64_t>(t.rcd + t.cl + t.burst)) * static_cast<std::uint64_t>(t.tck_ps);
    EXPECT_EQ(answers[0].second, (data_ps + 999) / 1000 + static_cast<Cycle>(params.dram_controller_latency));
  }
}

// Three reads of one bank, the second of another row: the row that is open goes first.
TEST(Dram, RowHitsGoBeforeOlderRequests) {
  const DramTiming t = dram_timing(DramKind::kDdr3_1600);
  const std::uint64_t row = std::uint64_t{t.row_lines} * t.banks * 64;
  for (const PagePolicy page : {PagePolicy::kOpen, PagePolicy::kClosed}) {
    Dram dram(params_of(DramKind::kDdr3_1600, page), t);
    const auto answers = serve(dram, {{10, false, 0}, {11, false, row}, {12, false, 64}}, 2000);
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_EQ(answers[0].first, 0u);
    EXPECT_EQ(answers[1].first, 2u);
    EXPECT_EQ(answers[2].first, 1u);
    EXPECT_EQ(dram.counts().row_hits, 1u);
  }
}

TEST(Dram, ClosedPageSparesThePrechargeOfALaterConflict) {
  const DramTiming t = dram_timing(DramKind::kDdr4_2400);
  const std::uint64_t row = std::uint64_t{t.row_lines} * t.banks * 64;
  const auto second = [&](PagePolicy page) {
    Dram dram(params_of(DramKind::kDdr4_2400, page), t);
    return serve(dram, {{10, false, 0}, {500, false, row}}, 3000).at(1).second;
  };
  const Cycle open = second(PagePolicy::kOpen), closed = second(PagePolicy::kClosed);
  const Cycle rp = static_cast<Cycle>(t.rp * t.tck_ps / 1000);
  EXPECT_GE(open - closed, rp - 1);
  EXPECT_LE(open - closed, rp + 1);
}

TEST(Dram, AReadSeesAWriteThatWaits) {
  Dram dram(params_of(DramKind::kDdr4_2400), dram_timing(DramKind::kDdr4_2400));
  const auto answers = serve(dram, {{10, false, 1 << 20}, {11, true, 4096}, {12, false, 4096}}, 2000);
  EXPECT_EQ(answers.size(), 2u);
  EXPECT_EQ(dram.counts().forwarded, 1u);
}

}  // namespace
}  // namespace systole::hw::soc
