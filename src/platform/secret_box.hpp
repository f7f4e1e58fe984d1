// SPDX-License-Identifier: Apache-2.0
// Secrets at rest: AES-256-GCM under a key that stands in the data directory (`master.key`, mode
// 0600, made at first start). It keeps secrets out of backups and dumps of the store; it cannot
// protect from someone who reads the whole directory. A sealed text begins with a version byte.
// Thread-safe.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace tarn::platform {

class SecretBox {
 public:
  // Reads or makes the key; throws std::runtime_error naming the file when it is unreadable.
  SecretBox(const std::filesystem::path& data_directory, Random& random);
  // `context` binds the text to its place ("iam/access-key/AKIA…"): elsewhere it does not open.
  std::string seal(std::string_view secret, std::string_view context) const;
  // Throws std::runtime_error when it was changed, moved, or sealed under another key.
  std::string open(std::string_view sealed, std::string_view context) const;

 private:
  std::string key_;
  Random& random_;
};

}  // namespace tarn::platform
