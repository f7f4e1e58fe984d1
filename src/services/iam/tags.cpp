// SPDX-License-Identifier: Apache-2.0
// Tags of users, roles, policies and instance profiles: the same three handlers for each.
#include "services/iam/principals.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

template <class Input>
const std::string& key_of(const Input& in) {
  if constexpr (requires { in.user_name; }) {
    return in.user_name;
  } else if constexpr (requires { in.role_name; }) {
    return in.role_name;
  } else if constexpr (requires { in.policy_arn; }) {
    return in.policy_arn;
  } else {
    return in.instance_profile_name;
  }
}

}  // namespace

void Iam::tag_operations(platform::OpTable& t) {
  const auto user = [this](Call& call, const auto& in) {
    return arn_of<UserRecord>(call, in.user_name);
  };
  const auto role = [this](Call& call, const auto& in) {
    return arn_of<RoleRecord>(call, in.role_name);
  };
  const auto profile = [this](Call& call, const auto& in) {
    return arn_of<InstanceProfileRecord>(call, in.instance_profile_name);
  };
  const auto policy = [](Call&, const auto& in) { return in.policy_arn; };
  t.op<TagUser>(&Iam::tag<UserRecord, TagUser>).on(user);
  t.op<UntagUser>(&Iam::untag<UserRecord, UntagUser>).on(user);
  t.op<ListUserTags>(&Iam::list_tags<UserRecord, ListUserTags>).on(user);
  t.op<TagRole>(&Iam::tag<RoleRecord, TagRole>).on(role);
  t.op<UntagRole>(&Iam::untag<RoleRecord, UntagRole>).on(role);
  t.op<ListRoleTags>(&Iam::list_tags<RoleRecord, ListRoleTags>).on(role);
  t.op<TagPolicy>(&Iam::tag<PolicyRecord, TagPolicy>).on(policy);
  t.op<UntagPolicy>(&Iam::untag<PolicyRecord, UntagPolicy>).on(policy);
  t.op<ListPolicyTags>(&Iam::list_tags<PolicyRecord, ListPolicyTags>).on(policy);
  t.op<TagInstanceProfile>(&Iam::tag<InstanceProfileRecord, TagInstanceProfile>).on(profile);
  t.op<UntagInstanceProfile>(&Iam::untag<InstanceProfileRecord, UntagInstanceProfile>).on(profile);
  t.op<ListInstanceProfileTags>(&Iam::list_tags<InstanceProfileRecord, ListInstanceProfileTags>)
      .on(profile);
}

template <class R, class Op>
typename Op::Output Iam::tag(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, key_of(in));
  merge_tags(record.tags, tag_map(in.tags));
  txn.put(record);
  txn.commit();
  if constexpr (std::same_as<R, UserRecord>) forget_keys_of(call, record.name);
  return {};
}

template <class R, class Op>
typename Op::Output Iam::untag(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, key_of(in));
  for (const auto& key : in.tag_keys) record.tags.erase(key);
  txn.put(record);
  txn.commit();
  if constexpr (std::same_as<R, UserRecord>) forget_keys_of(call, record.name);
  return {};
}

template <class R, class Op>
typename Op::Output Iam::list_tags(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  typename Op::Output out;
  out.tags = page(tag_list<Tag>(require<R>(txn, key_of(in)).tags), in, out,
                  [](const auto& tag) { return tag.key; });
  return out;
}

// A key's identity, with the user's tags, is remembered: it is read anew.
void Iam::forget_keys_of(Call& call, const std::string& user) {
  auto txn = store_.begin(call.global_scope());
  for (const auto& row : txn.list<UserKeyRecord>(kernel::Key(user))) identities_.forget_key(row.id);
}

}  // namespace tarn::iam
