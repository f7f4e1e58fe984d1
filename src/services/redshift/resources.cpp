// SPDX-License-Identifier: Apache-2.0
// AWS::Redshift::Cluster.
#include "aws/redshift/errors.hpp"
#include "platform/operation_resource.hpp"
#include "services/redshift/service.hpp"

namespace tarn::redshift {
namespace {

using platform::ResourceRequest;

std::optional<std::string> text(const Json& properties, std::string_view name) {
  return find_string(properties, name);
}

std::optional<bool> flag(const Json& properties, std::string_view name) {
  const Json* value = find_member(properties, name);
  if (!value) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  return value->is_string() && json_text(value->get_string()) == "true";
}

std::optional<std::int32_t> number(const Json& properties, std::string_view name) {
  const Json* value = find_member(properties, name);
  if (!value) return std::nullopt;
  if (value->is_string()) return std::stoi(std::string(json_text(value->get_string())));
  return value->to_number<std::int32_t>();
}

class ClusterType : public platform::OperationResource {
 public:
  ClusterType()
      : OperationResource(
            {.name = "AWS::Redshift::Cluster",
             .properties = {"ClusterIdentifier", "ClusterType", "NodeType", "NumberOfNodes",
                            "DBName", "MasterUsername", "MasterUserPassword", "Port", "IamRoles",
                            "PubliclyAccessible", "Encrypted", "AutomatedSnapshotRetentionPeriod",
                            "PreferredMaintenanceWindow", "Tags"},
             .replacing = {"ClusterIdentifier", "DBName", "MasterUsername"},
             .required = {"ClusterType", "NodeType", "DBName", "MasterUsername"},
             .name_property = "ClusterIdentifier",
             .name_length_max = 63,
             .lower_case = true,
             .exists = {"ClusterAlreadyExists", "ClusterAlreadyExistsFault"},
             .gone = {"ClusterNotFound", "ClusterNotFoundFault"}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    const Json& p = request.properties;
    CreateClusterInput in;
    in.cluster_identifier = request.physical_id;
    in.node_type = string_or(p, "NodeType");
    in.master_username = string_or(p, "MasterUsername");
    in.master_user_password = text(p, "MasterUserPassword");
    in.db_name = text(p, "DBName");
    in.cluster_type = text(p, "ClusterType");
    in.number_of_nodes = number(p, "NumberOfNodes");
    in.port = number(p, "Port");
    in.publicly_accessible = flag(p, "PubliclyAccessible");
    in.encrypted = flag(p, "Encrypted");
    in.automated_snapshot_retention_period = number(p, "AutomatedSnapshotRetentionPeriod");
    in.preferred_maintenance_window = text(p, "PreferredMaintenanceWindow");
    in.iam_roles = platform::text_list(p, "IamRoles");
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateCluster>(std::move(in));
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.is_null()) co_await change(request);
    DescribeClustersInput ask;
    ask.cluster_identifier = request.physical_id;
    const auto out = co_await request.call->invoke<DescribeClusters>(std::move(ask));
    const Cluster& cluster = out.clusters->front();
    JsonObject attributes;
    attributes["Id"] = request.physical_id;
    attributes["Endpoint.Address"] = *cluster.endpoint->address;
    attributes["Endpoint.Port"] = std::to_string(*cluster.endpoint->port);
    attributes["ClusterNamespaceArn"] = cluster.cluster_namespace_arn.value_or("");
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteClusterInput in;
    in.cluster_identifier = request.physical_id;
    in.skip_final_cluster_snapshot = true;
    co_await request.call->invoke<DeleteCluster>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    DescribeClustersInput ask;
    ask.cluster_identifier = request.physical_id;
    const auto out = co_await request.call->invoke<DescribeClusters>(std::move(ask));
    platform::ResourceTags tags;
    for (const auto& tag : *out.clusters->front().tags) {
      tags[tag.key.value_or("")] = tag.value.value_or("");
    }
    co_return platform::are_our_tags(tags, request);
  }

 private:
  static Task<void> change(const ResourceRequest& request) {
    const Json& p = request.properties;
    ModifyClusterInput in;
    in.cluster_identifier = request.physical_id;
    if (text(p, "MasterUserPassword") != text(request.previous_properties, "MasterUserPassword")) {
      in.master_user_password = text(p, "MasterUserPassword");
    }
    in.node_type = text(p, "NodeType");
    in.cluster_type = text(p, "ClusterType");
    in.number_of_nodes = number(p, "NumberOfNodes");
    in.publicly_accessible = flag(p, "PubliclyAccessible");
    in.encrypted = flag(p, "Encrypted");
    in.port = number(p, "Port");
    in.automated_snapshot_retention_period = number(p, "AutomatedSnapshotRetentionPeriod");
    in.preferred_maintenance_window = text(p, "PreferredMaintenanceWindow");
    co_await request.call->invoke<ModifyCluster>(std::move(in));
    const auto wanted = platform::text_list(p, "IamRoles");
    const auto before = platform::text_list(request.previous_properties, "IamRoles");
    ModifyClusterIamRolesInput roles;
    roles.cluster_identifier = request.physical_id;
    roles.add_iam_roles = platform::missing_from(before, wanted);
    roles.remove_iam_roles = platform::missing_from(wanted, before);
    if (!roles.add_iam_roles->empty() || !roles.remove_iam_roles->empty()) {
      co_await request.call->invoke<ModifyClusterIamRoles>(std::move(roles));
    }
  }
};

}  // namespace

void Redshift::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<ClusterType>());
}

}  // namespace tarn::redshift
