// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principals.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

User shown(const UserRecord& record) {
  User user{.path = record.path,
            .user_name = record.name,
            .user_id = record.id,
            .arn = record.arn,
            .create_date = record.created};
  if (!record.boundary.empty()) {
    user.permissions_boundary = AttachedPermissionsBoundary{
        .permissions_boundary_type = "Policy", .permissions_boundary_arn = record.boundary};
  }
  if (!record.tags.empty()) user.tags = tag_list<Tag>(record.tags);
  return user;
}

// Many user operations default to the caller.
std::string user_or_caller(const platform::Call& call, const std::optional<std::string>& name) {
  if (name) return *name;
  const auto& identity = call.identity();
  if (identity.kind == platform::Identity::Kind::user) {
    return identity.arn.substr(identity.arn.rfind('/') + 1);
  }
  if (identity.kind == platform::Identity::Kind::root) return {};
  throw aws::ApiError("ValidationError",
                      "Must specify userName when calling with non-User credentials");
}

}  // namespace

void Iam::user_operations(platform::OpTable& t) {
  const auto user_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "user", "/", in.user_name);
  };
  const auto own_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "user", "/", in.user_name.value_or("*"));
  };
  t.op<CreateUser>(&Iam::create_user).on(user_arn);
  t.op<GetUser>(&Iam::get_user).on(own_arn);
  t.op<ListUsers>(&Iam::list_users);
  t.op<DeleteUser>(&Iam::delete_user).on(user_arn);
  t.op<TagUser>(&Iam::tag_user).on(user_arn);
  t.op<UntagUser>(&Iam::untag_user).on(user_arn);
  t.op<ListUserTags>(&Iam::list_user_tags).on(user_arn);
  t.op<PutUserPermissionsBoundary>(&Iam::put_user_boundary).on(user_arn);
  t.op<DeleteUserPermissionsBoundary>(&Iam::delete_user_boundary).on(user_arn);
  t.op<PutUserPolicy>(&Iam::put_user_policy).on(user_arn);
  t.op<GetUserPolicy>(&Iam::get_user_policy).on(user_arn);
  t.op<ListUserPolicies>(&Iam::list_user_policies).on(user_arn);
  t.op<DeleteUserPolicy>(&Iam::delete_user_policy).on(user_arn);
  t.op<AttachUserPolicy>(&Iam::attach_user_policy).on(user_arn);
  t.op<DetachUserPolicy>(&Iam::detach_user_policy).on(user_arn);
  t.op<ListAttachedUserPolicies>(&Iam::list_attached_user_policies).on(user_arn);
  t.op<CreateAccessKey>(&Iam::create_access_key).on(own_arn);
  t.op<ListAccessKeys>(&Iam::list_access_keys).on(own_arn);
  t.op<UpdateAccessKey>(&Iam::update_access_key).on(own_arn);
  t.op<DeleteAccessKey>(&Iam::delete_access_key).on(own_arn);
}

CreateUserOutput Iam::create_user(Call& call, const CreateUserInput& in) {
  auto txn = store_.begin(call.global_scope());
  require_absent<UserRecord>(txn, in.user_name);
  UserRecord record;
  record.name = in.user_name;
  record.path = in.path.value_or("/");
  record.id = make_id(environment_.random, "AIDA");
  record.arn = make_arn(call.account(), "user", record.path, record.name);
  record.created = call.now();
  if (in.tags) record.tags = tag_map(*in.tags);
  if (in.permissions_boundary) {
    require_managed(txn, *in.permissions_boundary);
    record.boundary = *in.permissions_boundary;
  }
  txn.put(record);
  txn.commit();
  return {.user = shown(record)};
}

