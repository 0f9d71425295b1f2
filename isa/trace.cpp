#include "isa/trace.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "isa/text.h"
#include "sim/base/crc32.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::isa {
namespace {

constexpr std::string_view kHeader = "# systole-trace 1";
constexpr std::uint64_t kMaxFunct = 127;
constexpr std::uint64_t kMaxGap = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxLatency = 1000000;
constexpr std::uint64_t kMaxWay = 255;

class Reader {
 public:
  explicit Reader(const std::string& name) { trace_.name = name; }

  Trace read(std::string_view text) {
    const std::vector<std::string_view> lines = split_lines(text);
    if (lines.empty() || SourceLine(trace_.name, 1, lines[0]).rest(0) != kHeader) {
      throw ConfigError(fmt::format("{}:1:1: error: the first line is not '{}'", trace_.name, kHeader));
    }
    for (std::size_t i = 1; i < lines.size(); ++i) line(SourceLine(trace_.name, i + 1, lines[i]));
    const std::vector<Item>& items = trace_.program.items;
    std::size_t last = items.size();
    while (last > 0 && items[last - 1].kind == ItemKind::kRegion) --last;
    if (last == 0 || items[last - 1].kind != ItemKind::kFence) {
      throw ConfigError(fmt::format("{}:{}:1: error: {}", trace_.name, lines.size() + 1,
                                    "the stream does not end with 'fence' (is the file truncated?)"));
    }
    trace_.program.encoding.loop_conv = trace_.loop_conv_encoding;
    if (const std::string* revision = trace_.setting("revision"))
      trace_.program.encoding.revision = *revision == "2025" ? 2025 : 2023;
    return std::move(trace_);
  }

 private:
  void line(const SourceLine& at) {
    if (at.words().empty()) return;
    const std::string_view word = at.words()[0].text;
    if (word[0] == '#') return comment(at);
    if (word == "cmd") return command(at);
    if (word == "gap") return gap(at);
    if (word == "fence") return fence(at);
    if (word == "fill") return fill(at);
    if (word == "check") return check(at);
    if (word == "resident") return resident(at);
    if (word == "machine") return machine(at);
    if (word == "mem") return memory(at);
    at.fail_choice(at.words()[0], fmt::format("unknown word {}", quoted(word)),
                   {"cmd", "gap", "fence", "fill", "check", "resident", "machine", "mem"});
  }

  void comment(const SourceLine& at) {
    const auto& words = at.words();
    if (words[0].text != "#" || words.size() < 3) return;
    if (words[1].text == "region") {
      trace_.program.region(std::string(at.rest(2)));
    } else if (words[1].text == "tensor") {
      at.expect_words(5, "# tensor <name> <address hex> <bytes>");
      const std::uint64_t address = at.hexadecimal(words[3], "address");
      trace_.program.symbols.push_back({std::string(words[2].text), address, range_bytes(at, words[4], address)});
    } else if (words[1].text == "loop_conv" && words[2].text.substr(0, 9) == "encoding=") {
      const Word value{words[2].text.substr(9), words[2].column + 9};
      if (value.text == "2023") {
        trace_.loop_conv_encoding = 2023;
      } else if (value.text == "2025") {
        trace_.loop_conv_encoding = 2025;
      } else {
        at.fail_choice(value, fmt::format("unknown encoding {}", quoted(value.text)), {"2023", "2025"});
      }
    }
  }

  void command(const SourceLine& at) {
    at.expect_words(4, "cmd <funct> <rs1 hex> <rs2 hex>");
    Instruction instruction;
    instruction.funct = static_cast<std::uint8_t>(at.decimal(at.words()[1], "funct", kMaxFunct));
    instruction.rs1 = at.hexadecimal(at.words()[2], "rs1");
    instruction.rs2 = at.hexadecimal(at.words()[3], "rs2");
    trace_.program.command(instruction);
    started_ = true;
  }

  void gap(const SourceLine& at) {
    at.expect_words(2, "gap <cycles>");
    trace_.program.gap(at.decimal(at.words()[1], "gap", kMaxGap));
    started_ = true;
  }

  void fence(const SourceLine& at) {
    at.expect_words(1, "fence");
    trace_.program.fence();
    started_ = true;
  }

