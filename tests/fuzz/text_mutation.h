#pragma once
// Random edits of good input, for readers that must accept or refuse whatever they get.
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/random.h"

namespace systole::test {

// A few edits of one of the inputs: bits, bytes, interesting numbers, pieces removed, doubled or taken from another input.
[[nodiscard]] std::string mutate(Random& random, const std::vector<std::string>& corpus);

// `parse` with every input as it is, then with mutations of them; empty, or seed, number and message of the first exception that gets out.
[[nodiscard]] std::string first_escape(const std::vector<std::string>& corpus, void (*parse)(std::string_view), int mutations, std::uint64_t seed);

}  // namespace systole::test
