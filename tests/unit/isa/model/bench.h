#pragma once
// A small machine (4x4) whose programs are written in assembly, for cases that can be checked by hand.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "isa/assembler.h"
#include "isa/model/model.h"
#include "sim/base/errors.h"
#include "sim/base/memory.h"

namespace systole::isa {

class OracleTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kIn = 0x80001000;
  static constexpr std::uint64_t kOut = 0x80002000;

  static Geometry small() {
    Geometry geometry;
    geometry.dim = 4;
    geometry.scratchpad_kib = 1;   // 256 rows
    geometry.accumulator_kib = 1;  // 64 rows
    geometry.normaliser = true;
    return geometry;
  }

  void bytes(const std::vector<int>& values, std::uint64_t address = kIn) {
    for (std::size_t i = 0; i < values.size(); ++i)
      memory_.at(address + i, 1)[0] = static_cast<std::uint8_t>(values[i]);
  }
  void words(const std::vector<std::int32_t>& values, std::uint64_t address = kIn) {
    std::memcpy(memory_.at(address, 4 * values.size()), values.data(), 4 * values.size());
  }
  void floats(const std::vector<float>& values, std::uint64_t address) {
    std::memcpy(memory_.at(address, 4 * values.size()), values.data(), 4 * values.size());
  }
  // Runs assembly lines on a machine that keeps its state until the end of the case.
  void run(const std::string& text) {
    if (!model_) model_ = std::make_unique<Model>(geometry_, memory_);
    model_->run(assemble(".encoding revision=" + std::to_string(geometry_.revision) +
                             " loop_conv=" + std::to_string(geometry_.loop_conv_encoding) + "\n" + text,
                         "case"));
  }
  std::string error_of(const std::string& text) {
    try {
      run(text);
    } catch (const ModelError& error) {
      return error.what();
    }
    return "no error";
  }
  [[nodiscard]] std::vector<int> out(std::size_t count, std::uint64_t address = kOut) const {
    const std::uint8_t* from = memory_.at(address, count);
    std::vector<int> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(static_cast<std::int8_t>(from[i]));
    return result;
  }
  [[nodiscard]] std::vector<std::int32_t> out_words(std::size_t count, std::uint64_t address = kOut) const {
    std::vector<std::int32_t> result(count);
    std::memcpy(result.data(), memory_.at(address, 4 * count), 4 * count);
    return result;
  }
  [[nodiscard]] std::vector<int> scratchpad(std::uint32_t row) const {
    return {model_->scratchpad_row(row), model_->scratchpad_row(row) + geometry_.dim};
  }
  [[nodiscard]] std::vector<std::int32_t> accumulator(std::uint32_t row) const {
    return {model_->accumulator_row(row), model_->accumulator_row(row) + geometry_.dim};
  }

  Geometry geometry_ = small();
  Memory memory_{0x80000000, 1 << 20};
  std::unique_ptr<Model> model_;
};

using Row = std::vector<int>;
using Words = std::vector<std::int32_t>;

}  // namespace systole::isa
