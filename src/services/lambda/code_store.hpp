// SPDX-License-Identifier: Apache-2.0
// Deployment packages: zip files by their SHA-256, durable before anything names them. Functions
// and layers with equal content share one file; one that no record names is removed by `sweep`.
//
// Threading: any thread; blocking on the disk.
#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace tarn::lambda {

class CodeStore {
 public:
  explicit CodeStore(std::filesystem::path directory);
  // Returns the digest, lower hex.
  std::string put(std::string_view zip);
  bool has(const std::string& digest) const;
  ByteSourcePtr open(const std::string& digest) const;
  void sweep(const std::set<std::string>& named);

 private:
  std::filesystem::path file_of(const std::string& digest) const;
  const std::filesystem::path directory_;
};

}  // namespace tarn::lambda
