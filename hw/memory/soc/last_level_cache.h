#pragma once
// A last-level cache between the L2's memory port and memory: set-associative, LRU, write-back; empty before the first command.
//   read hit     the line's first beat `latency` cycles after its address
//   read miss    memory is asked `latency` cycles after the address; each beat leaves one cycle after memory sent it; the line takes its place
//                with its first beat
//   write        always of a whole line: it takes a place without being fetched, and is answered `latency` cycles after its last beat
// Lines that have to go and were written are written to memory when no read waits there, one beat a cycle.
#include <deque>
#include <memory>

#include "hw/memory/soc/axi_memory.h"
#include "hw/memory/soc/line_array.h"

namespace systole::hw::soc {

class LastLevelCache final : public AxiMemory, public LineValues {
 public:
  // `flat`: values behind it, null in a run without values.
  LastLevelCache(const SocParams& params, unsigned beats, std::unique_ptr<AxiMemory> memory, LineValues* flat);

  [[nodiscard]] bool can_read() const override { return reads_under_way_ < miss_limit_ && write_backs_.size() < kWriteBacks; }
  void read(Cycle now, unsigned id, std::uint64_t address) override;
  [[nodiscard]] bool can_write() const override { return write_backs_.size() < kWriteBacks; }
  void write(Cycle now, unsigned id, std::uint64_t address) override;
  void advance(Cycle now) override;

  // ---- values
  const std::uint8_t* look(std::uint64_t address, std::uint8_t* buffer) override;
  void store(std::uint64_t address, const std::uint8_t* line) override;
  // Memory behind it gets every changed byte; and the cache forgets what it knows.
  void store_changed_lines() { lines_.write_back_all(); }
  void forget_values() { lines_.leave_all(); }

  [[nodiscard]] const LlcCounts& counts() const { return counts_; }

 private:
  static constexpr std::uint64_t kNoLine = ~std::uint64_t{0};
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  static constexpr std::size_t kWriteBacks = 32;
  struct Place {
    std::uint64_t line = kNoLine;   // address / 64
    std::uint64_t used = 0;         // order of last uses
    bool dirty = false;
  };
  struct Fetch {
    Cycle at = 0;                   // when memory is asked
    unsigned id = 0;
    std::uint64_t address = 0;
  };
  [[nodiscard]] std::size_t find(std::uint64_t address) const;
  std::size_t take_place(std::uint64_t address);
  void plan(Cycle now);

  const unsigned beats_;
  const unsigned ways_;
  const std::size_t sets_;
  const Cycle latency_;
  const unsigned miss_limit_;
  std::unique_ptr<AxiMemory> memory_;
  LineValues* flat_;
  std::vector<Place> places_;
  LineArray lines_;
  std::uint64_t uses_ = 0;
  std::deque<Fetch> waiting_;             // to be asked for
  std::vector<Fetch> asked_;              // by number; free ones have no id in use
  std::vector<unsigned> free_;
  unsigned reads_under_way_ = 0;
  std::deque<std::uint64_t> write_backs_;
  Cycle lines_from_ = 0;                  // memory can send the next line from then on
  Cycle channel_free_ = 0;                // first cycle for the next request to memory
  LlcCounts counts_;
};

}  // namespace systole::hw::soc
