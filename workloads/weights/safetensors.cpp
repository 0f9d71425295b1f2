#include "workloads/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/base/file.h"
#include "workloads/weights/half.h"
#include "workloads/weights/mapped_file.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and are used in place");

namespace systole::workloads {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;  // u64 header length
constexpr std::uint64_t kMaxHeaderBytes =
    100'000'000;  // limit of the reference implementation (MAX_HEADER_SIZE, tensor.rs)
constexpr std::size_t kHeaderAlignment = 8;

constexpr std::array kUsable = {Dtype::Bool, Dtype::U8,  Dtype::I8,   Dtype::I16, Dtype::I32,
                                Dtype::I64,  Dtype::F16, Dtype::BF16, Dtype::F32, Dtype::F64};

// Bytes per element of every type of the format; 0 for a type whose size is not known here.
std::size_t element_bytes(const std::string& dtype) {
  for (const Dtype known : kUsable) {
    if (dtype == name_of(known)) {
      return bytes_of(known);
    }
  }
  static const std::map<std::string, std::size_t> kOthers = {{"U16", 2},     {"U32", 4},     {"U64", 8}, {"F8_E5M2", 1},
                                                             {"F8_E4M3", 1}, {"F8_E8M0", 1}, {"C64", 8}};
  const auto found = kOthers.find(dtype);
  return found == kOthers.end() ? 0 : found->second;
}

Dtype usable_dtype(const std::string& file, const std::string& tensor, const std::string& dtype) {
  for (const Dtype known : kUsable) {
    if (dtype == name_of(known)) {
      return known;
    }
  }
  throw ConfigError(fmt::format("{}: tensor '{}' has element type {}, which cannot be used here", file, tensor, dtype));
}

// Throws on a repeated key in any object: the JSON library itself would silently keep the last one.
class RepeatedKeys {
 public:
  void see(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > kMaxDepth) {
      throw ConfigError("nested too deeply");
    }
    if (event == json::parse_event_t::object_start) {
      open_.resize(std::max(open_.size(), static_cast<std::size_t>(depth) + 1));
      open_[static_cast<std::size_t>(depth)].clear();
    } else if (event == json::parse_event_t::key) {
      const std::string key = parsed.get<std::string>();
      if (!open_[static_cast<std::size_t>(depth) - 1].insert(key).second) {
        throw ConfigError(fmt::format("'{}' occurs twice", key));
      }
    }
  }

 private:
  static constexpr int kMaxDepth = 16;       // the format needs 3
  std::vector<std::set<std::string>> open_;  // by depth
};

json parse_object(const std::string& file, const char* begin, const char* end) {
  if (begin == end || *begin != '{') {
    throw ConfigError(file + ": header does not begin with '{'");
  }
  // The parser takes a NUL byte for the end of its input.
  if (std::find(begin, end, '\0') != end) {
    throw ConfigError(file + ": header contains a NUL byte");
  }
  RepeatedKeys keys;
  try {
    return json::parse(begin, end, [&keys](int depth, json::parse_event_t event, json& parsed) {
      keys.see(depth, event, parsed);
      return true;
    });
  } catch (const json::exception& error) {
    throw ConfigError(fmt::format("{}: header is not valid JSON: {}", file, error.what()));
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file, error.what()));
  }
}

std::uint64_t unsigned_at(const json& value) {
  if (!value.is_number_unsigned()) {
    throw ConfigError("is not an unsigned integer");
  }
  return value.get<std::uint64_t>();
}

const json& member(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) {
    throw ConfigError(fmt::format("has no \"{}\"", key));
  }
  return *found;
}

struct Placed {
  std::string name;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  TensorView view;
};

