#include "isa/assembler.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "isa/instruction.h"
#include "isa/local_address.h"
#include "isa/text.h"
#include "isa/trace.h"
#include "sim/base/errors.h"

namespace systole::isa {
namespace {

class Assembler {
 public:
  Assembler(std::string name, std::uint64_t max_image_bytes)
      : name_(std::move(name)), max_image_bytes_(max_image_bytes) {}

  Program assemble(std::string_view text) {
    std::size_t number = 0;
    for (const std::string_view full : split_lines(text)) {
      const SourceLine at(name_, ++number, without_comment(full), SourceLine::Words::kQuoted);
      if (at.words().empty()) continue;
      if (at.words()[0].text.front() == '.') {
        directive(at);
      } else {
        program_.command(instruction(at));
      }
    }
    return std::move(program_);
  }

 private:
  static std::string_view without_comment(std::string_view line) {
    bool in_quotes = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (in_quotes && line[i] == '\\') {
        ++i;
      } else if (line[i] == '"') {
        in_quotes = !in_quotes;
      } else if (!in_quotes && (line[i] == ';' || line[i] == '#')) {
        return line.substr(0, i);
      }
    }
    return line;
  }

  void directive(const SourceLine& at) {
    using Handler = void (Assembler::*)(const SourceLine&);
    static constexpr std::pair<const char*, Handler> kDirectives[] = {{".encoding", &Assembler::encoding},
                                                                      {".symbol", &Assembler::symbol},
                                                                      {".segment", &Assembler::segment},
                                                                      {".bytes", &Assembler::bytes},
                                                                      {".word", &Assembler::word},
                                                                      {".zero", &Assembler::zero},
                                                                      {".fill", &Assembler::fill},
                                                                      {".region", &Assembler::region},
                                                                      {".host", &Assembler::host},
                                                                      {".define_region", &Assembler::define_region},
                                                                      {".define_host", &Assembler::define_host},
                                                                      {".gap", &Assembler::gap},
                                                                      {".fence", &Assembler::fence}};
    std::vector<std::string> names;
    for (const auto& [name, handler] : kDirectives) {
      if (at.words()[0].text == name) return (this->*handler)(at);
      names.emplace_back(name);
    }
    at.fail_choice(at.words()[0], fmt::format("unknown directive {}", quoted(at.words()[0].text)), names);
  }

  void encoding(const SourceLine& at) {
    at.expect_words(3, ".encoding revision=<2023|2025> loop_conv=<2023|2025>");
    if (!program_.items.empty()) at.fail(at.words()[0], ".encoding after the first item");
    const auto year = [&](const Word& word, std::string_view key) {
      if (word.text == std::string(key) + "=2023") return 2023;
      if (word.text == std::string(key) + "=2025") return 2025;
      at.fail_choice(word, fmt::format("unknown encoding {}", quoted(word.text)),
                     {std::string(key) + "=2023", std::string(key) + "=2025"});
    };
    program_.encoding.revision = year(at.words()[1], "revision");
    program_.encoding.loop_conv = year(at.words()[2], "loop_conv");
  }

  void symbol(const SourceLine& at) {
    const auto& words = at.words();
    at.expect_words(4, ".symbol <name> <address> <bytes>");
    Symbol result;
    result.name = unquote_name(at, words[1]);
    result.address = at.any_base(words[2], "address");
    result.bytes = at.any_base(words[3], "size");
    if (result.bytes > ~std::uint64_t{0} - result.address)
      at.fail(words[3], fmt::format("{} bytes pass the end of memory", result.bytes));
    // Equal names are no error (a program may list a tensor twice); a reference means the first.
    symbols_.emplace(result.name, result.address);
    program_.symbols.push_back(std::move(result));
  }

  // ---- initial memory

  void segment(const SourceLine& at) {
    at.expect_words(2, ".segment <address>");
    program_.image.push_back({at.any_base(at.words()[1], "address"), {}});
  }

