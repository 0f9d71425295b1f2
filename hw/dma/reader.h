#pragma once
// Asks memory for rows, one request per cycle, and puts what comes back into pieces of local rows (DMA.scala StreamReader, BeatMerger.scala).
// Two units: ReadRequester sends the requests, BeatMerger takes the answers. They share the table of transactions.
#include <cstdint>
#include <optional>

#include "hw/datapath/value_plane.h"
#include "hw/dma/packet.h"
#include "hw/dma/tlb.h"
#include "hw/dma/transaction_table.h"
#include "hw/params/derived.h"
#include "hw/ports/burst.h"
#include "hw/ports/row.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class ReadRequester final : public Unit {
 public:
  ReadRequester(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions, Tlb& tlb,
                ValuePlane* values, Channel<RowRequest>& in_row, Channel<RequestBeat>& out_request, BusyLine& busy);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(!row_ && !to_tlb_ && !translated_ && transactions_.in_flight() == 0);
    r.count(requests_);
    r.count(bytes_);
    busy_.residual(r);
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kNoTransactionId, kPortBusy, kTlbMiss };

  [[nodiscard]] RequestBeat take_packet(Cycle now, unsigned id);

  const MachineParams params_;
  TransactionTable& transactions_;
  Tlb& tlb_;
  ValuePlane* values_;
  Channel<RowRequest>& in_row_;
  Channel<RequestBeat>& out_request_;
  BusyLine& busy_;

  std::optional<RowRequest> row_;        // request register
  std::uint64_t address_ = 0;            // of the next byte
  int bytes_requested_ = 0;
  std::optional<RequestBeat> to_tlb_;    // one-entry queue in front of the translation
  std::optional<RequestBeat> translated_;
  std::uint64_t requests_ = 0;
  std::uint64_t bytes_ = 0;
  Ledger ledger_;
};

class BeatMerger final : public Unit {
 public:
  // The answer's last beat releases the transaction and wakes `requester`.
  BeatMerger(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions, ReadRequester& requester, ValuePlane* values,
             Channel<ResponseBeat>& in_response, Channel<LoadedRow>& out_row, Channel<LoadedRow>& out_accumulator_row, BusyLine& busy);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(!current_);
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kScalerFull };

  [[nodiscard]] bool can_send() const;
  void send(Cycle now);
  void drop_current();
  [[nodiscard]] bool goes_to_accumulator_path(const LoadedRow& row) const;

  const MachineParams params_;
  TransactionTable& transactions_;
  ReadRequester& requester_;
  ValuePlane* values_;
  Channel<ResponseBeat>& in_response_;
  Channel<LoadedRow>& out_row_;
  Channel<LoadedRow>& out_accumulator_row_;
  BusyLine& busy_;

  std::optional<Transaction> current_;
  int bytes_read_ = 0;    // raw bytes received of the current request
  int bytes_sent_ = 0;    // useful bytes passed on
  Ledger ledger_;
};

}  // namespace systole::hw
