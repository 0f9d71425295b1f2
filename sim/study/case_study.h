#pragma once
// `reproduce E1 ...`: experiments of "Full Stack Optimization of Transformer Inference: a Survey" (arXiv 2302.14017),
// each printed number beside ours.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/config/machine_config.h"

namespace systole::study {

// kEqual: in every printed digit. kContradiction: the paper's own numbers exclude the printed one, the cause says how.
// kReading: a second count of a number that has a row already, by another reading of the paper.
// kContext: a number of ours beside which the paper has none. kOpen: a number of the paper that nothing here computes.
enum class CaseVerdict : std::uint8_t { kEqual, kDeviation, kContradiction, kReading, kContext, kOpen };
[[nodiscard]] const char* name_of(CaseVerdict verdict);

struct CaseRow {
  std::string item;
  std::string paper;           // as printed, without unit; empty: the paper has no such number
  std::optional<double> ours;  // in the unit of `item`
  CaseVerdict verdict = CaseVerdict::kContext;
  std::string cause;
};

struct CaseStudy {
  std::string id;  // "E1"
  std::string title;
  std::string description;  // Markdown: what was done, what the paper leaves open and what we chose, how to repeat it
  std::vector<CaseRow> rows;

  [[nodiscard]] std::size_t count(CaseVerdict verdict) const;
};

// Compares `ours` with the printed digits: kEqual, or a deviation whose cause is `cause`.
[[nodiscard]] CaseRow compared(const std::string& item, const std::string& printed, double ours,
                               const std::string& cause);

// The experiments that exist.
struct CaseOptions {
  std::string directory;  // of tables; runs of the simulator stay in `directory`/runs and are used again
  std::string version;    // of the program: a stored run of another one is not used
  int jobs = 1;
  std::vector<config::Setting> settings;  // on top of every machine
  bool quick = false;  // sequence length 128 where the paper allows
  // `run`: the one that has just ended, of `total`.
  std::function<void(const std::string& run, std::size_t done, std::size_t total)> progress =
      [](const std::string&, std::size_t, std::size_t) {};
};
[[nodiscard]] CaseStudy workload_analysis();                           // E1
[[nodiscard]] CaseStudy analytical_model(const CaseOptions& options);  // E2
[[nodiscard]] CaseStudy memory_balance(const CaseOptions& options);    // E3
[[nodiscard]] CaseStudy time_shares(const CaseOptions& options);       // E4
[[nodiscard]] CaseStudy fusion(const CaseOptions& options);            // E5
[[nodiscard]] CaseStudy energy_and_area(const CaseOptions& options);   // E8

// <directory>/<id>.csv (experiment,item,paper,ours,ratio,cause) and <directory>/<id>.md, each written as a whole.
void write_case_study(const CaseStudy& study, const std::string& directory);
[[nodiscard]] std::string case_study_csv(const CaseStudy& study);
[[nodiscard]] std::string case_study_markdown(const CaseStudy& study);

// <directory>/CASE_STUDY.md: all experiments on one page, with the plots that stand in the directory.
void write_report(const std::vector<CaseStudy>& studies, const std::string& directory);

}  // namespace systole::study
