#include "workloads/streaming/attention.h"

#include <cmath>
#include <utility>
#include <vector>

namespace systole::workloads {

using hw::StreamFunction;
using hw::StreamGraph;
using hw::StreamRate;
using hw::StreamRows;
using hw::StreamType;

namespace {

struct Timing {
  Cycle latency = 1;
  Cycle interval = 1;
};

// Latencies and initiation intervals of the paper's public artifact (its DAM programs for the naive and the memory-free
// graph). It has no program for B and C: there each node has the timing of the node of its kind in A or D.
constexpr Timing kSource{1, 1};
constexpr Timing kSink{1, 1};
constexpr Timing kScore{11, 1};          // QKT_LATENCY: the dot product, with the exponential in A
constexpr Timing kReduce{23, 2};         // REDUCE_LATENCY, REDUCE_II
constexpr Timing kElementwise{8, 1};     // BINARY_LATENCY
constexpr Timing kMatVec{13, 2};         // MATVEC_LATENCY, MATVEC_II
constexpr Timing kRunningMaximum{3, 1};  // RUNNING_LATENCY
constexpr Timing kRunningSum{8, 2};      // ROWSUM_LATENCY, MUTICYCLE_II
constexpr Timing kRunningOutput{12, 2};  // OUTERP_LATENCY, MUTICYCLE_II
constexpr Timing kRowDivide{21, 1};      // DIV_LATENCY

// Depths without the producer's pipeline, whose latency - 1 stages the artifact adds to each channel.
constexpr std::uint64_t kShort = 2;     // keeps a producer and a consumer of interval 1 going
constexpr std::uint64_t kIntoSlow = 3;  // into a node of interval 2

class Builder {
 public:
  Builder(const char* name, const AttentionShape& shape) {
    graph_.name = name;
    graph_.dim = shape.dim;
    elements_ = {shape.rows, shape.rows, shape.causal};
    per_row_ = {shape.rows, 1, false};
  }

  std::size_t fifo(const char* name, StreamType type, std::uint64_t depth) {
    hw::StreamFifoSpec spec;
    spec.name = name;
    spec.type = type;
    spec.depth = depth;
    graph_.fifos.push_back(spec);
    return graph_.fifos.size() - 1;
  }

  hw::StreamNodeSpec& node(const char* name, StreamFunction function, Timing timing, const StreamRows& rows,
                           std::vector<hw::StreamInputSpec> inputs,
                           const std::vector<std::vector<std::size_t>>& outputs) {
    hw::StreamNodeSpec spec;
    spec.name = name;
    spec.function = function;
    spec.latency = timing.latency;
    spec.interval = timing.interval;
    spec.rows = rows;
    spec.inputs = std::move(inputs);
    for (const auto& fifos : outputs) spec.outputs.push_back({fifos, hw::info_of(function).output_rate});
    graph_.nodes.push_back(std::move(spec));
    return graph_.nodes.back();
  }

  // The query of each row, and the keys and values that every row reads again (a memory of N vectors in the paper).
  std::size_t source(const char* data, std::uint64_t depth) {
    const std::size_t f = fifo(data, StreamType::kVector, depth);
    const bool query = std::string(data) == "q";
    node(query                      ? "read_q"
         : std::string(data) == "k" ? "read_k"
                                    : "read_v",
         query ? StreamFunction::kSourceRows : StreamFunction::kSourceColumns, kSource, query ? per_row_ : elements_,
         {}, {{f}})
        .data = data;
    return f;
  }

  void score(StreamFunction function, std::vector<std::size_t> outputs) {
    const std::size_t q = source("q", kShort);
    const std::size_t k = source("k", kShort);
    node("score", function, kScore, elements_, {{q, StreamRate::kRowFirst}, {k}}, {std::move(outputs)}).constant =
        static_cast<float>(1.0 / std::sqrt(static_cast<double>(graph_.dim)));
  }

  void sink(std::size_t f) { node("output", StreamFunction::kSink, kSink, per_row_, {{f}}, {}); }

  [[nodiscard]] const StreamRows& elements() const { return elements_; }
  [[nodiscard]] const StreamRows& per_row() const { return per_row_; }
  [[nodiscard]] StreamGraph take() { return std::move(graph_); }

