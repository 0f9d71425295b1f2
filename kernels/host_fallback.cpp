#include "kernels/host_fallback.h"

#include "sim/base/errors.h"

namespace systole::kernels {
namespace {

using isa::HostOperation;
using isa::HostOperationKind;

isa::HostRows rows_of(const Matrix& m) { return {m.address, m.stride}; }

HostOperation operation(HostOperationKind kind, const Matrix& x, const Matrix& out) {
  SYSTOLE_CHECK(x.present() && out.present() && x.rows == out.rows && x.cols == out.cols);
  HostOperation o;
  o.kind = kind;
  o.rows = x.rows, o.columns = x.cols;
  o.in = rows_of(x), o.out = rows_of(out);
  return o;
}

void check_float(const Matrix& m) { SYSTOLE_CHECK(m.element == Element::kFloat32); }

}  // namespace

void host_dequantise(Builder& b, const Matrix& x, const Matrix& out, float scale) {
  check_float(out);
  SYSTOLE_CHECK(x.element != Element::kFloat32);
  const bool wide = x.element == Element::kInt32;
  HostOperation o = operation(wide ? HostOperationKind::kDequantise32 : HostOperationKind::kDequantise8, x, out);
  o.scale = scale;
  b.host(o);
}

void host_quantise(Builder& b, const Matrix& x, const Matrix& out, float units) {
  check_float(x);
  SYSTOLE_CHECK(out.element == Element::kInt8);
  HostOperation o = operation(HostOperationKind::kQuantise, x, out);
  o.scale = units;
  b.host(o);
}

void host_softmax(Builder& b, const Matrix& x, const Matrix& out, std::uint64_t visible) {
  check_float(x), check_float(out);
  HostOperation o = operation(HostOperationKind::kSoftmax, x, out);
  o.visible = visible;
  b.host(o);
}

void host_gelu(Builder& b, const Matrix& x, const Matrix& out) {
  check_float(x), check_float(out);
  b.host(operation(HostOperationKind::kGelu, x, out));
}

void host_layer_norm(Builder& b, const Matrix& x, const Matrix& affine, const Matrix& out) {
  check_float(x), check_float(out), check_float(affine);
  SYSTOLE_CHECK(affine.rows == 2 && affine.cols == x.cols);
  HostOperation o = operation(HostOperationKind::kLayerNorm, x, out);
  o.second = rows_of(affine);
  b.host(o);
}

void host_residual(Builder& b, const Matrix& x, const Matrix& y, const Matrix& out) {
  check_float(x), check_float(y), check_float(out);
  SYSTOLE_CHECK(x.rows == y.rows && x.cols == y.cols);
  HostOperation o = operation(HostOperationKind::kResidual, x, out);
  o.second = rows_of(y);
  b.host(o);
}

}  // namespace systole::kernels
