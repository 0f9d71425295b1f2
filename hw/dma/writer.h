#pragma once
// Writes rows to memory as naturally aligned requests, one beat per cycle (DMA.scala StreamWriter).
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/datapath/value_plane.h"
#include "hw/dma/packet.h"
#include "hw/dma/tlb.h"
#include "hw/params/derived.h"
#include "hw/ports/burst.h"
#include "hw/ports/writer_request.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class DmaWriter final : public Unit {
 public:
  // `in_block` has room for one block: it is the writer's request register, held until the block's last beat has left.
  DmaWriter(const sc_core::sc_module_name& name, const MachineParams& params, Tlb& tlb, ValuePlane* values, Channel<WriteRequest>& in_block,
            Channel<ResponseBeat>& in_ack, Channel<RequestBeat>& out_request, BusyLine& busy);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(state_ == State::kIdle && ids_busy_ == 0 && !to_tlb_ && !translated_ && !shadow_);
    r.count(requests_);
    r.count(bytes_);
    busy_.residual(r);
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  enum class State : std::uint8_t { kIdle, kNewRequest, kBeats };
  enum class Account : std::uint8_t { kIdle, kBusy, kNoTransactionId, kPortBusy, kTlbMiss };

  void translate(Cycle now);
  void start_block(const WriteRequest& block);
  void keep_values(const WriteRequest& block);
  [[nodiscard]] RequestBeat make_beat();

  const MachineParams params_;
  Tlb& tlb_;
  ValuePlane* values_;
  Channel<WriteRequest>& in_block_;
  Channel<ResponseBeat>& in_ack_;
  Channel<RequestBeat>& out_request_;
  BusyLine& busy_;

  State state_ = State::kIdle;
  WriteRequest row_;             // request register; `bytes` is the whole row's length
  std::uint64_t address_ = 0;
  int bytes_sent_ = 0;
  Packet packet_;
  int packet_start_ = 0;         // bytes_sent_ when the packet began
  ValueRef packet_values_;
  int beats_left_ = 0;
  int id_ = 0;
  std::vector<std::uint8_t> id_busy_;
  int ids_busy_ = 0;
  std::optional<RequestBeat> to_tlb_;
  std::optional<RequestBeat> translated_;
  std::optional<RequestBeat> shadow_;    // beat behind one that has to be translated again
  std::uint64_t tlb_address_ = 0;        // of the last beat in to_tlb_, also when it has left
  // Of the running cycle: the translation takes a new beat; it was held up by the port, by a miss.
  bool accepts_beat_ = false;
  bool port_refused_ = false;
  bool missed_ = false;
  std::vector<std::uint8_t> single_block_;   // bytes of a one-block row
  std::vector<std::uint8_t> blocks_;         // bytes of a row of several int8 blocks
  std::uint64_t requests_ = 0;
  std::uint64_t bytes_ = 0;
  Ledger ledger_;
};

}  // namespace systole::hw
