#pragma once
// A program: what the host does in order, and the memory it starts from.
#include <cstdint>
#include <string>
#include <vector>

#include "isa/fields.h"

namespace systole::isa {

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
};

// A model region: a name such as "layer.0/attention/scores" and the multiply-accumulates that the model needs in it.
struct Region {
  std::string name;
  std::uint64_t macs = 0;
};

// A named range of main memory.
struct Symbol {
  std::string name;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
};

// Initial bytes of main memory at `address`. Memory that no segment covers is 0.
struct Segment {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
};

// Work of the CPU between commands (fall-back operations); its meaning belongs to kernels/host_fallback and hw/host.
struct HostOp {
  std::string name;
  std::vector<std::uint64_t> arguments;
};

struct Program {
  std::vector<Item> items;
  std::vector<Region> regions;
  std::vector<Symbol> symbols;
  std::vector<Segment> image;
  std::vector<HostOp> host_ops;

  void command(const Instruction& instruction) { items.push_back({ItemKind::kCommand, instruction, 0}); }
  void gap(std::uint64_t cycles) { items.push_back({ItemKind::kGap, {}, cycles}); }
  void fence() { items.push_back({ItemKind::kFence, {}, 0}); }
  // Opens a region; equal names in sequence continue the open one.
  void region(const std::string& name, std::uint64_t macs = 0);
};

}  // namespace systole::isa
