#include "workloads/lower/host_blocks.h"

#include <cmath>

#include <fmt/format.h>

#include "kernels/host_fallback.h"
#include "kernels/matmul.h"
#include "sim/base/errors.h"

namespace systole::workloads::lowering {
namespace {

using kernels::Matrix;
using kernels::MatmulBranch;

std::uint64_t rows_in(const std::vector<Matrix>& parts) {
  std::uint64_t rows = 0;
  for (const Matrix& m : parts) rows += m.rows;
  return rows;
}

// fp32 rows beside each part.
std::vector<Matrix> floats_of(Session& s, const std::string& name, const std::vector<Matrix>& parts) {
  std::vector<Matrix> result;
  for (std::size_t n = 0; n < parts.size(); ++n)
    result.push_back(s.floats(fmt::format("{}.{}", name, n), parts[n].rows, parts[n].cols));
  return result;
}

void dequantise(Session& s, const std::string& region, const std::vector<Matrix>& from, const std::vector<Matrix>& to,
                double unit) {
  s.open_region(region + "dequantise");
  for (std::size_t n = 0; n < from.size(); ++n)
    kernels::host_dequantise(s.builder(), from[n], to[n], static_cast<float>(unit));
}

void quantise(Session& s, const std::string& region, const std::vector<Matrix>& from, const std::vector<Matrix>& to,
              float units) {
  s.open_region(region + "quantise");
  for (std::size_t n = 0; n < from.size(); ++n) kernels::host_quantise(s.builder(), from[n], to[n], units);
}

void norm(Session& s, const std::string& region, const std::vector<Matrix>& x, const NormParameters& parameters,
          const std::vector<Matrix>& to, const std::vector<Matrix>& out) {
  s.open_region(region + "norm");
  for (std::size_t n = 0; n < x.size(); ++n) kernels::host_layer_norm(s.builder(), x[n], parameters.affine, to[n]);
  quantise(s, region, to, out, parameters.constants->scale);
}

// Heads follow one another without a fence, so none of them may keep an operand in a half of its choice.
void multiply_head(kernels::Builder& b, const Matrix& a, bool transpose_b, const MatmulBranch& branch) {
  kernels::TilingChoice plan = b.product_tiling({{a.rows, branch.c.cols, a.cols}, transpose_b, false, 1});
  plan.resident_a = false;
  kernels::matmul_tiled(b, a, transpose_b, {branch}, plan);
}

// What one head of one sequence works on.
struct Head {
  Matrix q, k, v, scores, weights, context, floats;
  const HeadWeights* constants = nullptr;
};

}  // namespace

void attend_on_host(Session& s, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
                    const AttentionBuffers& buffers, const std::vector<std::size_t>& visible, bool causal) {
  const std::size_t dk = s.model().dk();
  std::vector<Head> heads;
  for (std::size_t n = 0; n < s.sequences(); ++n) {
    const auto rows = [&](const Activations& a) { return a.all.rows_from(n * a.rows + pass.first, pass.count); };
    const auto keys = [&](const Activations& a) { return a.all.rows_from(n * a.rows, visible.at(n)); };
    for (std::size_t h = 0; h < parameters.heads.size(); ++h) {
      Head head;
      head.q = rows(buffers.q[h]);
      head.k = keys(buffers.k[h]);
      head.v = keys(buffers.v[h]);
      head.scores = rows(buffers.s[h]).block(0, 0, pass.count, visible[n]);
      head.weights = rows(buffers.p[h]).block(0, 0, pass.count, visible[n]);
      const Matrix context = buffers.context.all.block(0, h * dk, buffers.context.all.rows, dk);
      head.context = context.rows_from(n * buffers.context.rows + pass.first, pass.count);
      head.floats = s.floats(fmt::format("scores.{}.{}", n, h), pass.count, visible[n]);
      head.constants = parameters.heads[h].constants;
      heads.push_back(head);
    }
  }
  const std::string prefix = pass.region + region;
  std::uint64_t macs = 0;
  for (const std::size_t keys : visible) macs += parameters.heads.size() * pass.count * keys * dk;
  kernels::Builder& b = s.builder();
  s.open_region(prefix + "scores", macs);
  for (const Head& head : heads) {
    MatmulBranch branch;
    branch.b = head.k;
    branch.c = head.scores;
    multiply_head(b, head.q, true, branch);
  }
  s.open_region(prefix + "scores/dequantise");
  for (const Head& head : heads) {
    const double unit = std::ldexp(head.constants->score_scale, -head.constants->pre_shift);
    kernels::host_dequantise(b, head.scores, head.floats, static_cast<float>(unit));
  }
  s.open_region(prefix + "scores/softmax");
  for (const Head& head : heads) kernels::host_softmax(b, head.floats, head.floats, causal ? pass.first + 1 : 0);
  s.open_region(prefix + "scores/quantise");
  for (const Head& head : heads)
    kernels::host_quantise(b, head.floats, head.weights, static_cast<float>(1 / head.constants->p_scale));
  s.open_region(prefix + "context", macs);
  for (const Head& head : heads) {
    MatmulBranch branch;
    branch.b = head.v;
    branch.c = head.context;
    branch.store.scale = head.constants->context_scale;
    multiply_head(b, head.weights, false, branch);
  }
  b.fence();
}

void product_on_array(Session& s, const Pass& pass, const std::string& region, const Activations& a,
                      const ProductParameters& parameters, const Activations& out) {
  const std::vector<Matrix> left = a.of(pass, s.sequences());
  const std::vector<Matrix> result = out.of(pass, s.sequences());
  s.open_region(pass.region + region, rows_in(left) * parameters.w.rows * parameters.w.cols);
  for (std::size_t part = 0; part < left.size(); ++part) {
    MatmulBranch branch;
    branch.b = parameters.w;
    branch.d = parameters.bias;
    branch.c = result[part];
    kernels::matmul(s.builder(), left[part], false, {branch});
  }
}

void add_and_norm_on_host(Session& s, const Pass& pass, const std::string& region, const Activations& sums,
                          const ProductParameters& parameters, const Activations& x, const NormParameters& norm_parameters,
                          const Activations& out) {
  const std::string prefix = pass.region + region;
  const std::vector<Matrix> from = sums.of(pass, s.sequences());
  const std::vector<Matrix> other = x.of(pass, s.sequences());
  const std::vector<Matrix> y = floats_of(s, "sum", from), term = floats_of(s, "term", other);
  dequantise(s, prefix, from, y, parameters.unit);
  dequantise(s, prefix, other, term, parameters.residual.scale * parameters.unit);
  s.open_region(prefix + "residual");
  for (std::size_t n = 0; n < y.size(); ++n) kernels::host_residual(s.builder(), y[n], term[n], y[n]);
  norm(s, prefix, y, norm_parameters, y, out.of(pass, s.sequences()));
}

void gelu_on_host(Session& s, const Pass& pass, const std::string& region, const Activations& sums,
                  const ActivationConstants& constants, const Activations& out) {
  const std::string prefix = pass.region + region;
  const std::vector<Matrix> from = sums.of(pass, s.sequences());
  const std::vector<Matrix> y = floats_of(s, "inner", from);
  dequantise(s, prefix, from, y, constants.in_scale);
  s.open_region(prefix + "gelu");
  for (const Matrix& m : y) kernels::host_gelu(s.builder(), m, m);
  quantise(s, prefix, y, out.of(pass, s.sequences()), static_cast<float>(1 / constants.out_scale));
}

void norm_on_host(Session& s, const Pass& pass, const std::string& region, const Activations& x, double unit,
                  const NormParameters& parameters, const Activations& out) {
  const std::vector<Matrix> from = x.of(pass, s.sequences());
  const std::vector<Matrix> y = floats_of(s, "sum", from);
  dequantise(s, pass.region + region, from, y, unit);
  norm(s, pass.region + region, y, parameters, y, out.of(pass, s.sequences()));
}

HostStream open_stream_on_host(Session& s, const Pass& pass, const Activations& x, double unit) {
  const std::vector<Matrix> from = x.of(pass, s.sequences());
  HostStream stream = floats_of(s, "stream", from);
  dequantise(s, pass.region + "embedding/", from, stream, unit);
  return stream;
}

void add_on_host(Session& s, const Pass& pass, const std::string& region, const Activations& sums,
                 const ProductParameters& parameters, const HostStream& stream) {
  const std::string prefix = pass.region + region;
  const std::vector<Matrix> from = sums.of(pass, s.sequences());
  const std::vector<Matrix> term = floats_of(s, "term", from);
  dequantise(s, prefix, from, term, parameters.unit);
  s.open_region(prefix + "residual");
  for (std::size_t n = 0; n < term.size(); ++n) kernels::host_residual(s.builder(), stream[n], term[n], stream[n]);
}

void norm_on_host(Session& s, const Pass& pass, const std::string& region, const HostStream& stream,
                  const NormParameters& parameters, const Activations& out) {
  norm(s, pass.region + region, stream, parameters, floats_of(s, "sum", stream), out.of(pass, s.sequences()));
}

}  // namespace systole::workloads::lowering
