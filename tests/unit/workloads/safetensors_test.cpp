#include "workloads/weights/safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "sim/base/file.h"
#include "temporary_folder.h"

namespace systole::workloads {
namespace {

const std::string kData = std::string(SYSTOLE_TEST_DATA) + "/numerics/";

std::string container(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + header + std::string(data_bytes, '\x01');
}

SafetensorsFile parse(const std::string& bytes) {
  return SafetensorsFile(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), "test.safetensors");
}

// The text of the ConfigError, which must name the file.
std::string error_of(const std::string& bytes) {
  try {
    const SafetensorsFile file = parse(bytes);
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("test.safetensors"), std::string::npos) << error.what();
    return error.what();
  }
  return "accepted";
}

void expect_rejected(const std::string& header, std::size_t data_bytes, const std::string& because) {
  const std::string error = error_of(container(header, data_bytes));
  EXPECT_NE(error.find(because), std::string::npos) << header << "\n" << error;
}

TEST(Safetensors, reads_a_minimal_file) {
  const std::string bytes =
      container(R"({"a":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]},"__metadata__":{"k":"v"}}  )", 4);
  const SafetensorsFile file = parse(bytes);
  EXPECT_EQ(file.metadata().at("k"), "v");
  EXPECT_EQ(file.read_as<std::int8_t>("a", {2, 2}), std::vector<std::int8_t>(4, 1));
}

TEST(Safetensors, accepts_scalars_and_empty_dimensions) {
  const std::string bytes = container(
      R"({"s":{"dtype":"I8","shape":[],"data_offsets":[0,1]},"e":{"dtype":"F32","shape":[3,0],"data_offsets":[1,1]}})",
      1);
  const SafetensorsFile file = parse(bytes);
  EXPECT_EQ(file.read("s").elements(), 1U);
  EXPECT_EQ(file.read_floats("e", {3, 0}).size(), 0U);
}

TEST(Safetensors, rejects_what_the_format_forbids) {
  expect_rejected("", 0, "does not begin with '{'");
  expect_rejected("[]", 0, "does not begin with '{'");
  expect_rejected("{", 0, "not valid JSON");
  expect_rejected("{\"\xff\":{}}", 0, "not valid JSON");
  expect_rejected(std::string("{}\0{}", 5), 0, "NUL");
  expect_rejected("{}", 1, "tensors end at byte 0");
  expect_rejected(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, "'a' has no \"dtype\"");
  expect_rejected(R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,1]}})", 1, "not a string");
  expect_rejected(R"({"a":{"dtype":"I8","shape":1,"data_offsets":[0,1]}})", 1, "not a list");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}})", 1, "unsigned");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[1.0],"data_offsets":[0,1]}})", 1, "unsigned");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[1],"offsets":[0,1]}})", 1, "data_offsets");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0]}})", 1, "[begin, end]");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,1]}})", 1, "occupies 1 bytes");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[0],"data_offsets":[1,0]}})", 1, "ends before it begins");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})", 2, "gap");
  expect_rejected(
      R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[1],"data_offsets":[2,3]}})", 3,
      "gap");
  expect_rejected(
      R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}})", 3,
      "overlap");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 0, "tensors end at byte 1");
  expect_rejected(R"({"a":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "overflows");
  expect_rejected(R"({"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0, "occupies");
  expect_rejected(
      R"({"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}})", 0,
      "'a' occurs twice");
  expect_rejected(R"({"__metadata__":{"k":1}})", 0, "'k', which is not a string");
  expect_rejected(R"({"__metadata__":[]})", 0, "not an object");
  expect_rejected("{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}", 0, "nested too deeply");
}

TEST(Safetensors, rejects_wrong_header_lengths) {
  EXPECT_NE(error_of("1234567").find("too short"), std::string::npos);
  std::string bytes = container("{}", 0);
  bytes[0] = 3;
  EXPECT_NE(error_of(bytes).find("longer than the file"), std::string::npos);
  bytes[4] = 1;
  EXPECT_NE(error_of(bytes).find("longer than the format allows"), std::string::npos);
}

