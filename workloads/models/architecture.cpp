#include "workloads/models/architecture.h"

#include "sim/base/errors.h"

namespace systole::workloads {

const char* name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::Bert:
      return "bert";
    case Architecture::Gpt2:
      return "gpt2";
    case Architecture::CrossAttention:
      return "xattn";
    case Architecture::EncoderDecoder:
      return "encdec";
  }
  SYSTOLE_CHECK(false);
  return "";
}

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::Gelu:
      return "gelu";
    case Activation::Relu:
      return "relu";
  }
  SYSTOLE_CHECK(false);
  return "";
}

}  // namespace systole::workloads
