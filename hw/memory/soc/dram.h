#pragma once
// One DRAM channel and its controller. Row hits go first, then the oldest request (FR-FCFS; Rixner et al., ISCA 2000); reads go before writes
// until the queue of writes is three quarters full, then writes go until it is a quarter full. A write is answered when the controller has
// it; a read of a line that still waits to be written is answered from the queue. All banks are refreshed together when tREFI is over.
//   open page     a row stays open until another one of its bank is wanted
//   closed page   a row is closed with the last access that the queues hold for it
// Lines are spread over bank groups first, then columns, banks, rows. A line leaves the controller `dram_controller_latency` cycles after its
// last byte.
#include <deque>

#include "hw/memory/soc/axi_memory.h"
#include "hw/memory/soc/dram_state.h"
#include "hw/ports/memory_log.h"

namespace systole::hw::soc {

// Observer of the commands, for tests.
class DramLog {
 public:
  virtual ~DramLog() = default;
  virtual void command(DramClock at, DramCommand command, unsigned bank, std::int64_t row) = 0;
};

class Dram final : public AxiMemory {
 public:
  Dram(const SocParams& params, const DramTiming& timing, DramLog* log = nullptr);

  [[nodiscard]] bool can_read() const override { return reads_.size() < read_limit_; }
  void read(Cycle now, unsigned id, std::uint64_t address) override;
  [[nodiscard]] bool can_write() const override { return writes_.size() < write_limit_; }
  void write(Cycle now, unsigned id, std::uint64_t address) override;
  void advance(Cycle now) override;

  [[nodiscard]] const DramCounts& counts() const { return counts_; }

 private:
  struct Request {
    unsigned id = 0;
    std::uint64_t address = 0;
    unsigned bank = 0;
    std::int64_t row = 0;
    DramClock arrival = 0;
    bool opened = false;       // its row had to be opened for it
    bool conflict = false;     // after another row was closed
    DramClock refreshing = 0;  // clocks of its wait in which refreshes kept everything waiting
  };
  [[nodiscard]] Request request_of(Cycle now, unsigned id, std::uint64_t address) const;
  [[nodiscard]] DramClock clock_at(Cycle cycle) const { return static_cast<DramClock>((cycle * cycle_ps_ + tck_ps_ - 1) / tck_ps_); }   // first edge not before
  [[nodiscard]] Cycle cycle_at(DramClock clock) const { return (static_cast<std::uint64_t>(clock) * tck_ps_ + cycle_ps_ - 1) / cycle_ps_; }
  void arrive(Cycle now);
  void catch_up_refreshes(DramClock clock);
  [[nodiscard]] bool row_wanted(unsigned bank, std::int64_t row) const;
  void issue(DramClock clock, DramCommand command, unsigned bank, std::int64_t row);
  DramClock step(DramClock clock);
  DramClock refresh_step(DramClock clock);
  void book_refresh(DramClock begin, DramClock end);
  void finish(DramClock clock, std::deque<Request>& queue, std::size_t index);

  const DramTiming timing_;
  const std::uint64_t cycle_ps_;
  const std::uint64_t tck_ps_;
  const Cycle controller_latency_;
  const Cycle write_latency_;
  const std::size_t read_limit_;
  const std::size_t write_limit_;
  const bool closed_page_;
  DramLog* log_;
  DramState state_;
  std::deque<Request> reads_;
  std::deque<Request> writes_;
  bool draining_ = false;
  DramClock clock_ = 0;             // first edge not yet worked on
  DramClock next_refresh_;         // when it is due
  DramCounts counts_;
};

}  // namespace systole::hw::soc
