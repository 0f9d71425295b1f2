#pragma once
// FLOPs and bytes of convolutions, and of ResNet-50, which the survey sets beside the Transformers (section 2.2,
// tables 4 and 12).
#include <cstdint>
#include <vector>

#include "workloads/estimate/operation_counts.h"

namespace systole::workloads {

// Square kernel, square images, "same" padding; sizes are pixels per side.
struct Convolution {
  std::uint64_t kernel = 1, in_channels = 0, out_channels = 0, in_size = 0, out_size = 0;
  std::uint64_t repeats = 1;  // layers of this shape
  bool relu = true;           // followed by ReLU (those in front of a residual addition: after it)
};

// Input, weights and result once, one byte each; 2 FLOPs per multiply-accumulate; of all repeats.
[[nodiscard]] Count count_convolution(const Convolution& layer);

// ResNet-50 for 224 x 224 pixels as in figure 28: the stride of a stage is in its first 1x1 convolution.
[[nodiscard]] std::vector<Convolution> resnet50();
inline constexpr std::uint64_t kResnet50Residuals[] = {3, 4, 6, 3};  // residual additions per stage

struct ResnetCounts {
  Count convolution;
  Count batch_norm;  // 2 FLOPs and 2 bytes per element: one multiply, one addition
  Count relu;        // 1 FLOP, 2 bytes per element
  Count other;       // residual additions (1 FLOP, 3 bytes), pooling, classifier
  [[nodiscard]] Count total() const { return convolution + batch_norm + relu + other; }
  [[nodiscard]] Count fused() const { return convolution + other; }
};
[[nodiscard]] ResnetCounts count_resnet50();

}  // namespace systole::workloads
