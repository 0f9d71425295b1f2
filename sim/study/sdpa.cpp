#include "sim/study/sdpa.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/base/process_pool.h"
#include "sim/study/sdpa_run.h"
#include "workloads/streaming/attention.h"
#include "workloads/streaming/check.h"

namespace systole::study {

using hw::StreamGraph;
using workloads::AttentionGraph;

namespace {

constexpr AttentionGraph kGraphs[] = {AttentionGraph::kNaive, AttentionGraph::kRowMaximum, AttentionGraph::kReordered,
                                      AttentionGraph::kMemoryFree};
constexpr std::uint64_t kDepthRows = 512;  // N of the experiments on depths, the smallest of the paper's
constexpr std::uint64_t kSeed = kSdpaSeed;
constexpr std::uint64_t kLongRows = 2048;  // of the comparison with the systolic machine: rows that exceed its accumulator

StreamGraph graph_of(AttentionGraph kind, std::uint64_t rows, std::size_t dim) {
  workloads::AttentionShape shape;
  shape.rows = rows;
  shape.dim = dim;
  StreamGraph graph = workloads::attention_graph(kind, shape);
  workloads::check_stream_graph(graph, rows);
  return graph;
}

StreamGraph with_interval_1(StreamGraph graph) {
  for (auto& node : graph.nodes) node.interval = 1;
  return graph;
}

AttentionGraph kind_of(char letter) { return static_cast<AttentionGraph>(letter - 'A'); }

std::uint64_t depth_of(const StreamGraph& graph, const std::vector<std::uint64_t>& depths, const std::string& fifo) {
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    if (graph.fifos[f].name == fifo) return depths[f];
  }
  SYSTOLE_CHECK(false);
  return 0;
}

// One element per row goes through the FIFO.
bool carries_rows(const StreamGraph& graph, const std::string& name) {
  for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
    if (graph.fifos[f].name != name) continue;
    const hw::StreamNodeSpec& producer = graph.nodes[graph.producer(f)];
    return producer.outputs[0].rate == hw::StreamRate::kRowLast || producer.rows.length == 1;
  }
  return false;
}

