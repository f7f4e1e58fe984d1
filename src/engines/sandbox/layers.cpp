// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/layers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "engines/sandbox/fd.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whole or not at all, also for a reader that comes in between.
void write_text(const fs::path& path, std::string_view text) {
  const fs::path temporary = path.string() + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << text;
    if (!file.flush()) throw std::runtime_error("cannot write " + temporary.string());
  }
  fs::rename(temporary, path);
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_, digest, &size);
    return to_hex({reinterpret_cast<const char*>(digest), size});
  }

 private:
  EVP_MD_CTX* context_;
};

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.add(text);
  return hash.hex();
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void touch(const fs::path& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      throw std::system_error(errno, std::generic_category(), "cannot keep the archive");
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Copies the archive to `path` and returns its digest.
Task<std::string> spool(ByteSourcePtr source, fs::path path, std::uint64_t bytes_max) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) throw std::system_error(errno, std::generic_category(), path.string());
  Sha256 hash;
  std::uint64_t total = 0;
  for (;;) {
    const std::string piece = co_await source->read();
    if (piece.empty()) break;
    total += piece.size();
    if (total > bytes_max) throw ArchiveError(fmt::format("larger than {} bytes", bytes_max));
    hash.add(piece);
    write_all(file.get(), piece);
  }
  co_return hash.hex();
}

// Removes what is left of an attempt, however it ends.
struct PartialDirectory {
  fs::path path;
  ~PartialDirectory() {
    if (fs::exists(path)) remove_tree(path);
  }
};

}  // namespace

struct LayerStore::Pending {
  std::mutex mutex;
  std::condition_variable changed;
  int count = 0;
};

LayerStore::LayerStore(fs::path directory, Executor& blocking)
    : directory_(std::move(directory)),
      boot_(trim(read_text("/proc/sys/kernel/random/boot_id"))),
      blocking_(blocking),
      pending_(std::make_shared<Pending>()) {
  load();
}

LayerStore::~LayerStore() {
  std::unique_lock lock(pending_->mutex);
  pending_->changed.wait(lock, [&] { return pending_->count == 0; });
}

void LayerStore::load() {
  remove_tree(directory_ / "partial");
  for (const char* name : {"layers", "names", "partial"}) fs::create_directories(directory_ / name);
  for (const auto& found : fs::directory_iterator(directory_ / "layers")) {
    const std::string digest = found.path().filename();
    try {
      const Json about = parse_json(read_text(found.path() / "layer.json"));
      const bool synced = fs::exists(found.path() / "synced");
      if (is_digest(digest) && (synced || string_or(about, "boot") == boot_)) {
        layers_[digest] = {about.at("bytes").to_number<std::uint64_t>(), {}};
        continue;
      }
    } catch (const std::exception& error) {
      log::warning("sandbox", "layer {} is unusable: {}", digest, error.what());
    }
    remove_tree(found.path());
  }
}

LayerPtr LayerStore::find(const std::string& digest) {
  std::lock_guard lock(mutex_);
  const auto found = layers_.find(digest);
  if (found == layers_.end()) return nullptr;
  const fs::path home = directory_ / "layers" / digest;
  touch(home / "layer.json");
  if (auto layer = found->second.in_use.lock()) return layer;
  auto layer = std::make_shared<const Layer>(home / "tree", digest, found->second.bytes);
  found->second.in_use = layer;
  return layer;
}

LayerPtr LayerStore::find_named(const std::string& name) {
  const std::string digest = read_text(directory_ / "names" / sha256_hex(name));
  return digest.empty() ? nullptr : find(digest);
}

void LayerStore::finish_flight(const std::string& key, std::exception_ptr failure) {
  std::vector<OneShot<std::exception_ptr>> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting = std::move(flights_[key].waiting);
    flights_.erase(key);
  }
  for (const auto& waiter : waiting) waiter.set(failure);
}

Task<LayerPtr> LayerStore::once(std::string key, std::function<LayerPtr()> look,
                                std::function<Task<LayerPtr>()> make) {
  for (;;) {
    if (auto layer = look()) co_return layer;
    OneShot<std::exception_ptr> other;
    bool first = false;
    {
      std::lock_guard lock(mutex_);
      first = flights_.try_emplace(key).second;
      if (!first) flights_[key].waiting.push_back(other);
    }
    if (!first) {
      const std::exception_ptr failure = co_await other;
      if (failure) std::rethrow_exception(failure);
      continue;  // it is there now, or its maker was cancelled and it is our turn
    }
    std::exception_ptr failure;
    bool cancelled = false;
    LayerPtr layer;
    try {
      layer = look();  // somebody may have finished between the look above and our turn
      if (!layer) layer = co_await make();
    } catch (const Cancelled&) {
      cancelled = true;
    } catch (...) {
      failure = std::current_exception();
    }
    finish_flight(key, failure);
    if (cancelled) throw Cancelled();
    if (failure) std::rethrow_exception(failure);
    co_return layer;
  }
}

