// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principals.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

Group shown(const GroupRecord& record) {
  return {.path = record.path,
          .group_name = record.name,
          .group_id = record.id,
          .arn = record.arn,
          .create_date = record.created};
}

}  // namespace

void Iam::group_operations(platform::OpTable& t) {
  const auto group_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "group", "/", in.group_name);
  };
  const auto user_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "user", "/", in.user_name);
  };
  t.op<CreateGroup>(&Iam::create_group).on(group_arn);
  t.op<GetGroup>(&Iam::get_group).on(group_arn);
  t.op<ListGroups>(&Iam::list_groups);
  t.op<DeleteGroup>(&Iam::delete_group).on(group_arn);
  t.op<AddUserToGroup>(&Iam::add_user_to_group).on(group_arn);
  t.op<RemoveUserFromGroup>(&Iam::remove_user_from_group).on(group_arn);
  t.op<ListGroupsForUser>(&Iam::list_groups_for_user).on(user_arn);
  t.op<PutGroupPolicy>(&Iam::put_group_policy).on(group_arn);
  t.op<GetGroupPolicy>(&Iam::get_group_policy).on(group_arn);
  t.op<ListGroupPolicies>(&Iam::list_group_policies).on(group_arn);
  t.op<DeleteGroupPolicy>(&Iam::delete_group_policy).on(group_arn);
  t.op<AttachGroupPolicy>(&Iam::attach_group_policy).on(group_arn);
  t.op<DetachGroupPolicy>(&Iam::detach_group_policy).on(group_arn);
  t.op<ListAttachedGroupPolicies>(&Iam::list_attached_group_policies).on(group_arn);
}

CreateGroupOutput Iam::create_group(Call& call, const CreateGroupInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_absent<GroupRecord>(txn, in.group_name);
  GroupRecord record;
  record.name = in.group_name;
  record.path = in.path.value_or("/");
  record.id = make_id(environment_.random, "AGPA");
  record.arn = make_arn(call.account(), "group", record.path, record.name);
  record.created = call.now();
  txn.put(record);
  txn.commit();
  return {.group = shown(record)};
}

GetGroupOutput Iam::get_group(Call& call, const GetGroupInput& in) {
  auto txn = store_.begin(call.global_scope());
  GetGroupOutput out;
  out.group = shown(require<GroupRecord>(txn, in.group_name));
  auto users = txn.list<UserRecord>();
  std::erase_if(users, [&](const auto& user) { return !user.groups.contains(in.group_name); });
  for (const auto& user : page(std::move(users), in, out, [](auto& r) { return r.name; })) {
    out.users.push_back({.path = user.path,
                         .user_name = user.name,
                         .user_id = user.id,
                         .arn = user.arn,
                         .create_date = user.created});
  }
  return out;
}

ListGroupsOutput Iam::list_groups(Call& call, const ListGroupsInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto records = txn.list<GroupRecord>();
  std::erase_if(records, [&](const auto& record) {
    return !record.path.starts_with(in.path_prefix.value_or("/"));
  });
  ListGroupsOutput out;
  for (auto& record : page(std::move(records), in, out, [](auto& r) { return r.name; })) {
    out.groups.push_back(shown(record));
  }
  return out;
}

DeleteGroupOutput Iam::delete_group(Call& call, const DeleteGroupInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_no_policies(require_for_update<GroupRecord>(txn, in.group_name));
  for (const auto& user : txn.list<UserRecord>()) {
    if (user.groups.contains(in.group_name)) {
      throw DeleteConflictException("Cannot delete entity, must remove users from group first.");
    }
  }
  txn.erase<GroupRecord>(in.group_name);
  txn.commit();
  return {};
}

AddUserToGroupOutput Iam::add_user_to_group(Call& call, const AddUserToGroupInput& in) {
  auto txn = store_.begin(call.global_scope());
  if (!txn.find<GroupRecord>(in.group_name)) throw_missing<GroupRecord>(in.group_name);
  auto user = require_for_update<UserRecord>(txn, in.user_name);
  user.groups.insert(in.group_name);
  txn.put(user);
  txn.commit();
  return {};
}

RemoveUserFromGroupOutput Iam::remove_user_from_group(Call& call,
                                                      const RemoveUserFromGroupInput& in) {
  auto txn = store_.begin(call.global_scope());
  if (!txn.find<GroupRecord>(in.group_name)) throw_missing<GroupRecord>(in.group_name);
  auto user = require_for_update<UserRecord>(txn, in.user_name);
  user.groups.erase(in.group_name);
  txn.put(user);
  txn.commit();
  return {};
}

ListGroupsForUserOutput Iam::list_groups_for_user(Call& call, const ListGroupsForUserInput& in) {
  auto txn = store_.begin(call.global_scope());
  std::vector<GroupRecord> groups;
  for (const auto& name : require<UserRecord>(txn, in.user_name).groups) {
    if (auto group = txn.peek<GroupRecord>(name)) groups.push_back(*std::move(group));
  }
  ListGroupsForUserOutput out;
  for (auto& group : page(std::move(groups), in, out, [](auto& r) { return r.name; })) {
    out.groups.push_back(shown(group));
  }
  return out;
}

PutGroupPolicyOutput Iam::put_group_policy(Call& call, const PutGroupPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  put_inline<GroupRecord>(txn, in.group_name, in.policy_name, in.policy_document);
  return {};
}

GetGroupPolicyOutput Iam::get_group_policy(Call& call, const GetGroupPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  return {.group_name = in.group_name,
          .policy_name = in.policy_name,
          .policy_document = get_inline<GroupRecord>(txn, in.group_name, in.policy_name)};
}

ListGroupPoliciesOutput Iam::list_group_policies(Call& call, const ListGroupPoliciesInput& in) {
  auto txn = store_.begin(call.global_scope());
  ListGroupPoliciesOutput out;
  out.policy_names = page_names(require<GroupRecord>(txn, in.group_name).inlined, in, out);
  return out;
}

DeleteGroupPolicyOutput Iam::delete_group_policy(Call& call, const DeleteGroupPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  delete_inline<GroupRecord>(txn, in.group_name, in.policy_name);
  return {};
}

AttachGroupPolicyOutput Iam::attach_group_policy(Call& call, const AttachGroupPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  attach<GroupRecord>(txn, in.group_name, in.policy_arn);
  return {};
}

DetachGroupPolicyOutput Iam::detach_group_policy(Call& call, const DetachGroupPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  detach<GroupRecord>(txn, in.group_name, in.policy_arn);
  return {};
}

ListAttachedGroupPoliciesOutput Iam::list_attached_group_policies(
    Call& call, const ListAttachedGroupPoliciesInput& in) {
  auto txn = store_.begin(call.global_scope());
  ListAttachedGroupPoliciesOutput out;
  out.attached_policies = page(attached_list(require<GroupRecord>(txn, in.group_name)), in, out,
                               [](auto& policy) { return *policy.policy_name; });
  return out;
}

}  // namespace tarn::iam
