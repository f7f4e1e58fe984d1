// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/definition.hpp"

#include <gtest/gtest.h>

namespace tarn::stepfunctions::asl {
namespace {

std::string message(const std::string& text, bool express = false) {
  const auto parsed = parse_definition(text, express);
  return parsed.ok() ? "ok" : parsed.error_message();
}
// A machine of the states given, starting at S.
std::string states(const std::string& inside) {
  return R"({"StartAt":"S","States":{)" + inside + "}}";
}
std::string refused(const std::string& what) {
  return "Invalid State Machine Definition: '" + what + "'";
}

TEST(Definition, WhatIsMissingOrWrongIsNamedWithItsPlace) {
  EXPECT_EQ(message("{}"), refused("SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, "
                                   "States] at /"));
  EXPECT_EQ(message(states(R"("S":{"Type":"Nope"})")),
            refused("SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: "
                    "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/S/Type"));
  EXPECT_EQ(message(states(R"("S":{"Type":"Pass","Next":"X"})")),
            refused("MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/S/Next"));
  EXPECT_EQ(message(states(R"("S":{"Type":"Succeed"},"Lost":{"Type":"Succeed"})")),
            refused("MISSING_TRANSITION_TARGET: State \"Lost\" is not reachable. at /States/Lost"));
  EXPECT_EQ(message(states(R"("S":{"Type":"Pass","Parameters":{"a":{"b.$":"no"}},"End":true})")),
            refused("SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid "
                    "JSONPath or a valid intrinsic function call at /States/S/Parameters/a"));
  EXPECT_EQ(message(states(R"("S":{"Type":"Task","Resource":"arn:aws:states:::sqs:nope",
                              "End":true})")),
            refused("SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::sqs:nope is "
                    "not recognized. The value is not a valid resource ARN, or the resource is not "
                    "available in this region. at /States/S/Resource"));
  EXPECT_NE(message(states(R"("S":{"Type":"Pass","Colour":1,"End":true})"))
                .find("Field is not supported at /States/S/Colour"),
            std::string::npos);
}

TEST(Definition, WhatIsNotJsonIsToldAsAwsDoes) {
  const auto parsed = parse_definition("not a definition", false);
  ASSERT_EQ(parsed.diagnostics.size(), 1U);
  EXPECT_EQ(parsed.diagnostics[0].code, "INVALID_JSON_DESCRIPTION");
  EXPECT_EQ(parsed.diagnostics[0].location,
            "[Source: (String)\"not a definition\"; line: 1, column: 4]");
}

TEST(Definition, NestedFlowsAreCheckedToo) {
  EXPECT_EQ(message(states(R"("S":{"Type":"Parallel","Branches":[{"StartAt":"A","States":{
    "A":{"Type":"Wait","Timestamp":"soon","End":true}}}],"End":true})")),
            refused("SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at "
                    "/States/S/Branches[0]/States/A/Timestamp"));
  EXPECT_NE(message(states(R"("S":{"Type":"Map","ItemProcessor":{"StartAt":"S","States":{
    "S":{"Type":"Succeed"}}},"End":true})"))
                .find("DUPLICATE_STATE_NAME"),
            std::string::npos);
}

TEST(Definition, RetriersAndCatchersFollowTheirRules) {
  const auto with = [](const std::string& field) {
    return message(states(R"("S":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage",)" +
                          field + R"(,"End":true})"));
  };
  EXPECT_EQ(with(R"("Retry":[{"ErrorEquals":["A"]},{"ErrorEquals":["States.ALL"]}])"), "ok");
  EXPECT_NE(with(R"("Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["A"]}])").find("last"),
            std::string::npos);
  EXPECT_NE(with(R"("Retry":[{"ErrorEquals":["A","States.ALL"]}])").find("alone"),
            std::string::npos);
  EXPECT_NE(with(R"("Retry":[{"ErrorEquals":["A"],"BackoffRate":0.5}])").find("BackoffRate"),
            std::string::npos);
  EXPECT_NE(with(R"("HeartbeatSeconds":9,"TimeoutSeconds":9)").find("HeartbeatSeconds"),
            std::string::npos);
}

TEST(Definition, JsonataIsRefusedByName) {
  EXPECT_NE(message(R"({"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Pass",
    "Output":"{% 1 %}","End":true}}})")
                .find("The QueryLanguage 'JSONata' is not supported by Tarn yet at /QueryLanguage"),
            std::string::npos);
}

TEST(Definition, ExpressMachinesHaveNoCallbacks) {
  const std::string sync =
      states(R"("S":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","End":true})");
  EXPECT_EQ(message(sync), "ok");
  EXPECT_NE(message(sync, true).find("does not support '.sync' service integration"),
            std::string::npos);
}

TEST(Definition, ReadsWhichVariablesAStateUses) {
  const auto parsed = parse_definition(states(R"j("S":{"Type":"Pass","InputPath":"$a",
    "Parameters":{"x.$":"States.Format('{}', $b.c)"},"End":true})j"),
                                       false);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.definition->variables.at("S"), (std::set<std::string>{"a", "b"}));
}

TEST(Resource, TellsServicesPatternsAndFunctionsApart) {
  const auto sync = parse_resource("arn:aws:states:::states:startExecution.sync:2");
  ASSERT_TRUE(sync);
  EXPECT_EQ(sync->name, "startExecution.sync:2");
  EXPECT_EQ(sync->pattern, Resource::Pattern::sync);
  EXPECT_TRUE(sync->output_is_json);
  const auto sdk = parse_resource("arn:aws:states:::aws-sdk:redshiftdata:executeStatement");
  ASSERT_TRUE(sdk);
  EXPECT_EQ(sdk->type, "aws-sdk:redshiftdata");
  EXPECT_EQ(parse_resource("arn:aws:lambda:us-east-1:1:function:f:live")->kind,
            Resource::Kind::lambda);
  EXPECT_EQ(parse_resource("arn:aws:states:us-east-1:1:activity:a")->kind,
            Resource::Kind::activity);
  for (const char* bad :
       {"", "arn:aws:states:::lambda:invoke.sync", "arn:aws:states:::dynamodb:query",
        "arn:aws:states:::aws-sdk:sqs:SendMessage", "arn:aws:s3:::bucket"}) {
    EXPECT_FALSE(parse_resource(bad)) << bad;
  }
}

TEST(Rfc3339, TakesOffsetsAndFractionsAndNothingElse) {
  EXPECT_EQ(parse_rfc3339("2016-03-14T01:59:00Z"), parse_rfc3339("2016-03-14T03:59:00+02:00"));
  EXPECT_TRUE(parse_rfc3339("2016-03-05T21:29:29.243167252Z"));
  for (const char* bad :
       {"2016-12-05T21:29:29", "2016-13-05T21:29:29Z", "2016-12-05 21:29:29Z",
        "2016-12-05T25:29:29Z", "05-12-2016T21:29:29Z", "2016-12-05T21:29:29.Z"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

}  // namespace
}  // namespace tarn::stepfunctions::asl
