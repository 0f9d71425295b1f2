#include "workloads/estimate/analytical_model.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

// A result kept in the L2 while it is made. The survey does not give its tiles; the traffic behind table 5 (inputs read
// twice for 768 columns, 7 times for 3072; weights once up to 512 rows, 4 times for 4096) fits tiles of 1024 rows by
// 440 to 511 columns, which is what 2 MB hold in 32 bits beside the operands. Other L2 sizes: columns in proportion.
constexpr double kL2TileRows = 1024;
constexpr double kL2TileColumns = 448;
constexpr double kL2TileBytes = 2.0 * 1024 * 1024;

// Bytes of an element: 8-bit operands, 32-bit results in front of a non-linear operation.
constexpr double kWide = 4;
constexpr double kResidualBytes = 3;

double up(double value, double step) { return std::ceil(value / step); }

class Estimator {
 public:
  explicit Estimator(const AnalyticalMachine& machine) : machine_(machine) {
    const double width = static_cast<double>(machine.array);
    // The largest square of 32-bit results in the accumulator, in whole tiles of the array.
    const double side = std::sqrt(static_cast<double>(machine.accumulator_bytes) / kWide);
    tile_ = std::max(1.0, std::floor(side / width)) * width;
  }

  // `repeats` products (m x n)(n x k), the result with `bytes_out` per element.
  OperatorEstimate matmul(const char* name, double repeats, double m, double n, double k, double flops,
                          double dram_bytes, double bytes_out) const {
    const double width = static_cast<double>(machine_.array);
    OperatorEstimate e;
    e.name = name;
    e.matmul = true;
    e.macs = repeats * m * n * k;
    e.flops = repeats * flops;
    e.dram_bytes = repeats * dram_bytes;
    e.local_bytes = repeats * (m * n * up(k, tile_) + n * k * up(m, tile_) + m * k * bytes_out);
    // A row of the left operand enters per cycle; loading the next tile of weights overlaps.
    e.compute_cycles = repeats * up(n, width) * up(k, width) * m;
    finish(e);
    return e;
  }

  OperatorEstimate element_wise(const char* name, double elements, double bytes, double flops) const {
    OperatorEstimate e;
    e.name = name;
    e.flops = elements * flops;
    e.dram_bytes = elements * bytes;
    e.local_bytes = elements * bytes;
    e.compute_cycles = elements / static_cast<double>(machine_.sfu);
    finish(e);
    return e;
  }

  [[nodiscard]] double l2_rows(double rows) const { return up(rows, kL2TileRows); }
  [[nodiscard]] double l2_columns(double columns) const {
    return up(columns, std::max(1.0, kL2TileColumns * static_cast<double>(machine_.l2_bytes) / kL2TileBytes));
  }

 private:
  void finish(OperatorEstimate& e) const {
    e.memory_cycles = e.dram_bytes / machine_.dram_bytes_per_cycle + e.local_bytes / machine_.local_bytes_per_cycle;
    e.cycles = std::max(e.compute_cycles, e.memory_cycles);
  }

  const AnalyticalMachine machine_;
  double tile_ = 0;
};

void add(OperatorEstimate& sum, const OperatorEstimate& e) {
  sum.macs += e.macs;
  sum.flops += e.flops;
  sum.dram_bytes += e.dram_bytes;
  sum.local_bytes += e.local_bytes;
  sum.compute_cycles += e.compute_cycles;
  sum.memory_cycles += e.memory_cycles;
  sum.cycles += e.cycles;
}

// The flops of softmax and of the others per element: as in operation_counts.cpp.
std::vector<OperatorEstimate> element_wise(const Estimator& estimator, const TransformerShape& shape, double scores,
                                           double rows) {
  const double layers = static_cast<double>(shape.layers);
  const double hidden = layers * rows * static_cast<double>(shape.model);
  constexpr double kBytes = kWide + 1;
  return {estimator.element_wise("softmax", layers * scores, kBytes, 4),
          estimator.element_wise("GELU", layers * rows * static_cast<double>(shape.feed_forward), kBytes, 8),
          estimator.element_wise("LayerNorm", 2 * hidden, kBytes, 12),
          estimator.element_wise("residual", 2 * hidden, kResidualBytes, 1)};
}

