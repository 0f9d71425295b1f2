#include "sim/study/case_study.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "sim/base/file.h"
#include "workloads/case_study/published.h"

namespace systole::study {
namespace {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string ours_text(const CaseRow& row) { return row.ours ? fmt::format("{:.7g}", *row.ours) : std::string(); }

std::string ratio_text(const CaseRow& row) {
  const double paper = std::strtod(row.paper.c_str(), nullptr);
  return row.ours && paper != 0 ? fmt::format("{:.4f}", *row.ours / paper) : std::string();
}

std::string markdown_cell(const std::string& text) {
  if (text.empty()) return "-";
  std::string escaped;
  for (char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

}  // namespace

const char* name_of(CaseVerdict verdict) {
  switch (verdict) {
    case CaseVerdict::kEqual:
      return "equal";
    case CaseVerdict::kDeviation:
      return "deviation";
    case CaseVerdict::kContradiction:
      return "contradiction";
    case CaseVerdict::kReading:
      return "other reading";
    case CaseVerdict::kContext:
      return "context";
    case CaseVerdict::kOpen:
      return "open";
  }
  return "";
}

std::size_t CaseStudy::count(CaseVerdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const CaseRow& row) { return row.verdict == verdict; }));
}

CaseRow compared(const std::string& item, const std::string& printed, double ours, const std::string& cause) {
  if (workloads::equals_printed(ours, printed))
    return {item, printed, ours, CaseVerdict::kEqual, "equal in every printed digit"};
  return {item, printed, ours, CaseVerdict::kDeviation, cause};
}

std::string case_study_csv(const CaseStudy& study) {
  std::string text = "experiment,item,paper,ours,ratio,cause\n";
  for (const CaseRow& row : study.rows) {
    text += fmt::format("{},{},{},{},{},{}\n", study.id, csv_cell(row.item), csv_cell(row.paper), ours_text(row),
                        ratio_text(row), csv_cell(row.cause));
  }
  return text;
}

std::string case_study_markdown(const CaseStudy& study) {
  std::string text = fmt::format("# {}: {}\n\n{}\n\n", study.id, study.title, study.description);
  text += fmt::format(
      "{} of the paper's numbers are equal in every printed digit, {} deviate, {} contradict the paper's other "
      "numbers, {} are "
      "not computed.\n\n",
      study.count(CaseVerdict::kEqual), study.count(CaseVerdict::kDeviation), study.count(CaseVerdict::kContradiction),
      study.count(CaseVerdict::kOpen));
  text += "| item | paper | ours | ratio | verdict | cause |\n|---|--:|--:|--:|---|---|\n";
  for (const CaseRow& row : study.rows) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", markdown_cell(row.item), markdown_cell(row.paper),
                        markdown_cell(ours_text(row)), markdown_cell(ratio_text(row)), name_of(row.verdict),
                        markdown_cell(row.cause));
  }
  return text;
}

void write_case_study(const CaseStudy& study, const std::string& directory) {
  write_atomically(fmt::format("{}/{}.csv", directory, study.id), case_study_csv(study));
  write_atomically(fmt::format("{}/{}.md", directory, study.id), case_study_markdown(study));
}

}  // namespace systole::study
