// SPDX-License-Identifier: Apache-2.0
#include "services/redshift/service.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/paging.hpp"
#include "aws/redshift/errors.hpp"
#include "base/strings.hpp"

namespace tarn::redshift {
namespace {

[[noreturn]] void throw_invalid(const std::string& message) {
  throw aws::ApiError("InvalidParameterValue", message);
}

[[noreturn]] void throw_no_cluster(const std::string& identifier) {
  throw ClusterNotFoundFault(fmt::format("Cluster {} not found.", identifier));
}

// Lower case letters, digits and single hyphens, beginning with a letter.
void check_identifier(const std::string& identifier) {
  const bool characters = std::ranges::all_of(identifier, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (identifier.empty() || identifier.size() > 63 || !characters || identifier.back() == '-' ||
      !(identifier[0] >= 'a' && identifier[0] <= 'z') ||
      identifier.find("--") != std::string::npos) {
    throw_invalid(
        "The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin with a "
        "letter; must contain only ASCII letters, digits, and hyphens; and must not end with a "
        "hyphen or contain two consecutive hyphens.");
  }
}

void check_password(const std::string& password) {
  const auto has = [&](auto test) { return std::ranges::any_of(password, test); };
  const bool fits = password.size() >= 8 && password.size() <= 64 &&
                    has([](char c) { return c >= 'A' && c <= 'Z'; }) &&
                    has([](char c) { return c >= 'a' && c <= 'z'; }) &&
                    has([](char c) { return c >= '0' && c <= '9'; });
  if (!fits) {
    throw_invalid(
        "The parameter MasterUserPassword must be between 8 and 64 characters and contain at least "
        "one uppercase letter, one lowercase letter, and one number.");
  }
  if (has([](char c) {
        return c < 33 || c > 126 || std::string_view("'\"\\/@ ").find(c) != std::string_view::npos;
      })) {
    throw_invalid(
        "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters "
        "besides '/', '@', '\"', ' ', '\\', ''' may be used.");
  }
}

template <class Tags>
std::map<std::string, std::string> tag_map(const Tags& tags) {
  std::map<std::string, std::string> map;
  for (const auto& tag : tags) map[tag.key.value_or("")] = tag.value.value_or("");
  return map;
}

std::vector<Tag> tag_list(const std::map<std::string, std::string>& tags) {
  std::vector<Tag> list;
  for (const auto& [key, value] : tags) list.push_back({.key = key, .value = value});
  return list;
}

// "arn:aws:redshift:REGION:ACCOUNT:cluster:NAME" → NAME
std::string cluster_of_arn(const std::string& arn) {
  const auto at = arn.rfind(":cluster:");
  if (at == std::string::npos) {
    throw ResourceNotFoundFault(fmt::format("The resource {} was not found.", arn));
  }
  return arn.substr(at + 9);
}

std::string cluster_arn(const platform::Call& call, const std::string& identifier) {
  return fmt::format("arn:aws:redshift:{}:{}:cluster:{}", call.region(), call.account(),
                     identifier);
}

void refuse_unsupported(const CreateClusterInput& in) {
  const auto refuse = [](const char* what) {
    throw aws::not_implemented("redshift", fmt::format("CreateCluster with {}", what));
  };
  if (in.manage_master_password.value_or(false)) refuse("ManageMasterPassword");
  if (in.hsm_client_certificate_identifier) refuse("HsmClientCertificateIdentifier");
  if (in.load_sample_data) refuse("LoadSampleData");
  if (in.multi_az.value_or(false)) refuse("MultiAZ");
  if (in.redshift_idc_application_arn) refuse("RedshiftIdcApplicationArn");
  if (in.snapshot_schedule_identifier) refuse("SnapshotScheduleIdentifier");
}

ClusterRecord require_cluster(kernel::Txn& txn, const std::string& identifier) {
  auto record = txn.find_for_update<ClusterRecord>(to_lower(identifier));
  if (!record) throw_no_cluster(identifier);
  return *std::move(record);
}

}  // namespace

Redshift::Redshift(platform::Environment& environment, sql::Clusters& warehouses,
                   std::uint16_t default_port)
    : environment_(environment),
      store_(environment.store),
      default_port_(default_port),
      clusters_(environment, warehouses) {}

void Redshift::operations(platform::OpTable& t) {
  const auto arn = [](Call& call, const auto& in) {
    return cluster_arn(call, in.cluster_identifier);
  };
  const auto db_user = [](Call& call, const GetClusterCredentialsInput& in) {
    return std::vector<std::string>{fmt::format("arn:aws:redshift:{}:{}:dbuser:{}/{}",
                                                call.region(), call.account(),
                                                in.cluster_identifier.value_or("*"), in.db_user)};
  };
  const auto named = [](Call&, const auto& in) { return in.resource_name; };
  constexpr auto k_self = "redshift.amazonaws.com";
  t.op<CreateCluster>(&Redshift::create_cluster)
      .on(arn)
      .passes_role(k_self,
                   [](Call&, const CreateClusterInput& in) {
                     return in.iam_roles.value_or(std::vector<std::string>());
                   })
      .partial("node types, maintenance, snapshots, networks and encryption are recorded only");
  t.op<DescribeClusters>(&Redshift::describe_clusters);
  t.op<ModifyCluster>(&Redshift::modify_cluster)
      .on(arn)
      .partial("password and port take effect; sizes and maintenance are recorded only");
  t.op<ModifyClusterIamRoles>(&Redshift::modify_cluster_iam_roles)
      .on(arn)
      .passes_role(k_self, [](Call&, const ModifyClusterIamRolesInput& in) {
        return in.add_iam_roles.value_or(std::vector<std::string>());
      });
  t.op<DeleteCluster>(&Redshift::delete_cluster).on(arn);
  t.op<RebootCluster>(&Redshift::reboot_cluster).on(arn);
  t.op<GetClusterCredentials>(&Redshift::get_cluster_credentials).on(db_user);
  t.op<CreateTags>(&Redshift::create_tags).on(named);
  t.op<DeleteTags>(&Redshift::delete_tags).on(named);
  t.op<DescribeTags>(&Redshift::describe_tags);
}

void Redshift::start() {
  ensure_default_warehouse();
  std::vector<std::pair<kernel::Scope, ClusterRecord>> all;
  store_.scan_all(ClusterRecord::k_kind,
                  [&](const kernel::Scope& scope, const std::string&, std::string_view value) {
                    all.emplace_back(scope, kernel::decode_record<ClusterRecord>(value));
                    return true;
                  });
  for (auto& [scope, record] : all) {
    // The command line decides the default warehouse's port anew at each start.
    if (scope == default_scope() && record.identifier == k_default_cluster) {
      record.port = default_port_;
    }
    run_and_store(scope, std::move(record));
  }
}

void Redshift::ensure_default_warehouse() {
  const auto scope = default_scope();
  store_.transact(scope, [&](kernel::Txn& txn) {
    if (txn.find_for_update<ClusterRecord>(k_default_cluster)) return;
    ClusterRecord record;
    record.identifier = k_default_cluster;
    record.database = "dev";
    record.master_user = k_default_user;
    const std::string password =
        "T1" + environment_.random.text(22, "abcdefghijklmnopqrstuvwxyz0123456789");
    record.sealed_password = clusters_.seal(cluster_key(scope, record.identifier), password);
    record.directory = environment_.random.uuid();
    record.namespace_id = environment_.random.uuid();
    record.created = environment_.clock.now();
    record.node_type = "ra3.large";
    txn.put(record);
  });
}

Redshift::Default Redshift::default_warehouse() {
  auto txn = store_.begin(default_scope());
  const auto record = txn.peek<ClusterRecord>(k_default_cluster);
  if (!record) return {};
  const auto login = clusters_.login(cluster_key(default_scope(), k_default_cluster),
                                     record->master_user, record->database);
  return {record->port, record->master_user, login->passwords.front(), record->database};
}

void Redshift::run_and_store(const kernel::Scope& scope, ClusterRecord record) {
  const bool is_default = scope == default_scope() && record.identifier == k_default_cluster;
  const std::uint16_t port = clusters_.run(scope, record, is_default && default_port_ != 0);
  if (port == record.port && port != default_port_) return;
  store_.transact(scope, [&](kernel::Txn& txn) {
    auto stored = txn.find_for_update<ClusterRecord>(record.identifier);
    if (!stored) return;
    stored->port = port;
    txn.put(*stored);
  });
}

Cluster Redshift::shown(const Call& call, const ClusterRecord& record,
                        const std::string& status) const {
  Cluster cluster;
  cluster.cluster_identifier = record.identifier;
  cluster.node_type = record.node_type;
  cluster.cluster_status = status;
  cluster.cluster_availability_status = status == "available" ? "Available" : "Modifying";
  cluster.master_username = record.master_user;
  cluster.db_name = record.database;
  const bool everywhere = environment_.host == "0.0.0.0";
  cluster.endpoint =
      Endpoint{.address = everywhere ? "127.0.0.1" : environment_.host, .port = record.port};
  cluster.cluster_create_time = record.created;
  cluster.automated_snapshot_retention_period = record.snapshot_days;
  cluster.preferred_maintenance_window = record.maintenance_window;
  cluster.cluster_version = "1.0";
  cluster.number_of_nodes = record.nodes;
  cluster.publicly_accessible = record.public_access;
  cluster.encrypted = record.encrypted;
  cluster.cluster_namespace_arn = fmt::format("arn:aws:redshift:{}:{}:namespace:{}", call.region(),
                                              call.account(), record.namespace_id);
  cluster.tags = tag_list(record.tags);
  cluster.iam_roles.emplace();
  for (const auto& role : record.roles) {
    cluster.iam_roles->push_back({.iam_role_arn = role, .apply_status = "in-sync"});
  }
  if (!record.default_role.empty()) cluster.default_iam_role_arn = record.default_role;
  return cluster;
}

CreateClusterOutput Redshift::create_cluster(Call& call, const CreateClusterInput& in) {
  refuse_unsupported(in);
  ClusterRecord record;
  record.identifier = to_lower(in.cluster_identifier);
  check_identifier(record.identifier);
  if (!in.master_user_password) {
    throw aws::ApiError("InvalidParameterCombination",
                        "You must specify MasterUserPassword or ManageMasterPassword.");
  }
  check_password(*in.master_user_password);
  record.node_type = in.node_type;
  const bool single = in.cluster_type.value_or("multi-node") == "single-node";
  record.nodes = single ? 1 : in.number_of_nodes.value_or(1);
  if (!single && in.cluster_type && record.nodes < 2) {
    throw aws::ApiError("InvalidParameterCombination",
                        "Number of nodes for cluster type multi-node must be greater than or equal "
                        "to 2");
  }
  record.database = to_lower(in.db_name.value_or("dev"));
  record.master_user = in.master_username;
  record.port = static_cast<std::uint16_t>(in.port.value_or(0));
  record.created = call.now();
  record.directory = environment_.random.uuid();
  record.namespace_id = environment_.random.uuid();
  if (in.tags) record.tags = tag_map(*in.tags);
  record.roles = in.iam_roles.value_or(std::vector<std::string>{});
  record.default_role = in.default_iam_role_arn.value_or("");
  record.maintenance_window = in.preferred_maintenance_window.value_or("sun:06:30-sun:07:00");
  record.snapshot_days = in.automated_snapshot_retention_period.value_or(1);
  record.public_access = in.publicly_accessible.value_or(false);
  record.encrypted = in.encrypted.value_or(true);
  record.sealed_password =
      clusters_.seal(cluster_key(call.scope(), record.identifier), *in.master_user_password);
  auto txn = store_.begin(call.scope());
  if (txn.find_for_update<ClusterRecord>(record.identifier)) {
    throw ClusterAlreadyExistsFault("Cluster already exists");
  }
  txn.put(record);
  txn.commit();
  run_and_store(call.scope(), record);
  auto reading = store_.begin(call.scope());
  // AWS answers "creating"; whoever asks next sees it available, because it is.
  return {.cluster = shown(call, *reading.peek<ClusterRecord>(record.identifier), "creating")};
}

DescribeClustersOutput Redshift::describe_clusters(Call& call, const DescribeClustersInput& in) {
  auto txn = store_.begin(call.scope());
  DescribeClustersOutput out;
  out.clusters.emplace();
  if (in.cluster_identifier) {
    const auto record = txn.peek<ClusterRecord>(to_lower(*in.cluster_identifier));
    if (!record) throw_no_cluster(*in.cluster_identifier);
    out.clusters->push_back(shown(call, *record, "available"));
    return out;
  }
  std::string after;
  if (in.marker) {
    const auto key = aws::decode_page_token("DescribeClusters", *in.marker);
    if (!key) throw_invalid("Invalid marker: " + *in.marker);
    after = *key;
  }
  const auto max = static_cast<std::size_t>(in.max_records.value_or(100));
  const auto wanted = [&](const ClusterRecord& record) {
    const auto any = [&](const auto& list, auto matches) {
      return !list || list->empty() || std::ranges::any_of(*list, matches);
    };
    return any(in.tag_keys, [&](const auto& key) { return record.tags.contains(key); }) &&
           any(in.tag_values, [&](const auto& value) {
             return std::ranges::any_of(record.tags,
                                        [&](auto& tag) { return tag.second == value; });
           });
  };
  for (const auto& record : txn.list<ClusterRecord>()) {
    if (record.identifier <= after || !wanted(record)) continue;
    if (out.clusters->size() == max) {
      out.marker =
          aws::encode_page_token("DescribeClusters", *out.clusters->back().cluster_identifier);
      break;
    }
    out.clusters->push_back(shown(call, record, "available"));
  }
  return out;
}

ModifyClusterOutput Redshift::modify_cluster(Call& call, const ModifyClusterInput& in) {
  if (in.new_cluster_identifier) {
    throw aws::not_implemented("redshift", "ModifyCluster with NewClusterIdentifier");
  }
  if (in.manage_master_password.value_or(false)) {
    throw aws::not_implemented("redshift", "ModifyCluster with ManageMasterPassword");
  }
  auto txn = store_.begin(call.scope());
  auto record = require_cluster(txn, in.cluster_identifier);
  if (in.master_user_password) {
    check_password(*in.master_user_password);
    record.sealed_password =
        clusters_.seal(cluster_key(call.scope(), record.identifier), *in.master_user_password);
  }
  if (in.node_type) record.node_type = *in.node_type;
  if (in.number_of_nodes) record.nodes = *in.number_of_nodes;
  if (in.cluster_type == "single-node") record.nodes = 1;
  if (in.preferred_maintenance_window) record.maintenance_window = *in.preferred_maintenance_window;
  if (in.automated_snapshot_retention_period) {
    record.snapshot_days = *in.automated_snapshot_retention_period;
  }
  if (in.publicly_accessible) record.public_access = *in.publicly_accessible;
  if (in.encrypted) record.encrypted = *in.encrypted;
  const bool moved = in.port && *in.port != record.port;
  if (moved) record.port = static_cast<std::uint16_t>(*in.port);
  txn.put(record);
  txn.commit();
  if (moved) {
    clusters_.stop(call.scope(), record, false);
    run_and_store(call.scope(), record);
  }
  auto reading = store_.begin(call.scope());
  return {.cluster = shown(call, *reading.peek<ClusterRecord>(record.identifier), "available")};
}

ModifyClusterIamRolesOutput Redshift::modify_cluster_iam_roles(
    Call& call, const ModifyClusterIamRolesInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_cluster(txn, in.cluster_identifier);
  std::set<std::string> roles(record.roles.begin(), record.roles.end());
  if (in.add_iam_roles) roles.insert(in.add_iam_roles->begin(), in.add_iam_roles->end());
  if (in.remove_iam_roles) {
    for (const auto& role : *in.remove_iam_roles) roles.erase(role);
  }
  record.roles.assign(roles.begin(), roles.end());
  if (in.default_iam_role_arn) record.default_role = *in.default_iam_role_arn;
  txn.put(record);
  txn.commit();
  return {.cluster = shown(call, record, "available")};
}

DeleteClusterOutput Redshift::delete_cluster(Call& call, const DeleteClusterInput& in) {
  if (in.final_cluster_snapshot_identifier) {
    throw aws::not_implemented("redshift", "DeleteCluster with FinalClusterSnapshotIdentifier");
  }
  if (!in.skip_final_cluster_snapshot.value_or(false)) {
    throw aws::ApiError("InvalidParameterCombination",
                        "FinalClusterSnapshotIdentifier is required unless "
                        "SkipFinalClusterSnapshot is specified.");
  }
  auto txn = store_.begin(call.scope());
  const auto record = require_cluster(txn, in.cluster_identifier);
  for (const auto& made : txn.list<TemporaryPassword>(kernel::Key(record.identifier))) {
    txn.erase<TemporaryPassword>(made.cluster, made.user, made.id);
  }
  txn.erase<ClusterRecord>(record.identifier);
  txn.commit();
  clusters_.stop(call.scope(), record, true);
  return {.cluster = shown(call, record, "deleting")};
}

RebootClusterOutput Redshift::reboot_cluster(Call& call, const RebootClusterInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_cluster(txn, in.cluster_identifier);
  clusters_.stop(call.scope(), record, false);
  const std::uint16_t port = clusters_.run(call.scope(), record);
  if (port != record.port) {  // somebody else took the port meanwhile
    record.port = port;
    txn.put(record);
    txn.commit();
  }
  return {.cluster = shown(call, record, "rebooting")};
}

GetClusterCredentialsOutput Redshift::get_cluster_credentials(
    Call& call, const GetClusterCredentialsInput& in) {
  const auto seconds = in.duration_seconds.value_or(900);
  if (seconds < 900 || seconds > 3600) {
    throw_invalid("The value of parameter DurationSeconds must be between 900 and 3600.");
  }
  auto txn = store_.begin(call.scope());
  const auto record = require_cluster(txn, in.cluster_identifier.value_or(""));
  TemporaryPassword made;
  made.cluster = record.identifier;
  made.user = (in.auto_create.value_or(false) ? "IAMA:" : "IAM:") + in.db_user;
  made.id = environment_.random.ulid(call.now());
  made.expires = call.now() + Seconds(seconds);
  const std::string password = environment_.random.text(
      64, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+");
  made.sealed_password = clusters_.seal(cluster_key(call.scope(), record.identifier), password);
  for (const auto& old : txn.list<TemporaryPassword>(kernel::Key(record.identifier, made.user))) {
    if (old.expires < call.now()) txn.erase<TemporaryPassword>(old.cluster, old.user, old.id);
  }
  txn.put(made);
  txn.commit();
  return {.db_user = made.user, .db_password = password, .expiration = made.expires};
}

CreateTagsOutput Redshift::create_tags(Call& call, const CreateTagsInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_cluster(txn, cluster_of_arn(in.resource_name));
  for (const auto& [key, value] : tag_map(in.tags)) record.tags[key] = value;
  if (record.tags.size() > 50) {
    throw TagLimitExceededFault("You have exceeded the number of tags allowed.");
  }
  txn.put(record);
  txn.commit();
  return {};
}

DeleteTagsOutput Redshift::delete_tags(Call& call, const DeleteTagsInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_cluster(txn, cluster_of_arn(in.resource_name));
  for (const auto& key : in.tag_keys) record.tags.erase(key);
  txn.put(record);
  txn.commit();
  return {};
}

DescribeTagsOutput Redshift::describe_tags(Call& call, const DescribeTagsInput& in) {
  auto txn = store_.begin(call.scope());
  DescribeTagsOutput out;
  out.tagged_resources.emplace();
  if (in.resource_type && to_lower(*in.resource_type) != "cluster") return out;
  for (const auto& record : txn.list<ClusterRecord>()) {
    const std::string arn = cluster_arn(call, record.identifier);
    if (in.resource_name && *in.resource_name != arn) continue;
    for (const auto& [key, value] : record.tags) {
      out.tagged_resources->push_back({.tag = Tag{.key = key, .value = value},
                                       .resource_name = arn,
                                       .resource_type = "cluster"});
    }
  }
  return out;
}

}  // namespace tarn::redshift
