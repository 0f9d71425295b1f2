// The three forms of a program (text, container, trace) and the messages of their readers.
#include <gtest/gtest.h>

#include <functional>

#include "isa/assembler.h"
#include "isa/container.h"
#include "isa/geometry.h"
#include "isa/instruction.h"
#include "isa/trace.h"
#include "sim/base/crc32.h"
#include "sim/base/errors.h"
#include "tests/support/program_generator.h"
#include "tests/support/random.h"

namespace systole::isa {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}
std::string assembly_error(const std::string& text) {
  return error_of([&] { (void)assemble(text, "p.s"); });
}
std::string trace_error(const std::string& body) {
  return error_of([&] { (void)parse_trace("# systole-trace 1\n" + body, "x.trace"); });
}

// Everything a program can hold, in random amounts.
Program random_program(std::uint64_t seed) {
  test::Random random(seed);
  Program program = test::emit(test::make_plan(seed)).program;
  const auto name = [&] {
    std::string text;
    for (std::uint32_t i = random.count(0, 12); i > 0; --i) text += static_cast<char>(random.count(1, 255));
    return text;
  };
  for (std::uint32_t i = random.count(0, 3); i > 0; --i) program.regions.push_back({name(), random.bits()});
  for (std::uint32_t i = random.count(0, 3); i > 0; --i)
    program.symbols.push_back({name(), random.count(0, 1000), random.count(0, 1000)});
  for (std::uint32_t i = random.count(0, 3); i > 0; --i) {
    Segment segment{random.bits() >> 8, {}};
    for (std::uint32_t n = random.count(0, 300); n > 0; --n)
      segment.bytes.push_back(random.chance(20) ? static_cast<std::uint8_t>(random.bits()) : 0);
    program.image.push_back(std::move(segment));
  }
  for (std::uint32_t i = random.count(0, 3); i > 0; --i)
    program.host_ops.push_back({name(), {random.bits(), random.bits()}});
  for (std::uint32_t i = random.count(0, 6); i > 0; --i) {
    if (!program.regions.empty())
      program.items.push_back(
          {ItemKind::kRegion, {}, random.count(0, static_cast<std::uint32_t>(program.regions.size()) - 1)});
    if (!program.host_ops.empty())
      program.items.push_back(
          {ItemKind::kHostOp, {}, random.count(0, static_cast<std::uint32_t>(program.host_ops.size()) - 1)});
    program.gap(random.bits());
  }
  return program;
}

TEST(Forms, random_programs_survive_text_and_container) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Program program = random_program(seed);
    ASSERT_EQ(assemble(disassemble(program), "text"), program) << "seed " << seed;
    ASSERT_EQ(parse_container(format_container(program), "bytes"), program) << "seed " << seed;
  }
}

