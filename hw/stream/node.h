#pragma once
// One node of a streaming graph in time. Which cycles it uses follows from latencies, intervals, row lengths and FIFO
// depths alone; what it computes is stream/values.h's business and never read here.
#include <cstdint>
#include <string>
#include <vector>

#include "hw/params/stream.h"
#include "hw/stream/fifo.h"
#include "sim/kernel/unit.h"

namespace systole::hw {

class StreamValues;
class SteadyState;

class StreamNode final : public Unit {
 public:
  // `fifos` are all FIFOs of the graph, by index. `values` computes each firing as it starts, or is null.
  StreamNode(const sc_core::sc_module_name& name, const StreamNodeSpec& spec, std::vector<StreamFifo>& fifos,
             StreamValues* values, std::size_t index);

  void evaluate(Cycle now) override;
  [[nodiscard]] std::string state_text() const override;

  void start() { wake_at(0); }
  void observe_with(SteadyState& observer) { observer_ = &observer; }

  [[nodiscard]] const StreamNodeSpec& spec() const { return spec_; }
  [[nodiscard]] std::uint64_t firings() const { return firings_; }
  [[nodiscard]] bool finished() const { return firings_ == total_ && pipeline_size_ == 0; }
  [[nodiscard]] Cycle last_active() const { return last_active_; }

  // From this cycle on, only other nodes can let this one go on.
  [[nodiscard]] Cycle settled() const;

  // Why nothing can happen in `now`: the FIFO whose lack of places, or of elements, holds the node up.
  enum class Wait : std::uint8_t { kNone, kFinished, kFull, kEmpty };
  struct Blocked {
    Wait wait = Wait::kNone;
    std::size_t fifo = 0;
  };
  [[nodiscard]] Blocked blocked(Cycle now) const;

  // ---- steady_state.h
  // Everything the future depends on apart from FIFO contents and the position in the row, relative to `now`.
  void append_signature(Cycle now, std::vector<std::uint32_t>& signature) const;
  [[nodiscard]] std::uint64_t position() const { return has_row_ports_ ? position_ : 0; }
  [[nodiscard]] bool has_row_ports() const { return has_row_ports_; }
  [[nodiscard]] bool grows() const { return has_row_ports_ && spec_.rows.growing; }
  [[nodiscard]] std::uint64_t firings_left() const { return total_ - firings_; }
  // Firings from the next one on in which all ports behave as they do inside a row.
  [[nodiscard]] std::uint64_t plain_firings_left() const;
  // What happened in [from, now) happens again until now + cycles: `firings` more, inside the row or whole rows.
  void leap(Cycle from, Cycle now, Cycle cycles, std::uint64_t firings);

 private:
  struct Result {
    Cycle ready = 0;  // earliest cycle in which it can leave the pipeline
    bool last = false;
  };

  [[nodiscard]] bool inputs_ready(Cycle now, bool first) const;
  [[nodiscard]] bool outputs_ready(Cycle now, bool last) const;
  void push_outputs(Cycle now, bool last);
  void drain(Cycle now);
  void fire(Cycle now);

  const StreamNodeSpec spec_;
  std::vector<StreamFifo>& fifos_;
  StreamValues* values_;
  const std::size_t index_;
  SteadyState* observer_ = nullptr;

  std::vector<std::size_t> every_inputs_, row_inputs_, every_outputs_, row_outputs_;  // indices into fifos_
  bool has_row_ports_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t firings_ = 0;
  std::uint64_t row_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t row_length_ = 0;
  Cycle next_start_ = 0;  // the initiation interval allows a firing from here on
  Cycle resume_ = 0;      // cycles before are accounted for by a leap
  Cycle last_active_ = 0;

  std::vector<Result> pipeline_;  // ring of the results on their way out, at most latency - 1
  std::size_t pipeline_head_ = 0;
  std::size_t pipeline_size_ = 0;
};

}  // namespace systole::hw