// One entry of the header; errors are phrased to follow "tensor 'NAME' ".
Placed parse_tensor(const std::string& name, const json& entry) {
  if (!entry.is_object()) {
    throw ConfigError("is not an object");
  }
  Placed placed;
  placed.name = name;
  const json& dtype = member(entry, "dtype");
  if (!dtype.is_string()) {
    throw ConfigError("has a \"dtype\" that is not a string");
  }
  placed.view.dtype = dtype.get<std::string>();

  const json& shape = member(entry, "shape");
  if (!shape.is_array()) {
    throw ConfigError("has a \"shape\" that is not a list");
  }
  std::uint64_t elements = 1;
  for (const json& dimension : shape) {
    const std::uint64_t size = unsigned_at(dimension);
    if (__builtin_mul_overflow(elements, size, &elements)) {
      throw ConfigError("has a \"shape\" that overflows");
    }
    placed.view.shape.push_back(size);
  }

  const json& offsets = member(entry, "data_offsets");
  if (!offsets.is_array() || offsets.size() != 2) {
    throw ConfigError("has \"data_offsets\" that are not [begin, end]");
  }
  placed.begin = unsigned_at(offsets[0]);
  placed.end = unsigned_at(offsets[1]);
  if (placed.end < placed.begin) {
    throw ConfigError("ends before it begins");
  }
  const std::size_t size = element_bytes(placed.view.dtype);
  std::uint64_t bytes = 0;
  if (size != 0 && (__builtin_mul_overflow(elements, size, &bytes) || bytes != placed.end - placed.begin)) {
    throw ConfigError(fmt::format("of {} {} occupies {} bytes", placed.view.dtype, to_string(placed.view.shape),
                                  placed.end - placed.begin));
  }
  return placed;
}

Metadata parse_metadata(const std::string& file, const json& entry) {
  Metadata metadata;
  if (!entry.is_object()) {
    throw ConfigError(file + ": \"__metadata__\" is not an object");
  }
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) {
      throw ConfigError(fmt::format("{}: \"__metadata__\" holds '{}', which is not a string", file, key));
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The format allows neither gaps nor overlaps nor bytes that belong to no tensor.
void check_packed(const std::string& file, std::vector<Placed>& placed, std::uint64_t data_bytes) {
  std::sort(placed.begin(), placed.end(),
            [](const Placed& a, const Placed& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t expected = 0;
  for (const Placed& tensor : placed) {
    if (tensor.begin != expected) {
      throw ConfigError(fmt::format("{}: tensor '{}' begins at byte {} of the data, not at {}: {}", file, tensor.name,
                                    tensor.begin, expected, tensor.begin < expected ? "overlap" : "gap"));
    }
    expected = tensor.end;
  }
  if (expected != data_bytes) {
    throw ConfigError(
        fmt::format("{}: tensors end at byte {} of the data, the file holds {}", file, expected, data_bytes));
  }
}

void parse_file(const std::string& file, const std::uint8_t* bytes, std::size_t size, Metadata& metadata,
                std::map<std::string, TensorView>& tensors) {
  if (size < kLengthBytes) {
    throw ConfigError(fmt::format("{}: {} bytes are too short for a safetensors file", file, size));
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes, kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - kLengthBytes) {
    throw ConfigError(fmt::format("{}: header of {} bytes is longer than {}", file, header_bytes,
                                  header_bytes > kMaxHeaderBytes ? "the format allows" : "the file"));
  }
  const char* text = reinterpret_cast<const char*>(bytes + kLengthBytes);
  const json header = parse_object(file, text, text + header_bytes);

  std::vector<Placed> placed;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      metadata = parse_metadata(file, entry);
      continue;
    }
    try {
      placed.push_back(parse_tensor(name, entry));
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: tensor '{}' {}", file, name, error.what()));
    }
  }
  check_packed(file, placed, size - kLengthBytes - header_bytes);
  for (Placed& tensor : placed) {
    tensor.view.data = bytes + kLengthBytes + header_bytes + tensor.begin;
    tensor.view.bytes = tensor.end - tensor.begin;
    tensors.emplace(tensor.name, std::move(tensor.view));
  }
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::string resolve(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) {
    return path;
  }
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    const std::string candidate = (std::filesystem::path(path) / name).string();
    if (std::filesystem::exists(candidate, none)) {
      return candidate;
    }
  }
  throw ConfigError(path + ": holds neither model.safetensors nor model.safetensors.index.json");
}

