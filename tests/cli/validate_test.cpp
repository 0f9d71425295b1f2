// `systole validate` on stored results of single operations.
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"
#include "workloads/quantise/quantised_model.h"
#include "workloads/weights/safetensors.h"

namespace systole::test {
namespace {

const std::string kUnits = std::string(SYSTOLE_TEST_DATA) + "/numerics/units.safetensors";

class UnitVectors : public testing::Test {
 protected:
  UnitVectors() : file_(kUnits) {
    for (const auto& entry : file_.tensors()) tensors_[entry.first] = file_.read(entry.first);
  }
  // The result of a run on the tensors as they are now.
  Outcome validate(const std::vector<std::string>& options = {}) {
    workloads::write_safetensors(path_, tensors_, file_.metadata());
    std::vector<std::string> words = {"validate", path_};
    words.insert(words.end(), options.begin(), options.end());
    return run(words);
  }

  workloads::SafetensorsFile file_;
  workloads::TensorMap tensors_;
  TemporaryDirectory directory_;
  std::string path_ = directory_.path("units.safetensors");
};

TEST_F(UnitVectors, are_equal_on_machines_of_any_size) {
  for (const char* dim : {"4", "16", "32"}) {
    const Outcome outcome = validate({"--set", std::string("array.dim=") + dim});
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    EXPECT_NE(outcome.out.find("44     44"), std::string::npos) << outcome.out;
  }
}

// Every result is compared, whether an instruction leaves it in memory or not.
TEST_F(UnitVectors, a_wrong_bit_in_any_result_is_named) {
  std::size_t results = 0;
  for (auto& [name, tensor] : tensors_) {
    const std::string last = name.substr(name.rfind('.') + 1);
    if (last != "C" && last[0] != 'y' && last != "sum" && last != "exp8") continue;
    ++results;
    tensor.bytes.back() ^= 1;   // of the last element: the sign byte of a word, the whole of a byte
    const Outcome outcome = validate();
    tensor.bytes.back() ^= 1;
    EXPECT_EQ(outcome.code, 1) << name << outcome.error;
    EXPECT_NE(outcome.error.find("tensor " + name + ", row"), std::string::npos) << outcome.error;
  }
  EXPECT_EQ(results, 44u);
}

TEST_F(UnitVectors, a_machine_without_a_function_is_refused_with_its_parameter) {
  const Outcome outcome = validate({"--set", "sfu.wide_variance=0"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find("sfu.wide_variance=1"), std::string::npos) << outcome.error;
}

TEST_F(UnitVectors, operands_that_do_not_fit_are_named) {
  tensors_["gemm.D"].shape = {47, 33};
  EXPECT_NE(validate().error.find("gemm.A, gemm.B and gemm.D do not fit each other"), std::string::npos);
  tensors_ = {{"other", tensors_["scale.s"]}};
  const Outcome outcome = validate();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find("holds no operation"), std::string::npos) << outcome.error;
}

TEST(Validate, a_float_checkpoint_is_told_from_a_quantised_model) {
  const Outcome outcome = run({"validate", std::string(SYSTOLE_TEST_DATA) + "/numerics/bert_tiny.model.safetensors"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.error.find("no quantised model"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("systole quantize"), std::string::npos) << outcome.error;
}

}  // namespace
}  // namespace systole::test