GetUserOutput Iam::get_user(Call& call, const GetUserInput& in) {
  const std::string name = user_or_caller(call, in.user_name);
  if (name.empty()) {  // the root asks for itself
    return {.user = User{.path = "/",
                         .user_name = "root",
                         .user_id = call.account(),
                         .arn = call.identity().arn,
                         .create_date = call.now()}};
  }
  auto txn = store_.begin(call.global_scope());
  return {.user = shown(require<UserRecord>(txn, name))};
}

ListUsersOutput Iam::list_users(Call& call, const ListUsersInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto records = txn.list<UserRecord>();
  std::erase_if(records, [&](const auto& record) {
    return !record.path.starts_with(in.path_prefix.value_or("/"));
  });
  ListUsersOutput out;
  for (auto& record : page(std::move(records), in, out, [](auto& r) { return r.name; })) {
    User user = shown(record);
    user.tags.reset();  // as documented: listings leave tags out
    out.users.push_back(std::move(user));
  }
  return out;
}

DeleteUserOutput Iam::delete_user(Call& call, const DeleteUserInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require_for_update<UserRecord>(txn, in.user_name);
  require_no_policies(record);
  if (!txn.list<UserKeyRecord>(kernel::Key(in.user_name)).empty()) {
    throw DeleteConflictException("Cannot delete entity, must delete access keys first.");
  }
  if (!record.groups.empty()) {
    throw DeleteConflictException("Cannot delete entity, must remove users from group first.");
  }
  txn.erase<UserRecord>(in.user_name);
  txn.commit();
  return {};
}

TagUserOutput Iam::tag_user(Call& call, const TagUserInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<UserRecord>(txn, in.user_name);
  merge_tags(record.tags, tag_map(in.tags));
  txn.put(record);
  txn.commit();
  return {};
}

UntagUserOutput Iam::untag_user(Call& call, const UntagUserInput& in) {
  auto txn = store_.begin(call.global_scope());
  auto record = require_for_update<UserRecord>(txn, in.user_name);
  for (const auto& key : in.tag_keys) record.tags.erase(key);
  txn.put(record);
  txn.commit();
  return {};
}

ListUserTagsOutput Iam::list_user_tags(Call& call, const ListUserTagsInput& in) {
  auto txn = store_.begin(call.global_scope());
  const auto record = require<UserRecord>(txn, in.user_name);
  ListUserTagsOutput out;
  out.tags = page(tag_list<Tag>(record.tags), in, out, [](auto& tag) { return tag.key; });
  return out;
}

PutUserPermissionsBoundaryOutput Iam::put_user_boundary(Call& call,
                                                        const PutUserPermissionsBoundaryInput& in) {
  auto txn = store_.begin(call.global_scope());
  put_boundary<UserRecord>(txn, in.user_name, in.permissions_boundary);
  return {};
}

DeleteUserPermissionsBoundaryOutput Iam::delete_user_boundary(
    Call& call, const DeleteUserPermissionsBoundaryInput& in) {
  auto txn = store_.begin(call.global_scope());
  put_boundary<UserRecord>(txn, in.user_name, {});
  return {};
}

PutUserPolicyOutput Iam::put_user_policy(Call& call, const PutUserPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  put_inline<UserRecord>(txn, in.user_name, in.policy_name, in.policy_document);
  return {};
}

GetUserPolicyOutput Iam::get_user_policy(Call& call, const GetUserPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  return {.user_name = in.user_name,
          .policy_name = in.policy_name,
          .policy_document = get_inline<UserRecord>(txn, in.user_name, in.policy_name)};
}

ListUserPoliciesOutput Iam::list_user_policies(Call& call, const ListUserPoliciesInput& in) {
  auto txn = store_.begin(call.global_scope());
  ListUserPoliciesOutput out;
  out.policy_names = page_names(require<UserRecord>(txn, in.user_name).inlined, in, out);
  return out;
}

DeleteUserPolicyOutput Iam::delete_user_policy(Call& call, const DeleteUserPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  delete_inline<UserRecord>(txn, in.user_name, in.policy_name);
  return {};
}

