#pragma once
// The traces that a user names: files, and directories with everything below them.
#include <string>
#include <vector>

namespace systole::app {

struct TraceFile {
  std::string path;
  std::string name;       // file name without .trace, .trace.gz
  std::string category;   // name of the directory it is in
};

// Files in the given order, a directory's sorted by path. Throws ConfigError for what does not exist, for a file that is no trace by its
// name, and for a directory without traces.
[[nodiscard]] std::vector<TraceFile> find_traces(const std::vector<std::string>& words);

// Path of the result of each trace below `directory`: NAME.json, or CATEGORY/NAME.json where several traces share a name.
[[nodiscard]] std::vector<std::string> result_paths(const std::vector<TraceFile>& traces, const std::string& directory);

}  // namespace systole::app
