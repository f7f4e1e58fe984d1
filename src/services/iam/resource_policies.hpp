// SPDX-License-Identifier: Apache-2.0
// What IAM's resource types share: roles, users and groups carry policies in the same way, but by
// operations of different names. Tasks only; they are awaited while the request lives.
#pragma once
#include "aws/iam/operations.hpp"
#include "platform/operation_resource.hpp"

namespace tarn::iam {

using platform::ResourceRequest;

inline constexpr const char* k_exists = "EntityAlreadyExists";
inline constexpr const char* k_gone = "NoSuchEntity";

struct RolePolicies {
  using Put = PutRolePolicy;
  using Delete = DeleteRolePolicy;
  using Attach = AttachRolePolicy;
  using Detach = DetachRolePolicy;
  static void name(auto& in, const std::string& name) { in.role_name = name; }
};
struct UserPolicies {
  using Put = PutUserPolicy;
  using Delete = DeleteUserPolicy;
  using Attach = AttachUserPolicy;
  using Detach = DetachUserPolicy;
  static void name(auto& in, const std::string& name) { in.user_name = name; }
};
struct GroupPolicies {
  using Put = PutGroupPolicy;
  using Delete = DeleteGroupPolicy;
  using Attach = AttachGroupPolicy;
  using Detach = DetachGroupPolicy;
  static void name(auto& in, const std::string& name) { in.group_name = name; }
};

inline bool is_update(const ResourceRequest& request) {
  const auto* before = request.previous_properties.if_object();
  return before && !before->empty();
}

// False when what the call names does not exist.
template <class Op>
Task<bool> invoke_if_there(const ResourceRequest& request, typename Op::Input in) {
  try {
    co_await request.call->invoke<Op>(std::move(in));
  } catch (const aws::ApiError& error) {
    if (error.code != k_gone) throw;
    co_return false;
  }
  co_return true;
}

template <class Kind>
Task<void> drop_inline(const ResourceRequest& request, std::string owner, std::string policy) {
  typename Kind::Delete::Input in;
  Kind::name(in, owner);
  in.policy_name = std::move(policy);
  co_await invoke_if_there<typename Kind::Delete>(request, std::move(in));
}

template <class Kind>
Task<void> drop_managed(const ResourceRequest& request, std::string owner, std::string arn) {
  typename Kind::Detach::Input in;
  Kind::name(in, owner);
  in.policy_arn = std::move(arn);
  co_await invoke_if_there<typename Kind::Detach>(request, std::move(in));
}

inline std::vector<std::string> inline_names(const Json& properties) {
  std::vector<std::string> names;
  const Json* policies = find_member(properties, "Policies");
  if (!policies || !policies->is_array()) return names;
  for (const Json& policy : policies->get_array()) names.push_back(string_or(policy, "PolicyName"));
  return names;
}

// ManagedPolicyArns and Policies of the principal that the physical id names.
template <class Kind>
Task<void> settle_policies(const ResourceRequest& request) {
  const std::string& owner = request.physical_id;
  const auto arns = platform::text_list(request.properties, "ManagedPolicyArns");
  const auto former_arns = platform::text_list(request.previous_properties, "ManagedPolicyArns");
  for (const auto& arn : arns) {
    typename Kind::Attach::Input in;
    Kind::name(in, owner);
    in.policy_arn = arn;
    co_await request.call->invoke<typename Kind::Attach>(std::move(in));
  }
  for (const auto& arn : platform::missing_from(arns, former_arns)) {
    co_await drop_managed<Kind>(request, owner, arn);
  }
  if (const Json* policies = find_member(request.properties, "Policies")) {
    for (const Json& policy : policies->as_array()) {
      typename Kind::Put::Input in;
      Kind::name(in, owner);
      in.policy_name = string_or(policy, "PolicyName");
      in.policy_document = platform::document_text(policy, "PolicyDocument");
      co_await request.call->invoke<typename Kind::Put>(std::move(in));
    }
  }
  const auto dropped = platform::missing_from(inline_names(request.properties),
                                              inline_names(request.previous_properties));
  for (const auto& name : dropped) co_await drop_inline<Kind>(request, owner, name);
}

template <class Kind>
Task<void> erase_policies(const ResourceRequest& request) {
  for (const auto& arn : platform::text_list(request.properties, "ManagedPolicyArns")) {
    co_await drop_managed<Kind>(request, request.physical_id, arn);
  }
  for (const auto& name : inline_names(request.properties)) {
    co_await drop_inline<Kind>(request, request.physical_id, name);
  }
}

inline Task<void> join_group(const ResourceRequest& request, std::string group, std::string user) {
  AddUserToGroupInput in{.group_name = std::move(group), .user_name = std::move(user)};
  co_await request.call->invoke<AddUserToGroup>(std::move(in));
}

inline Task<void> leave_group(const ResourceRequest& request, std::string group, std::string user) {
  RemoveUserFromGroupInput in{.group_name = std::move(group), .user_name = std::move(user)};
  co_await invoke_if_there<RemoveUserFromGroup>(request, std::move(in));
}

inline bool are_our_tags(const std::optional<std::vector<Tag>>& shapes,
                         const ResourceRequest& request) {
  platform::ResourceTags tags;
  if (shapes) {
    for (const auto& tag : *shapes) tags[tag.key] = tag.value;
  }
  return platform::are_our_tags(tags, request);
}

}  // namespace tarn::iam
