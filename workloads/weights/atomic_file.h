#pragma once
// A file that appears complete or not at all: written under a temporary name beside its target, then renamed.
#include <cstddef>
#include <cstdio>
#include <string>

namespace systole::workloads {

class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);  // ConfigError: the folder cannot be written
  ~AtomicFile();                                 // without commit(): removes the temporary file
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t size);  // ConfigError: disk full
  void commit();

 private:
  [[noreturn]] void fail(const char* what);

  std::string path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace systole::workloads
