#pragma once
// What all parts of a lowering share: the program under construction, its memory, parameters and activation buffers.
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "kernels/allocate.h"
#include "kernels/attention.h"
#include "kernels/builder.h"
#include "kernels/matmul.h"
#include "workloads/lower/lower.h"

namespace systole::workloads::lowering {

// Rows of the activations that one pass works on: `count` rows from `first` of every sequence of the batch.
struct Pass {
  std::size_t first = 0;
  std::size_t count = 0;
  std::string region;  // prefix of region names
};

// A tensor without heads, of all sequences: sequence n has rows n * rows .. (n + 1) * rows - 1.
struct Activations {
  kernels::Matrix all;
  std::size_t rows = 0;

  // The rows of a pass as few matrices: one if the pass has all rows, else one per sequence.
  [[nodiscard]] std::vector<kernels::Matrix> of(const Pass& pass, std::size_t sequences) const;
};

// A tensor with heads: one Activations per head.
using HeadActivations = std::vector<Activations>;

struct NormParameters {
  kernels::Matrix affine;
  const NormConstants* constants = nullptr;
};

struct ResidualParameters {
  float scale = 0;
  kernels::Matrix diagonal;
  std::uint64_t passes = 0;
};

// Weights of a product with bias and residual.
struct ProductParameters {
  kernels::Matrix w;
  kernels::Matrix bias;        // absent: part of w
  std::uint64_t constants = 0;  // columns of the left operand behind its own, and bias rows in w
  ResidualParameters residual;
  double unit = 0;              // host functions: real value of one unit of the product
};

struct HeadParameters {
  kernels::Matrix wq, wk, wv, bq, bk, bv;
  const HeadWeights* constants = nullptr;
  kernels::ScoreMask causal;
};

struct AttentionParameters {
  std::vector<HeadParameters> heads;
  ProductParameters output;
};

class Session {
 public:
  Session(const QuantisedModel& model, const kernels::Target& target, const LowerOptions& options, std::size_t sequences);

  [[nodiscard]] const QuantisedModel& model() const { return model_; }
  [[nodiscard]] const LowerOptions& options() const { return options_; }
  [[nodiscard]] std::size_t sequences() const { return sequences_; }
  // Encoder keys of each sequence that are no padding: from the inputs, or the model's own. To be set before attention is lowered.
  const std::vector<std::size_t>& set_valid(const std::vector<TensorMap>& inputs, std::size_t rows);
  [[nodiscard]] const std::vector<std::size_t>& valid() const { return result_.valid; }
  [[nodiscard]] kernels::Builder& builder() { return builder_; }
  // Everything before is done and in memory: the region's cycles are its own, and its loads see what was stored.
  void open_region(const std::string& name, std::uint64_t macs = 0);
  [[nodiscard]] Lowered take();

  // ---- parameters. `name` as in the quantised model's file. The weights must outlive the session.
  AttentionParameters place_attention(const std::string& name, const std::string& residual_name, const AttentionWeights& weights);
  NormParameters place_norm(const std::string& name, const NormConstants& norm);
  ProductParameters place_product(const std::string& w_name, const std::string& bias_name, const std::string& residual_name,
                                  const Matrix<std::int8_t>& w, const std::vector<std::int32_t>& bias, const Residual& residual);
  kernels::Matrix place_weights(const std::string& name, const Matrix<std::int8_t>& weights);
  kernels::Matrix place_bias(const std::string& name, const std::vector<std::int32_t>& bias);
  // Causal masks for queries at positions below `positions`; to be called after place_attention().
  void add_causal_masks(AttentionParameters& parameters, std::size_t positions);

  // ---- activations: buffers that are boundaries of the reference. `layer` as in the boundary's name.
  Activations activations(int layer, const std::string& name, std::size_t rows, std::size_t cols, kernels::Element element);
  HeadActivations head_activations(int layer, const std::string& name, std::size_t rows, std::size_t cols,
                                   kernels::Element element, bool scores = false, bool cross = false);
  // A buffer that is no boundary itself; one named "out.NAME" that is.
  // The last `constants` columns meet bias rows in the next product's weights.
  Activations unnamed(int layer, const std::string& name, std::size_t rows, std::size_t cols, std::size_t constants);
  Activations output(const std::string& name, std::size_t rows, std::size_t cols);
  // int8 input of the program, not a boundary.
  Activations input(const std::string& name, std::size_t rows, std::size_t cols);
  // fp32 numbers of the CPU between two of its operations; the same memory for every caller of that name and shape.
  kernels::Matrix floats(const std::string& name, std::size_t rows, std::size_t cols);
  // A boundary that is part of another buffer.
  void add_boundary(int layer, const std::string& name, const HeadActivations& heads);
  void add_boundary(int layer, const std::string& name, const Activations& activations);
  // A boundary that stays in the accumulator after all: not compared.
  void drop_boundary(const Activations& activations);
  // Input rows of one sequence.
  template <typename T>
  void fill(const Activations& to, std::size_t sequence, const Tensor& tensor) {
    write(to.all.rows_from(sequence * to.rows, to.rows), tensor.as<T>());
  }
  // Boundary names: "act.{layer}.{name}", "act.{name}" in a model without layers.
  [[nodiscard]] std::string boundary_name(int layer, const std::string& name) const;

 private:
  void fill_weights(const kernels::Matrix& m, const Matrix<std::int8_t>& weights);
  ResidualParameters place_residual(const std::string& name, const Residual& residual);
  kernels::Matrix buffer(int layer, const std::string& name, std::size_t rows, std::size_t cols, kernels::Element element);
  void add_boundary(int layer, const std::string& full_name, const HeadActivations& heads, bool by_head, bool scores, bool cross);
  template <typename T>
  void write(const kernels::Matrix& to, const T* data) {
    isa::Segment segment{to.address, std::vector<std::uint8_t>((to.rows - 1) * to.stride + to.cols * sizeof(T))};
    for (std::uint64_t r = 0; r < to.rows; ++r) {
      std::memcpy(segment.bytes.data() + r * to.stride, data + r * to.cols, to.cols * sizeof(T));
    }
    result_.program.image.push_back(std::move(segment));
  }

  const QuantisedModel& model_;
  const kernels::Target target_;
  const LowerOptions options_;
  const std::size_t sequences_;
  Lowered result_;
  kernels::Allocator memory_;
  kernels::Builder builder_;
  std::map<std::string, kernels::Matrix> shared_;  // reuse_buffers; floats
  std::map<std::int64_t, kernels::ScoreMask> causal_;  // by mask magnitude (0: the int8 pattern)
};

}  // namespace systole::workloads::lowering
