#pragma once
// What others have published about the graphs of attention.h: the numbers that `reproduce sdpa` compares with.
#include <cstdint>
#include <optional>

namespace systole::workloads {

// Host time of the public DAM framework (Rust, several threads) for the artifact's programs, as its authors report it
// for their machine. Graph A with bounded FIFOs; graph D bounded and unbounded together.
struct PublishedHostTime {
  char graph;
  std::uint64_t rows;
  double seconds;
};
inline constexpr PublishedHostTime kPublishedHostTimes[] = {
    {'A', 512, 0.3}, {'A', 1024, 1.4}, {'A', 2048, 5},    {'A', 4096, 21},
    {'A', 8192, 84}, {'D', 512, 3.5},  {'D', 2048, 47.5}, {'D', 8192, 750},
};

// Sizes at which the paper compares bounded with unbounded FIFOs.
inline constexpr std::uint64_t kPublishedRows[] = {512, 2048, 8192, 32768};

// Depths for full throughput, without the producer's pipeline: `rows` of N plus `more`. Comments of the artifact's
// program for graph A, and the depth of 2 that all channels of its program for D start from.
struct PublishedDepth {
  char graph;
  const char* fifo;
  std::uint64_t rows;
  std::uint64_t more;
};
inline constexpr PublishedDepth kPublishedDepths[] = {
    {'A', "sum_in", 0, 3},   {'A', "bypass", 1, 24},   {'A', "row_sum", 0, 2},    {'A', "weights", 0, 2},
    {'D', "scores", 0, 2},   {'D', "delta_sum", 0, 2}, {'D', "e_sum", 0, 2},      {'D', "delta_output", 0, 2},
    {'D', "e_output", 0, 2}, {'D', "row_sum", 0, 2},   {'D', "row_output", 0, 2}, {'D', "output", 0, 2},
};

inline constexpr std::uint64_t kPublishedLargestChannelOfD = 22;  // with the producer's pipeline: depth + latency - 1
inline constexpr double kPublishedTolerance = 1e-4;               // of the artifact's checks of values

// FIFOs whose depth must grow with N, per graph A..D.
inline constexpr unsigned kPublishedLongFifos[] = {1, 2, 1, 0};

// The same attention head on the systolic machine, measured by whoever has one.
struct SystolicAttention {
  std::uint64_t cycles = 0;
  double utilization = 0;                // of its multipliers
  std::uint64_t multipliers = 0;         // of 8 bits
  std::uint64_t on_chip_bytes = 0;       // scratchpad and accumulator
  std::uint64_t memory_bytes = 0;        // read and written on the memory port
  std::uint64_t intermediate_bytes = 0;  // of memory: weights, and scores where a row does not fit the accumulator
  double largest_error = 0;              // against double precision
  // The same over what rounding to int8 explains in that row: half a unit of the result, and five standard deviations of the
  // error that rounded weights leave.
  double largest_relative_error = 0;
};

}  // namespace systole::workloads
