#include "workloads/lower/unit_vectors.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "kernels/allocate.h"
#include "kernels/builder.h"
#include "kernels/convert.h"
#include "kernels/layer_norm.h"
#include "kernels/matmul.h"
#include "kernels/normalise.h"
#include "sim/base/errors.h"

namespace systole::workloads {
namespace {

using kernels::Element;
using kernels::LoadState;

constexpr float kNormScale = 16.0F;
constexpr int kAffineShift = 3;
constexpr int kOverflowingSet = 3;

class UnitLowering {
 public:
  UnitLowering(const SafetensorsFile& file, const kernels::Target& target)
      : file_(file), memory_(result_.lowered.program, target.dim), builder_(target, result_.lowered.program) {}

  UnitProgram run() {
    if (file_.contains("gemm.C")) gemm();
    if (file_.contains("scale.x")) scale();
    if (file_.contains("mvin.x")) mvin();
    for (int set = 0; file_.contains(fmt::format("ln.{}.x", set)); ++set) layer_norm(set);
    for (int set = 0; file_.contains(fmt::format("sm.{}.x", set)); ++set) softmax(set);
    result_.lowered.memory_end = memory_.end();
    return std::move(result_);
  }

 private:
  template <typename T>
  std::vector<T> values(const std::string& name) const { return file_.read_as<T>(name, file_.view(name).shape); }
  template <typename T>
  kernels::Matrix operand(const std::string& name) {
    const Shape shape = matrix_shape(name);
    return memory_.matrix(name, shape[0], shape[1], values<T>(name).data());
  }
  Shape matrix_shape(const std::string& name) const {
    const Shape& shape = file_.view(name).shape;
    const bool vector = shape.size() == 1;
    if ((!vector && shape.size() != 2) || elements_of(shape) == 0) throw ConfigError(fmt::format("{}: tensor '{}' has shape {}", file_.name(), name, to_string(shape)));
    return vector ? Shape{1, shape[0]} : shape;
  }
  // Room for a result that the file holds.
  kernels::Matrix result(const std::string& name, std::uint64_t rows, std::uint64_t cols, Element element) {
    const kernels::Matrix m = memory_.matrix(name, rows, cols, element);
    Boundary boundary;
    boundary.name = name;
    boundary.slices = {m};
    result_.lowered.boundaries.push_back(boundary);
    result_.expected[name] = file_.read(name);
    return m;
  }
  void begin(const std::string& name) {
    builder_.fence();
    builder_.region(name);
  }

  using Step = std::function<void(const kernels::Matrix& x, const kernels::Matrix& out)>;
  // A long row of each as rows of whole array width, and the rest.
  void in_tiles(const kernels::Matrix& x, const kernels::Matrix& out, const Step& step) {
    const std::uint64_t dim = builder_.dim(), whole = x.cols / dim, rest = x.cols % dim;
    const auto part = [&](const kernels::Matrix& m, std::uint64_t first, std::uint64_t rows, std::uint64_t cols) {
      return kernels::Matrix{m.at(0, first), rows, cols, dim * kernels::bytes_of(m.element), m.element};
    };
    if (whole != 0) step(part(x, 0, whole, dim), part(out, 0, whole, dim));
    if (rest != 0) step(part(x, whole * dim, 1, rest), part(out, whole * dim, 1, rest));
  }
  // Through local rows of the array's width: a load that scales, a store that does not.
  void move(const kernels::Matrix& x, const kernels::Matrix& out, float scale) {
    const std::uint64_t dim = builder_.dim();
    const bool words = x.element == Element::kInt32;
    builder_.load_config(LoadState::kA, {x.stride, scale, false});
    kernels::StoreConfig store;
    store.stride = out.stride;
    builder_.store_config(store);
    for (std::uint64_t r = 0; r < x.rows; r += dim) {
      const std::uint64_t rows = std::min(dim, x.rows - r), local = r % (4 * dim);
      builder_.mvin(LoadState::kA, x.at(r, 0), words ? builder_.accumulator(local) : builder_.scratchpad(local), x.cols, rows);
      builder_.mvout(out.at(r, 0), words ? builder_.accumulator(local, false, true) : builder_.scratchpad(local), x.cols, rows);
    }
  }

  void gemm() {
    const kernels::Matrix a = operand<std::int8_t>("gemm.A");
    kernels::MatmulBranch branch;
    branch.b = operand<std::int8_t>("gemm.B");
    branch.d = operand<std::int32_t>("gemm.D");
    if (branch.b.rows != a.cols || branch.d.rows != a.rows || branch.d.cols != branch.b.cols) {
      throw ConfigError(fmt::format("{}: gemm.A, gemm.B and gemm.D do not fit each other", file_.name()));
    }
    branch.c = result("gemm.C", a.rows, branch.b.cols, Element::kInt32);
    begin("gemm");
    kernels::matmul(builder_, a, false, {branch});
  }

