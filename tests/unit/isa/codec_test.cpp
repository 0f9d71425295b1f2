// Every entry of the instruction table: fields, decoding, text.
#include <gtest/gtest.h>

#include "isa/assembler.h"
#include "isa/instruction.h"
#include "isa/local_address.h"
#include "tests/support/random.h"

namespace systole::isa {
namespace {

constexpr std::uint64_t kSeed = 11;

struct Era {
  int revision;
  int conv;
};
constexpr Era kEras[] = {{2023, 2023}, {2023, 2025}, {2025, 2023}, {2025, 2025}};

TEST(Codec, fields_of_an_instruction_do_not_overlap_each_other_or_its_match_bits) {
  for (const OpInfo& entry : table()) {
    Instruction used;
    const auto take = [&](const Field& field, const std::string& name) {
      ASSERT_LE(field.lsb, field.msb) << entry.mnemonic << "." << name;
      ASSERT_EQ(field.get(used), 0u) << entry.mnemonic << "." << name << " overlaps another field";
      field.set(used, field.mask());
    };
    if (entry.has_match) take(entry.match, "match");
    for (const NamedField& named : entry.fields) take(named.field, named.name);
  }
}

TEST(Codec, two_entries_of_one_revision_never_match_the_same_bits) {
  for (const Era& era : kEras) {
    for (const OpInfo& entry : table()) {
      const Instruction instruction = make(entry.op);
      int matching = 0;
      for (const OpInfo& other : table()) {
        const bool conv = other.funct >= 16 && other.funct <= 18;
        const int year = conv ? era.conv : era.revision;
        const bool applies = (other.since == 0 || year >= other.since) && (other.until == 0 || year <= other.until);
        matching += applies && other.funct == instruction.funct &&
                            (!other.has_match || other.match.get(instruction) == other.match_value)
                        ? 1
                        : 0;
      }
      EXPECT_LE(matching, 1) << entry.mnemonic;
    }
  }
}

TEST(Codec, random_fields_come_back_and_the_text_assembles_to_the_same_bits) {
  test::Random random(kSeed);
  for (const Era& era : kEras) {
    Program program;
    program.encoding = {era.revision, era.conv};
    for (const OpInfo& entry : table()) {
      if (decode(make(entry.op), era.revision, era.conv) != entry.op) continue;
      for (int repeat = 0; repeat < 50; ++repeat) {
        Instruction instruction = make(entry.op);
        std::vector<std::uint64_t> values;
        for (const NamedField& named : entry.fields) {
          values.push_back((repeat % 5 == 0 ? 0 : random.bits()) & named.field.mask());
          named.field.set(instruction, values.back());
        }
        for (std::size_t i = 0; i < values.size(); ++i)
          ASSERT_EQ(entry.fields[i].field.get(instruction), values[i]) << entry.mnemonic;
        ASSERT_EQ(decode(instruction, era.revision, era.conv), entry.op) << entry.mnemonic;
        program.command(instruction);
      }
    }
    ASSERT_EQ(assemble(disassemble(program), "text"), program) << "seed " << kSeed;
  }
}

TEST(Codec, any_bits_survive_the_text) {
  test::Random random(kSeed);
  Program program;
  for (int i = 0; i < 5000; ++i) {
    program.command({static_cast<std::uint8_t>(random.count(0, 127)), random.bits() & random.bits(),
                     random.bits() & random.bits()});
  }
  EXPECT_EQ(assemble(disassemble(program), "text"), program) << "seed " << kSeed;
}

TEST(Codec, scales_are_shown_as_numbers_only_when_they_read_back) {
  test::Random random(kSeed);
  Program program;
  for (const std::uint32_t bits : {0x3F800000u, 0x00000001u, 0x80000000u, 0x7F800000u, 0xFF800000u, 0x7FC00001u,
                                   0xFFFFFFFFu, 0x007FFFFFu, 0x7F7FFFFFu}) {
    Instruction instruction = make(Op::kConfigLd);
    fields::ConfigLd::scale.set(instruction, bits);
    program.command(instruction);
  }
  for (int i = 0; i < 2000; ++i) {
    Instruction instruction = make(Op::kConfigLd);
    fields::ConfigLd::scale.set(instruction, random.bits());
    program.command(instruction);
  }
  EXPECT_EQ(assemble(disassemble(program), "text"), program) << "seed " << kSeed;
}

TEST(Codec, unknown_functs_have_no_operation) {
  EXPECT_FALSE(decode({99, 0, 0}).has_value());
  EXPECT_FALSE(decode({23, 0, 0}, 2023).has_value());
  EXPECT_EQ(decode({23, 0, 0}, 2025), Op::kStoreSpad);
}

TEST(Codec, convolution_words_follow_their_own_encoding) {
  EXPECT_EQ(decode({16, 0, 0}, 2025, 2023), Op::kLoopConv1);
  EXPECT_EQ(decode({16, 0, 0}, 2025), Op::kLoopConv1Rect);
  EXPECT_EQ(decode({16, 0, 0}, 2023, 2025), Op::kLoopConv1Rect);
}

TEST(LocalAddress, garbage_needs_all_row_bits_and_the_bit_above) {
  constexpr int kRowBits = 14;
  EXPECT_TRUE(LocalAddress(LocalAddress::kGarbage).is_garbage(kRowBits));
  EXPECT_TRUE(LocalAddress(0xE0007FFFu).is_garbage(kRowBits));
  EXPECT_FALSE(LocalAddress(0xE0003FFFu).is_garbage(kRowBits));
  EXPECT_FALSE(LocalAddress(0x80007FFFu).is_garbage(kRowBits));
}

TEST(LocalAddress, addition_wraps_inside_the_row_number) {
  constexpr int kRowBits = 14;
  const LocalAddress last(LocalAddress::kAccumulatorBit | 0x3FFFu);
  EXPECT_EQ(last.plus(2, kRowBits).bits(), LocalAddress::kAccumulatorBit | 1u);
}

}  // namespace
}  // namespace systole::isa
