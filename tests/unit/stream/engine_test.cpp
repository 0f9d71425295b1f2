// The rules of time: latency, initiation interval, registered FIFOs, elastic pipelines; and the four ways to run a
// graph, which must agree.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstring>

#include "sim/base/process_pool.h"

#include "tests/unit/stream/graphs.h"

// The SystemC library brings a main() that calls this one; the tests have their own.
extern "C" int sc_main(int, char**) { return 1; }

namespace systole::test {
namespace {

// source -> map of the given timing -> sink of the given interval
std::string line_graph(Cycle latency, Cycle interval, Cycle sink_interval, std::uint64_t in_depth,
                       std::uint64_t out_depth) {
  return fmt::format(R"(
graph: line
nodes:
  - {{name: source, type: source, function: ramp, constant: 1, rows: 1, out: in}}
  - {{name: work, type: map, function: negate, rows: 1, latency: {}, ii: {}, in: in, out: out}}
  - {{name: sink, type: sink, rows: 1, ii: {}, in: out}}
fifos: {{in: {}, out: {}}}
)",
                     latency, interval, sink_interval, in_depth, out_depth);
}

TEST(StreamEngine, a_pipeline_of_interval_1_takes_one_element_per_cycle) {
  constexpr std::uint64_t kElements = 100;
  constexpr Cycle kLatency = 7;
  const auto outcome = time_in_all_ways(parse(line_graph(kLatency, 1, 1, 2, 2), kElements));
  // Source latency 1, then kLatency until the sink sees the first element, one more cycle per further element, and the
  // sink's own cycle.
  EXPECT_EQ(outcome.result.cycles, 1 + kLatency + (kElements - 1) + 1);
  EXPECT_EQ(fifo(outcome, "out").peak, 1u);
}

TEST(StreamEngine, the_initiation_interval_limits_the_rate) {
  constexpr std::uint64_t kElements = 100;
  constexpr Cycle kLatency = 7;
  for (const Cycle interval : {2, 3, 5}) {
    const auto outcome = time_in_all_ways(parse(line_graph(kLatency, interval, 1, 2, 2), kElements));
    EXPECT_EQ(outcome.result.cycles, 1 + kLatency + (kElements - 1) * interval + 1);
  }
}

TEST(StreamEngine, a_registered_fifo_of_depth_1_carries_an_element_every_second_cycle) {
  constexpr std::uint64_t kElements = 100;
  // A place freed in t can be filled from t + 1 on, and is seen one cycle later.
  const auto outcome = time_in_all_ways(parse(line_graph(1, 1, 1, 1, 2), kElements));
  EXPECT_EQ(outcome.result.cycles, 1 + 1 + (kElements - 1) * 2 + 1);
  EXPECT_EQ(time(parse(line_graph(1, 1, 1, 2, 2), kElements)).result.cycles, 1 + 1 + (kElements - 1) + 1);
}

TEST(StreamEngine, results_close_up_in_the_pipeline_behind_a_slow_consumer) {
  constexpr std::uint64_t kElements = 200;
  constexpr Cycle kSlow = 3;
  constexpr Cycle kLatency = 11;
  constexpr std::uint64_t kDepth = 4;
  const auto outcome = time_in_all_ways(parse(line_graph(kLatency, 1, kSlow, 2, kDepth), kElements));
  EXPECT_EQ(outcome.result.cycles, 1 + kLatency + (kElements - 1) * kSlow + 1);
  EXPECT_EQ(fifo(outcome, "out").peak, kDepth);
  EXPECT_EQ(fifo(outcome, "in").peak, 2u);
}

TEST(StreamEngine, an_unbounded_fifo_piles_up_what_the_consumer_cannot_take) {
  constexpr std::uint64_t kElements = 300;
  constexpr Cycle kSlow = 3;
  const auto outcome = time_in_all_ways(study::without_bounds(parse(line_graph(5, 1, kSlow, 2, 2), kElements)));
  // When the last element arrives, every third has been taken.
  EXPECT_EQ(fifo(outcome, "out").peak, kElements - kElements / kSlow);
}

TEST(StreamEngine, a_fork_waits_for_the_slower_branch) {
  const char* text = R"(
graph: fork
nodes:
  - {name: source, type: source, function: ramp, constant: 1, rows: 1, out: in}
  - {name: fork, type: fork, rows: 1, in: in, out: [left, right]}
  - {name: quick, type: sink, rows: 1, in: left}
  - {name: slow, type: sink, rows: 1, ii: 4, in: right}
)";
  constexpr std::uint64_t kElements = 50;
  const auto outcome = time_in_all_ways(parse(text, kElements));
  EXPECT_EQ(outcome.result.cycles, 1 + 1 + (kElements - 1) * 4 + 1);
  EXPECT_EQ(fifo(outcome, "left").peak, 1u);
  EXPECT_EQ(fifo(outcome, "right").peak, 2u);
}