// weight_map of a sharded checkpoint: tensor -> file beside the index.
std::map<std::string, std::string> parse_index(const std::string& file) {
  const MappedFile mapped(file);
  const char* text = reinterpret_cast<const char*>(mapped.data());
  const json index = parse_object(file, text, text + mapped.size());
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) {
    throw ConfigError(file + ": has no \"weight_map\" object");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos) {
      throw ConfigError(fmt::format("{}: weight_map of '{}' is not the name of a file beside the index", file, tensor));
    }
    shards[tensor] = shard.get<std::string>();
  }
  return shards;
}

}  // namespace

struct SafetensorsFile::Contents {
  std::string name;
  std::vector<MappedFile> files;
  Metadata metadata;
  std::map<std::string, TensorView> tensors;
};

SafetensorsFile::SafetensorsFile(const std::string& path) : contents_(std::make_unique<Contents>()) {
  contents_->name = resolve(path);
  const std::string& file = contents_->name;
  if (!ends_with(file, ".index.json")) {
    const MappedFile& mapped = contents_->files.emplace_back(file);
    parse_file(file, mapped.data(), mapped.size(), contents_->metadata, contents_->tensors);
    return;
  }
  std::map<std::string, std::map<std::string, TensorView>> shards;
  for (const auto& [tensor, shard] : parse_index(file)) {
    const auto [entry, is_new] = shards.try_emplace(shard);
    if (is_new) {
      const std::string shard_path = (std::filesystem::path(file).parent_path() / shard).string();
      const MappedFile& mapped = contents_->files.emplace_back(shard_path);
      parse_file(shard_path, mapped.data(), mapped.size(), contents_->metadata, entry->second);
    }
    const auto found = entry->second.find(tensor);
    if (found == entry->second.end()) {
      throw ConfigError(
          fmt::format("{}: weight_map puts tensor '{}' into {}, which does not hold it", file, tensor, shard));
    }
    contents_->tensors.emplace(tensor, found->second);
  }
}

