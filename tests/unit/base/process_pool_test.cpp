#include "sim/base/process_pool.h"

#include <unistd.h>

#include <csignal>
#include <map>

#include <gtest/gtest.h>

#include "sim/base/errors.h"

namespace systole {
namespace {

TEST(ProcessPool, returns_the_bytes_of_every_task) {
  constexpr std::size_t kTasks = 20;
  std::map<std::size_t, TaskResult> results;
  run_tasks(
      kTasks, 3, [](std::size_t index) { return std::string(index * 10000, static_cast<char>(index)); },
      [&](std::size_t index, TaskResult result) { results[index] = std::move(result); });
  ASSERT_EQ(results.size(), kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) {
    EXPECT_EQ(results[i].end, TaskEnd::kDone);
    EXPECT_EQ(results[i].text, std::string(i * 10000, static_cast<char>(i)));
  }
}

TEST(ProcessPool, an_error_keeps_its_kind_and_a_crash_ends_one_task_only) {
  std::map<std::size_t, TaskResult> results;
  run_tasks(
      5, 2,
      [](std::size_t index) -> std::string {
        if (index == 0) throw ConfigError("config");
        if (index == 1) throw ModelError(7, "unit", "", "model");
        if (index == 2) throw InternalError("internal");
        if (index == 3) raise(SIGKILL);
        return "fine";
      },
      [&](std::size_t index, TaskResult result) { results[index] = std::move(result); });
  EXPECT_THROW(
      {
        try {
          (void)text_or_throw(results[0]);
        } catch (const ConfigError& error) {
          EXPECT_STREQ(error.what(), "config");
          throw;
        }
      },
      ConfigError);
  EXPECT_THROW((void)text_or_throw(results[1]), ModelError);
  EXPECT_THROW((void)text_or_throw(results[2]), InternalError);
  EXPECT_EQ(results[3].end, TaskEnd::kCrashed);
  EXPECT_EQ(text_or_throw(results[4]), "fine");
}

TEST(BackgroundTask, runs_beside_the_caller_and_is_ended_when_nobody_waits) {
  BackgroundTask task([] { return std::string(1000000, 'x'); });
  const TaskResult result = task.wait();
  EXPECT_EQ(result.end, TaskEnd::kDone);
  EXPECT_EQ(result.text.size(), 1000000u);
  const BackgroundTask endless([]() -> std::string {
    for (;;) pause();
  });
}

}  // namespace
}  // namespace systole
