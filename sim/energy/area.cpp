#include "sim/energy/area.h"

#include "sim/energy/energy_table.h"

namespace systole::energy {
namespace {

constexpr double kPublishedDim = 16;
constexpr double kPublishedScratchpadKib = 256;
constexpr double kPublishedAccumulatorKib = 64;

}  // namespace

Area area_of(const hw::MachineParams& machine) {
  const double dim = static_cast<double>(machine.array.dim) / kPublishedDim;
  Area area = kPublishedArea;
  area.array *= dim * dim;
  area.scratchpad *= static_cast<double>(machine.scratchpad.kib) / kPublishedScratchpadKib;
  area.accumulator *= static_cast<double>(machine.accumulator.kib) / kPublishedAccumulatorKib;
  return area;
}

double normaliser_arithmetic_area(int lanes) {
  return static_cast<double>(lanes) * (kNormaliserMultipliersPerLane * cost_of(Event::kMultiply32).square_micrometres +
                                       kNormaliserAddersPerLane * cost_of(Event::kAdd32).square_micrometres);
}

EnergyRange scaled_energy(double energy, double from_nm, double to_nm) {
  const double ratio = to_nm / from_nm;
  return {energy * ratio * ratio * ratio, energy * ratio};
}

double scaled_area(double area, double from_nm, double to_nm) { return area * (to_nm / from_nm) * (to_nm / from_nm); }

}  // namespace systole::energy
