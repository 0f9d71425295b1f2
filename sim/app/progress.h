#pragma once
// One line on standard error that says how far a long command is, at what rate, and how long it will still take.
#include <chrono>
#include <cstdint>
#include <string>

namespace systole::app {

class Progress {
 public:
  // `unit`: what is counted ("streams", "Mcycles"). Shows nothing when `enabled` is false or standard error is not a terminal.
  Progress(std::string unit, std::uint64_t total, bool enabled);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note`: what is being worked on.
  void update(std::uint64_t done, const std::string& note = {});
  // Removes the line.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string unit_;
  std::uint64_t total_;
  bool enabled_;
  bool visible_ = false;
  Clock::time_point started_ = Clock::now();
  Clock::time_point shown_{};
};

// One line on standard error that says what a command is doing now.
class PhaseLine {
 public:
  explicit PhaseLine(bool enabled);
  ~PhaseLine();
  PhaseLine(const PhaseLine&) = delete;
  PhaseLine& operator=(const PhaseLine&) = delete;

  void show(const std::string& text);
  // How far the simulation is: cycles, rate, and the time left if the array were always busy from now on.
  void show_cycles(const std::string& text, std::uint64_t now, std::uint64_t at_least);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool enabled_;
  bool visible_ = false;
  Clock::time_point started_ = Clock::now();   // of the phase
  Clock::time_point shown_{};
};

}  // namespace systole::app