TEST(StreamEngine, a_feedback_loop_runs_at_one_round_trip_per_element) {
  // acc = x + previous result; the loop is the adder's latency, and the fork's.
  const char* text = R"(
graph: loop
nodes:
  - {name: source, type: source, function: constant, constant: 1, rows: 1, out: in}
  - {name: add, type: zip, function: add, rows: 1, latency: 5, in: [in, back], out: sum}
  - {name: fork, type: fork, rows: 1, in: sum, out: [back, result]}
  - {name: sink, type: sink, rows: 1, in: result}
fifos: {back: {depth: 2, initial: 1, value: 0}}
)";
  constexpr std::uint64_t kElements = 60;
  constexpr Cycle kRoundTrip = 5 + 1;
  const hw::StreamGraph graph = parse(text, kElements);
  const auto outcome = time_in_all_ways(graph);
  EXPECT_EQ(outcome.result.cycles, 1 + kRoundTrip * kElements + 1);
  const auto values = study::compute_values(graph, workloads::random_attention_data(kElements, 4, 1));
  ASSERT_EQ(values.sinks.at("sink").size(), kElements);
  EXPECT_EQ(values.sinks.at("sink").back(), static_cast<float>(kElements));
}

TEST(StreamEngine, the_cycle_limit_ends_a_run_and_names_a_node) {
  hw::StreamOptions options;
  options.max_cycles = 50;
  for (const bool leaps : {true, false}) {
    options.leaps = leaps;
    const auto outcome = study::time_in_child(parse(line_graph(3, 1, 1, 2, 2), 1000), options);
    EXPECT_FALSE(outcome.finished);
    EXPECT_NE(outcome.failure.find("not done after the limit of 50 cycles"), std::string::npos) << outcome.failure;
  }
}

