// SPDX-License-Identifier: Apache-2.0
// Unpacks an archive of unknown origin into a directory: tar (plain, gzip, zstd, xz, bzip2) and
// zip.
//
// Files end up owned by the caller and readable by everybody; set-id bits, owners, access lists and
// extended attributes are dropped, modification times kept. Links may point anywhere, because they
// are followed only inside a sandbox, but nothing is ever written through one. Refused, with the
// entry's name: absolute paths, "..", device nodes, pipes and sockets, and more than the limits.
#pragma once
#include <cstdint>
#include <filesystem>
#include <stdexcept>

namespace tarn::sandbox {

// The text names what is wrong with the archive.
class ArchiveError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ArchiveLimits {
  std::uint64_t unpacked_bytes_max = 20ULL << 30;
  std::uint64_t entries_max = 2'000'000;
};

struct Unpacked {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
};

// Blocking. On an error the directory holds a part.
Unpacked unpack_archive(const std::filesystem::path& archive,
                        const std::filesystem::path& directory, const ArchiveLimits& limits = {});

}  // namespace tarn::sandbox
