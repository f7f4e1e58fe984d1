// SPDX-License-Identifier: Apache-2.0
// What users, groups and roles do alike: inline and attached policies, boundaries, tags. AWS's
// shapes differ in the owner's name only, so each handler stands once, over the record and the
// operation: `t.op<PutRolePolicy>(&Iam::put_policy<RoleRecord, PutRolePolicy>)`.
#pragma once
#include "services/iam/principals.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {

template <class Shape>
auto& owner_of(Shape& shape) {
  if constexpr (requires { shape.user_name; }) {
    return shape.user_name;
  } else if constexpr (requires { shape.role_name; }) {
    return shape.role_name;
  } else {
    return shape.group_name;
  }
}

template <class R, class Op>
typename Op::Output Iam::put_policy(Call& call, const typename Op::Input& in) {
  check_document(in.policy_document);
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  record.inlined[in.policy_name] = in.policy_document;
  check_inline_size(record);
  txn.put(record);
  txn.commit();
  return {};
}

template <class R, class Op>
typename Op::Output Iam::get_policy_of(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  const R record = require<R>(txn, owner_of(in));
  const auto found = record.inlined.find(in.policy_name);
  if (found == record.inlined.end()) throw_no_inline<R>(in.policy_name);
  typename Op::Output out;
  owner_of(out) = owner_of(in);
  out.policy_name = in.policy_name;
  out.policy_document = encoded_document(found->second);
  return out;
}

template <class R, class Op>
typename Op::Output Iam::list_policies_of(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  std::vector<std::string> names;
  for (const auto& [name, document] : require<R>(txn, owner_of(in)).inlined) names.push_back(name);
  typename Op::Output out;
  out.policy_names = page(std::move(names), in, out, [](const std::string& name) { return name; });
  return out;
}

template <class R, class Op>
typename Op::Output Iam::delete_policy_of(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  if (record.inlined.erase(in.policy_name) == 0) throw_no_inline<R>(in.policy_name);
  txn.put(record);
  txn.commit();
  return {};
}

template <class R, class Op>
typename Op::Output Iam::attach_policy(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  require_managed(txn, in.policy_arn);
  record.attached.insert(in.policy_arn);
  if (record.attached.size() > k_attached_max) {
    throw LimitExceededException(fmt::format("Cannot exceed quota for PoliciesPer{}: {}",
                                             capital(noun<R>()), k_attached_max));
  }
  txn.put(record);
  txn.commit();
  return {};
}

template <class R, class Op>
typename Op::Output Iam::detach_policy(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  if (record.attached.erase(in.policy_arn) == 0) {
    throw NoSuchEntityException(fmt::format("Policy {} was not found.", in.policy_arn));
  }
  txn.put(record);
  txn.commit();
  return {};
}

template <class R, class Op>
typename Op::Output Iam::list_attached(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  std::vector<AttachedPolicy> attached;
  for (const auto& arn : require<R>(txn, owner_of(in)).attached) {
    if (!policy_path_of(arn).starts_with(in.path_prefix.value_or("/"))) continue;
    attached.push_back({.policy_name = policy_name_of(arn), .policy_arn = arn});
  }
  typename Op::Output out;
  out.attached_policies =
      page(std::move(attached), in, out, [](const auto& policy) { return *policy.policy_name; });
  return out;
}

template <class R, class Op>
typename Op::Output Iam::put_boundary(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  require_managed(txn, in.permissions_boundary);
  record.boundary = in.permissions_boundary;
  txn.put(record);
  txn.commit();
  return {};
}

template <class R, class Op>
typename Op::Output Iam::delete_boundary(Call& call, const typename Op::Input& in) {
  auto txn = store_.begin(call.global_scope());
  R record = require_for_update<R>(txn, owner_of(in));
  record.boundary.clear();
  txn.put(record);
  txn.commit();
  return {};
}

}  // namespace tarn::iam
