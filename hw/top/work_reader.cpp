#include "hw/top/work_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "hw/dma/tlb.h"
#include "hw/host/command_decoder.h"
#include "hw/params/derived.h"
#include "isa/local_address.h"

namespace systole::hw {
namespace {

namespace fields = isa::fields;
using isa::Instruction;
using isa::Op;

constexpr std::uint64_t kUnit = 0x3F800000;         // 1.0f: always the scale number 0
constexpr std::uint64_t kKeepScale = 0xFFFFFFFF;    // config_st: the scale stays (StoreController.scala)

std::uint64_t page_of(std::uint64_t address) { return address >> Tlb::kPageBits; }

std::uint64_t number_of(std::vector<std::uint64_t>& known, std::uint64_t word) {
  const auto at = std::find(known.begin(), known.end(), word);
  if (at != known.end()) return static_cast<std::uint64_t>(at - known.begin());
  known.push_back(word);
  return known.size() - 1;
}

std::optional<std::uint32_t> index_of(const std::vector<std::uint64_t>& known, std::uint64_t word) {
  const auto at = std::find(known.begin(), known.end(), word);
  if (at == known.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - known.begin());
}

bool is_load(Op op) { return op == Op::kMvin || op == Op::kMvin2 || op == Op::kMvin3; }
unsigned load_state(Op op) { return op == Op::kMvin ? 0 : op == Op::kMvin2 ? 1 : 2; }

// Extension registers that time does not depend on.
bool only_values(const Instruction& config_norm) {
  const auto extension = static_cast<isa::ExtensionRegister>(fields::ConfigNorm::ext_select.get(config_norm));
  return extension == isa::ExtensionRegister::kPreShift || extension == isa::ExtensionRegister::kFlags;
}

std::optional<unsigned> loop_word(Op op) {
  switch (op) {
    case Op::kLoopWsBounds: return 0;
    case Op::kLoopWsAddrsAb: return 1;
    case Op::kLoopWsAddrsDc: return 2;
    case Op::kLoopWsStridesAb: return 3;
    case Op::kLoopWsStridesDc: return 4;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<Work::Name> Work::name_of(const Residual::Named& named) const {
  if (named.kind == Residual::Name::kPage) {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if (named.word >= pages[i].first && named.word <= pages[i].last) return Name{named.kind, static_cast<std::uint32_t>(i + 1), named.word - pages[i].first};
    }
    return Name{named.kind, 0, 0};
  }
  if (named.kind == Residual::Name::kRegister || named.kind == Residual::Name::kTurn) return Name{named.kind, 0, named.word};
  const auto index = index_of(named.kind == Residual::Name::kScale ? scales : constants, named.word);
  if (!index) return std::nullopt;
  return Name{named.kind, *index, 0};
}

std::optional<std::uint64_t> Work::word_of(const Name& name) const {
  if (name.kind == Residual::Name::kRegister || name.kind == Residual::Name::kTurn) return name.place;
  if (name.kind == Residual::Name::kScale) return scales.at(name.number);
  if (name.kind == Residual::Name::kConstant) return constants.at(name.number);
  if (name.number == 0) return std::nullopt;
  return pages.at(name.number - 1).first + name.place;
}

WorkReader::WorkReader(const MachineParams& params, const Memory& memory, const isa::Program& program, const ZeroSums* zero_sums)
    : params_(params), memory_(memory), program_(program), zero_sums_(zero_sums) {}

std::optional<Op> WorkReader::decode(const Instruction& instruction) const {
  return decode_host_command(instruction, params_.revision, program_.encoding.loop_conv);
}

std::optional<isa::HostOperation> WorkReader::host_operation(const isa::Item& item) const {
  if (item.value >= program_.host_ops.size()) return std::nullopt;
  try {
    return isa::decode_host_operation(program_.host_ops[item.value]);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

std::string WorkReader::refusal() const {
  Registers registers;
  std::size_t number = 0;
  for (const isa::Item& item : program_.items) {
    if (item.kind == isa::ItemKind::kHostOp && !host_operation(item)) return "a host operation is not known";
    if (item.kind != isa::ItemKind::kCommand) continue;
    const std::size_t command = number++;
    const std::optional<Op> op = decode(item.instruction);
    if (!op) return fmt::format("command {} is no instruction of this machine", command);
    const isa::OpInfo& info = isa::info(*op);
    const auto refuse = [&](const char* what) { return fmt::format("command {} ({}) {}", command, info.mnemonic, what); };
    if (info.queue == isa::Queue::kLoop && !loop_word(*op) && *op != Op::kLoopWs) return refuse("is not repeated");
    if (*op == Op::kConfigSt && (fields::ConfigSt::pool_stride.get(item.instruction) != 0 || fields::ConfigSt::pool_size.get(item.instruction) != 0)) {
      return refuse("pools");
    }
    if (*op == Op::kLoopWs && registers.loop_set != kLoopWhole) return refuse("reuses the configuration of an earlier loop");
    configure(*op, item.instruction, registers);
  }
  return {};
}

void WorkReader::configure(Op op, const Instruction& i, Registers& registers) const {
  if (op == Op::kConfigLd) {
    const auto state = fields::ConfigLd::state.get(i);
    if (state >= registers.load_stride.size()) return;
    registers.load_stride[state] = fields::ConfigLd::stride.get(i);
    registers.scaled[state] = fields::ConfigLd::scale.get(i) != kUnit;
    registers.shrink[state] = fields::ConfigLd::shrink.get(i) != 0;
  } else if (op == Op::kConfigSt) {
    registers.store_stride = fields::ConfigSt::stride.get(i);
  } else if (op == Op::kLoopWs) {
    registers.loop_set = 0;
  } else if (const auto word = loop_word(op)) {
    registers.loop[*word] = i;
    registers.loop_set |= 1u << *word;
  }
}

bool WorkReader::accesses(Op op, const Instruction& i, const Registers& registers, std::vector<Access>& out) const {
  const auto dim = static_cast<std::uint64_t>(params_.array.dim);
  if (is_load(op) || op == Op::kMvout) {
    const std::uint64_t address = fields::Mvin::dram.get(i);
    const bool store = op == Op::kMvout;
    if (address == 0 && !store) return true;
    const isa::LocalAddress local(static_cast<std::uint32_t>(fields::Mvin::local.get(i)));
    const std::uint64_t rows = fields::Mvin::rows.get(i) & ((1u << rows_bits(params_)) - 1);
    const std::uint64_t cols = fields::Mvin::cols.get(i) & ((1u << mv_cols_bits(params_)) - 1);
    if (rows == 0 || cols == 0) return false;
    // Rows that only enter the statistics go no further.
    if (store && params_.sfu.normaliser != 0 && local.is_accumulator() && local.norm_command() != 0) return true;
    const bool wide = local.is_accumulator() && (store ? local.full_row() : !registers.shrink[load_state(op)]);
    out.push_back({address, store ? registers.store_stride : registers.load_stride[load_state(op)], rows, cols * (wide ? 4 : 1), store});
    return true;
  }
  if (op != Op::kLoopWs) return true;

  // The loop's tiles: `across` tiles of a row of tiles lie side by side; rows of a tile are as far apart as the load state or config_st says.
  const Instruction& bounds = registers.loop[0];
  const std::uint64_t max_i = fields::LoopWsBounds::max_i.get(bounds);
  const std::uint64_t max_j = fields::LoopWsBounds::max_j.get(bounds);
  const std::uint64_t max_k = fields::LoopWsBounds::max_k.get(bounds);
  // Elements that the last tile of each direction lacks.
  const std::uint64_t pad_i = fields::LoopWsBounds::pad_i.get(bounds) % dim;
  const std::uint64_t pad_j = fields::LoopWsBounds::pad_j.get(bounds) % dim;
  const std::uint64_t pad_k = fields::LoopWsBounds::pad_k.get(bounds) % dim;
  const bool residual_add = fields::LoopWs::is_resadd.get(i) != 0;
  if (max_i == 0 || max_j == 0 || (max_k == 0 && !residual_add)) return false;
  bool known = true;
  const auto tiles = [&](std::uint64_t address, std::uint64_t down, std::uint64_t pad_down, std::uint64_t across, std::uint64_t pad_across,
                         std::uint64_t loop_stride, std::uint64_t row_stride, std::uint64_t element, bool store) {
    if (address == 0) return;
    const std::uint64_t bytes = (across * dim - pad_across) * element;
    const std::uint64_t limit = std::uint64_t{1} << 32;   // offsets inside an operand have 32 bits (LoopMatmul.scala castDramOffset)
    if (loop_stride >= limit || row_stride >= limit || down * dim * std::max(loop_stride * element, row_stride) + bytes >= limit) {
      known = false;
    } else if (row_stride == loop_stride * element) {
      out.push_back({address, row_stride, down * dim - pad_down, bytes, store});
    } else {
      out.push_back({address, 0, 1, (down - 1) * dim * loop_stride * element + dim * std::max(row_stride, loop_stride * element) + bytes, store});
    }
  };
  const std::uint64_t a = fields::LoopWsAddrsAb::a.get(registers.loop[1]);
  const std::uint64_t b = fields::LoopWsAddrsAb::b.get(registers.loop[1]);
  const std::uint64_t d = fields::LoopWsAddrsDc::d.get(registers.loop[2]);
  const std::uint64_t c = fields::LoopWsAddrsDc::c.get(registers.loop[2]);
  const std::uint64_t a_stride = fields::LoopWsStridesAb::a.get(registers.loop[3]);
  const std::uint64_t b_stride = fields::LoopWsStridesAb::b.get(registers.loop[3]);
  const std::uint64_t d_stride = fields::LoopWsStridesDc::d.get(registers.loop[4]);
  const std::uint64_t c_stride = fields::LoopWsStridesDc::c.get(registers.loop[4]);
  if (residual_add) {
    tiles(a, max_i, pad_i, max_j, pad_j, a_stride, registers.load_stride[0], registers.shrink[0] ? 1 : 4, false);
    tiles(b, max_i, 0, max_j, pad_j, b_stride, registers.load_stride[1], registers.shrink[1] ? 1 : 4, false);
  } else {
    const bool a_transpose = fields::LoopWs::a_transpose.get(i) != 0;
    const bool b_transpose = fields::LoopWs::b_transpose.get(i) != 0;
    // Rows of B are never short (LoopMatmul.scala compares the bound with itself).
    tiles(a, a_transpose ? max_k : max_i, a_transpose ? pad_k : pad_i, a_transpose ? max_i : max_k, a_transpose ? pad_i : pad_k, a_stride, registers.load_stride[0], 1, false);
    tiles(b, b_transpose ? max_j : max_k, 0, b_transpose ? max_k : max_j, b_transpose ? pad_k : pad_j, b_stride, registers.load_stride[1], 1, false);
    const std::size_t before = out.size();
    tiles(d, max_i, pad_i, max_j, pad_j, d_stride, registers.load_stride[2], fields::LoopWs::low_d.get(i) != 0 ? 1 : 4, false);
    if (out.size() > before) out.back().bias = true;
  }
  tiles(c, max_i, pad_i, max_j, pad_j, c_stride, registers.store_stride, fields::LoopWs::full_c.get(i) != 0 ? 4 : 1, true);
  return known;
}

void WorkReader::note_settings(Op op, const Instruction& i, const Registers& registers, Work& work) const {
  using Setting = Residual::Setting;
  const auto index = [](Setting setting) { return static_cast<std::size_t>(setting); };
  const auto use = [&](Setting setting) {
    if (!work.sets[index(setting)]) work.uses[index(setting)] = true;
  };
  const auto use_store = [&] {
    use(Setting::kStore);
    use(Setting::kActivation);
  };
  // Loads of whole accumulator words, and with extension E2 all loads into the accumulator, pass beside this scaler (hw/dma/reader.cpp).
  const auto load = [&](std::size_t state, bool to_accumulator) {
    use(Residual::load_setting(state));
    const bool beside = to_accumulator && (!registers.shrink[state] || params_.sfu.mvin_acc_scale != 0);
    if (registers.scaled[state] && !beside) use(Setting::kScaledLoad);
  };
  if (is_load(op)) {
    load(load_state(op), isa::LocalAddress(static_cast<std::uint32_t>(fields::Mvin::local.get(i))).is_accumulator());
  } else if (op == Op::kMvout) {
    use_store();
  } else if (op == Op::kConfigLd) {
    const auto state = fields::ConfigLd::state.get(i);
    if (state < registers.load_stride.size()) work.sets[index(Residual::load_setting(state))] = true;
  } else if (op == Op::kConfigSt) {
    if (fields::ConfigSt::acc_scale.get(i) == kKeepScale) use(Setting::kStore);
    work.sets[index(Setting::kStore)] = work.sets[index(Setting::kActivation)] = true;
  } else if (op == Op::kConfigNorm) {
    use(Setting::kActivation);
    work.sets[index(Setting::kActivation)] = true;
  } else if (op == Op::kLoopWs) {
    const bool residual_add = fields::LoopWs::is_resadd.get(i) != 0;
    if (fields::LoopWsAddrsAb::a.get(registers.loop[1]) != 0) load(0, residual_add);
    if (fields::LoopWsAddrsAb::b.get(registers.loop[1]) != 0) load(1, residual_add);
    if (fields::LoopWsAddrsDc::d.get(registers.loop[2]) != 0) load(2, true);
    if (fields::LoopWsAddrsDc::c.get(registers.loop[2]) != 0) use_store();
  }
}

Work WorkReader::read(std::size_t begin, std::size_t end, const Residual& state) {
  SYSTOLE_CHECK(begin >= at_ && end <= program_.items.size());
  for (; at_ < begin; ++at_) {
    const isa::Item& item = program_.items[at_];
    if (item.kind == isa::ItemKind::kCommand) configure(*decode(item.instruction), item.instruction, registers_);
    if (item.kind == isa::ItemKind::kFence) ++fences_;
  }
  Work work;
  work.scales.push_back(kUnit);
  Registers registers = registers_;
  for (std::size_t at = begin; at < end; ++at) {
    const isa::Item& item = program_.items[at];
    if (item.kind != isa::ItemKind::kCommand) continue;
    const Op op = *decode(item.instruction);
    note_settings(op, item.instruction, registers, work);
    configure(op, item.instruction, registers);
  }
  registers = registers_;
  work.words = state.words();
  if (zero_sums_ != nullptr) {
    // Rows whose sum is 0, counted from the piece's first one. Between two fences it is not known which of them belong to which loop: pieces
    // with such rows differ from all others.
    std::size_t fences = fences_;
    for (std::size_t at = begin; at < end; ++at) fences += program_.items[at].kind == isa::ItemKind::kFence ? 1u : 0u;
    const auto fence = [&](std::size_t item) { return item == 0 || program_.items[item - 1].kind == isa::ItemKind::kFence; };
    const bool whole = fence(begin) && fence(end);
    const bool last_stretch = !fence(end) && fences == zero_sums_->at_fence.size();
    if (!fence(end)) ++fences;
    const std::uint64_t from = fences_ == 0 ? 0 : zero_sums_->at_fence.at(fences_ - 1);
    const std::uint64_t to = last_stretch ? ~std::uint64_t{0} : fences == 0 ? 0 : zero_sums_->at_fence.at(fences - 1);
    const auto first = std::lower_bound(zero_sums_->rows.begin(), zero_sums_->rows.end(), from);
    const auto last = std::lower_bound(first, zero_sums_->rows.end(), to);
    work.words.push_back(static_cast<std::uint64_t>(last - first));
    if (!whole && last != first) work.words.push_back(begin);
    for (auto row = first; row != last; ++row) work.words.push_back(*row - from);
  }
  for (const Residual::Named& named : state.names()) {
    if (named.setting != Residual::Setting::kAlways && !work.uses[static_cast<std::size_t>(named.setting)]) continue;
    if (named.kind == Residual::Name::kScale) work.words.push_back(number_of(work.scales, named.word));
    if (named.kind == Residual::Name::kConstant) work.words.push_back(number_of(work.constants, named.word));
    if (named.kind == Residual::Name::kRegister || named.kind == Residual::Name::kTurn) work.words.push_back(named.word);
  }

  std::vector<Access> list;
  std::vector<std::size_t> places;   // of each access in the words
  const auto put = [&](auto... values) { (work.words.push_back(static_cast<std::uint64_t>(values)), ...); };
  for (std::size_t at = begin; at < end; ++at) {
    const isa::Item& item = program_.items[at];
    put(item.kind);
    if (item.kind == isa::ItemKind::kGap) put(item.value);
    if (item.kind == isa::ItemKind::kHostOp) {
      // Its time depends on its size; it does not go through the accelerator's port.
      const isa::HostOperation operation = *host_operation(item);
      put(operation.kind, operation.rows, operation.elements());
      for (const isa::HostRange& range : isa::ranges_of(operation)) work.in_memory = work.in_memory && memory_.contains(range.address, range.bytes);
    }
    if (item.kind != isa::ItemKind::kCommand) continue;
    const Op op = *decode(item.instruction);
    Instruction i = item.instruction;
    put(op);
    const std::size_t first = list.size();
    work.in_memory = accesses(op, i, registers, list) && work.in_memory;
    configure(op, i, registers);
    if (op == Op::kConfigLd) {
      put(number_of(work.scales, fields::ConfigLd::scale.get(i)));
      fields::ConfigLd::scale.set(i, 0);
    } else if (op == Op::kConfigSt) {
      const std::uint64_t scale = fields::ConfigSt::acc_scale.get(i);
      put(scale == kKeepScale, scale == kKeepScale ? 0 : number_of(work.scales, scale));
      fields::ConfigSt::acc_scale.set(i, 0);
    } else if (op == Op::kConfigNorm && only_values(i)) {
      fields::ConfigNorm::q_const.set(i, 0);
    } else if (op == Op::kConfigNorm && fields::ConfigNorm::ext_select.get(i) == 0) {
      for (const isa::Field& field : {fields::ConfigNorm::q_const, fields::ConfigNorm::qb, fields::ConfigNorm::qc}) {
        put(number_of(work.constants, field.get(i)));
        field.set(i, 0);
      }
    } else if (op == Op::kLoopWsAddrsAb || op == Op::kLoopWsAddrsDc) {
      // Which of them are 0; the addresses follow with the loop.
      i.rs1 = i.rs1 != 0 ? 1 : 0;
      i.rs2 = i.rs2 != 0 ? 1 : 0;
    } else if (is_load(op) || op == Op::kMvout) {
      i.rs1 = i.rs1 != 0 ? 1 : 0;
    }
    put(i.rs1, i.rs2);
    for (std::size_t access = first; access < list.size(); ++access) {
      places.push_back(work.words.size());
      put(0, 0);
    }
  }

  // Accesses that share a page belong to one stretch.
  std::vector<std::size_t> order(list.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return list[x].address < list[y].address; });
  std::vector<Work::Pages> stretches;
  std::vector<std::uint32_t> stretch_of(list.size());
  for (const std::size_t i : order) {
    const Access& access = list[i];
    const bool inside = memory_.contains(access.address, 1) && access.last() >= access.address && memory_.contains(access.address, access.last() - access.address + 1);
    work.in_memory = work.in_memory && inside;
    const std::uint64_t first = page_of(access.address);
    const std::uint64_t last = page_of(access.last());
    if (stretches.empty() || first > stretches.back().last) {
      stretches.push_back({first, last});
    } else {
      stretches.back().last = std::max(stretches.back().last, last);
    }
    stretch_of[i] = static_cast<std::uint32_t>(stretches.size() - 1);
  }
  constexpr std::uint32_t kUnnumbered = ~std::uint32_t{0};
  std::vector<std::uint32_t> numbers(stretches.size(), kUnnumbered);
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::uint32_t& number = numbers[stretch_of[i]];
    if (number == kUnnumbered) {
      work.pages.push_back(stretches[stretch_of[i]]);
      number = static_cast<std::uint32_t>(work.pages.size());
    }
    work.words[places[i]] = number;
    work.words[places[i] + 1] = list[i].address - (stretches[stretch_of[i]].first << Tlb::kPageBits);
  }
  for (const Residual::Named& named : state.names()) {
    if (named.kind != Residual::Name::kPage) continue;
    const Work::Name name = *work.name_of(named);
    put(name.number, name.place);
  }
  return work;
}

// Whether the two touch a common byte; "yes" when in doubt.
bool WorkReader::overlap(const Access& a, const Access& b) {
  if (a.last() < b.address || b.last() < a.address) return false;
  if (a.rows == 1 && b.rows == 1) return true;
  const std::uint64_t stride = a.rows > 1 ? a.stride : b.stride;
  if ((a.rows > 1 && b.rows > 1 && a.stride != b.stride) || stride == 0 || a.bytes > stride || b.bytes > stride) return true;
  // Columns of one matrix: b's first column, counted from a's.
  const std::uint64_t column = b.address >= a.address ? (b.address - a.address) % stride : (stride - (a.address - b.address) % stride) % stride;
  return column < a.bytes || column + b.bytes > stride;
}

std::string WorkReader::memory_race() const {
  Registers registers;
  std::vector<Access> list;
  std::vector<std::size_t> commands;
  std::size_t number = 0;
  std::string found;
  const auto check = [&] {
    std::vector<std::size_t> order(list.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return list[x].address < list[y].address; });
    std::vector<std::size_t> open;   // accesses that reach beyond the running address
    for (const std::size_t i : order) {
      open.erase(std::remove_if(open.begin(), open.end(), [&](std::size_t o) { return list[o].last() < list[i].address; }), open.end());
      for (const std::size_t o : open) {
        if (!list[o].store && !list[i].store) continue;
        if (commands[o] == commands[i] && in_place(list[o], list[i])) continue;
        if (overlap(list[o], list[i])) {
          found = fmt::format("commands {} and {} use the same bytes of memory with no fence between them", std::min(commands[o], commands[i]),
                              std::max(commands[o], commands[i]));
          return;
        }
      }
      open.push_back(i);
    }
    list.clear();
    commands.clear();
  };
  for (const isa::Item& item : program_.items) {
    if (item.kind == isa::ItemKind::kFence) check();
    if (item.kind == isa::ItemKind::kHostOp) {
      for (const isa::HostRange& range : isa::ranges_of(*host_operation(item))) {
        for (const Access& access : list) {
          if ((access.store || range.written) && overlap(access, {range.address, 0, 1, range.bytes, range.written, false})) return "a host operation uses bytes that a command before it uses, with no fence between them";
        }
      }
    }
    if (!found.empty()) return found;
    if (item.kind != isa::ItemKind::kCommand) continue;
    const Op op = *decode(item.instruction);
    if (!accesses(op, item.instruction, registers, list)) return fmt::format("command {} names no memory that it could use", number);
    commands.resize(list.size(), number);
    configure(op, item.instruction, registers);
    ++number;
  }
  check();
  return found;
}

}  // namespace systole::hw
