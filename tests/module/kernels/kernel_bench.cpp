#include "tests/module/kernels/kernel_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include <nlohmann/json.hpp>

#include "hw/host/host_values.h"
#include "hw/top/machine.h"
#include "isa/host_operation.h"
#include "isa/image.h"
#include "isa/legality.h"
#include "isa/model/model.h"
#include "sim/base/file.h"
#include "sim/config/geometry.h"
#include "sim/run/simulation.h"
#include "sim/run/target.h"

namespace systole::test {

KernelBench::KernelBench(const std::string& preset)
    : machine_(config::load_machine(preset, {})), target_(run::target_of(machine_.params)), memory_(program_, target_.dim), builder_(target_, program_) {}

Int32 KernelBench::bias(std::uint64_t cols, std::int64_t largest) {
  Int32 row = int32(1, cols, largest);
  row.matrix.stride = 0;
  return row;
}

void KernelBench::compare(const Memory& memory, const char* who) const {
  for (std::size_t n = 0; n < expected_.size(); ++n) {
    const Expected& e = expected_[n];
    const std::uint64_t row_bytes = e.where.cols * kernels::bytes_of(e.where.element);
    for (std::uint64_t r = 0; r < e.where.rows; ++r) {
      const std::uint8_t* actual = memory.at(e.where.at(r, 0), row_bytes);
      ASSERT_EQ(std::memcmp(actual, e.bytes.data() + r * row_bytes, row_bytes), 0) << who << ": result " << n << ", row " << r;
    }
  }
}

void KernelBench::run(const std::string& kernel) {
  builder_.fence();
  for (const isa::Finding& finding : isa::check_legality(program_, config::geometry_of(machine_.params))) ADD_FAILURE() << isa::to_string(finding);
  ASSERT_FALSE(expected_.empty());
  for (const Expected& e : expected_) {
    // The numbers mean something: neither constant nor saturated.
    EXPECT_GT(std::set<std::uint8_t>(e.bytes.begin(), e.bytes.end()).size(), std::min<std::size_t>(15, e.bytes.size() / 16));
  }
  Memory modelled;
  isa::load_image(program_, modelled);
  isa::Model model(config::geometry_of(machine_.params), modelled);
  model.run(program_, [&modelled](const isa::HostOp& host) { hw::compute_host_operation(isa::decode_host_operation(host), modelled); });
  compare(modelled, "functional model");

  Memory memory;
  const run::ProgramRun result = run::simulate(program_, memory, machine_, {});
  compare(memory, "machine");
  const auto stored = nlohmann::json::parse(read_file(SYSTOLE_TEST_DATA "/kernels/cycles.json"));
  EXPECT_EQ(stored.value(kernel, std::uint64_t{0}), result.machine.cycles) << "tests/data/kernels/cycles.json: " << kernel;
}

}  // namespace systole::test
