#pragma once
// Blocks of a layer on a machine without units for non-linear operations: products on the array, everything else on the CPU in
// fp32 (QuantisedModel::host_functions). Each kind of work is a region of its own: "dequantise", "softmax", "quantise", ...
#include <string>
#include <vector>

#include "workloads/lower/blocks.h"

namespace systole::workloads::lowering {

// softmax(Q K^T) V: scores go to memory, and come back as weights.
void attend_on_host(Session& session, const Pass& pass, const std::string& region, const AttentionParameters& parameters,
                    const AttentionBuffers& buffers, const std::vector<std::size_t>& visible, bool causal);

// out (int32) = a * w + bias
void product_on_array(Session& session, const Pass& pass, const std::string& region, const Activations& a,
                      const ProductParameters& parameters, const Activations& out);

// out = LayerNorm(sums + x), for int8 x.
void add_and_norm_on_host(Session& session, const Pass& pass, const std::string& region, const Activations& sums,
                          const ProductParameters& parameters, const Activations& x, const NormParameters& norm,
                          const Activations& out);

// out = GELU(sums)
void gelu_on_host(Session& session, const Pass& pass, const std::string& region, const Activations& sums,
                  const ActivationConstants& constants, const Activations& out);

// out = LayerNorm(x) for int32 x of which one unit is `unit`.
void norm_on_host(Session& session, const Pass& pass, const std::string& region, const Activations& x, double unit,
                  const NormParameters& norm, const Activations& out);

// The residual stream of a pre-LN stack, which stays in fp32: the pass's rows of each sequence.
using HostStream = std::vector<kernels::Matrix>;
[[nodiscard]] HostStream open_stream_on_host(Session& session, const Pass& pass, const Activations& x, double unit);
void add_on_host(Session& session, const Pass& pass, const std::string& region, const Activations& sums,
                 const ProductParameters& parameters, const HostStream& stream);
void norm_on_host(Session& session, const Pass& pass, const std::string& region, const HostStream& stream,
                  const NormParameters& norm, const Activations& out);

}  // namespace systole::workloads::lowering
