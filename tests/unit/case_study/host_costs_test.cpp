#include "hw/params/host_costs.h"

#include <gtest/gtest.h>

#include "sim/config/machine_config.h"
#include "sim/run/target.h"
#include "workloads/case_study/products.h"

namespace systole::workloads {
namespace {

using hw::host_cycles;
using hw::host_dram;
using hw::HostCode;
using hw::HostKernel;
using hw::kHostL2;

TEST(HostCosts, elements_lines_and_rows_add_up) {
  // 8 bytes per element: an eighth of a line each.
  EXPECT_DOUBLE_EQ(host_cycles(HostKernel::kSoftmax, HostCode::kLibm, {0}, 2, 1024), 1024 * 98.2 + 2 * 136);
  EXPECT_DOUBLE_EQ(host_cycles(HostKernel::kSoftmax, HostCode::kLibm, kHostL2, 2, 1024),
                   1024 * (98.2 + 22.0 / 8) + 2 * 136);
  EXPECT_DOUBLE_EQ(host_dram(100).cycles_per_line, 130);
}

TEST(HostCosts, every_code_has_every_operation) {
  for (const HostCode code : {HostCode::kLibm, HostCode::kSizeLibm, HostCode::kPolynomial, HostCode::kFastMath,
                              HostCode::kIbert, HostCode::kUnrolled, HostCode::kUnoptimised}) {
    for (const HostKernel operation :
         {HostKernel::kSoftmax, HostKernel::kGelu, HostKernel::kLayerNorm, HostKernel::kResidual,
          HostKernel::kDequantise8, HostKernel::kDequantise32, HostKernel::kQuantise})
      EXPECT_GT(host_cycles(operation, code, kHostL2, 1, 1), 0);
  }
}

TEST(Products, regions_have_the_multiply_accumulates_of_the_layer) {
  LayerProducts layer;
  layer.rows = 32, layer.model = 64, layer.feed_forward = 128, layer.heads = 4;
  const isa::Program program = layer_products(layer, run::target_of(config::preset_machine("survey-baseline").params));
  std::uint64_t macs = 0;
  for (const isa::Region& region : program.regions) macs += region.macs;
  EXPECT_EQ(program.regions.size(), 8u);
  EXPECT_EQ(macs, 4u * 32 * 64 * 64 + 2u * 32 * 32 * 64 + 2u * 32 * 64 * 128);
}

}  // namespace
}  // namespace systole::workloads
