#include "sim/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "sim/base/errors.h"

namespace systole {
namespace {

class File : public testing::Test {
 protected:
  File() {
    std::string name = testing::TempDir() + "file_test.XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~File() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_), std::filesystem::directory_iterator()));
  }

 private:
  std::string directory_;
};

TEST_F(File, is_read_as_it_was_written) {
  write_atomically(path("a"), "first");
  write_atomically(path("a"), std::string("second\0", 7));
  EXPECT_EQ(read_file(path("a")), std::string("second\0", 7));
  EXPECT_EQ(files(), 1u);
}

TEST_F(File, is_not_left_behind_by_the_check) {
  check_writable(path("a"));
  EXPECT_EQ(files(), 0u);
  write_atomically(path("a"), "text");
  check_writable(path("a"));
  EXPECT_EQ(read_file(path("a")), "text");
  EXPECT_EQ(files(), 1u);
  EXPECT_THROW(check_writable(path("absent/a")), ConfigError);
  EXPECT_THROW(check_writable(path("")), ConfigError);
}

// The temporary file must not take the place of /dev/null or of a pipe.
TEST_F(File, that_is_a_pipe_stays_one) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  check_writable(path("pipe"));
  write_atomically(path("pipe"), "text");
  char text[8] = {};
  EXPECT_EQ(read(reader, text, sizeof text), 4);
  EXPECT_STREQ(text, "text");
  close(reader);
  struct stat status {};
  ASSERT_EQ(stat(path("pipe").c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
}

TEST_F(File, reads_gzip_and_refuses_half_of_it) {
  const std::string name = path("a.gz");
  const auto error = [&] {
    try {
      (void)read_file(name);
    } catch (const ConfigError& problem) {
      return std::string(problem.what());
    }
    return std::string("no error");
  };
  // "hello\n" as written by gzip -n.
  const std::string gz("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00", 26);
  write_atomically(name, gz);
  EXPECT_EQ(read_file(name), "hello\n");
  write_atomically(name, gz.substr(0, 15));
  EXPECT_EQ(error(), name + ": truncated gzip data");
  std::string corrupt = gz;
  corrupt[12] = '\x7f';
  write_atomically(name, corrupt);
  EXPECT_NE(error(), "no error");
  std::filesystem::remove(name);
  EXPECT_EQ(error(), name + ": cannot open: No such file or directory");
}

}  // namespace
}  // namespace systole
