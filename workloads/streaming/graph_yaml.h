#pragma once
// Streaming graphs written by users:
//   graph: row_softmax                 # name
//   nodes:                             # in the order of the stream
//     - {name: read_q, type: source, function: rows, data: q, length: 1, out: q}
//     - {name: read_k, type: source, function: columns, data: k, out: k}
//     - name: score
//       type: zip
//       function: dot_exp
//       constant: 1/sqrt(d)
//       latency: 11
//       in: [{fifo: q, each: row}, k]
//       out: [sum_in, bypass]
//     - {name: row_sum, type: reduce, function: sum, latency: 23, ii: 2, in: sum_in, out: row_sum}
//     - {name: divide, type: zip, function: divide, latency: 8, in: [bypass, {fifo: row_sum, each: row}], out: weights}
//     - {name: weights, type: sink, in: weights}
//   fifos: {bypass: N + 24, sum_in: {depth: 3}}      # others: depth 2; `initial` and `value` start a feedback loop
// type is a kind of node (source map zip reduce scan repeat fork sink), function one of its functions; fork, repeat and
// sink need none. A node has `rows` (default N) rows of `length` (default N, `growing`: 1, 2, 3, ...) firings. Several
// FIFOs behind one result are a fork. Whole numbers may be written with N, d, + and *.
#include <cstdint>
#include <string>

#include "hw/params/stream.h"

namespace systole::workloads {

// Reads and checks (check.h) a graph for N = `rows` and d = `dim`. ConfigError with file:line:column.
[[nodiscard]] hw::StreamGraph load_stream_graph(const std::string& path, std::uint64_t rows, std::size_t dim);
[[nodiscard]] hw::StreamGraph parse_stream_graph(const std::string& text, const std::string& name, std::uint64_t rows,
                                                 std::size_t dim);

}  // namespace systole::workloads
