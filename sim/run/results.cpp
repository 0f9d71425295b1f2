#include "sim/run/results.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>

#include "sim/base/errors.h"

namespace systole::run {
namespace {

void check_accounts(const std::vector<hw::UnitAccount>& accounts, Cycle cycles, const std::string& where) {
  for (const hw::UnitAccount& account : accounts) {
    std::uint64_t sum = 0;
    for (const hw::StateCycles& state : account.states) sum += state.cycles;
    if (sum != cycles) {
      throw InternalError("accounting of " + account.unit + " in " + where + ": its states add up to " + std::to_string(sum) + " of " +
                          std::to_string(cycles) + " cycles");
    }
  }
}

// "token.5/layer.12/attention" -> "token.*/layer.*/attention".
std::string without_numbers(const std::string& name) {
  std::string result;
  for (std::size_t i = 0; i < name.size();) {
    result += name[i++];
    const bool counter = result.size() >= 6 && (result.compare(result.size() - 6, 6, "layer.") == 0 || result.compare(result.size() - 6, 6, "token.") == 0);
    if (!counter || i == name.size() || std::isdigit(static_cast<unsigned char>(name[i])) == 0) continue;
    result += '*';
    while (i < name.size() && std::isdigit(static_cast<unsigned char>(name[i])) != 0) ++i;
  }
  return result;
}

// Names of units in the accounts of hw/top.
constexpr std::string_view kExecute = "execute";
constexpr std::string_view kHost = "host";
constexpr std::string_view kHostOperation = "host_operation";
constexpr std::string_view kUpstream[] = {kHost, "command_queue", "loop_conv", "loop_ws", "reservation_station"};

void add(std::vector<hw::UnitAccount>& sum, const std::vector<hw::UnitAccount>& accounts) {
  if (sum.empty()) {
    sum = accounts;
    return;
  }
  SYSTOLE_CHECK(sum.size() == accounts.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    SYSTOLE_CHECK(sum[i].unit == accounts[i].unit && sum[i].states.size() == accounts[i].states.size());
    for (std::size_t j = 0; j < sum[i].states.size(); ++j) sum[i].states[j].cycles += accounts[i].states[j].cycles;
  }
}

}  // namespace

double utilisation(std::uint64_t macs, Cycle cycles, int dim) {
  if (cycles == 0) return 0;
  return static_cast<double>(macs) / (static_cast<double>(cycles) * dim * dim);
}

void check_accounting(const Results& results) {
  check_accounts(results.accounts, results.cycles, "the run");
  if (results.regions.empty()) return;
  Cycle sum = 0;
  for (const RegionResult& region : results.regions) {
    check_accounts(region.accounts, region.cycles, region.name);
    sum += region.cycles;
  }
  if (sum != results.cycles) {
    throw InternalError("the regions add up to " + std::to_string(sum) + " of " + std::to_string(results.cycles) + " cycles");
  }
}

std::vector<RegionResult> merged_regions(const std::vector<RegionResult>& regions, bool as_sums) {
  std::vector<RegionResult> merged;
  for (const RegionResult& region : regions) {
    const std::string name = as_sums ? without_numbers(region.name) : region.name;
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const RegionResult& r) { return r.name == name; });
    if (same == merged.end()) {
      merged.push_back(region);
      merged.back().name = name;
    } else {
      same->cycles += region.cycles;
      same->macs += region.macs;
      add(same->accounts, region.accounts);
    }
  }
  return merged;
}

LargestStall largest_stall(const std::vector<hw::UnitAccount>& accounts) {
  LargestStall execute;
  LargestStall supply;
  std::uint64_t execute_stalled = 0;
  std::uint64_t execute_idle = 0;
  for (const hw::UnitAccount& account : accounts) {
    if (account.unit == kHost) {
      for (const hw::StateCycles& state : account.states) {
        if (state.name == kHostOperation && state.cycles > supply.cycles) supply = {account.unit, state.name, state.cycles};
      }
    }
    if (std::find(std::begin(kUpstream), std::end(kUpstream), account.unit) != std::end(kUpstream)) continue;
    const bool is_execute = account.unit == kExecute;
    LargestStall& largest = is_execute ? execute : supply;
    for (const hw::StateCycles& state : account.states) {
      if (state.stall && state.cycles > largest.cycles) largest = {account.unit, state.name, state.cycles};
      if (is_execute && state.stall) execute_stalled += state.cycles;
      if (is_execute && state.name == "idle") execute_idle += state.cycles;
    }
  }
  return execute_stalled >= execute_idle && execute.cycles != 0 ? execute : supply;
}

}  // namespace systole::run
