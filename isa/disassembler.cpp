#include <fmt/format.h>

#include <algorithm>

#include "isa/assembler.h"
#include "isa/instruction.h"
#include "isa/text.h"
#include "sim/base/errors.h"

namespace systole::isa {
namespace {

constexpr std::size_t kBytesPerLine = 32;
constexpr std::size_t kShortestZeroRun = 64;

// Each of `count` definitions is used by exactly one item of `kind`, in order: they can be written where they are used.
bool used_in_order(const Program& program, ItemKind kind, std::size_t count) {
  std::uint64_t next = 0;
  for (const Item& item : program.items) {
    if (item.kind == kind && item.value != next++) return false;
  }
  return next == count;
}

std::size_t zero_run(const std::vector<std::uint8_t>& bytes, std::size_t from) {
  const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(from);
  return static_cast<std::size_t>(std::find_if(first, bytes.end(), [](std::uint8_t byte) { return byte != 0; }) -
                                  first);
}

void append_segment(std::string& text, const Segment& segment) {
  text += fmt::format(".segment {:#x}\n", segment.address);
  std::size_t at = 0;
  while (at < segment.bytes.size()) {
    const std::size_t zeros = zero_run(segment.bytes, at);
    if (zeros >= kShortestZeroRun) {
      text += fmt::format("  .zero {}\n", zeros);
      at += zeros;
      continue;
    }
    text += "  .bytes ";
    constexpr char kDigits[] = "0123456789abcdef";
    const std::size_t end = std::min(at + kBytesPerLine, segment.bytes.size());
    for (; at < end; ++at) {
      text += kDigits[segment.bytes[at] >> 4];
      text += kDigits[segment.bytes[at] & 15];
    }
    text += '\n';
  }
}

std::string region_text(const Region& region) {
  return quote_name(region.name) + (region.macs != 0 ? fmt::format(" {}", region.macs) : "");
}

std::string host_text(const HostOp& operation) {
  std::string text = quote_name(operation.name);
  for (const std::uint64_t argument : operation.arguments) text += fmt::format(" {:#x}", argument);
  return text;
}

}  // namespace

std::string disassemble(const Program& program) {
  std::string text =
      fmt::format(".encoding revision={} loop_conv={}\n", program.encoding.revision, program.encoding.loop_conv);
  for (const Symbol& symbol : program.symbols)
    text += fmt::format(".symbol {} {:#x} {}\n", quote_name(symbol.name), symbol.address, symbol.bytes);
  for (const Segment& segment : program.image) append_segment(text, segment);
  const bool inline_regions = used_in_order(program, ItemKind::kRegion, program.regions.size());
  const bool inline_hosts = used_in_order(program, ItemKind::kHostOp, program.host_ops.size());
  if (!inline_regions) {
    for (const Region& region : program.regions) text += ".define_region " + region_text(region) + "\n";
  }
  if (!inline_hosts) {
    for (const HostOp& operation : program.host_ops) text += ".define_host " + host_text(operation) + "\n";
  }
  for (const Item& item : program.items) {
    SYSTOLE_CHECK(item.kind != ItemKind::kRegion || item.value < program.regions.size());
    SYSTOLE_CHECK(item.kind != ItemKind::kHostOp || item.value < program.host_ops.size());
    switch (item.kind) {
      case ItemKind::kCommand:
        text += disassemble(item.instruction, program.encoding.revision, program.encoding.loop_conv) + "\n";
        break;
      case ItemKind::kGap:
        text += fmt::format(".gap {}\n", item.value);
        break;
      case ItemKind::kFence:
        text += ".fence\n";
        break;
      case ItemKind::kRegion:
        text += ".region " +
                (inline_regions ? region_text(program.regions[item.value]) : fmt::format("@{}", item.value)) + "\n";
        break;
      case ItemKind::kHostOp:
        text +=
            ".host " + (inline_hosts ? host_text(program.host_ops[item.value]) : fmt::format("@{}", item.value)) + "\n";
        break;
    }
  }
  return text;
}

}  // namespace systole::isa
