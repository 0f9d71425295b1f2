#include "sim/app/progress.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/core.h>

namespace systole::app {
namespace {

constexpr std::chrono::milliseconds kBetweenUpdates{100};

std::string duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

Progress::Progress(std::string unit, std::uint64_t total, bool enabled)
    : unit_(std::move(unit)), total_(total), enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { clear(); }

void Progress::update(std::uint64_t done, const std::string& note) {
  const Clock::time_point now = Clock::now();
  if (!enabled_ || now - shown_ < kBetweenUpdates) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = fmt::format("\r\x1b[K{} of {} {}, {:.1f} a second", done, total_, unit_, rate);
  if (done > 0 && done < total_) line += ", " + duration(static_cast<double>(total_ - done) / rate) + " left";
  if (!note.empty()) line += ": " + note;
  fmt::print(stderr, "{}", line);
  std::fflush(stderr);
  visible_ = true;
}

void Progress::clear() {
  if (!visible_) return;
  fmt::print(stderr, "\r\x1b[K");
  visible_ = false;
}

PhaseLine::PhaseLine(bool enabled) : enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

PhaseLine::~PhaseLine() { clear(); }

void PhaseLine::show(const std::string& text) {
  if (!enabled_) return;
  fmt::print(stderr, "\r\x1b[K{} ...", text);
  std::fflush(stderr);
  visible_ = true;
  started_ = Clock::now();
}

void PhaseLine::show_cycles(const std::string& text, std::uint64_t now, std::uint64_t at_least) {
  const Clock::time_point time = Clock::now();
  if (!enabled_ || time - shown_ < kBetweenUpdates) return;
  shown_ = time;
  const double rate = static_cast<double>(now) / std::chrono::duration<double>(time - started_).count();
  std::string line = fmt::format("\r\x1b[K{}: {:.1f} Mcycles, {:.1f} a second", text, static_cast<double>(now) / 1e6, rate / 1e6);
  if (at_least > now) line += fmt::format(", at least {} left", duration(static_cast<double>(at_least - now) / rate));
  fmt::print(stderr, "{}", line);
  std::fflush(stderr);
  visible_ = true;
}

void PhaseLine::clear() {
  if (!visible_) return;
  fmt::print(stderr, "\r\x1b[K");
  visible_ = false;
}

}  // namespace systole::app
