#pragma once
// How far a quantised tensor is from its float original.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace systole::workloads {

class ErrorMetrics {
 public:
  void add(double reference, double value) {
    const double error = value - reference;
    reference_energy_ += reference * reference;
    value_energy_ += value * value;
    product_ += reference * value;
    error_energy_ += error * error;
    max_abs_ = std::max(max_abs_, std::fabs(error));
    reference_max_ = std::max(reference_max_, std::fabs(reference));
    ++count_;
  }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] double cosine() const {
    const double norm = std::sqrt(reference_energy_) * std::sqrt(value_energy_);
    return norm == 0 ? (reference_energy_ == value_energy_ ? 1.0 : 0.0) : product_ / norm;
  }
  // 10 log10(energy of the reference / energy of the error); infinite when equal.
  [[nodiscard]] double sqnr_db() const {
    return error_energy_ == 0 ? std::numeric_limits<double>::infinity()
                              : 10 * std::log10(reference_energy_ / error_energy_);
  }
  [[nodiscard]] double max_abs() const { return max_abs_; }
  [[nodiscard]] double reference_max() const { return reference_max_; }
  [[nodiscard]] double rms() const { return count_ == 0 ? 0 : std::sqrt(error_energy_ / static_cast<double>(count_)); }

 private:
  double reference_energy_ = 0;
  double value_energy_ = 0;
  double product_ = 0;
  double error_energy_ = 0;
  double max_abs_ = 0;
  double reference_max_ = 0;
  std::size_t count_ = 0;
};

}  // namespace systole::workloads
