// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principal_handlers.hpp"

namespace tarn::iam {
namespace {

Role shown(const RoleRecord& record) {
  Role role{.path = record.path,
            .role_name = record.name,
            .role_id = record.id,
            .arn = record.arn,
            .create_date = record.created,
            .assume_role_policy_document = encoded_document(record.trust_policy),
            .max_session_duration = record.session_seconds_max};
  if (!record.description.empty()) role.description = record.description;
  if (!record.boundary.empty()) {
    role.permissions_boundary = AttachedPermissionsBoundary{
        .permissions_boundary_type = "Policy", .permissions_boundary_arn = record.boundary};
  }
  if (!record.tags.empty()) role.tags = tag_list<Tag>(record.tags);
  role.role_last_used.emplace();
  return role;
}

}  // namespace

void Iam::role_operations(platform::OpTable& t) {
  const auto new_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "role", in.path.value_or("/"), in.role_name);
  };
  const auto role_arn = [this](Call& call, const auto& in) {
    return arn_of<RoleRecord>(call, in.role_name);
  };
  const auto new_profile_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "instance-profile", in.path.value_or("/"),
                    in.instance_profile_name);
  };
  const auto profile_arn = [this](Call& call, const auto& in) {
    return arn_of<InstanceProfileRecord>(call, in.instance_profile_name);
  };
  t.op<CreateRole>(&Iam::create_role).on(new_arn);
  t.op<GetRole>(&Iam::get_role).on(role_arn);
  t.op<ListRoles>(&Iam::list_roles);
  t.op<UpdateRole>(&Iam::update_role).on(role_arn);
  t.op<UpdateRoleDescription>(&Iam::update_role_description).on(role_arn);
  t.op<UpdateAssumeRolePolicy>(&Iam::update_assume_role_policy).on(role_arn);
  t.op<DeleteRole>(&Iam::delete_role).on(role_arn);
  t.op<PutRolePermissionsBoundary>(&Iam::put_boundary<RoleRecord, PutRolePermissionsBoundary>)
      .on(role_arn);
  t.op<DeleteRolePermissionsBoundary>(
       &Iam::delete_boundary<RoleRecord, DeleteRolePermissionsBoundary>)
      .on(role_arn);
  t.op<PutRolePolicy>(&Iam::put_policy<RoleRecord, PutRolePolicy>).on(role_arn);
  t.op<GetRolePolicy>(&Iam::get_policy_of<RoleRecord, GetRolePolicy>).on(role_arn);
  t.op<ListRolePolicies>(&Iam::list_policies_of<RoleRecord, ListRolePolicies>).on(role_arn);
  t.op<DeleteRolePolicy>(&Iam::delete_policy_of<RoleRecord, DeleteRolePolicy>).on(role_arn);
  t.op<AttachRolePolicy>(&Iam::attach_policy<RoleRecord, AttachRolePolicy>).on(role_arn);
  t.op<DetachRolePolicy>(&Iam::detach_policy<RoleRecord, DetachRolePolicy>).on(role_arn);
  t.op<ListAttachedRolePolicies>(&Iam::list_attached<RoleRecord, ListAttachedRolePolicies>)
      .on(role_arn);
  t.op<CreateInstanceProfile>(&Iam::create_instance_profile).on(new_profile_arn);
  t.op<GetInstanceProfile>(&Iam::get_instance_profile).on(profile_arn);
  t.op<DeleteInstanceProfile>(&Iam::delete_instance_profile).on(profile_arn);
  t.op<AddRoleToInstanceProfile>(&Iam::add_role_to_instance_profile).on(profile_arn);
  t.op<RemoveRoleFromInstanceProfile>(&Iam::remove_role_from_instance_profile).on(profile_arn);
  t.op<ListInstanceProfiles>(&Iam::list_instance_profiles);
  t.op<ListInstanceProfilesForRole>(&Iam::list_instance_profiles_for_role).on(role_arn);
}

CreateRoleOutput Iam::create_role(Call& call, const CreateRoleInput& in) {
  check_trust_document(in.assume_role_policy_document);
  auto txn = store_.begin(call.global_scope());
  require_absent<RoleRecord>(txn, in.role_name);
  RoleRecord record;
  record.name = in.role_name;
  record.path = in.path.value_or("/");
  record.id = make_id(environment_.random, "AROA");
  record.arn = make_arn(call.account(), "role", record.path, record.name);
  record.created = call.now();
  record.trust_policy = in.assume_role_policy_document;
  record.description = in.description.value_or("");
  record.session_seconds_max = in.max_session_duration.value_or(3600);
  if (in.tags) record.tags = tag_map(*in.tags);
  if (in.permissions_boundary) {
    require_managed(txn, *in.permissions_boundary);
    record.boundary = *in.permissions_boundary;
  }
  txn.put(record);
  txn.commit();
  return {.role = shown(record)};
}

GetRoleOutput Iam::get_role(Call& call, const GetRoleInput& in) {
  auto txn = store_.begin(call.global_scope());
  return {.role = shown(require<RoleRecord>(txn, in.role_name))};
}

ListRolesOutput Iam::list_roles(Call& call, const ListRolesInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto records = txn.list<RoleRecord>();
  std::erase_if(records, [&](const auto& record) {
    return !record.path.starts_with(in.path_prefix.value_or("/"));
  });
  ListRolesOutput out;
  for (auto& record : page(std::move(records), in, out, [](auto& r) { return r.name; })) {
    Role role = shown(record);
    role.tags.reset();  // as documented: listings leave these out
    role.role_last_used.reset();
    out.roles.push_back(std::move(role));
  }
  return out;
}

