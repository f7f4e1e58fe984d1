// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/service.hpp"

#include <gtest/gtest.h>

#include "platform/testing/service_house.hpp"

namespace tarn::secretsmanager {
namespace {

constexpr const char* k_missing =
    "ResourceNotFoundException: Secrets Manager can't find the specified secret.";
constexpr const char* k_marked =
    "InvalidRequestException: You can't perform this operation on the secret because it was marked "
    "for deletion.";

class Secrets : public testing::Test {
 protected:
  Secrets() {
    house_.add<SecretsManager>();
    house_.start();
  }
  CreateSecretOutput create(const std::string& name, const std::string& value,
                            const std::string& token = "00000000-0000-0000-0000-000000000001") {
    CreateSecretInput in{.name = name};
    in.client_request_token = token;
    in.secret_string = value;
    return house_.ask<CreateSecret>(std::move(in));
  }
  std::string put(const std::string& id, const std::string& value,
                  std::optional<std::vector<std::string>> stages = {}) {
    PutSecretValueInput in{.secret_id = id};
    in.secret_string = value;
    in.version_stages = std::move(stages);
    return *house_.ask<PutSecretValue>(std::move(in)).version_id;
  }
  std::string value(const std::string& id, std::optional<std::string> stage = {}) {
    GetSecretValueInput in{.secret_id = id};
    in.version_stage = std::move(stage);
    return *house_.ask<GetSecretValue>(std::move(in)).secret_string;
  }
  platform::testing::ServiceHouse house_;
};

TEST_F(Secrets, are_read_by_name_and_by_whole_and_partial_arn) {
  const auto made = create("app/db", "hunter2");
  const std::string arn = *made.arn;
  EXPECT_EQ(value("app/db"), "hunter2");
  EXPECT_EQ(value(arn), "hunter2");
  EXPECT_EQ(value(arn.substr(0, arn.size() - 7)), "hunter2");
  EXPECT_EQ(house_.refusal<GetSecretValue>({.secret_id = "app"}), k_missing);
  std::string other = arn;
  other.back() = other.back() == 'x' ? 'y' : 'x';
  EXPECT_EQ(house_.refusal<GetSecretValue>({.secret_id = other}), k_missing);
}

TEST_F(Secrets, made_again_with_the_same_token_and_value_are_the_same) {
  const auto first = create("s", "v");
  const auto again = create("s", "v");
  EXPECT_EQ(first.arn, again.arn);
  CreateSecretInput other{.name = "s"};
  other.secret_string = "w";
  EXPECT_EQ(house_.refusal<CreateSecret>(other),
            "ResourceExistsException: The operation failed because the secret s already exists.");
  PutSecretValueInput in{.secret_id = "s"};
  in.client_request_token = first.version_id;
  in.secret_string = "w";
  EXPECT_NE(house_.refusal<PutSecretValue>(in).find("You can't use ClientRequestToken"),
            std::string::npos);
}

TEST_F(Secrets, keep_the_current_and_the_previous_version) {
  create("s", "one");
  put("s", "two");
  EXPECT_EQ(value("s"), "two");
  EXPECT_EQ(value("s", "AWSPREVIOUS"), "one");
  const auto pending = put("s", "three", std::vector<std::string>{"AWSPENDING"});
  EXPECT_EQ(value("s"), "two");
  EXPECT_EQ(value("s", "AWSPENDING"), "three");
  UpdateSecretVersionStageInput move{.secret_id = "s", .version_stage = "AWSCURRENT"};
  move.move_to_version_id = pending;
  EXPECT_NE(house_.refusal<UpdateSecretVersionStage>(move).find("RemoveFromVersionId can't be"),
            std::string::npos);
  move.remove_from_version_id = *house_.ask<GetSecretValue>({.secret_id = "s"}).version_id;
  house_.ask<UpdateSecretVersionStage>(move);
  EXPECT_EQ(value("s"), "three");
  EXPECT_EQ(value("s", "AWSPREVIOUS"), "two");
  EXPECT_EQ(house_.ask<ListSecretVersionIds>({.secret_id = "s"}).versions->size(), 2U);
  ListSecretVersionIdsInput all{.secret_id = "s"};
  all.include_deprecated = true;
  EXPECT_EQ(house_.ask<ListSecretVersionIds>(all).versions->size(), 3U);
}

TEST_F(Secrets, deleted_can_be_restored_until_their_window_ends) {
  create("s", "v");
  DeleteSecretInput in{.secret_id = "s"};
  in.recovery_window_in_days = 7;
  const auto deleted = house_.ask<DeleteSecret>(in);
  EXPECT_EQ(deleted.deletion_date, house_.clock().now() + std::chrono::days(7));
  EXPECT_EQ(house_.refusal<GetSecretValue>({.secret_id = "s"}), k_marked);
  EXPECT_TRUE(house_.ask<ListSecrets>({}).secret_list->empty());
  EXPECT_NE(house_.refusal<CreateSecret>({.name = "s"}).find("already scheduled for deletion"),
            std::string::npos);
  house_.ask<RestoreSecret>({.secret_id = "s"});
  EXPECT_EQ(value("s"), "v");
  house_.clock().advance(std::chrono::days(8));
  house_.bus().drain();
  EXPECT_EQ(value("s"), "v");
  house_.ask<DeleteSecret>(in);
  house_.clock().advance(std::chrono::days(8));
  for (int i = 0; i < 500 && house_.refusal<DescribeSecret>({.secret_id = "s"}).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(house_.refusal<DescribeSecret>({.secret_id = "s"}), k_missing);
  EXPECT_NO_THROW(create("s", "new"));
}

TEST_F(Secrets, deleted_by_force_are_gone_at_once) {
  create("s", "v");
  DeleteSecretInput in{.secret_id = "s"};
  in.force_delete_without_recovery = true;
  house_.ask<DeleteSecret>(in);
  EXPECT_EQ(house_.refusal<DescribeSecret>({.secret_id = "s"}), k_missing);
  EXPECT_EQ(*house_.ask<DeleteSecret>(in).name, "s");  // what is not there, too
  in.recovery_window_in_days = 7;
  EXPECT_NE(house_.refusal<DeleteSecret>(in).find("in conjunction"), std::string::npos);
}

TEST_F(Secrets, tell_on_which_day_they_were_read) {
  create("s", "v");
  EXPECT_FALSE(house_.ask<DescribeSecret>({.secret_id = "s"}).last_accessed_date);
  value("s");
  const auto day = *house_.ask<DescribeSecret>({.secret_id = "s"}).last_accessed_date;
  EXPECT_EQ(day, day_of(house_.clock().now()));
}

TEST_F(Secrets, are_listed_in_pages_newest_first) {
  for (int i = 0; i < 5; ++i) {
    create("s" + std::to_string(i), "v");
    house_.clock().advance(std::chrono::seconds(1));
  }
  ListSecretsInput in;
  in.max_results = 2;
  std::string names;
  do {
    const auto out = house_.ask<ListSecrets>(in);
    for (const auto& secret : *out.secret_list) names += *secret.name + " ";
    in.next_token = out.next_token;
  } while (in.next_token);
  EXPECT_EQ(names, "s4 s3 s2 s1 s0 ");
}

TEST_F(Secrets, as_resources_are_generated_once_and_removed_for_good) {
  const std::string type = "AWS::SecretsManager::Secret";
  auto request =
      house_.resource(type, R"({"Description":"d","GenerateSecretString":{"SecretStringTemplate":
                "{\"username\":\"admin\"}","GenerateStringKey":"password","PasswordLength":20,
                "ExcludePunctuation":true}})");
  const auto before_crash = request;
  const auto made = house_.create(type, request);
  EXPECT_TRUE(
      made.physical_id.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:"
                                   "stack-Thing-"));
  EXPECT_EQ(string_or(made.attributes, "Id"), made.physical_id);
  const Json secret = parse_json(value(request.physical_id));
  EXPECT_EQ(string_or(secret, "username"), "admin");
  EXPECT_EQ(string_or(secret, "password").size(), 20U);
  auto again = before_crash;
  EXPECT_EQ(house_.create(type, again).physical_id, made.physical_id);
  EXPECT_EQ(parse_json(value(request.physical_id)), secret);
  house_.update(type, request, R"({"SecretString":"plain"})");
  EXPECT_EQ(value(request.physical_id), "plain");
  house_.remove(type, request);
  house_.remove(type, request);
  EXPECT_EQ(house_.refusal<DescribeSecret>({.secret_id = request.physical_id}), k_missing);
}

