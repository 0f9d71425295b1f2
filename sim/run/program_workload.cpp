// A program as text or container, as its author wrote it: the machine's memory is compared with that of the instruction set's functional model.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "hw/host/host_values.h"
#include "isa/assembler.h"
#include "isa/container.h"
#include "isa/host_operation.h"
#include "isa/image.h"
#include "isa/legality.h"
#include "isa/model/model.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/config/geometry.h"
#include "sim/run/workload.h"

namespace systole::run {
namespace {

struct Range {
  std::uint64_t address = 0, bytes = 0;
  [[nodiscard]] std::uint64_t end() const { return address + bytes; }
};

// Overlapping and adjoining ranges become one.
std::vector<Range> merged(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.address < b.address; });
  std::vector<Range> result;
  for (const Range& range : ranges) {
    if (result.empty() || range.address > result.back().end()) {
      result.push_back(range);
    } else {
      result.back().bytes = std::max(result.back().end(), range.end()) - result.back().address;
    }
  }
  return result;
}

// "output+0x24", or the address itself.
std::string place_of(const isa::Program& program, std::uint64_t address) {
  for (const isa::Symbol& symbol : program.symbols) {
    if (address >= symbol.address && address - symbol.address < symbol.bytes) return fmt::format("{}+{:#x} ({:#x})", symbol.name, address - symbol.address, address);
  }
  return fmt::format("{:#x}", address);
}

class ProgramFollower final : public Follower {
 public:
  ProgramFollower(const isa::Program& program, const isa::Geometry& geometry, Memory& memory, bool compare)
      : program_(program), geometry_(geometry), memory_(memory), compare_(compare) {}

  void at_fence(std::size_t next) override {
    if (next == 0) isa::load_image(program_, memory_);
  }

  [[nodiscard]] CheckResult finish() override {
    CheckResult result;
    if (!compare_) return result;
    Memory expected(memory_.base(), memory_.bytes());
    isa::load_image(program_, expected);
    std::vector<Range> written;
    const auto note = [&](std::uint64_t address, std::uint64_t bytes) {
      if (!written.empty() && written.back().end() == address) {
        written.back().bytes += bytes;
      } else {
        written.push_back({address, bytes});
      }
    };
    isa::Model model(geometry_, expected);
    model.on_store(note);
    model.run(program_, [&](const isa::HostOp& host) {
      const isa::HostOperation operation = isa::decode_host_operation(host);
      hw::compute_host_operation(operation, expected);
      for (const isa::HostRange& range : isa::ranges_of(operation)) {
        if (range.written) note(range.address, range.bytes);
      }
    });
    for (const Range& range : merged(std::move(written))) compare(range, expected, result);
    const isa::Overflows& o = model.overflows();
    result.overflows = {o.array + o.accumulate, o.gelu, o.exp_sum, o.variance + o.row_sum};
    return result;
  }

 private:
  void compare(const Range& range, const Memory& expected, CheckResult& result) const {
    const std::uint8_t* const ours = memory_.at(range.address, range.bytes);
    const std::uint8_t* const theirs = expected.at(range.address, range.bytes);
    ++result.boundaries;
    result.elements += range.bytes;
    for (std::uint64_t i = 0; i < range.bytes; ++i) {
      if (ours[i] == theirs[i]) continue;
      if (result.mismatches++ == 0 && result.first_mismatch.empty()) {
        result.first_mismatch = fmt::format("memory at {} is {:#04x}; the instructions, one after the other, leave {:#04x}", place_of(program_, range.address + i), ours[i], theirs[i]);
      }
    }
  }

  const isa::Program& program_;
  const isa::Geometry geometry_;
  Memory& memory_;
  const bool compare_;
};

bool is_text(const std::string& name) { return std::filesystem::path(name).extension() == ".s"; }

// Gives a region to what stands before the first one.
void name_beginning(isa::Program& program) {
  const auto is_region = [](const isa::Item& item) { return item.kind == isa::ItemKind::kRegion; };
  if (is_region(program.items.front())) return;
  const bool none = std::none_of(program.items.begin(), program.items.end(), is_region);
  program.regions.push_back({none ? "program" : "start", 0});
  program.items.insert(program.items.begin(), {isa::ItemKind::kRegion, {}, program.regions.size() - 1});
}

class ProgramWorkload final : public Workload {
 public:
  ProgramWorkload(const std::string& name, const config::MachineConfig& machine)
      : program_(is_text(name) ? isa::assemble(read_file(name), name) : isa::read_container(name)), geometry_(config::geometry_of(machine.params)) {
    if (std::none_of(program_.items.begin(), program_.items.end(), [](const isa::Item& item) { return item.kind == isa::ItemKind::kCommand; })) {
      throw ConfigError(name + ": has no commands");
    }
    if (program_.encoding.revision != machine.params.revision) {
      throw ConfigError(fmt::format("{}: is encoded for revision {}, the machine is of revision {} (--set revision={})", name, program_.encoding.revision, machine.params.revision,
                                    program_.encoding.revision));
    }
    geometry_.loop_conv_encoding = program_.encoding.loop_conv;
    if (program_.items.back().kind != isa::ItemKind::kFence) program_.fence();
    for (const isa::Finding& finding : isa::check_legality(program_, geometry_)) {
      if (finding.severity == isa::Finding::Severity::kError) throw ModelError(name, finding.instruction, fmt::format("item {}: {}", finding.item, finding.what));
      warnings_.push_back(fmt::format("item {}: {} ({})", finding.item, finding.what, finding.instruction));
    }
    name_beginning(program_);
  }

  [[nodiscard]] std::uint64_t seq() const override { return 0; }
  [[nodiscard]] std::uint64_t layers() const override { return 0; }
  [[nodiscard]] const isa::Program& program() const override { return program_; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }
  [[nodiscard]] bool compares_with_functional_model() const override { return true; }
  [[nodiscard]] std::unique_ptr<Follower> follow(Memory& memory, bool compare) const override {
    return std::make_unique<ProgramFollower>(program_, geometry_, memory, compare);
  }

 private:
  isa::Program program_;
  isa::Geometry geometry_;
  std::vector<std::string> warnings_;
};

}  // namespace

bool is_program(const std::string& name) { return is_text(name) || std::filesystem::path(name).extension() == ".systole"; }

std::unique_ptr<Workload> make_program_workload(const WorkloadRequest& request, const config::MachineConfig& machine) {
  const auto refuse = [](bool given, const char* option) {
    if (given) throw ConfigError(fmt::format("{}: a program is run as it is", option));
  };
  refuse(request.seq != 0, "--seq");
  refuse(request.layers != 0, "--layers");
  refuse(request.batch > 1, "--batch");
  refuse(request.generate != 0, "--generate");
  refuse(!request.tokens.empty(), "--tokens");
  refuse(!request.input.empty(), "--input");
  refuse(request.language_head || request.no_language_head, "--head and --no-head");
  return std::make_unique<ProgramWorkload>(request.name, machine);
}

}  // namespace systole::run
