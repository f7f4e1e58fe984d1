// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

struct CloseArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, CloseArchive>;

// Names are UTF-8 where the format says so, else bytes; libarchive gives null for those that the
// process's locale cannot hold, and a server's locale is "C".
std::string text_of(const char* utf8, const char* raw) { return utf8 ? utf8 : raw ? raw : ""; }

std::string reason(archive* reader) {
  const char* text = archive_error_string(reader);
  return text ? text : "unreadable";
}

Reader open_reader(const std::filesystem::path& file) {
  Reader reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_gnutar(reader.get());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_filename(reader.get(), file.c_str(), 256 * 1024) != ARCHIVE_OK) {
    throw ArchiveError("not an archive: " + reason(reader.get()));
  }
  return reader;
}

const char* kind_name(mode_t type) {
  switch (type) {
    case AE_IFCHR: return "a character device";
    case AE_IFBLK: return "a block device";
    case AE_IFIFO: return "a named pipe";
    case AE_IFSOCK: return "a socket";
    default: return "of an unknown kind";
  }
}

void write_at(int fd, const char* bytes, std::size_t count, std::int64_t offset,
              const std::string& name) {
  while (count > 0) {
    const ssize_t written = ::pwrite(fd, bytes, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      throw std::system_error(errno, std::generic_category(),
                              fmt::format("cannot write '{}'", name));
    }
    bytes += written;
    offset += written;
    count -= static_cast<std::size_t>(written);
  }
}

class Unpacker {
 public:
  Unpacker(const std::filesystem::path& file, const std::filesystem::path& directory,
           const ArchiveLimits& limits)
      : limits_(limits),
        reader_(open_reader(file)),
        tree_(directory) {}

  Unpacked run() {
    archive_entry* entry = nullptr;
    for (;;) {
      const int result = archive_read_next_header(reader_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result == ARCHIVE_RETRY) continue;
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
        throw ArchiveError("corrupt archive: " + reason(reader_.get()));
      }
      if (++total_.entries > limits_.entries_max) {
        throw ArchiveError(fmt::format("more than {} entries", limits_.entries_max));
      }
      try {
        take(entry);
      } catch (const std::invalid_argument& refused) {
        throw ArchiveError(fmt::format("entry refused: {}", refused.what()));
      }
    }
    if (total_.entries == 0) throw ArchiveError("the archive is empty");
    return total_;
  }

 private:
  void take(archive_entry* entry) {
    const std::string name =
        text_of(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry));
    const std::string hard_link =
        text_of(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
    if (!hard_link.empty()) return tree_.make_hard_link(name, hard_link);
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR: return tree_.make_directory(name);
      case AE_IFLNK:
        return tree_.make_symlink(
            name, text_of(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry)));
      case AE_IFREG: return take_file(entry, name);
      default:
        throw std::invalid_argument(
            fmt::format("'{}' is {}", name, kind_name(archive_entry_filetype(entry))));
    }
  }

  void take_file(archive_entry* entry, const std::string& name) {
    const mode_t mode = (archive_entry_perm(entry) & 0111) != 0 ? 0555 : 0444;
    const Fd file = tree_.make_file(name, mode);
    std::int64_t end = 0;
    for (;;) {
      const void* bytes = nullptr;
      std::size_t count = 0;
      std::int64_t offset = 0;
      const int result = archive_read_data_block(reader_.get(), &bytes, &count, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result == ARCHIVE_RETRY) continue;
      if (result != ARCHIVE_OK) {
        throw ArchiveError(fmt::format("corrupt archive at '{}': {}", name, reason(reader_.get())));
      }
      total_.bytes += count;
      if (total_.bytes > limits_.unpacked_bytes_max) {
        throw ArchiveError(
            fmt::format("more than {} bytes when unpacked", limits_.unpacked_bytes_max));
      }
      write_at(file.get(), static_cast<const char*>(bytes), count, offset, name);
      end = offset + static_cast<std::int64_t>(count);
    }
    // A sparse file may end in a hole.
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > end &&
        static_cast<std::uint64_t>(archive_entry_size(entry)) <= limits_.unpacked_bytes_max) {
      [[maybe_unused]] const int ignored = ::ftruncate(file.get(), archive_entry_size(entry));
    }
    if (archive_entry_mtime_is_set(entry)) {
      const timespec time{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
      const timespec times[2] = {time, time};
      ::futimens(file.get(), times);
    }
  }

  const ArchiveLimits limits_;
  Reader reader_;
  TreeWriter tree_;
  Unpacked total_;
};

}  // namespace

Unpacked unpack_archive(const std::filesystem::path& archive,
                        const std::filesystem::path& directory, const ArchiveLimits& limits) {
  return Unpacker(archive, directory, limits).run();
}

}  // namespace tarn::sandbox
