#include "workloads/weights/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "workloads/weights/elementary.h"

namespace systole::workloads {
namespace {

// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that makes any counter look random.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

// Inverse of the normal distribution: Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988). One rational
// function serves the central 85 %, two others the tails.
using Coefficients = std::array<double, 8>;
constexpr double kCentral = 0.425;
constexpr std::size_t kBlock = 256;

inline __attribute__((always_inline)) double horner(const Coefficients& c, double x) {
  double sum = c[7];
#pragma GCC unroll 8
  for (std::size_t i = 7; i-- > 0;) {
    sum = sum * x + c[i];
  }
  return sum;
}

inline __attribute__((always_inline)) void central_normal_body(const double* p, std::size_t count, double* x) {
  constexpr Coefficients kA = {3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427,
                               13731.693765509461125, 45921.953931549871457, 67265.770927008700853,
                               33430.575583588128105, 2509.0809287301226727};
  constexpr Coefficients kB = {1.0,
                               42.313330701600911252,
                               687.18700749205790830,
                               5394.1960214247511077,
                               21213.794301586595867,
                               39307.895800092710610,
                               28729.085735721942674,
                               5226.4952788528545610};
  for (std::size_t i = 0; i < count; ++i) {
    const double q = p[i] - 0.5;
    const double r = 0.180625 - q * q;
    x[i] = q * horner(kA, r) / horner(kB, r);
  }
}

void central_normal_plain(const double* p, std::size_t count, double* x) { central_normal_body(p, count, x); }

#if defined(__x86_64__)
__attribute__((target("avx2"))) void central_normal_avx2(const double* p, std::size_t count, double* x) {
  central_normal_body(p, count, x);
}
#endif

using CentralNormal = void (*)(const double* p, std::size_t count, double* x);

CentralNormal best_central_normal() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) {
    return central_normal_avx2;
  }
#endif
  return central_normal_plain;
}

