// SPDX-License-Identifier: Apache-2.0
// Clusters: names under which tasks run.
#include <algorithm>

#include "aws/codec.hpp"
#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"
#include "services/ecs/names.hpp"
#include "services/ecs/service.hpp"

namespace tarn::ecs {
namespace {

template <class T>
Json json_of(const std::optional<T>& value) {
  return value ? aws::encode_json(aws::shape_of<T>(), &*value) : Json();
}

template <class T>
Json json_list(const std::optional<std::vector<T>>& values) {
  if (!values) return {};
  JsonArray list;
  for (const auto& value : *values) list.push_back(aws::encode_json(aws::shape_of<T>(), &value));
  return list;
}

template <class T>
std::optional<std::vector<T>> list_of(const Json& json) {
  if (!json.is_array()) return std::nullopt;
  std::vector<T> values;
  for (const Json& item : json.get_array()) {
    aws::decode_json(aws::shape_of<T>(), item, &values.emplace_back());
  }
  return values;
}

bool asks_for(const std::optional<std::vector<std::string>>& include, std::string_view what) {
  return include && std::find(include->begin(), include->end(), what) != include->end();
}

}  // namespace

void Ecs::cluster_operations(platform::OpTable& t) {
  const auto cluster = [](Call& call, const auto& in) {
    return cluster_arn(call.scope(), cluster_name(in.cluster));
  };
  t.op<CreateCluster>(&Ecs::create_cluster).partial("settings and configuration are recorded only");
  t.op<DescribeClusters>(&Ecs::describe_clusters);
  t.op<ListClusters>(&Ecs::list_clusters);
  t.op<DeleteCluster>(&Ecs::delete_cluster).on(cluster);
  t.op<UpdateCluster>(&Ecs::update_cluster)
      .on(cluster)
      .partial("settings and configuration are recorded only");
  t.op<PutClusterCapacityProviders>(&Ecs::put_capacity_providers)
      .on(cluster)
      .partial("all providers run tasks in sandboxes");
}

Cluster Ecs::shown_cluster(Txn& txn, const ClusterRecord& cluster, bool with_tags) {
  Cluster out;
  out.cluster_arn = cluster_arn(txn.scope(), cluster.name);
  out.cluster_name = cluster.name;
  out.status = "ACTIVE";
  out.registered_container_instances_count = 0;
  out.active_services_count = 0;
  out.running_tasks_count = 0;
  out.pending_tasks_count = 0;
  for (const auto& task : txn.list<TaskRecord>(kernel::Key(cluster.name))) {
    if (task.last_status == "RUNNING")
      ++*out.running_tasks_count;
    else if (task.last_status != "STOPPED")
      ++*out.pending_tasks_count;
  }
  out.statistics = std::vector<KeyValuePair>();
  out.settings = list_of<ClusterSetting>(cluster.settings).value_or(std::vector<ClusterSetting>());
  out.capacity_providers = cluster.capacity_providers;
  out.default_capacity_provider_strategy =
      list_of<CapacityProviderStrategyItem>(cluster.default_strategy)
          .value_or(std::vector<CapacityProviderStrategyItem>());
  if (cluster.configuration.is_object()) {
    aws::decode_json(aws::shape_of<ClusterConfiguration>(), cluster.configuration,
                     &out.configuration.emplace());
  }
  out.tags = with_tags ? tag_list(cluster.tags) : std::vector<Tag>();
  return out;
}

CreateClusterOutput Ecs::create_cluster(Call& call, const CreateClusterInput& in) {
  const std::string name = cluster_name(in.cluster_name);
  auto txn = store_.begin(call.scope());
  auto cluster = txn.find_for_update<ClusterRecord>(name);
  if (!cluster) {  // an existing one is a success, as in AWS
    cluster = ClusterRecord{name,
                            tag_map(in.tags),
                            json_list(in.settings),
                            json_of(in.configuration),
                            json_list(in.default_capacity_provider_strategy),
                            in.capacity_providers.value_or(std::vector<std::string>())};
    txn.put(*cluster);
  }
  CreateClusterOutput out{.cluster = shown_cluster(txn, *cluster, true)};
  txn.commit();
  return out;
}

DescribeClustersOutput Ecs::describe_clusters(Call& call, const DescribeClustersInput& in) {
  auto txn = store_.begin(call.scope());
  DescribeClustersOutput out{.clusters = std::vector<Cluster>(),
                             .failures = std::vector<Failure>()};
  const auto names = in.clusters.value_or(std::vector<std::string>{"default"});
  for (const auto& text : names) {
    const std::string name = cluster_name(text);
    const auto cluster = txn.find<ClusterRecord>(name);
    if (cluster) {
      out.clusters->push_back(shown_cluster(txn, *cluster, asks_for(in.include, "TAGS")));
    } else {
      out.failures->push_back({.arn = cluster_arn(call.scope(), name), .reason = "MISSING"});
    }
  }
  return out;
}

ListClustersOutput Ecs::list_clusters(Call& call, const ListClustersInput& in) {
  auto txn = store_.begin(call.scope());
  kernel::ScanOptions options;
  if (in.next_token) options.after = from_base64(*in.next_token).value_or("");
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(100));
  ListClustersOutput out{.cluster_arns = std::vector<std::string>()};
  std::string last;
  txn.scan<ClusterRecord>({}, options, [&](ClusterRecord& cluster, const std::string& key) {
    if (out.cluster_arns->size() == limit) {
      out.next_token = to_base64(last);
      return false;
    }
    out.cluster_arns->push_back(cluster_arn(call.scope(), cluster.name));
    last = key;
    return true;
  });
  return out;
}