std::string number_text(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                              : fmt::format("{:.6g}", value);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

class Study {
 public:
  explicit Study(const SdpaOptions& options) : options_(options) {}

  SdpaSummary run() {
    bounded_equals_unbounded();
    full_throughput();
    depths();
    long_fifos();
    deadlock();
    channel_of_d();
    depth_sweeps();
    occupancy();
    values_and_speed();
    systolic();
    write();
    for (const SdpaClaim& claim : summary_.claims) {
      for (const SdpaRow& row : claim.rows) {
        summary_.passed += row.verdict == Verdict::kPass ? 1 : 0;
        summary_.deviations += row.verdict == Verdict::kDeviation ? 1 : 0;
        summary_.open += row.verdict == Verdict::kOpen ? 1 : 0;
      }
    }
    return std::move(summary_);
  }

 private:
  SdpaClaim& claim(const char* id, const char* sentence) {
    if (options_.progress) options_.progress(id);
    summary_.claims.push_back({id, sentence, {}});
    return summary_.claims.back();
  }
  static void compare_equal(SdpaClaim& claim, const std::string& item, double paper, double ours,
                            const std::string& cause_of_deviation) {
    const bool equal = paper == ours;
    claim.rows.push_back(
        {item, paper, ours, equal ? Verdict::kPass : Verdict::kDeviation, equal ? "equal" : cause_of_deviation});
  }

  void bounded_equals_unbounded() {
    SdpaClaim& to = claim("bounded-equals-unbounded",
                          "With FIFOs of the depths given, every graph takes as many cycles as with unbounded FIFOs.");
    std::vector<StreamGraph> graphs;
    std::vector<std::string> names;
    for (const AttentionGraph kind : kGraphs) {
      for (const std::uint64_t rows : workloads::kPublishedRows) {
        if (rows > options_.largest_rows) continue;
        graphs.push_back(graph_of(kind, rows, 1));
        graphs.push_back(without_bounds(graphs.back()));
        names.push_back(fmt::format("{} N={}", letter_of(kind), rows));
      }
    }
    const std::vector<StreamOutcome> outcomes = time_in_children(graphs, options_.jobs);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const StreamOutcome& bounded = outcomes[2 * i];
      const StreamOutcome& unbounded = outcomes[2 * i + 1];
      const bool equal = bounded.finished && bounded.result.cycles == unbounded.result.cycles;
      const double ratio = static_cast<double>(bounded.result.cycles) / static_cast<double>(unbounded.result.cycles);
      to.rows.push_back({names[i] + ": cycles with bounded FIFOs / with unbounded ones", 1.0, ratio,
                         equal ? Verdict::kPass : Verdict::kDeviation,
                         equal              ? fmt::format("{} cycles both", bounded.result.cycles)
                         : bounded.finished ? "a FIFO is too short"
                                            : bounded.failure});
    }
  }

  void full_throughput() {
    SdpaClaim& to = claim("full-throughput",
                          "In the steady state an element takes the largest initiation interval: N^2 times 2, and N^2 "
                          "with intervals of 1.");
    std::vector<StreamGraph> graphs;
    std::vector<std::pair<std::string, double>> expected;
    for (const AttentionGraph kind : kGraphs) {
      for (const std::uint64_t rows : workloads::kPublishedRows) {
        if (rows > options_.largest_rows) continue;
        const double elements = static_cast<double>(rows) * static_cast<double>(rows);
        graphs.push_back(graph_of(kind, rows, 1));
        expected.emplace_back(fmt::format("{} N={}: cycles, 2 N^2", letter_of(kind), rows), 2 * elements);
        graphs.push_back(with_interval_1(graphs.back()));
        expected.emplace_back(fmt::format("{} N={}: cycles with intervals of 1, N^2", letter_of(kind), rows), elements);
      }
    }
    const std::vector<StreamOutcome> outcomes = time_in_children(graphs, options_.jobs);
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      // The rest is the start: up to a row until the first sum, another until the first maximum, and the latencies. It
      // vanishes with N.
      const double ours = static_cast<double>(outcomes[i].result.cycles);
      const double rows = static_cast<double>(graphs[i].nodes[0].rows.rows);
      const double interval = expected[i].second / (rows * rows);
      constexpr double kLatencies = 200;  // more than the sum of all latencies of a graph
      const bool fits = ours >= expected[i].second && ours <= expected[i].second + 2 * interval * rows + kLatencies;
      to.rows.push_back({expected[i].first, expected[i].second, ours, fits ? Verdict::kPass : Verdict::kDeviation,
                         fits ? fmt::format("the other {:.0f} cycles fill the pipelines: latencies, and the rows "
                                            "before the first maximum and sum",
                                            ours - expected[i].second)
                              : "not the steady state that was expected"});
    }
  }

  void depths() {
    SdpaClaim& to = claim("depths",
                          "Depths for full throughput (without the producer's pipeline): A needs N + 24 in the bypass, "
                          "3 into Reduce, 2 elsewhere; D needs 2 everywhere.");
    for (const char letter : {'A', 'D'}) {
      const StreamGraph graph = graph_of(kind_of(letter), kDepthRows, 1);
      const SmallestDepths paper_intervals = smallest_depths(graph);
      const SmallestDepths interval_1 = smallest_depths(with_interval_1(graph));
      for (const auto& published : workloads::kPublishedDepths) {
        if (published.graph != letter) continue;
        const double paper = static_cast<double>(published.rows * kDepthRows + published.more);
        const double ours_1 = static_cast<double>(depth_of(graph, interval_1.depths, published.fifo));
        const double ours = static_cast<double>(depth_of(graph, paper_intervals.depths, published.fifo));
        const std::string item = fmt::format("{} N={} {}: smallest depth", letter, kDepthRows, published.fifo);
        const bool per_row = carries_rows(graph, published.fifo);
        add_depth(to, item + ", intervals of 1", paper, ours_1, published, per_row, true);
        add_depth(to, item + ", the paper's intervals", paper, ours, published, per_row, false);
      }
    }
  }

  static void add_depth(SdpaClaim& to, const std::string& item, double paper, double ours,
                        const workloads::PublishedDepth& published, bool per_row, bool interval_1) {
    std::string cause;
    if (ours == paper) {
      cause = "equal: with one less, cycles are lost";
    } else if (ours > paper) {
      cause = "the depth given costs cycles here";
    } else if (published.rows != 0) {
      cause =
          "enough, and less suffices: held back to an element in 2 cycles, the producer adds 12 elements to the row, "
          "not 24, while the sum is on its way for 23 cycles";
    } else if (per_row) {
      cause = "enough, and less suffices: it carries one element per row";
    } else if (interval_1) {
      cause = "enough, and less suffices: the third place is for a consumer of interval 2";
    } else {
      cause =
          "enough, and less suffices: at an element in 2 cycles, a place that is filled in one and freed in the next "
          "keeps up";
    }
    to.rows.push_back({item, paper, ours, ours == paper ? Verdict::kPass : Verdict::kDeviation, cause});
  }

  void long_fifos() {
    SdpaClaim& to = claim("long-fifos", "One FIFO of A, two of B, one of C and none of D must grow with N.");
    constexpr std::uint64_t kSmall = 128;
    for (const AttentionGraph kind : kGraphs) {
      const SmallestDepths small = smallest_depths(graph_of(kind, kSmall, 1));
      const SmallestDepths large = smallest_depths(graph_of(kind, kDepthRows, 1));
      unsigned growing = 0;
      std::uint64_t sum = 0;
      for (std::size_t f = 0; f < small.depths.size(); ++f) {
        growing += large.depths[f] > small.depths[f] ? 1 : 0;
        sum += large.depths[f];
      }
      compare_equal(to,
                    fmt::format("{}: FIFOs whose smallest depth differs between N={} and N={}", letter_of(kind), kSmall,
                                kDepthRows),
                    workloads::kPublishedLongFifos[static_cast<std::size_t>(kind)], growing,
                    "another number of FIFOs grows");
      to.rows.push_back({fmt::format("{} N={}: sum of all smallest depths", letter_of(kind), kDepthRows), std::nullopt,
                         static_cast<double>(sum), Verdict::kContext, "elements of intermediate memory"});
    }
  }

  void deadlock() {
    SdpaClaim& to =
        claim("deadlock", "A bypass of A that does not hold a row deadlocks: the fork blocks, Reduce starves.");
    const StreamGraph graph = graph_of(AttentionGraph::kNaive, kDepthRows, 1);
    const std::vector<StreamOutcome> outcomes = time_in_children(
        {with_depth(graph, "bypass", kDepthRows - 1), with_depth(graph, "bypass", kDepthRows)}, options_.jobs);
    compare_equal(to, fmt::format("A N={} bypass={}: deadlocks", kDepthRows, kDepthRows - 1), 1,
                  outcomes[0].finished ? 0 : 1, "it runs to its end");
    if (!outcomes[0].finished) to.rows.back().cause = outcomes[0].failure;
    compare_equal(to, fmt::format("A N={} bypass={}: deadlocks", kDepthRows, kDepthRows), 0,
                  outcomes[1].finished ? 0 : 1, outcomes[1].failure);
  }

  void channel_of_d() {
    SdpaClaim& to = claim("largest-channel-of-d",
                          "The largest channel of D, with the producer's pipeline, has 22 places, whatever N is.");
    for (const std::uint64_t rows : workloads::kPublishedRows) {
      if (rows > options_.largest_rows) continue;
      const StreamGraph graph = graph_of(AttentionGraph::kMemoryFree, rows, 1);
      std::uint64_t largest = 0;
      for (std::size_t f = 0; f < graph.fifos.size(); ++f)
        largest = std::max(largest, graph.fifos[f].depth + graph.nodes[graph.producer(f)].latency - 1);
      compare_equal(to, fmt::format("D N={}: places of the largest channel", rows),
                    workloads::kPublishedLargestChannelOfD, static_cast<double>(largest), "other depths");
    }
  }

  // Throughput against depth, for the plots: the bypass of A, and one depth for all FIFOs of D.
  void depth_sweeps() {
    if (options_.progress) options_.progress("throughput against depth");
    struct Point {
      char graph;
      bool interval_1;
      std::string fifo;
      std::uint64_t depth;
    };
    std::vector<Point> points;
    std::vector<StreamGraph> graphs;
    for (const bool interval_1 : {false, true}) {
      StreamGraph a = graph_of(AttentionGraph::kNaive, kDepthRows, 1);
      if (interval_1) a = with_interval_1(a);
      std::vector<std::uint64_t> depths = {kDepthRows / 4, kDepthRows / 2, kDepthRows * 3 / 4};
      for (std::uint64_t depth = kDepthRows - 8; depth <= kDepthRows + 32; ++depth) depths.push_back(depth);
      depths.push_back(kDepthRows + 64);
      for (const std::uint64_t depth : depths) {
        points.push_back({'A', interval_1, "bypass", depth});
        graphs.push_back(with_depth(a, "bypass", depth));
      }
      StreamGraph d = graph_of(AttentionGraph::kMemoryFree, kDepthRows, 1);
      if (interval_1) d = with_interval_1(d);
      for (std::uint64_t depth = 1; depth <= 8; ++depth) {
        for (auto& fifo : d.fifos) fifo.depth = depth;
        points.push_back({'D', interval_1, "all", depth});
        graphs.push_back(d);
      }
    }
    const std::vector<StreamOutcome> outcomes = time_in_children(graphs, options_.jobs);
    depths_csv_ = "graph,rows,interval,fifo,depth,cycles,throughput\n";
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point& point = points[i];
      const double elements = static_cast<double>(kDepthRows * kDepthRows);
      const bool finished = outcomes[i].finished;
      depths_csv_ += fmt::format("{},{},{},{},{},{},{:.6f}\n", point.graph, kDepthRows, point.interval_1 ? 1 : 2,
                                 point.fifo, point.depth, finished ? std::to_string(outcomes[i].result.cycles) : "",
                                 finished ? elements / static_cast<double>(outcomes[i].result.cycles) : 0.0);
    }
  }

  void occupancy() {
    if (options_.progress) options_.progress("occupancy");
    occupancy_csv_ = "graph,rows,fifo,depth,peak,unbounded_peak,smallest_depth\n";
    for (const AttentionGraph kind : kGraphs) {
      const StreamGraph graph = graph_of(kind, kDepthRows, 1);
      const std::vector<StreamOutcome> outcomes = time_in_children({graph, without_bounds(graph)}, options_.jobs);
      const SmallestDepths smallest = smallest_depths(graph);
      for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
        occupancy_csv_ += fmt::format("{},{},{},{},{},{},{}\n", letter_of(kind), kDepthRows, graph.fifos[f].name,
                                      graph.fifos[f].depth, outcomes[0].result.fifos[f].peak,
                                      outcomes[1].result.fifos[f].peak, smallest.depths[f]);
      }
    }
    // What theory says of the bypass of A: at intervals of 1, one less than the depth it needs stands in it, as a place
    // freed is filled a cycle later.
    SdpaClaim& to = claim("occupancy",
                          "Peak occupancy of the bypass of A at intervals of 1: the row and what arrives during the "
                          "latency of Reduce, N + 23.");
    for (const std::uint64_t rows : workloads::kPublishedRows) {
      if (rows > options_.largest_rows) continue;
      const StreamOutcome outcome = time_in_child(with_interval_1(graph_of(AttentionGraph::kNaive, rows, 1)));
      for (const auto& fifo : outcome.result.fifos) {
        if (fifo.name == "bypass")
          compare_equal(to, fmt::format("A N={} bypass: peak", rows), static_cast<double>(rows + 23),
                        static_cast<double>(fifo.peak), "another peak");
      }
    }
  }

  struct Timed {
    double seconds = 0;
    double error = 0;
  };
  // Time and values in a child: of the bounded graph, and also of the unbounded one.
  Timed timed(AttentionGraph kind, std::uint64_t rows, bool also_unbounded) const {
    Timed result;
    const auto task = [&](std::size_t) {
      const workloads::AttentionData data = workloads::random_attention_data(rows, options_.dim, kSeed);
      const StreamGraph graph = graph_of(kind, rows, options_.dim);
      const double before = cpu_seconds();
      StreamOutput output;
      {
        hw::StreamEngine engine(graph, {});
        (void)engine.run();
        output = compute_values(graph, data);
        if (also_unbounded) output = compute_values(without_bounds(graph), data);
      }
      const double seconds = cpu_seconds() - before;
      const double error =
          workloads::largest_difference(output.sinks.at("output"), workloads::reference_attention(data, false));
      return fmt::format("{} {}", seconds, error);
    };
    run_tasks(1, 1, task, [&](std::size_t, const TaskResult& task_result) {
      const std::string text = text_or_throw(task_result);
      const std::size_t blank = text.find(' ');
      result.seconds = std::stod(text.substr(0, blank));
      result.error = std::stod(text.substr(blank + 1));
    });
    if (also_unbounded) result.seconds += time_in_child(without_bounds(graph_of(kind, rows, options_.dim))).cpu_seconds;
    return result;
  }

  void values_and_speed() {
    SdpaClaim values{"values", "The outputs agree with exact attention to 1e-4.", {}};
    SdpaClaim speed{
        "host-time",
        "Host time with values, at most what the authors of the DAM framework report (another machine; d = 1 there).",
        {}};
    speed_csv_ = "graph,rows,seconds,published_seconds\n";
    const auto add = [&](char letter, std::uint64_t rows, std::optional<double> published) {
      if (options_.progress) options_.progress(fmt::format("values of {} at N={}", letter, rows));
      const Timed result = timed(kind_of(letter), rows, letter == 'D');
      const bool close = result.error <= workloads::kPublishedTolerance;
      values.rows.push_back({fmt::format("{} N={} d={}: largest error", letter, rows, options_.dim),
                             workloads::kPublishedTolerance, result.error, close ? Verdict::kPass : Verdict::kDeviation,
                             close ? "float32 against double precision" : "above the limit"});
      if (!published) return;
      speed.rows.push_back({fmt::format("{} N={} d={}: seconds{}", letter, rows, options_.dim,
                                        letter == 'D' ? ", bounded and unbounded" : ""),
                            published, result.seconds,
                            result.seconds <= *published ? Verdict::kPass : Verdict::kDeviation,
                            "CPU time of one thread on this host, time and values; theirs is wall time of several"});
      speed_csv_ += fmt::format("{},{},{:.4f},{}\n", letter, rows, result.seconds, *published);
    };
    for (const char letter : {'B', 'C'}) add(letter, std::min(kDepthRows, options_.largest_values), std::nullopt);
    for (const auto& published : workloads::kPublishedHostTimes) {
      if (published.rows <= options_.largest_values) add(published.graph, published.rows, published.seconds);
    }
    summary_.claims.push_back(std::move(values));
    summary_.claims.push_back(std::move(speed));
  }

  // Bytes that the streaming machine keeps: FIFOs and pipelines, and the memories of keys and values, in float32.
  static double on_chip_bytes(const StreamGraph& graph, std::uint64_t rows, bool with_operands) {
    constexpr double kBytes = 4;
    double elements = with_operands ? 2.0 * static_cast<double>(rows) * static_cast<double>(graph.dim) : 0;
    for (std::size_t f = 0; f < graph.fifos.size(); ++f) {
      const double places = static_cast<double>(graph.fifos[f].depth + graph.nodes[graph.producer(f)].latency - 1);
      elements += places * (graph.fifos[f].type == hw::StreamType::kVector ? static_cast<double>(graph.dim) : 1);
    }
    return elements * kBytes;
  }

  void systolic() {
    SdpaClaim& to = claim("systolic-machine",
                          "The same attention head on the streaming machine (graph D) and on the systolic machine. Ours, not "
                          "the paper's, except that the memory of graph D does not grow with N and that both compute "
                          "attention.");
    std::vector<std::uint64_t> sizes = {kDepthRows};
    if (options_.largest_values >= kLongRows) sizes.push_back(kLongRows);
    for (const std::uint64_t rows : sizes) compare_machines(to, rows);
    const auto fifos = [&](std::uint64_t rows) {
      return on_chip_bytes(graph_of(AttentionGraph::kMemoryFree, rows, options_.dim), rows, false);
    };
    compare_equal(to, fmt::format("streaming, intermediate memory at N={} over N={}", kLongRows, kDepthRows), 1,
                  fifos(kLongRows) / fifos(kDepthRows), "a FIFO of D grows");
  }

  void compare_machines(SdpaClaim& to, std::uint64_t rows) const {
    const StreamGraph graph = graph_of(AttentionGraph::kMemoryFree, rows, options_.dim);
    const Cycle cycles = time_in_child(graph).result.cycles;
    const double elements = static_cast<double>(rows) * static_cast<double>(rows);
    const std::string head = fmt::format("N={} d={}", rows, options_.dim);
    const auto add = [&](const std::string& item, double ours, const std::string& cause) {
      to.rows.push_back({head + ": " + item, std::nullopt, ours, Verdict::kContext, cause});
    };
    const double vectors = 4.0 * static_cast<double>(rows) * static_cast<double>(options_.dim);  // Q, K, V and the result
    add("streaming, cycles", static_cast<double>(cycles), "graph D, d-wide nodes");
    add("streaming, utilisation of the 2 d multipliers, %", 100 * elements / static_cast<double>(cycles),
        "the running sums start an element every 2 cycles");
    add("streaming, bytes of FIFOs and pipelines", on_chip_bytes(graph, rows, false), "float32");
    add("streaming, bytes with keys and values", on_chip_bytes(graph, rows, true),
        "float32; each row reads all of them again");
    add("streaming, bytes to and from memory", 4 * vectors, "float32; queries, keys, values and the result, once each");
    if (!options_.systolic) {
      to.rows.push_back({head + ": systolic", std::nullopt, std::nullopt, Verdict::kOpen,
                         "not run: no systolic machine is attached"});
      return;
    }
    const workloads::SystolicAttention other = options_.systolic(rows, options_.dim);
    const double systolic_cycles = static_cast<double>(other.cycles);
    add("systolic, cycles", systolic_cycles, "16 x 16 array, int8; scores, softmax and context, kernel library");
    add("systolic, utilisation of the multipliers, %", 100 * other.utilization,
        "softmax passes and the transposed keys take the rest");
    add("systolic, bytes of scratchpad and accumulator", static_cast<double>(other.on_chip_bytes),
        "all that the machine has; a query tile's scores of all keys have to fit half the accumulator, or go to memory");
    add("systolic, bytes of intermediate results in memory", static_cast<double>(other.intermediate_bytes),
        "N^2 weights in int8, and N^2 scores in int32 where a row does not fit");
    add("systolic, bytes to and from memory", static_cast<double>(other.memory_bytes), "on the memory port");
    const double streaming_multipliers = 2 * static_cast<double>(options_.dim);
    add("cycles, systolic over streaming", systolic_cycles / static_cast<double>(cycles),
        fmt::format("with {} multipliers of 8 bits against {:.0f} of float32", other.multipliers, streaming_multipliers));
    add("cycles times multipliers, systolic over streaming",
        systolic_cycles * static_cast<double>(other.multipliers) / (static_cast<double>(cycles) * streaming_multipliers),
        "1: as many multiplier-cycles for the same head");
    add("systolic, largest error", other.largest_error, "int8 against double precision");
    const bool close = other.largest_relative_error <= 1;
    to.rows.push_back({head + ": systolic, largest error over what int8 explains", 1, other.largest_relative_error,
                       close ? Verdict::kPass : Verdict::kDeviation,
                       "per row: half a unit of the result, and five standard deviations of the error that weights rounded to "
                       "1/127 of the row's largest leave"});
  }

  static std::string optional_text(const std::optional<double>& value) { return value ? number_text(*value) : ""; }
  static std::string ratio_text(const SdpaRow& row) {
    if (!row.paper || !row.ours) return "";
    if (*row.paper == *row.ours) return "1";
    return *row.paper == 0 ? "" : fmt::format("{:.4g}", *row.ours / *row.paper);
  }

  void write() const {
    std::string csv = "experiment,item,paper,ours,ratio,cause\n";
    std::string page =
        "# Attention on streaming dataflow\n\nThe claims of Sohn, Zhang and Olukotun (arXiv 2404.16629), next to what "
        "this simulator gives. "
        "Regenerated by `systole reproduce sdpa --out DIR`.\n\n| claim | pass | deviation | open "
        "|\n|---|---:|---:|---:|\n";
    std::string tables;
    for (const SdpaClaim& claim : summary_.claims) {
      std::map<Verdict, int> counts;
      tables += fmt::format(
          "\n## {}\n\n{}\n\n| item | paper | ours | ratio | verdict | cause |\n|---|---:|---:|---:|---|---|\n",
          claim.id, claim.sentence);
      for (const SdpaRow& row : claim.rows) {
        ++counts[row.verdict];
        const std::string cause = fmt::format("{}: {}", name_of(row.verdict), row.cause);
        csv += fmt::format("sdpa/{},{},{},{},{},{}\n", claim.id, csv_cell(row.item), optional_text(row.paper),
                           optional_text(row.ours), ratio_text(row), csv_cell(cause));
        tables += fmt::format("| {} | {} | {} | {} | {} | {} |\n", row.item, optional_text(row.paper),
                              optional_text(row.ours), ratio_text(row), name_of(row.verdict), row.cause);
      }
      page += fmt::format("| [{0}](#{0}) | {1} | {2} | {3} |\n", claim.id, counts[Verdict::kPass],
                          counts[Verdict::kDeviation], counts[Verdict::kOpen]);
    }
    page += tables;
    const std::string base = options_.directory + "/sdpa";
    write_atomically(base + ".csv", csv);
    write_atomically(base + ".md", page);
    write_atomically(base + "_depths.csv", depths_csv_);
    write_atomically(base + "_occupancy.csv", occupancy_csv_);
    write_atomically(base + "_speed.csv", speed_csv_);
  }

  const SdpaOptions& options_;
  SdpaSummary summary_;
  std::string depths_csv_;
  std::string occupancy_csv_;
  std::string speed_csv_;
};

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kDeviation:
      return "deviation";
    case Verdict::kOpen:
      return "open";
    case Verdict::kContext:
      return "context";
  }
  return "";
}

SdpaSummary reproduce_sdpa(const SdpaOptions& options) { return Study(options).run(); }

}  // namespace systole::study
