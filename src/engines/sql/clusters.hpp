// SPDX-License-Identifier: Apache-2.0
// All warehouse clusters of this program, by key (account/region/identifier), and who may log in.
//
// Why: three parts meet here that must not know each other. The service that manages clusters opens
// and removes them and answers for passwords; the wire protocol and the Data API only look up.
// Thread-safe. Avoids: cluster records and their durability (the service's).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engines/sql/warehouse.hpp"

namespace tarn::sql {

// What a user may log in with, and what the session is given.
struct Login {
  std::vector<std::string> passwords;  // any of them
  SessionOptions session;              // user as the database knows it, roles, principal
};

class Clusters {
 public:
  Clusters(Executor& query_pool, Clock& clock, std::shared_ptr<ObjectStore> objects)
      : query_pool_(query_pool),
        clock_(clock),
        objects_(std::move(objects)) {}

  // Idempotent. The directory is made where it is missing; no file opens before it is used.
  std::shared_ptr<Warehouse> open(const std::string& cluster, WarehouseOptions options);
  std::shared_ptr<Warehouse> find(const std::string& cluster) const;
  // Cancels its sessions and closes its files; `erase` also removes the directory.
  void close(const std::string& cluster, bool erase);
  void stop();

  // Nothing: no such user. Set once, by the service that manages clusters.
  using LoginLookup = std::function<std::optional<Login>(
      const std::string& cluster, const std::string& user, const std::string& database)>;
  void set_logins(LoginLookup lookup);
  std::optional<Login> login(const std::string& cluster, const std::string& user,
                             const std::string& database) const;

  Executor& query_pool() const { return query_pool_; }

 private:
  Executor& query_pool_;
  Clock& clock_;
  const std::shared_ptr<ObjectStore> objects_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Warehouse>> clusters_;
  LoginLookup logins_;
};

}  // namespace tarn::sql