 private:
  StreamGraph graph_;
  StreamRows elements_;
  StreamRows per_row_;
};

// e / sum of e, then times V: the common end of A and B.
void divide_then_multiply(Builder& b, std::uint64_t rows, std::size_t sum_in, std::size_t bypass) {
  const std::size_t row_sum = b.fifo("row_sum", StreamType::kScalar, kShort);
  const std::size_t weights = b.fifo("weights", StreamType::kScalar, kShort);
  const std::size_t v = b.source("v", kShort);
  const std::size_t output = b.fifo("output", StreamType::kVector, rows);
  b.node("row_sum", StreamFunction::kReduceSum, kReduce, b.elements(), {{sum_in}}, {{row_sum}});
  b.node("divide", StreamFunction::kDivide, kElementwise, b.elements(), {{bypass}, {row_sum, StreamRate::kRowFirst}},
         {{weights}});
  b.node("matvec", StreamFunction::kWeightedSum, kMatVec, b.elements(), {{weights}, {v}}, {{output}});
  b.sink(output);
}

// e^(s - maximum of the row) to `outputs`: the common start of B and C.
void subtract_row_maximum(Builder& b, std::uint64_t rows, std::vector<std::size_t> outputs) {
  const std::size_t max_in = b.fifo("max_in", StreamType::kScalar, kIntoSlow);
  const std::size_t max_bypass = b.fifo("max_bypass", StreamType::kScalar, row_bypass_depth(rows));
  const std::size_t row_max = b.fifo("row_max", StreamType::kScalar, kShort);
  b.score(StreamFunction::kDot, {max_in, max_bypass});
  b.node("row_max", StreamFunction::kReduceMaximum, kReduce, b.elements(), {{max_in}}, {{row_max}});
  b.node("subtract_exp", StreamFunction::kSubtractExp, kElementwise, b.elements(),
         {{max_bypass}, {row_max, StreamRate::kRowFirst}}, {std::move(outputs)});
}

StreamGraph naive(const AttentionShape& shape) {
  Builder b("A", shape);
  const std::size_t sum_in = b.fifo("sum_in", StreamType::kScalar, kIntoSlow);
  const std::size_t bypass = b.fifo("bypass", StreamType::kScalar, row_bypass_depth(shape.rows));
  b.score(StreamFunction::kDotExp, {sum_in, bypass});
  divide_then_multiply(b, shape.rows, sum_in, bypass);
  return b.take();
}

StreamGraph row_maximum(const AttentionShape& shape) {
  Builder b("B", shape);
  const std::size_t sum_in = b.fifo("sum_in", StreamType::kScalar, kIntoSlow);
  const std::size_t bypass = b.fifo("bypass", StreamType::kScalar, row_bypass_depth(shape.rows));
  subtract_row_maximum(b, shape.rows, {sum_in, bypass});
  divide_then_multiply(b, shape.rows, sum_in, bypass);
  return b.take();
}

StreamGraph reordered(const AttentionShape& shape) {
  Builder b("C", shape);
  const std::size_t sum_in = b.fifo("sum_in", StreamType::kScalar, kIntoSlow);
  const std::size_t product_in = b.fifo("product_in", StreamType::kScalar, kIntoSlow);
  subtract_row_maximum(b, shape.rows, {sum_in, product_in});
  const std::size_t v = b.source("v", kIntoSlow);
  const std::size_t row_sum = b.fifo("row_sum", StreamType::kScalar, kShort);
  const std::size_t row_product = b.fifo("row_product", StreamType::kVector, kShort);
  const std::size_t output = b.fifo("output", StreamType::kVector, kShort);
  b.node("row_sum", StreamFunction::kReduceSum, kReduce, b.elements(), {{sum_in}}, {{row_sum}});
  b.node("matvec", StreamFunction::kWeightedSum, kMatVec, b.elements(), {{product_in}, {v}}, {{row_product}});
  b.node("divide", StreamFunction::kDivideVector, kRowDivide, b.per_row(), {{row_product}, {row_sum}}, {{output}});
  b.sink(output);
  return b.take();
}

StreamGraph memory_free(const AttentionShape& shape) {
  Builder b("D", shape);
  const std::size_t scores = b.fifo("scores", StreamType::kScalar, kShort);
  const std::size_t delta_sum = b.fifo("delta_sum", StreamType::kScalar, kIntoSlow);
  const std::size_t delta_output = b.fifo("delta_output", StreamType::kScalar, kIntoSlow);
  const std::size_t e_sum = b.fifo("e_sum", StreamType::kScalar, kIntoSlow);
  const std::size_t e_output = b.fifo("e_output", StreamType::kScalar, kIntoSlow);
  const std::size_t row_sum = b.fifo("row_sum", StreamType::kScalar, kShort);
  const std::size_t row_output = b.fifo("row_output", StreamType::kVector, kShort);
  const std::size_t output = b.fifo("output", StreamType::kVector, kShort);
  b.score(StreamFunction::kDot, {scores});
  const std::size_t v = b.source("v", kIntoSlow);
  b.node("running_max", StreamFunction::kOnlineMaximum, kRunningMaximum, b.elements(), {{scores}},
         {{delta_sum, delta_output}, {e_sum, e_output}});
  b.node("running_sum", StreamFunction::kDecayedSum, kRunningSum, b.elements(), {{delta_sum}, {e_sum}}, {{row_sum}});
  b.node("running_output", StreamFunction::kDecayedWeightedSum, kRunningOutput, b.elements(),
         {{delta_output}, {e_output}, {v}}, {{row_output}});
  b.node("divide", StreamFunction::kDivideVector, kRowDivide, b.per_row(), {{row_output}, {row_sum}}, {{output}});
  b.sink(output);
  return b.take();
}

}  // namespace

std::uint64_t row_bypass_depth(std::uint64_t length) { return length + kReduce.latency + 1; }

StreamGraph attention_graph(AttentionGraph kind, const AttentionShape& shape) {
  switch (kind) {
    case AttentionGraph::kNaive:
      return naive(shape);
    case AttentionGraph::kRowMaximum:
      return row_maximum(shape);
    case AttentionGraph::kReordered:
      return reordered(shape);
    case AttentionGraph::kMemoryFree:
      return memory_free(shape);
  }
  return {};
}

char letter_of(AttentionGraph kind) { return static_cast<char>('A' + static_cast<int>(kind)); }

}  // namespace systole::workloads
