// SPDX-License-Identifier: Apache-2.0
// Secrets Manager's durable records. Which versions exist and which staging label each has stands
// in the secret, so that labels move as one; the sealed values are rows of their own.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::secretsmanager {

using TagMap = std::map<std::string, std::string>;

struct VersionInfo {
  std::string id;
  Timestamp created{};
  std::optional<Timestamp> accessed;  // the day
  void fields(auto& f) { f(id, created, accessed); }
};

struct SecretRecord {
  static constexpr kernel::RecordKind k_kind{"secretsmanager", "secret", 1};
  std::string name, arn, description, kms_key, policy;
  TagMap tags;
  Timestamp created{}, changed{};
  std::optional<Timestamp> accessed;          // the day
  std::optional<Timestamp> deletion;          // when it goes for good
  std::vector<VersionInfo> versions;          // oldest first
  std::map<std::string, std::string> stages;  // staging label → version
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, arn, description, kms_key, policy, tags, created, changed, accessed, deletion, versions,
      stages);
  }
};

struct SecretValueRecord {
  static constexpr kernel::RecordKind k_kind{"secretsmanager", "value", 1};
  std::string name, version, sealed;
  bool binary = false;
  auto key() const { return kernel::Key(name, version); }
  void fields(auto& f) { f(name, version, sealed, binary); }
};

}  // namespace tarn::secretsmanager
