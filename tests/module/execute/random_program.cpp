#include "tests/module/execute/random_program.h"

#include <algorithm>

#include "hw/params/derived.h"

namespace systole::hw {
namespace {

using Tile = std::vector<std::int64_t>;   // dim x dim

class Maker {
 public:
  Maker(const MachineParams& params, unsigned seed, const ProgramStyle& style)
      : random_(seed), style_(style), dim_(params.array.dim), bits_(params.array.output_bits),
        operand_rows_(static_cast<std::uint32_t>(scratchpad_rows(params)) / 2),
        result_rows_(static_cast<std::uint32_t>(scratchpad_rows(params)) / 2), accumulator_rows_(static_cast<std::uint32_t>(accumulator_rows(params))) {
    const auto dim = static_cast<std::size_t>(dim_);
    program_.operands.resize(static_cast<std::size_t>(scratchpad_rows(params)) * dim);
    for (std::int8_t& x : program_.operands) x = style.extreme ? std::int8_t{-128} : static_cast<std::int8_t>(static_cast<int>(random_() % 256) - 128);
    program_.scratchpad = program_.operands;
    program_.accumulator.resize(static_cast<std::size_t>(accumulator_rows(params)) * dim);
    weights_ = Tile(dim * dim, 0);
    sums_ = Tile(dim * dim, 0);
  }

  RandomProgram make(int tiles) {
    configure();
    for (int i = 0; i < tiles;) {
      if (random_() % 8 == 0) configure();
      i += style_.weight_stationary ? weight_chain() : sum_chain();
    }
    return std::move(program_);
  }

 private:
  [[nodiscard]] unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  [[nodiscard]] std::size_t at(int r, int c) const { return static_cast<std::size_t>(r) * static_cast<std::size_t>(dim_) + static_cast<std::size_t>(c); }
  [[nodiscard]] unsigned size() { return style_.partial ? 1 + below(static_cast<unsigned>(dim_)) : static_cast<unsigned>(dim_); }
  [[nodiscard]] std::int64_t wrap(std::int64_t x) const {
    const std::int64_t span = std::int64_t{1} << bits_;
    x = ((x % span) + span) % span;
    return x >= span / 2 ? x - span : x;
  }

  void emit(IssuedCommand command) {
    program_.commands.push_back(command);
    program_.at.push_back(time_);
    if (below(10) == 0) time_ += below(80);
  }

  // Behind a pause that is long enough for everything to come out: a config right behind short operations is a hazard of its own.
  void configure() {
    constexpr Cycle kLong = 3000;
    time_ += static_cast<Cycle>(program_.commands.size()) * static_cast<Cycle>(dim_) * 3 + kLong;
    config_ = ExConfig{};
    config_.weight_stationary = style_.weight_stationary;
    config_.relu = below(2) != 0;
    config_.a_stride = below(3) == 0 ? 2 : 1;
    config_.c_stride = style_.weight_stationary && below(3) == 0 ? 3 : 1;
    config_.shift = below(2) != 0 ? 0 : below(16);
    if (style_.transposes) {
      config_.a_transpose = below(2) != 0;
      config_.b_transpose = below(2) != 0;
      if (style_.weight_stationary && config_.a_transpose) config_.b_transpose = false;
      if (!style_.weight_stationary && config_.b_transpose) config_.a_transpose = true;
    }
    emit(config(config_));
  }

  Block operand(unsigned rows, unsigned cols, unsigned stride) {
    const unsigned span = static_cast<unsigned>(dim_) * stride;
    return Block{below(operand_rows_ - span), cols, rows};
  }

  // The matrix that a command means: its fields give the logical size, a transposed one lies in memory the other way round.
  Tile value(const Block& b, bool transposed, unsigned stride) const {
    Tile tile(weights_.size(), 0);
    if (b.address == kGarbage) return tile;
    for (unsigned r = 0; r < b.rows; ++r) {
      for (unsigned c = 0; c < b.cols; ++c) {
        const unsigned row = b.address + (transposed ? c : r) * stride;
        tile[at(static_cast<int>(r), static_cast<int>(c))] = program_.operands[static_cast<std::size_t>(row) * static_cast<std::size_t>(dim_) + (transposed ? r : c)];
      }
    }
    return tile;
  }

  // A place whose rows no other result in flight touches: results go round robin.
  Block destination(unsigned rows, unsigned cols) {
    Block c;
    c.rows = rows;
    c.cols = cols;
    const unsigned span = static_cast<unsigned>(dim_) * config_.c_stride;
    if (style_.scratchpad_results && below(3) == 0) {
      next_result_ = next_result_ + span + span > result_rows_ ? 0 : next_result_;
      c.address = operand_rows_ + next_result_;
      next_result_ += span;
    } else {
      next_sum_ = next_sum_ + span + span > accumulator_rows_ ? 0 : next_sum_;
      c.address = (below(2) != 0 ? kAccumulate : kAcc) | next_sum_;
      next_sum_ += span;
    }
    return c;
  }

