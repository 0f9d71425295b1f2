#include "workloads/weights/float_weights.h"

#include <fmt/format.h>

#include "workloads/weights/elementary.h"
#include "workloads/weights/random.h"

namespace systole::workloads {

void check_tokens(const ModelConfig& config, const std::vector<std::int32_t>& tokens, std::size_t first) {
  if (first + tokens.size() > config.max_positions) {
    throw ConfigError(fmt::format("{} has positions for {} tokens, not for {}", config.name, config.max_positions,
                                  first + tokens.size()));
  }
  for (const std::int32_t token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= config.vocabulary) {
      throw ConfigError(
          fmt::format("token {} is outside the vocabulary of {} (0..{})", token, config.name, config.vocabulary - 1));
    }
  }
}

void add_sinusoidal_positions(Matrix<float>& rows, std::size_t first) {
  constexpr double kLogLongestPeriod = 9.21034037197618273;  // ln 10000
  constexpr double kQuarterTurn = 1.57079632679489662;
  for (std::size_t c = 0; c < rows.cols; ++c) {
    const double exponent = static_cast<double>(c / 2 * 2) / static_cast<double>(rows.cols);
    const double frequency = portable_exp(-kLogLongestPeriod * exponent);
    const double phase = c % 2 == 0 ? 0.0 : kQuarterTurn;  // odd columns hold cosines
    for (std::size_t r = 0; r < rows.rows; ++r) {
      rows.at(r, c) += static_cast<float>(portable_sin(static_cast<double>(first + r) * frequency + phase));
    }
  }
}

std::vector<std::int32_t> random_tokens(const ModelConfig& config, std::size_t count, std::uint64_t seed,
                                        std::uint64_t stream) {
  const RandomStream random(seed, fmt::format("tokens.{}", stream));
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = static_cast<std::int32_t>(random.bits(i) % config.vocabulary);
  }
  return tokens;
}

}  // namespace systole::workloads
