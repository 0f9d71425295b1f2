#include "workloads/weights/atomic_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/errors.h"

namespace systole::workloads {

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(path + ".XXXXXX") {
  const int fd = ::mkstemp(temporary_.data());
  if (fd < 0) {
    throw ConfigError(path_ + ": cannot be written: " + std::strerror(errno));
  }
  ::fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);  // mkstemp makes the file private
  file_ = ::fdopen(fd, "wb");
  SYSTOLE_CHECK(file_ != nullptr);
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) {
    std::fclose(file_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(const void* bytes, std::size_t size) {
  if (size != 0 && std::fwrite(bytes, 1, size, file_) != size) {
    fail("cannot be written: ");
  }
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail("cannot be written: ");
  }
  std::fclose(file_);
  file_ = nullptr;
}

void AtomicFile::fail(const char* what) { throw ConfigError(path_ + ": " + what + std::strerror(errno)); }

}  // namespace systole::workloads
