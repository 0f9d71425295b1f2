#include "sim/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "sim/base/errors.h"

namespace systole {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;
// A compressed text may not grow without limit: the largest sensible input of the project is far below this.
constexpr std::size_t kMaxInflatedBytes = std::size_t{4} << 30;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  // Closing may report a write error that came late (full disk).
  [[nodiscard]] bool close_now() {
    const int result = close(fd_);
    fd_ = -1;
    return result == 0;
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& path, const std::string& what) { throw ConfigError(path + ": " + what); }

// A terminal, a pipe, /dev/null: nothing that a file may take the place of.
bool is_device(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

bool write_all(const Descriptor& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

using Parts = std::vector<std::string_view>;

bool write_all(const Descriptor& file, const Parts& parts) {
  return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) { return write_all(file, part); });
}

void write_to_device(const std::string& path, const Parts& parts) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.ok()) fail(path, std::string("cannot open: ") + std::strerror(errno));
  if (!write_all(file, parts) || !file.close_now()) fail(path, std::string("cannot write: ") + std::strerror(errno));
}

// A new file beside `path`, open for writing; `temporary` becomes its name.
int create_beside(const std::string& path, std::string& temporary) {
  temporary = path + ".XXXXXX";
  const int fd = mkstemp(temporary.data());
  if (fd < 0) fail(path, std::string("cannot create a file beside it: ") + std::strerror(errno));
  return fd;
}

std::string inflate_gzip(const std::string& path, const std::string& compressed) {
  z_stream stream{};
  constexpr int kGzipOnly = 16;
  if (inflateInit2(&stream, MAX_WBITS + kGzipOnly) != Z_OK) fail(path, "cannot start decompression");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};

  std::string result;
  std::size_t consumed = 0;
  int status = Z_OK;
  while (true) {
    if (stream.avail_in == 0 && consumed < compressed.size()) {
      const std::size_t part = std::min<std::size_t>(compressed.size() - consumed, UINT_MAX / 2);
      // zlib's interface is not const-correct; it only reads.
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + consumed));
      stream.avail_in = static_cast<uInt>(part);
      consumed += part;
    }
    const std::size_t old_size = result.size();
    if (old_size > kMaxInflatedBytes) fail(path, "decompressed data is larger than 4 GiB");
    result.resize(old_size + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + old_size);
    stream.avail_out = static_cast<uInt>(kChunk);
    status = inflate(&stream, Z_NO_FLUSH);
    result.resize(old_size + kChunk - stream.avail_out);
    if (status == Z_STREAM_END) {
      const bool more = stream.avail_in > 0 || consumed < compressed.size();
      if (!more) return result;
      if (inflateReset(&stream) != Z_OK) fail(path, "corrupt gzip data");  // concatenated members
      continue;
    }
    if (status == Z_BUF_ERROR && stream.avail_in == 0) fail(path, "truncated gzip data");
    if (status != Z_OK && status != Z_BUF_ERROR) fail(path, "corrupt gzip data");
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) fail(path, std::string("cannot open: ") + std::strerror(errno));
  struct stat status {};
  if (fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) fail(path, "is a directory");

  std::string bytes;
  if (status.st_size > 0) bytes.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[kChunk];
  while (true) {
    const ssize_t count = read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, std::string("cannot read: ") + std::strerror(errno));
    if (count == 0) break;
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
  constexpr std::string_view kGzipMagic = "\x1f\x8b";
  if (bytes.compare(0, kGzipMagic.size(), kGzipMagic) == 0) return inflate_gzip(path, bytes);
  return bytes;
}

void write_atomically(const std::string& path, std::string_view bytes) { write_atomically(path, Parts{bytes}); }

void write_atomically(const std::string& path, const Parts& parts) {
  if (is_device(path)) return write_to_device(path, parts);
  std::string temporary;
  Descriptor file(create_beside(path, temporary));
  const auto give_up = [&](const char* what) {
    const int reason = errno;
    unlink(temporary.c_str());
    fail(path, std::string(what) + ": " + std::strerror(reason));
  };
  if (!write_all(file, parts)) give_up("cannot write");
  // mkstemp makes private files; an output file gets the permissions that the user's mask allows.
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(file.get(), 0666 & ~mask) != 0) give_up("cannot set permissions");
  if (!file.close_now()) give_up("cannot write");
  if (rename(temporary.c_str(), path.c_str()) != 0) give_up("cannot rename into place");
}

void check_writable(const std::string& path) {
  if (is_device(path)) return;
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) fail(path, "is a directory");
  std::string temporary;
  const Descriptor file(create_beside(path, temporary));
  unlink(temporary.c_str());
}

}  // namespace systole
