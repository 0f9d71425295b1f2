#include "port_bench.h"

namespace systole::test {
namespace {

using hw::TlOpcodeA;

class Recorder final : public hw::PortLog, public hw::MemoryLog {
 public:
  explicit Recorder(PortRun& run) : run_(run) {}
  void request(Cycle now, const hw::RequestBeat& beat) override {
    if (beat.beat == 0) {
      index(beat.client, beat.source) = run_.requests.size();
      run_.requests.emplace_back().a_first = now;
      ++(beat.opcode == TlOpcodeA::kGet ? reads : writes);
    }
    run_.requests[index(beat.client, beat.source)].a_last = now;
  }
  void response(Cycle now, const hw::ResponseBeat& beat) override {
    PortTimes& times = run_.requests[index(beat.client, beat.source)];
    if (beat.first) times.d_first = now;
    if (!beat.last) return;
    times.d_last = now;
    times.answered = true;
    --(beat.opcode == hw::TlOpcodeD::kData ? reads : writes);
  }
  void response_stalled(Cycle) override {}
  void axi(Cycle now, hw::AxiBeat beat, std::uint64_t address) override {
    run_.axi_last = std::max(run_.axi_last, now);
    if (beat == hw::AxiBeat::kReadAddress) run_.reads.emplace_back(now, address);
    if (beat == hw::AxiBeat::kWriteAddress) run_.writes.emplace_back(now, address);
  }
  void l2_outcome(hw::DmaClient client, std::uint16_t source, hw::L2Outcome outcome) override {
    run_.requests[index(client, source)].outcome = outcome;
  }
  unsigned reads = 0, writes = 0;   // outstanding

 private:
  std::size_t& index(hw::DmaClient client, std::uint16_t source) { return indices_[{static_cast<int>(client), source}]; }
  PortRun& run_;
  std::map<std::pair<int, std::uint16_t>, std::size_t> indices_;
};

// Offers one request at a time: the next one when the last beat of the one before has been accepted. Evaluated after the memory.
class Master final : public Unit {
 public:
  Master(const sc_core::sc_module_name& name, const PortMaster& master, const Recorder& recorder, Channel<hw::RequestBeat>& out, unsigned bus_bytes)
      : Unit(name), master_(master), recorder_(recorder), out_(out), bus_bytes_(bus_bytes) {
    out_.bind_writer(*this);
  }
  void evaluate(Cycle now) override {
    if (next_ == master_.requests.size()) return;
    wake_at(now + 1);
    if (!out_.empty()) return;
    const PortRequest& request = master_.requests[next_];
    const bool get = request.opcode == TlOpcodeA::kGet;
    if (beat_ == 0) {
      if (now + 1 < request.at) return;
      if (get ? recorder_.reads >= master_.outstanding_reads : recorder_.writes >= master_.outstanding_writes) return;
    }
    const unsigned beats = get ? 1 : std::max(request.bytes / bus_bytes_, 1u);
    hw::RequestBeat item;
    item.address = request.address;
    item.opcode = request.opcode;
    item.lg_size = static_cast<std::uint8_t>(__builtin_ctz(request.bytes));
    item.client = get ? hw::DmaClient::kReader : hw::DmaClient::kWriter;
    item.source = request.source;
    item.beat = static_cast<std::uint8_t>(beat_);
    item.last = beat_ + 1 == beats;
    if (!get) item.mask = ((std::uint64_t{1} << std::min(request.bytes, bus_bytes_)) - 1) << (request.address % bus_bytes_);
    out_.push(now, item);
    if (++beat_ == beats) {
      beat_ = 0;
      ++next_;
    }
  }

 private:
  const PortMaster& master_;
  const Recorder& recorder_;
  Channel<hw::RequestBeat>& out_;
  const unsigned bus_bytes_;
  std::size_t next_ = 0;
  unsigned beat_ = 0;
};

}  // namespace

PortRun run_port(const hw::MachineParams& params, const std::vector<hw::ResidentRange>& resident, const PortMaster& master, BenchMode mode) {
  PortRun run;
  Recorder recorder(run);
  Memory memory;
  Channel<hw::RequestBeat> port_a("port_a", 1, 2);
  Channel<hw::ResponseBeat> port_d("port_d", 1, 2);
  UnitBench bench(mode);
  hw::SocMemory soc("memory", params, memory, nullptr, port_a, port_d, &recorder, &recorder);
  Master driver("master", master, recorder, port_a, static_cast<unsigned>(params.dma.bus_bytes));
  Sink<hw::ResponseBeat> sink("sink", port_d);
  for (const hw::ResidentRange& range : resident) soc.place(range);
  bench.scheduler().add_group("port", {&soc, &driver});
  bench.add(sink);
  bench.elaborate();
  driver.wake_at(1);
  bench.run(10'000'000);
  soc.drain();
  run.l2 = soc.counts();
  run.waits = soc.read_waits();
  return run;
}

}  // namespace systole::test
