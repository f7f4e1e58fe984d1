// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principal_handlers.hpp"

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
  const auto new_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "group", in.path.value_or("/"), in.group_name);
  };
  const auto group_arn = [this](Call& call, const auto& in) {
    return arn_of<GroupRecord>(call, in.group_name);
  };
  const auto user_arn = [this](Call& call, const auto& in) {
    return arn_of<UserRecord>(call, in.user_name);
  };
  t.op<CreateGroup>(&Iam::create_group).on(new_arn);
  t.op<GetGroup>(&Iam::get_group).on(group_arn);
  t.op<ListGroups>(&Iam::list_groups);
  t.op<DeleteGroup>(&Iam::delete_group).on(group_arn);
  t.op<AddUserToGroup>(&Iam::add_user_to_group).on(group_arn);
  t.op<RemoveUserFromGroup>(&Iam::remove_user_from_group).on(group_arn);
  t.op<ListGroupsForUser>(&Iam::list_groups_for_user).on(user_arn);
  t.op<PutGroupPolicy>(&Iam::put_policy<GroupRecord, PutGroupPolicy>).on(group_arn);
  t.op<GetGroupPolicy>(&Iam::get_policy_of<GroupRecord, GetGroupPolicy>).on(group_arn);
  t.op<ListGroupPolicies>(&Iam::list_policies_of<GroupRecord, ListGroupPolicies>).on(group_arn);
  t.op<DeleteGroupPolicy>(&Iam::delete_policy_of<GroupRecord, DeleteGroupPolicy>).on(group_arn);
  t.op<AttachGroupPolicy>(&Iam::attach_policy<GroupRecord, AttachGroupPolicy>).on(group_arn);
  t.op<DetachGroupPolicy>(&Iam::detach_policy<GroupRecord, DetachGroupPolicy>).on(group_arn);
  t.op<ListAttachedGroupPolicies>(&Iam::list_attached<GroupRecord, ListAttachedGroupPolicies>)
      .on(group_arn);
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
  if (user.groups.size() > k_groups_max) {
    throw LimitExceededException(
        fmt::format("Cannot exceed quota for GroupsPerUser: {}", k_groups_max));
  }
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

}  // namespace tarn::iam
