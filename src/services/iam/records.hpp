// SPDX-License-Identifier: Apache-2.0
// IAM's durable records. Policies that belong to a principal stand inside its record: there are
// few, and a principal and its permissions then change and are read as one.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::iam {

using TagMap = std::map<std::string, std::string>;

// What users, groups and roles have in common.
struct Principal {
  std::string name, path, id, arn;
  Timestamp created{};
  TagMap tags;
  std::string boundary;                        // ARN of the permissions boundary, or empty
  std::set<std::string> attached;              // ARNs of managed policies
  std::map<std::string, std::string> inlined;  // inline policies by name
  void fields(auto& f) { f(name, path, id, arn, created, tags, boundary, attached, inlined); }
};

struct UserRecord : Principal {
  static constexpr kernel::RecordKind k_kind{"iam", "user", 1};
  std::set<std::string> groups;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    Principal::fields(f);
    f(groups);
  }
};

struct GroupRecord : Principal {
  static constexpr kernel::RecordKind k_kind{"iam", "group", 1};
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { Principal::fields(f); }
};

struct RoleRecord : Principal {
  static constexpr kernel::RecordKind k_kind{"iam", "role", 1};
  std::string trust_policy, description;
  std::int32_t session_seconds_max = 3600;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    Principal::fields(f);
    f(trust_policy, description, session_seconds_max);
  }
};

struct PolicyVersionData {
  std::int32_t number = 1;
  std::string document;
  Timestamp created{};
  void fields(auto& f) { f(number, document, created); }
};

struct PolicyRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "policy", 1};
  std::string arn, name, path, id, description;
  Timestamp created{}, updated{};
  TagMap tags;
  std::vector<PolicyVersionData> versions;
  std::int32_t default_version = 1;
  std::int32_t next_version = 2;
  auto key() const { return kernel::Key(arn); }
  void fields(auto& f) {
    f(arn, name, path, id, description, created, updated, tags, versions, default_version,
      next_version);
  }
  const PolicyVersionData* find_version(std::int32_t number) const {
    for (const auto& version : versions) {
      if (version.number == number) return &version;
    }
    return nullptr;
  }
};

struct InstanceProfileRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "instance-profile", 1};
  std::string name, path, id, arn, role;
  Timestamp created{};
  TagMap tags;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, path, id, arn, role, created, tags); }
};

// In the scope of no account: a request names its key before its account is known.
struct AccessKeyRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "access-key", 1};
  std::string id, account, user, sealed_secret;  // user empty: the account's root
  bool active = true;
  Timestamp created{};
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) { f(id, account, user, sealed_secret, active, created); }
};

// Which keys a user has, in the user's account.
struct UserKeyRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "user-key", 1};
  std::string user, id;
  auto key() const { return kernel::Key(user, id); }
  void fields(auto& f) { f(user, id); }
};

// Temporary credentials, in the scope of no account.
struct SessionRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "session", 1};
  std::string id, sealed_secret, token;
  Timestamp expires{};
  std::uint8_t identity_kind = 0;
  std::string account, arn, principal_id, role_arn, policy;
  TagMap tags;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) {
    f(id, sealed_secret, token, expires, identity_kind, account, arn, principal_id, role_arn,
      policy, tags);
  }
};

inline const kernel::Scope k_every_account{"", ""};

}  // namespace tarn::iam
