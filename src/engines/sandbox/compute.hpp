// SPDX-License-Identifier: Apache-2.0
// What a server has for running jobs: one sandbox, one layer store, the base root, and a pool of
// its own for sinks, because a sink may wait for a log group that is written on another pool.
// Shared by every service that computes. It comes to life at its first use, or by `open`, so that a
// program that only lists operations needs no sandbox. Thread-safe.
#pragma once
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/pool.hpp"
#include "engines/sandbox/layers.hpp"
#include "engines/sandbox/sandbox.hpp"

namespace tarn::sandbox {

struct ComputeOptions {
  std::filesystem::path directory;              // <data>/sandbox
  std::filesystem::path root;                   // empty: default_root()
  bool allow_egress = false;                    // `tarn up --allow-egress`
  std::uint64_t layer_bytes_max = 20ULL << 30;  // unpacked; more is swept at start
};

class Compute {
  struct Parts {
    explicit Parts(const ComputeOptions& options)
        : layers(options.directory / "layers", pool),
          sandbox({options.directory / "work", {}, {}}, pool) {
      layers.sweep(options.layer_bytes_max);
    }
    ThreadPool pool{"sandbox", 16};
    LayerStore layers;
    Sandbox sandbox;  // last: its end waits for the jobs, whose sinks run on the pool
  };

 public:
  explicit Compute(ComputeOptions options) : options_(std::move(options)) {}

  // Removes what an earlier run left. Throws SandboxError, naming the remedy, where the programs
  // that it needs are missing.
  void open() { parts(); }
  Sandbox& sandbox() { return parts().sandbox; }
  LayerStore& layers() { return parts().layers; }
  // Empty where `./dev setup` has not made one: jobs then fail, saying so.
  std::filesystem::path root() const {
    return options_.root.empty() ? default_root() : options_.root;
  }
  bool allow_egress() const { return options_.allow_egress; }
  // Kills what runs and waits for its end; nothing can be used after it.
  void close() {
    std::unique_ptr<Parts> ending;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      ending = std::move(parts_);
    }
  }

 private:
  Parts& parts() {
    std::lock_guard lock(mutex_);
    if (closed_) throw SandboxError("Tarn is shutting down");
    if (!parts_) parts_ = std::make_unique<Parts>(options_);
    return *parts_;
  }

  const ComputeOptions options_;
  std::mutex mutex_;
  bool closed_ = false;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tarn::sandbox
