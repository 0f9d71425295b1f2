#pragma once
// The instruction set as C++: an operation code per table entry and one namespace of fields per instruction,
//   e.g. isa::mvin::rows.get(instruction)  or  isa::Mvin::kFunct.  Made from isa/opcodes.def; nothing is written twice.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isa/fields.h"

namespace systole::isa {

// Consumer of an instruction.
enum class Queue : std::uint8_t { kLoad, kExecute, kStore, kLoop, kFrontend, kHost };

enum class Op : std::uint8_t {
#define SYSTOLE_INSN(op, mnemonic, funct, match, queue, since, until, fields, text) k##op,
#include "isa/opcodes.def"
#undef SYSTOLE_INSN
};

// Field constants: namespace isa::fields::<Op>, e.g. isa::fields::Mvin::rows.
namespace fields {
#define SYSTOLE_UNPAREN(...) __VA_ARGS__
#define SYSTOLE_REG_rs1 Register::kRs1
#define SYSTOLE_REG_rs2 Register::kRs2
#define F(name, reg, msb, lsb, type) inline constexpr Field name{SYSTOLE_REG_##reg, msb, lsb, FieldType::type};
#define SYSTOLE_INSN(op, mnemonic, funct, match, queue, since, until, fieldlist, text) \
  namespace op {                                                                       \
  SYSTOLE_UNPAREN fieldlist inline constexpr std::uint8_t kFunct = funct;              \
  }
#include "isa/opcodes.def"
#undef SYSTOLE_INSN
#undef F
}  // namespace fields

struct NamedField {
  const char* name;
  Field field;
};

// One line of the table.
struct OpInfo {
  Op op;
  const char* mnemonic;
  std::uint8_t funct;
  bool has_match;             // funct alone decides when false
  Field match;
  std::uint64_t match_value;
  Queue queue;
  int since;                  // 0: every revision
  int until;
  std::vector<NamedField> fields;
  const char* text;
};

[[nodiscard]] const std::vector<OpInfo>& table();
// The consumer of an operation, as in its table entry.
[[nodiscard]] constexpr Queue queue_of(Op op) {
  constexpr Queue kQueues[] = {
#define SYSTOLE_INSN(op, mnemonic, funct, match, queue, since, until, fields, text) Queue::queue,
#include "isa/opcodes.def"
#undef SYSTOLE_INSN
  };
  return kQueues[static_cast<unsigned>(op)];
}
[[nodiscard]] const OpInfo& info(Op op);

// The operation of an instruction in an RTL revision (2023, 2025); nothing when the funct is unknown.
// The convolution configuration words changed separately: `conv_encoding` (2023, 2025) names their form; 0: that of the revision.
[[nodiscard]] std::optional<Op> decode(const Instruction& instruction, int revision = 2023, int conv_encoding = 0);

// An instruction of `op` with all fields 0 and its match bits set.
[[nodiscard]] Instruction make(Op op);

// One line of assembly: mnemonic and the non-zero fields, `name=value`.
[[nodiscard]] std::string disassemble(const Instruction& instruction, int revision = 2023, int conv_encoding = 0);

}  // namespace systole::isa
