#pragma once
// Reader and writer of the safetensors format (https://github.com/huggingface/safetensors, format section of its
// README): u64 header length, JSON header {name: {dtype, shape, data_offsets}, __metadata__}, packed little-endian
// data. The reader is strict: what the reference implementation rejects is a ConfigError that names the file and the
// tensor.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "workloads/weights/tensor.h"

namespace systole::workloads {

using Metadata = std::map<std::string, std::string>;

// A tensor inside a mapped file; valid as long as the SafetensorsFile (or the buffer) lives. `data` may be unaligned.
struct TensorView {
  std::string dtype;  // as written; types outside `Dtype` are accepted until somebody reads the tensor
  Shape shape;
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;
};

class SafetensorsFile {
 public:
  // Maps `path`. If it names a directory or an index (*.index.json), all shards it lists.
  explicit SafetensorsFile(const std::string& path);
  // Parses bytes that the caller keeps alive; `name` stands for the file in errors.
  SafetensorsFile(const std::uint8_t* bytes, std::size_t size, const std::string& name);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] const Metadata& metadata() const;
  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const;
  [[nodiscard]] bool contains(const std::string& tensor) const;
  // ConfigError when the tensor is missing (nearest name) or of a type outside `Dtype`.
  [[nodiscard]] const TensorView& view(const std::string& tensor) const;
  [[nodiscard]] Tensor read(const std::string& tensor) const;
  // As fp32: F32, F16, BF16 and F64 (rounded) are converted. ConfigError when the shape differs.
  [[nodiscard]] std::vector<float> read_floats(const std::string& tensor, const Shape& shape) const;
  // One row of a matrix [rows, cols], converted likewise, without touching the others.
  void read_float_row(const std::string& tensor, const Shape& shape, std::size_t row, float* to) const;
  // The first element of a floating-point tensor that is NaN or infinite.
  [[nodiscard]] std::optional<std::size_t> find_not_finite(const std::string& tensor) const;
  // Exactly this element type and shape.
  template <typename T>
  [[nodiscard]] std::vector<T> read_as(const std::string& tensor, const Shape& shape) const {
    check(tensor, dtype_of<T>(), shape);
    std::vector<T> values(elements_of(shape));
    copy_to(tensor, values.data());
    return values;
  }

 private:
  void floats_to(const std::string& tensor, const Shape& shape, std::size_t first, std::size_t count, float* to) const;
  void release(const std::uint8_t* first, std::size_t bytes) const;
  void check(const std::string& tensor, Dtype dtype, const Shape& shape) const;
  void copy_to(const std::string& tensor, void* to) const;

  struct Contents;
  std::unique_ptr<Contents> contents_;
};

// Writes tensors sorted by alignment (descending) and name, header padded to 8 bytes; temporary file, then rename.
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const Metadata& metadata = {});

}  // namespace systole::workloads
