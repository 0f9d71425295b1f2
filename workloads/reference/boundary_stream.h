#pragma once
// The boundaries of a quantised model (evaluate.h) one at a time, as the caller asks for them: the evaluation rests in between, so that only the
// one that is wanted need exist.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "workloads/reference/evaluate.h"

namespace systole::workloads::reference {

class BoundaryStream {
 public:
  struct Item {
    std::string name;
    Tensor tensor;
  };

  // Model and inputs must outlive the stream.
  BoundaryStream(const QuantisedModel& model, const TensorMap& inputs, const EvaluateOptions& options = {});
  ~BoundaryStream();
  BoundaryStream(const BoundaryStream&) = delete;
  BoundaryStream& operator=(const BoundaryStream&) = delete;

  // The next boundary in order of computation; nothing behind the last one. Throws what evaluate() throws.
  [[nodiscard]] std::optional<Item> next();
  // Of what has been computed.
  [[nodiscard]] const OverflowCounters& overflows() const { return overflows_; }

 private:
  // The evaluation needs a stack of its own, hence a thread; it and the caller never run at the same time.
  enum class Turn { kCaller, kEvaluation };
  struct Abandoned {};

  void hand_over(Item item);
  void pass_turn(Turn turn);   // with the mutex held
  void await_turn(Turn turn);

  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::kCaller;
  bool abandoned_ = false;
  bool ended_ = false;
  std::optional<Item> item_;
  std::exception_ptr error_;
  OverflowCounters overflows_;
  std::thread evaluation_;
};

}  // namespace systole::workloads::reference
