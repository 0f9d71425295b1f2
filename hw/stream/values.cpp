#include "hw/stream/values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hw/stream/value_kernels.h"
#include "sim/base/errors.h"

namespace systole::hw {

using stream_kernels::Scalars;
using stream_kernels::Vectors;

StreamValues::StreamValues(const StreamGraph& graph, const std::map<std::string, StreamTensor>& tensors)
    : dim_(graph.dim), specs_(graph.nodes) {
  for (const StreamFifoSpec& fifo : graph.fifos) {
    Ring ring;
    ring.vector = fifo.type == StreamType::kVector;
    rings_.push_back(std::move(ring));
    grow(rings_.back());
    while (rings_.back().capacity < fifo.initial) grow(rings_.back());
    Ring& filled = rings_.back();
    if (filled.vector && fifo.initial != 0) filled.storage.resize(filled.capacity * dim_);
    for (std::uint64_t i = 0; i < fifo.initial; ++i, ++filled.tail) {
      if (filled.vector) {
        float* slot = &filled.storage[i * dim_];
        std::fill(slot, slot + dim_, fifo.initial_value);
        filled.vectors[i] = slot;
      } else {
        filled.numbers[i] = fifo.initial_value;
      }
    }
  }
  for (const StreamNodeSpec& spec : specs_) {
    Node node;
    node.spec = &spec;
    node.total = spec.rows.total();
    node.held.resize(spec.inputs.size());
    node.held_vectors.resize(spec.inputs.size());
    node.held_pointers.resize(spec.inputs.size());
    node.vector_sum.resize(dim_);
    if (!spec.data.empty()) {
      const auto found = tensors.find(spec.data);
      SYSTOLE_CHECK(found != tensors.end());
      const std::uint64_t needed =
          spec.function == StreamFunction::kSourceRows || spec.rows.growing ? spec.rows.rows : spec.rows.length;
      SYSTOLE_CHECK(found->second.rows >= needed);
      node.tensor = found->second.data;
    }
    nodes_.push_back(std::move(node));
  }
  for (auto& scratch : scratch_) scratch.resize(kBlock);
}

void StreamValues::grow(Ring& ring) {
  const std::size_t capacity = ring.capacity == 0 ? kBlock : ring.capacity * 2;
  Ring larger;
  larger.vector = ring.vector;
  larger.capacity = capacity;
  if (ring.vector) {
    larger.vectors.resize(capacity);
    if (!ring.storage.empty()) larger.storage.resize(capacity * dim_);
  } else {
    larger.numbers.resize(capacity);
  }
  for (std::uint64_t i = ring.head; i != ring.tail; ++i, ++larger.tail) {
    const std::size_t from = i & (ring.capacity - 1);
    if (!ring.vector) {
      larger.numbers[larger.tail] = ring.numbers[from];
      continue;
    }
    const float* element = ring.vectors[from];
    // Copying a vector of a tensor, too, does no harm.
    if (!ring.storage.empty()) {
      float* slot = &larger.storage[larger.tail * dim_];
      std::copy(element, element + dim_, slot);
      element = slot;
    }
    larger.vectors[larger.tail] = element;
  }
  ring = std::move(larger);
}

std::size_t StreamValues::buffer_bytes() const {
  std::size_t bytes = 0;
  for (const Ring& ring : rings_) {
    bytes += (ring.numbers.size() + ring.storage.size()) * sizeof(float) + ring.vectors.size() * sizeof(const float*);
  }
  return bytes;
}

void StreamValues::fire(std::size_t index) {
  Node& node = nodes_[index];
  for (const auto& output : node.spec->outputs) {
    for (std::size_t f : output.fifos) {
      if (rings_[f].tail - rings_[f].head == rings_[f].capacity) grow(rings_[f]);
    }
  }
  // Time says that the elements are there; this is where it would be caught lying.
  SYSTOLE_CHECK(run_block(node, 1) == 1);
}

void StreamValues::compute(const std::function<void(std::uint64_t)>& progress) {
  while (true) {
    bool moved = false;
    std::uint64_t firings = 0;
    bool done = true;
    for (Node& node : nodes_) {
      while (node.firings != node.total && run_block(node, kBlock) != 0) moved = true;
      done = done && node.firings == node.total;
      firings += node.firings;
    }
    if (progress) progress(firings);
    if (done) return;
    if (moved) continue;
    // Everybody waits: some full ring is smaller than what the graph has to hold. (T. Parks, Bounded Scheduling of
    // Process Networks, 1995.)
    bool grown = false;
    for (Ring& ring : rings_) {
      if (ring.tail - ring.head != ring.capacity) continue;
      grow(ring);
      grown = true;
    }
    SYSTOLE_CHECK(grown);
  }
}

// Computes as many firings of one row as there are operands and places for in one piece, at most `limit`; returns how
// many.
std::size_t StreamValues::run_block(Node& node, std::size_t limit) {
  const StreamNodeSpec& spec = *node.spec;
  const bool first = node.position == 0;
  const std::uint64_t left = spec.rows.length_of(node.row) - node.position;
  std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left, std::min(limit, kBlock)));
  for (const auto& input : spec.inputs) {
    const Ring& ring = rings_[input.fifo];
    const std::uint64_t there = ring.tail - ring.head;
    if (input.rate == StreamRate::kRowFirst) {
      if (first && there == 0) return 0;
    } else {
      const std::size_t in_one_piece = ring.capacity - (ring.head & (ring.capacity - 1));
      n = std::min({n, static_cast<std::size_t>(there), in_one_piece});
    }
  }
  for (const auto& output : spec.outputs) {
    for (std::size_t f : output.fifos) {
      const Ring& ring = rings_[f];
      const std::uint64_t places = ring.capacity - (ring.tail - ring.head);
      if (output.rate == StreamRate::kRowLast) {
        if (n == left && places == 0) --n;  // all but the firing that produces
      } else {
        n = std::min(n, static_cast<std::size_t>(places));
      }
    }
  }
  if (n == 0) return 0;
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
    if (spec.inputs[i].rate != StreamRate::kRowFirst || !first) continue;
    Ring& ring = rings_[spec.inputs[i].fifo];
    const std::size_t at = ring.head++ & (ring.capacity - 1);
    if (ring.vector) {
      node.held_vectors[i].assign(ring.vectors[at], ring.vectors[at] + dim_);
      node.held_pointers[i] = node.held_vectors[i].data();
    } else {
      node.held[i] = ring.numbers[at];
    }
  }
  compute_block(node, n, first, n == left);
  for (const auto& input : spec.inputs) {
    if (input.rate == StreamRate::kEvery) rings_[input.fifo].head += n;
  }
  node.firings += n;
  node.position += n;
  if (node.position == spec.rows.length_of(node.row)) {
    node.position = 0;
    ++node.row;
  }
  return n;
}

