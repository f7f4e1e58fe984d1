// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/parameter_filter.hpp"

#include <gtest/gtest.h>

#include "aws/error.hpp"

namespace tarn::ssm {
namespace {

ParameterRecord parameter() {
  ParameterRecord record;
  record.name = "/app/db/url";
  record.current.number = 4;
  record.current.type = "String";
  record.tags = {{"team", "data"}};
  record.labels = {{"prod", 2}, {"test", 3}};
  return record;
}

bool takes(ParameterFilter filter) {
  return matches(parameter(), check_filters({std::move(filter)}, FilterPlace::describe));
}

std::string refusal(std::vector<ParameterFilter> filters,
                    FilterPlace place = FilterPlace::describe) {
  try {
    check_filters(std::move(filters), place);
  } catch (const aws::ApiError& error) {
    return error.code;
  }
  return "";
}

TEST(ParameterFilter, compares_by_its_option) {
  EXPECT_TRUE(takes({"Name", "", {"/app/db/url"}}));
  EXPECT_TRUE(takes({"Name", "Equals", {"app/db/url"}}));
  EXPECT_TRUE(takes({"Name", "BeginsWith", {"/nothing", "/app"}}));
  EXPECT_TRUE(takes({"Name", "Contains", {"db"}}));
  EXPECT_FALSE(takes({"Name", "Equals", {"/app"}}));
  EXPECT_TRUE(takes({"Type", "", {"String"}}));
  EXPECT_FALSE(takes({"Type", "", {"SecureString"}}));
}

TEST(ParameterFilter, looks_at_paths_and_tags) {
  EXPECT_TRUE(takes({"Path", "Recursive", {"/app"}}));
  EXPECT_FALSE(takes({"Path", "", {"/app"}}));
  EXPECT_TRUE(takes({"Path", "OneLevel", {"/app/db"}}));
  EXPECT_TRUE(takes({"tag:team", "", {"data"}}));
  EXPECT_TRUE(takes({"tag:team", "", {}}));
  EXPECT_FALSE(takes({"tag:team", "", {"dat"}}));
  EXPECT_TRUE(takes({"tag:team", "BeginsWith", {"dat"}}));
  EXPECT_FALSE(takes({"tag:owner", "", {}}));
}

TEST(ParameterFilter, chooses_the_version_with_a_label) {
  EXPECT_EQ(labelled_version(parameter(), {}), 4);
  EXPECT_EQ(labelled_version(parameter(), {{"Label", "Equals", {"prod"}}}), 2);
  EXPECT_EQ(labelled_version(parameter(), {{"Label", "BeginsWith", {"te"}}}), 3);
  EXPECT_EQ(labelled_version(parameter(), {{"Label", "Equals", {"none"}}}), 0);
}

TEST(ParameterFilter, names_what_is_wrong_with_it) {
  EXPECT_EQ(refusal({{"Colour", "", {"red"}}}), "InvalidFilterKey");
  EXPECT_EQ(refusal({{"Name", "", {"x"}}}, FilterPlace::by_path), "InvalidFilterKey");
  EXPECT_EQ(refusal({{"Name", "", {"x"}}, {"Name", "", {"y"}}}), "InvalidFilterKey");
  EXPECT_EQ(refusal({{"Name", "Recursive", {"x"}}}), "InvalidFilterOption");
  EXPECT_EQ(refusal({{"Type", "", {"Text"}}}), "InvalidFilterOption");
  EXPECT_EQ(refusal({{"Name", "", {}}}), "InvalidFilterValue");
  EXPECT_EQ(refusal({{"Path", "", {"app"}}}), "ValidationException");
}

}  // namespace
}  // namespace tarn::ssm
