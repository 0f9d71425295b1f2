#include "sim/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "hw/ports/port_log.h"
#include "hw/top/machine.h"
#include "sim/base/crc32.h"

namespace systole::replay {
namespace {

constexpr std::size_t kPortStep = 100;   // every which A beat is listed (port_a_every100)

// Port records are kept until the first acceptance is known, the cycle that all numbers are relative to.
class PortRecorder final : public hw::PortLog {
 public:
  struct Request {
    Cycle cycle;
    std::uint64_t address;
    std::uint64_t mask;
    std::uint8_t opcode;
    std::uint8_t lg_size;
    bool last;
  };
  struct Response {
    Cycle cycle;
    std::uint32_t request;   // number in the order of first request beats
    std::uint8_t opcode;
    std::uint8_t lg_size;
  };
  void request(Cycle now, const hw::RequestBeat& beat) override {
    if (beat.beat == 0) number(beat.client, beat.source) = transactions++;
    requests.push_back({now, beat.address, beat.mask, static_cast<std::uint8_t>(beat.opcode), beat.lg_size, beat.last});
  }
  void response(Cycle now, const hw::ResponseBeat& beat) override {
    responses.push_back({now, number(beat.client, beat.source), static_cast<std::uint8_t>(beat.opcode), beat.lg_size});
  }
  void response_stalled(Cycle cycles) override { stalled += cycles; }

  std::vector<Request> requests;
  std::vector<Response> responses;
  std::uint64_t stalled = 0;

 private:
  std::uint32_t& number(hw::DmaClient client, std::uint16_t source) {
    std::vector<std::uint32_t>& numbers = in_flight[static_cast<std::size_t>(client)];
    if (source >= numbers.size()) numbers.resize(source + std::size_t{1});
    return numbers[source];
  }
  std::uint32_t transactions = 0;
  std::array<std::vector<std::uint32_t>, 2> in_flight;   // number of the request that uses a source
};

// Beats on the AXI port behind the L2.
class AxiRecorder final : public hw::MemoryLog {
 public:
  struct Address {
    Cycle cycle;
    std::uint64_t address;
  };
  void axi(Cycle now, hw::AxiBeat beat, std::uint64_t address) override {
    last = std::max(last, now);
    if (beat == hw::AxiBeat::kReadAddress) reads.push_back({now, address});
    if (beat == hw::AxiBeat::kWriteAddress) writes.push_back({now, address});
  }
  void l2_outcome(hw::DmaClient, std::uint16_t, hw::L2Outcome) override {}
  [[nodiscard]] isa::AxiExpectation expectation(Cycle origin) const {
    isa::AxiExpectation out;
    out.reads = reads.size();
    out.writes = writes.size();
    if (!reads.empty() || !writes.empty()) out.last_cycle = last - origin;
    out.ar_crc32 = crc(reads, origin);
    out.aw_crc32 = crc(writes, origin);
    return out;
  }