std::vector<OperatorEstimate> encoder(const Estimator& estimator, const TransformerShape& shape, double l) {
  const double layers = static_cast<double>(shape.layers);
  const double d = static_cast<double>(shape.model);
  const double f = static_cast<double>(shape.feed_forward);
  const double heads = static_cast<double>(shape.heads);
  const double width = d / heads;
  const double rows = estimator.l2_rows(l);
  std::vector<OperatorEstimate> list;
  list.push_back(estimator.matmul("W_QKV", 3 * layers, l, d, d, 2 * l * d * d,
                                  rows * d * d + estimator.l2_columns(d) * l * d + l * d, 1));
  list.push_back(estimator.matmul("QxK", layers * heads, l, width, l, l * l * (2 * width - 1),
                                  kWide * l * l + 2 * rows * l * width, kWide));
  list.push_back(
      estimator.matmul("AxV", layers * heads, l, l, width, l * width * (2 * l - 1), l * l + (1 + rows) * l * width, 1));
  list.push_back(estimator.matmul("W_out", layers, l, d, d, 2 * l * d * d,
                                  rows * d * d + estimator.l2_columns(d) * l * d + kWide * l * d, kWide));
  list.push_back(estimator.matmul("W_1", layers, l, d, f, 2 * l * d * f,
                                  rows * d * f + estimator.l2_columns(f) * l * d + kWide * l * f, kWide));
  // Of the wide input only a part is read a second time: one l x d for d = 768, d_FFN = 4d.
  list.push_back(estimator.matmul("W_2", layers, l, f, d, 2 * l * d * f,
                                  rows * d * f + l * f + (estimator.l2_columns(d) - 1) * l * d + kWide * l * d, kWide));
  for (const auto& e : element_wise(estimator, shape, heads * l * l, l)) list.push_back(e);
  return list;
}

// One token at a time; a vector is never read twice.
std::vector<OperatorEstimate> decoder(const Estimator& estimator, const TransformerShape& shape, std::uint64_t tokens) {
  const double layers = static_cast<double>(shape.layers);
  const double d = static_cast<double>(shape.model);
  const double f = static_cast<double>(shape.feed_forward);
  const double heads = static_cast<double>(shape.heads);
  const double width = d / heads;
  const double l = static_cast<double>(tokens);
  const auto weights = [&](const char* name, double repeats, double n, double k, double bytes_out) {
    return estimator.matmul(name, repeats * l * layers, 1, n, k, 2 * n * k, n * k + n + bytes_out * k, bytes_out);
  };
  OperatorEstimate scores = estimator.matmul("QxK", 0, 1, width, 1, 0, 0, kWide);
  OperatorEstimate context = estimator.matmul("AxV", 0, 1, 1, width, 0, 0, 1);
  for (std::uint64_t token = 1; token <= tokens; ++token) {
    const double t = static_cast<double>(token);
    add(scores, estimator.matmul("QxK", layers * heads, 1, width, t, (2 * width - 1) * t, width + width * t + kWide * t,
                                 kWide));
    add(context, estimator.matmul("AxV", layers * heads, 1, t, width, (2 * t - 1) * width, t + t * width + width, 1));
  }
  std::vector<OperatorEstimate> list = {
      weights("W_QKV", 3, d, d, 1),  scores, context, weights("W_out", 1, d, d, kWide), weights("W_1", 1, d, f, kWide),
      weights("W_2", 1, f, d, kWide)};
  for (const auto& e : element_wise(estimator, shape, heads * l * (l + 1) / 2, l)) list.push_back(e);
  return list;
}

template <class F>
double sum(const std::vector<OperatorEstimate>& operators, F value) {
  double total = 0;
  for (const OperatorEstimate& e : operators) total += value(e);
  return total;
}

}  // namespace

double TransformerEstimate::cycles() const {
  return sum(operators, [](const OperatorEstimate& e) { return e.cycles; });
}
double TransformerEstimate::macs() const {
  return sum(operators, [](const OperatorEstimate& e) { return e.macs; });
}
double TransformerEstimate::dram_bytes() const {
  return sum(operators, [](const OperatorEstimate& e) { return e.dram_bytes; });
}
double TransformerEstimate::intensity() const {
  return sum(operators, [](const OperatorEstimate& e) { return e.flops; }) / dram_bytes();
}

const OperatorEstimate& TransformerEstimate::find(const std::string& name) const {
  for (const OperatorEstimate& e : operators) {
    if (e.name == name) return e;
  }
  throw ConfigError(fmt::format("the analytical model has no operator '{}'", name));
}

TransformerEstimate estimate_transformer(const TransformerShape& shape, std::uint64_t seq,
                                         const AnalyticalMachine& machine) {
  check_shape(shape, seq);
  if (machine.array == 0 || machine.sfu == 0 || machine.accumulator_bytes == 0 || machine.l2_bytes == 0 ||
      !(machine.dram_bytes_per_cycle > 0) || !(machine.local_bytes_per_cycle > 0))
    throw ConfigError("the analytical model needs a machine without zeros");
  const Estimator estimator(machine);
  return {shape.decoder ? decoder(estimator, shape, seq) : encoder(estimator, shape, static_cast<double>(seq))};
}

}  // namespace systole::workloads