  void fill(const SourceLine& at) {
    const auto& words = at.words();
    at.expect_words(7, "fill <address hex> <bytes> <int8|int32> <lo> <hi> <seed>");
    Fill result;
    result.line = at.number();
    result.address = at.hexadecimal(words[1], "address");
    result.bytes = range_bytes(at, words[2], result.address);
    if (words[3].text == "int8") {
      result.element_bytes = 1;
    } else if (words[3].text == "int32") {
      result.element_bytes = 4;
    } else {
      at.fail_choice(words[3], fmt::format("unknown element type {}", quoted(words[3].text)), {"int8", "int32"});
    }
    if (result.bytes % static_cast<std::uint64_t>(result.element_bytes) != 0) {
      at.fail(words[2], fmt::format("{} bytes are not whole int32 elements", result.bytes));
    }
    const std::int64_t min = result.element_bytes == 1 ? -128 : std::numeric_limits<std::int32_t>::min();
    const std::int64_t max = result.element_bytes == 1 ? 127 : std::numeric_limits<std::int32_t>::max();
    result.lo = at.signed_decimal(words[4], "lowest value", min, max);
    result.hi = at.signed_decimal(words[5], "highest value", min, max);
    if (result.lo > result.hi) {
      at.fail(words[5], fmt::format("highest value {} is below the lowest {}", result.hi, result.lo));
    }
    result.seed = at.decimal(words[6], "seed");
    trace_.fills.push_back(result);
  }

  void check(const SourceLine& at) {
    at.expect_words(3, "check <address hex> <bytes>");
    const std::uint64_t address = at.hexadecimal(at.words()[1], "address");
    trace_.checks.push_back({address, range_bytes(at, at.words()[2], address), at.number()});
  }

  void resident(const SourceLine& at) {
    const auto& words = at.words();
    at.expect_words(5, "resident <address hex> <bytes> <clean|dirty> <way>");
    if (started_) at.fail(words[0], "'resident' after the first command");
    const std::uint64_t address = at.hexadecimal(words[1], "address");
    const std::uint64_t bytes = range_bytes(at, words[2], address);
    const bool dirty = words[3].text == "dirty";
    if (!dirty && words[3].text != "clean") {
      at.fail_choice(words[3], fmt::format("unknown line state {}", quoted(words[3].text)), {"clean", "dirty"});
    }
    const int way = static_cast<int>(at.decimal(words[4], "way", kMaxWay));
    trace_.residents.push_back({address, bytes, dirty, way, at.number()});
  }

  void machine(const SourceLine& at) {
    if (started_) at.fail(at.words()[0], "'machine' after the first command");
    for (std::size_t i = 1; i < at.words().size(); ++i) {
      const Word& word = at.words()[i];
      const std::size_t equals = word.text.find('=');
      if (equals == std::string_view::npos || equals == 0 || equals + 1 == word.text.size()) {
        at.fail(word, fmt::format("{} is not of the form key=value", quoted(word.text)));
      }
      const std::string_view key = word.text.substr(0, equals);
      if (trace_.setting(key) != nullptr) at.fail(word, fmt::format("machine key {} appears twice", quoted(key)));
      trace_.machine.push_back({std::string(key), std::string(word.text.substr(equals + 1)), at.number()});
    }
  }

  void memory(const SourceLine& at) {
    const auto& words = at.words();
    at.expect_words(3, "mem latency=<cycles> beat_bytes=<bytes>");
    if (trace_.memory) at.fail(words[0], "a second 'mem' line");
    if (started_) at.fail(words[0], "'mem' after the first command");
    TraceMemory result;
    result.latency = at.decimal(assigned(at, words[1], "latency="), "latency", kMaxLatency);
    const Word beat = assigned(at, words[2], "beat_bytes=");
    result.beat_bytes = at.decimal(beat, "beat_bytes");
    if (result.beat_bytes < 4 || result.beat_bytes > 64 || (result.beat_bytes & (result.beat_bytes - 1)) != 0) {
      at.fail(beat, fmt::format("beat_bytes {} is not a power of two in 4..64", result.beat_bytes));
    }
    trace_.memory = result;
  }

  static Word assigned(const SourceLine& at, const Word& word, std::string_view prefix) {
    if (word.text.substr(0, prefix.size()) != prefix) {
      at.fail(word, fmt::format("{} where '{}' is expected", quoted(word.text), prefix));
    }
    return {word.text.substr(prefix.size()), word.column + prefix.size()};
  }

  static std::uint64_t range_bytes(const SourceLine& at, const Word& word, std::uint64_t address) {
    const std::uint64_t bytes = at.decimal(word, "size");
    if (bytes > ~std::uint64_t{0} - address) at.fail(word, fmt::format("{} bytes pass the end of memory", bytes));
    return bytes;
  }