double tail_normal(double p) {
  constexpr Coefficients kC = {1.42343711074968357734,   4.63033784615654529590,   5.76949722146069140550,
                               3.64784832476320460504,   1.27045825245236838258,   0.241780725177450611770,
                               0.0227238449892691845833, 7.74545014278341407640e-4};
  constexpr Coefficients kD = {1.0,
                               2.05319162663775882187,
                               1.67638483018380384940,
                               0.689767334985100004550,
                               0.148103976427480074590,
                               0.0151986665636164571966,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
  constexpr Coefficients kE = {6.65790464350110377720,    5.46378491116411436990,   1.78482653991729133580,
                               0.296560571828504891230,   0.0265321895265761230930, 0.00124266094738807843860,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr Coefficients kF = {1.0,
                               0.599832206555887937690,
                               0.136929880922735805310,
                               0.0148753612908506148525,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
  const bool lower = p < 0.5;
  const double r = std::sqrt(-portable_log(lower ? p : 1.0 - p));
  const double size = r <= 5.0 ? horner(kC, r - 1.6) / horner(kD, r - 1.6) : horner(kE, r - 5.0) / horner(kF, r - 5.0);
  return lower ? -size : size;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, const std::string& name) : key_(mix(seed)) {
  for (const char c : name) {
    key_ = mix(key_ ^ static_cast<unsigned char>(c));
  }
}

std::uint64_t RandomStream::bits(std::uint64_t index) const { return mix(key_ + index * 0xD1342543DE82EF95U); }

void RandomStream::normal(std::uint64_t first, std::size_t count, double deviation, float* to) const {
  constexpr std::uint64_t kOne = 0x3FF0000000000000U;     // bits of 1.0
  constexpr double kHalfUnit = 1.0 / 9007199254740992.0;  // 2^-53
  const CentralNormal central = best_central_normal();
  double p[kBlock];
  double x[kBlock];
  for (std::size_t done = 0; done < count; done += kBlock) {
    const std::size_t block = std::min(kBlock, count - done);
    for (std::size_t i = 0; i < block; ++i) {
      // 52 random bits as a fraction, moved by half a unit: never 0 or 1.
      const std::uint64_t pattern = kOne | (bits(first + done + i) >> 12);
      double number = 0;
      std::memcpy(&number, &pattern, sizeof number);
      p[i] = (number - 1.0) + kHalfUnit;
    }
    central(p, block, x);
    for (std::size_t i = 0; i < block; ++i) {
      if (std::fabs(p[i] - 0.5) > kCentral) {
        x[i] = tail_normal(p[i]);
      }
      to[done + i] = static_cast<float>(x[i] * deviation);
    }
  }
}

RandomWeights::RandomWeights(ModelConfig config, std::uint64_t seed) : config_(std::move(config)), seed_(seed) {
  SYSTOLE_CHECK(config_.architecture != Architecture::CrossAttention);
}

FloatLinear RandomWeights::linear(const std::string& name, std::size_t in, std::size_t out, double deviation) const {
  FloatLinear linear{Matrix<float>(in, out), std::vector<float>(out)};
  RandomStream(seed_, name).normal(0, linear.w.size(), deviation, linear.w.data.data());
  return linear;
}

FloatNorm RandomWeights::norm() const {
  return {std::vector<float>(config_.d, 1.0F), std::vector<float>(config_.d, 0.0F)};
}

FloatAttention RandomWeights::attention(const std::string& name, double out_deviation) const {
  const std::size_t d = config_.d;
  const double deviation = config_.initializer_range;
  return {linear(name + ".q", d, d, deviation), linear(name + ".k", d, d, deviation),
          linear(name + ".v", d, d, deviation), linear(name + ".o", d, d, out_deviation)};
}

FloatLayer RandomWeights::layer(std::size_t index) const {
  SYSTOLE_CHECK(index < config_.all_layers());
  const std::string name = fmt::format("layer.{}", index);
  const bool pre_norm = config_.architecture == Architecture::Gpt2;
  const double residual_deviation =
      pre_norm ? config_.initializer_range / std::sqrt(2.0 * static_cast<double>(config_.layers))
               : config_.initializer_range;
  FloatLayer layer;
  layer.attention = attention(name + ".attention", residual_deviation);
  if (index >= config_.layers) {
    layer.cross = attention(name + ".cross", residual_deviation);
    layer.norm_cross = norm();
  }
  layer.norm1 = norm();
  layer.norm2 = norm();
  layer.up = linear(name + ".up", config_.d, config_.f, config_.initializer_range);
  layer.down = linear(name + ".down", config_.f, config_.d, residual_deviation);
  return layer;
}

Matrix<float> RandomWeights::embed(Side side, const std::vector<std::int32_t>& tokens, std::size_t first) const {
  check_tokens(config_, tokens, first);
  const std::size_t d = config_.d;
  // The original Transformer shares one matrix; BERT and GPT-2 have one side only.
  const RandomStream words(seed_, "embedding.word");
  const RandomStream positions(seed_, side == Side::Encoder ? "embedding.position" : "embedding.decoder_position");
  const RandomStream types(seed_, "embedding.type");
  std::vector<float> extra(d);
  Matrix<float> rows(tokens.size(), d);
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    float* row = rows.row(r);
    words.normal(static_cast<std::uint64_t>(tokens[r]) * d, d, config_.initializer_range, row);
    if (config_.sinusoidal_positions) {
      const auto factor = static_cast<float>(std::sqrt(static_cast<double>(d)));
      for (std::size_t c = 0; c < d; ++c) {
        row[c] *= factor;
      }
      continue;
    }
    if (config_.type_vocabulary != 0) {
      types.normal(0, d, config_.initializer_range, extra.data());
      for (std::size_t c = 0; c < d; ++c) {
        row[c] += extra[c];
      }
    }
    positions.normal((first + r) * d, d, config_.initializer_range, extra.data());
    for (std::size_t c = 0; c < d; ++c) {
      row[c] += extra[c];
    }
  }
  if (config_.sinusoidal_positions) {
    add_sinusoidal_positions(rows, first);
  }
  return rows;
}

FloatNorm RandomWeights::embedding_norm(Side) const { return norm(); }
FloatNorm RandomWeights::final_norm() const { return norm(); }

FloatLanguageHead RandomWeights::language_head() const {
  const std::size_t d = config_.d;
  const RandomStream words(seed_, "embedding.word");
  constexpr std::size_t kTokens = 16;  // transposed at a time
  FloatLanguageHead head;
  head.w = Matrix<float>(d, config_.vocabulary);
  Matrix<float> rows(kTokens, d);
  for (std::size_t first = 0; first < config_.vocabulary; first += kTokens) {
    const std::size_t count = std::min(kTokens, config_.vocabulary - first);
    words.normal(static_cast<std::uint64_t>(first) * d, count * d, config_.initializer_range, rows.data.data());
    for (std::size_t c = 0; c < d; ++c) {
      for (std::size_t t = 0; t < count; ++t) {
        head.w.at(c, first + t) = rows.at(t, c);
      }
    }
  }
  if (config_.architecture == Architecture::Bert) {
    head.transform = {linear("head.dense", d, d, config_.initializer_range), norm()};
    head.b.assign(config_.vocabulary, 0.0F);
  }
  return head;
}

EmbeddingTables RandomWeights::embedding_tables(Side side) const {
  const std::size_t d = config_.d;
  EmbeddingTables tables{Matrix<float>(config_.vocabulary, d), {}, Matrix<float>(config_.max_positions, d)};
  const double deviation = config_.initializer_range;
  RandomStream(seed_, "embedding.word").normal(0, tables.words.size(), deviation, tables.words.data.data());
  if (config_.sinusoidal_positions) {
    const auto factor = static_cast<float>(std::sqrt(static_cast<double>(d)));
    for (float& value : tables.words.data) {
      value *= factor;
    }
    add_sinusoidal_positions(tables.positions, 0);
    return tables;
  }
  if (config_.type_vocabulary != 0) {
    tables.types = Matrix<float>(1, d);
    RandomStream(seed_, "embedding.type").normal(0, d, deviation, tables.types.data.data());
  }
  RandomStream(seed_, side == Side::Encoder ? "embedding.position" : "embedding.decoder_position")
      .normal(0, tables.positions.size(), deviation, tables.positions.data.data());
  return tables;
}

}  // namespace systole::workloads
