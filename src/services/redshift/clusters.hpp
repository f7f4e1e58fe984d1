// SPDX-License-Identifier: Apache-2.0
// The clusters that run: each a warehouse over its own files (sql::Clusters), with its own port and
// the passwords that open it. Knows nothing of AWS's wire. Thread-safe.
#pragma once
#include <optional>
#include <string>

#include "engines/sql/clusters.hpp"
#include "platform/service.hpp"
#include "services/redshift/records.hpp"

namespace tarn::redshift {

std::string cluster_key(const kernel::Scope& scope, const std::string& identifier);

class Clusters {
 public:
  Clusters(platform::Environment& environment, sql::Clusters& warehouses);

  // Listens on the record's port; on another, free one when that is 0 or taken (and says so), which
  // is the port returned: the caller stores it.
  // `fixed`: the user named the port, so that it is taken is an error.
  std::uint16_t run(const kernel::Scope& scope, const ClusterRecord& record, bool fixed = false);
  // Ends its sessions and closes its port; `erase` removes its files too.
  void stop(const kernel::Scope& scope, const ClusterRecord& record, bool erase);

  // What lets `user` in now: the master's password, or temporary ones. None: no such cluster.
  std::optional<sql::Login> login(const std::string& cluster, const std::string& user,
                                  const std::string& database) const;
  std::string seal(const std::string& cluster, const std::string& password) const;

 private:
  std::optional<ClusterRecord> record_of(const std::string& cluster, kernel::Scope& scope) const;
  std::filesystem::path directory_of(const ClusterRecord& record) const;

  platform::Environment& environment_;
  sql::Clusters& warehouses_;
};

}  // namespace tarn::redshift
