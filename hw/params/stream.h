#pragma once
// A streaming-dataflow graph as plain data: nodes with a latency and an initiation interval, joined by bounded FIFOs.
// The abstract hardware is that of Sohn, Zhang, Olukotun, "Implementing and Optimizing the Scaled Dot-Product Attention
// on Streaming Dataflow" (arXiv 2404.16629).
//
// A node repeats one firing: it takes an element from its inputs and puts a result on its outputs. Its firings form
// rows; an input may be taken, and an output produced, once per row only (Div takes one sum per row, Reduce produces
// one). Firing k starts at least `interval` cycles after firing k - 1, when every input it takes holds an element. The
// result leaves the node's pipeline latency - 1 cycles later, enters all FIFOs of the output in the same cycle (a fork
// waits until each of them has a free place), and is visible to their consumers one cycle after that. The pipeline is
// elastic: its latency - 1 stages close up behind a result that cannot leave ("bubble squashing").
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sim/base/cycle.h"

namespace systole::hw {

inline constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

// Limits of a graph: a scheduler's wheel has 64 places, one of them taken; latencies and intervals are kept small
// enough for the arithmetic.
inline constexpr std::size_t kMaxStreamNodes = 63;
inline constexpr Cycle kMaxStreamLatency = 1'000'000;
inline constexpr std::uint64_t kMaxStreamFirings = std::uint64_t{1} << 50;

// An element is one number, or a vector of StreamGraph::dim numbers. kAny stands in the function table for "either".
enum class StreamType : std::uint8_t { kScalar, kVector, kAny };

// When a port takes part in a firing.
enum class StreamRate : std::uint8_t { kEvery, kRowFirst, kRowLast };

// The firings of a node: `rows` rows of `length` firings, or, growing, row r of r + 1 firings (causal attention).
struct StreamRows {
  std::uint64_t rows = 1;
  std::uint64_t length = 1;
  bool growing = false;

  [[nodiscard]] std::uint64_t length_of(std::uint64_t row) const { return growing ? row + 1 : length; }
  [[nodiscard]] std::uint64_t total() const { return growing ? rows * (rows + 1) / 2 : rows * length; }
};

enum class StreamFunction : std::uint8_t {
#define SYSTOLE_STREAM_FUNCTION(id, kind, name, in, out, rate, constant, sentence) k##id,
#include "hw/params/stream_functions.def"
};

struct StreamInputSpec {
  std::size_t fifo = 0;
  StreamRate rate = StreamRate::kEvery;  // kEvery or kRowFirst
};

// Every element of the output goes to each of `fifos`.
struct StreamOutputSpec {
  std::vector<std::size_t> fifos;
  StreamRate rate = StreamRate::kEvery;  // kEvery or kRowLast
};

struct StreamNodeSpec {
  std::string name;
  StreamFunction function = StreamFunction::kFork;
  Cycle latency = 1;   // cycles from the start of a firing until a consumer can see its result, >= 1
  Cycle interval = 1;  // initiation interval, >= 1
  StreamRows rows;
  std::vector<StreamInputSpec> inputs;    // in the order of the function's operands
  std::vector<StreamOutputSpec> outputs;  // in the order of the function's results
  float constant = 0;                     // operand of functions that have one (scale, offset, ...)
  std::string data;                       // of a source: the tensor it reads
  std::string where;                      // file:line:column of its declaration; empty without file
};

struct StreamFifoSpec {
  std::string name;
  StreamType type = StreamType::kScalar;
  std::uint64_t depth = 2;    // elements, without those in the producer's pipeline; >= 1, or kUnbounded
  std::uint64_t initial = 0;  // elements present before the first cycle (feedback needs them)
  float initial_value = 0;
  std::string where;
};

struct StreamGraph {
  std::string name;
  std::size_t dim = 1;  // numbers in a vector
  std::vector<StreamNodeSpec> nodes;
  std::vector<StreamFifoSpec> fifos;

  // Index of the producing and of the consuming node of a FIFO of a checked graph.
  [[nodiscard]] std::size_t producer(std::size_t fifo) const {
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      for (const auto& output : nodes[n].outputs) {
        for (std::size_t f : output.fifos) {
          if (f == fifo) return n;
        }
      }
    }
    return nodes.size();
  }
  [[nodiscard]] std::size_t consumer(std::size_t fifo) const {
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      for (const auto& input : nodes[n].inputs) {
        if (input.fifo == fifo) return n;
      }
    }
    return nodes.size();
  }
};

enum class StreamKind : std::uint8_t { kSource, kMap, kZip, kReduce, kScan, kRepeat, kFork, kSink };

// What a function takes and produces; one line each in stream_functions.def. Types are written with one letter per
// operand: s scalar, v vector, a any (all `a` of a function are the same type).
struct StreamFunctionInfo {
  StreamFunction function;
  StreamKind kind;
  const char* name;
  const char* inputs;
  const char* outputs;
  StreamRate output_rate;
  bool has_constant;
  const char* sentence;
};

inline constexpr StreamFunctionInfo kStreamFunctions[] = {
#define SYSTOLE_STREAM_FUNCTION(id, kind, name, in, out, rate, constant, sentence) \
  {StreamFunction::k##id, StreamKind::k##kind, name, in, out, StreamRate::k##rate, constant, sentence},
#include "hw/params/stream_functions.def"
};

[[nodiscard]] inline const StreamFunctionInfo& info_of(StreamFunction function) {
  return kStreamFunctions[static_cast<std::size_t>(function)];
}

[[nodiscard]] inline StreamType type_of_letter(char letter) {
  return letter == 's' ? StreamType::kScalar : letter == 'v' ? StreamType::kVector : StreamType::kAny;
}

}  // namespace systole::hw