// n numbers to every FIFO of an output; places have been checked.
void StreamValues::emit(Node& node, std::size_t output, const float* numbers, std::size_t n) {
  for (std::size_t f : node.spec->outputs[output].fifos) {
    Ring& ring = rings_[f];
    const std::size_t at = ring.tail & (ring.capacity - 1);
    const std::size_t piece = std::min(n, ring.capacity - at);
    std::copy(numbers, numbers + piece, ring.numbers.begin() + static_cast<std::ptrdiff_t>(at));
    std::copy(numbers + piece, numbers + n, ring.numbers.begin());
    ring.tail += n;
  }
}

// A copy of `vector`, kept in the ring.
void StreamValues::emit_vector(Node& node, std::size_t output, const float* vector) {
  for (std::size_t f : node.spec->outputs[output].fifos) {
    Ring& ring = rings_[f];
    if (ring.storage.empty()) ring.storage.resize(ring.capacity * dim_);
    const std::size_t at = ring.tail++ & (ring.capacity - 1);
    float* slot = &ring.storage[at * dim_];
    std::copy(vector, vector + dim_, slot);
    ring.vectors[at] = slot;
  }
}

// n vectors of a tensor, `step` numbers apart, which outlive their stay in the FIFO.
void StreamValues::emit_stable(Node& node, const float* vector, std::size_t step, std::size_t n) {
  for (std::size_t f : node.spec->outputs[0].fifos) {
    Ring& ring = rings_[f];
    const std::size_t at = ring.tail & (ring.capacity - 1);
    const std::size_t piece = std::min(n, ring.capacity - at);
    for (std::size_t j = 0; j < piece; ++j) ring.vectors[at + j] = vector + j * step;
    for (std::size_t j = piece; j < n; ++j) ring.vectors[j - piece] = vector + j * step;
    ring.tail += n;
  }
}

