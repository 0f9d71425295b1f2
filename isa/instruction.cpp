#include "isa/instruction.h"

#include <fmt/format.h>

#include <cstring>

#include "isa/program.h"
#include "sim/base/errors.h"

namespace systole::isa {
namespace {

constexpr std::uint64_t any = ~std::uint64_t{0};

struct Match {
  Field field;
  std::uint64_t value;
};

#define SYSTOLE_MATCH(reg, msb, lsb, value) Match{Field{SYSTOLE_REG_##reg, msb, lsb, FieldType::kUint}, value}
#define F(name, reg, msb, lsb, type) NamedField{#name, Field{SYSTOLE_REG_##reg, msb, lsb, FieldType::type}},

std::vector<OpInfo> build_table() {
  std::vector<OpInfo> result;
#define SYSTOLE_INSN(op, mnemonic, funct, match, queue, since, until, fieldlist, text)                        \
  {                                                                                                           \
    const Match m = SYSTOLE_MATCH match;                                                                      \
    result.push_back(OpInfo{Op::k##op, mnemonic, funct, m.value != any, m.field, m.value, Queue::queue,       \
                            since, until, {SYSTOLE_UNPAREN fieldlist}, text});                                \
  }
#include "isa/opcodes.def"
#undef SYSTOLE_INSN
  return result;
}
#undef F

bool is_conv_word(const OpInfo& entry) {
  return entry.funct >= fields::LoopConv1::kFunct && entry.funct <= fields::LoopConv3::kFunct;
}

bool applies(const OpInfo& entry, int revision) {
  return (entry.since == 0 || revision >= entry.since) && (entry.until == 0 || revision <= entry.until);
}

std::string field_text(const NamedField& named, std::uint64_t value) {
  switch (named.field.type) {
    case FieldType::kUint:
    case FieldType::kFlag:
      return fmt::format("{}={}", named.name, value);
    case FieldType::kDram:
    case FieldType::kLocal:
      return fmt::format("{}={:#x}", named.name, value);
    case FieldType::kFloat: {
      const auto bits = static_cast<std::uint32_t>(value);
      float number = 0;
      std::memcpy(&number, &bits, sizeof number);
      // Only numbers that read back to the same bits are shown as numbers.
      const std::string text = fmt::format("{}", number);
      if (number == number && text.find("inf") == std::string::npos) {
        const float back = std::strtof(text.c_str(), nullptr);
        if (std::memcmp(&back, &number, sizeof back) == 0) return fmt::format("{}={}f", named.name, text);
      }
      return fmt::format("{}={:#x}", named.name, value);
    }
    case FieldType::kInt32:
      return fmt::format("{}={}", named.name, static_cast<std::int32_t>(value));
  }
  SYSTOLE_CHECK(false);
  return {};
}

}  // namespace

const std::vector<OpInfo>& table() {
  static const std::vector<OpInfo> entries = build_table();
  return entries;
}

const OpInfo& info(Op op) { return table()[static_cast<std::size_t>(op)]; }

std::optional<Op> decode(const Instruction& instruction, int revision, int conv_encoding) {
  for (const OpInfo& entry : table()) {
    if (entry.funct != instruction.funct) continue;
    if (!applies(entry, is_conv_word(entry) && conv_encoding != 0 ? conv_encoding : revision)) continue;
    if (!entry.has_match || entry.match.get(instruction) == entry.match_value) return entry.op;
  }
  return std::nullopt;
}

Instruction make(Op op) {
  const OpInfo& entry = info(op);
  Instruction result;
  result.funct = entry.funct;
  if (entry.has_match) entry.match.set(result, entry.match_value);
  return result;
}

std::string disassemble(const Instruction& instruction, int revision, int conv_encoding) {
  const std::optional<Op> op = decode(instruction, revision, conv_encoding);
  if (!op) return fmt::format("rocc funct={} rs1={:#x} rs2={:#x}", instruction.funct, instruction.rs1, instruction.rs2);
  const OpInfo& entry = info(*op);
  Instruction rebuilt = make(*op);
  std::string text = entry.mnemonic;
  for (const NamedField& named : entry.fields) {
    const std::uint64_t value = named.field.get(instruction);
    named.field.set(rebuilt, value);
    if (value != 0) text += " " + field_text(named, value);
  }
  // Bits outside the named fields are kept: the text must assemble to the same instruction.
  if (rebuilt != instruction) {
    text += fmt::format(" rs1={:#x} rs2={:#x}", instruction.rs1, instruction.rs2);
  }
  return text;
}

void Program::region(const std::string& name, std::uint64_t macs) {
  if (!items.empty() && !regions.empty() && regions.back().name == name) {
    regions.back().macs += macs;
    return;
  }
  regions.push_back({name, macs});
  items.push_back({ItemKind::kRegion, {}, regions.size() - 1});
}

}  // namespace systole::isa
