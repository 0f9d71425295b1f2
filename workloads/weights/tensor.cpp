#include "workloads/weights/tensor.h"

namespace systole::workloads {

std::size_t bytes_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
    case Dtype::U8:
    case Dtype::I8:
      return 1;
    case Dtype::I16:
    case Dtype::F16:
    case Dtype::BF16:
      return 2;
    case Dtype::I32:
    case Dtype::F32:
      return 4;
    case Dtype::I64:
    case Dtype::F64:
      return 8;
  }
  SYSTOLE_CHECK(false);
  return 0;
}

const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
      return "BOOL";
    case Dtype::U8:
      return "U8";
    case Dtype::I8:
      return "I8";
    case Dtype::I16:
      return "I16";
    case Dtype::I32:
      return "I32";
    case Dtype::I64:
      return "I64";
    case Dtype::F16:
      return "F16";
    case Dtype::BF16:
      return "BF16";
    case Dtype::F32:
      return "F32";
    case Dtype::F64:
      return "F64";
  }
  SYSTOLE_CHECK(false);
  return "";
}

std::size_t elements_of(const Shape& shape) {
  std::size_t elements = 1;
  for (const std::size_t dimension : shape) {
    elements *= dimension;
  }
  return elements;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

Tensor::Tensor(Dtype type, Shape dimensions)
    : dtype(type), shape(std::move(dimensions)), bytes(elements_of(shape) * bytes_of(type)) {}

}  // namespace systole::workloads
