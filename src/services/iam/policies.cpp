// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principals.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

constexpr std::size_t k_versions_max = 5;

std::string version_id(std::int32_t number) { return "v" + std::to_string(number); }

// How many principals have a policy attached, and how many are bounded by it.
struct Usage {
  std::int32_t attached = 0, bounds = 0;
};
using Usages = std::map<std::string, Usage>;

Usages count_usages(kernel::Txn& txn) {
  Usages usages;
  const auto count = [&](const auto& principals) {
    for (const Principal& principal : principals) {
      for (const auto& arn : principal.attached) ++usages[arn].attached;
      if (!principal.boundary.empty()) ++usages[principal.boundary].bounds;
    }
  };
  count(txn.list<UserRecord>());
  count(txn.list<GroupRecord>());
  count(txn.list<RoleRecord>());
  return usages;
}

Policy shown(const PolicyRecord& record, const Usage& usage) {
  Policy policy{.policy_name = record.name,
                .policy_id = record.id,
                .arn = record.arn,
                .path = record.path,
                .default_version_id = version_id(record.default_version),
                .attachment_count = usage.attached,
                .permissions_boundary_usage_count = usage.bounds,
                .is_attachable = true,
                .create_date = record.created,
                .update_date = record.updated};
  if (!record.description.empty()) policy.description = record.description;
  if (!record.tags.empty()) policy.tags = tag_list<Tag>(record.tags);
  return policy;
}

PolicyVersion shown(const PolicyRecord& record, const PolicyVersionData& version,
                    bool with_document) {
  PolicyVersion out{.version_id = version_id(version.number),
                    .is_default_version = version.number == record.default_version,
                    .create_date = version.created};
  if (with_document) out.document = encoded_document(version.document);
  return out;
}

// A record for what AWS provides, so that reading knows one form only.
PolicyRecord as_record(const AwsManagedPolicy& policy) {
  PolicyRecord record;
  record.arn = policy.arn;
  record.name = policy_name_of(record.arn);
  record.path = policy_path_of(record.arn);
  record.id = "ANPA" + to_upper(record.name).substr(0, 17);
  record.versions.push_back({.number = 1, .document = std::string(policy.document)});
  return record;
}

std::optional<PolicyRecord> find_any(kernel::Txn& txn, const std::string& arn) {
  if (const auto* managed = find_aws_managed_policy(arn)) return as_record(*managed);
  return txn.peek<PolicyRecord>(arn);
}

[[noreturn]] void throw_no_policy(const std::string& arn) {
  throw NoSuchEntityException(fmt::format("Policy {} was not found.", arn));
}

PolicyRecord require_any(kernel::Txn& txn, const std::string& arn) {
  auto record = find_any(txn, arn);
  if (!record) throw_no_policy(arn);
  return *std::move(record);
}

PolicyRecord require_own(kernel::Txn& txn, const std::string& arn) {
  if (find_aws_managed_policy(arn)) {
    throw aws::ApiError("AccessDenied", fmt::format("Cannot change {}: it is managed by AWS.", arn),
                        403);
  }
  auto record = txn.find_for_update<PolicyRecord>(arn);
  if (!record) throw_no_policy(arn);
  return *std::move(record);
}

std::int32_t version_number(const PolicyRecord& record, const std::string& id) {
  const auto number = id.starts_with("v") ? parse_int(id.substr(1)) : std::nullopt;
  if (!number || !record.find_version(static_cast<std::int32_t>(*number))) {
    throw NoSuchEntityException(
        fmt::format("Policy {} version {} does not exist or is not attachable.", record.arn, id));
  }
  return static_cast<std::int32_t>(*number);
}

}  // namespace

void Iam::policy_operations(platform::OpTable& t) {
  const auto by_arn = [](Call&, const auto& in) { return in.policy_arn; };
  const auto by_name = [](Call& call, const auto& in) {
    return make_arn(call.account(), "policy", in.path.value_or("/"), in.policy_name);
  };
  t.op<CreatePolicy>(&Iam::create_policy).on(by_name);
  t.op<GetPolicy>(&Iam::get_policy).on(by_arn);
  t.op<ListPolicies>(&Iam::list_policies);
  t.op<DeletePolicy>(&Iam::delete_policy).on(by_arn);
  t.op<CreatePolicyVersion>(&Iam::create_policy_version).on(by_arn);
  t.op<GetPolicyVersion>(&Iam::get_policy_version).on(by_arn);
  t.op<ListPolicyVersions>(&Iam::list_policy_versions).on(by_arn);
  t.op<DeletePolicyVersion>(&Iam::delete_policy_version).on(by_arn);
  t.op<SetDefaultPolicyVersion>(&Iam::set_default_policy_version).on(by_arn);
  t.op<ListEntitiesForPolicy>(&Iam::list_entities_for_policy).on(by_arn);
}

CreatePolicyOutput Iam::create_policy(Call& call, const CreatePolicyInput& in) {
  check_managed_document(in.policy_document);
  PolicyRecord record;
  record.name = in.policy_name;
  record.path = in.path.value_or("/");
  record.arn = make_arn(call.account(), "policy", record.path, record.name);
  auto txn = store_.begin(call.global_scope());
  if (txn.find_for_update<PolicyRecord>(record.arn)) {
    throw EntityAlreadyExistsException(fmt::format(
        "A policy called {} already exists. Duplicate names are not allowed.", in.policy_name));
  }
  record.id = make_id(environment_.random, "ANPA");
  record.description = in.description.value_or("");
  record.created = record.updated = call.now();
  if (in.tags) record.tags = tag_map(*in.tags);
  record.versions.push_back({1, in.policy_document, record.created});
  txn.put(record);
  txn.commit();
  return {.policy = shown(record, {})};
}

