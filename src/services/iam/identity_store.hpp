// SPDX-License-Identifier: Apache-2.0
// Keys, sessions and effective policies: what every request asks before anything else. Keys are
// cached in memory once read; a change of a key drops it from the cache.
//
// Thread-safe.
#pragma once
#include <mutex>
#include <unordered_map>

#include "platform/identity.hpp"
#include "platform/service.hpp"
#include "services/iam/records.hpp"

namespace tarn::iam {

class StoredIdentities : public platform::IdentityStore {
 public:
  explicit StoredIdentities(platform::Environment& environment) : environment_(environment) {}

  // Makes the root key at first start, or takes TARN_ACCESS_KEY_ID and TARN_SECRET_ACCESS_KEY.
  void start();
  platform::Credentials root_key();

  std::optional<Key> find_key(const std::string& access_key) override;
  Policies policies_of(const platform::Identity& identity) override;
  platform::Identity assume_for_service(const std::string& role_arn, const std::string& service,
                                        const std::string& session_name) override;
  platform::AssumedRole assume_role(const platform::Identity& caller,
                                    const platform::AssumeRoleRequest& request) override;
  platform::Credentials issue_session(const platform::Identity& identity,
                                      Seconds lifetime) override;

  // A new key pair of a user (empty: the root), written in the caller's transaction.
  platform::Credentials make_key(kernel::Txn& txn, const std::string& account,
                                 const std::string& user);
  void forget_key(const std::string& access_key);

 private:
  std::optional<Key> load_key(const std::string& access_key);
  std::optional<Key> load_session(const std::string& access_key);
  std::optional<RoleRecord> find_role(const std::string& role_arn);
  void add_managed(kernel::Txn& txn, const Principal& principal, Policies& policies);
  void clear_expired_sessions();

  platform::Environment& environment_;
  std::mutex mutex_;
  std::unordered_map<std::string, Key> cache_;
};

}  // namespace tarn::iam
