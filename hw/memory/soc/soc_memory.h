#pragma once
// The memory system of a Chipyard SoC at the accelerator's port: tile buffers, system bus, inclusive L2 with its banks, memory port, and what
// stands behind it. The bus and the crossbars on the way are wires (one clock); a beat waits in two-entry buffers at the tile in both
// directions. Banks, and the CPU beside the accelerator, take turns where they meet; a request or answer of several beats is not interrupted.
// Values live in the lines of the caches and in flat memory behind them.
#include <functional>
#include <memory>
#include <vector>

#include "hw/memory/port_values.h"
#include "hw/memory/soc/cpu_agent.h"
#include "hw/memory/soc/dram.h"
#include "hw/memory/soc/inclusive_cache.h"
#include "hw/memory/soc/last_level_cache.h"
#include "hw/memory/soc/line_values.h"
#include "hw/memory/soc/memory_port.h"
#include "hw/ports/host_access.h"
#include "hw/ports/load_runs.h"
#include "hw/ports/memory_log.h"
#include "hw/ports/port_log.h"
#include "sim/kernel/channel.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class SocMemory final : public Unit {
 public:
  SocMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values, Channel<RequestBeat>& in_request,
            Channel<ResponseBeat>& out_response, PortLog* port_log, MemoryLog* memory_log, LoadRuns* load_runs = nullptr);

  // The CPU's ranges come from `in`; each operation's end is told on `out`.
  void connect_host(Channel<HostAccess>& in, Channel<HostAccessDone>& out);

  // Before the first request. Throws ConfigError for a way that the cache does not have.
  void place(const ResidentRange& range);

  // Makes the lines of a range resident and clean, each in the next way of its set; those that find no room stay out.
  void place_where_room(std::uint64_t address, std::uint64_t bytes);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;

  // A Put is acknowledged with its first beat: nobody waits for the others, but they come.
  [[nodiscard]] bool expects_beats() const { return entering_[0] != soc::kNoRequest || entering_[1] != soc::kNoRequest; }
  // Calls `done`, once, in the cycle in which the last one that is expected arrives.
  void when_complete(std::function<void()> done) { complete_ = std::move(done); }
  // After the program, when no beats are expected: write-backs that are still under way come to their end.
  void drain();

  // ---- values, while no request is under way (after a fence, or drain())
  // Flat memory gets every byte that was written.
  void store_values();
  // Flat memory was changed by others (after store_values()).
  void forget_values();

  [[nodiscard]] L2Counts counts() const;
  [[nodiscard]] const ReadWaits& read_waits() const { return waits_; }
  [[nodiscard]] const DramCounts* dram_counts() const;   // null: a memory of fixed latency
  [[nodiscard]] const LlcCounts* llc_counts() const;     // null: none
  [[nodiscard]] HostAccessCounts host_counts() const;

 private:
  std::unique_ptr<soc::AxiMemory> make_axi_memory();
  void take_request(Cycle now);
  bool send_response(Cycle now);
  [[nodiscard]] unsigned pitch_of(Cycle now, soc::RequestSlot slot) const;
  void send_run(Cycle now, soc::RequestSlot slot, unsigned pitch);
  void pass_run_beat(Cycle now, soc::RequestSlot slot);
  void account(Cycle now, const soc::Request& request);
  [[nodiscard]] bool cpu_works(Cycle now) const { return host_in_ != nullptr && (cpu_.busy() || host_in_->front(now) != nullptr); }
  bool step(Cycle now, bool alone);
  [[nodiscard]] Cycle unseen_cycles() const;
  void catch_up(Cycle now);
  void pass_answer(Cycle now, soc::RequestSlot answer);
  bool step_bus(Cycle now);
  template <class Wants>
  unsigned next_turn(unsigned last, Wants&& wants) const;
  // The tile's beat that has come to the L2, or null.
  [[nodiscard]] const soc::RequestItem* tile_beat(Cycle now) const {
    return !tile_requests_.empty() && tile_requests_.front().at <= now ? &tile_requests_.front().item : nullptr;
  }
  [[nodiscard]] bool at_rest() const;

  const MachineParams params_;
  const soc::Geometry geometry_;
  Memory& memory_;
  ValuePlane* values_;
  Channel<RequestBeat>& in_request_;
  Channel<ResponseBeat>& out_response_;
  Channel<HostAccess>* host_in_ = nullptr;
  Channel<HostAccessDone>* host_out_ = nullptr;
  PortLog* port_log_;
  MemoryLog* memory_log_;
  LoadRuns* load_runs_;                 // null: every beat by itself
  soc::RequestPool pool_;
  // Buffers at the tile and further stages of the bus: two entries a stage.
  struct TileRequest {
    soc::RequestItem item;
    Cycle at = 0;                       // first cycle at the L2
  };
  struct TileAnswer {
    soc::RequestSlot request = soc::kNoRequest;
    Cycle at = 0;                       // first cycle at the port
  };
  const Cycle bus_latency_;
  const unsigned bus_entries_;
  soc::Ring<TileRequest, 32> tile_requests_;
  soc::Ring<TileAnswer, 32> tile_answers_;
  bool has_room_ = true;                // in tile_requests_, at the end of the cycle
  unsigned answers_before_ = 0;         // in tile_answers_ at the start of the cycle
  soc::FlatLines flat_;
  soc::Dram* dram_ = nullptr;                                           // when there is one
  soc::LastLevelCache* llc_ = nullptr;                                  // axi_, when it is one
  std::unique_ptr<soc::AxiMemory> axi_;
  soc::MemoryPort memory_port_;
  soc::CpuCache cpu_cache_;
  soc::CpuAgent cpu_;
  std::vector<std::unique_ptr<soc::InclusiveCache>> banks_;
  soc::InclusiveCache* only_bank_ = nullptr;                            // null: there are several
  // Turns, where banks and masters meet.
  struct BusLock {
    bool cpu = false;                   // the CPU had the bus to this bank last
    unsigned beats_left = 0;            // of its request
  };
  std::vector<BusLock> bus_;
  unsigned request_turn_ = 0;           // last bank at the memory port
  unsigned answer_turn_ = 0;            // last bank that answered the tile
  unsigned answer_beats_left_ = 0;      // of its answer
  soc::RequestSlot entering_[2] = {soc::kNoRequest, soc::kNoRequest};   // requests whose beats are not complete, by client
  std::function<void()> complete_;
  Cycle next_ = 0;                                                      // first cycle not yet evaluated
  Cycle caught_up_until_ = 0;                                           // cycles before it are evaluated late (catch_up)
  std::uint64_t requests_ = 0;
  std::vector<std::uint8_t> placed_;                                    // ways taken by place_where_room(), by set of all banks
  ReadWaits waits_;
};

}  // namespace systole::hw
