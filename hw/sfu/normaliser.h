#pragma once
// Row statistics for softmax and LayerNorm (Normalizer.scala). Each statistics id holds one row and walks through the states that its command
// needs: reduction lanes, integer divider, square root, reciprocal, multiplier. Rows to be written wait in state `output`.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "hw/ports/hazard_log.h"
#include "hw/ports/store_stages.h"
#include "hw/ports/zero_sums.h"
#include "hw/sfu/row_activator.h"
#include "sim/kernel/unit.h"
#include "sim/stats/ledger.h"

namespace systole::hw {

class Normaliser final : public Unit, public NormaliserPort {
 public:
  Normaliser(const sc_core::sc_module_name& name, const MachineParams& params, RowActivator& activator, HazardLog* hazards);
  // Woken when a row can leave, and when an id has become free or the lanes empty.
  void bind(Unit& consumer, Unit& producer) {
    consumer_ = &consumer;
    producer_ = &producer;
  }

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override;
  // For a machine without values.
  void set_zero_sums(const ZeroSums* zero_sums) { zero_sums_ = zero_sums; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

  [[nodiscard]] const StoreRow* output(Cycle now) override;
  StoreRow take_output(Cycle now) override;
  [[nodiscard]] bool ready(Cycle now, int stats_id) override;
  void accept(Cycle now, const StoreRow& row) override;

 private:
  enum class State : std::uint8_t {
    kIdle, kOutput, kGetSum, kGetMean, kWaitMean, kGetVariance, kWaitVariance, kGetStddev, kWaitStddev, kGetInvStddev, kWaitInvStddev,
    kGetScaledInvStddev, kWaitScaledInvStddev, kGetMax, kGetInvSumExp, kWaitInvSumExp, kGetScaledInvSumExp, kWaitScaledInvSumExp
  };
  enum class Account : std::uint8_t { kIdle, kBusy, kDivider, kSquareRoot, kReciprocal, kOutputWait };

  // One statistics id.
  struct Stats {
    State state = State::kIdle;
    State next = State::kIdle;
    bool zero_sum = false;       // without values: the row's sum is known to be 0
    bool done = false;           // becomes free in this cycle
    StoreRow row;
    int elements_left = 0;
    // Running values.
    std::int64_t sum = 0;        // wraps at 32 bits unless extension E5 is on
    std::uint16_t count = 0;
    std::int32_t running_max = 0;
    // Results; they persist for any number of later rows.
    RowStatistics result;
    std::int64_t quotient = 0;   // mean or variance on its way
    float root = 0;              // standard deviation, or reciprocal of the sum, on its way
    [[nodiscard]] bool drains() const;
  };
  // A row, or a part of one, inside a reduction tree. Its sum is taken when the constants on the input port are known.
  struct LaneEntry {
    Cycle entered = 0;
    int id = 0;
    int first = 0;             // its elements: first .. first + len - 1
    int len = 0;
    std::int64_t value = 0;
    bool summed = false;
  };
  // Elastic pipeline that scales a reciprocal. Its product goes to the lowest id that waits, but every waiting id takes it for its own and goes
  // on: with two ids close together a product is left over and answers the next request at once. The RTL behaves so (Normalizer.scala).
  struct Multiplier {
    struct Product {
      Cycle out = 0;
      float value = 0;
    };
    std::deque<Product> products;
    bool result = false;       // a product leaves in the running cycle
    float value = 0;
    int receiver = -1;

    void sample(Cycle now, int lowest_waiting) {
      result = lowest_waiting >= 0 && !products.empty() && products.front().out <= now;
      receiver = lowest_waiting;
      if (!result) return;
      value = products.front().value;
      products.pop_front();
    }
    [[nodiscard]] bool can_push(int latency) const { return products.size() < static_cast<std::size_t>(latency); }
  };
  // A unit that serves one request at a time.
  struct Server {
    bool used = false;
    Cycle out = 0;             // cycle of the last request's result
    bool result = false;       // a result leaves in the running cycle; taken before the next request may start
    void sample(Cycle now) { result = used && out == now; }
    // The dividers take a request in the cycle of a result, the square root only behind it.
    [[nodiscard]] bool free_with_result(Cycle now) const { return !used || out <= now; }
    [[nodiscard]] bool free_behind_result(Cycle now) const { return !used || out < now; }
    void start(Cycle now, int latency) {
      used = true;
      out = now + static_cast<Cycle>(latency);
    }
  };

  [[nodiscard]] int lowest(State state) const;
  [[nodiscard]] int lowest(State a, State b) const;
  [[nodiscard]] bool lanes_busy(const std::deque<LaneEntry>& lanes, Cycle now) const;
  // The part of an id's row that enters a reduction tree next: parts of `lanes` elements, the last one first.
  [[nodiscard]] LaneEntry next_part(Cycle now, int id) const;
  [[nodiscard]] bool last_part(const Stats& stats) const { return stats.elements_left <= lanes_; }
  void lanes_out(Cycle now);
  void lanes_in(Cycle now);
  void warn_foreign_constants(Cycle now, const LaneEntry& entry, const StoreRow& row);
  void warn_foreign_product(Cycle now, int receiver, int id, float unscaled);
  void sum(LaneEntry& entry, const StoreConstants& constants);
  void step(int id, Cycle now);
  void step_division(int id, Cycle now);
  void step_root(int id, Cycle now);
  void step_exp(int id, Cycle now);
  [[nodiscard]] bool sum_is_zero(const Stats& stats) const { return activator_.has_values() ? stats.sum == 0 : stats.zero_sum; }
  [[nodiscard]] std::int64_t quotient(const Stats& stats, Cycle now) const;
  void account(Cycle now);

  const MachineParams params_;
  const int lanes_;
  RowActivator& activator_;
  HazardLog* hazards_;
  const ZeroSums* zero_sums_ = nullptr;
  std::uint64_t divided_ = 0;   // rows so far whose sum is divided
  Unit* consumer_ = nullptr;
  Unit* producer_ = nullptr;
  std::vector<Stats> stats_;
  std::deque<LaneEntry> sum_lanes_, max_lanes_;   // inside the reduction trees
  Server divider_, sqrt_, reciprocal_, exp_divider_;
  Multiplier stddev_multiplier_, exp_multiplier_;
  // Of the running cycle:
  bool drained_ = true;            // no id waited for the lanes at the start of the cycle
  int output_taken_ = -1;          // id whose row left
  Cycle output_taken_in_ = kNever;
  int sum_lane_id_ = -1;           // ids that entered the lanes
  int max_lane_id_ = -1;
  std::vector<std::uint8_t> free_;   // ids that can take a row
  Ledger ledger_;
};

}  // namespace systole::hw
