// SPDX-License-Identifier: Apache-2.0
// What is not implemented says so in the protocol that was asked. That every operation of AWS is
// routed to itself is shown in codegen/tests.
#include "aws/router.hpp"

#include <gtest/gtest.h>

#include "aws/catalogue.hpp"
#include "base/strings.hpp"

namespace tarn::aws {
namespace {

HttpResponse refused(HttpRequest request, std::string_view scope, std::string_view form = {}) {
  const auto found = route(request, scope, form);
  if (!found) return unknown_operation_response(request, scope, "id-1");
  return not_implemented_response(*found, "id-1");
}

const Headers k_form = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};

TEST(Router, knows_every_service) {
  EXPECT_GT(catalogue().size(), 400u);
  for (const CatalogueService& service : catalogue()) {
    EXPECT_FALSE(service.operations.view().empty()) << service.id.view();
    EXPECT_NE(service.protocols & 15, 0u) << service.id.view();
  }
}

TEST(Router, json_operations_are_refused_in_json) {
  const auto response = refused(
      {.method = "POST", .path = "/", .headers = {{"X-Amz-Target", "AWSGlue.CreateJob"}}}, "glue");
  EXPECT_EQ(response.status, 501);
  EXPECT_EQ(response.header("content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(
      response.body,
      R"({"__type":"NotImplemented","message":"Tarn does not implement CreateJob of glue."})");
}

TEST(Router, query_and_ec2_operations_are_refused_in_xml) {
  const auto query = refused({.method = "POST", .path = "/", .headers = k_form}, "autoscaling",
                             "Action=CreateAutoScalingGroup&Version=2011-01-01");
  EXPECT_EQ(query.status, 501);
  EXPECT_NE(query.body.find("<Code>NotImplemented</Code><Message>Tarn does not implement "
                            "CreateAutoScalingGroup of autoscaling.</Message>"),
            std::string::npos)
      << query.body;
  const auto ec2 = refused({.method = "POST", .path = "/", .headers = k_form}, "ec2",
                           "Action=RunInstances&Version=2016-11-15");
  EXPECT_EQ(ec2.status, 501);
  EXPECT_NE(ec2.body.find("<Response><Errors><Error><Code>NotImplemented</Code>"),
            std::string::npos);
}

TEST(Router, rest_operations_are_refused_in_their_form) {
  const auto json = refused({.method = "GET", .path = "/v1/apis"}, "appsync");
  EXPECT_EQ(json.status, 501);
  EXPECT_EQ(json.header("x-amzn-errortype"), "NotImplemented");
  EXPECT_EQ(json.body, R"({"message":"Tarn does not implement ListGraphqlApis of appsync."})");
  const auto xml = refused({.method = "PUT", .path = "/b/k", .query = "renameObject"}, "s3");
  EXPECT_EQ(xml.status, 501);
  EXPECT_NE(xml.body.find("Tarn does not implement RenameObject of s3."), std::string::npos);
}

TEST(Router, cbor_operations_are_refused_in_cbor) {
  const auto response = refused({.method = "POST",
                                 .path = "/service/CodeBuild_20161006/operation/ListBuilds",
                                 .headers = {{"smithy-protocol", "rpc-v2-cbor"}}},
                                "codebuild");
  EXPECT_EQ(response.status, 501);
  EXPECT_EQ(response.header("smithy-protocol"), "rpc-v2-cbor");
  EXPECT_EQ(static_cast<unsigned char>(response.body[0]), 0xA2);
}

TEST(Router, s3_refuses_a_method_that_does_not_go_with_the_resource) {
  const auto response = refused({.method = "POST", .path = "/b/k"}, "s3");
  EXPECT_EQ(response.status, 405);
  EXPECT_NE(response.body.find("<Code>MethodNotAllowed</Code>"), std::string::npos);
}

TEST(Router, what_is_no_operation_at_all_is_told_so) {
  EXPECT_NE(
      refused({.method = "POST", .path = "/", .headers = {{"X-Amz-Target", "Nobody.Knows"}}}, "sqs")
          .body.find("UnknownOperationException"),
      std::string::npos);
  EXPECT_NE(refused({.method = "POST", .path = "/", .headers = k_form}, "iam",
                    "Action=Invented&Version=2010-05-08")
                .body.find("<Code>InvalidAction</Code>"),
            std::string::npos);
  EXPECT_EQ(refused({.method = "GET", .path = "/nothing/here"}, "lambda").status, 404);
}

TEST(Router, the_scope_is_read_from_header_and_query) {
  HttpRequest request;
  request.headers = {{"Authorization",
                      "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/sqs/aws4_request, "
                      "SignedHeaders=host, Signature=0"}};
  EXPECT_EQ(signing_scope_service(request), "sqs");
  EXPECT_EQ(signing_scope_service(
                {.query = "X-Amz-Credential=AK%2F20260101%2Feu-west-1%2Fsts%2Faws4_request"}),
            "sts");
  EXPECT_EQ(signing_scope_service({.query = "AWSAccessKeyId=AK&Signature=x&Expires=1"}), "s3");
  EXPECT_EQ(signing_scope_service({}), "");
}

}  // namespace
}  // namespace tarn::aws
