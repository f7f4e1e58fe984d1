// SPDX-License-Identifier: Apache-2.0
#include "services/iam/principal_handlers.hpp"

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
  const auto new_arn = [](Call& call, const auto& in) {
    return make_arn(call.account(), "user", in.path.value_or("/"), in.user_name);
  };
  const auto user_arn = [this](Call& call, const auto& in) {
    return arn_of<UserRecord>(call, in.user_name);
  };
  const auto own_arn = [this](Call& call, const auto& in) {
    const auto name = user_or_caller(call, in.user_name);
    return name.empty() ? call.identity().arn : arn_of<UserRecord>(call, name);
  };
  t.op<CreateUser>(&Iam::create_user).on(new_arn);
  t.op<GetUser>(&Iam::get_user).on(own_arn);
  t.op<ListUsers>(&Iam::list_users);
  t.op<DeleteUser>(&Iam::delete_user).on(user_arn);
  t.op<PutUserPermissionsBoundary>(&Iam::put_boundary<UserRecord, PutUserPermissionsBoundary>)
      .on(user_arn);
  t.op<DeleteUserPermissionsBoundary>(
       &Iam::delete_boundary<UserRecord, DeleteUserPermissionsBoundary>)
      .on(user_arn);
  t.op<PutUserPolicy>(&Iam::put_policy<UserRecord, PutUserPolicy>).on(user_arn);
  t.op<GetUserPolicy>(&Iam::get_policy_of<UserRecord, GetUserPolicy>).on(user_arn);
  t.op<ListUserPolicies>(&Iam::list_policies_of<UserRecord, ListUserPolicies>).on(user_arn);
  t.op<DeleteUserPolicy>(&Iam::delete_policy_of<UserRecord, DeleteUserPolicy>).on(user_arn);
  t.op<AttachUserPolicy>(&Iam::attach_policy<UserRecord, AttachUserPolicy>).on(user_arn);
  t.op<DetachUserPolicy>(&Iam::detach_policy<UserRecord, DetachUserPolicy>).on(user_arn);
  t.op<ListAttachedUserPolicies>(&Iam::list_attached<UserRecord, ListAttachedUserPolicies>)
      .on(user_arn);
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