  void scale() {
    const kernels::Matrix x = operand<std::int32_t>("scale.x");
    const std::vector<float> scales = values<float>("scale.s");
    const kernels::Matrix bytes = result("scale.y8", scales.size(), x.cols, Element::kInt8);
    const kernels::Matrix words = result("scale.y32", scales.size(), x.cols, Element::kInt32);
    for (std::size_t i = 0; i < scales.size(); ++i) {
      begin("scale8");
      in_tiles(x, bytes.rows_from(i, 1), [&](const kernels::Matrix& from, const kernels::Matrix& to) { kernels::convert(builder_, from, to, scales[i]); });
      if (scales[i] == 1.0F) {
        result_.unscaled.push_back(words.rows_from(i, 1));
        continue;
      }
      begin("scale32");
      in_tiles(x, words.rows_from(i, 1), [&](const kernels::Matrix& from, const kernels::Matrix& to) { move(from, to, scales[i]); });
    }
  }

  void mvin() {
    const kernels::Matrix x = operand<std::int8_t>("mvin.x");
    const std::vector<float> scales = values<float>("scale.s");
    const kernels::Matrix out = result("mvin.y", scales.size(), x.cols, Element::kInt8);
    for (std::size_t i = 0; i < scales.size(); ++i) {
      begin("mvin");
      in_tiles(x, out.rows_from(i, 1), [&](const kernels::Matrix& from, const kernels::Matrix& to) { move(from, to, scales[i]); });
    }
  }

  void layer_norm(int set) {
    const std::string prefix = fmt::format("ln.{}.", set);
    kernels::LayerNormArguments a;
    a.x = operand<std::int32_t>(prefix + "x");
    a.scale = kNormScale;
    const auto norm = [&](const char* name) {
      a.out = result(prefix + name, a.x.rows, a.x.cols, Element::kInt8);
      begin(prefix + name);
      kernels::layer_norm(builder_, a);
    };
    norm("y");
    a.wide_variance = true;
    norm("ywide");
    a.wide_variance = set != kOverflowingSet;
    a.pre_shift = set != kOverflowingSet ? kAffineShift : 0;
    const std::vector<float> rows = kernels::affine_rows(file_.read_as<float>(prefix + "g", {a.x.cols}), file_.read_as<float>(prefix + "b", {a.x.cols}), builder_.dim());
    a.affine = memory_.matrix(prefix + "affine", rows.size() / builder_.dim(), builder_.dim(), rows.data());
    norm("yaff");
  }

  void softmax(int set) {
    const std::string prefix = fmt::format("sm.{}.", set);
    const kernels::Matrix x = operand<std::int32_t>(prefix + "x");
    const std::vector<std::int32_t> c = file_.read_as<std::int32_t>(prefix + "c", {4});
    kernels::StoreConfig store;
    store.constants = {c[0], c[1], c[2], c[3]};
    store.activation = isa::Activation::kSoftmax;
    const kernels::Matrix y = result(prefix + "y", x.rows, x.cols, Element::kInt8);
    begin(prefix + "y");
    kernels::normalise_matrix(builder_, kernels::RowStatistics::kSoftmax, x, y, store, 0);
    store.activation = isa::Activation::kExp;
    store.scale = static_cast<float>(127.0 / (static_cast<double>(c[0]) * c[0] + c[1]));
    const kernels::Matrix e = result(prefix + "exp8", x.rows, x.cols, Element::kInt8);
    begin(prefix + "exp8");
    kernels::normalise_matrix(builder_, kernels::RowStatistics::kSoftmax, x, e, store, 0, 0);
    builder_.fence();
  }

  const SafetensorsFile& file_;
  UnitProgram result_;
  kernels::Allocator memory_;
  kernels::Builder builder_;
};

void require_functions(const kernels::Target& target) {
  const kernels::Extensions& has = target.extensions;
  const std::pair<bool, const char*> needs[] = {{target.normaliser, "sfu.normaliser=1"},     {has.integer_exp, "sfu.iexp_as_igelu=0"},
                                                {has.pre_shift, "sfu.pre_shift=1"},           {has.accumulator_scale, "sfu.mvin_acc_scale=1"},
                                                {has.norm_affine, "sfu.layer_norm_affine=1"}, {has.deferred_softmax, "sfu.deferred_softmax=1"},
                                                {has.wide_variance, "sfu.wide_variance=1"}};
  for (const auto& [present, setting] : needs) {
    if (!present) throw ConfigError(fmt::format("the operations need a function that this machine does not have: {}", setting));
  }
}

}  // namespace

bool holds_units(const SafetensorsFile& file) {
  const auto found = file.metadata().find("arch");
  return found != file.metadata().end() && found->second == "units";
}

UnitProgram lower_units(const SafetensorsFile& file, const kernels::Target& target) {
  require_functions(target);
  UnitProgram program = UnitLowering(file, target).run();
  if (program.expected.empty()) throw ConfigError(file.name() + ": holds no operation");
  return program;
}

}  // namespace systole::workloads
