// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of IAM: principals, policies and what ties them together.
#include <fmt/format.h>

#include "aws/iam/errors.hpp"
#include "base/strings.hpp"
#include "services/iam/resource_policies.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

class RoleType : public platform::OperationResource {
 public:
  RoleType()
      : OperationResource({.name = "AWS::IAM::Role",
                           .properties = {"RoleName", "AssumeRolePolicyDocument", "Path",
                                          "Policies", "ManagedPolicyArns", "Description",
                                          "MaxSessionDuration", "PermissionsBoundary", "Tags"},
                           .replacing = {"RoleName", "Path"},
                           .required = {"AssumeRolePolicyDocument"},
                           .name_property = "RoleName",
                           .name_length_max = 64,
                           .exists = {k_exists},
                           .gone = {k_gone}}) {}

 protected:
  static std::optional<std::int32_t> session_seconds(const ResourceRequest& request) {
    const Json* given = find_member(request.properties, "MaxSessionDuration");
    return given ? std::optional(given->to_number<std::int32_t>()) : std::nullopt;
  }

  Task<void> make(ResourceRequest& request) const override {
    CreateRoleInput in;
    in.role_name = request.physical_id;
    in.path = find_string(request.properties, "Path");
    in.assume_role_policy_document =
        platform::document_text(request.properties, "AssumeRolePolicyDocument");
    in.description = find_string(request.properties, "Description");
    in.max_session_duration = session_seconds(request);
    in.permissions_boundary = find_string(request.properties, "PermissionsBoundary");
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateRole>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    GetRoleInput in{.role_name = request.physical_id};
    const auto out = co_await request.call->invoke<GetRole>(std::move(in));
    co_return are_our_tags(out.role.tags, request);
  }