void StreamValues::compute_block(Node& node, std::size_t n, bool first, bool last) {
  const StreamNodeSpec& spec = *node.spec;
  const auto scalars = [&](std::size_t i) -> Scalars {
    if (spec.inputs[i].rate == StreamRate::kRowFirst) return {&node.held[i], 0};
    const Ring& ring = rings_[spec.inputs[i].fifo];
    return {&ring.numbers[ring.head & (ring.capacity - 1)], 1};
  };
  const auto vectors = [&](std::size_t i) -> Vectors {
    if (spec.inputs[i].rate == StreamRate::kRowFirst) return {&node.held_pointers[i], 0};
    const Ring& ring = rings_[spec.inputs[i].fifo];
    return {&ring.vectors[ring.head & (ring.capacity - 1)], 1};
  };
  float* out = scratch_[0].data();
  const auto map = [&](auto&& f) {
    const Scalars x = scalars(0);
    for (std::size_t j = 0; j < n; ++j) out[j] = f(x[j]);
    emit(node, 0, out, n);
  };
  const auto zip = [&](auto&& f) {
    const Scalars a = scalars(0);
    const Scalars b = scalars(1);
    for (std::size_t j = 0; j < n; ++j) out[j] = f(a[j], b[j]);
    emit(node, 0, out, n);
  };
  const auto zip_vector = [&](auto&& f) {
    const Vectors a = vectors(0);
    const Scalars b = scalars(1);
    std::vector<float>& result = node.vector_sum;
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t c = 0; c < dim_; ++c) result[c] = f(a[j][c], b[j]);
      emit_vector(node, 0, result.data());
    }
  };
  const auto reduce = [&](float start, auto&& f) {
    const Scalars x = scalars(0);
    float sum = first ? start : node.sum;
    for (std::size_t j = 0; j < n; ++j) sum = f(sum, x[j]);
    node.sum = sum;
    if (last) emit(node, 0, &sum, 1);
  };
  const auto reduce_vector = [&](auto&& f) {
    if (first) std::fill(node.vector_sum.begin(), node.vector_sum.end(), 0.0F);
    f(node.vector_sum.data());
    if (last) emit_vector(node, 0, node.vector_sum.data());
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();

  switch (spec.function) {
    case StreamFunction::kSourceRows:
      emit_stable(node, node.tensor + node.row * dim_, 0, n);
      break;
    case StreamFunction::kSourceColumns:
      emit_stable(node, node.tensor + node.position * dim_, dim_, n);
      break;
    case StreamFunction::kSourceConstant:
      std::fill(out, out + n, spec.constant);
      emit(node, 0, out, n);
      break;
    case StreamFunction::kSourceRamp:
      for (std::size_t j = 0; j < n; ++j) out[j] = spec.constant * static_cast<float>(node.firings + j);
      emit(node, 0, out, n);
      break;
    case StreamFunction::kExp: {
      const Scalars x = scalars(0);
      for (std::size_t j = 0; j < n; ++j) scratch_[1][j] = x[j];
      stream_kernels::exponential(scratch_[1].data(), out, n);
      emit(node, 0, out, n);
      break;
    }
    case StreamFunction::kNegate:
      map([](float x) { return -x; });
      break;
    case StreamFunction::kReciprocal:
      map([](float x) { return 1.0F / x; });
      break;
    case StreamFunction::kRelu:
      map([](float x) { return x > 0 ? x : 0.0F; });
      break;
    case StreamFunction::kScale:
      map([&](float x) { return spec.constant * x; });
      break;
    case StreamFunction::kOffset:
      map([&](float x) { return x + spec.constant; });
      break;
    case StreamFunction::kAdd:
      zip([](float a, float b) { return a + b; });
      break;
    case StreamFunction::kSubtract:
      zip([](float a, float b) { return a - b; });
      break;
    case StreamFunction::kMultiply:
      zip([](float a, float b) { return a * b; });
      break;
    case StreamFunction::kDivide:
      zip([](float a, float b) { return a / b; });
      break;
    case StreamFunction::kMaximum:
      zip([](float a, float b) { return a > b ? a : b; });
      break;
    case StreamFunction::kMinimum:
      zip([](float a, float b) { return a < b ? a : b; });
      break;
    case StreamFunction::kSubtractExp: {
      const Scalars a = scalars(0);
      const Scalars b = scalars(1);
      for (std::size_t j = 0; j < n; ++j) scratch_[1][j] = a[j] - b[j];
      stream_kernels::exponential(scratch_[1].data(), out, n);
      emit(node, 0, out, n);
      break;
    }
    case StreamFunction::kDot:
      stream_kernels::dot(vectors(0), vectors(1), dim_, spec.constant, out, n);
      emit(node, 0, out, n);
      break;
    case StreamFunction::kDotExp:
      stream_kernels::dot(vectors(0), vectors(1), dim_, spec.constant, scratch_[1].data(), n);
      stream_kernels::exponential(scratch_[1].data(), out, n);
      emit(node, 0, out, n);
      break;
    case StreamFunction::kScaleVector:
      zip_vector([](float a, float b) { return a * b; });
      break;
    case StreamFunction::kDivideVector:
      zip_vector([](float a, float b) { return a / b; });
      break;
    case StreamFunction::kReduceSum:
      reduce(0, [](float sum, float x) { return sum + x; });
      break;
    case StreamFunction::kReduceMaximum:
      reduce(-kInfinity, [](float sum, float x) { return x > sum ? x : sum; });
      break;
    case StreamFunction::kReduceMinimum:
      reduce(kInfinity, [](float sum, float x) { return x < sum ? x : sum; });
      break;
    case StreamFunction::kWeightedSum:
      reduce_vector([&](float* sum) { stream_kernels::weighted_sum(sum, scalars(0), vectors(1), dim_, n); });
      break;
    case StreamFunction::kDecayedSum: {
      const Scalars delta = scalars(0);
      const Scalars e = scalars(1);
      float sum = first ? 0.0F : node.sum;
      for (std::size_t j = 0; j < n; ++j) sum = sum * delta[j] + e[j];
      node.sum = sum;
      if (last) emit(node, 0, &sum, 1);
      break;
    }
    case StreamFunction::kDecayedWeightedSum:
      reduce_vector(
          [&](float* sum) { stream_kernels::decayed_weighted_sum(sum, scalars(0), scalars(1), vectors(2), dim_, n); });
      break;
    case StreamFunction::kScanSum: {
      float sum = first ? 0.0F : node.sum;
      const Scalars x = scalars(0);
      for (std::size_t j = 0; j < n; ++j) out[j] = sum += x[j];
      node.sum = sum;
      emit(node, 0, out, n);
      break;
    }
    case StreamFunction::kScanMaximum:
      stream_kernels::running_maximum(first ? -kInfinity : node.sum, scalars(0), out, n);
      node.sum = out[n - 1];
      emit(node, 0, out, n);
      break;
    case StreamFunction::kOnlineMaximum: {
      const Scalars x = scalars(0);
      float* maximum = scratch_[1].data();
      float* exponent = scratch_[2].data();
      float before = first ? -kInfinity : node.sum;
      stream_kernels::running_maximum(before, x, maximum, n);
      for (std::size_t j = 0; j < n; ++j) {
        exponent[j] = before - maximum[j];
        before = maximum[j];
      }
      stream_kernels::exponential(exponent, out, n);
      emit(node, 0, out, n);
      for (std::size_t j = 0; j < n; ++j) exponent[j] = x[j] - maximum[j];
      stream_kernels::exponential(exponent, out, n);
      emit(node, 1, out, n);
      node.sum = maximum[n - 1];
      break;
    }
    case StreamFunction::kRepeat:
    case StreamFunction::kFork:
      if (rings_[spec.inputs[0].fifo].vector) {
        const Vectors x = vectors(0);
        for (std::size_t j = 0; j < n; ++j) emit_vector(node, 0, x[j]);
      } else {
        map([](float x) { return x; });
      }
      break;
    case StreamFunction::kSink:
      if (rings_[spec.inputs[0].fifo].vector) {
        const Vectors x = vectors(0);
        for (std::size_t j = 0; j < n && node.kept.size() + dim_ <= kKept; ++j)
          node.kept.insert(node.kept.end(), x[j], x[j] + dim_);
      } else {
        const Scalars x = scalars(0);
        for (std::size_t j = 0; j < n && node.kept.size() < kKept; ++j) node.kept.push_back(x[j]);
      }
      break;
  }
}

}  // namespace systole::hw
