#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/base/errors.h"
#include "sim/base/file.h"
#include "sim/config/machine_config.h"
#include "tests/fuzz/parsers.h"
#include "workloads/weights/safetensors.h"

namespace systole::test {
namespace {

template <class Parse>
void accept_config_error(const Parse& parse) {
  try {
    parse();
  } catch (const ConfigError&) {
  }
}

// Machines are read from files.
class OneFile {
 public:
  OneFile() : path_(std::filesystem::temp_directory_path() / ("systole_fuzz_" + std::to_string(getpid()) + ".yaml")) {}
  ~OneFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string write(std::string_view bytes) const {
    write_atomically(path_.string(), std::string(bytes));
    return path_.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

void parse_as_machine(std::string_view bytes) {
  const OneFile file;
  const std::string path = file.write(bytes);
  accept_config_error([&] {
    const config::MachineConfig machine = config::load_machine(path);
    // A machine that was read survives being written.
    const std::string again = file.write(config::dump_yaml(machine));
    SYSTOLE_CHECK(config::dump_yaml(config::load_machine(again)).size() > 0);
  });
}

void parse_as_safetensors(std::string_view bytes) {
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  accept_config_error([&] {
    const workloads::SafetensorsFile file(copy.data(), copy.size(), "fuzz");
    for (const auto& entry : file.tensors()) {
      accept_config_error([&] { (void)file.read(entry.first); });
      accept_config_error([&] { (void)file.read_floats(entry.first, entry.second.shape); });
    }
  });
}

}  // namespace systole::test
