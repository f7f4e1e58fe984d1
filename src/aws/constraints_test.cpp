// SPDX-License-Identifier: Apache-2.0
// The words in which AWS's validators refuse an input.
#include <gtest/gtest.h>

#include "aws/codec.hpp"
#include "codec_test/cloudformation/CreateStack.hpp"
#include "codec_test/ec2/RunInstances.hpp"
#include "codec_test/lambda/CreateFunction.hpp"
#include "codec_test/logs/PutLogEvents.hpp"
#include "codec_test/redshift/CreateCluster.hpp"
#include "codec_test/scheduler/CreateSchedule.hpp"
#include "codec_test/sqs/SendMessage.hpp"
#include "codec_test/stepfunctions/CreateStateMachine.hpp"
#include "codec_test/stepfunctions/StartExecution.hpp"

namespace tarn::aws {
namespace {

using namespace tarn::codec_test;

template <class Op>
ApiError refusal(Protocol protocol, std::string body, std::string path = "/") {
  HttpRequest request{.method = "POST", .target = path, .path = path};
  typename Op::Input input;
  try {
    decode_request(protocol, Op::operation(), request, body, &input);
  } catch (const ApiError& error) {
    return error;
  }
  ADD_FAILURE() << "not refused: " << body;
  return ApiError("none", "none");
}

TEST(Constraints, a_missing_member_is_named_as_in_java) {
  const ApiError error = refusal<stepfunctions::StartExecution>(Protocol::json, "{}");
  EXPECT_EQ(error.code, "ValidationException");
  EXPECT_EQ(error.http_status, 400);
  EXPECT_EQ(error.message,
            "1 validation error detected: Value null at 'stateMachineArn' failed to satisfy "
            "constraint: Member must not be null");
}

TEST(Constraints, several_errors_are_joined) {
  const ApiError error = refusal<stepfunctions::CreateStateMachine>(
      Protocol::json, R"({"name": "", "definition": "{}", "type": "FAST"})");
  EXPECT_EQ(error.message,
            "3 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: "
            "Member must not be null; Value '' at 'name' failed to satisfy constraint: Member must "
            "have length greater than or equal to 1; Value 'FAST' at 'type' failed to satisfy "
            "constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]");
}

TEST(Constraints, elements_of_lists_are_numbered_from_one) {
  const ApiError error = refusal<logs::PutLogEvents>(Protocol::json,
                                                     R"({"logGroupName": "g", "logStreamName": "s",
          "logEvents": [{"timestamp": 1, "message": "a"}, {"timestamp": -1, "message": ""}]})");
  EXPECT_EQ(error.code, "InvalidParameterException");
  EXPECT_EQ(error.message,
            "2 validation errors detected: Value '-1' at 'logEvents.2.member.timestamp' failed to "
            "satisfy constraint: Member must have value greater than or equal to 0; Value '' at "
            "'logEvents.2.member.message' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1");
}

TEST(Constraints, scalars_in_lists_are_reported_with_their_list) {
  const ApiError error = refusal<cloudformation::CreateStack>(
      Protocol::query, "StackName=s&Capabilities.member.1=CAPABILITY_IAM&Capabilities.member.2=X");
  EXPECT_EQ(error.code, "ValidationError");
  EXPECT_EQ(error.message,
            "1 validation error detected: Value '[CAPABILITY_IAM, X]' at 'capabilities' failed to "
            "satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value "
            "set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]");
}

TEST(Constraints, patterns_must_fit_as_a_whole) {
  const ApiError error = refusal<lambda::CreateFunction>(
      Protocol::rest_json,
      R"({"FunctionName": "f", "Role": "not an arn", "Code": {}, "Timeout": 0})",
      "/2015-03-31/functions");
  EXPECT_NE(error.message.find("Value 'not an arn' at 'role' failed to satisfy constraint: Member "
                               "must satisfy regular expression pattern: arn:"),
            std::string::npos)
      << error.message;
  EXPECT_NE(error.message.find("Value '0' at 'timeout' failed to satisfy constraint: Member must "
                               "have value greater than or equal to 1"),
            std::string::npos)
      << error.message;
}

TEST(Constraints, sensitive_values_are_not_repeated) {
  const std::string secret(40'000'000, 's');
  stepfunctions::StartExecutionInput input{.state_machine_arn = "arn:a", .input = secret};
  try {
    check_constraints(shape_of<stepfunctions::StartExecutionInput>(), &input,
                      *stepfunctions::StartExecution::operation().service);
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.message,
              "1 validation error detected: Value at 'input' failed to satisfy constraint: Member "
              "must have length less than or equal to 262144");
  }
}

TEST(Constraints, some_query_services_speak_of_parameters) {
  const ApiError error = refusal<redshift::CreateCluster>(Protocol::query, "NodeType=ra3.large");
  EXPECT_EQ(error.code, "MissingParameter");
  EXPECT_EQ(error.message, "The request must contain the parameter ClusterIdentifier");
  EXPECT_EQ(refusal<ec2::RunInstances>(Protocol::ec2, "MinCount=1").message,
            "The request must contain the parameter MaxCount");
}

TEST(Constraints, a_service_may_do_it_all_by_itself) {
  HttpRequest request{.method = "POST", .path = "/"};
  sqs::SendMessageInput input;
  decode_request(Protocol::json, sqs::SendMessage::operation(), request, "{}", &input);
  EXPECT_EQ(input.queue_url, "");
}

TEST(Constraints, idempotency_tokens_are_made_where_they_are_missing) {
  HttpRequest request{.method = "POST", .path = "/schedules/nightly"};
  scheduler::CreateScheduleInput input;
  SeededRandom random(1);
  decode_request(Protocol::rest_json, scheduler::CreateSchedule::operation(), request,
                 R"json({"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"},
                     "Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q",
                                "RoleArn": "arn:aws:iam::000000000000:role/r"}})json",
                 &input, &random);
  EXPECT_EQ(input.name, "nightly");
  ASSERT_TRUE(input.client_token);
  EXPECT_EQ(input.client_token->size(), 36u);
}

TEST(Constraints, a_wrong_type_is_a_serialization_error) {
  const ApiError error =
      refusal<stepfunctions::StartExecution>(Protocol::json, R"({"stateMachineArn": 5})");
  EXPECT_EQ(error.code, "SerializationException");
  EXPECT_EQ(error.message, "NUMBER_VALUE can not be converted to a String");
  EXPECT_EQ(refusal<stepfunctions::StartExecution>(Protocol::json, "{").code,
            "SerializationException");
  EXPECT_EQ(refusal<stepfunctions::StartExecution>(Protocol::json, R"({"name": {"a": 1}})").message,
            "Start of structure or map found where not expected.");
}

}  // namespace
}  // namespace tarn::aws
