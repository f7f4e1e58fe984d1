// SPDX-License-Identifier: Apache-2.0
// Files live in `directory/xx/<id>`, xx being the id's first two digits, so that no directory grows
// without bound; unfinished ones in `directory/tmp/`. An id is 32 random hex digits.
#include "kernel/blobs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/store.hpp"
#include "kernel/sync_path.hpp"

namespace tarn::kernel {
namespace {

constexpr std::size_t k_id_digits = 32;
// Data beyond this goes to the disk while it still comes in, so that `finish` has little to wait
// for.
constexpr std::uint64_t k_write_back_bytes = 8 << 20;

[[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path) {
  throw StorageFailure(fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(errno)));
}

class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }
  bool ok() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

bool is_id(std::string_view name) {
  return name.size() == k_id_digits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

class FileWriter : public BlobWriter {
 public:
  FileWriter(const std::filesystem::path& directory, BlobId id, FaultPoint fault)
      : id_(std::move(id)),
        temporary_(directory / "tmp" / id_),
        final_(directory / id_.substr(0, 2) / id_),
        fault_(std::move(fault)),
        file_(temporary_, O_WRONLY | O_CREAT | O_EXCL) {
    if (!file_.ok()) fail("create", temporary_);
  }
  ~FileWriter() override {
    if (!finished_) ::unlink(temporary_.c_str());
  }

  void write(std::string_view bytes) override {
    if (fault_) fault_("blob.before-write");
    size_ += bytes.size();
    while (!bytes.empty()) {
      const auto written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write", temporary_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (size_ - write_back_ < k_write_back_bytes) return;
    ::sync_file_range(file_.get(), static_cast<off_t>(write_back_),
                      static_cast<off_t>(size_ - write_back_), SYNC_FILE_RANGE_WRITE);
    write_back_ = size_;
  }

  std::uint64_t size() const override { return size_; }

  BlobId finish() override {
    if (fault_) fault_("blob.before-sync");
    if (::fsync(file_.get()) != 0) fail("sync", temporary_);
    if (fault_) fault_("blob.before-rename");
    if (::mkdir(final_.parent_path().c_str(), 0700) == 0) {
      sync_path(final_.parent_path().parent_path());
    } else if (errno != EEXIST) {
      fail("create", final_.parent_path());
    }
    if (::rename(temporary_.c_str(), final_.c_str()) != 0) fail("name", final_);
    finished_ = true;
    sync_path(final_.parent_path());
    if (fault_) fault_("blob.after-rename");
    return id_;
  }

 private:
  const BlobId id_;
  const std::filesystem::path temporary_;
  const std::filesystem::path final_;
  const FaultPoint fault_;
  const File file_;
  std::uint64_t size_ = 0;
  std::uint64_t write_back_ = 0;  // handed to the disk so far
  bool finished_ = false;
};

std::size_t read_fully(int file, std::uint64_t offset, char* buffer, std::size_t count,
                       const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < count) {
    const auto got = ::pread(file, buffer + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// Holds the file open: removing the blob meanwhile only unlinks its name.
class FileSource : public ByteSource {
 public:
  FileSource(std::filesystem::path path, std::uint64_t offset, std::uint64_t length)
      : path_(std::move(path)),
        file_(path_, O_RDONLY),
        at_(offset),
        end_(offset + length) {
    if (!file_.ok()) fail("open", path_);
    ::posix_fadvise(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                    POSIX_FADV_SEQUENTIAL);
  }

  Task<std::string> read(std::size_t max) override {
    std::string piece(std::min<std::uint64_t>(max, end_ - at_), '\0');
    if (piece.empty()) co_return piece;
    const std::size_t got = read_fully(file_.get(), at_, piece.data(), piece.size(), path_);
    if (got < piece.size()) {
      throw StorageFailure(fmt::format("{} is shorter than its record says", path_.string()));
    }
    at_ += got;
    co_return piece;
  }
  std::optional<std::uint64_t> size() const override { return end_ - at_; }

 private:
  const std::filesystem::path path_;
  const File file_;
  std::uint64_t at_;
  const std::uint64_t end_;
};

}  // namespace

Blobs::Blobs(std::filesystem::path directory, Random& random, FaultPoint fault)
    : directory_(std::move(directory)),
      random_(random),
      fault_(std::move(fault)) {
  std::error_code error;
  std::filesystem::create_directories(directory_ / "tmp", error);
  if (error) {
    throw StorageFailure(
        fmt::format("cannot create {}: {}", (directory_ / "tmp").string(), error.message()));
  }
}

std::unique_ptr<BlobWriter> Blobs::create() {
  return std::make_unique<FileWriter>(directory_, random_.hex(k_id_digits), fault_);
}

std::filesystem::path Blobs::path(const BlobId& id) const {
  // Ids come from our own records; anything else must not become a path.
  if (!is_id(id)) throw StorageFailure(fmt::format("'{}' is no blob id", id));
  return directory_ / id.substr(0, 2) / id;
}

ByteSourcePtr Blobs::open(const BlobId& id, std::uint64_t offset, std::uint64_t length) const {
  return std::make_shared<FileSource>(path(id), offset, length);
}

std::size_t Blobs::read_at(const BlobId& id, std::uint64_t offset, char* buffer,
                           std::size_t count) const {
  const auto file_path = path(id);
  const File file(file_path, O_RDONLY);
  if (!file.ok()) fail("open", file_path);
  return read_fully(file.get(), offset, buffer, count, file_path);
}

std::uint64_t Blobs::size(const BlobId& id) const {
  const auto file_path = path(id);
  struct stat info {};
  if (::stat(file_path.c_str(), &info) != 0) fail("look at", file_path);
  return static_cast<std::uint64_t>(info.st_size);
}

void Blobs::remove(const BlobId& id) {
  // Not synced: if the name comes back after a power cut, the sweep removes it.
  const auto file_path = path(id);
  if (::unlink(file_path.c_str()) != 0 && errno != ENOENT) fail("remove", file_path);
}

std::size_t Blobs::sweep(const std::function<bool(const BlobId&)>& is_named) {
  namespace fs = std::filesystem;
  std::size_t removed = 0;
  for (const auto& folder : fs::directory_iterator(directory_)) {
    if (!folder.is_directory()) continue;
    const bool temporary = folder.path().filename() == "tmp";
    for (const auto& file : fs::directory_iterator(folder.path())) {
      const std::string name = file.path().filename().string();
      // What does not look like ours is left alone.
      if (!is_id(name) || (!temporary && is_named(name))) continue;
      if (::unlink(file.path().c_str()) != 0) fail("remove", file.path());
      ++removed;
    }
  }
  return removed;
}

}  // namespace tarn::kernel
