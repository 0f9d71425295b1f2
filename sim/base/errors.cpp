#include "sim/base/errors.h"

#include <algorithm>

namespace systole {

ModelError::ModelError(Cycle cycle, const std::string& unit, const std::string& instruction, const std::string& what)
    : std::runtime_error("cycle " + std::to_string(cycle) + ": " + unit + ": " + what +
                         (instruction.empty() ? "" : " (instruction: " + instruction + ")")) {}

ModelError::ModelError(const std::string& unit, const std::string& instruction, const std::string& what)
    : std::runtime_error(unit + ": " + what + (instruction.empty() ? "" : " (instruction: " + instruction + ")")) {}

std::string nearest(const std::string& name, const std::vector<std::string>& choices) {
  std::string best;
  std::size_t best_distance = std::string::npos;
  for (const std::string& choice : choices) {
    std::vector<std::size_t> row(choice.size() + 1);
    for (std::size_t j = 0; j <= choice.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= choice.size(); ++j) {
        const std::size_t substituted = diagonal + (name[i - 1] == choice[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = choice;
    }
  }
  return best;
}

void check_failed(const char* expression, const char* file, int line) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": check failed: " + expression);
}

}  // namespace systole
