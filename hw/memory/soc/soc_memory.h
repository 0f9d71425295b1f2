#pragma once
// The memory system of a Chipyard SoC at the accelerator's port: tile buffers, system bus, inclusive L2, AXI memory. The bus and the
// crossbars on the way are wires (one clock); a beat waits in two-entry buffers at the tile in both directions.
// Values pass through flat memory in the cycle in which a request beat is accepted: requests to a line are served in that order.
#include <memory>
#include <vector>

#include "hw/memory/port_values.h"
#include "hw/memory/soc/dram.h"
#include "hw/memory/soc/inclusive_cache.h"
#include "hw/ports/memory_log.h"
#include "hw/ports/port_log.h"

namespace systole::hw {

class SocMemory final : public Unit {
 public:
  SocMemory(const sc_core::sc_module_name& name, const MachineParams& params, Memory& memory, ValuePlane* values, Channel<RequestBeat>& in_request,
            Channel<ResponseBeat>& out_response, PortLog* port_log, MemoryLog* memory_log);

  // Before the first request. Throws ConfigError for a way that the cache does not have.
  void place(const ResidentRange& range);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;

  // After the program: write-backs that are still under way come to their end. Returns nothing new for the accelerator.
  void drain();
  [[nodiscard]] L2Counts counts() const;
  [[nodiscard]] const ReadWaits& read_waits() const { return waits_; }
  [[nodiscard]] const DramCounts* dram_counts() const;   // null: a memory of fixed latency

 private:
  std::unique_ptr<soc::AxiMemory> make_axi_memory();
  void take_request(Cycle now);
  bool send_response(Cycle now);
  void account(Cycle now, const soc::Request& request);

  const MachineParams params_;
  const soc::Geometry geometry_;
  PortValues port_values_;
  Channel<RequestBeat>& in_request_;
  Channel<ResponseBeat>& out_response_;
  PortLog* port_log_;
  MemoryLog* memory_log_;
  soc::RequestPool pool_;
  Channel<soc::RequestItem> tile_requests_{"tile_requests", 1, 2};
  Channel<soc::RequestSlot> tile_answers_{"tile_answers", 1, 2};
  soc::Dram* dram_ = nullptr;                                           // axi_, when it is one
  std::unique_ptr<soc::AxiMemory> axi_;
  soc::InclusiveCache cache_;
  soc::RequestSlot entering_[2] = {soc::kNoRequest, soc::kNoRequest};   // requests whose beats are not complete, by client
  Cycle next_ = 0;                                                      // first cycle not yet evaluated
  std::uint64_t requests_ = 0;
  ReadWaits waits_;
};

}  // namespace systole::hw
