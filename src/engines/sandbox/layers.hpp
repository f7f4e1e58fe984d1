// SPDX-License-Identifier: Apache-2.0
// Unpacked archives, kept by content: a virtual environment of 400 MB is downloaded and unpacked
// once, and then mounted read-only by every job that names it.
//
//   <directory>/layers/<sha256>/{tree/, layer.json}   whole, because renamed into place
//   <directory>/names/<sha256 of a name>              which digest a name stands for
//   <directory>/partial/                              being made; emptied at start
//
// A crash leaves at most something in `partial`. Files are not synced one by one; layers made
// during an earlier boot of the machine count only if a later sync was recorded, so a power loss
// costs a download, never a damaged layer.
//
// Threading: any thread. Fetching runs in the first caller's task, unpacking on the executor given;
// others that ask for the same layer meanwhile wait for that one. If the first caller is cancelled,
// one of the waiting takes over.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "base/task.hpp"
#include "engines/sandbox/archive.hpp"

namespace tarn::sandbox {

// A layer in use; it is not swept while this exists.
class Layer {
 public:
  Layer(std::filesystem::path tree, std::string digest, std::uint64_t bytes)
      : tree_(std::move(tree)),
        digest_(std::move(digest)),
        bytes_(bytes) {}
  const std::filesystem::path& directory() const { return tree_; }
  const std::string& digest() const { return digest_; }  // SHA-256 of the archive, lower hex
  std::uint64_t bytes() const { return bytes_; }         // unpacked

 private:
  std::filesystem::path tree_;
  std::string digest_;
  std::uint64_t bytes_;
};
using LayerPtr = std::shared_ptr<const Layer>;

struct LayerLimits {
  std::uint64_t archive_bytes_max = 10ULL << 30;
  ArchiveLimits unpacked;
};

class LayerStore {
 public:
  // Opens the archive; called only when the layer is not there.
  using Fetch = std::function<Task<ByteSourcePtr>()>;

  LayerStore(std::filesystem::path directory, Executor& blocking);
  ~LayerStore();

  // The layer of the archive with this SHA-256 (lower hex); other content is an ArchiveError.
  Task<LayerPtr> open(std::string digest, Fetch fetch, LayerLimits limits = {});
  // The layer of what `name` stands for. The name must change with the content: an object's URI
  // with its version or ETag.
  Task<LayerPtr> open_named(std::string name, Fetch fetch, LayerLimits limits = {});
  // Null when it is not there.
  LayerPtr find(const std::string& digest);

  std::uint64_t bytes() const;
  // Removes the layers used least recently until at most `bytes_max` are left; those in use stay.
  // Returns how many went.
  std::size_t sweep(std::uint64_t bytes_max);

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    std::weak_ptr<const Layer> in_use;
  };
  struct Flight {
    std::vector<OneShot<std::exception_ptr>> waiting;
  };

  void load();
  LayerPtr find_named(const std::string& name);
  Task<LayerPtr> make(std::string expected_digest, std::string name, Fetch fetch,
                      LayerLimits limits);
  Task<LayerPtr> once(std::string key, std::function<LayerPtr()> look,
                      std::function<Task<LayerPtr>()> make);
  LayerPtr publish(const std::filesystem::path& partial, const std::string& digest,
                   Unpacked unpacked);
  void finish_flight(const std::string& key, std::exception_ptr failure);
  void record_sync(std::string digest);
  std::filesystem::path make_partial();

  const std::filesystem::path directory_;
  const std::string boot_;
  Executor& blocking_;
  mutable std::mutex mutex_;
  std::uint64_t next_partial_ = 0;
  std::map<std::string, Entry> layers_;
  std::map<std::string, Flight> flights_;
  struct Pending;  // background syncs, waited for by the destructor
  std::shared_ptr<Pending> pending_;
};

}  // namespace tarn::sandbox
