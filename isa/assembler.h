#pragma once
// Text form of a Program. One item per line; ; and # start a comment; names with blanks stand between double quotes.
//
//   .encoding revision=2023 loop_conv=2023          before the first command; as shown when absent
//   .symbol input 0x80001000 4096                   name, address, bytes
//   .segment 0x80001000                             initial memory from this address on, made of the lines
//     .bytes 00ff10 a7                                hexadecimal bytes
//     .word 1 -2 0x7fffffff                           32-bit words, little endian
//     .zero 64                                        bytes of 0
//     .fill 256 int8 -128 127 42                      bytes, element type, lowest, highest, seed (the generator of
//     traces)
//   .region "layer.0/attention/scores" 786432       name, multiply-accumulates (may be absent)
//   .host softmax 0x80001000 128                    an operation of the CPU with its arguments
//   .gap 5
//   .fence
//   mvin dram=@input+64 local=0x10 cols=16 rows=16  mnemonic and fields (isa/opcodes.def); fields left out are 0
//   rocc funct=2 rs1=0x80001000 rs2=0x10001000000000
//
// Numbers are decimal or start with 0x; scales may be written 0.5f, bit patterns in hexadecimal; an address may be
// @symbol or @symbol+offset; a local address may be `garbage`. rs1= and rs2= set whole registers before the fields are
// written into them. Regions and host operations that are used otherwise than once each, in order, are listed first
// (.define_region, .define_host) and used by number: .region @0
#include <string>
#include <string_view>

#include "isa/program.h"

namespace systole::isa {

// A line may stand for many bytes (.zero, .fill); all segments together stay below this.
inline constexpr std::uint64_t kMaxImageBytes = std::uint64_t{1} << 30;

// Throws ConfigError "file:line:column: what; nearest: ...".
[[nodiscard]] Program assemble(std::string_view text, const std::string& name,
                               std::uint64_t max_image_bytes = kMaxImageBytes);

// assemble(disassemble(program)) == program.
[[nodiscard]] std::string disassemble(const Program& program);

}  // namespace systole::isa
