// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "platform/testing/service_house.hpp"
#include "services/iam/service.hpp"

namespace tarn::iam {
namespace {

constexpr const char* k_trust =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":
    {"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]})";
constexpr const char* k_read =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]})";
constexpr const char* k_write =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Put*","Resource":"*"}]})";
constexpr const char* k_managed = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

class IamResources : public testing::Test {
 protected:
  IamResources() {
    house_.add<Iam>();
    house_.start();
  }
  std::vector<std::string> inline_policies(const std::string& role) {
    return house_.ask<ListRolePolicies>({.role_name = role}).policy_names;
  }
  std::size_t attached_policies(const std::string& role) {
    return house_.ask<ListAttachedRolePolicies>({.role_name = role}).attached_policies->size();
  }
  std::string role_with(const std::string& more, const char* trust = k_trust) {
    return std::string(R"({"AssumeRolePolicyDocument":)") + trust + more + "}";
  }
  void make_role(const std::string& name) {
    house_.ask<CreateRole>({.role_name = name, .assume_role_policy_document = k_trust});
  }
  platform::testing::ServiceHouse house_;
};

TEST_F(IamResources, a_role_is_made_changed_and_removed_with_its_policies) {
  const std::string type = "AWS::IAM::Role";
  const std::string first = std::string(R"(,"Policies":[{"PolicyName":"a","PolicyDocument":)") +
                            k_read + R"(},{"PolicyName":"b","PolicyDocument":)" + k_read +
                            R"(}],"ManagedPolicyArns":[")" + k_managed + R"("])";
  auto request = house_.resource(type, role_with(first));
  const auto made = house_.create(type, request);
  const std::string role = request.physical_id;
  EXPECT_EQ(string_or(made.attributes, "Arn"), "arn:aws:iam::000000000000:role/" + role);
  house_.create(type, request);  // again, after a crash
  EXPECT_EQ(inline_policies(role), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(attached_policies(role), 1U);
  const std::string second = std::string(R"(,"MaxSessionDuration":7200,"Description":"d",
      "PermissionsBoundary":")") +
                             k_managed + R"(","Policies":[{"PolicyName":"b","PolicyDocument":)" +
                             k_write + "}]";
  house_.update(type, request, role_with(second));
  EXPECT_EQ(inline_policies(role), (std::vector<std::string>{"b"}));
  EXPECT_EQ(attached_policies(role), 0U);
  const auto shown = house_.ask<GetRole>({.role_name = role}).role;
  EXPECT_EQ(shown.max_session_duration, 7200);
  EXPECT_EQ(shown.permissions_boundary->permissions_boundary_arn, k_managed);
  house_.update(type, request, role_with(""));
  EXPECT_FALSE(house_.ask<GetRole>({.role_name = role}).role.permissions_boundary);
  house_.remove(type, request);
  house_.remove(type, request);
  EXPECT_NE(house_.refusal<GetRole>({.role_name = role}), "");
}

TEST_F(IamResources, an_inline_policy_follows_its_name_and_roles) {
  make_role("one");
  make_role("two");
  const std::string type = "AWS::IAM::Policy";
  const auto properties = [](const char* name, const char* roles) {
    return std::string(R"({"PolicyName":")") + name + R"(","PolicyDocument":)" + k_read +
           R"(,"Roles":)" + roles + "}";
  };
  auto request = house_.resource(type, properties("p", R"(["one","two"])"));
  house_.create(type, request);
  house_.create(type, request);
  EXPECT_EQ(inline_policies("one"), (std::vector<std::string>{"p"}));
  house_.update(type, request, properties("q", R"(["two"])"));
  EXPECT_TRUE(inline_policies("one").empty());
  EXPECT_EQ(inline_policies("two"), (std::vector<std::string>{"q"}));
  house_.remove(type, request);
  EXPECT_TRUE(inline_policies("two").empty());
  auto nobody = house_.resource(type, properties("p", "[]"));
  EXPECT_THROW(house_.create(type, nobody), aws::ApiError);
}

TEST_F(IamResources, a_managed_policy_keeps_five_versions) {
  make_role("one");
  const std::string type = "AWS::IAM::ManagedPolicy";
  const auto properties = [](const std::string& document) {
    return R"({"Path":"/team/","Roles":["one"],"PolicyDocument":)" + document + "}";
  };
  auto request = house_.resource(type, properties(k_read));
  house_.create(type, request);
  EXPECT_TRUE(request.physical_id.starts_with("arn:aws:iam::000000000000:policy/team/stack-Thing"));
  EXPECT_EQ(attached_policies("one"), 1U);
  for (int i = 0; i < 6; ++i) {
    house_.update(type, request, properties(i % 2 == 0 ? k_write : k_read));
  }
  EXPECT_EQ(house_.ask<GetPolicy>({.policy_arn = request.physical_id}).policy->default_version_id,
            "v7");
  house_.remove(type, request);
  house_.remove(type, request);
  EXPECT_EQ(attached_policies("one"), 0U);
}

TEST_F(IamResources, a_user_has_groups_and_keys) {
  auto group = house_.resource("AWS::IAM::Group", R"({"GroupName":"analysts"})", "Group");
  house_.create("AWS::IAM::Group", group);
  const std::string type = "AWS::IAM::User";
  auto user = house_.resource(type, R"({"UserName":"ada","Groups":["analysts"]})");
  const auto made = house_.create(type, user);
  EXPECT_EQ(string_or(made.attributes, "Arn"), "arn:aws:iam::000000000000:user/ada");
  EXPECT_EQ(house_.ask<GetGroup>({.group_name = "analysts"}).users.size(), 1U);
  house_.create(type, user);  // again, after a crash: the tags say that it is ours

  const std::string key_type = "AWS::IAM::AccessKey";
  auto key = house_.resource(key_type, R"({"UserName":"ada"})", "Key");
  const auto secret = house_.create(key_type, key);
  EXPECT_EQ(secret.attributes.at("SecretAccessKey").as_string().size(), 40U);
  house_.update(key_type, key, R"({"UserName":"ada","Status":"Inactive"})");
  const auto keys = house_.ask<ListAccessKeys>({.user_name = "ada"}).access_key_metadata;
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].status, "Inactive");
  house_.remove(key_type, key);

  house_.update(type, user, R"({"UserName":"ada","Groups":[]})");
  EXPECT_TRUE(house_.ask<GetGroup>({.group_name = "analysts"}).users.empty());
  const std::string addition_type = "AWS::IAM::UserToGroupAddition";
  auto addition = house_.resource(addition_type, R"({"GroupName":"analysts","Users":["ada"]})");
  house_.create(addition_type, addition);
  EXPECT_EQ(house_.ask<GetGroup>({.group_name = "analysts"}).users.size(), 1U);
  house_.remove(addition_type, addition);
  house_.remove(type, user);
  house_.remove("AWS::IAM::Group", group);
  EXPECT_NE(house_.refusal<GetUser>({.user_name = "ada"}), "");
}

TEST_F(IamResources, a_broken_off_access_key_is_replaced) {
  house_.ask<CreateUser>({.user_name = "ada"});
  const std::string type = "AWS::IAM::AccessKey";
  auto key = house_.resource(type, R"({"UserName":"ada"})", "Key");
  key.state = "before:";                              // committed by the first step
  house_.ask<CreateAccessKey>({.user_name = "ada"});  // the second, whose answer was lost
  house_.create(type, key);
  const auto keys = house_.ask<ListAccessKeys>({.user_name = "ada"}).access_key_metadata;
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].access_key_id, key.physical_id);
}

