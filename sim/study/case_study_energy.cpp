// E8: what the units for non-linear operations cost in time, area and energy (section 3.4.4).
#include <fmt/format.h>

#include "sim/energy/area.h"
#include "sim/energy/energy.h"
#include "sim/study/case_study.h"
#include "sim/study/case_study_runs.h"

namespace systole::study {
namespace {

using workloads::LayerProducts;

constexpr const char* kDescription =
    "The cost of the normaliser and of the 16 lanes that compute GELU, softmax and LayerNorm. The paper took area and "
    "power from a "
    "synthesis in a predictive 7 nm process and names no absolute number; ours are sums over published numbers:\n"
    "* Energy: events counted by the simulator times the 45 nm numbers of the paper's figure 15; DRAM, registers, "
    "clock, control "
    "and leakage are not part of the accelerator's energy here. SRAM energy grows with the root of a bank's capacity. "
    "The "
    "elements of the non-linear operations are those of the layer, their operations per element those written in "
    "Gemmini's sources.\n"
    "* Area: the published layout of Gemmini in Intel 22 nm (DAC 2021), and the arithmetic that Gemmini's sources add "
    "per lane, in "
    "45 nm from figure 15. The two are compared after ideal scaling of the layout to 45 nm.\n"
    "* Latency: an encoder layer as Gemmini's published software issues it, against its matrix products alone, on "
    "`survey-64-256` "
    "with ideal memory (20 cycles, 16 bytes per cycle).\n\n"
    "To repeat: `systole reproduce E8 --out DIR`.";

energy::Energy energy_of(const CaseNumbers& numbers, const config::MachineConfig& machine,
                         const energy::NonLinearCounts& non_linear = {}) {
  const energy::RunCounts counts = {numbers.counters.at("execute.macs"), numbers.counters.at("execute.operand_rows"),
                                    numbers.counters.at("array.rows_written"), numbers.read_bytes, numbers.write_bytes};
  return energy::energy_of(counts, machine.params, non_linear);
}

energy::NonLinearCounts elements_of(std::uint64_t rows, const LayerProducts& layer) {
  return {layer.heads * rows * rows, 2 * rows * layer.model, rows * layer.feed_forward};
}

workloads::PublishedLayer fused_layer(std::uint64_t rows) {
  workloads::PublishedLayer layer = bert_base_layer(rows);
  layer.fused_norm = true;
  return layer;
}

void context(std::vector<CaseRow>& rows, const std::string& item, double ours, const std::string& cause) {
  rows.push_back({item, "", ours, CaseVerdict::kContext, cause});
}

void areas(std::vector<CaseRow>& rows) {
  constexpr int kLanes = 16;
  constexpr double kLayoutNm = 22, kTableNm = 45;
  const config::MachineConfig machine = config::preset_machine("gemmini-2023");
  const energy::Area layout = energy::area_of(machine.params);
  const double normaliser = energy::normaliser_arithmetic_area(kLanes);
  const double accelerator = energy::scaled_area(layout.accelerator(), kLayoutNm, kTableNm);
  rows.push_back(compared(
      "section 3.4.4: area of the normaliser, % of the accelerator", "14", 100 * normaliser / accelerator,
      fmt::format(
          "a sum of multipliers and adders ({:.0f} um^2 in 45 nm) over the layout of another process scaled ideally "
          "({:.0f} um^2), against a synthesis in 7 nm: registers, divider and root are missing above, and SRAM scales "
          "less "
          "than ideally below",
          normaliser, accelerator)));
  const double before = layout.accelerator();
  const double after = energy::area_of(config::preset_machine("survey-64-256").params).accelerator();
  context(rows, "area of the accelerator, 256/64 KiB, in 22 nm, mm^2", layout.accelerator() * 1e-6,
          "published layout (DAC 2021, figure 6): array 116, scratchpad 544, accumulator 146, rest 52 thousand um^2");
  context(rows, "area of the normaliser's arithmetic, scaled ideally to 22 nm, mm^2",
          energy::scaled_area(normaliser, kTableNm, kLayoutNm) * 1e-6, "9 multipliers and 19 adders of 32 bits a lane, 16 lanes, figure 15");
  context(
      rows, "section 3.4.3: area of the accelerator with 64/256 instead of 256/64 KiB, %", 100 * (after / before - 1),
      "\"virtually no change\" in the paper; the layout's accumulator takes 7 % more area per KiB than its scratchpad");
}

}  // namespace

CaseStudy energy_and_area(const CaseOptions& options) {
  CaseStudy study{"E8", "energy and area", kDescription, {}};
  const std::uint64_t rows = options.quick ? 128 : 512;
  LayerProducts products;
  products.rows = rows;
  const config::MachineConfig balanced = config::preset_machine("survey-64-256");
  const config::MachineConfig baseline = config::preset_machine("survey");
  const std::vector<CaseRun> runs = {
      {fmt::format("layer-{}-64-256", rows), bert_base_layer(rows), balanced},
      {fmt::format("products-{}-64-256", rows), products, balanced},
      {fmt::format("layer-{}-256-64", rows), bert_base_layer(rows), baseline},
      {fmt::format("layer-{}-64-256-fused", rows), fused_layer(rows), balanced},
  };
  const std::vector<CaseNumbers> numbers = run_cases(runs, options);
  const CaseNumbers& layer = numbers[0];
  const CaseNumbers& plain = numbers[1];

  const auto cycles = [](const CaseNumbers& n, const char* region) { return static_cast<double>(n.cycles_of(region)); };
  const double softmax = cycles(layer, "scores_softmax") - cycles(plain, "scores");
  const double gelu = cycles(layer, "ff1_gelu") - cycles(plain, "ff1");
  const double wide =
      cycles(layer, "out_proj") + cycles(layer, "ff2") - cycles(plain, "out_proj") - cycles(plain, "ff2");
  const double norm = cycles(layer, "ln1") + cycles(layer, "ln2");
  const double total = static_cast<double>(layer.cycles);
  const double added = softmax + gelu + norm + wide;
  study.rows.push_back(
      compared(fmt::format("section 3.4.4: latency added by the normaliser's operations, % of the total, l={}", rows),
               "8", 100 * added / total,
               "of it softmax, GELU, LayerNorm and 32-bit results in the next rows: ours runs LayerNorm as a pass of its own over 32-bit results in memory, as the published software does "
               "by default; the next "
               "rows have the parts"));
  context(study.rows, "of it softmax, %", 100 * softmax / total,
          "scores with softmax in the read-out, less scores alone");
  context(study.rows, "of it GELU, %", 100 * gelu / total,
          "first feed-forward product with GELU in the read-out, less the product alone");
  context(study.rows, "of it LayerNorm, %", 100 * norm / total, "its own passes");
  context(study.rows, "of it 32-bit results in front of LayerNorm, %", 100 * wide / total,
          "out and second feed-forward product with 32-bit results, less those with 8-bit ones");
  context(study.rows, "latency added with LayerNorm in the read-out of the product before it, % of the total",
          100 * (1 - static_cast<double>(plain.cycles) / static_cast<double>(numbers[3].cycles)),
          "all of the layer against its products, hence with the residual additions: the published software's other "
          "choice, whose "
          "tiles of whole rows make the products slower");

  areas(study.rows);

  const energy::Energy with = energy_of(layer, balanced, elements_of(rows, products));
  const energy::Energy without = energy_of(plain, balanced);
  const double power = (with.on_chip_pj() / total) / (without.on_chip_pj() / static_cast<double>(plain.cycles));
  study.rows.push_back(compared("section 3.4.4: power with the normaliser's operations, % above that of the products",
                                "9.3", 100 * (power - 1),
                                "the paper's is the power of added gates, clocked and leaking, relative to the "
                                "accelerator's; ours is dynamic energy per cycle, "
                                "and the operations also make the run longer: energy itself rises as in the next row"));
  context(study.rows, "energy of the accelerator with the normaliser's operations, % above that of the products",
          100 * (with.on_chip_pj() / without.on_chip_pj() - 1), "without DRAM");
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const bool products_only = std::holds_alternative<LayerProducts>(runs[r].layer);
    const energy::Energy energy =
        energy_of(numbers[r], runs[r].machine, products_only ? energy::NonLinearCounts{} : elements_of(rows, products));
    context(study.rows, fmt::format("{}: energy, uJ", runs[r].id), energy.total_pj() * 1e-6,
            fmt::format("{} cycles; energy-delay product {:.4g} J x cycles", numbers[r].cycles,
                        energy.total_pj() * 1e-12 * static_cast<double>(numbers[r].cycles)));
    const energy::EnergyRange in_22_nm = energy::scaled_energy(energy.on_chip_pj(), 45, 22);
    context(study.rows, fmt::format("{}: energy on the chip in 22 nm, uJ, at most", runs[r].id), in_22_nm.most * 1e-6,
            fmt::format("{:.4g} uJ in 45 nm; at the same voltage, and {:.4g} uJ if the voltage scaled ideally too",
                        energy.on_chip_pj() * 1e-6, in_22_nm.least * 1e-6));
    for (const energy::EnergyPart& part : energy.parts)
      context(study.rows, fmt::format("{}: energy, {}, uJ", runs[r].id, part.name), part.picojoules * 1e-6,
              fmt::format("{:.0f} x {}", part.count, part.unit));
  }
  return study;
}

}  // namespace systole::study