AttachUserPolicyOutput Iam::attach_user_policy(Call& call, const AttachUserPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  attach<UserRecord>(txn, in.user_name, in.policy_arn);
  return {};
}

DetachUserPolicyOutput Iam::detach_user_policy(Call& call, const DetachUserPolicyInput& in) {
  auto txn = store_.begin(call.global_scope());
  detach<UserRecord>(txn, in.user_name, in.policy_arn);
  return {};
}

ListAttachedUserPoliciesOutput Iam::list_attached_user_policies(
    Call& call, const ListAttachedUserPoliciesInput& in) {
  auto txn = store_.begin(call.global_scope());
  ListAttachedUserPoliciesOutput out;
  out.attached_policies = page(attached_list(require<UserRecord>(txn, in.user_name)), in, out,
                               [](auto& policy) { return *policy.policy_name; });
  return out;
}

CreateAccessKeyOutput Iam::create_access_key(Call& call, const CreateAccessKeyInput& in) {
  const std::string user = user_or_caller(call, in.user_name);
  auto txn = store_.begin(call.global_scope());
  if (!user.empty()) require_for_update<UserRecord>(txn, user);
  if (txn.list<UserKeyRecord>(kernel::Key(user)).size() >= 2) {
    throw LimitExceededException("Cannot exceed quota for AccessKeysPerUser: 2");
  }
  const auto made = identities_.make_key(txn, call.account(), user);
  txn.commit();
  return {.access_key = {.user_name = user,
                         .access_key_id = made.access_key,
                         .status = "Active",
                         .secret_access_key = made.secret_key,
                         .create_date = call.now()}};
}

ListAccessKeysOutput Iam::list_access_keys(Call& call, const ListAccessKeysInput& in) {
  const std::string user = user_or_caller(call, in.user_name);
  auto txn = store_.begin(call.global_scope());
  if (!user.empty()) require<UserRecord>(txn, user);
  auto global = txn.in(k_every_account);
  ListAccessKeysOutput out;
  out.is_truncated = false;
  for (const auto& row : txn.list<UserKeyRecord>(kernel::Key(user))) {
    const auto key = global.peek<AccessKeyRecord>(row.id);
    if (!key) continue;
    out.access_key_metadata.push_back({.user_name = user,
                                       .access_key_id = key->id,
                                       .status = key->active ? "Active" : "Inactive",
                                       .create_date = key->created});
  }
  return out;
}

UpdateAccessKeyOutput Iam::update_access_key(Call& call, const UpdateAccessKeyInput& in) {
  const std::string user = user_or_caller(call, in.user_name);
  auto txn = store_.begin(call.global_scope());
  auto global = txn.in(k_every_account);
  auto key = global.find_for_update<AccessKeyRecord>(in.access_key_id);
  if (!key || key->user != user || key->account != call.account()) {
    throw NoSuchEntityException(
        fmt::format("The Access Key with id {} cannot be found.", in.access_key_id));
  }
  key->active = in.status == "Active";
  global.put(*key);
  txn.commit();
  identities_.forget_key(in.access_key_id);
  return {};
}

DeleteAccessKeyOutput Iam::delete_access_key(Call& call, const DeleteAccessKeyInput& in) {
  const std::string user = user_or_caller(call, in.user_name);
  auto txn = store_.begin(call.global_scope());
  auto global = txn.in(k_every_account);
  const auto key = global.find_for_update<AccessKeyRecord>(in.access_key_id);
  if (!key || key->user != user || key->account != call.account()) {
    throw NoSuchEntityException(
        fmt::format("The Access Key with id {} cannot be found.", in.access_key_id));
  }
  global.erase<AccessKeyRecord>(in.access_key_id);
  txn.erase<UserKeyRecord>(user, in.access_key_id);
  txn.commit();
  identities_.forget_key(in.access_key_id);
  return {};
}

}  // namespace tarn::iam
