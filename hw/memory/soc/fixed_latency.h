#pragma once
// A memory with fixed latencies: a read burst starts `read_latency` cycles after its address (later when earlier bursts still use the
// channel); a write is answered `write_latency` cycles after its last beat. Nothing is ever refused.
#include "hw/memory/soc/axi_memory.h"

namespace systole::hw::soc {

class FixedLatencyMemory final : public AxiMemory {
 public:
  FixedLatencyMemory(Cycle read_latency, Cycle write_latency) : read_latency_(read_latency), write_latency_(write_latency) {}

  void read(Cycle now, unsigned id, std::uint64_t) override { answer_read(id, now + read_latency_); }
  void write(Cycle now, unsigned id, std::uint64_t) override { answer_write(id, now + write_latency_); }

 private:
  const Cycle read_latency_;
  const Cycle write_latency_;
};

}  // namespace systole::hw::soc
