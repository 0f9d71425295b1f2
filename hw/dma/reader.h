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
#include "hw/ports/load_runs.h"
#include "hw/ports/row.h"
#include "sim/kernel/busy_line.h"
#include "sim/kernel/channel.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class ReadRequester final : public Unit {
 public:
  ReadRequester(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions, Tlb& tlb,
                ValuePlane* values, Channel<RowRequest>& in_row, Channel<RequestBeat>& out_request, BusyLine& busy,
                LoadRuns& load_runs);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(!row_ && !to_tlb() && !translated() && !transactions_.any_in_flight(r.now()));
    r.rest(!ahead_ || ahead_until_ <= r.now());
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

  // One-entry queues around the translation. That they change places is all that happens while requests go round.
  [[nodiscard]] std::optional<RequestBeat>& to_tlb() { return requests_under_way_[to_tlb_]; }
  [[nodiscard]] std::optional<RequestBeat>& translated() { return requests_under_way_[1 - to_tlb_]; }
  void change_places() { to_tlb_ = 1 - to_tlb_; }
  [[nodiscard]] Packet next_packet() const;
  void take_packet(unsigned id, const Packet& packet, RequestBeat& beat);
  [[nodiscard]] AnswerRows answer_rows(const Transaction& transaction) const;
  void go_round(Cycle now);
  [[nodiscard]] bool sleeps_while_going_round(Cycle now, Account account);

  const MachineParams params_;
  const int row_bits_;
  TransactionTable& transactions_;
  Tlb& tlb_;
  ValuePlane* values_;
  Channel<RowRequest>& in_row_;
  Channel<RequestBeat>& out_request_;
  BusyLine& busy_;
  LoadRuns& load_runs_;

  std::optional<RowRequest> row_;        // request register
  bool wants_row_ = true;                // it is empty
  std::uint64_t address_ = 0;            // of the next byte
  int bytes_requested_ = 0;
  std::optional<RequestBeat> requests_under_way_[2];
  unsigned to_tlb_ = 0;                  // which of them is in front of the translation; the other one is behind it
  Cycle asleep_since_ = kNever;           // asleep since: in each cycle between that one and this they change places, which is done on waking up
  bool ahead_ = false;                   // a request was handed on before its time; in the cycles before ahead_until_ it is still here
  Cycle ahead_until_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t bytes_ = 0;
  Ledger ledger_;
};

class BeatMerger final : public Unit {
 public:
  // The answer's last beat releases the transaction and wakes `requester`.
  BeatMerger(const sc_core::sc_module_name& name, const MachineParams& params, TransactionTable& transactions, ReadRequester& requester, ValuePlane* values,
             Channel<ResponseBeat>& in_response, Channel<LoadedRow>& out_row, Channel<LoadedRow>& out_accumulator_row, BusyLine& busy,
             LoadRuns& load_runs);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    r.rest(!current_ && (!run_announced_ || run_last_row_ < r.now()) && load_runs_.quiet(r.now()));
    ledger_.residual(r);
  }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  enum class Account : std::uint8_t { kIdle, kBusy, kScalerFull };

  void take_run(Cycle now, const ResponseBeat& beat);
  void release(Cycle now, unsigned transaction);
  [[nodiscard]] bool can_send() const;
  void send(Cycle now);
  void drop_current();

  const MachineParams params_;
  const int row_bits_;
  TransactionTable& transactions_;
  ReadRequester& requester_;
  ValuePlane* values_;
  Channel<ResponseBeat>& in_response_;
  Channel<LoadedRow>& out_row_;
  Channel<LoadedRow>& out_accumulator_row_;
  BusyLine& busy_;

  LoadRuns& load_runs_;
  Cycle run_last_row_ = 0;              // cycle in which the last row of the last announced run leaves
  bool run_announced_ = false;          // run_last_row_ is valid

  std::optional<Transaction> current_;
  int bytes_read_ = 0;    // raw bytes received of the current request
  int bytes_sent_ = 0;    // useful bytes passed on
  Ledger ledger_;
};

}  // namespace systole::hw
