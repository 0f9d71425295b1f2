// Each function of the node library, and the functions on blocks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "hw/stream/value_kernels.h"
#include "tests/unit/stream/graphs.h"

namespace systole::test {
namespace {

TEST(StreamKernels, the_exponential_is_close_everywhere_and_exact_at_the_ends) {
  std::vector<float> x;
  for (double at = -87.2; at < 88.7; at += 0.0137) x.push_back(static_cast<float>(at));
  std::vector<float> y(x.size());
  hw::stream_kernels::exponential(x.data(), y.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i] / std::exp(static_cast<double>(x[i])), 1.0, 2e-7) << x[i];

  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float ends[] = {0.0F, -kInfinity, kInfinity, -1000.0F, 1000.0F, std::nanf("")};
  float results[6];
  hw::stream_kernels::exponential(ends, results, 6);
  EXPECT_EQ(results[0], 1.0F);
  EXPECT_EQ(results[1], 0.0F);
  EXPECT_EQ(results[2], kInfinity);
  EXPECT_EQ(results[3], 0.0F);
  EXPECT_EQ(results[4], kInfinity);
  EXPECT_TRUE(std::isnan(results[5]));
}

TEST(StreamKernels, one_by_one_and_in_blocks_give_the_same_bits) {
  const auto data = workloads::random_attention_data(200, 37, 5);
  std::vector<const float*> rows;
  for (std::size_t r = 0; r < data.rows; ++r) rows.push_back(&data.k[r * data.dim]);
  const float* query = data.q.data();
  std::vector<float> block(data.rows);
  std::vector<float> single(data.rows);
  hw::stream_kernels::dot({&query, 0}, {rows.data(), 1}, data.dim, 0.25F, block.data(), data.rows);
  for (std::size_t r = 0; r < data.rows; ++r)
    hw::stream_kernels::dot({&query, 0}, {&rows[r], 1}, data.dim, 0.25F, &single[r], 1);
  EXPECT_EQ(block, single);

  std::vector<float> sum(data.dim);
  std::vector<float> sum_single(data.dim);
  hw::stream_kernels::decayed_weighted_sum(sum.data(), {block.data(), 1}, {single.data(), 1}, {rows.data(), 1},
                                           data.dim, data.rows);
  for (std::size_t r = 0; r < data.rows; ++r) {
    hw::stream_kernels::decayed_weighted_sum(sum_single.data(), {&block[r], 1}, {&single[r], 1}, {&rows[r], 1},
                                             data.dim, 1);
  }
  EXPECT_EQ(sum, sum_single);
}

// What a node does with the ramp 0, 1, 2, ... of 2 rows of 3.
std::vector<float> of_ramp(const std::string& node, const std::string& sink_length = "3", float step = 1) {
  const std::string text = fmt::format(R"(
graph: g
nodes:
  - {{name: source, type: source, function: ramp, constant: {}, rows: 2, length: 3, out: x}}
  - {{name: node, rows: 2, length: 3, {}, in: x, out: y}}
  - {{name: sink, type: sink, rows: 2, length: {}, in: y}}
)",
                                       step, node, sink_length);
  return study::compute_values(parse(text, 3), workloads::random_attention_data(3, 4, 1)).sinks.at("sink");
}

using Numbers = std::vector<float>;