TEST(Safetensors, names_missing_and_ill_shaped_tensors) {
  const std::string bytes = container(R"({"weight":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 4);
  const SafetensorsFile file = parse(bytes);
  const auto message = [&](auto read) -> std::string {
    try {
      read();
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message([&] { (void)file.view("wieght"); }).find("nearest: 'weight'"), std::string::npos);
  EXPECT_NE(message([&] {
              (void)file.read_as<std::int8_t>("weight", {2, 2});
            }).find("[4], needed is I8 [2, 2]"),
            std::string::npos);
  EXPECT_NE(message([&] { (void)file.read_floats("weight", {4}); }).find("floating-point"), std::string::npos);
}

TEST(Safetensors, types_unknown_to_the_project_fail_only_when_read) {
  const std::string bytes = container(
      R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
      2);
  const SafetensorsFile file = parse(bytes);
  EXPECT_EQ(file.read("b").elements(), 1U);
  EXPECT_THROW((void)file.read("a"), ConfigError);
}

TEST(Safetensors, widens_half_and_bfloat16_exactly) {
  std::string bytes = container(
      R"({"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]}})",
      0);
  const std::uint16_t half[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000, 0x7C00};
  const std::uint16_t brain[] = {0x3F80, 0xC049};
  bytes.append(reinterpret_cast<const char*>(half), sizeof half);
  bytes.append(reinterpret_cast<const char*>(brain), sizeof brain);
  const SafetensorsFile file = parse(bytes);
  const std::vector<float> h = file.read_floats("h", {6});
  EXPECT_EQ(h[0], 1.0F);
  EXPECT_EQ(h[1], -2.0F);
  EXPECT_EQ(h[2], 65504.0F);
  EXPECT_EQ(h[3], std::ldexp(1.0F, -24));
  EXPECT_TRUE(std::signbit(h[4]) && h[4] == 0);
  EXPECT_TRUE(std::isinf(h[5]));
  EXPECT_EQ(file.read_floats("b", {2}), (std::vector<float>{1.0F, -3.140625F}));
}

TEST(Safetensors, writing_reading_and_writing_again_gives_the_same_bytes) {
  const TemporaryFolder scratch;
  const SafetensorsFile original(kData + "units.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : original.tensors()) {
    tensors.emplace(entry.first, original.read(entry.first));
  }
  write_safetensors(scratch.file("a"), tensors, original.metadata());
  const SafetensorsFile copy(scratch.file("a"));
  ASSERT_EQ(copy.tensors().size(), original.tensors().size());
  EXPECT_EQ(copy.metadata(), original.metadata());
  for (const auto& [name, view] : original.tensors()) {
    const Tensor tensor = copy.read(name);
    EXPECT_EQ(tensor.shape, view.shape);
    ASSERT_EQ(tensor.bytes.size(), view.bytes);
    EXPECT_EQ(std::memcmp(tensor.bytes.data(), view.data, view.bytes), 0) << name;
  }
  write_safetensors(scratch.file("b"), tensors, original.metadata());
  EXPECT_EQ(read_file(scratch.file("a")), read_file(scratch.file("b")));
}

