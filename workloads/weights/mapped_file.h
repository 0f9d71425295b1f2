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
  [[nodiscard]] bool contains(const std::uint8_t* address) const { return address >= data_ && address < data_ + size_; }
  // This process needs so many bytes from here on no more, or not soon: they are read from the file's cache when it does.
  void release(const std::uint8_t* first, std::size_t bytes) const;

 private:
  const std::uint8_t* data_ = nullptr;  // null for an empty file
  std::size_t size_ = 0;
};

}  // namespace systole::workloads
