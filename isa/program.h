#pragma once
// A program: what the host does in order, and the memory it starts from.
#include <cstdint>
#include <string>
#include <vector>

#include "isa/fields.h"

namespace systole::isa {

// Which year's encoding the commands use.
struct Encoding {
  int revision = 2023;    // instruction set of the RTL: 2023, or 2025 with functs 23..25
  int loop_conv = 2023;   // form of the convolution words: 2023 (square) or 2025 (rectangular)
  friend bool operator==(const Encoding& a, const Encoding& b) { return a.revision == b.revision && a.loop_conv == b.loop_conv; }
  friend bool operator!=(const Encoding& a, const Encoding& b) { return !(a == b); }
};

// What the host does next.
enum class ItemKind : std::uint8_t {
  kCommand,   // offer `instruction` at the RoCC port until it is accepted
  kGap,       // `value` idle cycles
  kFence,     // wait until the accelerator is not busy
  kRegion,    // from here on cycles belong to regions[value]; takes no time
  kHostOp,    // host_ops[value]: the CPU computes; takes its own cycles (hw/host)
};

struct Item {
  ItemKind kind = ItemKind::kCommand;
  Instruction instruction;   // kCommand
  std::uint64_t value = 0;   // kGap: cycles; kRegion, kHostOp: index
  friend bool operator==(const Item& a, const Item& b) {
    return a.kind == b.kind && a.instruction == b.instruction && a.value == b.value;
  }
};

// A model region: a name such as "layer.0/attention/scores" and the multiply-accumulates that the model needs in it.
struct Region {
  std::string name;
  std::uint64_t macs = 0;
  friend bool operator==(const Region& a, const Region& b) { return a.name == b.name && a.macs == b.macs; }
};

// A named range of main memory.
struct Symbol {
  std::string name;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Symbol& a, const Symbol& b) {
    return a.name == b.name && a.address == b.address && a.bytes == b.bytes;
  }
};

// Initial bytes of main memory at `address`. Memory that no segment covers is 0.
struct Segment {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
  friend bool operator==(const Segment& a, const Segment& b) { return a.address == b.address && a.bytes == b.bytes; }
};

// Work of the CPU between commands (fall-back operations); its meaning belongs to kernels/host_fallback and hw/host.
struct HostOp {
  std::string name;
  std::vector<std::uint64_t> arguments;
  friend bool operator==(const HostOp& a, const HostOp& b) { return a.name == b.name && a.arguments == b.arguments; }
};

struct Program {
  std::vector<Item> items;
  std::vector<Region> regions;
  std::vector<Symbol> symbols;
  std::vector<Segment> image;
  std::vector<HostOp> host_ops;
  Encoding encoding;

  void command(const Instruction& instruction) { items.push_back({ItemKind::kCommand, instruction, 0}); }
  void gap(std::uint64_t cycles) { items.push_back({ItemKind::kGap, {}, cycles}); }
  void fence() { items.push_back({ItemKind::kFence, {}, 0}); }
  // Opens a region; equal names in sequence continue the open one.
  void region(const std::string& name, std::uint64_t macs = 0);

  friend bool operator==(const Program& a, const Program& b) {
    return a.items == b.items && a.regions == b.regions && a.symbols == b.symbols && a.image == b.image && a.host_ops == b.host_ops &&
           a.encoding == b.encoding;
  }
  friend bool operator!=(const Program& a, const Program& b) { return !(a == b); }
};

}  // namespace systole::isa
