#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <systemc>

#include "tests/bench/simulator/yardsticks.h"

namespace systole::bench {
namespace {

constexpr int kDim = 16;

// Weight-stationary: the operand goes to the right, the sum down.
class ProcessingElement final : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<std::int8_t> a_in{"a_in"};
  sc_core::sc_in<std::int32_t> sum_in{"sum_in"};
  sc_core::sc_out<std::int8_t> a_out{"a_out"};
  sc_core::sc_out<std::int32_t> sum_out{"sum_out"};

  SC_HAS_PROCESS(ProcessingElement);
  ProcessingElement(const sc_core::sc_module_name& name, std::int8_t weight) : sc_core::sc_module(name), weight_(weight) {
    SC_METHOD(step);
    sensitive << clock.pos();
    dont_initialize();
  }

 private:
  void step() {
    a_out.write(a_in.read());
    sum_out.write(sum_in.read() + a_in.read() * weight_);
  }
  std::int8_t weight_;
};

class Feeder final : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  std::vector<sc_core::sc_signal<std::int8_t>*> rows;

  SC_HAS_PROCESS(Feeder);
  explicit Feeder(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    SC_METHOD(step);
    sensitive << clock.pos();
    dont_initialize();
  }

 private:
  void step() {
    for (sc_core::sc_signal<std::int8_t>* row : rows) {
      state_ = state_ * 1664525u + 1013904223u;
      row->write(static_cast<std::int8_t>(state_ >> 24));
    }
  }
  std::uint32_t state_ = 1;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

double pe_array_seconds(int cycles) {
  sc_core::sc_clock clock("clock", 1, sc_core::SC_NS);
  std::vector<std::unique_ptr<sc_core::sc_signal<std::int8_t>>> a;
  std::vector<std::unique_ptr<sc_core::sc_signal<std::int32_t>>> sums;
  for (int i = 0; i < kDim * (kDim + 1); ++i) {
    a.push_back(std::make_unique<sc_core::sc_signal<std::int8_t>>());
    sums.push_back(std::make_unique<sc_core::sc_signal<std::int32_t>>());
  }
  Feeder feeder("feeder");
  feeder.clock(clock);
  std::vector<std::unique_ptr<ProcessingElement>> elements;
  for (int row = 0; row < kDim; ++row) {
    feeder.rows.push_back(a[static_cast<std::size_t>(row * (kDim + 1))].get());
    for (int col = 0; col < kDim; ++col) {
      auto pe = std::make_unique<ProcessingElement>(("pe_" + std::to_string(row) + "_" + std::to_string(col)).c_str(), static_cast<std::int8_t>(row * 7 + col * 3 - 60));
      pe->clock(clock);
      pe->a_in(*a[static_cast<std::size_t>(row * (kDim + 1) + col)]);
      pe->a_out(*a[static_cast<std::size_t>(row * (kDim + 1) + col + 1)]);
      pe->sum_in(*sums[static_cast<std::size_t>(row * kDim + col)]);
      pe->sum_out(*sums[static_cast<std::size_t>((row + 1) * kDim + col)]);
      elements.push_back(std::move(pe));
    }
  }
  sc_core::sc_start(100, sc_core::SC_NS);   // elaboration and caches
  const double before = cpu_seconds();
  sc_core::sc_start(cycles, sc_core::SC_NS);
  return cpu_seconds() - before;
}

}  // namespace systole::bench
