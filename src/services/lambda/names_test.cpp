// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/names.hpp"

#include <gtest/gtest.h>

#include "aws/lambda/errors.hpp"

namespace tarn::lambda {
namespace {

const kernel::Scope k_scope{"000000000000", "us-east-1"};

TEST(FunctionId, reads_every_form_that_aws_takes) {
  const struct {
    const char *text, *name, *qualifier;
  } k_cases[] = {
      {"f", "f", ""},
      {"f:live", "f", "live"},
      {"f:$LATEST", "f", "$LATEST"},
      {"function:f", "f", ""},
      {"000000000000:function:f", "f", ""},
      {"000000000000:function:f:7", "f", "7"},
      {"arn:aws:lambda:us-east-1:000000000000:function:f", "f", ""},
      {"arn:aws:lambda:us-east-1:000000000000:function:f:live", "f", "live"},
  };
  for (const auto& test : k_cases) {
    const auto id = FunctionId::parse(test.text, std::nullopt);
    EXPECT_EQ(id.name, test.name) << test.text;
    EXPECT_EQ(id.qualifier, test.qualifier) << test.text;
  }
}

TEST(FunctionId, a_qualifier_beside_the_name_must_agree) {
  EXPECT_EQ(FunctionId::parse("f", "1").qualifier, "1");
  EXPECT_EQ(FunctionId::parse("f:1", "1").qualifier, "1");
  EXPECT_THROW(FunctionId::parse("f:1", "2"), InvalidParameterValueException);
}

TEST(FunctionId, refuses_what_is_no_name) {
  for (const char* text : {"", "a b", "a/b", "f:1:2", "arn:aws:s3:::bucket"}) {
    EXPECT_THROW(FunctionId::parse(text, std::nullopt), InvalidParameterValueException) << text;
  }
  EXPECT_THROW(FunctionId::parse(std::string(65, 'a'), std::nullopt),
               InvalidParameterValueException);
}

TEST(FunctionId, arns_round_trip) {
  const std::string arn = function_arn(k_scope, "f", "live");
  EXPECT_EQ(arn, "arn:aws:lambda:us-east-1:000000000000:function:f:live");
  EXPECT_EQ(FunctionId::parse(arn, std::nullopt).qualifier, "live");
}

TEST(LayerVersionId, reads_arns_of_versions_only) {
  const auto id = LayerVersionId::parse(layer_arn(k_scope, "pandas") + ":3");
  EXPECT_EQ(id.name, "pandas");
  EXPECT_EQ(id.version, 3);
  EXPECT_EQ(id.scope, k_scope);
  EXPECT_THROW(LayerVersionId::parse(layer_arn(k_scope, "pandas")), InvalidParameterValueException);
}

}  // namespace
}  // namespace tarn::lambda