  static Task<void> change(ResourceRequest& request) {
    const std::string& name = request.physical_id;
    UpdateRoleInput role{.role_name = name};
    role.description = string_or(request.properties, "Description");
    role.max_session_duration = session_seconds(request).value_or(3600);
    co_await request.call->invoke<UpdateRole>(std::move(role));
    UpdateAssumeRolePolicyInput trust{.role_name = name};
    trust.policy_document = platform::document_text(request.properties, "AssumeRolePolicyDocument");
    co_await request.call->invoke<UpdateAssumeRolePolicy>(std::move(trust));
    if (auto boundary = find_string(request.properties, "PermissionsBoundary")) {
      PutRolePermissionsBoundaryInput in{.role_name = name, .permissions_boundary = *boundary};
      co_await request.call->invoke<PutRolePermissionsBoundary>(std::move(in));
    } else if (find_member(request.previous_properties, "PermissionsBoundary")) {
      DeleteRolePermissionsBoundaryInput in{.role_name = name};
      co_await request.call->invoke<DeleteRolePermissionsBoundary>(std::move(in));
    }
    TagRoleInput add{.role_name = name};
    add.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<TagRole>(std::move(add));
    UntagRoleInput drop{.role_name = name, .tag_keys = platform::dropped_tags(request)};
    co_await request.call->invoke<UntagRole>(std::move(drop));
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (is_update(request)) co_await change(request);
    co_await settle_policies<RolePolicies>(request);
    GetRoleInput in{.role_name = request.physical_id};
    const auto out = co_await request.call->invoke<GetRole>(std::move(in));
    co_return JsonObject{{"Arn", out.role.arn}, {"RoleId", out.role.role_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    co_await erase_policies<RolePolicies>(request);
    DeleteRoleInput in{.role_name = request.physical_id};
    co_await request.call->invoke<DeleteRole>(std::move(in));
  }
};

class UserType : public platform::OperationResource {
 public:
  UserType()
      : OperationResource({.name = "AWS::IAM::User",
                           .properties = {"UserName", "Path", "Groups", "Policies",
                                          "ManagedPolicyArns", "PermissionsBoundary", "Tags"},
                           .replacing = {"UserName", "Path"},
                           .name_property = "UserName",
                           .name_length_max = 64,
                           .exists = {k_exists},
                           .gone = {k_gone}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    CreateUserInput in;
    in.user_name = request.physical_id;
    in.path = find_string(request.properties, "Path");
    in.permissions_boundary = find_string(request.properties, "PermissionsBoundary");
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateUser>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    GetUserInput in{.user_name = request.physical_id};
    const auto out = co_await request.call->invoke<GetUser>(std::move(in));
    co_return are_our_tags(out.user.tags, request);
  }

  static Task<void> change(ResourceRequest& request) {
    const std::string& name = request.physical_id;
    if (auto boundary = find_string(request.properties, "PermissionsBoundary")) {
      PutUserPermissionsBoundaryInput in{.user_name = name, .permissions_boundary = *boundary};
      co_await request.call->invoke<PutUserPermissionsBoundary>(std::move(in));
    } else if (find_member(request.previous_properties, "PermissionsBoundary")) {
      DeleteUserPermissionsBoundaryInput in{.user_name = name};
      co_await request.call->invoke<DeleteUserPermissionsBoundary>(std::move(in));
    }
    TagUserInput add{.user_name = name};
    add.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<TagUser>(std::move(add));
    UntagUserInput drop{.user_name = name, .tag_keys = platform::dropped_tags(request)};
    co_await request.call->invoke<UntagUser>(std::move(drop));
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (is_update(request)) co_await change(request);
    co_await settle_policies<UserPolicies>(request);
    const auto groups = platform::text_list(request.properties, "Groups");
    const auto before = platform::text_list(request.previous_properties, "Groups");
    for (const auto& group : groups) co_await join_group(request, group, request.physical_id);
    for (const auto& group : platform::missing_from(groups, before)) {
      co_await leave_group(request, group, request.physical_id);
    }
    GetUserInput in{.user_name = request.physical_id};
    const auto out = co_await request.call->invoke<GetUser>(std::move(in));
    co_return JsonObject{{"Arn", out.user.arn}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    for (const auto& group : platform::text_list(request.properties, "Groups")) {
      co_await leave_group(request, group, request.physical_id);
    }
    co_await erase_policies<UserPolicies>(request);
    DeleteUserInput in{.user_name = request.physical_id};
    co_await request.call->invoke<DeleteUser>(std::move(in));
  }
};

class GroupType : public platform::OperationResource {
 public:
  GroupType()
      : OperationResource({.name = "AWS::IAM::Group",
                           .properties = {"GroupName", "Path", "Policies", "ManagedPolicyArns"},
                           .replacing = {"GroupName", "Path"},
                           .name_property = "GroupName",
                           .name_length_max = 128,
                           .exists = {k_exists},
                           .gone = {k_gone}}) {}

  // Groups have no tags that could say whose they are: so a step before the making finds that there
  // is none of that name, and commits that.
  Task<platform::ResourceProgress> create(ResourceRequest request) const override {
    if (is_named(request) && request.state.empty()) {
      GetGroupInput in{.group_name = request.physical_id};
      const bool found = co_await invoke_if_there<GetGroup>(request, std::move(in));
      if (found) {
        throw EntityAlreadyExistsException(
            fmt::format("Group with name {} already exists.", request.physical_id));
      }
      platform::ResourceProgress progress;
      progress.status = platform::ResourceProgress::Status::pending;
      progress.state = "absent";
      progress.retry_after = std::chrono::milliseconds(0);
      co_return progress;
    }
    co_return co_await OperationResource::create(std::move(request));
  }

 protected:
  Task<void> make(ResourceRequest& request) const override {
    CreateGroupInput in;
    in.group_name = request.physical_id;
    in.path = find_string(request.properties, "Path");
    co_await request.call->invoke<CreateGroup>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest&) const override { co_return true; }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    co_await settle_policies<GroupPolicies>(request);
    GetGroupInput in{.group_name = request.physical_id};
    const auto out = co_await request.call->invoke<GetGroup>(std::move(in));
    co_return JsonObject{{"Arn", out.group.arn}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    co_await erase_policies<GroupPolicies>(request);
    DeleteGroupInput in{.group_name = request.physical_id};
    co_await request.call->invoke<DeleteGroup>(std::move(in));
  }
};

// A policy written into its principals.
class PolicyType : public platform::OperationResource {
 public:
  PolicyType()
      : OperationResource(
            {.name = "AWS::IAM::Policy",
             .properties = {"PolicyName", "PolicyDocument", "Roles", "Users", "Groups"},
             .required = {"PolicyName", "PolicyDocument"},
             .name_length_max = 128,
             .gone = {k_gone}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    const Json& properties = request.properties;
    if (platform::text_list(properties, "Roles").empty() &&
        platform::text_list(properties, "Users").empty() &&
        platform::text_list(properties, "Groups").empty()) {
      throw InvalidInputException("At least one of [Groups,Roles,Users] must be non-empty.");
    }
    co_return;
  }

  template <class Kind>
  static Task<void> write(const ResourceRequest& request, const char* list) {
    const std::string policy = string_or(request.properties, "PolicyName");
    const std::string former = string_or(request.previous_properties, "PolicyName");
    const auto now = platform::text_list(request.properties, list);
    const auto before = platform::text_list(request.previous_properties, list);
    const auto dropped = former == policy ? platform::missing_from(now, before) : before;
    for (const auto& name : now) {
      typename Kind::Put::Input in;
      Kind::name(in, name);
      in.policy_name = policy;
      in.policy_document = platform::document_text(request.properties, "PolicyDocument");
      co_await request.call->invoke<typename Kind::Put>(std::move(in));
    }
    for (const auto& name : dropped) co_await drop_inline<Kind>(request, name, former);
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    co_await write<RolePolicies>(request, "Roles");
    co_await write<UserPolicies>(request, "Users");
    co_await write<GroupPolicies>(request, "Groups");
    co_return JsonObject{{"Id", request.physical_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    const std::string policy = string_or(request.properties, "PolicyName");
    for (const auto& name : platform::text_list(request.properties, "Roles")) {
      co_await drop_inline<RolePolicies>(request, name, policy);
    }
    for (const auto& name : platform::text_list(request.properties, "Users")) {
      co_await drop_inline<UserPolicies>(request, name, policy);
    }
    for (const auto& name : platform::text_list(request.properties, "Groups")) {
      co_await drop_inline<GroupPolicies>(request, name, policy);
    }
  }
};

// One policy of one principal; it is made by the operation that changes it. Such policies have no
// tags that could say whose they are: so a step before the making finds that there is none of that
// name, and commits that by the physical id.
template <class Kind, class Get>
class InlinePolicyType : public platform::OperationResource {
 public:
  InlinePolicyType(std::string_view type, const std::string& owner)
      : OperationResource({.name = type,
                           .properties = {"PolicyName", "PolicyDocument", owner},
                           .replacing = {"PolicyName", owner},
                           .required = {"PolicyName", owner},
                           .gone = {k_gone}}),
        owner_(owner) {}

  Task<platform::ResourceProgress> create(ResourceRequest request) const override {
    if (!request.physical_id.empty()) co_return co_await OperationResource::create(request);
    const std::string id = policy_of(request) + "|" + owner_of(request);
    typename Get::Input in;
    Kind::name(in, owner_of(request));
    in.policy_name = policy_of(request);
    const bool found = co_await invoke_if_there<Get>(request, std::move(in));
    if (found) {
      throw aws::ApiError(
          "AlreadyExists",
          fmt::format("Resource of type '{}' with identifier '{}' already exists.", name(), id));
    }
    co_return platform::ResourceProgress{.status = platform::ResourceProgress::Status::pending,
                                         .physical_id = id,
                                         .retry_after = std::chrono::milliseconds(0)};
  }

 protected:
  static std::string policy_of(const ResourceRequest& request) {
    return string_or(request.properties, "PolicyName");
  }
  std::string owner_of(const ResourceRequest& request) const {
    return string_or(request.properties, owner_);
  }

  Task<void> make(ResourceRequest&) const override { co_return; }  // see `settle`

  Task<JsonObject> settle(ResourceRequest& request) const override {
    typename Kind::Put::Input in;
    Kind::name(in, owner_of(request));
    in.policy_name = policy_of(request);
    in.policy_document = platform::document_text(request.properties, "PolicyDocument");
    co_await request.call->invoke<typename Kind::Put>(std::move(in));
    co_return JsonObject();
  }

  Task<void> erase(ResourceRequest& request) const override {
    std::string owner = owner_of(request);
    std::string policy = policy_of(request);
    co_await drop_inline<Kind>(request, std::move(owner), std::move(policy));
  }

 private:
  std::string owner_;  // the property that names the principal
};

using RolePolicyType = InlinePolicyType<RolePolicies, GetRolePolicy>;
using UserPolicyType = InlinePolicyType<UserPolicies, GetUserPolicy>;
using GroupPolicyType = InlinePolicyType<GroupPolicies, GetGroupPolicy>;

class ManagedPolicyType : public platform::OperationResource {
 public:
  ManagedPolicyType()
      : OperationResource({.name = "AWS::IAM::ManagedPolicy",
                           .properties = {"ManagedPolicyName", "PolicyDocument", "Path",
                                          "Description", "Roles", "Users", "Groups"},
                           .replacing = {"ManagedPolicyName", "Path", "Description"},
                           .required = {"PolicyDocument"},
                           .name_property = "ManagedPolicyName",
                           .name_length_max = 128,
                           .exists = {k_exists},
                           .gone = {k_gone}}) {}

 protected:
  // The physical id is the ARN; before the policy is made, only its name.
  static std::string arn_of(const ResourceRequest& request) {
    if (request.physical_id.starts_with("arn:")) return request.physical_id;
    return fmt::format("arn:aws:iam::{}:policy{}{}", request.call->account(),
                       string_or(request.properties, "Path", "/"), request.physical_id);
  }

  Task<void> make(ResourceRequest& request) const override {
    CreatePolicyInput in;
    in.policy_name = request.physical_id.substr(request.physical_id.rfind('/') + 1);
    in.path = find_string(request.properties, "Path");
    in.description = find_string(request.properties, "Description");
    in.policy_document = platform::document_text(request.properties, "PolicyDocument");
    in.tags = platform::tag_shapes<Tag>(request.tags);
    co_await request.call->invoke<CreatePolicy>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    GetPolicyInput in{.policy_arn = arn_of(request)};
    const auto out = co_await request.call->invoke<GetPolicy>(std::move(in));
    co_return are_our_tags(out.policy->tags, request);
  }

  // A policy keeps five versions: the oldest that is not in force makes room.
  static Task<void> new_version(ResourceRequest& request) {
    ListPolicyVersionsInput list{.policy_arn = request.physical_id};
    const auto known = co_await request.call->invoke<ListPolicyVersions>(std::move(list));
    if (known.versions && known.versions->size() >= 5) {
      for (auto oldest = known.versions->rbegin(); oldest != known.versions->rend(); ++oldest) {
        if (oldest->is_default_version.value_or(false)) continue;
        DeletePolicyVersionInput in{.policy_arn = request.physical_id,
                                    .version_id = *oldest->version_id};
        co_await request.call->invoke<DeletePolicyVersion>(std::move(in));
        break;
      }
    }
    CreatePolicyVersionInput in{.policy_arn = request.physical_id};
    in.policy_document = platform::document_text(request.properties, "PolicyDocument");
    in.set_as_default = true;
    co_await request.call->invoke<CreatePolicyVersion>(std::move(in));
  }

  template <class Kind>
  static Task<void> attach_all(const ResourceRequest& request, const char* list) {
    const auto now = platform::text_list(request.properties, list);
    const auto before = platform::text_list(request.previous_properties, list);
    for (const auto& name : now) {
      typename Kind::Attach::Input in;
      Kind::name(in, name);
      in.policy_arn = request.physical_id;
      co_await request.call->invoke<typename Kind::Attach>(std::move(in));
    }
    for (const auto& name : platform::missing_from(now, before)) {
      co_await drop_managed<Kind>(request, name, request.physical_id);
    }
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    request.physical_id = arn_of(request);
    const Json* before = find_member(request.previous_properties, "PolicyDocument");
    if (before && !json_equal(*before, request.properties.at("PolicyDocument"))) {
      co_await new_version(request);
    }
    co_await attach_all<RolePolicies>(request, "Roles");
    co_await attach_all<UserPolicies>(request, "Users");
    co_await attach_all<GroupPolicies>(request, "Groups");
    GetPolicyInput in{.policy_arn = request.physical_id};
    const auto out = co_await request.call->invoke<GetPolicy>(std::move(in));
    const auto& policy = *out.policy;
    co_return JsonObject{{"PolicyArn", request.physical_id},
                         {"PolicyId", policy.policy_id.value_or("")},
                         {"DefaultVersionId", policy.default_version_id.value_or("")},
                         {"AttachmentCount", policy.attachment_count.value_or(0)},
                         {"IsAttachable", policy.is_attachable.value_or(true)}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    request.physical_id = arn_of(request);
    for (const auto& name : platform::text_list(request.properties, "Roles")) {
      co_await drop_managed<RolePolicies>(request, name, request.physical_id);
    }
    for (const auto& name : platform::text_list(request.properties, "Users")) {
      co_await drop_managed<UserPolicies>(request, name, request.physical_id);
    }
    for (const auto& name : platform::text_list(request.properties, "Groups")) {
      co_await drop_managed<GroupPolicies>(request, name, request.physical_id);
    }
    ListPolicyVersionsInput list{.policy_arn = request.physical_id};
    const auto known = co_await request.call->invoke<ListPolicyVersions>(std::move(list));
    for (const auto& version : known.versions.value_or(std::vector<PolicyVersion>{})) {
      if (version.is_default_version.value_or(false)) continue;
      DeletePolicyVersionInput in{.policy_arn = request.physical_id,
                                  .version_id = *version.version_id};
      co_await request.call->invoke<DeletePolicyVersion>(std::move(in));
    }
    DeletePolicyInput in{.policy_arn = request.physical_id};
    co_await request.call->invoke<DeletePolicy>(std::move(in));
  }
};

class InstanceProfileType : public platform::OperationResource {
 public:
  InstanceProfileType()
      : OperationResource({.name = "AWS::IAM::InstanceProfile",
                           .properties = {"InstanceProfileName", "Path", "Roles"},
                           .replacing = {"InstanceProfileName", "Path"},
                           .required = {"Roles"},
                           .name_property = "InstanceProfileName",
                           .name_length_max = 128,
                           .exists = {k_exists},
                           .gone = {k_gone}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    CreateInstanceProfileInput in;
    in.instance_profile_name = request.physical_id;
    in.path = find_string(request.properties, "Path");
    in.tags = platform::tag_shapes<Tag>(request.tags);
    co_await request.call->invoke<CreateInstanceProfile>(std::move(in));
  }

  static Task<InstanceProfile> profile(const ResourceRequest& request) {
    GetInstanceProfileInput in{.instance_profile_name = request.physical_id};
    auto out = co_await request.call->invoke<GetInstanceProfile>(std::move(in));
    co_return std::move(out.instance_profile);
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    const auto found = co_await profile(request);
    co_return are_our_tags(found.tags, request);
  }

  static Task<void> take_out(const ResourceRequest& request, std::string role) {
    RemoveRoleFromInstanceProfileInput in{.instance_profile_name = request.physical_id,
                                          .role_name = std::move(role)};
    co_await invoke_if_there<RemoveRoleFromInstanceProfile>(request, std::move(in));
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const auto found = co_await profile(request);
    const auto roles = platform::text_list(request.properties, "Roles");
    std::vector<std::string> present;
    for (const auto& role : found.roles) present.push_back(role.role_name);
    for (const auto& role : platform::missing_from(roles, present)) {
      co_await take_out(request, role);
    }
    for (const auto& role : platform::missing_from(present, roles)) {
      AddRoleToInstanceProfileInput in{.instance_profile_name = request.physical_id,
                                       .role_name = role};
      co_await request.call->invoke<AddRoleToInstanceProfile>(std::move(in));
    }
    co_return JsonObject{{"Arn", found.arn}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    const auto found = co_await profile(request);
    for (const auto& role : found.roles) co_await take_out(request, role.role_name);
    DeleteInstanceProfileInput in{.instance_profile_name = request.physical_id};
    co_await request.call->invoke<DeleteInstanceProfile>(std::move(in));
  }
};

class UserToGroupAdditionType : public platform::OperationResource {
 public:
  UserToGroupAdditionType()
      : OperationResource({.name = "AWS::IAM::UserToGroupAddition",
                           .properties = {"GroupName", "Users"},
                           .required = {"GroupName", "Users"},
                           .name_length_max = 128,
                           .gone = {k_gone}}) {}

 protected:
  Task<void> make(ResourceRequest&) const override { co_return; }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const std::string group = string_or(request.properties, "GroupName");
    const std::string former = string_or(request.previous_properties, "GroupName");
    const auto users = platform::text_list(request.properties, "Users");
    const auto before = platform::text_list(request.previous_properties, "Users");
    for (const auto& user : users) co_await join_group(request, group, user);
    const auto dropped = former == group ? platform::missing_from(users, before) : before;
    for (const auto& user : dropped) co_await leave_group(request, former, user);
    co_return JsonObject{{"Id", request.physical_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    const std::string group = string_or(request.properties, "GroupName");
    for (const auto& user : platform::text_list(request.properties, "Users")) {
      co_await leave_group(request, group, user);
    }
  }
};

// The secret is told once, at creation. A key that a broken-off creation left is useless, so it
// goes: the first step commits which keys there were before.
class AccessKeyType : public platform::OperationResource {
 public:
  AccessKeyType()
      : OperationResource({.name = "AWS::IAM::AccessKey",
                           .properties = {"UserName", "Status", "Serial"},
                           .replacing = {"UserName", "Serial"},
                           .required = {"UserName"},
                           .gone = {k_gone}}) {}

  Task<platform::ResourceProgress> create(ResourceRequest request) const override {
    const auto keys = co_await keys_of(request);
    if (request.state.empty()) {
      platform::ResourceProgress progress;
      progress.status = platform::ResourceProgress::Status::pending;
      progress.state = "before:" + join(keys, ",");
      progress.retry_after = std::chrono::milliseconds(0);
      co_return progress;
    }
    const auto before = split(request.state.substr(request.state.find(':') + 1), ',');
    for (const auto& key : platform::missing_from(before, keys)) co_await drop(request, key);
    CreateAccessKeyInput in{.user_name = string_or(request.properties, "UserName")};
    const auto made = co_await request.call->invoke<CreateAccessKey>(std::move(in));
    request.physical_id = made.access_key.access_key_id;
    platform::ResourceProgress progress;
    progress.physical_id = request.physical_id;
    progress.attributes = co_await settle(request);
    progress.attributes["SecretAccessKey"] = made.access_key.secret_access_key;
    co_return progress;
  }

 protected:
  static Task<std::vector<std::string>> keys_of(const ResourceRequest& request) {
    ListAccessKeysInput in{.user_name = string_or(request.properties, "UserName")};
    const auto out = co_await request.call->invoke<ListAccessKeys>(std::move(in));
    std::vector<std::string> keys;
    for (const auto& key : out.access_key_metadata) {
      if (key.access_key_id) keys.push_back(*key.access_key_id);
    }
    co_return keys;
  }

  static Task<void> drop(const ResourceRequest& request, std::string key) {
    DeleteAccessKeyInput in{.user_name = string_or(request.properties, "UserName"),
                            .access_key_id = std::move(key)};
    co_await request.call->invoke<DeleteAccessKey>(std::move(in));
  }

  Task<void> make(ResourceRequest&) const override { co_return; }  // see `create`

  Task<JsonObject> settle(ResourceRequest& request) const override {
    UpdateAccessKeyInput in{.user_name = string_or(request.properties, "UserName"),
                            .access_key_id = request.physical_id,
                            .status = string_or(request.properties, "Status", "Active")};
    co_await request.call->invoke<UpdateAccessKey>(std::move(in));
    co_return JsonObject{{"Id", request.physical_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    if (!request.physical_id.empty()) co_await drop(request, request.physical_id);
  }
};

}  // namespace

void Iam::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<RoleType>());
  types.add(std::make_unique<UserType>());
  types.add(std::make_unique<GroupType>());
  types.add(std::make_unique<PolicyType>());
  types.add(std::make_unique<RolePolicyType>("AWS::IAM::RolePolicy", "RoleName"));
  types.add(std::make_unique<UserPolicyType>("AWS::IAM::UserPolicy", "UserName"));
  types.add(std::make_unique<GroupPolicyType>("AWS::IAM::GroupPolicy", "GroupName"));
  types.add(std::make_unique<ManagedPolicyType>());
  types.add(std::make_unique<InstanceProfileType>());
  types.add(std::make_unique<UserToGroupAdditionType>());
  types.add(std::make_unique<AccessKeyType>());
}

}  // namespace tarn::iam
