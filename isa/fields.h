#pragma once
// Bit fields of an instruction's two operand registers: the only shifts and masks of the project.
#include <cstdint>

namespace systole::isa {

enum class Register : std::uint8_t { kRs1, kRs2 };

// How a field's bits are shown and checked.
enum class FieldType : std::uint8_t {
  kUint,     // unsigned number
  kFlag,     // one bit
  kDram,     // byte address in main memory
  kLocal,    // local address (isa/local_address.h)
  kFloat,    // bit pattern of an IEEE single
  kInt32,    // two's complement, 32 bits
};

// One RoCC command as it reaches the accelerator's port: funct7 and two 64-bit register values.
struct Instruction {
  std::uint8_t funct = 0;
  std::uint64_t rs1 = 0;
  std::uint64_t rs2 = 0;
  friend bool operator==(const Instruction& a, const Instruction& b) {
    return a.funct == b.funct && a.rs1 == b.rs1 && a.rs2 == b.rs2;
  }
  friend bool operator!=(const Instruction& a, const Instruction& b) { return !(a == b); }
};

// Bits msb..lsb of one register.
struct Field {
  Register reg;
  std::uint8_t msb;
  std::uint8_t lsb;
  FieldType type;

  [[nodiscard]] constexpr std::uint64_t mask() const {
    return msb - lsb == 63 ? ~std::uint64_t{0} : (std::uint64_t{1} << (msb - lsb + 1)) - 1;
  }
  [[nodiscard]] constexpr std::uint64_t get(const Instruction& i) const {
    return ((reg == Register::kRs1 ? i.rs1 : i.rs2) >> lsb) & mask();
  }
  constexpr void set(Instruction& i, std::uint64_t value) const {
    std::uint64_t& r = reg == Register::kRs1 ? i.rs1 : i.rs2;
    r = (r & ~(mask() << lsb)) | ((value & mask()) << lsb);
  }
};

}  // namespace systole::isa
