// SPDX-License-Identifier: Apache-2.0
// IAM: users, groups, roles, policies, access keys, instance profiles. Handlers only; what they
// decide stands in principals.hpp, sessions and keys in identity_store.hpp.
#pragma once
#include "aws/iam/operations.hpp"
#include "platform/service.hpp"
#include "services/iam/identity_store.hpp"
#include "services/iam/principals.hpp"
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
  void tag_operations(platform::OpTable& t);

  // Handlers of users, groups and roles alike (principal_handlers.hpp).
  template <class R, class Op>
  typename Op::Output put_policy(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output get_policy_of(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output list_policies_of(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output delete_policy_of(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output attach_policy(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output detach_policy(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output list_attached(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output put_boundary(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output delete_boundary(Call&, const typename Op::Input&);
  // Of policies and instance profiles, too (tags.cpp).
  template <class R, class Op>
  typename Op::Output tag(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output untag(Call&, const typename Op::Input&);
  template <class R, class Op>
  typename Op::Output list_tags(Call&, const typename Op::Input&);
  void forget_keys_of(Call& call, const std::string& user);
  // The ARN that policies know a thing by; its path is in the record only.
  template <class R>
  std::string arn_of(Call& call, const std::string& name);

  CreateUserOutput create_user(Call&, const CreateUserInput&);
  GetUserOutput get_user(Call&, const GetUserInput&);
  ListUsersOutput list_users(Call&, const ListUsersInput&);
  DeleteUserOutput delete_user(Call&, const DeleteUserInput&);
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

  CreateRoleOutput create_role(Call&, const CreateRoleInput&);
  GetRoleOutput get_role(Call&, const GetRoleInput&);
  ListRolesOutput list_roles(Call&, const ListRolesInput&);
  UpdateRoleDescriptionOutput update_role_description(Call&, const UpdateRoleDescriptionInput&);
  UpdateRoleOutput update_role(Call&, const UpdateRoleInput&);
  UpdateAssumeRolePolicyOutput update_assume_role_policy(Call&, const UpdateAssumeRolePolicyInput&);
  DeleteRoleOutput delete_role(Call&, const DeleteRoleInput&);
  CreateInstanceProfileOutput create_instance_profile(Call&, const CreateInstanceProfileInput&);
  GetInstanceProfileOutput get_instance_profile(Call&, const GetInstanceProfileInput&);
  DeleteInstanceProfileOutput delete_instance_profile(Call&, const DeleteInstanceProfileInput&);
  AddRoleToInstanceProfileOutput add_role_to_instance_profile(Call&,
                                                              const AddRoleToInstanceProfileInput&);
  RemoveRoleFromInstanceProfileOutput remove_role_from_instance_profile(
      Call&, const RemoveRoleFromInstanceProfileInput&);
  ListInstanceProfilesOutput list_instance_profiles(Call&, const ListInstanceProfilesInput&);
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

template <class R>
std::string Iam::arn_of(Call& call, const std::string& name) {
  auto txn = store_.begin(call.global_scope());
  const auto record = txn.peek<R>(name);
  return record ? record->arn : make_arn(call.account(), arn_kind<R>(), "/", name);
}

}  // namespace tarn::iam
