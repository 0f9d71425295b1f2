#include "sim/study/case_study.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

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

// Of the heading "E3: memory re-balancing" as GitHub forms it.
std::string anchor_of(const CaseStudy& study) {
  std::string anchor;
  for (const char c : study.id + ": " + study.title) {
    if (c == ' ') anchor += '-';
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return anchor;
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

namespace {

// Names of the plots of an experiment, in order.
std::vector<std::string> plots_of(const std::string& id, const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(id + "_figure_", 0) == 0 && entry.path().extension() == ".svg") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void write_report(const std::vector<CaseStudy>& studies, const std::string& directory) {
  std::string text =
      "# The survey's case study\n\n"
      "Kim et al., \"Full Stack Optimization of Transformer Inference: a Survey\" (arXiv 2302.14017v1): each number it prints beside "
      "ours, with the ratio and the cause of a deviation. Written by `systole reproduce all --out DIR`; nothing on this page was typed "
      "by hand, and no constant was tuned to a printed number.\n\n"
      "*equal*: in every printed digit. *contradiction*: the paper's own numbers exclude the printed one. *other reading*: a number "
      "that has a row already, with another choice of what the paper leaves open. *context*: a number of ours without a printed "
      "one.\n\n"
      "| experiment | | equal | deviate | contradict | open |\n|---|---|--:|--:|--:|--:|\n";
  for (const CaseStudy& study : studies) {
    text += fmt::format("| [{0}](#{1}) | {2} | {3} | {4} | {5} | {6} |\n", study.id, anchor_of(study), study.title,
                        study.count(CaseVerdict::kEqual), study.count(CaseVerdict::kDeviation),
                        study.count(CaseVerdict::kContradiction), study.count(CaseVerdict::kOpen));
  }
  for (const CaseStudy& study : studies) {
    text += "\n#" + case_study_markdown(study);
    for (const std::string& plot : plots_of(study.id, directory)) text += fmt::format("\n![{0}]({0})\n", plot);
  }
  write_atomically(directory + "/CASE_STUDY.md", text);
}

}  // namespace systole::study
