#include "sim/run/workload.h"

#include <filesystem>

#include <fmt/format.h>

#include "sim/base/errors.h"
#include "sim/run/target.h"

namespace systole::run {

CheckResult Workload::check_hidden(const Simulate&) const { return {}; }

std::unique_ptr<Workload> make_workload(const WorkloadRequest& request, const config::MachineConfig& machine, bool values, unsigned threads,
                                        const std::function<void(const std::string&)>& progress) {
  if (is_program(request.name)) return make_program_workload(request, machine);
  kernels::Target target = target_of(machine.params);
  target.tiler = request.tiler;
  const std::string extension = std::filesystem::path(request.name).extension().string();
  if (extension == ".yaml" || extension == ".yml") return make_graph_workload(request, target, progress);
  return make_model_workload(request, target, values, threads, progress);
}

}  // namespace systole::run
