// Values inside the array, request by request, against processing elements row by row.
#include "hw/datapath/gemm_array.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/module/array/pe_reference.h"

namespace systole::hw {
namespace {

struct Request {
  GemmRequest what;
  std::vector<PeReference::Row> rows[kOperands];   // as they enter
  std::uint16_t number = 0;
  std::vector<std::vector<std::int32_t>> expected;
};

class RandomRequests {
 public:
  RandomRequests(int dim, int output_bits, unsigned seed)
      : random_(seed), dim_(dim), memory_(Memory::kDefaultBase, 4096), reference_(dim, output_bits) {
    params_.array.dim = dim;
    params_.array.output_bits = output_bits;
    plane_ = std::make_unique<ValuePlane>(params_, memory_);
    array_ = std::make_unique<GemmArray>(params_, *plane_);
  }

  void run(int count) {
    for (int i = 0; i < count; ++i) {
      if (random_() % 6 == 0) configure();
      one(random_() % 5 == 0);
    }
  }

 private:
  [[nodiscard]] std::int8_t byte() { return static_cast<std::int8_t>(static_cast<int>(random_() % 256) - 128); }

  void configure() {
    weight_stationary_ = random_() % 2 != 0;
    a_transpose_ = random_() % 2 != 0;
    bd_transpose_ = random_() % 2 != 0 && !(weight_stationary_ && a_transpose_);
    if (!weight_stationary_ && bd_transpose_) a_transpose_ = true;
    shift_ = random_() % 2 != 0 ? 0 : static_cast<int>(random_() % 21);
  }

  void one(bool flush) {
    Request r;
    r.number = ++number_;
    r.what.flush = flush;
    r.what.weight_stationary = weight_stationary_;
    r.what.toggle = random_() % 2 != 0;
    r.what.shift = shift_;
    r.what.transpose_a = weight_stationary_ ? a_transpose_ : !a_transpose_;
    r.what.transpose_b = !weight_stationary_ && bd_transpose_;
    r.what.transpose_d = weight_stationary_ && bd_transpose_;
    r.what.wanted = random_() % 4 != 0;
    r.what.rows = dim_;
    if (!flush) fill(r);
    const bool right_behind = random_() % 2 != 0;
    // Rows are asked for while they enter (a shallow array) or at the end.
    const bool early = r.what.wanted && random_() % 2 != 0;
    if (r.what.toggle) propagate_ = !propagate_;
    array_->begin(r.number, r.what);
    for (int step = 0; step < r.what.rows; ++step) {
      for (unsigned x = 0; x < kOperands; ++x) {
        if (!flush) last_[x] = r.rows[x][static_cast<std::size_t>(step)];
      }
      if (step == 0) array_->enter_first(right_behind);
      const int shift = step == 0 && right_behind ? last_shift_ : r.what.shift;
      r.expected.push_back(reference_.step(last_[kOperandA], last_[kOperandB], last_[kOperandD], r.what.weight_stationary, propagate_, shift,
                                           r.what.transpose_a, r.what.transpose_b, r.what.transpose_d));
      if (early && random_() % 3 == 0) check(r, step, step + 1);
    }
    last_shift_ = r.what.shift;
    array_->end();
    if (!r.what.wanted) return;
    for (int step = 0; step < r.what.rows; ++step) check(r, step, r.what.rows);
  }

  void fill(Request& r) {
    operands_ = (operands_ + 1) % operand_buffers(params_);
    r.what.operands = operands_;
    unsigned live = random_() % 8;
    const bool transposes = r.what.transpose_a || r.what.transpose_b || r.what.transpose_d;
    if (weight_stationary_ && (live >> kOperandD & 1u) == 0 && !transposes) r.what.rows = 4 + static_cast<int>(random_() % static_cast<unsigned>(dim_ - 3));
    array_->open(operands_, live);
    for (unsigned x = 0; x < kOperands; ++x) {
      for (int step = 0; step < r.what.rows; ++step) {
        PeReference::Row row(static_cast<std::size_t>(dim_), 0);
        if ((live >> x & 1u) != 0) {
          if (random_() % 8 == 0) {
            array_->fetch_zero(operands_, static_cast<Operand>(x), step);
          } else {
            const std::uint32_t at = random_() % 64;
            const int cols = random_() % 2 != 0 ? dim_ : static_cast<int>(random_() % static_cast<unsigned>(dim_)) + 1;
            for (int j = 0; j < dim_; ++j) plane_->scratchpad_row(at)[j] = byte();
            for (int j = 0; j < cols; ++j) row[static_cast<std::size_t>(j)] = plane_->scratchpad_row(at)[j];
            array_->fetch(operands_, static_cast<Operand>(x), step, at, cols);
          }
        }
        r.rows[x].push_back(row);
      }
    }
  }

  void check(const Request& r, int step, int entered) {
    const std::int32_t* row = array_->output(r.number, step, entered);
    ASSERT_EQ(std::vector<std::int32_t>(row, row + dim_), r.expected[static_cast<std::size_t>(step)])
        << "request " << r.number << " row " << step << (r.what.weight_stationary ? " weight" : " output") << "-stationary";
  }

  std::mt19937 random_;
  int dim_;
  MachineParams params_;
  Memory memory_;
  std::unique_ptr<ValuePlane> plane_;
  std::unique_ptr<GemmArray> array_;
  PeReference reference_;
  PeReference::Row last_[kOperands] = {PeReference::Row(128, 0), PeReference::Row(128, 0), PeReference::Row(128, 0)};
  bool weight_stationary_ = false;
  bool a_transpose_ = false;
  bool bd_transpose_ = false;
  bool propagate_ = false;
  int shift_ = 0;
  int last_shift_ = 0;
  std::uint32_t operands_ = 0;
  std::uint16_t number_ = 0;
};

class GemmArrayValues : public testing::TestWithParam<int> {};

TEST_P(GemmArrayValues, EqualProcessingElements) {
  const int dim = GetParam();
  for (unsigned seed = 1; seed <= 8; ++seed) {
    for (const int bits : {20, 16, 32}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " bits " + std::to_string(bits));
      RandomRequests(dim, bits, seed).run(dim > 16 ? 20 : 120);
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dim, GemmArrayValues, testing::Values(4, 8, 16, 32));

}  // namespace
}  // namespace systole::hw