SafetensorsFile::SafetensorsFile(const std::uint8_t* bytes, std::size_t size, const std::string& name)
    : contents_(std::make_unique<Contents>()) {
  contents_->name = name;
  parse_file(name, bytes, size, contents_->metadata, contents_->tensors);
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::string& SafetensorsFile::name() const { return contents_->name; }
const Metadata& SafetensorsFile::metadata() const { return contents_->metadata; }
const std::map<std::string, TensorView>& SafetensorsFile::tensors() const { return contents_->tensors; }
bool SafetensorsFile::contains(const std::string& tensor) const { return contents_->tensors.count(tensor) != 0; }

const TensorView& SafetensorsFile::view(const std::string& tensor) const {
  const auto found = contents_->tensors.find(tensor);
  if (found == contents_->tensors.end()) {
    std::vector<std::string> names;
    for (const auto& entry : contents_->tensors) {
      names.push_back(entry.first);
    }
    const std::string close = nearest(tensor, names);
    throw ConfigError(fmt::format("{}: tensor '{}' is missing{}", name(), tensor,
                                  close.empty() ? "" : fmt::format(" (nearest: '{}')", close)));
  }
  return found->second;
}

Tensor SafetensorsFile::read(const std::string& tensor) const {
  const TensorView& found = view(tensor);
  Tensor copy;
  copy.dtype = usable_dtype(name(), tensor, found.dtype);
  copy.shape = found.shape;
  copy.bytes.assign(found.data, found.data + found.bytes);
  release(found.data, found.bytes);
  return copy;
}

void SafetensorsFile::check(const std::string& tensor, Dtype dtype, const Shape& shape) const {
  const TensorView& found = view(tensor);
  if (found.dtype != name_of(dtype) || found.shape != shape) {
    throw ConfigError(fmt::format("{}: tensor '{}' is {} {}, needed is {} {}", name(), tensor, found.dtype,
                                  to_string(found.shape), name_of(dtype), to_string(shape)));
  }
}

void SafetensorsFile::copy_to(const std::string& tensor, void* to) const {
  const TensorView& found = view(tensor);
  if (found.bytes != 0) {
    std::memcpy(to, found.data, found.bytes);
    release(found.data, found.bytes);
  }
}

// What was read is not read again soon, and a checkpoint may be larger than all else.
void SafetensorsFile::release(const std::uint8_t* first, std::size_t bytes) const {
  for (const MappedFile& file : contents_->files) {
    if (file.contains(first)) {
      file.release(first, bytes);
    }
  }
}

std::optional<std::size_t> SafetensorsFile::find_not_finite(const std::string& tensor) const {
  constexpr std::size_t kChunk = 1U << 20;  // elements
  const TensorView& found = view(tensor);
  const std::size_t count = elements_of(found.shape);
  std::vector<float> values(std::min(count, kChunk));
  for (std::size_t first = 0; first < count; first += kChunk) {
    const std::size_t length = std::min(kChunk, count - first);
    floats_to(tensor, found.shape, first, length, values.data());
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(length);
    const auto bad = std::find_if(values.begin(), end, [](float x) { return !std::isfinite(x); });
    if (bad != end) {
      return first + static_cast<std::size_t>(bad - values.begin());
    }
  }
  return std::nullopt;
}

void SafetensorsFile::floats_to(const std::string& tensor, const Shape& shape, std::size_t first, std::size_t count,
                                float* to) const {
  const TensorView& found = view(tensor);
  if (found.shape != shape) {
    throw ConfigError(fmt::format("{}: tensor '{}' has shape {}, needed is {}", name(), tensor, to_string(found.shape),
                                  to_string(shape)));
  }
  const auto convert = [&](auto stored, auto to_float) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&stored, found.data + (first + i) * sizeof stored, sizeof stored);
      to[i] = to_float(stored);
    }
  };
  const Dtype dtype = usable_dtype(name(), tensor, found.dtype);
  switch (dtype) {
    case Dtype::F32:
      convert(float{}, [](float x) { return x; });
      break;
    case Dtype::F64:
      convert(double{}, [](double x) { return static_cast<float>(x); });
      break;
    case Dtype::F16:
      convert(std::uint16_t{}, [](std::uint16_t x) { return float_of_half(x); });
      break;
    case Dtype::BF16:
      convert(std::uint16_t{}, [](std::uint16_t x) { return float_of_bfloat16(x); });
      break;
    case Dtype::Bool:
    case Dtype::U8:
    case Dtype::I8:
    case Dtype::I16:
    case Dtype::I32:
    case Dtype::I64:
      throw ConfigError(
          fmt::format("{}: tensor '{}' is {}, needed is a floating-point type", name(), tensor, found.dtype));
  }
  release(found.data + first * bytes_of(dtype), count * bytes_of(dtype));
}

std::vector<float> SafetensorsFile::read_floats(const std::string& tensor, const Shape& shape) const {
  // The shape is checked against the file before memory of that size is asked for.
  if (view(tensor).shape != shape) {
    floats_to(tensor, shape, 0, 0, nullptr);
  }
  std::vector<float> values(elements_of(shape));
  floats_to(tensor, shape, 0, values.size(), values.data());
  return values;
}

void SafetensorsFile::read_float_row(const std::string& tensor, const Shape& shape, std::size_t row, float* to) const {
  SYSTOLE_CHECK(shape.size() == 2 && row < shape[0]);
  floats_to(tensor, shape, row * shape[1], shape[1], to);
}

void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const Metadata& metadata) {
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& entry : tensors) {
    SYSTOLE_CHECK(entry.second.bytes.size() == entry.second.elements() * bytes_of(entry.second.dtype));
    order.push_back(&entry);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return bytes_of(a->second.dtype) > bytes_of(b->second.dtype);  // names are sorted already
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::uint64_t offset = 0;
  for (const auto* entry : order) {
    const Tensor& tensor = entry->second;
    const std::uint64_t end = offset + tensor.bytes.size();
    header[entry->first] = {{"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((kHeaderAlignment - text.size() % kHeaderAlignment) % kHeaderAlignment, ' ');

  const std::uint64_t header_bytes = text.size();
  std::vector<std::string_view> parts = {{reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes}, text};
  for (const auto* entry : order) {
    parts.emplace_back(reinterpret_cast<const char*>(entry->second.bytes.data()), entry->second.bytes.size());
  }
  write_atomically(path, parts);
}

}  // namespace systole::workloads
