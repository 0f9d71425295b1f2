#include "port_bench.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <random>

#include "hw/datapath/value_plane.h"

namespace systole::test {
namespace {

using hw::TlOpcodeA;

// Flat memory that requests reach in the order in which they are accepted.
class FlatReference {
 public:
  FlatReference(std::uint64_t bytes, Memory& memory, hw::ValuePlane* values, unsigned bus_bytes) : values_(values), bus_bytes_(bus_bytes), bytes_(bytes) {
    std::mt19937_64 random(bytes);
    for (std::uint8_t& byte : bytes_) byte = static_cast<std::uint8_t>(random());
    if (bytes != 0) std::memcpy(memory.at(kPortBase, bytes), bytes_.data(), bytes);
  }
  void request(const hw::RequestBeat& beat) {
    if (beat.opcode == TlOpcodeA::kGet) {
      const std::uint8_t* from = bytes_.data() + (beat.address - kPortBase);
      expected_[beat.source] = {beat.values, {from, from + (std::size_t{1} << beat.lg_size)}, beat.address};
      return;
    }
    const std::uint64_t window = beat.address / bus_bytes_ * bus_bytes_ + beat.beat * std::uint64_t{bus_bytes_};
    for (unsigned lane = 0; lane < bus_bytes_; ++lane) {
      if ((beat.mask >> lane & 1) != 0) bytes_[window + lane - kPortBase] = values_->bytes(beat.values)[window + lane - beat.address];
    }
  }
  // The values of a Get are there with its first beat.
  [[nodiscard]] std::string response(const hw::ResponseBeat& beat) {
    const Expected& expected = expected_.at(beat.source);
    const std::uint8_t* actual = values_->bytes(expected.ref);
    for (std::size_t i = 0; i < expected.bytes.size(); ++i) {
      if (actual[i] != expected.bytes[i]) return fmt::format("Get at {:#x}: byte {} is {}, expected {}", expected.address, i, actual[i], expected.bytes[i]);
    }
    values_->end_use(expected.ref);
    return {};
  }
  [[nodiscard]] std::string compare(const Memory& memory) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      const std::uint8_t actual = *memory.at(kPortBase + i, 1);
      if (actual != bytes_[i]) return fmt::format("memory at {:#x} is {}, expected {}", kPortBase + i, actual, bytes_[i]);
    }
    return {};
  }

 private:
  struct Expected {
    hw::ValueRef ref;
    std::vector<std::uint8_t> bytes;
    std::uint64_t address = 0;
  };
  hw::ValuePlane* values_;
  const unsigned bus_bytes_;
  std::vector<std::uint8_t> bytes_;
  std::map<std::uint16_t, Expected> expected_;
};

class Recorder final : public hw::PortLog, public hw::MemoryLog {
 public:
  Recorder(PortRun& run, FlatReference* reference) : run_(run), reference_(reference) {}
  void request(Cycle now, const hw::RequestBeat& beat) override {
    if (beat.beat == 0) {
      index(beat.client, beat.source) = run_.requests.size();
      run_.requests.emplace_back().a_first = now;
      ++(beat.opcode == TlOpcodeA::kGet ? reads : writes);
    }
    run_.requests[index(beat.client, beat.source)].a_last = now;
    if (reference_ != nullptr) reference_->request(beat);
  }
  void response(Cycle now, const hw::ResponseBeat& beat) override {
    PortTimes& times = run_.requests[index(beat.client, beat.source)];
    if (beat.first) times.d_first = now;
    if (beat.first && beat.opcode == hw::TlOpcodeD::kData && reference_ != nullptr) {
      const std::string error = reference_->response(beat);
      if (run_.value_error.empty()) run_.value_error = error;
    }
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
  FlatReference* reference_;
  std::map<std::pair<int, std::uint16_t>, std::size_t> indices_;
};

// Offers one request at a time: the next one when the last beat of the one before has been accepted. Evaluated after the memory.
class Master final : public Unit {
 public:
  Master(const sc_core::sc_module_name& name, const PortMaster& master, const Recorder& recorder, hw::ValuePlane* values, Channel<hw::RequestBeat>& out,
         unsigned bus_bytes)
      : Unit(name), master_(master), recorder_(recorder), values_(values), out_(out), bus_bytes_(bus_bytes) {
    out_.bind_writer(*this);
  }
  void evaluate(Cycle now) override {
    if (next_ == master_.requests.size()) return;
    const PortRequest& request = master_.requests[next_];
    wake_at(std::max(now + 1, beat_ == 0 && request.at > 1 ? request.at - 1 : 0));
    if (!out_.empty()) return;
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
    if (!get) {
      const unsigned count = request.count == 0 ? request.bytes : request.count;
      const unsigned width = std::min(request.bytes, bus_bytes_);
      const unsigned lane = static_cast<unsigned>(request.address % bus_bytes_) * (width < bus_bytes_ ? 1 : 0);
      for (unsigned i = 0; i < width; ++i) {
        const unsigned byte = beat_ * bus_bytes_ + i;
        if (byte >= request.first && byte < request.first + count) item.mask |= std::uint64_t{1} << (lane + i);
      }
    }
    item.useful_first = static_cast<std::uint8_t>(get ? 0 : request.first);
    item.useful_bytes = static_cast<std::uint8_t>(get || request.count == 0 ? request.bytes : request.count);
    if (values_ != nullptr && beat_ == 0) {
      request_values_ = get ? values_->hold() : values_->allocate();
      if (!get) {
        for (unsigned i = 0; i < request.bytes; ++i) values_->bytes(request_values_)[i] = static_cast<std::uint8_t>(random_());
      }
    }
    item.values = request_values_;
    out_.push(now, item);
    if (++beat_ == beats) {
      beat_ = 0;
      ++next_;
    }
  }

