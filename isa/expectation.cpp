#include "isa/expectation.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "sim/base/crc32.h"
#include "sim/base/errors.h"
#include "sim/base/file.h"

namespace systole::isa {
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "systole-expect 1";
constexpr std::uint64_t kSmallStream = 400;
constexpr std::uint64_t kSampleStep = 100;
// Sizes that every expectation lists (16, 32 and 64 bytes); others appear when they occur.
constexpr std::array<int, 3> kUsualSizes = {4, 5, 6};

bool usual(int lg_bytes) { return std::find(kUsualSizes.begin(), kUsualSizes.end(), lg_bytes) != kUsualSizes.end(); }
std::string size_key(int lg_bytes) { return fmt::format("size{}", 1 << lg_bytes); }

// ---- reading

// One JSON object with the path to it, for messages; every key must be asked for.
class Object {
 public:
  Object(const Json& json, std::string file, std::string path)
      : json_(json), file_(std::move(file)), path_(std::move(path)) {
    if (!json_.is_object()) fail("is not an object");
  }

  [[nodiscard]] bool has(const std::string& key) {
    asked_.push_back(key);
    return json_.contains(key);
  }
  [[nodiscard]] const Json& value(const std::string& key) {
    if (!has(key)) fail(fmt::format("key '{}' is missing", key));
    return json_.at(key);
  }
  [[nodiscard]] std::uint64_t number(const std::string& key) { return number_of(value(key), key); }
  [[nodiscard]] std::string text(const std::string& key) {
    const Json& json = value(key);
    if (!json.is_string()) fail(fmt::format("'{}' is not a string", key));
    return json.get<std::string>();
  }
  [[nodiscard]] std::uint64_t hexadecimal(const std::string& key, std::size_t max_digits) {
    const std::string digits = text(key);
    const bool good = !digits.empty() && digits.size() <= max_digits &&
                      digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (!good) fail(fmt::format("'{}' is not a hexadecimal number of at most {} digits", key, max_digits));
    return std::stoull(digits, nullptr, 16);
  }
  [[nodiscard]] std::uint32_t crc(const std::string& key) { return static_cast<std::uint32_t>(hexadecimal(key, 8)); }
  [[nodiscard]] std::vector<std::uint64_t> numbers(const std::string& key) {
    const Json& json = array(key);
    std::vector<std::uint64_t> result;
    result.reserve(json.size());
    for (const Json& element : json) result.push_back(number_of(element, key));
    return result;
  }
  [[nodiscard]] const Json& array(const std::string& key) {
    const Json& json = value(key);
    if (!json.is_array()) fail(fmt::format("'{}' is not an array", key));
    return json;
  }
  [[nodiscard]] Object child(const std::string& key) { return Object(value(key), file_, path_ + key + "."); }

  // Unknown keys are errors: a misspelt one would silently not be compared.
  void finish() const {
    for (const auto& entry : json_.items()) {
      if (std::find(asked_.begin(), asked_.end(), entry.key()) == asked_.end()) {
        const std::string known = nearest(entry.key().substr(0, 64), asked_);
        fail(fmt::format("unknown key '{}'; nearest: '{}'", entry.key().substr(0, 64), known));
      }
    }
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(
        fmt::format("{}: error: {}{}", file_, path_.empty() ? "" : path_.substr(0, path_.size() - 1) + ": ", what));
  }

 private:
  [[nodiscard]] std::uint64_t number_of(const Json& json, const std::string& key) const {
    if (!json.is_number_unsigned()) fail(fmt::format("'{}' is not a number (0 or more)", key));
    return json.get<std::uint64_t>();
  }

