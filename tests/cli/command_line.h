#pragma once
// Runs the program as a user does.
#include <string>
#include <vector>

namespace systole::test {

// A layer graph that takes a moment.
inline constexpr const char* kGraph =
    "graph: small\n"
    "inputs:\n"
    "  x: {rows: 20, cols: 48}\n"
    "nodes:\n"
    "  - {name: inner, op: linear, in: x, cols: 64, activation: gelu}\n"
    "  - {name: sum, op: linear, in: inner, cols: 48, residual: x, output: int32}\n"
    "  - {name: y, op: layer_norm, in: sum}\n";

struct Outcome {
  int code = -1;       // exit code; 128 + signal when it was killed
  std::string out;
  std::string error;
};

// `arguments` are passed as they are: no shell.
[[nodiscard]] Outcome run(const std::vector<std::string>& arguments);

// A directory that disappears with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  // Path of a file in it; with `text`, the file is written.
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

[[nodiscard]] std::string read(const std::string& path);

}  // namespace systole::test
