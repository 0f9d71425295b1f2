#include "sim/base/process_pool.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "sim/base/errors.h"

namespace systole {
namespace {

struct Child {
  std::size_t index;
  pid_t process;
  int pipe;
  std::string received;
};

void write_all(int file, const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(1);   // the parent is gone
    written += static_cast<std::size_t>(count);
  }
}

// The child's whole life. The first byte of what it sends says how the task ended.
[[noreturn]] void run_child(const std::function<std::string(std::size_t)>& task, std::size_t index, int file) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  TaskEnd end = TaskEnd::kDone;
  std::string text;
  try {
    text = task(index);
  } catch (const ConfigError& error) {
    end = TaskEnd::kConfigError;
    text = error.what();
  } catch (const ModelError& error) {
    end = TaskEnd::kModelError;
    text = error.what();
  } catch (const std::exception& error) {
    end = TaskEnd::kInternalError;
    text = error.what();
  }
  write_all(file, static_cast<char>(end) + text);
  _exit(0);
}

Child start(const std::function<std::string(std::size_t)>& task, std::size_t index, const std::vector<Child>& others) {
  int ends[2];
  if (pipe(ends) != 0) throw ConfigError(std::string("cannot start a process: ") + std::strerror(errno));
  std::fflush(nullptr);   // what is buffered must not be written twice
  const pid_t process = fork();
  if (process < 0) {
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    throw ConfigError(std::string("cannot start a process: ") + std::strerror(error));
  }
  if (process == 0) {
    close(ends[0]);
    for (const Child& other : others) close(other.pipe);
    run_child(task, index, ends[1]);
  }
  close(ends[1]);
  return {index, process, ends[0], {}};
}

// Reads what is there. Returns false at the end of the stream.
bool receive(Child& child) {
  char buffer[1 << 16];
  const ssize_t count = read(child.pipe, buffer, sizeof buffer);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  child.received.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

TaskResult finish(const Child& child) {
  close(child.pipe);
  int status = 0;
  while (waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {TaskEnd::kCrashed, std::string("the process was killed: ") + strsignal(WTERMSIG(status))};
  if (child.received.empty() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return {TaskEnd::kCrashed, "the process ended without a result"};
  return {static_cast<TaskEnd>(child.received[0]), child.received.substr(1)};
}

}  // namespace

void run_tasks(std::size_t count, int jobs, const std::function<std::string(std::size_t)>& task,
               const std::function<void(std::size_t, TaskResult)>& done) {
  SYSTOLE_CHECK(jobs >= 1);
  std::vector<Child> running;
  std::size_t next = 0;
  while (next < count || !running.empty()) {
    while (next < count && running.size() < static_cast<std::size_t>(jobs)) running.push_back(start(task, next++, running));
    std::vector<pollfd> polls;
    for (const Child& child : running) polls.push_back({child.pipe, POLLIN, 0});
    if (poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) throw ConfigError(std::string("poll: ") + std::strerror(errno));
    for (std::size_t i = running.size(); i-- > 0;) {
      if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || receive(running[i])) continue;
      const Child child = std::move(running[i]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      done(child.index, finish(child));
    }
  }
}

BackgroundTask::BackgroundTask(const std::function<std::string()>& task) {
  const Child child = start([&](std::size_t) { return task(); }, 0, {});
  process_ = child.process;
  pipe_ = child.pipe;
}

BackgroundTask::~BackgroundTask() {
  if (process_ < 0) return;
  kill(process_, SIGKILL);
  (void)finish({0, process_, pipe_, {}});
}

TaskResult BackgroundTask::wait() {
  SYSTOLE_CHECK(process_ >= 0);
  Child child{0, process_, pipe_, {}};
  process_ = -1;
  while (receive(child)) {
  }
  return finish(child);
}

std::string text_or_throw(const TaskResult& result) {
  switch (result.end) {
    case TaskEnd::kDone: return result.text;
    case TaskEnd::kConfigError: throw ConfigError(result.text);
    case TaskEnd::kModelError: throw ModelError(result.text);
    case TaskEnd::kInternalError:
    case TaskEnd::kCrashed: break;
  }
  throw InternalError(result.text);
}

}  // namespace systole