 private:
  const PortMaster& master_;
  const Recorder& recorder_;
  hw::ValuePlane* values_;
  Channel<hw::RequestBeat>& out_;
  const unsigned bus_bytes_;
  std::size_t next_ = 0;
  unsigned beat_ = 0;
  hw::ValueRef request_values_;
  std::mt19937_64 random_{7};
};

}  // namespace

PortRun run_port(const hw::MachineParams& params, const std::vector<hw::ResidentRange>& resident, const PortMaster& master, BenchMode mode) {
  PortRun run;
  Memory memory;
  const std::unique_ptr<hw::ValuePlane> values = master.value_bytes == 0 ? nullptr : std::make_unique<hw::ValuePlane>(params, memory);
  const auto bus_bytes = static_cast<unsigned>(params.dma.bus_bytes);
  FlatReference reference(master.value_bytes, memory, values.get(), bus_bytes);
  Recorder recorder(run, values == nullptr ? nullptr : &reference);
  Channel<hw::RequestBeat> port_a("port_a", 1, 2);
  Channel<hw::ResponseBeat> port_d("port_d", 1, 2);
  Channel<hw::HostAccess> host_access("host_access", 1, 2);
  Channel<hw::HostAccessDone> host_done("host_done", 1, 2);
  UnitBench bench(mode);
  hw::SocMemory soc("memory", params, memory, values.get(), port_a, port_d, &recorder, &recorder);
  soc.connect_host(host_access, host_done);
  Master driver("master", master, recorder, values.get(), port_a, bus_bytes);
  Sink<hw::ResponseBeat> sink("sink", port_d);
  Source<hw::HostAccess> host("host", host_access);
  Sink<hw::HostAccessDone> host_sink("host_sink", host_done);
  for (const PortHostAccess& access : master.host) host.add(access.at, access.access);
  for (const hw::ResidentRange& range : resident) soc.place(range);
  bench.scheduler().add_group("port", {&soc, &driver});
  bench.add(sink);
  bench.add(host);
  bench.add(host_sink);
  bench.elaborate();
  driver.wake_at(1);
  host.begin();
  bench.run(10'000'000);
  run.wakeups = bench.scheduler().wakeups();
  soc.drain();
  if (values != nullptr && run.value_error.empty()) run.value_error = reference.compare(memory);
  run.l2 = soc.counts();
  run.waits = soc.read_waits();
  run.host = soc.host_counts();
  if (soc.llc_counts() != nullptr) run.llc = *soc.llc_counts();
  if (soc.dram_counts() != nullptr) run.dram = *soc.dram_counts();
  for (const auto& done : host_sink.popped()) run.host_done.push_back(done.first);
  return run;
}

}  // namespace systole::test
