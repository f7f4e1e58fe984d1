// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/secret.hpp"

#include <gtest/gtest.h>

#include "aws/error.hpp"
#include "services/secretsmanager/random_password.hpp"
#include "services/secretsmanager/secret_filter.hpp"

namespace tarn::secretsmanager {
namespace {

TEST(SecretName, takes_what_aws_takes) {
  for (const char* name : {"a", "team/app/db-Password_1", "x+y=z.@w!"}) {
    EXPECT_NO_THROW(check_name(name)) << name;
  }
  for (const char* name : {"", "a b", "a:b", "a#"}) EXPECT_THROW(check_name(name), aws::ApiError);
}

TEST(SecretReference, reads_names_and_whole_and_partial_arns) {
  const auto name = SecretReference::parse("app/db");
  ASSERT_EQ(name.candidates.size(), 1U);
  EXPECT_EQ(name.candidates[0].name, "app/db");
  const std::string arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-a1B2c3";
  const auto whole = SecretReference::parse(arn);
  ASSERT_EQ(whole.candidates.size(), 2U);
  EXPECT_EQ(whole.candidates[0].name, "app/db");
  EXPECT_EQ(whole.candidates[0].arn, arn);
  EXPECT_EQ(whole.candidates[1].name, "app/db-a1B2c3");  // a partial ARN of a name with a dash
  EXPECT_EQ(whole.region, "eu-west-1");
  const auto partial =
      SecretReference::parse("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db");
  ASSERT_EQ(partial.candidates.size(), 1U);
  EXPECT_EQ(partial.candidates[0].name, "app/db");
}

TEST(SecretStages, previous_follows_current) {
  SecretRecord secret;
  for (const char* id : {"v1", "v2", "v3"}) {
    secret.versions.push_back({id, {}, {}});
    move_stage(secret, "AWSCURRENT", id);
  }
  EXPECT_EQ(stages_of(secret, "v3"), (std::vector<std::string>{"AWSCURRENT"}));
  EXPECT_EQ(stages_of(secret, "v2"), (std::vector<std::string>{"AWSPREVIOUS"}));
  EXPECT_TRUE(stages_of(secret, "v1").empty());
  move_stage(secret, "AWSCURRENT", "v2");  // back
  EXPECT_EQ(stages_of(secret, "v2"), (std::vector<std::string>{"AWSCURRENT"}));
  EXPECT_EQ(stages_of(secret, "v3"), (std::vector<std::string>{"AWSPREVIOUS"}));
}

TEST(SecretVersions, the_oldest_without_a_label_are_dropped) {
  SecretRecord secret;
  for (std::size_t i = 0; i < k_versions_max + 2; ++i) {
    secret.versions.push_back({std::to_string(i), {}, {}});
  }
  secret.stages["mine"] = "0";
  EXPECT_EQ(drop_deprecated(secret), (std::vector<std::string>{"1", "2"}));
  EXPECT_TRUE(find_version(secret, "0"));
}

TEST(SecretFilters, match_prefixes_words_and_negations) {
  SecretRecord secret;
  secret.name = "prod/reportingDb";
  secret.description = "Password of the Warehouse";
  secret.tags = {{"Team", "Data"}};
  const auto takes = [&](const char* key, std::vector<std::string> values) {
    return matches(secret, {{key, std::move(values)}}, "us-east-1");
  };
  EXPECT_TRUE(takes("name", {"prod/"}));
  EXPECT_FALSE(takes("name", {"Prod"}));
  EXPECT_FALSE(takes("name", {"!prod"}));
  EXPECT_TRUE(takes("name", {"test", "prod"}));
  EXPECT_TRUE(takes("description", {"ware"}));
  EXPECT_FALSE(takes("description", {"house"}));
  EXPECT_TRUE(takes("tag-key", {"Te"}));
  EXPECT_FALSE(takes("tag-key", {"te"}));
  EXPECT_TRUE(takes("tag-value", {"Data"}));
  EXPECT_TRUE(takes("all", {"db"}));
  EXPECT_TRUE(takes("all", {"data"}));
  EXPECT_FALSE(takes("all", {"nothing"}));
  EXPECT_TRUE(takes("primary-region", {"us-"}));
}

TEST(RandomPassword, has_each_included_type_and_none_that_is_excluded) {
  SeededRandom random(7);
  for (int i = 0; i < 200; ++i) {
    PasswordRules rules;
    rules.length = 8;
    rules.exclude = "abc0";
    rules.punctuation = false;
    const std::string password = random_password(rules, random);
    EXPECT_EQ(password.size(), 8U);
    EXPECT_EQ(password.find_first_of("abc0!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "), std::string::npos);
    EXPECT_NE(password.find_first_of("defghijklmnopqrstuvwxyz"), std::string::npos);
    EXPECT_NE(password.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), std::string::npos);
    EXPECT_NE(password.find_first_of("123456789"), std::string::npos);
  }
}

TEST(RandomPassword, that_cannot_be_is_refused) {
  SeededRandom random(7);
  PasswordRules rules;
  rules.length = 3;
  EXPECT_THROW(random_password(rules, random), aws::ApiError);
  rules.length = 10;
  rules.exclude = "0123456789";
  EXPECT_THROW(random_password(rules, random), aws::ApiError);
  rules.numbers = rules.punctuation = rules.upper = rules.lower = false;
  EXPECT_THROW(random_password(rules, random), aws::ApiError);
}

}  // namespace
}  // namespace tarn::secretsmanager