TEST(Safetensors, reads_sharded_checkpoints_through_their_index) {
  const TemporaryFolder scratch;
  const std::vector<float> first = {1, 2}, second = {3};
  write_safetensors(scratch.file("one.safetensors"), {{"a", Tensor::from(first)}});
  write_safetensors(scratch.file("two.safetensors"), {{"b", Tensor::from(second)}});
  const std::string index = scratch.file("model.safetensors.index.json");
  write_atomically(index,
                   R"({"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const SafetensorsFile file(scratch.path());
  EXPECT_EQ(file.read_floats("a", {2}), first);
  EXPECT_EQ(file.read_floats("b", {1}), second);

  for (const char* bad :
       {R"({})", R"({"weight_map":{"a":3}})", R"({"weight_map":{"a":"../one.safetensors"}})",
        R"({"weight_map":{"b":"one.safetensors"}})", R"({"weight_map":{"a":"none.safetensors"}})", "[]", ""}) {
    write_atomically(index, bad);
    EXPECT_THROW(SafetensorsFile{scratch.path()}, ConfigError) << bad;
  }
}

TEST(Safetensors, names_files_that_are_none) {
  const TemporaryFolder scratch;
  EXPECT_THROW(SafetensorsFile{scratch.file("none")}, ConfigError);
  EXPECT_THROW(SafetensorsFile{scratch.path()}, ConfigError);
  EXPECT_THROW(SafetensorsFile{"/dev/zero"}, ConfigError);
  write_atomically(scratch.file("empty"), "");
  EXPECT_THROW(SafetensorsFile{scratch.file("empty")}, ConfigError);
}

// Random damage to header and length: the file is read or refused, nothing else.
TEST(Safetensors, damaged_files_are_read_or_refused) {
  constexpr int kMutations = 20'000;
  constexpr std::uint32_t kSeed = 1;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const std::string good = container(
      R"({"__metadata__":{"l":"16"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"a.b":{"dtype":"I8","shape":[3],"data_offsets":[24,27]}})",
      27);
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    std::string bytes = good;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int edit = 0; edit < edits; ++edit) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 5) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
          break;
        case 2:
          bytes.erase(at, 1 + random() % 8);
          break;
        case 3:
          bytes.insert(at, 1 + random() % 4, "0123456789{}[],\":"[random() % 17]);
          break;
        default:
          bytes.insert(at, good, random() % good.size(), random() % 16);
          break;
      }
      if (bytes.empty()) {
        break;
      }
    }
    try {
      const SafetensorsFile file = parse(bytes);
      for (const auto& entry : file.tensors()) {
        (void)file.read(entry.first);
      }
    } catch (const ConfigError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, kMutations / 2);
  EXPECT_LT(refused, kMutations);
}

TEST(Safetensors, finds_the_first_number_that_is_none) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  Tensor numbers(Dtype::F32, {(1U << 20) + 5});   // more than is looked at in one piece
  Tensor halves(Dtype::F16, {3});
  const std::uint16_t infinity = 0xFC00;
  std::memcpy(halves.bytes.data() + 2, &infinity, sizeof infinity);
  write_safetensors(path, {{"finite", numbers}, {"halves", halves}});
  EXPECT_EQ(SafetensorsFile(path).find_not_finite("finite"), std::nullopt);
  EXPECT_EQ(SafetensorsFile(path).find_not_finite("halves"), 1U);
  numbers.as<float>()[(1U << 20) + 3] = std::numeric_limits<float>::quiet_NaN();
  write_safetensors(path, {{"x", numbers}});
  EXPECT_EQ(SafetensorsFile(path).find_not_finite("x"), (1U << 20) + 3);
}

// Pages of files that are in this process's memory.
std::size_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kibibytes = 0;
    if (word == "RssFile:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

TEST(Safetensors, what_was_read_does_not_stay_in_memory) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  constexpr std::size_t kRows = 8192, kCols = 768;   // 25 MB
  write_safetensors(path, {{"x", Tensor(Dtype::F32, {kRows, kCols})}});
  const SafetensorsFile file(path);
  const std::size_t before = resident_file_bytes();
  ASSERT_GT(before, 0U);
  std::vector<float> row(kCols);
  for (std::size_t r = 0; r < kRows; r += 16) file.read_float_row("x", {kRows, kCols}, r, row.data());
  (void)file.find_not_finite("x");
  (void)file.read("x");
  EXPECT_LT(resident_file_bytes(), before + (1U << 20));
}

}  // namespace
}  // namespace systole::workloads