TEST_F(Secrets, of_others_are_not_taken_over_by_a_stack) {
  create("theirs", "v");
  const std::string type = "AWS::SecretsManager::Secret";
  auto request = house_.resource(type, R"({"Name":"theirs","SecretString":"x"})");
  EXPECT_THROW(house_.create(type, request), aws::ApiError);
  EXPECT_EQ(value("theirs"), "v");
}

TEST_F(Secrets, carry_a_policy_of_their_own) {
  const std::string arn = *create("s", "v").arn;
  const std::string type = "AWS::SecretsManager::ResourcePolicy";
  auto request = house_.resource(type, R"({"SecretId":")" + arn + R"(","ResourcePolicy":
      {"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
       "Action":"secretsmanager:DeleteSecret","Resource":"*"}]}})");
  house_.create(type, request);
  EXPECT_EQ(request.physical_id, arn);
  EXPECT_TRUE(house_.ask<GetResourcePolicy>({.secret_id = "s"}).resource_policy);
  house_.remove(type, request);
  EXPECT_FALSE(house_.ask<GetResourcePolicy>({.secret_id = "s"}).resource_policy);
  PutResourcePolicyInput in{.secret_id = "s"};
  in.resource_policy = R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
      "Action":"secretsmanager:*","Resource":"*"}]})";
  in.block_public_policy = true;
  EXPECT_EQ(house_.refusal<PutResourcePolicy>(in).substr(0, 21), "PublicPolicyException");
}

}  // namespace
}  // namespace tarn::secretsmanager
