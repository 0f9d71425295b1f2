#pragma once
#include <array>
#include <cstdint>

namespace systole::hw {

// A set of entries of one queue of the reservation station, by index.
class EntryMask {
 public:
  static constexpr unsigned kEntries = 128;

  void set(unsigned index) { words_[index / 64] |= std::uint64_t{1} << (index % 64); }
  void reset(unsigned index) { words_[index / 64] &= ~(std::uint64_t{1} << (index % 64)); }
  void clear() { words_ = {}; }
  [[nodiscard]] bool test(unsigned index) const { return (words_[index / 64] >> (index % 64) & 1u) != 0; }
  // The lowest index not in the set; kEntries when there is none.
  [[nodiscard]] unsigned lowest_absent() const {
    for (unsigned word = 0; word < words_.size(); ++word) {
      if (~words_[word] != 0) return word * 64 + static_cast<unsigned>(__builtin_ctzll(~words_[word]));
    }
    return kEntries;
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (unsigned word = 0; word < words_.size(); ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        visit(word * 64 + static_cast<unsigned>(__builtin_ctzll(bits)));
      }
    }
  }

 private:
  std::array<std::uint64_t, kEntries / 64> words_{};
};

}  // namespace systole::hw
