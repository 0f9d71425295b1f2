#include "sim/app/trace_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/core.h>

#include "sim/base/errors.h"

namespace systole::app {
namespace {

namespace fs = std::filesystem;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The length of the trace extension; 0: not a trace.
std::size_t extension_length(const std::string& path) {
  for (const char* extension : {".trace", ".trace.gz"}) {
    if (ends_with(path, extension)) return std::string(extension).size();
  }
  return 0;
}

TraceFile describe(const std::string& path) {
  const std::string file = fs::path(path).filename().string();
  return {path, file.substr(0, file.size() - extension_length(file)), fs::absolute(path).parent_path().filename().string()};
}

std::vector<std::string> traces_below(const std::string& directory) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && extension_length(entry.path().string()) != 0) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::vector<TraceFile> find_traces(const std::vector<std::string>& words) {
  std::vector<TraceFile> traces;
  for (const std::string& word : words) {
    if (fs::is_directory(word)) {
      const std::vector<std::string> paths = traces_below(word);
      if (paths.empty()) throw ConfigError(fmt::format("'{}' contains no trace (*.trace, *.trace.gz)", word));
      for (const std::string& path : paths) traces.push_back(describe(path));
    } else if (!fs::exists(word)) {
      throw ConfigError(fmt::format("'{}' does not exist", word));
    } else if (extension_length(word) == 0) {
      throw ConfigError(fmt::format("'{}' is not called *.trace or *.trace.gz", word));
    } else {
      traces.push_back(describe(word));
    }
  }
  return traces;
}

std::vector<std::string> result_paths(const std::vector<TraceFile>& traces, const std::string& directory) {
  std::map<std::string, int> uses;
  for (const TraceFile& trace : traces) ++uses[trace.name];
  std::vector<std::string> paths;
  for (const TraceFile& trace : traces) {
    paths.push_back(uses[trace.name] == 1 ? fmt::format("{}/{}.json", directory, trace.name)
                                          : fmt::format("{}/{}/{}.json", directory, trace.category, trace.name));
  }
  return paths;
}

}  // namespace systole::app
