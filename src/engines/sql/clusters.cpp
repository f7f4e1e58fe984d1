// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/clusters.hpp"

namespace tarn::sql {

std::shared_ptr<Warehouse> Clusters::open(const std::string& cluster, WarehouseOptions options) {
  std::lock_guard lock(mutex_);
  auto& warehouse = clusters_[cluster];
  if (!warehouse) {
    if (!options.objects) options.objects = objects_;
    warehouse = std::make_shared<Warehouse>(std::move(options), query_pool_, clock_);
  }
  return warehouse;
}

std::shared_ptr<Warehouse> Clusters::find(const std::string& cluster) const {
  std::lock_guard lock(mutex_);
  const auto found = clusters_.find(cluster);
  return found == clusters_.end() ? nullptr : found->second;
}

void Clusters::close(const std::string& cluster, bool erase) {
  std::shared_ptr<Warehouse> warehouse;
  {
    std::lock_guard lock(mutex_);
    const auto found = clusters_.find(cluster);
    if (found == clusters_.end()) return;
    warehouse = std::move(found->second);
    clusters_.erase(found);
  }
  warehouse->stop();
  if (erase) std::filesystem::remove_all(warehouse->options().directory);
}

void Clusters::stop() {
  std::map<std::string, std::shared_ptr<Warehouse>> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(clusters_);
  }
  for (const auto& [name, warehouse] : all) warehouse->stop();
}

void Clusters::set_logins(LoginLookup lookup) {
  std::lock_guard lock(mutex_);
  logins_ = std::move(lookup);
}

std::optional<Login> Clusters::login(const std::string& cluster, const std::string& user,
                                     const std::string& database) const {
  LoginLookup lookup;
  {
    std::lock_guard lock(mutex_);
    lookup = logins_;
  }
  return lookup ? lookup(cluster, user, database) : std::nullopt;
}

}  // namespace tarn::sql