  const Json& json_;
  std::string file_;
  std::string path_;
  std::vector<std::string> asked_;
};

PortCounts port_counts(Object object) {
  PortCounts result;
  result.transactions = object.number("transactions");
  result.beats = object.number("beats");
  for (int i = 0; i < PortCounts::kSizes; ++i) {
    if (usual(i) || object.has(size_key(i))) result.size[static_cast<std::size_t>(i)] = object.number(size_key(i));
  }
  object.finish();
  return result;
}

AxiExpectation axi(Object object) {
  AxiExpectation result;
  result.reads = object.number("reads");
  result.writes = object.number("writes");
  if (object.has("last_cycle")) result.last_cycle = object.number("last_cycle");
  result.ar_crc32 = object.crc("ar_crc32");
  result.aw_crc32 = object.crc("aw_crc32");
  object.finish();
  return result;
}

CacheExpectation cache(Object object) {
  CacheExpectation result;
  result.hits = object.number("hits");
  result.misses = object.number("misses");
  result.allocations = object.number("allocations");
  result.directory_reads = object.number("directory_reads");
  result.victims_clean = object.number("victims_clean");
  result.victims_dirty = object.number("victims_dirty");
  object.finish();
  return result;
}

std::vector<CheckResult> checks(const Json& array, const std::string& file) {
  std::vector<CheckResult> result;
  for (const Json& element : array) {
    Object object(element, file, fmt::format("checks[{}].", result.size()));
    const std::uint64_t address = object.hexadecimal("addr", 16);
    const std::uint64_t bytes = object.number("bytes");
    result.push_back({address, bytes, object.crc("crc32")});
    object.finish();
  }
  return result;
}

// ---- writing (by hand: key order and one line per key are part of the format)

std::string list(const std::vector<std::uint64_t>& numbers) { return fmt::format("[{}]", fmt::join(numbers, ",")); }

std::string port_text(const PortCounts& counts) {
  std::string text = fmt::format("{{\"transactions\": {}, \"beats\": {}", counts.transactions, counts.beats);
  const auto add = [&](int i) {
    text += fmt::format(", \"{}\": {}", size_key(i), counts.size[static_cast<std::size_t>(i)]);
  };
  for (const int i : kUsualSizes) add(i);
  for (int i = 0; i < PortCounts::kSizes; ++i) {
    if (!usual(i) && counts.size[static_cast<std::size_t>(i)] != 0) add(i);
  }
  return text + "}";
}

std::string axi_text(const AxiExpectation& value) {
  const std::string last = value.last_cycle ? fmt::format(", \"last_cycle\": {}", *value.last_cycle) : "";
  return fmt::format("{{\"reads\": {}, \"writes\": {}{}, \"ar_crc32\": \"{}\", \"aw_crc32\": \"{}\"}}", value.reads,
                     value.writes, last, crc32_text(value.ar_crc32), crc32_text(value.aw_crc32));
}

std::string cache_text(const CacheExpectation& value) {
  return fmt::format(
      "{{\"hits\": {}, \"misses\": {}, \"allocations\": {}, \"directory_reads\": {}, \"victims_clean\": {}, "
      "\"victims_dirty\": {}}}",
      value.hits, value.misses, value.allocations, value.directory_reads, value.victims_clean, value.victims_dirty);
}

std::string checks_text(const std::vector<CheckResult>& results) {
  std::string text = "[";
  for (std::size_t i = 0; i < results.size(); ++i) {
    text += fmt::format("{}\n    {{\"addr\": \"{:x}\", \"bytes\": {}, \"crc32\": \"{}\"}}", i == 0 ? "" : ",",
                        results[i].address, results[i].bytes, crc32_text(results[i].crc32));
  }
  return text + (results.empty() ? "]" : "\n  ]");
}

// ---- comparing

// Collects only the first difference.
class Comparison {
 public:
  void number(const std::string& key, std::uint64_t expected, std::uint64_t actual) {
    if (expected != actual) note("{}: expected {}, got {}", key, expected, actual);
  }
  void text(const std::string& key, const std::string& expected, const std::string& actual) {
    if (expected != actual) note("{}: expected {}, got {}", key, expected, actual);
  }
  void crc(const std::string& key, std::uint32_t expected, std::uint32_t actual) {
    text(key, crc32_text(expected), crc32_text(actual));
  }
  // `step`: element i stands for event i * step.
  void numbers(const std::string& key, const std::vector<std::uint64_t>& expected,
               const std::vector<std::uint64_t>& actual, std::uint64_t step) {
    const std::size_t common = std::min(expected.size(), actual.size());
    for (std::size_t i = 0; i < common; ++i) {
      if (expected[i] == actual[i]) continue;
      const auto delta = static_cast<std::int64_t>(actual[i] - expected[i]);
      return note("{}[{}] (number {}): expected cycle {}, got {} ({:+})", key, i, i * step, expected[i], actual[i],
                  delta);
    }
    if (expected.size() != actual.size()) note("{}: expected {} entries, got {}", key, expected.size(), actual.size());
  }
  void counts(const std::string& key, const PortCounts& expected, const PortCounts& actual) {
    number(key + ".transactions", expected.transactions, actual.transactions);
    number(key + ".beats", expected.beats, actual.beats);
    for (int i = 0; i < PortCounts::kSizes; ++i) {
      const auto at = static_cast<std::size_t>(i);
      number(key + "." + size_key(i), expected.size[at], actual.size[at]);
    }
  }
  void missing(const std::string& key) { note("{}: missing", key); }
  [[nodiscard]] std::string result() && { return std::move(result_); }