  std::vector<std::uint8_t>& open_segment(const SourceLine& at, std::uint64_t more) {
    if (program_.image.empty()) at.fail(at.words()[0], fmt::format("{} before the first .segment", at.words()[0].text));
    Segment& segment = program_.image.back();
    if (more > max_image_bytes_ - image_bytes_) {
      at.fail(at.words()[0], fmt::format("the initial memory is larger than {} bytes", max_image_bytes_));
    }
    if (segment.bytes.size() + more > ~std::uint64_t{0} - segment.address)
      at.fail(at.words()[0], "the segment passes the end of memory");
    image_bytes_ += more;
    return segment.bytes;
  }

  void bytes(const SourceLine& at) {
    if (at.words().size() < 2) at.expect_words(2, ".bytes <hexadecimal digits>...");
    for (std::size_t i = 1; i < at.words().size(); ++i) {
      const Word& word = at.words()[i];
      if (word.text.size() % 2 != 0) at.fail(word, "an odd number of hexadecimal digits");
      std::vector<std::uint8_t>& to = open_segment(at, word.text.size() / 2);
      for (std::size_t digit = 0; digit < word.text.size(); digit += 2) {
        std::uint8_t byte = 0;
        const char* const first = word.text.data() + digit;
        const auto [stop, error] = std::from_chars(first, first + 2, byte, 16);
        if (error != std::errc() || stop != first + 2)
          at.fail({word.text, word.column + digit}, fmt::format("{} is not a hexadecimal byte", quoted({first, 2})));
        to.push_back(byte);
      }
    }
  }

  void word(const SourceLine& at) {
    if (at.words().size() < 2) at.expect_words(2, ".word <number>...");
    std::vector<std::uint8_t>& to = open_segment(at, 4 * (at.words().size() - 1));
    for (std::size_t i = 1; i < at.words().size(); ++i)
      append_word(to, static_cast<std::uint32_t>(signed_word(at, at.words()[i], "word")));
  }

  void zero(const SourceLine& at) {
    at.expect_words(2, ".zero <bytes>");
    const std::uint64_t count = at.any_base(at.words()[1], "size");
    std::vector<std::uint8_t>& to = open_segment(at, count);
    to.resize(to.size() + count);
  }

  void fill(const SourceLine& at) {
    const auto& words = at.words();
    at.expect_words(6, ".fill <bytes> <int8|int32> <lowest> <highest> <seed>");
    const std::uint64_t count = at.any_base(words[1], "size");
    const bool is_byte = words[2].text == "int8";
    if (!is_byte && words[2].text != "int32")
      at.fail_choice(words[2], fmt::format("unknown element type {}", quoted(words[2].text)), {"int8", "int32"});
    if (!is_byte && count % 4 != 0) at.fail(words[1], fmt::format("{} bytes are not whole int32 elements", count));
    const std::int64_t min = is_byte ? -128 : std::numeric_limits<std::int32_t>::min();
    const std::int64_t max = is_byte ? 127 : std::numeric_limits<std::int32_t>::max();
    const std::int64_t low = at.signed_decimal(words[3], "lowest value", min, max);
    const std::int64_t high = at.signed_decimal(words[4], "highest value", low, max);
    SplitMix64 random(at.any_base(words[5], "seed"));
    std::vector<std::uint8_t>& to = open_segment(at, count);
    for (std::uint64_t done = 0; done < count; done += is_byte ? 1 : 4) {
      const std::uint64_t value =
          static_cast<std::uint64_t>(low) + random.next() % (static_cast<std::uint64_t>(high - low) + 1);
      if (is_byte) {
        to.push_back(static_cast<std::uint8_t>(value));
      } else {
        append_word(to, static_cast<std::uint32_t>(value));
      }
    }
  }

  static void append_word(std::vector<std::uint8_t>& to, std::uint32_t value) {
    for (int byte = 0; byte < 4; ++byte) to.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
  }

  // ---- items

  // "@7": the number of something defined before.
  static std::optional<std::uint64_t> reference(const SourceLine& at, const Word& word, std::size_t defined,
                                                const char* what) {
    if (word.text.front() != '@') return std::nullopt;
    const std::uint64_t index = at.decimal({word.text.substr(1), word.column + 1}, what);
    if (index >= defined) at.fail(word, fmt::format("{} {} of {}", what, index, defined));
    return index;
  }

