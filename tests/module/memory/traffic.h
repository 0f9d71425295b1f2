#pragma once
// Requests for tests of the SoC's memory system.
#include <random>

#include "port_bench.h"

namespace systole::test {

inline hw::MachineParams soc_machine() {
  hw::MachineParams params;
  params.memory.model = hw::MemoryModel::kSoc;
  return params;
}

// `count` requests of random kind and size to `lines` lines, in bursts.
inline PortMaster random_traffic(unsigned seed, unsigned lines, unsigned count = 600) {
  std::mt19937_64 random(seed);
  PortMaster master;
  Cycle at = 10;
  for (unsigned i = 0; i < count; ++i) {
    PortRequest r;
    at += random() % 8 == 0 ? random() % 40 : 0;
    r.at = at;
    r.bytes = 1u << (random() % 4 + 3);
    r.address = kPortBase + random() % lines * 64 + random() % (64 / r.bytes) * r.bytes;
    const unsigned kind = static_cast<unsigned>(random() % 5);
    r.opcode = kind < 3 ? hw::TlOpcodeA::kGet : kind == 3 ? hw::TlOpcodeA::kPutFull : hw::TlOpcodeA::kPutPartial;
    if (kind == 4) {
      r.first = static_cast<unsigned>(random() % r.bytes);
      r.count = 1 + static_cast<unsigned>(random() % (r.bytes - r.first));
    }
    r.source = static_cast<std::uint16_t>(i);
    master.requests.push_back(r);
  }
  return master;
}

// `count` equal requests, `stride` bytes apart, as fast as they are taken.
inline PortMaster stream(hw::TlOpcodeA opcode, unsigned bytes, unsigned stride, unsigned count, std::uint64_t first = kPortBase) {
  PortMaster master;
  for (unsigned i = 0; i < count; ++i) master.requests.push_back({10, opcode, first + std::uint64_t{i} * stride, bytes, static_cast<std::uint16_t>(i)});
  return master;
}

inline Cycle end_of(const PortRun& run) {
  Cycle end = 0;
  for (const PortTimes& times : run.requests) end = std::max(end, times.d_last);
  return end;
}

}  // namespace systole::test