TEST(StreamValues, maps) {
  EXPECT_EQ(of_ramp("type: map, function: negate"), (Numbers{0, -1, -2, -3, -4, -5}));
  EXPECT_EQ(of_ramp("type: map, function: scale, constant: 3"), (Numbers{0, 3, 6, 9, 12, 15}));
  EXPECT_EQ(of_ramp("type: map, function: offset, constant: -2.5"), (Numbers{-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F}));
  EXPECT_EQ(of_ramp("type: map, function: relu", "3", -1), (Numbers{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(of_ramp("type: map, function: reciprocal", "3", 0.5F)[2], 1.0F);
  EXPECT_EQ(of_ramp("type: map, function: exp")[0], 1.0F);
}

TEST(StreamValues, reductions_and_scans_start_anew_in_each_row) {
  EXPECT_EQ(of_ramp("type: reduce, function: sum", "1"), (Numbers{3, 12}));
  EXPECT_EQ(of_ramp("type: reduce, function: maximum", "1"), (Numbers{2, 5}));
  EXPECT_EQ(of_ramp("type: reduce, function: minimum", "1"), (Numbers{0, 3}));
  EXPECT_EQ(of_ramp("type: scan, function: sum"), (Numbers{0, 1, 3, 3, 7, 12}));
  EXPECT_EQ(of_ramp("type: scan, function: maximum", "3", -1), (Numbers{0, 0, 0, -3, -3, -3}));
}

TEST(StreamValues, zips_pair_elements_or_repeat_the_one_of_the_row) {
  const auto zipped = [](const std::string& function, const std::string& each) {
    const std::string text = fmt::format(R"(
graph: g
nodes:
  - {{name: a, type: source, function: ramp, constant: 1, rows: 2, length: 3, out: x}}
  - {{name: b, type: source, function: ramp, constant: 2, rows: 2, length: {}, out: y}}
  - {{name: node, type: zip, function: {}, rows: 2, length: 3, in: [x, {{fifo: y, each: {}}}], out: z}}
  - {{name: sink, type: sink, rows: 2, length: 3, in: z}}
)",
                                         each == "row" ? 1 : 3, function, each);
    return study::compute_values(parse(text, 3), workloads::random_attention_data(3, 4, 1)).sinks.at("sink");
  };
  EXPECT_EQ(zipped("add", "firing"), (Numbers{0, 3, 6, 9, 12, 15}));
  EXPECT_EQ(zipped("add", "row"), (Numbers{0, 1, 2, 5, 6, 7}));
  EXPECT_EQ(zipped("subtract", "row"), (Numbers{0, 1, 2, 1, 2, 3}));
  EXPECT_EQ(zipped("multiply", "row"), (Numbers{0, 0, 0, 6, 8, 10}));
  EXPECT_EQ(zipped("divide", "row")[5], 2.5F);
  EXPECT_EQ(zipped("maximum", "row"), (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(zipped("minimum", "row"), (Numbers{0, 0, 0, 2, 2, 2}));
  EXPECT_EQ(zipped("subtract_exp", "firing")[0], 1.0F);
}

TEST(StreamValues, vectors_are_forked_repeated_scaled_and_multiplied) {
  const char* text = R"(
graph: g
nodes:
  - {name: k, type: source, function: columns, data: k, rows: 1, length: 3, out: k}
  - {name: q, type: source, function: rows, data: q, rows: 1, length: 1, out: q}
  - {name: repeat, type: repeat, rows: 1, length: 3, in: q, out: qs}
  - {name: fork, type: fork, rows: 1, length: 3, in: k, out: [k1, k2]}
  - {name: dot, type: zip, function: dot, constant: 2, rows: 1, length: 3, in: [qs, k1], out: s}
  - {name: scale, type: zip, function: scale_vector, rows: 1, length: 3, in: [k2, s], out: scaled}
  - {name: sink, type: sink, rows: 1, length: 3, in: scaled}
)";
  const auto data = workloads::random_attention_data(3, 4, 9);
  const auto output = study::compute_values(parse(text, 3), data).sinks.at("sink");
  ASSERT_EQ(output.size(), 12u);
  for (std::size_t j = 0; j < 3; ++j) {
    float dot = 0;
    for (std::size_t c = 0; c < 4; ++c) dot += data.q[c] * data.k[j * 4 + c];
    for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(output[j * 4 + c], 2 * dot * data.k[j * 4 + c], 1e-5);
  }
}

TEST(StreamValues, the_online_maximum_rescales_what_came_before) {
  const char* text = R"(
graph: g
nodes:
  - {name: source, type: source, function: ramp, constant: 0.5, rows: 1, length: 3, out: x}
  - {name: node, type: scan, function: online_maximum, rows: 1, length: 3, in: x, out: [delta, e]}
  - {name: sum, type: reduce, function: decayed_sum, rows: 1, length: 3, in: [delta, e], out: y}
  - {name: sink, type: sink, rows: 1, length: 1, in: y}
)";
  const auto output = study::compute_values(parse(text, 3), workloads::random_attention_data(3, 4, 1)).sinks.at("sink");
  EXPECT_NEAR(output[0], 1 + std::exp(-0.5) + std::exp(-1.0), 1e-6);
}

TEST(StreamValues, initial_elements_come_first) {
  const char* text = R"(
graph: g
nodes:
  - {name: source, type: source, function: ramp, constant: 1, rows: 1, length: 4, out: x}
  - {name: sink, type: sink, rows: 1, length: 4, in: x}
fifos: {x: {depth: 4, initial: 2, value: 7}}
)";
  EXPECT_EQ(study::compute_values(parse(text, 4), workloads::random_attention_data(4, 4, 1)).sinks.at("sink"),
            (Numbers{7, 7, 0, 1}));
}

}  // namespace
}  // namespace systole::test