  void region(const SourceLine& at) {
    if (at.words().size() == 2) {
      if (const auto index = reference(at, at.words()[1], program_.regions.size(), "region")) {
        program_.items.push_back({ItemKind::kRegion, {}, *index});
        return;
      }
    }
    define_region(at);
    program_.items.push_back({ItemKind::kRegion, {}, program_.regions.size() - 1});
  }

  void define_region(const SourceLine& at) {
    const auto& words = at.words();
    if (words.size() != 2) at.expect_words(3, ".region <name> [<multiply-accumulates>]");
    program_.regions.push_back(
        {unquote_name(at, words[1]), words.size() == 3 ? at.any_base(words[2], "multiply-accumulates") : 0});
  }

  void host(const SourceLine& at) {
    if (at.words().size() == 2) {
      if (const auto index = reference(at, at.words()[1], program_.host_ops.size(), "host operation")) {
        program_.items.push_back({ItemKind::kHostOp, {}, *index});
        return;
      }
    }
    define_host(at);
    program_.items.push_back({ItemKind::kHostOp, {}, program_.host_ops.size() - 1});
  }

  void define_host(const SourceLine& at) {
    const auto& words = at.words();
    if (words.size() < 2) at.expect_words(2, ".host <name> [<argument>...]");
    HostOp result;
    result.name = unquote_name(at, words[1]);
    for (std::size_t i = 2; i < words.size(); ++i)
      result.arguments.push_back(address(at, words[i], "argument", ~std::uint64_t{0}));
    program_.host_ops.push_back(std::move(result));
  }

  void gap(const SourceLine& at) {
    at.expect_words(2, ".gap <cycles>");
    program_.gap(at.any_base(at.words()[1], "gap"));
  }

  void fence(const SourceLine& at) {
    at.expect_words(1, ".fence");
    program_.fence();
  }

  // ---- instructions

  Instruction instruction(const SourceLine& at) {
    const Word& mnemonic = at.words()[0];
    if (mnemonic.text == "rocc") return raw(at);
    std::vector<std::string> names = {"rocc"};
    for (const OpInfo& entry : table()) {
      // Two entries may share a mnemonic: the encoding chooses.
      if (decode(make(entry.op), program_.encoding.revision, program_.encoding.loop_conv) != entry.op) continue;
      if (mnemonic.text == entry.mnemonic) return encode(at, entry);
      names.emplace_back(entry.mnemonic);
    }
    at.fail_choice(mnemonic, fmt::format("unknown instruction {}", quoted(mnemonic.text)), names);
  }

  struct Assignment {
    Word name;
    Word value;
  };

  static std::vector<Assignment> assignments(const SourceLine& at) {
    std::vector<Assignment> result;
    for (std::size_t i = 1; i < at.words().size(); ++i) {
      const Word& word = at.words()[i];
      const std::size_t equals = word.text.find('=');
      if (equals == std::string_view::npos || equals + 1 == word.text.size()) {
        at.fail(word, fmt::format("{} is not of the form field=value", quoted(word.text)));
      }
      const Word name{word.text.substr(0, equals), word.column};
      for (const Assignment& other : result) {
        if (other.name.text == name.text) at.fail(name, fmt::format("field {} appears twice", quoted(name.text)));
      }
      result.push_back({name, {word.text.substr(equals + 1), word.column + equals + 1}});
    }
    return result;
  }

  static Instruction raw(const SourceLine& at) {
    constexpr std::uint64_t kMaxFunct = 127;
    Instruction result;
    for (const Assignment& entry : assignments(at)) {
      if (entry.name.text == "funct") {
        result.funct = static_cast<std::uint8_t>(at.any_base(entry.value, "funct", kMaxFunct));
      } else if (entry.name.text == "rs1") {
        result.rs1 = at.any_base(entry.value, "rs1");
      } else if (entry.name.text == "rs2") {
        result.rs2 = at.any_base(entry.value, "rs2");
      } else {
        at.fail_choice(entry.name, fmt::format("unknown field {}", quoted(entry.name.text)), {"funct", "rs1", "rs2"});
      }
    }
    return result;
  }

