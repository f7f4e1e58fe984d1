// SPDX-License-Identifier: Apache-2.0
// What a test of durable code needs: a manual clock, seeded ids, a pool, and a store in memory or
// in a temporary directory that can be closed and opened again. For one test thread.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/pool.hpp"
#include "kernel/bus.hpp"
#include "kernel/store.hpp"

namespace tarn::kernel::testing {

// Removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tarn-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot create " + pattern);
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

enum class Medium { memory, disk };

class House {
 public:
  explicit House(Medium medium = Medium::memory) : medium_(medium) { open(); }
  // Everything that lives on the store must be gone.
  void reopen() {
    store_.reset();
    open();
  }
  Store& store() { return *store_; }
  const std::filesystem::path& directory() const { return directory_.path(); }

  ManualClock clock;
  SeededRandom random{1};
  ThreadPool pool{"test", 4};

 private:
  void open() {
    StoreOptions options;
    options.directory = directory_.path() / "store";
    options.in_memory = medium_ == Medium::memory;
    store_ = std::make_unique<Store>(options, clock, random);
  }
  const Medium medium_;
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

}  // namespace tarn::kernel::testing