  void store(const Block& c, const Tile& value) {
    for (unsigned r = 0; r < c.rows; ++r) {
      for (unsigned j = 0; j < c.cols; ++j) {
        const std::int64_t x = value[at(static_cast<int>(r), static_cast<int>(j))];
        const std::uint32_t row = (c.address & 0x0FFFFFFFu) + r * config_.c_stride;
        const std::size_t to = static_cast<std::size_t>(row) * static_cast<std::size_t>(dim_) + j;
        if ((c.address & kAcc) == 0) {
          program_.scratchpad[to] = static_cast<std::int8_t>(std::clamp<std::int64_t>(x, config_.relu ? 0 : -128, 127));
        } else {
          const std::int64_t old = (c.address & kAccumulate) == kAccumulate ? program_.accumulator[to] : 0;
          program_.accumulator[to] = static_cast<std::int32_t>(static_cast<std::uint64_t>(old + x));
        }
      }
    }
  }

  // New weights, then some rows of A with them.
  int weight_chain() {
    const int count = 1 + static_cast<int>(below(4));
    const unsigned k = size();
    const unsigned j = size();
    for (int i = 0; i < count; ++i) {
      const unsigned rows = size();
      const Block d = i == 0 ? operand(k, j, 1) : Block{kGarbage, j, k};
      const Block c = below(8) == 0 ? Block{} : destination(rows, j);
      const Block a = operand(rows, k, config_.a_stride);
      const Block b = below(3) == 0 ? operand(rows, j, 1) : Block{kGarbage, j, rows};
      emit(preload(d, c));
      emit(compute(i == 0, a, b));
      if (i == 0) weights_ = value(d, config_.b_transpose, 1);
      const Tile left = value(a, config_.a_transpose, config_.a_stride);
      Tile result = value(b, false, 1);
      multiply(left, weights_, result);
      if (c.address != kGarbage) store(c, result);
    }
    return count;
  }

  // Sums stay in the array over several pairs; the last one stores them.
  int sum_chain() {
    const int count = 1 + static_cast<int>(below(4));
    const unsigned rows = size();
    const unsigned cols = size();
    for (int i = 0; i < count; ++i) {
      const unsigned k = size();
      const Block d = i == 0 && below(2) != 0 ? operand(rows, cols, 1) : Block{kGarbage, cols, rows};
      const Block c = i + 1 == count ? destination(rows, cols) : Block{};
      const Block a = operand(rows, k, config_.a_stride);
      const Block b = operand(k, cols, 1);
      emit(preload(d, c));
      emit(compute(i == 0, a, b));
      if (i == 0) sums_ = value(d, false, 1);
      multiply(value(a, config_.a_transpose, config_.a_stride), value(b, config_.b_transpose, 1), sums_);
      if (c.address != kGarbage) {
        Tile result = sums_;
        for (std::int64_t& x : result) x = rounded(x);
        store(c, result);
      }
    }
    return count;
  }

  [[nodiscard]] std::int64_t rounded(std::int64_t x) const {
    const std::int64_t unit = std::int64_t{1} << config_.shift;
    std::int64_t q = x >> config_.shift;
    const std::int64_t rest = x - q * unit;
    if (rest * 2 > unit || (rest * 2 == unit && (q & 1) != 0)) ++q;
    return q;
  }

  void multiply(const Tile& a, const Tile& b, Tile& sum) const {
    for (int r = 0; r < dim_; ++r) {
      for (int j = 0; j < dim_; ++j) {
        std::int64_t x = sum[at(r, j)];
        for (int k = 0; k < dim_; ++k) x += a[at(r, k)] * b[at(k, j)];
        sum[at(r, j)] = wrap(x);
      }
    }
  }

  std::mt19937 random_;
  ProgramStyle style_;
  int dim_;
  int bits_;
  std::uint32_t operand_rows_;
  std::uint32_t result_rows_;
  std::uint32_t accumulator_rows_;
  RandomProgram program_;
  ExConfig config_;
  Tile weights_;
  Tile sums_;
  Cycle time_ = 0;
  std::uint32_t next_result_ = 0;
  std::uint32_t next_sum_ = 0;
};

}  // namespace

RandomProgram make_program(const MachineParams& params, unsigned seed, int tiles, const ProgramStyle& style) {
  return Maker(params, seed, style).make(tiles);
}

}  // namespace systole::hw
