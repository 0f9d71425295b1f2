#include "isa/container.h"

#include <fmt/format.h>

#include <array>

#include "sim/base/crc32.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::isa {
namespace {

constexpr std::string_view kMagic("SYSTOLE\0", 8);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kEntryBytes = 24;
constexpr std::uint32_t kMaxNameBytes = 65536;
constexpr std::uint64_t kMaxFunct = 127;

enum class Section : std::uint32_t { kEncoding = 1, kItems, kRegions, kSymbols, kImage, kHost };
constexpr std::size_t kSections = 6;

// ---- writing

class Bytes {
 public:
  void number(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void text(std::string_view value) {
    if (value.size() > kMaxNameBytes)
      throw ConfigError(fmt::format("a name of {} bytes; a container holds at most {}", value.size(), kMaxNameBytes));
    number(value.size(), 4);
    bytes_ += value;
  }
  void raw(const std::vector<std::uint8_t>& value) {
    bytes_.append(reinterpret_cast<const char*>(value.data()), value.size());
  }
  void raw(std::string_view value) { bytes_ += value; }
  [[nodiscard]] const std::string& get() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string items_section(const Program& program) {
  Bytes out;
  for (const Item& item : program.items) {
    out.number(static_cast<std::uint8_t>(item.kind), 1);
    switch (item.kind) {
      case ItemKind::kCommand:
        out.number(item.instruction.funct, 1);
        out.number(item.instruction.rs1, 8);
        out.number(item.instruction.rs2, 8);
        break;
      case ItemKind::kGap:
      case ItemKind::kRegion:
      case ItemKind::kHostOp:
        out.number(item.value, 8);
        break;
      case ItemKind::kFence:
        break;
    }
  }
  return out.get();
}

std::string section_bytes(Section section, const Program& program) {
  Bytes out;
  switch (section) {
    case Section::kEncoding:
      out.number(static_cast<std::uint64_t>(program.encoding.revision), 4);
      out.number(static_cast<std::uint64_t>(program.encoding.loop_conv), 4);
      break;
    case Section::kItems:
      return items_section(program);
    case Section::kRegions:
      for (const Region& region : program.regions) {
        out.text(region.name);
        out.number(region.macs, 8);
      }
      break;
    case Section::kSymbols:
      for (const Symbol& symbol : program.symbols) {
        out.text(symbol.name);
        out.number(symbol.address, 8);
        out.number(symbol.bytes, 8);
      }
      break;
    case Section::kImage:
      for (const Segment& segment : program.image) {
        out.number(segment.address, 8);
        out.number(segment.bytes.size(), 8);
        out.raw(segment.bytes);
      }
      break;
    case Section::kHost:
      for (const HostOp& operation : program.host_ops) {
        out.text(operation.name);
        out.number(operation.arguments.size(), 4);
        for (const std::uint64_t argument : operation.arguments) out.number(argument, 8);
      }
      break;
  }
  return out.get();
}

// ---- reading

// A range of the file; every read checks that the bytes are there.
class Cursor {
 public:
  Cursor(std::string_view bytes, std::size_t offset, const std::string& name)
      : bytes_(bytes), offset_(offset), name_(name) {}

  [[nodiscard]] bool at_end() const { return position_ == bytes_.size(); }
  [[nodiscard]] std::uint64_t number(int bytes, const char* what) {
    const std::string_view raw = take(static_cast<std::uint64_t>(bytes), what);
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value |= std::uint64_t{static_cast<std::uint8_t>(raw[static_cast<std::size_t>(i)])} << (8 * i);
    return value;
  }
  [[nodiscard]] std::string_view take(std::uint64_t count, const char* what) {
    if (count > bytes_.size() - position_) {
      fail(fmt::format("{}: {} bytes needed, {} left", what, count, bytes_.size() - position_));
    }
    const std::string_view result = bytes_.substr(position_, count);
    position_ += count;
    return result;
  }
  [[nodiscard]] std::string name(const char* what) {
    const std::uint64_t length = number(4, what);
    if (length > kMaxNameBytes) fail(fmt::format("{}: a name of {} bytes; at most {}", what, length, kMaxNameBytes));
    return std::string(take(length, what));
  }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(fmt::format("{}: error: byte {}: {}", name_, offset_ + position_, what));
  }

 private:
  std::string_view bytes_;
  std::size_t offset_;  // of bytes_ in the file
  const std::string& name_;
  std::size_t position_ = 0;
};

struct Entry {
  std::string_view bytes;
  std::size_t offset = 0;
};

std::array<Entry, kSections> section_table(std::string_view bytes, const std::string& name) {
  Cursor header(bytes, 0, name);
  if (header.take(kMagic.size(), "magic number") != kMagic) header.fail("not a program container (wrong magic number)");
  const std::uint64_t version = header.number(4, "version");
  if (version != kVersion) header.fail(fmt::format("version {}; this program reads version {}", version, kVersion));
  const std::uint64_t sections = header.number(4, "number of sections");
  if (sections != kSections) header.fail(fmt::format("{} sections instead of {}", sections, kSections));
  const std::uint64_t size = header.number(8, "file size");
  if (size != bytes.size()) header.fail(fmt::format("the file has {} bytes, its header says {}", bytes.size(), size));
  const std::uint64_t table_crc = header.number(4, "checksum of the section table");
  if (header.number(4, "reserved word") != 0) header.fail("the reserved word is not 0");
  const std::string_view table = header.take(kSections * kEntryBytes, "section table");
  if (crc32_of(table.data(), table.size()) != table_crc) header.fail("the checksum of the section table is wrong");

  std::array<Entry, kSections> result;
  Cursor entries(table, kHeaderBytes, name);
  std::uint64_t end = kHeaderBytes + table.size();
  for (std::size_t i = 0; i < kSections; ++i) {
    const std::uint64_t kind = entries.number(4, "section kind");
    const std::uint64_t crc = entries.number(4, "section checksum");
    const std::uint64_t offset = entries.number(8, "section offset");
    const std::uint64_t length = entries.number(8, "section size");
    if (kind != i + 1) entries.fail(fmt::format("section kind {} where {} is expected", kind, i + 1));
    if (offset != end)
      entries.fail(fmt::format("section {} starts at {} and not where the one before ends ({})", kind, offset, end));
    if (length > bytes.size() - end)
      entries.fail(fmt::format("section {} of {} bytes passes the end of the file", kind, length));
    result[i] = {bytes.substr(offset, length), offset};
    if (crc32_of(result[i].bytes.data(), result[i].bytes.size()) != crc)
      entries.fail(fmt::format("the checksum of section {} is wrong", kind));
    end += length;
  }
  if (end != bytes.size()) entries.fail(fmt::format("{} bytes behind the last section", bytes.size() - end));
  return result;
}

int year(Cursor& cursor, const char* what) {
  const std::uint64_t value = cursor.number(4, what);
  if (value != 2023 && value != 2025) cursor.fail(fmt::format("{} {} is not 2023 or 2025", what, value));
  return static_cast<int>(value);
}

Item item(Cursor& cursor, const Program& program) {
  Item result;
  const auto index = [&](std::size_t count, const char* what) {
    result.value = cursor.number(8, what);
    if (result.value >= count) cursor.fail(fmt::format("{} {} of {}", what, result.value, count));
  };
  const std::uint64_t kind = cursor.number(1, "item kind");
  result.kind = static_cast<ItemKind>(kind);
  switch (result.kind) {
    case ItemKind::kCommand:
      result.instruction.funct = static_cast<std::uint8_t>(cursor.number(1, "funct"));
      if (result.instruction.funct > kMaxFunct)
        cursor.fail(fmt::format("funct {} is larger than {}", result.instruction.funct, kMaxFunct));
      result.instruction.rs1 = cursor.number(8, "rs1");
      result.instruction.rs2 = cursor.number(8, "rs2");
      return result;
    case ItemKind::kGap:
      result.value = cursor.number(8, "gap");
      return result;
    case ItemKind::kFence:
      return result;
    case ItemKind::kRegion:
      index(program.regions.size(), "region");
      return result;
    case ItemKind::kHostOp:
      index(program.host_ops.size(), "host operation");
      return result;
  }
  cursor.fail(fmt::format("unknown item kind {}", kind));
}

void check_range(const Cursor& cursor, std::uint64_t address, std::uint64_t bytes) {
  if (bytes > ~std::uint64_t{0} - address)
    cursor.fail(fmt::format("{} bytes at {:#x} pass the end of memory", bytes, address));
}

}  // namespace

bool is_container(std::string_view bytes) { return bytes.substr(0, kMagic.size()) == kMagic; }

Program parse_container(std::string_view bytes, const std::string& name) {
  const std::array<Entry, kSections> sections = section_table(bytes, name);
  const auto open = [&](Section section) {
    const Entry& entry = sections[static_cast<std::size_t>(section) - 1];
    return Cursor(entry.bytes, entry.offset, name);
  };
  Program program;
  Cursor encoding = open(Section::kEncoding);
  program.encoding.revision = year(encoding, "revision");
  program.encoding.loop_conv = year(encoding, "loop_conv encoding");
  if (!encoding.at_end()) encoding.fail("bytes behind the encoding");
  for (Cursor at = open(Section::kRegions); !at.at_end();) {
    std::string region = at.name("region name");
    program.regions.push_back({std::move(region), at.number(8, "multiply-accumulates")});
  }
  for (Cursor at = open(Section::kSymbols); !at.at_end();) {
    Symbol symbol;
    symbol.name = at.name("symbol name");
    symbol.address = at.number(8, "symbol address");
    symbol.bytes = at.number(8, "symbol size");
    check_range(at, symbol.address, symbol.bytes);
    program.symbols.push_back(std::move(symbol));
  }
  for (Cursor at = open(Section::kImage); !at.at_end();) {
    Segment segment;
    segment.address = at.number(8, "segment address");
    const std::uint64_t size = at.number(8, "segment size");
    check_range(at, segment.address, size);
    const std::string_view content = at.take(size, "segment");
    segment.bytes.assign(content.begin(), content.end());
    program.image.push_back(std::move(segment));
  }
  for (Cursor at = open(Section::kHost); !at.at_end();) {
    HostOp operation;
    operation.name = at.name("host operation");
    const std::uint64_t count = at.number(4, "number of arguments");
    if (count > at.remaining() / 8) at.fail(fmt::format("{} arguments do not fit into the section", count));
    for (std::uint64_t i = 0; i < count; ++i) operation.arguments.push_back(at.number(8, "argument"));
    program.host_ops.push_back(std::move(operation));
  }
  for (Cursor at = open(Section::kItems); !at.at_end();) program.items.push_back(item(at, program));
  return program;
}

Program read_container(const std::string& path) { return parse_container(read_file(path), path); }

std::string format_container(const Program& program) {
  std::array<std::string, kSections> sections;
  Bytes table;
  std::uint64_t offset = kHeaderBytes + kSections * kEntryBytes;
  for (std::size_t i = 0; i < kSections; ++i) {
    sections[i] = section_bytes(static_cast<Section>(i + 1), program);
    table.number(i + 1, 4);
    table.number(crc32_of(sections[i].data(), sections[i].size()), 4);
    table.number(offset, 8);
    table.number(sections[i].size(), 8);
    offset += sections[i].size();
  }
  Bytes file;
  file.raw(kMagic);
  file.number(kVersion, 4);
  file.number(kSections, 4);
  file.number(offset, 8);
  file.number(crc32_of(table.get().data(), table.get().size()), 4);
  file.number(0, 4);
  file.raw(table.get());
  for (const std::string& section : sections) file.raw(section);
  return file.get();
}

void write_container(const std::string& path, const Program& program) {
  write_atomically(path, format_container(program));
}

}  // namespace systole::isa
