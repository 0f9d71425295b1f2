#pragma once
// Binary form of a Program: one file with the items, the initial memory, symbols and regions. All numbers are little
// endian.
//
//   header    "SYSTOLE\0"  u32 version = 1  u32 sections  u64 file size  u32 CRC-32 of the section table  u32 0
//   table     per section: u32 kind  u32 CRC-32 of its bytes  u64 offset  u64 size      (ascending kinds, no gaps, no
//   overlap) kinds     1 encoding   u32 revision, u32 loop_conv
//             2 items      u8 kind; command: u8 funct, u64 rs1, u64 rs2; gap, region, host operation: u64 value; fence:
//             nothing 3 regions    u32 length, name, u64 multiply-accumulates 4 symbols    u32 length, name, u64
//             address, u64 bytes 5 image      u64 address, u64 size, bytes 6 host       u32 length, name, u32 count,
//             u64 arguments
//   A section is a list that ends where its bytes end; all six are present.
#include <string>
#include <string_view>

#include "isa/program.h"

namespace systole::isa {

// Throw ConfigError naming file and byte offset for anything but a whole, consistent container.
[[nodiscard]] Program read_container(const std::string& path);
[[nodiscard]] Program parse_container(std::string_view bytes, const std::string& name);

[[nodiscard]] std::string format_container(const Program& program);
void write_container(const std::string& path, const Program& program);  // atomically

// Whether the bytes start like a container (and not like text).
[[nodiscard]] bool is_container(std::string_view bytes);

}  // namespace systole::isa
