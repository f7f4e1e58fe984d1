// SPDX-License-Identifier: Apache-2.0
// s3:// as a DuckDB file system over ObjectStore: ranged reads, listings, streamed writes. The
// identity is the running statement's (SessionFacts), so COPY sees what its role may see.
//
// Threading: DuckDB calls from several worker threads; each handle is used by one at a time.
#include "duckdb/common/file_opener.hpp"
#include "duckdb/common/file_system.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

std::pair<std::string, std::string> split_object_url(const std::string& url) {
  const std::string rest = url.substr(5);
  const std::size_t slash = rest.find('/');
  return {rest.substr(0, slash), slash == std::string::npos ? "" : rest.substr(slash + 1)};
}

namespace {

using duckdb::FileHandle;
using duckdb::FileOpener;
using duckdb::FileOpenFlags;
using duckdb::idx_t;

[[noreturn]] void fail(const ObjectError& error) {
  raise(error.code == "AccessDenied" ? sqlstate::k_insufficient_privilege : sqlstate::k_internal,
        "S3ServiceException:" + std::string(error.what()) + ",Status " +
            std::to_string(error.status) + ",Error " + error.code);
}

struct ObjectHandle : FileHandle {
  ObjectHandle(duckdb::FileSystem& files, const std::string& path, FileOpenFlags flags)
      : FileHandle(files, path, flags) {}
  std::unique_ptr<ObjectReader> reader;
  std::unique_ptr<ObjectWriter> writer;
  idx_t position = 0;
  void Close() override {
    if (!writer) return;
    const auto finished = std::move(writer);
    try {
      finished->finish();
    } catch (const ObjectError& error) {
      fail(error);
    }
  }
};

class ObjectFiles : public duckdb::FileSystem {
 public:
  explicit ObjectFiles(std::shared_ptr<ObjectStore> objects) : objects_(std::move(objects)) {}

  duckdb::unique_ptr<FileHandle> OpenFile(const std::string& path, FileOpenFlags flags,
                                          duckdb::optional_ptr<FileOpener> opener) override {
    const auto [bucket, key] = split_object_url(path);
    auto handle = duckdb::make_uniq<ObjectHandle>(*this, path, flags);
    try {
      if (flags.OpenForWriting()) {
        handle->writer = store().create(identity(opener), bucket, key);
      } else {
        handle->reader = store().open(identity(opener), bucket, key);
      }
    } catch (const ObjectError& error) {
      if (flags.ReturnNullIfNotExists() && error.status == 404) return nullptr;
      fail(error);
    }
    return std::move(handle);
  }

  void Read(FileHandle& handle, void* buffer, int64_t count, idx_t location) override {
    if (read(handle, buffer, count, location) != count) {
      raise(sqlstate::k_internal, "unexpected end of object " + handle.path);
    }
  }
  int64_t Read(FileHandle& handle, void* buffer, int64_t count) override {
    auto& object = handle.Cast<ObjectHandle>();
    const int64_t done = read(handle, buffer, count, object.position);
    object.position += static_cast<idx_t>(done);
    return done;
  }
  int64_t Write(FileHandle& handle, void* buffer, int64_t count) override {
    auto& object = handle.Cast<ObjectHandle>();
    try {
      object.writer->write({static_cast<const char*>(buffer), static_cast<std::size_t>(count)});
    } catch (const ObjectError& error) {
      fail(error);
    }
    object.position += static_cast<idx_t>(count);
    return count;
  }
  void Write(FileHandle& handle, void* buffer, int64_t count, idx_t location) override {
    if (location != handle.Cast<ObjectHandle>().position) {
      raise(sqlstate::k_internal, "objects are written in one pass");
    }
    Write(handle, buffer, count);
  }
  int64_t GetFileSize(FileHandle& handle) override {
    auto& object = handle.Cast<ObjectHandle>();
    return object.reader ? static_cast<int64_t>(object.reader->info().size)
                         : static_cast<int64_t>(object.position);
  }
  duckdb::timestamp_t GetLastModifiedTime(FileHandle& handle) override {
    auto& object = handle.Cast<ObjectHandle>();
    return duckdb::timestamp_t(object.reader ? to_micros(object.reader->info().modified) : 0);
  }
  std::string GetVersionTag(FileHandle& handle) override {
    auto& object = handle.Cast<ObjectHandle>();
    return object.reader ? object.reader->info().etag : "";
  }
  duckdb::FileType GetFileType(FileHandle&) override { return duckdb::FileType::FILE_TYPE_REGULAR; }
  void Seek(FileHandle& handle, idx_t location) override {
    handle.Cast<ObjectHandle>().position = location;
  }
  idx_t SeekPosition(FileHandle& handle) override { return handle.Cast<ObjectHandle>().position; }
  void Reset(FileHandle& handle) override { handle.Cast<ObjectHandle>().position = 0; }
  void FileSync(FileHandle&) override {}
  bool CanSeek() override { return true; }
  bool OnDiskFile(FileHandle&) override { return false; }
  bool DirectoryExists(const std::string&, duckdb::optional_ptr<FileOpener>) override {
    return true;
  }
  void CreateDirectory(const std::string&, duckdb::optional_ptr<FileOpener>) override {}
  bool FileExists(const std::string& path, duckdb::optional_ptr<FileOpener> opener) override {
    const auto [bucket, key] = split_object_url(path);
    try {
      return store().open(identity(opener), bucket, key) != nullptr;
    } catch (const ObjectError& error) {
      if (error.status == 404) return false;
      fail(error);
    }
  }
  void RemoveFile(const std::string& path, duckdb::optional_ptr<FileOpener> opener) override {
    const auto [bucket, key] = split_object_url(path);
    try {
      store().remove(identity(opener), bucket, key);
    } catch (const ObjectError& error) {
      fail(error);
    }
  }
  // COPY lists prefixes itself and hands over exact keys: a key's * means itself.
  duckdb::vector<duckdb::OpenFileInfo> Glob(const std::string& path, FileOpener*) override {
    return {duckdb::OpenFileInfo(path)};
  }
  bool CanHandleFile(const std::string& path) override { return path.starts_with("s3://"); }
  std::string GetName() const override { return "TarnObjectFiles"; }

 private:
  ObjectStore& store() const {
    if (!objects_) raise(sqlstate::k_feature_not_supported, "S3 is not available here");
    return *objects_;
  }
  static ObjectIdentity identity(duckdb::optional_ptr<FileOpener> opener) {
    auto context = FileOpener::TryGetClientContext(opener);
    if (!context) raise(sqlstate::k_internal, "S3 was used outside of a session");
    return SessionFacts::of(*context).current_identity();
  }
  static int64_t read(FileHandle& handle, void* buffer, int64_t count, idx_t location) {
    auto& object = handle.Cast<ObjectHandle>();
    try {
      std::size_t done = 0;
      const auto wanted = static_cast<std::size_t>(count);
      while (done < wanted) {
        const std::size_t n = object.reader->read_at(
            location + done, static_cast<char*>(buffer) + done, wanted - done);
        if (n == 0) break;
        done += n;
      }
      return static_cast<int64_t>(done);
    } catch (const ObjectError& error) {
      fail(error);
    }
  }

  std::shared_ptr<ObjectStore> objects_;
};

}  // namespace

duckdb::unique_ptr<duckdb::FileSystem> make_object_files(std::shared_ptr<ObjectStore> objects) {
  return duckdb::make_uniq<ObjectFiles>(std::move(objects));
}

}  // namespace tarn::sql
