#pragma once
// Programs in assembly on a 16x16 machine with normaliser, each run in a process of its own, beside the oracle.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "isa/local_address.h"
#include "isa/model/model.h"

namespace systole::test {

constexpr std::uint64_t kIn = 0x80001000;
constexpr std::uint64_t kOut = 0x80040000;
constexpr std::uint64_t kOutBytes = 4096;

struct Outcome {
  std::map<std::string, std::uint64_t> counters;   // of the machine
  std::vector<std::string> warnings;
  std::uint64_t cycles = 0;
  std::string memory;                              // checksum of the output
  std::string oracle_memory;
  isa::Overflows oracle;
};

// `settings`: KEY=VALUE ... for the machine; `fill`: lines of a trace with the input.
[[nodiscard]] Outcome run_program(const std::string& settings, const std::string& fill, const std::string& text, bool timing_only = false);

// Input of pseudo-random words or bytes.
[[nodiscard]] std::string words(std::int64_t low, std::int64_t high);
[[nodiscard]] std::string bytes(int low, int high);

// 16 rows of 16 words to accumulator row 0.
extern const char* const kLoadWords;

// An mvout of one accumulator row with a normaliser command.
[[nodiscard]] std::string pass(isa::NormCommand command, int row = 0);
[[nodiscard]] std::string exponential_constants(int qb, int qc);

// The three passes over accumulator row 0.
[[nodiscard]] std::string layer_norm();
[[nodiscard]] std::string softmax(int qb, int qc);

}  // namespace systole::test
