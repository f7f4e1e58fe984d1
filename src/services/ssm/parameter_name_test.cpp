// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/parameter_name.hpp"

#include <gtest/gtest.h>

#include "aws/error.hpp"

namespace tarn::ssm {
namespace {

std::string refusal(const std::string& name) {
  try {
    check_new_name(name);
  } catch (const aws::ApiError& error) {
    return error.code;
  }
  return "";
}

TEST(ParameterName, may_be_a_word_or_a_path) {
  for (const char* name : {"a", "db.url", "a-b_c.9", "/a", "/team/app/db-url", "/a.b/c_d"}) {
    EXPECT_EQ(refusal(name), "") << name;
  }
}

TEST(ParameterName, must_be_well_formed_and_not_reserved) {
  for (const char* name : {"a b", "a/b", "/a//b", "/a/", "", "/", "a:b", "grüße", "awsome", "SSMx",
                           "/ssm/x", "/a/b?"}) {
    EXPECT_EQ(refusal(name), "ValidationException") << name;
  }
  EXPECT_EQ(refusal("/aws/service/x"), "AccessDeniedException");
  EXPECT_EQ(refusal(std::string(1012, 'a')), "ValidationException");
}

TEST(ParameterName, has_fifteen_levels_at_most) {
  std::string path;
  for (int i = 0; i < 15; ++i) path += "/x";
  EXPECT_EQ(refusal(path), "");
  EXPECT_EQ(refusal(path + "/x"), "HierarchyLevelLimitExceededException");
}

TEST(ParameterReference, reads_names_versions_and_labels) {
  const auto plain = ParameterReference::parse("/a/b");
  EXPECT_EQ(plain.name, "/a/b");
  EXPECT_FALSE(plain.version);
  const auto versioned = ParameterReference::parse("/a/b:12");
  EXPECT_EQ(versioned.name, "/a/b");
  EXPECT_EQ(versioned.version, 12);
  EXPECT_EQ(versioned.selector, ":12");
  const auto labelled = ParameterReference::parse("a:prod");
  EXPECT_EQ(labelled.label, "prod");
  EXPECT_THROW(ParameterReference::parse("a:"), aws::ApiError);
  EXPECT_THROW(ParameterReference::parse("a:b:c"), aws::ApiError);
}

TEST(ParameterReference, reads_arns) {
  const auto path = ParameterReference::parse("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b:3");
  EXPECT_EQ(path.name, "/a/b");
  EXPECT_EQ(path.other_name, "");
  EXPECT_EQ(path.version, 3);
  const auto word = ParameterReference::parse("arn:aws:ssm:eu-west-1:123456789012:parameter/a");
  EXPECT_EQ(word.name, "/a");
  EXPECT_EQ(word.other_name, "a");
  EXPECT_THROW(ParameterReference::parse("arn:aws:s3:::parameter/a"), aws::ApiError);
}

TEST(ParameterPath, holds_what_is_below_it) {
  EXPECT_TRUE(is_below("/a/b", "/a", false));
  EXPECT_TRUE(is_below("/a/b", "/a/", false));
  EXPECT_FALSE(is_below("/a/b/c", "/a", false));
  EXPECT_TRUE(is_below("/a/b/c", "/a", true));
  EXPECT_FALSE(is_below("/ab", "/a", true));
  EXPECT_FALSE(is_below("/a", "/a", true));
  EXPECT_TRUE(is_below("a", "/", false));
  EXPECT_TRUE(is_below("/a/b", "/", true));
  EXPECT_FALSE(is_below("/a/b", "/", false));
}

TEST(ParameterLabel, follows_the_rules_for_labels) {
  EXPECT_TRUE(is_valid_label("prod-2.x_y"));
  for (const char* label : {"", "2prod", "awsProd", "SSM", "a b", "a/b"}) {
    EXPECT_FALSE(is_valid_label(label)) << label;
  }
  EXPECT_FALSE(is_valid_label(std::string(101, 'a')));
}

}  // namespace
}  // namespace tarn::ssm
