#pragma once
// A small queue inside one unit. What was pushed in a cycle must not be taken in the same cycle: the owner looks at fronts and sizes at the
// start of the cycle, takes before it pushes, and so needs no time stamps.
#include <array>
#include <cstddef>

#include "sim/base/errors.h"

namespace systole::hw::soc {

template <class T, std::size_t kSlots>
class Ring {
  static_assert((kSlots & (kSlots - 1)) == 0, "a power of two");

 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] unsigned size() const { return size_; }
  [[nodiscard]] T& front() { return items_[head_]; }
  [[nodiscard]] const T& front() const { return items_[head_]; }
  [[nodiscard]] const T& at(unsigned index) const { return items_[(head_ + index) & (kSlots - 1)]; }
  void push(const T& item) {
    SYSTOLE_CHECK(size_ < kSlots);
    items_[(head_ + size_++) & (kSlots - 1)] = item;
  }
  T pop() {
    SYSTOLE_CHECK(size_ != 0);
    const T item = items_[head_];
    head_ = (head_ + 1) & (kSlots - 1);
    --size_;
    return item;
  }

 private:
  std::array<T, kSlots> items_{};
  unsigned head_ = 0;
  unsigned size_ = 0;
};

}  // namespace systole::hw::soc
