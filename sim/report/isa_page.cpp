#include "sim/report/isa_page.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "isa/instruction.h"
#include "sim/base/errors.h"
#include "sim/report/table.h"

namespace systole::report {
namespace {

struct QueueName {
  isa::Queue queue;
  const char* title;
};

constexpr QueueName kQueues[] = {
    {isa::Queue::kLoad, "load controller"},        {isa::Queue::kExecute, "execute controller"}, {isa::Queue::kStore, "store controller"},
    {isa::Queue::kLoop, "loop unrollers"},         {isa::Queue::kFrontend, "front end"},         {isa::Queue::kHost, "host (Systole's own)"},
};

const char* name_of(isa::Queue queue) {
  for (const QueueName& entry : kQueues) {
    if (entry.queue == queue) return entry.title;
  }
  return "";
}

const char* name_of(isa::FieldType type) {
  switch (type) {
    case isa::FieldType::kUint: return "unsigned number";
    case isa::FieldType::kFlag: return "flag";
    case isa::FieldType::kDram: return "byte address in main memory";
    case isa::FieldType::kLocal: return "local address (scratchpad or accumulator row)";
    case isa::FieldType::kFloat: return "bits of an IEEE single";
    case isa::FieldType::kInt32: return "signed number, 32 bits";
  }
  return "";
}

std::string bits(const isa::Field& field) {
  const char* reg = field.reg == isa::Register::kRs1 ? "rs1" : "rs2";
  return field.msb == field.lsb ? fmt::format("{}[{}]", reg, field.msb) : fmt::format("{}[{}:{}]", reg, field.msb, field.lsb);
}

std::string revisions(const isa::OpInfo& info) {
  if (info.since == 0 && info.until == 0) return "all";
  if (info.until == 0) return fmt::format("from {}", info.since);
  if (info.since == 0) return fmt::format("until {}", info.until);
  return fmt::format("{}..{}", info.since, info.until);
}

Table fields_table(const isa::OpInfo& info) {
  Table table({{"field"}, {"bits"}, {"type"}});
  if (info.has_match) table.row({fmt::format("(always {})", info.match_value), bits(info.match), "tells the instructions of one code apart"});
  for (const isa::NamedField& field : info.fields) table.row({field.name, bits(field.field), name_of(field.field.type)});
  return table;
}

}  // namespace

std::string isa_text() {
  Table table({{"instruction"}, {"funct", Align::kRight}, {"revisions"}, {"what it does"}});
  std::string text;
  for (const QueueName& queue : kQueues) {
    Table part = table;
    for (const isa::OpInfo& info : isa::table()) {
      if (info.queue == queue.queue) part.row({info.mnemonic, std::to_string(info.funct), revisions(info), info.text});
    }
    if (!part.empty()) text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", queue.title, part.text());
  }
  return text + "\n`systole show isa NAME` shows the fields of one instruction.\n";
}

std::string instruction_text(const std::string& mnemonic) {
  std::string text;
  std::vector<std::string> names;
  for (const isa::OpInfo& info : isa::table()) {
    names.emplace_back(info.mnemonic);
    if (mnemonic != info.mnemonic) continue;
    text += fmt::format("{}{}: {}\nfunct {}, consumed by the {}, revisions: {}\n\n{}", text.empty() ? "" : "\n", info.mnemonic, info.text, info.funct,
                        name_of(info.queue), revisions(info), fields_table(info).text());
  }
  if (text.empty()) throw ConfigError(fmt::format("unknown instruction '{}'; nearest: '{}'", mnemonic, nearest(mnemonic, names)));
  return text;
}

std::string isa_markdown() {
  std::string text = "# Instruction set\n\nMade by `systole show isa --markdown` from `isa/opcodes.def`; do not edit.\n";
  for (const QueueName& queue : kQueues) {
    text += fmt::format("\n## {}\n", queue.title);
    for (const isa::OpInfo& info : isa::table()) {
      if (info.queue != queue.queue) continue;
      text += fmt::format("\n### `{}` (funct {}, revisions: {})\n\n{}\n", info.mnemonic, info.funct, revisions(info), info.text);
      const Table fields = fields_table(info);
      if (!fields.empty()) text += "\n" + fields.markdown();
    }
  }
  return text;
}

}  // namespace systole::report