TEST(Assembler, reads_every_kind_of_line) {
  const Program program = assemble(
      "; a comment\n"
      ".symbol in 0x80001000 64   # another\n"
      ".segment 0x80001000\n"
      "  .bytes 00ff 10\n"
      "  .word -1 0x12345678\n"
      "  .zero 3\n"
      "  .fill 4 int8 5 5 1\n"
      ".region \"layer 0/scores\" 12\n"
      "config_ld state=1 scale=0.5f stride=16 block_stride=16\n"
      "mvin2 dram=@in+0x10 local=0x20 cols=16 rows=4\n"
      "preload local=garbage out_local=0x80000000\n"
      ".gap 7\n"
      ".host softmax @in 3\n"
      "rocc funct=99 rs1=0x1 rs2=2\n"
      ".fence\n",
      "p.s");
  ASSERT_EQ(program.items.size(), 8u);
  EXPECT_EQ(program.regions[0].name, "layer 0/scores");
  EXPECT_EQ(program.regions[0].macs, 12u);
  const Instruction& mvin = program.items[2].instruction;
  EXPECT_EQ(mvin.rs1, 0x80001010u);
  EXPECT_EQ(mvin.rs2, 0x0004'0010'0000'0020u);
  EXPECT_EQ(fields::ConfigLd::scale.get(program.items[1].instruction), 0x3F000000u);
  EXPECT_EQ(fields::Preload::local.get(program.items[3].instruction), 0xFFFFFFFFu);
  EXPECT_EQ(program.host_ops[0].arguments, (std::vector<std::uint64_t>{0x80001000, 3}));
  EXPECT_EQ(program.image[0].bytes,
            (std::vector<std::uint8_t>{0, 255, 16, 255, 255, 255, 255, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 5, 5, 5, 5}));
}

TEST(Assembler, errors_name_line_column_and_the_nearest_choice) {
  EXPECT_EQ(assembly_error("\nmvinn rows=1\n"), "p.s:2:1: error: unknown instruction 'mvinn'; nearest: 'mvin'");
  EXPECT_EQ(assembly_error("mvin row=1\n"), "p.s:1:6: error: mvin has no field 'row'; nearest: 'rows'");
  EXPECT_EQ(assembly_error("mvin rows=70000\n"), "p.s:1:11: error: rows 70000 is larger than 65535");
  EXPECT_EQ(assembly_error("mvin rows=1 rows=2\n"), "p.s:1:13: error: field 'rows' appears twice");
  EXPECT_EQ(assembly_error("mvin rows\n"), "p.s:1:6: error: 'rows' is not of the form field=value");
  EXPECT_EQ(assembly_error("mvin rows=x\n"), "p.s:1:11: error: rows 'x' is not a decimal number below 2^64");
  EXPECT_EQ(assembly_error("config_ld scale=1.5\n"),
            "p.s:1:17: error: scale '1.5' is neither a number like 1.5f nor a bit pattern like 0x3fc00000");
  EXPECT_EQ(assembly_error(".fense\n"), "p.s:1:1: error: unknown directive '.fense'; nearest: '.fence'");
  EXPECT_EQ(assembly_error(".gap\n"), "p.s:1:5: error: operand missing; the form is '.gap <cycles>'");
  EXPECT_EQ(assembly_error(".fence 3\n"), "p.s:1:8: error: unexpected '3'; the form is '.fence'");
  EXPECT_EQ(assembly_error(".symbol input 0x10 4\nmvin dram=@inptu\n"),
            "p.s:2:12: error: unknown symbol 'inptu'; nearest: 'input'");
  EXPECT_EQ(assembly_error(".bytes 00\n"), "p.s:1:1: error: .bytes before the first .segment");
  EXPECT_EQ(assembly_error(".segment 0\n.bytes 0g\n"), "p.s:2:8: error: '0g' is not a hexadecimal byte");
  EXPECT_EQ(assembly_error(".segment 0\n.zero 99999999999\n"),
            "p.s:2:1: error: the initial memory is larger than 1073741824 bytes");
  EXPECT_EQ(assembly_error(".region \"x\n"), "p.s:1:9: error: name '\"x' does not end with a quote");
  EXPECT_EQ(assembly_error(".region @0\n"), "p.s:1:9: error: region 0 of 0");
  EXPECT_EQ(assembly_error("config_ld rs1=0x2\n"), "p.s:1:1: error: the registers given are not those of config_ld");
  EXPECT_EQ(assembly_error("store_spad\n"), "p.s:1:1: error: unknown instruction 'store_spad'; nearest: 'preload'");
}

TEST(Assembler, mnemonics_of_a_later_revision_need_its_encoding) {
  const Program program =
      assemble(".encoding revision=2025 loop_conv=2025\nstore_spad cols=3\nloop_conv_1 out_col_dim=5\n", "p.s");
  EXPECT_EQ(decode(program.items[1].instruction, 2025), Op::kLoopConv1Rect);
  EXPECT_NE(assembly_error("loop_conv_1 out_col_dim=5\n"), "no error");
}

// ---- container

std::string container_error(const std::string& bytes) {
  return error_of([&] { (void)parse_container(bytes, "p.bin"); });
}

TEST(Container, every_truncation_and_every_changed_byte_is_refused) {
  const std::string good = format_container(random_program(3));
  for (std::size_t size = 0; size < good.size(); size += size < 400 ? 1 : 97) {
    EXPECT_NE(container_error(good.substr(0, size)), "no error") << size;
  }
  for (std::size_t at = 0; at < good.size(); at += at < 400 ? 1 : 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    EXPECT_NE(container_error(bad), "no error") << at;
  }
  EXPECT_NE(container_error(good + "x"), "no error");
}

TEST(Container, messages_say_what_is_wrong) {
  const std::string good = format_container({});
  EXPECT_EQ(container_error("abc"), "p.bin: error: byte 0: magic number: 8 bytes needed, 3 left");
  EXPECT_EQ(container_error("abcdefghijklmnop"), "p.bin: error: byte 8: not a program container (wrong magic number)");
  std::string newer = good;
  newer[8] = 2;
  EXPECT_EQ(container_error(newer), "p.bin: error: byte 12: version 2; this program reads version 1");
  EXPECT_TRUE(is_container(good));
  EXPECT_FALSE(is_container("mvin rows=1"));
}

TEST(Container, a_name_too_long_for_the_format_is_refused_when_written) {
  Program program;
  program.region(std::string(70000, 'x'));
  EXPECT_THROW((void)format_container(program), ConfigError);
}

TEST(Container, files_appear_whole) {
  const std::string path = ::testing::TempDir() + "systole_container_test.bin";
  const Program program = random_program(4);
  write_container(path, program);
  EXPECT_EQ(read_container(path), program);
  std::remove(path.c_str());
  EXPECT_EQ(error_of([&] { write_container("/nonexistent/x.bin", program); }),
            "/nonexistent/x.bin: cannot create a file beside it: No such file or directory");
}

// ---- trace

TEST(Trace, reads_all_lines) {
  const Trace trace = parse_trace(
      "# systole-trace 1\n"
      "machine array.dim=8 sfu.normaliser=1\n"
      "# a remark\n"
      "mem latency=60 beat_bytes=16\n"
      "# tensor weights 80001000 256\n"
      "fill 80001000 256 int8 -128 127 158050310593185\n"
      "resident 80001000 64 dirty 3\n"
      "# loop_conv encoding=2025\n"
      "# region first phase\n"
      "cmd 2 80001000 10001000000000\n"
      "gap 5\n"
      "fence\n"
      "check 80001000 256\n",
      "x.trace");
  EXPECT_EQ(trace.memory->latency, 60u);
  EXPECT_EQ(trace.loop_conv_encoding, 2025);
  EXPECT_EQ(trace.program.items.size(), 4u);
  EXPECT_EQ(trace.program.regions[0].name, "first phase");
  EXPECT_EQ(trace.program.symbols[0].name, "weights");
  EXPECT_TRUE(trace.residents[0].dirty);
  const Geometry geometry = geometry_of(trace);
  EXPECT_EQ(geometry.dim, 8);
  EXPECT_TRUE(geometry.normaliser);
  EXPECT_EQ(geometry.loop_conv_encoding, 2025);
  Memory memory(0x80000000, 1 << 20);
  apply_fills(trace, memory);
  // First bytes and checksum of this fill are part of the format's description.
  const std::uint8_t* bytes = memory.at(0x80001000, 256);
  EXPECT_EQ((std::vector<int>{bytes[0], bytes[1], bytes[2], bytes[3]}), (std::vector<int>{0x9c, 0x47, 0x97, 0x30}));
  EXPECT_EQ(crc32_text(check_crcs(trace, memory)[0]), "661efe77");
}

TEST(Trace, what_is_written_reads_back) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Trace trace = test::emit(test::make_plan(seed));
    const Trace again = parse_trace(format_trace(trace), "again");
    ASSERT_EQ(again.program, trace.program) << "seed " << seed;
    ASSERT_EQ(again.fills.size(), trace.fills.size());
    ASSERT_EQ(again.checks[0].bytes, trace.checks[0].bytes);
  }
}

