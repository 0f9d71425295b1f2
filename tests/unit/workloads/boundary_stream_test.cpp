// The reference that computes only as far as somebody asks.
#include "workloads/reference/boundary_stream.h"

#include <gtest/gtest.h>

namespace systole::workloads::reference {
namespace {

const std::string kVectors = std::string(SYSTOLE_TEST_DATA) + "/numerics/bert_tiny.safetensors";

TensorMap input_of(const QuantisedFile& file) { return {{"act.-1.x0", file.vectors.at("act.-1.x0")}}; }

TEST(BoundaryStream, gives_every_boundary_in_the_order_of_evaluate) {
  const QuantisedFile file = load_quantised_file(kVectors);
  const TensorMap input = input_of(file);
  std::vector<std::pair<std::string, Tensor>> expected;
  OverflowCounters overflows;
  evaluate(
      file.model, input, [&](const std::string& name, Tensor tensor) { expected.emplace_back(name, std::move(tensor)); }, overflows);
  BoundaryStream stream(file.model, input);
  for (const auto& [name, tensor] : expected) {
    const auto item = stream.next();
    ASSERT_TRUE(item.has_value()) << name;
    EXPECT_EQ(item->name, name);
    EXPECT_EQ(item->tensor.bytes, tensor.bytes) << name;
  }
  EXPECT_FALSE(stream.next().has_value());
  EXPECT_FALSE(stream.next().has_value());
  EXPECT_EQ(stream.overflows().total(), overflows.total());
}

TEST(BoundaryStream, can_be_left_before_its_end_or_its_beginning) {
  const QuantisedFile file = load_quantised_file(kVectors);
  const TensorMap input = input_of(file);
  const BoundaryStream never_asked(file.model, input);
  BoundaryStream stream(file.model, input);
  EXPECT_TRUE(stream.next().has_value());
}

TEST(BoundaryStream, throws_what_evaluate_throws) {
  const QuantisedFile file = load_quantised_file(kVectors);
  const TensorMap nothing;
  BoundaryStream stream(file.model, nothing);
  EXPECT_THROW((void)stream.next(), ConfigError);
}

}  // namespace
}  // namespace systole::workloads::reference
