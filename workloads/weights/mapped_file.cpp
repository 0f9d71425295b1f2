#include "workloads/weights/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

// Closes on every way out of the constructor; the mapping outlives the descriptor.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) {
      ::close(fd);
    }
  }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) {
    throw ConfigError(path + ": cannot be opened: " + std::strerror(errno));
  }
  struct stat status = {};
  if (::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw ConfigError(path + ": not a regular file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) {
    return;
  }
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) {
    throw ConfigError(path + ": cannot be mapped: " + std::strerror(errno));
  }
  data_ = static_cast<const std::uint8_t*>(address);
}

void MappedFile::release(const std::uint8_t* first, std::size_t bytes) const {
  // Whoever touches a page gets its neighbours too: Linux maps what is cached of so many bytes around it (fault_around_bytes).
  constexpr std::size_t kAround = 1U << 16;
  const auto offset = static_cast<std::size_t>(first - data_);
  const std::size_t begin = offset / kAround * kAround;
  const std::size_t end = std::min(size_, (offset + bytes + kAround - 1) / kAround * kAround);
  // Nobody writes to the pages, so losing them changes nothing.
  ::madvise(const_cast<std::uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(const_cast<std::uint8_t*>(data_), size_);
  }
}

}  // namespace systole::workloads