// Random graphs: layers of nodes with random kinds, timings, row lengths and depths. Some deadlock; then all ways must
// say so in the same words.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : random_(seed) {}

  hw::StreamGraph make() {
    graph_.name = "random";
    rows_ = number(1, 6);
    length_ = number(1, 40);
    growing_ = number(0, 3) == 0;
    // Streams that nobody takes yet: `per_row` ones carry one element per row, the others one per firing.
    add_source(false);
    if (number(0, 1) == 1) add_source(true);
    const std::uint64_t nodes = number(2, 14);
    for (std::uint64_t n = 0; n < nodes; ++n) add_node();
    while (!open_.empty()) {
      hw::StreamNodeSpec& node = add(hw::StreamFunction::kSink, open_.back().per_row);
      node.inputs = {{open_.back().fifo}};
      open_.pop_back();
    }
    workloads::check_stream_graph(graph_, rows_);
    return graph_;
  }

 private:
  struct Open {
    std::size_t fifo;
    bool per_row;
  };

  std::uint64_t number(std::uint64_t from, std::uint64_t to) {
    return std::uniform_int_distribution<std::uint64_t>(from, to)(random_);
  }

  hw::StreamNodeSpec& add(hw::StreamFunction function, bool per_row) {
    hw::StreamNodeSpec node;
    node.name = "n" + std::to_string(graph_.nodes.size());
    node.function = function;
    node.latency = number(1, 3) == 1 ? number(1, 25) : number(1, 4);
    node.interval = number(1, 2) == 1 ? 1 : number(1, 4);
    node.rows.rows = rows_;
    node.rows.length = per_row ? 1 : length_;
    node.rows.growing = !per_row && growing_;
    graph_.nodes.push_back(node);
    return graph_.nodes.back();
  }
  std::size_t new_fifo(bool per_row) {
    hw::StreamFifoSpec fifo;
    fifo.name = "f" + std::to_string(graph_.fifos.size());
    fifo.depth = number(0, 2) == 0 ? number(1, 60) : number(1, 4);
    graph_.fifos.push_back(fifo);
    open_.push_back({graph_.fifos.size() - 1, per_row});
    return graph_.fifos.size() - 1;
  }
  void add_source(bool per_row) {
    const std::size_t out = new_fifo(per_row);
    auto& node = add(hw::StreamFunction::kSourceRamp, per_row);
    node.constant = 0.5F;
    node.outputs = {{{out}, hw::StreamRate::kEvery}};
  }
  // Takes an open stream of the kind out of the list; false when there is none.
  bool take(bool per_row, std::size_t& fifo) {
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].per_row == per_row) fitting.push_back(i);
    }
    if (fitting.empty()) return false;
    const std::size_t at = fitting[number(0, fitting.size() - 1)];
    fifo = open_[at].fifo;
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
  }
  void add_node() {
    std::size_t a = 0;
    std::size_t b = 0;
    switch (number(0, 5)) {
      case 0:  // fork
        if (!take(false, a)) return;
        {
          std::vector<std::size_t> outs = {new_fifo(false)};
          outs.push_back(new_fifo(false));
          auto& node = add(hw::StreamFunction::kFork, false);
          node.inputs = {{a}};
          node.outputs = {{outs, hw::StreamRate::kEvery}};
        }
        return;
      case 1:  // reduce, with a bypass half of the time
        if (!take(false, a)) return;
        {
          const std::size_t out = new_fifo(true);
          auto& node = add(hw::StreamFunction::kReduceSum, false);
          node.inputs = {{a}};
          node.outputs = {{{out}, hw::StreamRate::kRowLast}};
        }
        return;
      case 2:  // an element per firing with one per row
        if (!take(false, a)) return;
        if (!take(true, b)) {
          open_.push_back({a, false});
          return;
        }
        {
          const std::size_t out = new_fifo(false);
          auto& node = add(hw::StreamFunction::kDivide, false);
          node.inputs = {{a}, {b, hw::StreamRate::kRowFirst}};
          node.outputs = {{{out}, hw::StreamRate::kEvery}};
        }
        return;
      case 3:  // repeat
        if (!take(true, a)) return;
        {
          const std::size_t out = new_fifo(false);
          auto& node = add(hw::StreamFunction::kRepeat, false);
          node.inputs = {{a, hw::StreamRate::kRowFirst}};
          node.outputs = {{{out}, hw::StreamRate::kEvery}};
        }
        return;
      case 4:  // zip
        if (!take(false, a)) return;
        if (!take(false, b)) {
          open_.push_back({a, false});
          return;
        }
        {
          const std::size_t out = new_fifo(false);
          auto& node = add(hw::StreamFunction::kAdd, false);
          node.inputs = {{a}, {b}};
          node.outputs = {{{out}, hw::StreamRate::kEvery}};
        }
        return;
      default:  // map
        if (!take(false, a)) return;
        {
          const std::size_t out = new_fifo(false);
          auto& node = add(hw::StreamFunction::kScanSum, false);
          node.inputs = {{a}};
          node.outputs = {{{out}, hw::StreamRate::kEvery}};
        }
        return;
    }
  }

  std::mt19937_64 random_;
  hw::StreamGraph graph_;
  std::vector<Open> open_;
  std::uint64_t rows_ = 1;
  std::uint64_t length_ = 1;
  bool growing_ = false;
};

TEST(StreamEngine, all_ways_agree_on_random_graphs) {
  unsigned finished = 0;
  unsigned deadlocked = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const hw::StreamGraph graph = RandomGraph(seed).make();
    const auto outcome = time_in_all_ways(graph);
    (outcome.finished ? finished : deadlocked) += 1;
    const auto unbounded = time_in_all_ways(study::without_bounds(graph));
    EXPECT_TRUE(unbounded.finished) << unbounded.failure;
    if (outcome.finished) {
      EXPECT_LE(unbounded.result.cycles, outcome.result.cycles);
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(finished, 30u);
  EXPECT_GT(deadlocked, 5u);
}

bool same_bits(const study::StreamOutput& a, const study::StreamOutput& b) {
  for (const auto& [name, numbers] : a.sinks) {
    const auto& others = b.sinks.at(name);
    if (numbers.size() != others.size()) return false;
    if (std::memcmp(numbers.data(), others.data(), numbers.size() * sizeof(float)) != 0) return false;
  }
  return true;
}

TEST(StreamEngine, values_moved_in_time_and_values_in_blocks_agree_on_random_graphs) {
  for (std::uint64_t seed = 1001; seed <= 1060; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const hw::StreamGraph graph = study::without_bounds(RandomGraph(seed).make());
    const auto data = workloads::random_attention_data(64, 1, seed);
    const auto compare = [&](std::size_t) -> std::string {
      const auto [result, output] = study::run_element_wise(graph, data, {});
      return same_bits(output, study::compute_values(graph, data)) ? "equal" : "different";
    };
    run_tasks(1, 1, compare, [&](std::size_t, const TaskResult& result) { EXPECT_EQ(result.text, "equal"); });
  }
}

}  // namespace
}  // namespace systole::test