DeleteClusterOutput Ecs::delete_cluster(Call& call, const DeleteClusterInput& in) {
  auto txn = store_.begin(call.scope());
  const auto cluster = txn.find_for_update<ClusterRecord>(cluster_name(in.cluster));
  if (!cluster) throw ClusterNotFoundException("Cluster not found.");
  const auto tasks = txn.list<TaskRecord>(kernel::Key(cluster->name));
  for (const auto& task : tasks) {
    if (task.last_status == "STOPPED") continue;
    throw ClusterContainsTasksException("The Cluster cannot be deleted while Tasks are active.");
  }
  DeleteClusterOutput out{.cluster = shown_cluster(txn, *cluster, false)};
  out.cluster->status = "INACTIVE";
  for (const auto& task : tasks) txn.erase<TaskRecord>(task.cluster, task.id);
  for (const auto& token : txn.list<TokenRecord>(kernel::Key(cluster->name))) {
    txn.erase<TokenRecord>(token.cluster, token.token);
  }
  txn.erase<ClusterRecord>(cluster->name);
  txn.commit();
  return out;
}

UpdateClusterOutput Ecs::update_cluster(Call& call, const UpdateClusterInput& in) {
  auto txn = store_.begin(call.scope());
  auto cluster = txn.find_for_update<ClusterRecord>(cluster_name(in.cluster));
  if (!cluster) throw ClusterNotFoundException("Cluster not found.");
  if (in.settings) cluster->settings = json_list(in.settings);
  if (in.configuration) cluster->configuration = json_of(in.configuration);
  txn.put(*cluster);
  UpdateClusterOutput out{.cluster = shown_cluster(txn, *cluster, true)};
  txn.commit();
  return out;
}

PutClusterCapacityProvidersOutput Ecs::put_capacity_providers(
    Call& call, const PutClusterCapacityProvidersInput& in) {
  for (const auto& provider : in.capacity_providers) {
    if (provider == "FARGATE" || provider == "FARGATE_SPOT") continue;
    throw InvalidParameterException("The specified capacity provider '" + provider +
                                    "' was not found. Specify a valid capacity provider and try "
                                    "again.");
  }
  auto txn = store_.begin(call.scope());
  auto cluster = txn.find_for_update<ClusterRecord>(cluster_name(in.cluster));
  if (!cluster) throw ClusterNotFoundException("Cluster not found.");
  cluster->capacity_providers = in.capacity_providers;
  cluster->default_strategy = json_list(std::optional(in.default_capacity_provider_strategy));
  txn.put(*cluster);
  PutClusterCapacityProvidersOutput out{.cluster = shown_cluster(txn, *cluster, true)};
  txn.commit();
  return out;
}

}  // namespace tarn::ecs
