#include "tests/fuzz/text_mutation.h"

#include <algorithm>
#include <exception>

namespace systole::test {

std::string mutate(Random& random, const std::vector<std::string>& corpus) {
  static const std::vector<std::string> tokens = {"18446744073709551615",
                                                  "-1",
                                                  "0x",
                                                  "ffffffffffffffff",
                                                  "\n",
                                                  " ",
                                                  "=",
                                                  "\"",
                                                  "\\",
                                                  "@",
                                                  "1e999f",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  ","};
  std::string text = random.pick(corpus);
  const std::uint32_t edits = random.count(1, 6);
  for (std::uint32_t i = 0; i < edits && !text.empty(); ++i) {
    const std::size_t at = static_cast<std::size_t>(random.range(0, static_cast<std::int64_t>(text.size()) - 1));
    const std::size_t length = std::min<std::size_t>(random.count(1, 40), text.size() - at);
    switch (random.range(0, 7)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << random.range(0, 7)));
        break;
      case 1:
        text[at] = static_cast<char>(random.bits());
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4:
        text.insert(at, random.pick(tokens));
        break;
      case 5:
        text.resize(at);
        break;
      case 6: {
        const std::string& other = random.pick(corpus);
        const std::size_t from = static_cast<std::size_t>(random.range(0, static_cast<std::int64_t>(other.size()) - 1));
        text.replace(at, length, other.substr(from, length));
        break;
      }
      default:
        text.replace(at, length, random.pick(tokens));
        break;
    }
  }
  return text;
}

std::string first_escape(const std::vector<std::string>& corpus, void (*parse)(std::string_view), int mutations, std::uint64_t seed) {
  for (const std::string& good : corpus) parse(good);
  Random random(seed);
  for (int i = 0; i < mutations; ++i) {
    const std::string text = mutate(random, corpus);
    try {
      parse(text);
    } catch (const std::exception& error) {
      return "seed " + std::to_string(seed) + ", mutation " + std::to_string(i) + ": " + error.what();
    }
  }
  return {};
}

}  // namespace systole::test