TEST_F(IamResources, what_others_made_is_not_taken_over) {
  make_role("theirs");
  auto role = house_.resource("AWS::IAM::Role", role_with(R"(,"RoleName":"theirs")"));
  EXPECT_THROW(house_.create("AWS::IAM::Role", role), aws::ApiError);
  house_.ask<CreateGroup>({.group_name = "theirs"});
  auto group = house_.resource("AWS::IAM::Group", R"({"GroupName":"theirs"})");
  EXPECT_THROW(house_.create("AWS::IAM::Group", group), aws::ApiError);
}

TEST_F(IamResources, an_instance_profile_has_its_role) {
  make_role("one");
  make_role("two");
  const std::string type = "AWS::IAM::InstanceProfile";
  auto profile = house_.resource(type, R"({"Roles":["one"]})");
  house_.create(type, profile);
  house_.update(type, profile, R"({"Roles":["two"]})");
  const auto shown = house_.ask<GetInstanceProfile>({.instance_profile_name = profile.physical_id});
  ASSERT_EQ(shown.instance_profile.roles.size(), 1U);
  EXPECT_EQ(shown.instance_profile.roles[0].role_name, "two");
  house_.remove(type, profile);
  house_.remove(type, profile);
}

}  // namespace
}  // namespace tarn::iam
