#include "sim/base/memory.h"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace systole {

Memory::Memory(std::uint64_t base, std::uint64_t bytes) : base_(base), bytes_(bytes) {
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::uint8_t*>(mapping);
}

Memory::~Memory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void Memory::forget(std::uint64_t address, std::uint64_t bytes) {
  SYSTOLE_CHECK(address % kPage == 0 && bytes % kPage == 0);
  // A private anonymous page that is no longer needed reads as 0 when it is touched again.
  SYSTOLE_CHECK(madvise(at(address, bytes), bytes, MADV_DONTNEED) == 0);
}

Memory::Memory(Memory&& other) noexcept
    : base_(other.base_), bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(data_, other.data_);
  return *this;
}

}  // namespace systole