 private:
  template <class... Arguments>
  void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (result_.empty()) result_ = fmt::format(format, std::forward<Arguments>(arguments)...);
  }
  std::string result_;
};

void compare_checks(Comparison& compare, const Expectation& expected, const Expectation& actual) {
  if (!expected.checks) return;
  if (!actual.checks) return compare.missing("checks");
  compare.number("checks (number of ranges)", expected.checks->size(), actual.checks->size());
  for (std::size_t i = 0; i < std::min(expected.checks->size(), actual.checks->size()); ++i) {
    const CheckResult& e = (*expected.checks)[i];
    const CheckResult& a = (*actual.checks)[i];
    const std::string key = fmt::format("checks[{}]", i);
    compare.text(key + " range", fmt::format("{:x}+{}", e.address, e.bytes),
                 fmt::format("{:x}+{}", a.address, a.bytes));
    compare.crc(fmt::format("{} (memory {:#x}, {} bytes)", key, e.address, e.bytes), e.crc32, a.crc32);
  }
}

void compare_memory_system(Comparison& compare, const Expectation& expected, const Expectation& actual) {
  if (expected.l2) {
    if (!actual.l2) return compare.missing("l2");
    compare.number("l2.hits", expected.l2->hits, actual.l2->hits);
    compare.number("l2.misses", expected.l2->misses, actual.l2->misses);
    compare.number("l2.allocations", expected.l2->allocations, actual.l2->allocations);
    compare.number("l2.directory_reads", expected.l2->directory_reads, actual.l2->directory_reads);
    compare.number("l2.victims_clean", expected.l2->victims_clean, actual.l2->victims_clean);
    compare.number("l2.victims_dirty", expected.l2->victims_dirty, actual.l2->victims_dirty);
  }
  if (expected.axi) {
    if (!actual.axi) return compare.missing("axi");
    compare.number("axi.reads", expected.axi->reads, actual.axi->reads);
    compare.number("axi.writes", expected.axi->writes, actual.axi->writes);
    if (expected.axi->last_cycle) {
      if (!actual.axi->last_cycle) return compare.missing("axi.last_cycle");
      compare.number("axi.last_cycle", *expected.axi->last_cycle, *actual.axi->last_cycle);
    }
    compare.crc("axi.ar_crc32", expected.axi->ar_crc32, actual.axi->ar_crc32);
    compare.crc("axi.aw_crc32", expected.axi->aw_crc32, actual.axi->aw_crc32);
  }
}

}  // namespace

std::uint64_t accept_step(std::uint64_t commands) { return commands <= kSmallStream ? 1 : kSampleStep; }

Expectation parse_expectation(std::string_view text, const std::string& name) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    throw ConfigError(fmt::format("{}: error: not valid JSON: {}", name, error.what()));
  }
  Object object(json, name, "");
  if (object.text("format") != kFormat) object.fail(fmt::format("'format' is not '{}'", kFormat));
  Expectation result;
  result.revision = object.text("revision");
  result.latency = object.number("latency");
  result.commands = object.number("commands");
  result.cycles = object.number("cycles");
  result.fences = object.numbers("fences");
  result.accept_every = object.number("accept_every");
  result.accept = object.numbers("accept");
  result.accept_crc32 = object.crc("accept_crc32");
  result.get = port_counts(object.child("get"));
  result.put = port_counts(object.child("put"));
  result.port_a_beats = object.number("port_a_beats");
  result.port_a_crc32 = object.crc("port_a_crc32");
  result.port_a_every100 = object.numbers("port_a_every100");
  result.port_d_crc32 = object.crc("port_d_crc32");
  result.port_d_stall_cycles = object.number("port_d_stall_cycles");
  if (object.has("port_d_request_crc32")) result.port_d_request_crc32 = object.crc("port_d_request_crc32");
  if (object.has("axi")) result.axi = axi(object.child("axi"));
  if (object.has("l2")) result.l2 = cache(object.child("l2"));
  if (object.has("checks")) result.checks = checks(object.array("checks"), name);
  object.finish();
  return result;
}