UpdateRoleOutput Iam::update_role(Call& call, const UpdateRoleInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<RoleRecord>(txn, in.role_name);
  if (in.description) record.description = *in.description;
  if (in.max_session_duration) record.session_seconds_max = *in.max_session_duration;
  txn.put(record);
  txn.commit();
  return {};
}

// The older way to do a part of UpdateRole; it answers with the role.
UpdateRoleDescriptionOutput Iam::update_role_description(Call& call,
                                                         const UpdateRoleDescriptionInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<RoleRecord>(txn, in.role_name);
  record.description = in.description;
  txn.put(record);
  txn.commit();
  return {.role = shown(record)};
}

UpdateAssumeRolePolicyOutput Iam::update_assume_role_policy(Call& call,
                                                            const UpdateAssumeRolePolicyInput& in) {
  check_trust_document(in.policy_document);
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<RoleRecord>(txn, in.role_name);
  record.trust_policy = in.policy_document;
  txn.put(record);
  txn.commit();
  return {};
}

DeleteRoleOutput Iam::delete_role(Call& call, const DeleteRoleInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_no_policies(require_for_update<RoleRecord>(txn, in.role_name));
  for (const auto& profile : txn.list<InstanceProfileRecord>()) {
    if (profile.role == in.role_name) {
      throw DeleteConflictException(
          "Cannot delete entity, must remove roles from instance profile first.");
    }
  }
  txn.erase<RoleRecord>(in.role_name);
  txn.commit();
  return {};
}

InstanceProfile Iam::shown_profile(kernel::Txn& txn, const InstanceProfileRecord& record) {
  InstanceProfile profile{.path = record.path,
                          .instance_profile_name = record.name,
                          .instance_profile_id = record.id,
                          .arn = record.arn,
                          .create_date = record.created};
  if (!record.role.empty()) {
    profile.roles.push_back(shown(require<RoleRecord>(txn, record.role)));
  }
  if (!record.tags.empty()) profile.tags = tag_list<Tag>(record.tags);
  return profile;
}

CreateInstanceProfileOutput Iam::create_instance_profile(Call& call,
                                                         const CreateInstanceProfileInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_absent<InstanceProfileRecord>(txn, in.instance_profile_name);
  InstanceProfileRecord record;
  record.name = in.instance_profile_name;
  record.path = in.path.value_or("/");
  record.id = make_id(environment_.random, "AIPA");
  record.arn = make_arn(call.account(), "instance-profile", record.path, record.name);
  record.created = call.now();
  if (in.tags) record.tags = tag_map(*in.tags);
  txn.put(record);
  txn.commit();
  return {.instance_profile = shown_profile(txn, record)};
}

GetInstanceProfileOutput Iam::get_instance_profile(Call& call, const GetInstanceProfileInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require<InstanceProfileRecord>(txn, in.instance_profile_name);
  return {.instance_profile = shown_profile(txn, record)};
}

DeleteInstanceProfileOutput Iam::delete_instance_profile(Call& call,
                                                         const DeleteInstanceProfileInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require_for_update<InstanceProfileRecord>(txn, in.instance_profile_name);
  if (!record.role.empty()) {
    throw DeleteConflictException(
        "Cannot delete entity, must remove roles from instance profile first.");
  }
  txn.erase<InstanceProfileRecord>(in.instance_profile_name);
  txn.commit();
  return {};
}

AddRoleToInstanceProfileOutput Iam::add_role_to_instance_profile(
    Call& call, const AddRoleToInstanceProfileInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<InstanceProfileRecord>(txn, in.instance_profile_name);
  if (!txn.find<RoleRecord>(in.role_name)) throw_missing<RoleRecord>(in.role_name);
  if (!record.role.empty()) {
    throw LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
  }
  record.role = in.role_name;
  txn.put(record);
  txn.commit();
  return {};
}

RemoveRoleFromInstanceProfileOutput Iam::remove_role_from_instance_profile(
    Call& call, const RemoveRoleFromInstanceProfileInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<InstanceProfileRecord>(txn, in.instance_profile_name);
  if (record.role != in.role_name) throw_missing<RoleRecord>(in.role_name);
  record.role.clear();
  txn.put(record);
  txn.commit();
  return {};
}

ListInstanceProfilesOutput Iam::list_instance_profiles(Call& call,
                                                       const ListInstanceProfilesInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto records = txn.list<InstanceProfileRecord>();
  std::erase_if(records, [&](const auto& record) {
    return !record.path.starts_with(in.path_prefix.value_or("/"));
  });
  ListInstanceProfilesOutput out;
  for (auto& record : page(std::move(records), in, out, [](auto& r) { return r.name; })) {
    out.instance_profiles.push_back(shown_profile(txn, record));
  }
  return out;
}

ListInstanceProfilesForRoleOutput Iam::list_instance_profiles_for_role(
    Call& call, const ListInstanceProfilesForRoleInput& in) {
  auto txn = store_.begin(call.global_scope());
  require<RoleRecord>(txn, in.role_name);
  auto records = txn.list<InstanceProfileRecord>();
  std::erase_if(records, [&](const auto& record) { return record.role != in.role_name; });
  ListInstanceProfilesForRoleOutput out;
  for (auto& record : page(std::move(records), in, out, [](auto& r) { return r.name; })) {
    out.instance_profiles.push_back(shown_profile(txn, record));
  }
  return out;
}

}  // namespace tarn::iam
