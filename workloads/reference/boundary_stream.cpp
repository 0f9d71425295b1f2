#include "workloads/reference/boundary_stream.h"

#include <utility>

namespace systole::workloads::reference {

BoundaryStream::BoundaryStream(const QuantisedModel& model, const TensorMap& inputs, const EvaluateOptions& options)
    : evaluation_([this, &model, &inputs, options] {
        std::exception_ptr error;
        try {
          await_turn(Turn::kEvaluation);
          evaluate(model, inputs, [this](const std::string& name, Tensor tensor) { hand_over({name, std::move(tensor)}); }, overflows_, options);
        } catch (const Abandoned&) {
          // Nobody waits.
        } catch (...) {
          error = std::current_exception();
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        error_ = error;
        ended_ = true;
        pass_turn(Turn::kCaller);
      }) {}

BoundaryStream::~BoundaryStream() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    abandoned_ = true;
    pass_turn(Turn::kEvaluation);
  }
  evaluation_.join();
}

std::optional<BoundaryStream::Item> BoundaryStream::next() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return std::nullopt;
    pass_turn(Turn::kEvaluation);
  }
  await_turn(Turn::kCaller);
  if (error_) std::rethrow_exception(error_);
  return std::exchange(item_, std::nullopt);
}

void BoundaryStream::hand_over(Item item) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    item_ = std::move(item);
    pass_turn(Turn::kCaller);
  }
  await_turn(Turn::kEvaluation);
}

void BoundaryStream::pass_turn(Turn turn) {
  turn_ = turn;
  changed_.notify_all();
}

void BoundaryStream::await_turn(Turn turn) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return turn_ == turn; });
  if (turn == Turn::kEvaluation && abandoned_) throw Abandoned{};
}

}  // namespace systole::workloads::reference