  Instruction encode(const SourceLine& at, const OpInfo& entry) {
    Instruction result = make(entry.op);
    const std::vector<Assignment> given = assignments(at);
    for (const Assignment& item : given) {
      if (item.name.text == "rs1") result.rs1 = at.any_base(item.value, "rs1");
      if (item.name.text == "rs2") result.rs2 = at.any_base(item.value, "rs2");
    }
    for (const Assignment& item : given) {
      if (item.name.text == "rs1" || item.name.text == "rs2") continue;
      const auto named = std::find_if(entry.fields.begin(), entry.fields.end(),
                                      [&](const NamedField& f) { return item.name.text == f.name; });
      if (named == entry.fields.end()) {
        std::vector<std::string> names;
        for (const NamedField& field : entry.fields) names.emplace_back(field.name);
        at.fail_choice(item.name, fmt::format("{} has no field {}", entry.mnemonic, quoted(item.name.text)), names);
      }
      named->field.set(result, value(at, item.value, *named));
    }
    if (entry.has_match && entry.match.get(result) != entry.match_value) {
      at.fail(at.words()[0], fmt::format("the registers given are not those of {}", entry.mnemonic));
    }
    return result;
  }

  std::uint64_t value(const SourceLine& at, const Word& word, const NamedField& named) const {
    const std::uint64_t max = named.field.mask();
    switch (named.field.type) {
      case FieldType::kUint:
      case FieldType::kFlag:
        return at.any_base(word, named.name, max);
      case FieldType::kDram:
        return address(at, word, named.name, max);
      case FieldType::kLocal:
        return word.text == "garbage" ? LocalAddress::kGarbage : at.any_base(word, named.name, max);
      case FieldType::kFloat:
        return single(at, word, named.name);
      case FieldType::kInt32:
        return static_cast<std::uint32_t>(signed_word(at, word, named.name));
    }
    SYSTOLE_CHECK(false);
    return 0;
  }

  std::uint64_t address(const SourceLine& at, const Word& word, const char* what, std::uint64_t max) const {
    if (word.text.front() != '@') return at.any_base(word, what, max);
    const std::size_t plus = word.text.find('+');
    const std::string name(word.text.substr(1, plus == std::string_view::npos ? plus : plus - 1));
    const auto found = symbols_.find(name);
    if (found == symbols_.end()) {
      std::vector<std::string> names;
      for (const Symbol& symbol : program_.symbols) names.push_back(symbol.name.substr(0, 64));
      at.fail_choice({word.text.substr(1), word.column + 1}, fmt::format("unknown symbol {}", quoted(name)), names);
    }
    if (plus == std::string_view::npos) return found->second;
    return found->second +
           at.any_base({word.text.substr(plus + 1), word.column + plus + 1}, "offset", max - found->second);
  }

  // 1.5f, or the bit pattern in hexadecimal.
  static std::uint64_t single(const SourceLine& at, const Word& word, const char* what) {
    constexpr std::uint64_t kMaxBits = 0xFFFFFFFF;
    if (word.text.substr(0, 2) == "0x") return at.any_base(word, what, kMaxBits);
    float number = 0;
    const char* const end = word.text.data() + word.text.size() - 1;  // the f
    const auto [stop, error] = std::from_chars(word.text.data(), end, number);
    if (*end != 'f' || stop != end || error != std::errc()) {
      at.fail(word, fmt::format("{} {} is neither a number like 1.5f nor a bit pattern like 0x3fc00000", what,
                                quoted(word.text)));
    }
    std::uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }

  static std::int64_t signed_word(const SourceLine& at, const Word& word, const char* what) {
    constexpr std::uint64_t kMaxBits = 0xFFFFFFFF;
    if (word.text.substr(0, 2) == "0x") return static_cast<std::int64_t>(at.any_base(word, what, kMaxBits));
    return at.signed_decimal(word, what, std::numeric_limits<std::int32_t>::min(), static_cast<std::int64_t>(kMaxBits));
  }

  std::string name_;
  Program program_;
  std::unordered_map<std::string, std::uint64_t> symbols_;
  std::uint64_t max_image_bytes_;
  std::uint64_t image_bytes_ = 0;
};

}  // namespace

Program assemble(std::string_view text, const std::string& name, std::uint64_t max_image_bytes) {
  return Assembler(name, max_image_bytes).assemble(text);
}

}  // namespace systole::isa