  Trace trace_;
  bool started_ = false;
};

[[noreturn]] void outside(const Trace& trace, std::size_t line, std::uint64_t address, std::uint64_t bytes,
                          const Memory& memory) {
  throw ConfigError(fmt::format("{}:{}: error: {} bytes at {:#x} are outside of memory {:#x}..{:#x}", trace.name, line,
                                bytes, address, memory.base(), memory.base() + (memory.bytes() - 1)));
}

// x mod n by multiplication: a division takes most of the time of a large fill. The estimated quotient is at most two too small.
__extension__ typedef unsigned __int128 Uint128;
class Remainder {
 public:
  explicit Remainder(std::uint64_t n) : n_(n), inverse_(~std::uint64_t{0} / n) {}
  std::uint64_t operator()(std::uint64_t x) const {
    const auto quotient = static_cast<std::uint64_t>(static_cast<Uint128>(x) * inverse_ >> 64);
    std::uint64_t rest = x - quotient * n_;
    while (rest >= n_) rest -= n_;
    return rest;
  }

 private:
  std::uint64_t n_;
  std::uint64_t inverse_;
};

}  // namespace

const std::string* Trace::setting(std::string_view key) const {
  for (const MachineSetting& entry : machine) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Trace parse_trace(std::string_view text, const std::string& name) { return Reader(name).read(text); }

Trace read_trace(const std::string& path) { return parse_trace(read_file(path), path); }

std::string format_trace(const Trace& trace) {
  const Program& program = trace.program;
  if (!program.image.empty() || !program.host_ops.empty()) {
    throw ConfigError(fmt::format("{}: error: a trace cannot hold an image or operations of the CPU", trace.name));
  }
  std::string text = fmt::format("{}\n", kHeader);
  if (!trace.machine.empty()) {
    text += "machine";
    for (const MachineSetting& entry : trace.machine) text += fmt::format(" {}={}", entry.key, entry.value);
    text += "\n";
  }
  if (trace.memory)
    text += fmt::format("mem latency={} beat_bytes={}\n", trace.memory->latency, trace.memory->beat_bytes);
  text += fmt::format("# loop_conv encoding={}\n", trace.loop_conv_encoding);
  for (const Symbol& symbol : program.symbols)
    text += fmt::format("# tensor {} {:x} {}\n", symbol.name, symbol.address, symbol.bytes);
  for (const Fill& fill : trace.fills) {
    text += fmt::format("fill {:x} {} {} {} {} {}\n", fill.address, fill.bytes,
                        fill.element_bytes == 1 ? "int8" : "int32", fill.lo, fill.hi, fill.seed);
  }
  for (const Resident& resident : trace.residents) {
    text += fmt::format("resident {:x} {} {} {}\n", resident.address, resident.bytes,
                        resident.dirty ? "dirty" : "clean", resident.way);
  }
  for (const Item& item : program.items) {
    switch (item.kind) {
      case ItemKind::kCommand:
        text += fmt::format("cmd {} {:x} {:x}\n", item.instruction.funct, item.instruction.rs1, item.instruction.rs2);
        break;
      case ItemKind::kGap:
        text += fmt::format("gap {}\n", item.value);
        break;
      case ItemKind::kFence:
        text += "fence\n";
        break;
      case ItemKind::kRegion:
        SYSTOLE_CHECK(item.value < program.regions.size());
        text += fmt::format("# region {}\n", program.regions[item.value].name);
        break;
      case ItemKind::kHostOp:
        SYSTOLE_CHECK(false);
    }
  }
  for (const CheckRange& check : trace.checks) text += fmt::format("check {:x} {}\n", check.address, check.bytes);
  return text;
}

void apply_fills(const Trace& trace, Memory& memory) {
  for (const Fill& fill : trace.fills) {
    if (!memory.contains(fill.address, fill.bytes)) outside(trace, fill.line, fill.address, fill.bytes, memory);
    SplitMix64 random(fill.seed);
    const Remainder below(static_cast<std::uint64_t>(fill.hi - fill.lo) + 1);
    const auto lo = static_cast<std::uint64_t>(fill.lo);
    std::uint8_t* to = memory.at(fill.address, fill.bytes);
    std::uint8_t* const end = to + fill.bytes;
    if (fill.element_bytes == 1) {
      while (to != end) *to++ = static_cast<std::uint8_t>(lo + below(random.next()));
    }
    while (to != end) {
      const auto value = static_cast<std::uint32_t>(lo + below(random.next()));
      for (int byte = 0; byte < fill.element_bytes; ++byte) *to++ = static_cast<std::uint8_t>(value >> (8 * byte));
    }
  }
}

std::vector<std::uint32_t> check_crcs(const Trace& trace, const Memory& memory) {
  std::vector<std::uint32_t> result;
  result.reserve(trace.checks.size());
  for (const CheckRange& check : trace.checks) {
    if (!memory.contains(check.address, check.bytes)) outside(trace, check.line, check.address, check.bytes, memory);
    result.push_back(crc32_of(memory.at(check.address, check.bytes), check.bytes));
  }
  return result;
}

}  // namespace systole::isa
