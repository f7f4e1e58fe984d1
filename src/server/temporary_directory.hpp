// SPDX-License-Identifier: Apache-2.0
// A directory that is gone when its owner is.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace tarn::server {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tarn-XXXXXX").string();
    if (!::mkdtemp(name.data())) {
      throw std::runtime_error(name + ": a temporary directory cannot be made");
    }
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tarn::server
