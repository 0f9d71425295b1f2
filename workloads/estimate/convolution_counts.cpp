#include "workloads/estimate/convolution_counts.h"

namespace systole::workloads {

Count count_convolution(const Convolution& c) {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  const double weights = number(c.kernel * c.kernel * c.in_channels * c.out_channels);
  const double pixels = number(c.out_size * c.out_size);
  const double bytes = number(c.in_size * c.in_size * c.in_channels) + pixels * number(c.out_channels) + weights;
  return {number(c.repeats) * 2 * pixels * weights, number(c.repeats) * bytes};
}

std::vector<Convolution> resnet50() {
  std::vector<Convolution> layers = {{7, 3, 64, 224, 112, 1, true}};
  std::uint64_t channels = 64;
  std::uint64_t in_size = 56;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::uint64_t narrow = std::uint64_t{64} << stage;
    const std::uint64_t wide = 4 * narrow;
    const std::uint64_t size = std::uint64_t{56} >> stage;
    const std::uint64_t blocks = kResnet50Residuals[stage];
    layers.push_back({1, channels, narrow, in_size, size, 1, true});
    layers.push_back({1, wide, narrow, size, size, blocks - 1, true});
    layers.push_back({3, narrow, narrow, size, size, blocks, true});
    layers.push_back({1, narrow, wide, size, size, blocks, true});
    layers.push_back({1, channels, wide, in_size, size, 1, false});
    channels = wide;
    in_size = size;
  }
  return layers;
}

ResnetCounts count_resnet50() {
  ResnetCounts counts;
  for (const Convolution& layer : resnet50()) {
    counts.convolution = counts.convolution + count_convolution(layer);
    const double elements = static_cast<double>(layer.out_size * layer.out_size * layer.out_channels * layer.repeats);
    counts.batch_norm = counts.batch_norm + Count{2 * elements, 2 * elements};
    if (layer.relu) counts.relu = counts.relu + Count{elements, 2 * elements};
  }
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::uint64_t size = std::uint64_t{56} >> stage;
    const double elements =
        static_cast<double>(kResnet50Residuals[stage] * size * size * (std::uint64_t{256} << stage));
    counts.other = counts.other + Count{elements, 3 * elements};
  }
  constexpr double kPoolIn = 112 * 112 * 64, kPoolOut = 56 * 56 * 64;  // maximum of 3x3 pixels, stride 2
  counts.other = counts.other + Count{8 * kPoolOut, kPoolIn + kPoolOut};
  constexpr double kFeatures = 2048, kClasses = 1000, kLastPixels = 49;
  counts.other = counts.other + Count{kLastPixels * kFeatures, (kLastPixels + 1) * kFeatures};
  counts.other = counts.other + Count{2 * kFeatures * kClasses, kFeatures * kClasses + kFeatures + kClasses};
  return counts;
}

}  // namespace systole::workloads