TEST(Trace, errors_name_the_place) {
  EXPECT_EQ(error_of([] { (void)parse_trace("cmd 2 0 0\n", "x.trace"); }),
            "x.trace:1:1: error: the first line is not '# systole-trace 1'");
  EXPECT_EQ(trace_error("cmd 2 0 0\n"),
            "x.trace:3:1: error: the stream does not end with 'fence' (is the file truncated?)");
  EXPECT_EQ(trace_error("cdm 2 0 0\n"), "x.trace:2:1: error: unknown word 'cdm'; nearest: 'cmd'");
  EXPECT_EQ(trace_error("cmd 200 0 0\n"), "x.trace:2:5: error: funct 200 is larger than 127");
  EXPECT_EQ(trace_error("cmd 2 0x10 0\n"),
            "x.trace:2:7: error: rs1 '0x10' is not a hexadecimal number of at most 16 digits");
  EXPECT_EQ(trace_error("cmd 2 0\n"),
            "x.trace:2:8: error: operand missing; the form is 'cmd <funct> <rs1 hex> <rs2 hex>'");
  EXPECT_EQ(trace_error("fill 80001000 6 int32 0 1 1\nfence\n"),
            "x.trace:2:15: error: 6 bytes are not whole int32 elements");
  EXPECT_EQ(trace_error("fill 80001000 4 int8 0 200 1\nfence\n"),
            "x.trace:2:24: error: highest value 200 is not in -128..127");
  EXPECT_EQ(trace_error("fill 80001000 4 int9 0 1 1\nfence\n"),
            "x.trace:2:17: error: unknown element type 'int9'; nearest: 'int8'");
  EXPECT_EQ(trace_error("machine array.dim=8 array.dim=4\nfence\n"),
            "x.trace:2:21: error: machine key 'array.dim' appears twice");
  EXPECT_EQ(trace_error("mem latency=20 beat_bytes=17\nfence\n"),
            "x.trace:2:27: error: beat_bytes 17 is not a power of two in 4..64");
  EXPECT_EQ(trace_error("fence\nresident 80001000 64 clean 1\nfence\n"),
            "x.trace:3:1: error: 'resident' after the first command");
  EXPECT_EQ(error_of([] {
              const Trace trace = parse_trace("# systole-trace 1\nmachine array.dim=7\nfence\n", "x.trace");
              (void)geometry_of(trace);
            }),
            "x.trace: error: geometry: array.dim = 7 is not a power of two in 2..256");
  Memory memory(0x80000000, 4096);
  EXPECT_EQ(error_of([&] {
              apply_fills(parse_trace("# systole-trace 1\nfill 90000000 4 int8 0 1 1\nfence\n", "x.trace"), memory);
            }),
            "x.trace:2: error: 4 bytes at 0x90000000 are outside of memory 0x80000000..0x80000fff");
}

}  // namespace
}  // namespace systole::isa
