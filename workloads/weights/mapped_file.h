#pragma once
// A file mapped read-only into memory for as long as the object lives.
#include <cstddef>
#include <cstdint>
#include <string>

namespace systole::workloads {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);  // ConfigError: cannot be opened, is no regular file
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  const std::uint8_t* data_ = nullptr;  // null for an empty file
  std::size_t size_ = 0;
};

}  // namespace systole::workloads