Expectation read_expectation(const std::string& path) { return parse_expectation(read_file(path), path); }

std::string format_expectation(const Expectation& e) {
  std::vector<std::string> lines;
  const auto add = [&](const char* key, const std::string& value) {
    lines.push_back(fmt::format("  \"{}\": {}", key, value));
  };
  const auto number = [&](const char* key, std::uint64_t value) { add(key, std::to_string(value)); };
  const auto crc = [&](const char* key, std::uint32_t value) { add(key, "\"" + crc32_text(value) + "\""); };
  add("format", fmt::format("\"{}\"", kFormat));
  add("revision", Json(e.revision).dump());
  number("latency", e.latency);
  number("commands", e.commands);
  number("cycles", e.cycles);
  add("fences", list(e.fences));
  number("accept_every", e.accept_every);
  add("accept", list(e.accept));
  crc("accept_crc32", e.accept_crc32);
  add("get", port_text(e.get));
  add("put", port_text(e.put));
  number("port_a_beats", e.port_a_beats);
  crc("port_a_crc32", e.port_a_crc32);
  add("port_a_every100", list(e.port_a_every100));
  crc("port_d_crc32", e.port_d_crc32);
  number("port_d_stall_cycles", e.port_d_stall_cycles);
  if (e.port_d_request_crc32) crc("port_d_request_crc32", *e.port_d_request_crc32);
  if (e.axi) add("axi", axi_text(*e.axi));
  if (e.l2) add("l2", cache_text(*e.l2));
  if (e.checks) add("checks", checks_text(*e.checks));
  return fmt::format("{{\n{}\n}}\n", fmt::join(lines, ",\n"));
}

void write_expectation(const std::string& path, const Expectation& expectation) {
  write_atomically(path, format_expectation(expectation));
}

std::string first_difference(const Expectation& expected, const Expectation& actual) {
  Comparison compare;
  compare.text("revision", expected.revision, actual.revision);
  compare.number("latency", expected.latency, actual.latency);
  compare.number("commands", expected.commands, actual.commands);
  compare_checks(compare, expected, actual);
  compare.counts("get", expected.get, actual.get);
  compare.counts("put", expected.put, actual.put);
  compare.numbers("port_a_every100", expected.port_a_every100, actual.port_a_every100, kSampleStep);
  compare.number("port_a_beats", expected.port_a_beats, actual.port_a_beats);
  compare.numbers("fences", expected.fences, actual.fences, 1);
  compare.number("cycles", expected.cycles, actual.cycles);
  compare.number("accept_every", expected.accept_every, actual.accept_every);
  compare.numbers("accept", expected.accept, actual.accept, expected.accept_every);
  compare_memory_system(compare, expected, actual);
  compare.crc("accept_crc32", expected.accept_crc32, actual.accept_crc32);
  compare.crc("port_a_crc32", expected.port_a_crc32, actual.port_a_crc32);
  compare.crc("port_d_crc32", expected.port_d_crc32, actual.port_d_crc32);
  compare.number("port_d_stall_cycles", expected.port_d_stall_cycles, actual.port_d_stall_cycles);
  if (expected.port_d_request_crc32) {
    if (actual.port_d_request_crc32) {
      compare.crc("port_d_request_crc32", *expected.port_d_request_crc32, *actual.port_d_request_crc32);
    } else {
      compare.missing("port_d_request_crc32");
    }
  }
  return std::move(compare).result();
}

std::string expectation_path(const std::string& trace_path) {
  std::string stem = trace_path;
  for (const std::string_view suffix : {".gz", ".trace"}) {
    if (stem.size() > suffix.size() && stem.compare(stem.size() - suffix.size(), suffix.size(), suffix) == 0) {
      stem.resize(stem.size() - suffix.size());
    }
  }
  return stem + ".expect.json";
}

}  // namespace systole::isa
