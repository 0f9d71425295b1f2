#pragma once
// Static checks of a streaming graph. What passes can be built; it can still deadlock when a FIFO is too short, which
// the run reports.
#include <cstdint>

#include "hw/params/stream.h"

namespace systole::workloads {

// ConfigError with file:line of the first fault found, in the order of a repair: shape of the nodes, dangling or doubly
// used FIFOs, types of operands, numbers of elements on both sides of a FIFO, cycles without a first element or without
// a free place. `data_rows`: rows of the tensors q, k, v. FIFO types are derived from the producers.
void check_stream_graph(hw::StreamGraph& graph, std::uint64_t data_rows);

}  // namespace systole::workloads
