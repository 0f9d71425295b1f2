#include "workloads/lower/validate.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "isa/image.h"
#include "sim/base/errors.h"
#include "workloads/lower/find_store.h"
#include "workloads/reference/arithmetic.h"
#include "workloads/reference/evaluate.h"
#include "workloads/weights/safetensors.h"

namespace systole::workloads {
namespace {

using kernels::Element;

// Rows and columns of one slice of an expected tensor.
struct SliceShape {
  std::size_t slices = 1, rows = 0, cols = 0;
};

SliceShape shape_of(const Boundary& b, const Tensor& expected) {
  const kernels::Matrix& m = b.slices.at(0);
  const Dtype dtype = m.element == Element::kInt8 ? Dtype::I8 : Dtype::I32;
  SliceShape s{b.slices.size(), static_cast<std::size_t>(m.rows), static_cast<std::size_t>(m.cols)};
  const Shape shape = b.by_head ? Shape{s.slices, s.rows, s.cols} : Shape{s.rows, s.cols};
  if (expected.dtype != dtype || expected.shape != shape) {
    throw ConfigError(fmt::format("boundary '{}' is {} {} in the vectors, the program computes {} {}", b.name,
                                  name_of(expected.dtype), to_string(expected.shape), name_of(dtype), to_string(shape)));
  }
  return s;
}

std::int64_t value_at(const std::uint8_t* bytes, Element element) {
  if (element == Element::kInt8) return static_cast<std::int8_t>(*bytes);
  std::int32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Compares one boundary; reports the first different cell.
std::uint64_t compare_boundary(const Boundary& b, const Visibility& visible, const Tensor& expected, const Memory& memory,
                               Comparison& result, std::optional<Mismatch>& first) {
  const SliceShape s = shape_of(b, expected);
  std::uint64_t mismatches = 0;
  for (std::size_t slice = 0; slice < s.slices; ++slice) {
    const kernels::Matrix& m = b.slices[slice];
    const std::uint64_t bytes = kernels::bytes_of(m.element);
    for (std::size_t row = 0; row < s.rows; ++row) {
      const std::uint8_t* actual = memory.at(m.at(row, 0), s.cols * bytes);
      const std::uint8_t* wanted = expected.bytes.data() + ((slice * s.rows + row) * s.cols) * bytes;
      std::size_t cols = s.cols;
      // Masked words are at the end of a row: keys after the last visible one.
      if (b.masked) {
        while (cols > 0 && !visible(b, row, cols - 1)) --cols;
      }
      result.values += cols;
      if (std::memcmp(actual, wanted, cols * bytes) == 0) continue;
      for (std::size_t col = 0; col < cols; ++col) {
        if (std::memcmp(actual + col * bytes, wanted + col * bytes, bytes) == 0) continue;
        ++mismatches;
        if (first) continue;
        Mismatch miss;
        miss.boundary = b.name;
        miss.sequence = b.sequence;
        if (b.name.rfind("act.", 0) == 0 && b.name.rfind("act.-1", 0) != 0) miss.layer = b.layer;
        if (b.by_head) miss.head = slice;
        miss.row = row;
        miss.column = col;
        miss.expected = value_at(wanted + col * bytes, m.element);
        miss.actual = value_at(actual + col * bytes, m.element);
        miss.address = m.at(row, col);
        first = miss;
      }
    }
  }
  return mismatches;
}

}  // namespace

std::string describe(const Mismatch& m) {
  std::string where = m.layer ? fmt::format("layer {}, ", *m.layer) : std::string();
  where += fmt::format("tensor {}", m.boundary);
  if (m.sequence != 0) where += fmt::format(", sequence {}", m.sequence);
  if (m.head) where += fmt::format(", head {}", *m.head);
  std::string by = "no instruction writes it";
  if (!m.instruction.empty()) {
    by = fmt::format("written by item {}{}: {}", m.item, m.region.empty() ? "" : fmt::format(" ({})", m.region), m.instruction);
  }
  return fmt::format("{}, row {}, column {}: {} instead of {} (address {:#x}, {})", where, m.row, m.column, m.actual, m.expected,
                     m.address, by);
}

Comparison compare(const Lowered& lowered, const QuantisedModel& model, const std::vector<TensorMap>& expected,
                   const Memory& memory, int dim) {
  const Visibility visible = [&](const Boundary& b, std::size_t query, std::size_t key) {
    const std::size_t valid = lowered.valid.empty() ? 0 : lowered.valid.at(b.sequence);
    return reference::key_is_visible(model, valid, b.layer, b.cross, query, key);
  };
  return compare(lowered, visible, expected, memory, dim);
}

Comparison compare(const Lowered& lowered, const Visibility& visible, const std::vector<TensorMap>& expected,
                   const Memory& memory, int dim) {
  Comparison result;
  std::set<std::pair<std::size_t, std::string>> seen;
  for (const Boundary& b : lowered.boundaries) {
    if (b.sequence >= expected.size()) continue;
    const auto found = expected[b.sequence].find(b.name);
    if (found == expected[b.sequence].end()) continue;
    seen.insert({b.sequence, b.name});
    ++result.boundaries;
    const std::uint64_t mismatches = compare_boundary(b, visible, found->second, memory, result, result.first);
    result.mismatches += mismatches;
    result.different += mismatches == 0 ? 0 : 1;
  }
  if (result.first) {
    if (const std::optional<Store> store = find_store(lowered.program, result.first->address, dim)) {
      result.first->instruction = store->instruction;
      result.first->item = store->item;
      result.first->region = store->region;
    }
  }
  for (std::size_t n = 0; n < expected.size(); ++n) {
    for (const auto& [name, tensor] : expected[n]) {
      const bool boundary = name.rfind("act.", 0) == 0 || name.rfind("out.", 0) == 0;
      if (boundary && seen.count({n, name}) == 0) result.unseen.push_back(name);
    }
  }
  return result;
}

namespace {

bool is_boundary(const std::string& name) { return name.rfind("act.", 0) == 0 || name.rfind("out.", 0) == 0; }

const AttentionWeights& attention_of(const QuantisedModel& model, const Boundary& scores) {
  const LayerWeights& layer = model.layers.at(scores.layer);
  return scores.cross ? layer.cross.value() : layer.attention;
}

// Sums of exponentials stay in the machine, so the stored ones are compared with those of the scores that it left in memory.
void compare_row_sums(const Lowered& lowered, const QuantisedModel& model, const TensorMap& expected, const Memory& memory, int dim,
                      Comparison& result) {
  const bool deferred = model.probability_form == ProbabilityForm::Deferred;
  for (const Boundary& scores : lowered.boundaries) {
    if (!scores.masked || scores.sequence != 0) continue;
    const std::string name = scores.name.substr(0, scores.name.size() - 1) + "rowsum";
    const auto found = expected.find(name);
    if (found == expected.end()) continue;
    const Tensor& sums = found->second;
    const std::size_t heads = scores.slices.size(), rows = scores.slices.at(0).rows, cols = scores.slices[0].cols;
    if (sums.dtype != Dtype::I32 || sums.shape != Shape{heads, rows, 1}) {
      throw ConfigError(fmt::format("boundary '{}' is {} {}, needed is I32 {}", name, name_of(sums.dtype), to_string(sums.shape),
                                    to_string(Shape{heads, rows, 1})));
    }
    const AttentionWeights& weights = attention_of(model, scores);
    ++result.boundaries;
    std::uint64_t mismatches = 0;
    for (std::size_t h = 0; h < heads; ++h) {
      const HeadWeights& head = weights.heads.at(h);
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t valid = lowered.valid.empty() ? 0 : lowered.valid.at(0);
        std::size_t keys = cols;
        while (keys > 0 && !reference::key_is_visible(model, valid, scores.layer, scores.cross, row, keys - 1)) --keys;
        std::vector<std::int32_t> x(keys);
        std::memcpy(x.data(), memory.at(scores.slices[h].at(row, 0), keys * sizeof(std::int32_t)), keys * sizeof(std::int32_t));
        std::vector<std::int8_t> ignored(keys);
        reference::OverflowCounters overflows;
        const std::int32_t sum =
            reference::exp_row(x.data(), keys, head.pre_shift, {head.exp.qb, head.exp.qc, head.exp.qln2, head.exp.qln2_inv},
                               reference::ExpReadout::Exponentials, 1.0f, ignored.data(), overflows);
        const std::int32_t actual = deferred ? sum : 0;
        const std::int32_t wanted = sums.as<std::int32_t>()[h * rows + row];
        ++result.values;
        if (actual == wanted) continue;
        ++mismatches;
        if (result.first) continue;
        Mismatch miss;
        miss.boundary = name;
        miss.layer = scores.layer;
        miss.head = h;
        miss.row = row;
        miss.expected = wanted;
        miss.actual = actual;
        miss.address = scores.slices[h].at(row, 0);
        if (const std::optional<Store> store = find_store(lowered.program, miss.address, dim)) {
          miss.instruction = store->instruction;
          miss.item = store->item;
          miss.region = store->region;
        }
        result.first = miss;
      }
    }
    result.mismatches += mismatches;
    result.different += mismatches == 0 ? 0 : 1;
    result.unseen.erase(std::remove(result.unseen.begin(), result.unseen.end(), name), result.unseen.end());
  }
}

}  // namespace

Comparison validate_vectors(const SafetensorsFile& vectors, const kernels::Target& target, const Machine& machine) {
  const QuantisedFile file = load_quantised_file(vectors);
  if (std::none_of(file.vectors.begin(), file.vectors.end(), [](const auto& entry) { return is_boundary(entry.first); })) {
    throw ConfigError(vectors.name() + ": holds no boundary to compare; `systole quantize --vectors` stores them");
  }
  LowerOptions options;
  options.store_all_boundaries = true;
  const Lowered lowered = lower(file.model, {file.vectors}, target, options);
  Memory memory;
  isa::load_image(lowered.program, memory);
  machine(lowered.program, memory);
  Comparison result = compare(lowered, file.model, {file.vectors}, memory, target.dim);
  if (!file.model.host_functions) compare_row_sums(lowered, file.model, file.vectors, memory, target.dim, result);
  return result;
}

}  // namespace systole::workloads
