#pragma once
// Whole files: read in one piece, written so that a reader never sees half of one. Errors are ConfigErrors that name
// the file.
#include <string>
#include <string_view>
#include <vector>

namespace systole {

// The bytes of a file. A file that starts with the gzip magic number is decompressed.
[[nodiscard]] std::string read_file(const std::string& path);

// Writes to a temporary file in the same directory, then renames it to `path`; a device or pipe is written as it is.
void write_atomically(const std::string& path, std::string_view bytes);
// The same with the bytes of all parts one after the other.
void write_atomically(const std::string& path, const std::vector<std::string_view>& parts);

// Throws now if write_atomically() could not write `path`: before work whose result would be lost. Leaves nothing.
void check_writable(const std::string& path);

}  // namespace systole
