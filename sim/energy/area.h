#pragma once
// Area of a machine, from the published layout of Gemmini: 16 x 16 PEs, 256 KiB scratchpad, 64 KiB accumulator, one
// Rocket core, in Intel 22 nm (Genc et al., "Gemmini: Enabling Systematic Deep-Learning Architecture Evaluation via
// Full-Stack Integration", DAC 2021, figure 6).
#include "hw/params/machine.h"

namespace systole::energy {

// Square micrometres.
struct Area {
  double array = 0, scratchpad = 0, accumulator = 0, cpu = 0, rest = 0;
  [[nodiscard]] double accelerator() const { return array + scratchpad + accumulator + rest; }
  [[nodiscard]] double total() const { return accelerator() + cpu; }
};

inline constexpr Area kPublishedArea{116e3, 544e3, 146e3, 171e3, 52e3};  // 1,029,000 in all; rest is the difference

// Array in proportion to its PEs, memories to their capacity; the rest as it is.
[[nodiscard]] Area area_of(const hw::MachineParams& machine);

// Arithmetic of the units for non-linear functions per lane, as written in Gemmini v0.7.2: iexp in
// AccumulatorScale.scala and once more in the lanes of Normalizer.scala (3 multiplications each), igelu (2), the square
// (1); additions and comparisons. Divider, root and registers have no numbers in the table.
inline constexpr double kNormaliserMultipliersPerLane = 9;
inline constexpr double kNormaliserAddersPerLane = 19;
// In 45 nm.
[[nodiscard]] double normaliser_arithmetic_area(int lanes);
// Energy of an event in another process: with the voltage scaled like the feature size (Dennard et al., 1974: the cube of it), and
// at the same voltage (capacitance alone). What a process does lies between.
struct EnergyRange {
  double least = 0, most = 0;
};
[[nodiscard]] EnergyRange scaled_energy(double energy, double from_nm, double to_nm);
// Ideal scaling of an area with the square of the feature size.
[[nodiscard]] double scaled_area(double area, double from_nm, double to_nm);

}  // namespace systole::energy
