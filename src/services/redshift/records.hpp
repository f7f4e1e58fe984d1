// SPDX-License-Identifier: Apache-2.0
// Redshift's durable records.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::redshift {

struct ClusterRecord {
  static constexpr kernel::RecordKind k_kind{"redshift", "cluster", 1};
  std::string identifier, database, master_user, sealed_password;
  std::string directory;  // of its files, below the data directory: never used again
  std::string namespace_id;
  std::uint16_t port = 0;
  Timestamp created{};
  std::map<std::string, std::string> tags;
  std::vector<std::string> roles;
  std::string default_role;
  // Recorded only: nothing here changes what the engine does.
  std::string node_type, maintenance_window;
  std::int32_t nodes = 1, snapshot_days = 1;
  bool public_access = false, encrypted = true;
  auto key() const { return kernel::Key(identifier); }
  void fields(auto& f) {
    f(identifier, database, master_user, sealed_password, directory, namespace_id, port, created,
      tags, roles, default_role, node_type, maintenance_window, nodes, snapshot_days, public_access,
      encrypted);
  }
};

// A password of GetClusterCredentials.
struct TemporaryPassword {
  static constexpr kernel::RecordKind k_kind{"redshift", "temporary-password", 1};
  std::string cluster, user, id, sealed_password;
  Timestamp expires{};
  auto key() const { return kernel::Key(cluster, user, id); }
  void fields(auto& f) { f(cluster, user, id, sealed_password, expires); }
};

}  // namespace tarn::redshift