 private:
  static std::uint32_t crc(const std::vector<Address>& beats, Cycle origin) {
    Crc32 value;
    for (const Address& beat : beats) {
      value.update_u32(static_cast<std::uint32_t>(beat.cycle - origin));
      value.update_u32(static_cast<std::uint32_t>(beat.address));
    }
    return value.value();
  }
  std::vector<Address> reads;
  std::vector<Address> writes;
  Cycle last = 0;
};

void add_port(const PortRecorder& port, Cycle origin, bool in_order, isa::Expectation& out) {
  Crc32 a, d, order;
  const auto get = static_cast<std::uint8_t>(hw::TlOpcodeA::kGet);
  for (std::size_t i = 0; i < port.requests.size(); ++i) {
    const PortRecorder::Request& beat = port.requests[i];
    const Cycle cycle = beat.cycle - origin;
    // The record has room for 16 mask bits; wider buses lose the rest.
    a.update_u32(static_cast<std::uint32_t>(cycle));
    a.update_u32(static_cast<std::uint32_t>(beat.opcode | beat.lg_size << 8) | static_cast<std::uint32_t>(beat.mask << 16));
    a.update_u32(static_cast<std::uint32_t>(beat.address));
    if (i % kPortStep == 0) out.port_a_every100.push_back(cycle);
    isa::PortCounts& counts = beat.opcode == get ? out.get : out.put;
    if (beat.opcode != get) ++counts.beats;
    if (beat.last) counts.add(beat.lg_size, 0);
  }
  for (const PortRecorder::Response& beat : port.responses) {
    d.update_u32(static_cast<std::uint32_t>(beat.cycle - origin));
    d.update_u32(static_cast<std::uint32_t>(beat.opcode | beat.lg_size << 8));
    order.update_u32(static_cast<std::uint32_t>(beat.cycle - origin));
    order.update_u32(beat.request);
    if (beat.opcode == static_cast<std::uint8_t>(hw::TlOpcodeD::kData)) ++out.get.beats;
  }
  out.port_a_beats = port.requests.size();
  out.port_a_crc32 = a.value();
  out.port_d_crc32 = d.value();
  // The order of answers says something only behind a memory that may change it.
  if (!in_order) out.port_d_request_crc32 = order.value();
  out.port_d_stall_cycles = port.stalled;
}

}  // namespace

ReplayResult replay_trace(const isa::Trace& trace, const hw::MachineParams& params, const ReplayOptions& options) {
  Memory memory;
  isa::apply_fills(trace, memory);
  PortRecorder port;
  hw::MachineOptions machine_options;
  machine_options.scheduler = options.scheduler;
  machine_options.granularity = options.granularity;
  machine_options.timing_only = options.timing_only;
  machine_options.max_cycles = options.max_cycles;
  machine_options.watchdog = options.watchdog;
  machine_options.port_log = &port;
  machine_options.state_log = options.state_log;
  machine_options.loop_conv_revision = trace.loop_conv_encoding;
  machine_options.reverse_order = options.reverse_order;
  AxiRecorder axi;
  machine_options.memory_log = &axi;
  for (const isa::Resident& r : trace.residents) machine_options.resident.push_back({r.address, r.bytes, r.dirty, r.way});
  hw::Machine machine(params, memory, machine_options);

  ReplayResult result;
  result.run = machine.run(trace.program);
  isa::Expectation& out = result.measured;
  out.revision = fmt::format("{}", params.revision);
  out.latency = params.memory.model == hw::MemoryModel::kIdeal ? static_cast<std::uint64_t>(params.memory.latency)
                                                              : static_cast<std::uint64_t>(params.soc.axi_latency);
  out.commands = result.run.accepts.size();
  out.cycles = result.run.cycles;
  out.fences.assign(result.run.fences.begin(), result.run.fences.end());
  out.accept_every = isa::accept_step(out.commands);
  Crc32 accept_crc;
  for (std::size_t i = 0; i < result.run.accepts.size(); ++i) {
    if (i % out.accept_every == 0) out.accept.push_back(result.run.accepts[i]);
    accept_crc.update_u32(static_cast<std::uint32_t>(result.run.accepts[i]));
  }
  out.accept_crc32 = accept_crc.value();
  add_port(port, result.run.origin, params.memory.model == hw::MemoryModel::kIdeal, out);
  if (result.run.l2) {
    const hw::L2Counts& l2 = *result.run.l2;
    out.axi = axi.expectation(result.run.origin);
    out.l2 = {l2.hits, l2.misses, l2.allocations, l2.directory_reads, l2.victims_clean, l2.victims_dirty};
  }
  if (!options.timing_only && params.memory.model == hw::MemoryModel::kIdeal) {
    out.checks.emplace();
    const std::vector<std::uint32_t> crcs = isa::check_crcs(trace, memory);
    for (std::size_t i = 0; i < crcs.size(); ++i) out.checks->push_back({trace.checks[i].address, trace.checks[i].bytes, crcs[i]});
  }
  return result;
}

}  // namespace systole::replay