Task<LayerPtr> LayerStore::open(std::string digest, Fetch fetch, LayerLimits limits) {
  if (!is_digest(digest)) throw ArchiveError("'" + digest + "' is no SHA-256 digest");
  std::function<LayerPtr()> look = [this, digest] { return find(digest); };
  std::function<Task<LayerPtr>()> build = [this, digest, fetch = std::move(fetch), limits] {
    return make(digest, std::string(), fetch, limits);
  };
  std::string key = digest;
  co_return co_await once(std::move(key), std::move(look), std::move(build));
}

Task<LayerPtr> LayerStore::open_named(std::string name, Fetch fetch, LayerLimits limits) {
  std::function<LayerPtr()> look = [this, name] { return find_named(name); };
  std::function<Task<LayerPtr>()> build = [this, name, fetch = std::move(fetch), limits] {
    return make(std::string(), name, fetch, limits);
  };
  std::string key = "name:" + name;
  co_return co_await once(std::move(key), std::move(look), std::move(build));
}

fs::path LayerStore::make_partial() {
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = next_partial_++;
  }
  const fs::path path = directory_ / "partial" / std::to_string(number);
  fs::create_directories(path / "tree");
  return path;
}

Task<LayerPtr> LayerStore::make(std::string expected_digest, std::string name, Fetch fetch,
                                LayerLimits limits) {
  const PartialDirectory partial{make_partial()};
  ByteSourcePtr source = co_await fetch();
  fs::path archive = partial.path / "archive";
  const fs::path kept = archive;
  const std::string digest =
      co_await spool(std::move(source), std::move(archive), limits.archive_bytes_max);
  if (!expected_digest.empty() && digest != expected_digest) {
    throw ArchiveError(
        fmt::format("the archive's SHA-256 is {}, expected {}", digest, expected_digest));
  }
  LayerPtr layer = find(digest);  // under another name
  if (!layer) {
    const fs::path tree = partial.path / "tree";
    std::function<Unpacked()> work = [kept, tree, limits] {
      return unpack_archive(kept, tree, limits.unpacked);
    };
    const Unpacked unpacked = co_await run_on(blocking_, std::move(work));
    fs::remove(kept);
    layer = publish(partial.path, digest, unpacked);
  }
  if (!name.empty()) write_text(directory_ / "names" / sha256_hex(name), digest);
  co_return layer;
}

LayerPtr LayerStore::publish(const fs::path& partial, const std::string& digest,
                             Unpacked unpacked) {
  const JsonObject about{
      {"version", 1}, {"bytes", unpacked.bytes}, {"entries", unpacked.entries}, {"boot", boot_}};
  write_text(partial / "layer.json", dump_json(about));
  {
    std::lock_guard lock(mutex_);
    if (!layers_.contains(digest)) {
      fs::rename(partial, directory_ / "layers" / digest);
      layers_[digest] = {unpacked.bytes, {}};
    }
  }
  record_sync(digest);
  return find(digest);
}

// After the fact, so that nobody waits for the disk.
void LayerStore::record_sync(std::string digest) {
  {
    std::lock_guard lock(pending_->mutex);
    ++pending_->count;
  }
  const fs::path home = directory_ / "layers" / digest;
  blocking_.post([home, pending = pending_] {
    {
      const Fd fd(::open(home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (fd && ::syncfs(fd.get()) == 0) std::ofstream(home / "synced");
    }
    std::lock_guard lock(pending->mutex);
    --pending->count;
    pending->changed.notify_all();
  });
}

std::uint64_t LayerStore::bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& [digest, entry] : layers_) total += entry.bytes;
  return total;
}

std::size_t LayerStore::sweep(std::uint64_t bytes_max) {
  std::vector<fs::path> doomed;
  {
    std::lock_guard lock(mutex_);
    std::uint64_t total = 0;
    std::vector<std::pair<fs::file_time_type, std::string>> by_age;
    for (const auto& [digest, entry] : layers_) {
      total += entry.bytes;
      std::error_code ignored;
      by_age.emplace_back(
          fs::last_write_time(directory_ / "layers" / digest / "layer.json", ignored), digest);
    }
    std::sort(by_age.begin(), by_age.end());
    for (const auto& [used, digest] : by_age) {
      if (total <= bytes_max) break;
      if (!layers_[digest].in_use.expired()) continue;
      const fs::path out = directory_ / "partial" / std::to_string(next_partial_++);
      std::error_code error;
      fs::rename(directory_ / "layers" / digest, out, error);
      if (error) continue;
      total -= layers_[digest].bytes;
      layers_.erase(digest);
      doomed.push_back(out);
    }
  }
  for (const auto& path : doomed) remove_tree(path);
  return doomed.size();
}

}  // namespace tarn::sandbox
