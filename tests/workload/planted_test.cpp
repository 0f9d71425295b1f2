// A wrong bit planted anywhere is named: layer, tensor, row, column, and the instruction that wrote it.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/workload/oracle.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {
namespace {

const std::string kVectors = std::string(SYSTOLE_TEST_DATA) + "/numerics/bert_tiny.safetensors";

using Bend = std::function<void(isa::Program&)>;

// The first difference when the machine runs a bent copy of the program.
std::optional<Mismatch> first_of(const std::string& path, const Bend& bend = [](isa::Program&) {}) {
  const kernels::Target target;
  const Machine machine = [&](const isa::Program& program, Memory& memory) {
    isa::Program bent = program;
    bend(bent);
    oracle(target)(bent, memory);
  };
  return validate_vectors(SafetensorsFile(path), target, machine).first;
}

// Positions of the commands of one kind within a region.
std::vector<std::size_t> commands_in(const isa::Program& program, const std::string& region, isa::Op op) {
  std::vector<std::size_t> found;
  bool inside = false;
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    const isa::Item& item = program.items[n];
    if (item.kind == isa::ItemKind::kRegion) inside = program.regions[static_cast<std::size_t>(item.value)].name == region;
    if (inside && item.kind == isa::ItemKind::kCommand && isa::decode(item.instruction) == op) found.push_back(n);
  }
  return found;
}

// The vectors with one bit of a tensor turned.
std::string with_flipped_bit(const std::string& tensor, std::size_t byte) {
  const SafetensorsFile file(kVectors);
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : file.tensors()) tensors.emplace(entry.first, file.read(entry.first));
  tensors.at(tensor).bytes.at(byte) ^= 0x10;
  const std::string path = (std::filesystem::temp_directory_path() / ("planted_" + std::to_string(byte) + tensor + ".safetensors")).string();
  write_safetensors(path, tensors, file.metadata());
  return path;
}

TEST(Planted, a_weight_is_named_by_the_product_it_spoils) {
  const std::string path = with_flipped_bit("q.1.W2", 5 * 64 + 9);   // row 5, column 9
  const std::optional<Mismatch> first = first_of(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->boundary, "act.1.ffn2_acc");
  EXPECT_EQ(first->layer, 1u);
  EXPECT_EQ(first->column, 9u);
  EXPECT_EQ(first->region, "layer.1/ffn/output");
  EXPECT_NE(first->instruction.find("loop_ws"), std::string::npos) << describe(*first);
}

TEST(Planted, a_stored_boundary_is_named_with_its_cell) {
  const std::string path = with_flipped_bit("act.1.p", (2 * 16 + 3) * 16 + 7);   // head 2, row 3, key 7
  const std::optional<Mismatch> first = first_of(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->boundary, "act.1.p");
  EXPECT_EQ(first->head, 2u);
  EXPECT_EQ(first->row, 3u);
  EXPECT_EQ(first->column, 7u);
  EXPECT_NE(first->instruction.find("loop_ws"), std::string::npos) << describe(*first);
}

TEST(Planted, a_stored_sum_of_exponentials_is_named_by_its_scores) {
  const std::string path = with_flipped_bit("act.0.rowsum", 4 * (1 * 16 + 5));   // head 1, row 5
  const std::optional<Mismatch> first = first_of(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->boundary, "act.0.rowsum");
  EXPECT_EQ(first->head, 1u);
  EXPECT_EQ(first->row, 5u);
  EXPECT_NE(first->region.find("scores"), std::string::npos);
}

TEST(Planted, an_instruction_is_named_by_what_it_wrote) {
  // Another scale for the read-out of the third head's keys.
  const std::optional<Mismatch> first = first_of(kVectors, [](isa::Program& program) {
    const std::vector<std::size_t> stores = commands_in(program, "layer.0/attention/key", isa::Op::kConfigSt);
    ASSERT_GE(stores.size(), 4u);
    isa::Instruction& in = program.items[stores[2]].instruction;
    isa::fields::ConfigSt::acc_scale.set(in, isa::fields::ConfigSt::acc_scale.get(in) ^ (1u << 22));
  });
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->boundary, "act.0.k");
  EXPECT_EQ(first->layer, 0u);
  EXPECT_EQ(first->head, 2u);
  EXPECT_EQ(first->region, "layer.0/attention/key");
  EXPECT_NE(describe(*first).find("written by item"), std::string::npos) << describe(*first);
}

TEST(Planted, an_order_of_two_commands_is_named_by_what_was_written) {
  const std::optional<Mismatch> first = first_of(kVectors, [](isa::Program& program) {
    const std::vector<std::size_t> stores = commands_in(program, "layer.1/attention/query", isa::Op::kConfigSt);
    ASSERT_GE(stores.size(), 2u);
    std::swap(program.items[stores[0]], program.items[stores[1]]);
  });
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->boundary, "act.1.q");
  EXPECT_EQ(first->head, 0u);
  EXPECT_EQ(first->region, "layer.1/attention/query");
  EXPECT_FALSE(first->instruction.empty());
}

}  // namespace
}  // namespace systole::workloads
