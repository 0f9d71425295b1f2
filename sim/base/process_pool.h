#pragma once
// Runs independent tasks, each in a process of its own: a SystemC kernel is process-wide state, and a crash ends one task only.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace systole {

// How a task ended, in the terms of sim/base/errors.h.
enum class TaskEnd : std::uint8_t { kDone, kConfigError, kModelError, kInternalError, kCrashed };

struct TaskResult {
  TaskEnd end = TaskEnd::kCrashed;
  std::string text;   // what the task returned, or the message of its error
};

// Calls task(0) .. task(count - 1), at most `jobs` at a time, and done(index, result) in this process as each one ends (in any order).
// What a task returns is a string of any bytes; nothing else of the child survives. Throws ConfigError when no process can be started.
void run_tasks(std::size_t count, int jobs, const std::function<std::string(std::size_t)>& task,
               const std::function<void(std::size_t, TaskResult)>& done);

// One task beside the caller's own work, in a process of its own.
class BackgroundTask {
 public:
  explicit BackgroundTask(const std::function<std::string()>& task);
  // Ends the process when nobody waited for its result.
  ~BackgroundTask();
  BackgroundTask(const BackgroundTask&) = delete;
  BackgroundTask& operator=(const BackgroundTask&) = delete;

  // Waits until the task ends; once.
  [[nodiscard]] TaskResult wait();

 private:
  int process_ = -1;
  int pipe_ = -1;
};

// Throws the error that `result` stands for; returns the text of a task that is done.
[[nodiscard]] std::string text_or_throw(const TaskResult& result);

}  // namespace systole
