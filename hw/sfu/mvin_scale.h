#pragma once
// Time of the scaler between memory and the local memories (VectorScalarMultiplier.scala). The values are scaled where the row is written.
// With units > 0 the lanes of three rows share the units; rows with scale 1.0 pass without them. With units = 0 each lane has its own
// multiplier: an elastic pipeline. A row with repeats leaves once per destination row, highest first.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/params/machine.h"
#include "hw/ports/load_runs.h"
#include "hw/ports/row.h"
#include "sim/kernel/channel.h"

namespace systole::hw {

class MvinScale final : public Unit {
 public:
  // units = 0: a pipeline of `latency` stages (0: none).
  MvinScale(const sc_core::sc_module_name& name, int dim, int units, int latency, Channel<LoadedRow>& in_row, Channel<LoadedRow>& out_row,
            const LoadRuns* load_runs = nullptr);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;
  void residual(Residual& r) override {
    take_turns();
    for (const Entry& entry : entries_) r.rest(!entry.valid);
    r.rest(repeats_left_ < 0 && in_pipes_.empty());
    if (pipeline_) pipeline_->residual(r);
    for (int* place : {&head_, &tail_}) r.named(Residual::Name::kTurn, *place, Residual::Setting::kScaledLoad);
    static_assert(kEntries == Residual::kTurns);
    for (int& grant : last_grant_) r.setting(Residual::Setting::kScaledLoad, grant);
  }

 private:
  static constexpr int kEntries = 3;
  static constexpr std::uint32_t kIdentity = 0x3F800000;   // 1.0f

  struct Entry {
    bool valid = false;
    LoadedRow row;
    std::vector<std::uint8_t> fired;
    int lanes_left = 0;
  };
  struct Element {
    Cycle done = 0;
    int entry = 0;
  };

  // Takes the next repeat of the row in the input register.
  [[nodiscard]] LoadedRow take_repeat(Cycle now);
  void take_turns();
  void evaluate_pipeline(Cycle now);
  void evaluate_units(Cycle now);
  void grant(Cycle now, int unit);

  const int dim_;
  const int units_;
  const int latency_;
  Channel<LoadedRow>& in_row_;
  Channel<LoadedRow>& out_row_;
  const LoadRuns* load_runs_;   // whose rows pass, or null
  std::unique_ptr<Channel<LoadedRow>> pipeline_;
  int repeats_left_ = -1;   // of the row in the input register; -1: none taken yet
  std::array<Entry, kEntries> entries_;
  std::uint64_t rows_passed_ = 0;   // of announced runs, as far as head_ and tail_ know
  int head_ = 0;
  int tail_ = 0;
  std::vector<int> last_grant_;
  std::vector<Element> in_pipes_;
};

}  // namespace systole::hw
