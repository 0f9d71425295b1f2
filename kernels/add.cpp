#include "kernels/add.h"

#include <algorithm>
#include <vector>

#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

// A part of the matrices that half the accumulator holds, as blocks of dim rows and the columns of one store.
struct Block {
  std::uint64_t row = 0, col = 0, rows = 0, cols = 0, local = 0;
};

class Adder {
 public:
  Adder(Builder& b, const AddArguments& args) : b_(b), args_(args) {
    const bool full = args.c.element == Element::kInt32;
    width_ = b.dim() * static_cast<std::uint64_t>(full ? b.target().max_blocks_acc() : b.target().max_blocks());
    // A store of int32 takes one column block at a time (StoreController.scala).
    store_width_ = full ? b.dim() : width_;
    const std::uint64_t half = b.target().accumulator_rows / 2;
    const std::uint64_t blocks = std::max<std::uint64_t>(1, half / width_);
    std::uint64_t n = 0;
    for (std::uint64_t row = 0; row < args.c.rows; row += b.dim()) {
      for (std::uint64_t col = 0; col < args.c.cols; col += width_, ++n) {
        if (n % blocks == 0) parts_.emplace_back();
        const std::uint64_t base = parts_.size() % 2 == 1 ? 0 : half;
        parts_.back().push_back({row, col, std::min(b.dim(), args.c.rows - row), std::min(width_, args.c.cols - col),
                                 base + n % blocks * width_});
      }
    }
  }

  // Loads of one part overlap the stores of the one before. Two loads of the same rows are in order only across a fence.
  void run() {
    load(parts_[0], args_.a, args_.scale_a, false);
    for (std::size_t n = 0; n < parts_.size(); ++n) {
      b_.fence();
      load(parts_[n], args_.b, args_.scale_b, true);
      store(parts_[n]);
      if (n + 1 < parts_.size()) load(parts_[n + 1], args_.a, args_.scale_a, false);
    }
  }

 private:
  void load(const std::vector<Block>& part, const Matrix& x, float scale, bool accumulate) {
    const bool int8 = x.element == Element::kInt8;
    b_.load_config(accumulate ? LoadState::kB : LoadState::kA, {x.stride, scale, int8});
    const std::uint64_t step = b_.dim() * static_cast<std::uint64_t>(int8 ? b_.target().max_blocks() : b_.target().max_blocks_acc());
    for (const Block& k : part) {
      for (std::uint64_t c = 0; c < k.cols; c += step) {
        b_.mvin(accumulate ? LoadState::kB : LoadState::kA, x.at(k.row, k.col + c), b_.accumulator(k.local + c, accumulate),
                std::min(step, k.cols - c), k.rows);
      }
    }
  }

  void store(const std::vector<Block>& part) {
    const bool full = args_.c.element == Element::kInt32;
    StoreConfig config = args_.store;
    config.stride = args_.c.stride;
    if (full) config.activation = isa::Activation::kNone;
    b_.store_config(config);
    for (const Block& k : part) {
      for (std::uint64_t c = 0; c < k.cols; c += store_width_) {
        b_.mvout(args_.c.at(k.row, k.col + c), b_.accumulator(k.local + c, false, full), std::min(store_width_, k.cols - c), k.rows);
      }
    }
  }

  Builder& b_;
  const AddArguments& args_;
  std::uint64_t width_ = 0, store_width_ = 0;
  std::vector<std::vector<Block>> parts_;
};

}  // namespace

void add(Builder& b, const AddArguments& args) {
  SYSTOLE_CHECK(args.a.rows == args.c.rows && args.a.cols == args.c.cols && args.b.rows == args.c.rows && args.b.cols == args.c.cols);
  Adder(b, args).run();
}

}  // namespace systole::kernels
