#pragma once
// The numbers that flow through a streaming graph. A graph of nodes that each take and give a fixed pattern of elements
// computes the same numbers in any order of execution (a Kahn process network), so values need not follow time. Two
// ways, equal to the bit:
//   fire(node)   one firing, called by the node in the cycle in which it starts: values and time together, element by
//   element compute()    all firings, in blocks of up to kBlock elements, after (or without) a run in time
// Memory: what the graph itself must hold (graph A: a row), not what an unbounded run piles up.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hw/params/stream.h"

namespace systole::hw {

// A tensor that sources read, row-major; the caller keeps it alive.
struct StreamTensor {
  const float* data = nullptr;
  std::size_t rows = 0;
};

class StreamValues {
 public:
  static constexpr std::size_t kBlock = 1024;
  // A sink keeps at most this many numbers; later elements only count.
  static constexpr std::size_t kKept = std::size_t{1} << 24;

  StreamValues(const StreamValues&) = delete;
  StreamValues& operator=(const StreamValues&) = delete;
  // `tensors` by the name that a source's `data` gives; each has rows of graph.dim numbers and at least as many as the
  // source asks for.
  StreamValues(const StreamGraph& graph, const std::map<std::string, StreamTensor>& tensors);

  void fire(std::size_t node);
  // `progress` is told now and then how many firings of all nodes are done.
  void compute(const std::function<void(std::uint64_t)>& progress = {});

  // The numbers that sink `node` took, in order (vectors one after the other), and how many elements it took.
  [[nodiscard]] const std::vector<float>& taken(std::size_t node) const { return nodes_[node].kept; }
  [[nodiscard]] std::uint64_t elements_taken(std::size_t node) const { return nodes_[node].firings; }
  // Bytes of all buffers between nodes.
  [[nodiscard]] std::size_t buffer_bytes() const;

 private:
  // The elements on their way through one FIFO: a ring that grows when it must. A vector is a pointer into a tensor or,
  // computed by a node, into `storage`.
  struct Ring {
    bool vector = false;
    std::size_t capacity = 0;  // power of two
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::vector<float> numbers;
    std::vector<const float*> vectors;
    std::vector<float> storage;
  };
  struct Node {
    const StreamNodeSpec* spec = nullptr;
    const float* tensor = nullptr;
    std::uint64_t total = 0;
    std::uint64_t firings = 0;
    std::uint64_t row = 0;
    std::uint64_t position = 0;
    float sum = 0;
    std::vector<float> vector_sum;
    std::vector<float> held;                       // operand taken once per row: a number ...
    std::vector<std::vector<float>> held_vectors;  // ... or a vector
    std::vector<const float*> held_pointers;
    std::vector<float> kept;
  };

  std::size_t run_block(Node& node, std::size_t limit);
  void compute_block(Node& node, std::size_t n, bool first, bool last);
  void grow(Ring& ring);
  void emit(Node& node, std::size_t output, const float* numbers, std::size_t n);
  void emit_vector(Node& node, std::size_t output, const float* vector);
  void emit_stable(Node& node, const float* vector, std::size_t step, std::size_t n);

  std::size_t dim_;
  std::vector<StreamNodeSpec> specs_;
  std::vector<Ring> rings_;
  std::vector<Node> nodes_;
  std::vector<float> scratch_[3];
};

}  // namespace systole::hw
