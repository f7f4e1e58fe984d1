// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/code_store.hpp"

#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <system_error>

#include "base/strings.hpp"
#include "engines/sandbox/fd.hpp"

namespace tarn::lambda {
namespace {

namespace fs = std::filesystem;
using sandbox::Fd;

[[noreturn]] void fail(const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

class FileSource : public ByteSource {
 public:
  explicit FileSource(Fd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  Task<std::string> read(std::size_t max) override {
    std::string piece(max, '\0');
    const ssize_t got = ::read(file_.get(), piece.data(), piece.size());
    if (got < 0) throw std::system_error(errno, std::generic_category(), "deployment package");
    piece.resize(static_cast<std::size_t>(got));
    co_return piece;
  }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  Fd file_;
  std::uint64_t size_;
};

}  // namespace

CodeStore::CodeStore(fs::path directory) : directory_(std::move(directory)) {}

fs::path CodeStore::file_of(const std::string& digest) const {
  return directory_ / (digest + ".zip");
}

std::string CodeStore::put(std::string_view zip) {
  static std::atomic<unsigned> next{0};
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(zip.data()), zip.size(), hash);
  const std::string digest = to_hex({reinterpret_cast<char*>(hash), sizeof hash});
  if (has(digest)) return digest;
  fs::create_directories(directory_);
  const fs::path temporary = directory_ / (digest + "." + std::to_string(next++) + ".new");
  {
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) fail(temporary);
    while (!zip.empty()) {
      const ssize_t written = ::write(file.get(), zip.data(), zip.size());
      if (written < 0) fail(temporary);
      zip.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0) fail(temporary);
  }
  fs::rename(temporary, file_of(digest));
  const Fd parent(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0) fail(directory_);
  return digest;
}

bool CodeStore::has(const std::string& digest) const { return fs::exists(file_of(digest)); }

ByteSourcePtr CodeStore::open(const std::string& digest) const {
  const fs::path path = file_of(digest);
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail(path);
  return std::make_shared<FileSource>(std::move(file), fs::file_size(path));
}

void CodeStore::sweep(const std::set<std::string>& named) {
  if (!fs::exists(directory_)) return;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    if (entry.path().extension() == ".zip" && named.contains(entry.path().stem())) continue;
    std::error_code ignored;
    fs::remove(entry.path(), ignored);
  }
}

}  // namespace tarn::lambda