GetPolicyOutput Iam::get_policy(Call& call, const GetPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  return {.policy = shown(require_any(txn, in.policy_arn), count_usages(txn)[in.policy_arn])};
}

ListPoliciesOutput Iam::list_policies(Call& call, const ListPoliciesInput& in) {
  auto txn = store_.begin(call.global_scope());
  const std::string scope = in.scope.value_or("All");
  std::vector<PolicyRecord> records;
  if (scope != "AWS") records = txn.list<PolicyRecord>();
  if (scope != "Local") {
    for (const auto& policy : aws_managed_policies()) records.push_back(as_record(policy));
  }
  auto usages = count_usages(txn);
  const auto wanted_use = in.policy_usage_filter.value_or("");
  std::erase_if(records, [&](const auto& record) {
    const auto& usage = usages[record.arn];
    return !record.path.starts_with(in.path_prefix.value_or("/")) ||
           (in.only_attached.value_or(false) && usage.attached == 0) ||
           (wanted_use == "PermissionsPolicy" && usage.attached == 0) ||
           (wanted_use == "PermissionsBoundary" && usage.bounds == 0);
  });
  ListPoliciesOutput out;
  out.policies.emplace();
  for (const auto& record : page(std::move(records), in, out, [](auto& r) { return r.arn; })) {
    out.policies->push_back(shown(record, usages[record.arn]));
  }
  return out;
}

DeletePolicyOutput Iam::delete_policy(Call& call, const DeletePolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require_own(txn, in.policy_arn);
  const auto usage = count_usages(txn)[in.policy_arn];
  if (usage.attached > 0 || usage.bounds > 0) {
    throw DeleteConflictException("Cannot delete a policy attached to entities.");
  }
  if (record.versions.size() > 1) {
    throw DeleteConflictException(
        "This policy has more than one version. Before you delete a policy, you must delete the "
        "policy's versions. The default version is deleted with the policy.");
  }
  txn.erase<PolicyRecord>(in.policy_arn);
  txn.commit();
  return {};
}

CreatePolicyVersionOutput Iam::create_policy_version(Call& call,
                                                     const CreatePolicyVersionInput& in) {
  check_managed_document(in.policy_document);
  auto txn = store_.begin(call.global_scope());
  auto record = require_own(txn, in.policy_arn);
  if (record.versions.size() >= k_versions_max) {
    throw LimitExceededException(
        "A managed policy can have up to 5 versions. Before you create a new version, you must "
        "delete an existing version.");
  }
  record.versions.push_back({record.next_version++, in.policy_document, call.now()});
  record.updated = call.now();
  const PolicyVersionData made = record.versions.back();
  if (in.set_as_default.value_or(false)) record.default_version = made.number;
  txn.put(record);
  txn.commit();
  return {.policy_version = shown(record, made, false)};
}

GetPolicyVersionOutput Iam::get_policy_version(Call& call, const GetPolicyVersionInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require_any(txn, in.policy_arn);
  const auto* version = record.find_version(version_number(record, in.version_id));
  return {.policy_version = shown(record, *version, true)};
}

ListPolicyVersionsOutput Iam::list_policy_versions(Call& call, const ListPolicyVersionsInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require_any(txn, in.policy_arn);
  ListPolicyVersionsOutput out;
  out.is_truncated = false;
  out.versions.emplace();
  for (auto version = record.versions.rbegin(); version != record.versions.rend(); ++version) {
    out.versions->push_back(shown(record, *version, false));
  }
  return out;
}

DeletePolicyVersionOutput Iam::delete_policy_version(Call& call,
                                                     const DeletePolicyVersionInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_own(txn, in.policy_arn);
  const auto number = version_number(record, in.version_id);
  if (number == record.default_version) {
    throw DeleteConflictException("Cannot delete the default version of a policy.");
  }
  std::erase_if(record.versions, [&](const auto& version) { return version.number == number; });
  txn.put(record);
  txn.commit();
  return {};
}

SetDefaultPolicyVersionOutput Iam::set_default_policy_version(
    Call& call, const SetDefaultPolicyVersionInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_own(txn, in.policy_arn);
  record.default_version = version_number(record, in.version_id);
  txn.put(record);
  txn.commit();
  return {};
}

ListEntitiesForPolicyOutput Iam::list_entities_for_policy(Call& call,
                                                          const ListEntitiesForPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_any(txn, in.policy_arn);
  const auto wanted = [&](std::string_view kind, const Principal& principal) {
    const auto use = in.policy_usage_filter.value_or("");
    const bool attached =
        use != "PermissionsBoundary" && principal.attached.contains(in.policy_arn);
    const bool bounds = use != "PermissionsPolicy" && principal.boundary == in.policy_arn;
    return (attached || bounds) && (!in.entity_filter || *in.entity_filter == kind) &&
           principal.path.starts_with(in.path_prefix.value_or("/"));
  };
  ListEntitiesForPolicyOutput out;
  out.is_truncated = false;
  out.policy_users.emplace();
  out.policy_groups.emplace();
  out.policy_roles.emplace();
  for (const auto& user : txn.list<UserRecord>()) {
    if (wanted("User", user)) out.policy_users->push_back({user.name, user.id});
  }
  for (const auto& group : txn.list<GroupRecord>()) {
    if (wanted("Group", group)) out.policy_groups->push_back({group.name, group.id});
  }
  for (const auto& role : txn.list<RoleRecord>()) {
    if (wanted("Role", role)) out.policy_roles->push_back({role.name, role.id});
  }
  return out;
}

}  // namespace tarn::iam
