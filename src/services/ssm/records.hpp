// SPDX-License-Identifier: Apache-2.0
// Parameter Store's durable records. The current version stands inside the parameter, so that a
// listing is one scan; superseded versions are rows of their own. Labels belong to the parameter:
// a label names one version at a time.
#pragma once
#include <map>
#include <string>

#include "kernel/record.hpp"

namespace tarn::ssm {

using TagMap = std::map<std::string, std::string>;

// One version. The value of a SecureString is sealed (platform::SecretBox).
struct VersionData {
  std::int64_t number = 1;
  std::string type, value, key_id, description, allowed_pattern;
  std::string tier = "Standard", data_type = "text";
  Timestamp modified{};
  std::string modified_by;
  void fields(auto& f) {
    f(number, type, value, key_id, description, allowed_pattern, tier, data_type, modified,
      modified_by);
  }
};

struct ParameterRecord {
  static constexpr kernel::RecordKind k_kind{"ssm", "parameter", 1};
  std::string name;
  VersionData current;
  TagMap tags;
  std::map<std::string, std::int64_t> labels;  // label → version
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, current, tags, labels); }
};

struct FormerVersionRecord {
  static constexpr kernel::RecordKind k_kind{"ssm", "former-version", 1};
  std::string name;
  VersionData version;
  auto key() const { return kernel::Key(name, version.number); }
  void fields(auto& f) { f(name, version); }
};

}  // namespace tarn::ssm
