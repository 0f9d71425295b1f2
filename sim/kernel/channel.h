#pragma once
// The RTL's decoupled queue or elastic pipeline between two units: at most one push and one pop per cycle; an item pushed in cycle t is
// visible from t + latency on. Time stamps replace the two copies of a register, so there is no update phase.
//   kRegistered   Queue(n): a slot freed in t can be used from t + 1 on. The order of reader and writer inside a cycle cannot matter.
//   kPipe         Queue(n, pipe) and Pipeline(n): full, it accepts in the very cycle in which its head leaves. Reader and writer belong to
//                 one Group with the reader first.
// An elastic pipeline of n stages is a channel of latency n and capacity n: bubbles close up behind a stalled head.
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/base/cycle.h"
#include "sim/base/errors.h"
#include "sim/base/residual.h"
#include "sim/kernel/unit.h"

namespace systole {

enum class Full : std::uint8_t { kRegistered, kPipe };

// Items that residual_of(Residual&, T&) is declared for.
template <class T, class = void>
struct CanBeVisited : std::false_type {};
template <class T>
struct CanBeVisited<T, std::void_t<decltype(residual_of(std::declval<Residual&>(), std::declval<T&>()))>> : std::true_type {};

template <class T>
class Channel {
 public:
  Channel(std::string name, Cycle latency, unsigned capacity, Full full = Full::kRegistered)
      : name_(std::move(name)), latency_(latency), capacity_(capacity), full_(full) {
    SYSTOLE_CHECK(latency >= 1 && capacity >= 1);
    unsigned slots = 1;
    while (slots < capacity) slots *= 2;
    mask_ = slots - 1;
    entries_.resize(slots);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // A reader that says so through `interested` is woken only while that is true; it looks at the channel by itself when it becomes so.
  void bind_reader(Unit& unit, const bool* interested = &kAlways) {
    reader_ = &unit;
    interested_ = interested;
  }
  void bind_writer(Unit& unit) { writer_ = &unit; }

  // ---- writer
  [[nodiscard]] bool can_push(Cycle now) const {
    return size_ + (full_ == Full::kRegistered && last_pop_ == now ? last_popped_ : 0u) < capacity_;
  }
  void push(Cycle now, const T& item) { emplace(now) = item; }
  // The item to be filled in by the caller, in place: a copy of something that has just been put together member by member is slow.
  [[nodiscard]] T& emplace(Cycle now) {
    SYSTOLE_CHECK(can_push(now) && last_push_ != now);
    last_push_ = now;
    Entry& entry = entries_[(head_ + size_) & mask_];
    entry.visible = now + latency_;
    ++size_;
    if (reader_ != nullptr && *interested_) reader_->wake_at(now + latency_);
    return entry.item;
  }
  [[nodiscard]] bool pushed_in(Cycle now) const { return last_push_ == now; }

  // ---- reader
  [[nodiscard]] const T* front(Cycle now) const {
    return size_ != 0 && entries_[head_].visible <= now && last_pop_ != now ? &entries_[head_].item : nullptr;
  }
  [[nodiscard]] T* front(Cycle now) {
    return size_ != 0 && entries_[head_].visible <= now && last_pop_ != now ? &entries_[head_].item : nullptr;
  }
  // Queues with several visible heads (MultiHeadedQueue.scala): the item `index` places behind the head, or null; before any pop of this cycle.
  [[nodiscard]] const T* peek(Cycle now, unsigned index) const {
    if (index >= size_ || last_pop_ == now) return nullptr;
    const Entry& entry = entries_[(head_ + index) & mask_];
    return entry.visible <= now ? &entry.item : nullptr;
  }
  T pop(Cycle now) {
    SYSTOLE_CHECK(front(now) != nullptr);
    T item = std::move(entries_[head_].item);
    drop(now, 1);
    return item;
  }
  // Takes `count` visible items away at once.
  void drop(Cycle now, unsigned count) {
    SYSTOLE_CHECK(count >= 1 && peek(now, count - 1) != nullptr);
    const bool was_full = size_ == capacity_;
    last_pop_ = now;
    last_popped_ = count;
    head_ = (head_ + count) & mask_;
    size_ -= count;
    if (was_full && writer_ != nullptr) writer_->wake_at(full_ == Full::kPipe ? now : now + 1);
    if (size_ != 0 && reader_ != nullptr && *interested_) reader_->wake_at(std::max(now + 1, entries_[head_].visible));
  }

  // ---- both
  // The item `index` places behind the head, visible or not.
  [[nodiscard]] const T& at(unsigned index) const { return entries_[(head_ + index) & mask_].item; }
  // Items inside, visible or not, as of this moment of this cycle.
  [[nodiscard]] unsigned size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // The reader has and had nothing in this cycle. Unlike empty(), it does not see what the writer pushes in the same cycle.
  [[nodiscard]] bool idle(Cycle now) const { return last_pop_ != now && (size_ == 0 || entries_[head_].visible > now); }
  [[nodiscard]] unsigned capacity() const { return capacity_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  // Items that cannot be visited must not be inside. Of the past, all that can be seen is how many left in this cycle.
  void residual(Residual& r) {
    if constexpr (CanBeVisited<T>::value) {
      r(size_);
      if (r.loads()) head_ = 0;
      for (unsigned i = 0; i < size_; ++i) {
        Entry& entry = entries_[(head_ + i) & mask_];
        residual_of(r, entry.item);
        r.time(entry.visible);
      }
    } else {
      r.rest(size_ == 0);
    }
    unsigned left = last_pop_ == r.now() ? last_popped_ : 0;
    r(left);
    if (!r.loads()) return;
    last_pop_ = left != 0 ? r.now() : kNever;
    last_popped_ = left;
  }

 private:
  struct Entry {
    T item{};
    Cycle visible = 0;
  };
  std::string name_;
  Cycle latency_;
  unsigned capacity_;
  Full full_;
  unsigned mask_ = 0;
  unsigned head_ = 0;
  unsigned size_ = 0;
  Cycle last_push_ = kNever;
  Cycle last_pop_ = kNever;
  unsigned last_popped_ = 0;   // items taken in `last_pop_`
  std::vector<Entry> entries_;
  static constexpr bool kAlways = true;
  Unit* reader_ = nullptr;
  const bool* interested_ = &kAlways;
  Unit* writer_ = nullptr;
};

}  // namespace systole
