#include "hw/stream/engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/errors.h"

namespace systole::hw {

StreamEngine::StreamEngine(const StreamGraph& graph, const StreamOptions& options) : graph_(graph), options_(options) {
  SYSTOLE_CHECK(graph_.nodes.size() <= kMaxStreamNodes);
  for (const StreamFifoSpec& spec : graph_.fifos) fifos_.emplace_back(spec);
  scheduler_ = std::make_unique<Scheduler>(sc_core::sc_gen_unique_name("stream"), options.scheduler,
                                           sc_core::sc_time(1, sc_core::SC_NS));
  std::vector<StreamNode*> nodes;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    nodes_.push_back(std::make_unique<StreamNode>(sc_core::sc_gen_unique_name(graph_.nodes[n].name.c_str()),
                                                  graph_.nodes[n], fifos_, options.values, n));
    nodes.push_back(nodes_.back().get());
  }
  for (std::size_t f = 0; f < fifos_.size(); ++f)
    fifos_[f].bind(*nodes_[graph_.producer(f)], *nodes_[graph_.consumer(f)]);
  // Values follow every single firing, so they exclude leaps.
  if (options.scheduler == SchedulerMode::kFast && options.leaps && options.values == nullptr) {
    steady_state_ = std::make_unique<SteadyState>(sc_core::sc_gen_unique_name("steady_state"), nodes, fifos_);
    scheduler_->add(*steady_state_);
    for (StreamNode* node : nodes) node->observe_with(*steady_state_);
  }
  for (StreamNode* node : nodes) scheduler_->add(*node);
}

StreamEngine::~StreamEngine() = default;

StreamResult StreamEngine::run() {
  for (auto& node : nodes_) node->start();
  scheduler_->run(options_.max_cycles);

  Cycle last = 0;
  for (const auto& node : nodes_) last = std::max(last, node->last_active());
  const bool finished = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->finished(); });
  if (!finished) {
    Cycle settled = 0;
    for (const auto& node : nodes_) settled = std::max(settled, node->settled());
    report_deadlock(settled);
  }

  StreamResult result;
  result.cycles = last + 1;
  result.wakeups = scheduler_->wakeups();
  if (steady_state_ != nullptr) {
    result.leaps = steady_state_->leaps();
    result.cycles_leapt = steady_state_->cycles_leapt();
  }
  for (std::size_t f = 0; f < fifos_.size(); ++f) {
    result.fifos.push_back({graph_.fifos[f].name, fifos_[f].depth(), fifos_[f].peak(), fifos_[f].pushes()});
  }
  for (const auto& node : nodes_) {
    const double busy = static_cast<double>(node->firings()) * static_cast<double>(node->spec().interval);
    result.nodes.push_back({node->spec().name, node->firings(), busy / static_cast<double>(result.cycles)});
  }
  return result;
}

// Each blocked node waits for one FIFO, hence for the node at its other end. Following these links from any blocked
// node ends in a cycle, or in a node that is done (then rates do not fit, which the check of the graph excludes).
void StreamEngine::report_deadlock(Cycle now) const {
  std::vector<std::size_t> path;
  std::vector<bool> seen(nodes_.size(), false);
  std::size_t node = 0;
  while (nodes_[node]->finished()) ++node;
  while (!seen[node]) {
    const StreamNode::Blocked blocked = nodes_[node]->blocked(now);
    if (blocked.wait == StreamNode::Wait::kNone) {
      SYSTOLE_CHECK(options_.max_cycles != kNever);  // it could go on, but nobody woke it up
      throw ModelError(now, nodes_[node]->spec().name, "",
                       fmt::format("not done after the limit of {} cycles", options_.max_cycles));
    }
    if (blocked.wait == StreamNode::Wait::kFinished) break;
    seen[node] = true;
    path.push_back(node);
    node = blocked.wait == StreamNode::Wait::kFull ? graph_.consumer(blocked.fifo) : graph_.producer(blocked.fifo);
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), node));

  std::string full;
  std::string starving;
  std::string cycle;
  std::string culprit = graph_.nodes[node].name;
  for (std::size_t n : path) {
    const StreamNode::Blocked blocked = nodes_[n]->blocked(now);
    const std::string& name = graph_.nodes[n].name;
    const std::string& fifo = graph_.fifos[blocked.fifo].name;
    if (blocked.wait == StreamNode::Wait::kFull) {
      if (full.empty()) culprit = name;
      full += fmt::format("{}FIFO '{}' is full ({} of {}) and blocks node '{}'", full.empty() ? "" : "; ", fifo,
                          fifos_[blocked.fifo].size(), fifos_[blocked.fifo].depth(), name);
      cycle += fmt::format("{} -[{} full]-> ", name, fifo);
    } else {
      starving += fmt::format("; node '{}' starves on the empty FIFO '{}'", name, fifo);
      cycle += fmt::format("{} -[{} empty]-> ", name, fifo);
    }
  }
  throw ModelError(
      now, culprit, "",
      fmt::format("deadlock: {}{}; each waits for the next: {}{}", full, starving, cycle, graph_.nodes[node].name));
}

}  // namespace systole::hw
