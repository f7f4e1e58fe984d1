// SPDX-License-Identifier: Apache-2.0
// IAM: users, groups, roles, policies, access keys, instance profiles. Handlers only; what they
// decide stands in principals.hpp, sessions and keys in identity_store.hpp.
#pragma once
#include "aws/iam/operations.hpp"
#include "platform/service.hpp"
#include "services/iam/identity_store.hpp"
#include "services/iam/records.hpp"

namespace tarn::iam {

class Iam : public platform::ServiceOf<Iam> {
 public:
  explicit Iam(platform::Environment& environment);
  std::string_view name() const override { return "iam"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;
  platform::IdentityStore& identities() { return identities_; }
  // The root key: from the environment, or made at first start.
  platform::Credentials root_key() { return identities_.root_key(); }

 private:
  using Call = platform::Call;
  void user_operations(platform::OpTable& t);
  void group_operations(platform::OpTable& t);
  void role_operations(platform::OpTable& t);
  void policy_operations(platform::OpTable& t);

  CreateUserOutput create_user(Call&, const CreateUserInput&);
  GetUserOutput get_user(Call&, const GetUserInput&);
  ListUsersOutput list_users(Call&, const ListUsersInput&);
  DeleteUserOutput delete_user(Call&, const DeleteUserInput&);
  TagUserOutput tag_user(Call&, const TagUserInput&);
  UntagUserOutput untag_user(Call&, const UntagUserInput&);
  ListUserTagsOutput list_user_tags(Call&, const ListUserTagsInput&);
  PutUserPermissionsBoundaryOutput put_user_boundary(Call&, const PutUserPermissionsBoundaryInput&);
  DeleteUserPermissionsBoundaryOutput delete_user_boundary(
      Call&, const DeleteUserPermissionsBoundaryInput&);
  PutUserPolicyOutput put_user_policy(Call&, const PutUserPolicyInput&);
  GetUserPolicyOutput get_user_policy(Call&, const GetUserPolicyInput&);
  ListUserPoliciesOutput list_user_policies(Call&, const ListUserPoliciesInput&);
  DeleteUserPolicyOutput delete_user_policy(Call&, const DeleteUserPolicyInput&);
  AttachUserPolicyOutput attach_user_policy(Call&, const AttachUserPolicyInput&);
  DetachUserPolicyOutput detach_user_policy(Call&, const DetachUserPolicyInput&);
  ListAttachedUserPoliciesOutput list_attached_user_policies(Call&,
                                                             const ListAttachedUserPoliciesInput&);
  CreateAccessKeyOutput create_access_key(Call&, const CreateAccessKeyInput&);
  ListAccessKeysOutput list_access_keys(Call&, const ListAccessKeysInput&);
  UpdateAccessKeyOutput update_access_key(Call&, const UpdateAccessKeyInput&);
  DeleteAccessKeyOutput delete_access_key(Call&, const DeleteAccessKeyInput&);

  CreateGroupOutput create_group(Call&, const CreateGroupInput&);
  GetGroupOutput get_group(Call&, const GetGroupInput&);
  ListGroupsOutput list_groups(Call&, const ListGroupsInput&);
  DeleteGroupOutput delete_group(Call&, const DeleteGroupInput&);
  AddUserToGroupOutput add_user_to_group(Call&, const AddUserToGroupInput&);
  RemoveUserFromGroupOutput remove_user_from_group(Call&, const RemoveUserFromGroupInput&);
  ListGroupsForUserOutput list_groups_for_user(Call&, const ListGroupsForUserInput&);
  PutGroupPolicyOutput put_group_policy(Call&, const PutGroupPolicyInput&);
  GetGroupPolicyOutput get_group_policy(Call&, const GetGroupPolicyInput&);
  ListGroupPoliciesOutput list_group_policies(Call&, const ListGroupPoliciesInput&);
  DeleteGroupPolicyOutput delete_group_policy(Call&, const DeleteGroupPolicyInput&);
  AttachGroupPolicyOutput attach_group_policy(Call&, const AttachGroupPolicyInput&);
  DetachGroupPolicyOutput detach_group_policy(Call&, const DetachGroupPolicyInput&);
  ListAttachedGroupPoliciesOutput list_attached_group_policies(
      Call&, const ListAttachedGroupPoliciesInput&);

  CreateRoleOutput create_role(Call&, const CreateRoleInput&);
  GetRoleOutput get_role(Call&, const GetRoleInput&);
  ListRolesOutput list_roles(Call&, const ListRolesInput&);
  UpdateRoleOutput update_role(Call&, const UpdateRoleInput&);
  UpdateAssumeRolePolicyOutput update_assume_role_policy(Call&, const UpdateAssumeRolePolicyInput&);
  DeleteRoleOutput delete_role(Call&, const DeleteRoleInput&);
  TagRoleOutput tag_role(Call&, const TagRoleInput&);
  UntagRoleOutput untag_role(Call&, const UntagRoleInput&);
  ListRoleTagsOutput list_role_tags(Call&, const ListRoleTagsInput&);
  PutRolePermissionsBoundaryOutput put_role_boundary(Call&, const PutRolePermissionsBoundaryInput&);
  DeleteRolePermissionsBoundaryOutput delete_role_boundary(
      Call&, const DeleteRolePermissionsBoundaryInput&);
  PutRolePolicyOutput put_role_policy(Call&, const PutRolePolicyInput&);
  GetRolePolicyOutput get_role_policy(Call&, const GetRolePolicyInput&);
  ListRolePoliciesOutput list_role_policies(Call&, const ListRolePoliciesInput&);
  DeleteRolePolicyOutput delete_role_policy(Call&, const DeleteRolePolicyInput&);
  AttachRolePolicyOutput attach_role_policy(Call&, const AttachRolePolicyInput&);
  DetachRolePolicyOutput detach_role_policy(Call&, const DetachRolePolicyInput&);
  ListAttachedRolePoliciesOutput list_attached_role_policies(Call&,
                                                             const ListAttachedRolePoliciesInput&);
  CreateInstanceProfileOutput create_instance_profile(Call&, const CreateInstanceProfileInput&);
  GetInstanceProfileOutput get_instance_profile(Call&, const GetInstanceProfileInput&);
  DeleteInstanceProfileOutput delete_instance_profile(Call&, const DeleteInstanceProfileInput&);
  AddRoleToInstanceProfileOutput add_role_to_instance_profile(Call&,
                                                              const AddRoleToInstanceProfileInput&);
  RemoveRoleFromInstanceProfileOutput remove_role_from_instance_profile(
      Call&, const RemoveRoleFromInstanceProfileInput&);
  ListInstanceProfilesForRoleOutput list_instance_profiles_for_role(
      Call&, const ListInstanceProfilesForRoleInput&);

  CreatePolicyOutput create_policy(Call&, const CreatePolicyInput&);
  GetPolicyOutput get_policy(Call&, const GetPolicyInput&);
  ListPoliciesOutput list_policies(Call&, const ListPoliciesInput&);
  DeletePolicyOutput delete_policy(Call&, const DeletePolicyInput&);
  CreatePolicyVersionOutput create_policy_version(Call&, const CreatePolicyVersionInput&);
  GetPolicyVersionOutput get_policy_version(Call&, const GetPolicyVersionInput&);
  ListPolicyVersionsOutput list_policy_versions(Call&, const ListPolicyVersionsInput&);
  DeletePolicyVersionOutput delete_policy_version(Call&, const DeletePolicyVersionInput&);
  SetDefaultPolicyVersionOutput set_default_policy_version(Call&,
                                                           const SetDefaultPolicyVersionInput&);
  ListEntitiesForPolicyOutput list_entities_for_policy(Call&, const ListEntitiesForPolicyInput&);

  InstanceProfile shown_profile(kernel::Txn& txn, const InstanceProfileRecord& record);

  platform::Environment& environment_;
  kernel::Store& store_;
  StoredIdentities identities_;
};

}  // namespace tarn::iam
