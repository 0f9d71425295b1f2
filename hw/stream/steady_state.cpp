#include "hw/stream/steady_state.h"

#include <algorithm>

namespace systole::hw {

SteadyState::SteadyState(const sc_core::sc_module_name& name, std::vector<StreamNode*> nodes,
                         std::vector<StreamFifo>& fifos)
    : Unit(name), nodes_(std::move(nodes)), fifos_(fifos) {
  for (const StreamNode* node : nodes_) rows_repeat_ = rows_repeat_ && !node->grows();
  choose_pivot();
}

// The last node (the one that finishes last, as graphs are written in the order of the stream) that has rows and is not
// done.
void SteadyState::choose_pivot() {
  pivot_ = nodes_.size();
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n]->has_row_ports() && nodes_[n]->firings_left() != 0) pivot_ = n;
  }
}

void SteadyState::set_anchor(Anchor& anchor, Cycle now, std::uint64_t patience) {
  anchor.valid = true;
  anchor.disturbed = false;
  anchor.at = now;
  anchor.patience = patience;
  anchor.tries = 0;
  anchor.signature = signature_;
  anchor.firings.clear();
  anchor.positions.clear();
  for (const StreamNode* node : nodes_) {
    anchor.firings.push_back(node->firings());
    anchor.positions.push_back(node->position());
  }
  anchor.sizes.clear();
  anchor.pushes.clear();
  for (const StreamFifo& fifo : fifos_) {
    anchor.sizes.push_back(fifo.size());
    anchor.pushes.push_back(fifo.pushes());
  }
  anchor.smallest = anchor.sizes;
  anchor.largest = anchor.sizes;
}

void SteadyState::sample(Anchor& anchor) const {
  if (!anchor.valid) return;
  for (std::size_t f = 0; f < fifos_.size(); ++f) {
    anchor.smallest[f] = std::min(anchor.smallest[f], fifos_[f].size());
    anchor.largest[f] = std::max(anchor.largest[f], fifos_[f].size());
  }
}

void SteadyState::evaluate(Cycle now) {
  if (now < resume_ || noted_ == kNever) return;
  signature_.clear();
  for (const StreamNode* node : nodes_) node->append_signature(now, signature_);

  const bool row_passed = row_passed_;
  row_passed_ = false;
  if (rows_repeat_ && row_passed) {
    if (across_rows_.valid && try_leap(across_rows_, now, true)) {
      inside_rows_.valid = false;
      across_rows_.valid = false;
      return;
    }
    if (!across_rows_.valid) {
      set_anchor(across_rows_, now, 1);
    } else if (++across_rows_.tries >= across_rows_.patience) {
      set_anchor(across_rows_, now, across_rows_.patience * 2);
    }
  }
  if (pivot_ < nodes_.size() && nodes_[pivot_]->firings_left() == 0) {
    choose_pivot();
    across_rows_.valid = false;
  }

  if (inside_rows_.valid && !inside_rows_.disturbed && try_leap(inside_rows_, now, false)) {
    inside_rows_.valid = false;
    return;
  }
  if (!inside_rows_.valid || inside_rows_.disturbed) {
    set_anchor(inside_rows_, now, 1);
  } else if (++inside_rows_.tries >= inside_rows_.patience) {
    set_anchor(inside_rows_, now, inside_rows_.patience * 2);
  } else {
    sample(inside_rows_);
  }
  sample(across_rows_);
}

bool SteadyState::try_leap(Anchor& anchor, Cycle now, bool whole_rows) {
  if (signature_ != anchor.signature) return false;

  // How often the period can repeat.
  std::uint64_t repeats = kNever;
  bool anything = false;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const StreamNode& node = *nodes_[n];
    if (whole_rows && node.position() != anchor.positions[n]) return false;
    const std::uint64_t firings = node.firings() - anchor.firings[n];
    if (firings == 0) continue;
    anything = true;
    repeats = std::min(repeats, (whole_rows ? node.firings_left() : node.plain_firings_left()) / firings);
  }
  if (!anything) return false;
  for (std::size_t f = 0; f < fifos_.size(); ++f) {
    const std::uint64_t size = fifos_[f].size();
    if (size == anchor.sizes[f]) continue;
    if (anchor.smallest[f] == 0 || anchor.largest[f] >= fifos_[f].depth()) return false;
    if (size > anchor.sizes[f]) {
      if (fifos_[f].depth() == kUnbounded) continue;
      repeats = std::min(repeats, (fifos_[f].depth() - 1 - anchor.largest[f]) / (size - anchor.sizes[f]));
    } else {
      repeats = std::min(repeats, (anchor.smallest[f] - 1) / (anchor.sizes[f] - size));
    }
  }
  if (repeats == 0) return false;

  const Cycle cycles = repeats * (now - anchor.at);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n]->leap(anchor.at, now, cycles, repeats * (nodes_[n]->firings() - anchor.firings[n]));
  }
  for (std::size_t f = 0; f < fifos_.size(); ++f) {
    const std::int64_t change = static_cast<std::int64_t>(repeats) * (static_cast<std::int64_t>(fifos_[f].size()) -
                                                                      static_cast<std::int64_t>(anchor.sizes[f]));
    const std::uint64_t largest =
        change > 0 ? anchor.largest[f] + static_cast<std::uint64_t>(change) : anchor.largest[f];
    const std::uint64_t smallest =
        change < 0 ? anchor.smallest[f] - static_cast<std::uint64_t>(-change) : anchor.smallest[f];
    fifos_[f].leap(change, repeats * (fifos_[f].pushes() - anchor.pushes[f]), largest);
    if (across_rows_.valid) {
      across_rows_.smallest[f] = std::min(across_rows_.smallest[f], smallest);
      across_rows_.largest[f] = std::max(across_rows_.largest[f], largest);
    }
  }
  resume_ = now + cycles;
  wake_at(resume_);
  ++leaps_;
  cycles_leapt_ += cycles;
  return true;
}

}  // namespace systole::hw
