// SPDX-License-Identifier: Apache-2.0
#include "aws/policy.hpp"

#include <gtest/gtest.h>

namespace tarn::aws {
namespace {

constexpr const char* k_user = "arn:aws:iam::111111111111:user/ann";

PolicyRequest request(std::string action, std::string resource, PolicyContext context = {}) {
  PolicyRequest made{std::move(action), std::move(resource), {}, std::move(context)};
  made.principal.account = "111111111111";
  made.principal.arn = k_user;
  return made;
}

std::string statement(std::string_view inner) {
  return R"({"Version": "2012-10-17", "Statement": {)" + std::string(inner) + "}}";
}

Verdict verdict(std::string_view inner, const PolicyRequest& what) {
  return Policy::parse(statement(inner)).evaluate(what);
}

bool condition(std::string_view text, PolicyContext context) {
  return verdict(R"("Effect": "Allow", "Action": "*", "Resource": "*", "Condition": )" +
                     std::string(text),
                 request("s3:GetObject", "arn:aws:s3:::b/k", std::move(context))) ==
         Verdict::allowed;
}

TEST(Policy, actions_ignore_case_and_know_wildcards) {
  const auto what = request("s3:GetObject", "arn:aws:s3:::b/k");
  for (const char* action : {"*", "s3:*", "s3:Get*", "S3:getobject", "s3:Ge?Object"}) {
    EXPECT_EQ(
        verdict(R"("Effect": "Allow", "Resource": "*", "Action": ")" + std::string(action) + "\"",
                what),
        Verdict::allowed)
        << action;
  }
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Resource": "*", "Action": ["s3:Put*", "sqs:*"])", what),
            Verdict::no_match);
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Resource": "*", "NotAction": "sqs:*")", what),
            Verdict::allowed);
}

TEST(Policy, resources_are_told_apart) {
  const auto what = request("s3:GetObject", "arn:aws:s3:::b/a/k");
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/*")", what),
            Verdict::allowed);
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b")", what),
            Verdict::no_match);
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*")", what),
            Verdict::no_match);
}

TEST(Policy, a_deny_wins) {
  const Policy policy = Policy::parse(R"({"Statement": [
      {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
      {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]})");
  EXPECT_EQ(policy.evaluate(request("s3:DeleteObject", "x")), Verdict::denied);
  EXPECT_EQ(policy.evaluate(request("s3:GetObject", "x")), Verdict::allowed);
}

TEST(Policy, variables_stand_for_their_values_literally) {
  const std::string inner =
      R"("Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username}/*")";
  EXPECT_EQ(
      verdict(inner, request("s3:GetObject", "arn:aws:s3:::b/ann/k", {{"aws:UserName", {"ann"}}})),
      Verdict::allowed);
  EXPECT_EQ(
      verdict(inner, request("s3:GetObject", "arn:aws:s3:::b/bob/k", {{"aws:username", {"*"}}})),
      Verdict::no_match);
  EXPECT_EQ(verdict(inner, request("s3:GetObject", "arn:aws:s3:::b//k")), Verdict::no_match);
  EXPECT_EQ(verdict(R"("Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${*}")",
                    request("s3:GetObject", "arn:aws:s3:::b/*")),
            Verdict::allowed);
}

TEST(Policy, conditions_compare_by_type) {
  EXPECT_TRUE(condition(R"({"StringEquals": {"s3:prefix": ["a", "b"]}})", {{"S3:Prefix", {"b"}}}));
  EXPECT_FALSE(condition(R"({"StringEquals": {"s3:prefix": "a*"}})", {{"s3:prefix", {"ab"}}}));
  EXPECT_TRUE(condition(R"({"StringLike": {"s3:prefix": "a*"}})", {{"s3:prefix", {"ab"}}}));
  EXPECT_FALSE(condition(R"({"StringNotLike": {"s3:prefix": "a*"}})", {{"s3:prefix", {"ab"}}}));
  EXPECT_TRUE(condition(R"({"StringEqualsIgnoreCase": {"k": "AB"}})", {{"k", {"ab"}}}));
  EXPECT_TRUE(condition(R"({"NumericLessThan": {"s3:max-keys": 10}})", {{"s3:max-keys", {"9"}}}));
  EXPECT_FALSE(
      condition(R"({"NumericLessThan": {"s3:max-keys": "10"}})", {{"s3:max-keys", {"10"}}}));
  EXPECT_TRUE(condition(R"({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}})",
                        {{"aws:CurrentTime", {"2026-11-21T08:00:00Z"}}}));
  EXPECT_TRUE(condition(R"({"Bool": {"aws:SecureTransport": false}})",
                        {{"aws:SecureTransport", {"false"}}}));
  EXPECT_TRUE(condition(R"({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1/32"]}})",
                        {{"aws:SourceIp", {"127.0.0.1"}}}));
  EXPECT_FALSE(condition(R"({"IpAddress": {"aws:SourceIp": "10.0.0.0/9"}})",
                         {{"aws:SourceIp", {"10.128.0.1"}}}));
  EXPECT_TRUE(condition(R"({"NotIpAddress": {"aws:SourceIp": "2001:db8::/32"}})",
                        {{"aws:SourceIp", {"2001:db9::1"}}}));
  EXPECT_TRUE(condition(R"({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:t*"}})",
                        {{"aws:SourceArn", {"arn:aws:sns:us-east-1:1:topic"}}}));
  EXPECT_FALSE(condition(R"({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:t"}})",
                         {{"aws:SourceArn", {"arn:aws:sns:us-east-1:1:t"}}}));
}

TEST(Policy, absent_keys_fail_but_for_those_that_allow_it) {
  EXPECT_FALSE(condition(R"({"StringEquals": {"k": "a"}})", {}));
  EXPECT_TRUE(condition(R"({"StringEqualsIfExists": {"k": "a"}})", {}));
  EXPECT_TRUE(condition(R"({"StringNotEquals": {"k": "a"}})", {}));
  EXPECT_TRUE(condition(R"({"Null": {"k": "true"}})", {}));
  EXPECT_FALSE(condition(R"({"Null": {"k": "false"}})", {}));
  EXPECT_TRUE(condition(R"({"Null": {"k": false}})", {{"k", {"x"}}}));
  EXPECT_TRUE(condition(R"({"ForAllValues:StringEquals": {"k": ["a", "b"]}})", {}));
  EXPECT_FALSE(condition(R"({"ForAnyValue:StringEquals": {"k": ["a", "b"]}})", {}));
}

TEST(Policy, quantifiers_look_at_each_value) {
  EXPECT_TRUE(
      condition(R"({"ForAllValues:StringEquals": {"k": ["a", "b"]}})", {{"k", {"a", "b"}}}));
  EXPECT_FALSE(condition(R"({"ForAllValues:StringEquals": {"k": ["a"]}})", {{"k", {"a", "b"}}}));
  EXPECT_TRUE(condition(R"({"ForAnyValue:StringEquals": {"k": ["a"]}})", {{"k", {"c", "a"}}}));
}

TEST(Policy, malformed_documents_say_what_is_wrong) {
  const auto error = [](std::string_view text) -> std::string {
    try {
      Policy::parse(text);
    } catch (const PolicyError& caught) {
      return caught.what();
    }
    return "accepted";
  };
  EXPECT_EQ(error("{"), "This policy contains invalid Json");
  EXPECT_EQ(error("[]"), "Syntax errors in policy.");
  EXPECT_EQ(error(R"({"Statement": {"Effect": "Allow", "Resource": "*"}})"),
            "Policy statement must contain actions.");
  EXPECT_EQ(error(R"({"Statement": {"Effect": "Allow", "Action": "get", "Resource": "*"}})"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
  EXPECT_EQ(error(R"({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "b"}})"),
            "Resource b must be in ARN format or \"*\".");
  EXPECT_EQ(error(R"({"Version": "2013-01-01", "Statement": []})"),
            "The policy must contain a valid version string.");
  EXPECT_EQ(error(R"({"Statement": {"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}})"),
            "Invalid effect: Maybe");
  EXPECT_EQ(error(R"({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*",
                      "Condition": {"Sounds": {"a": "b"}}}})"),
            "Invalid Condition type : Sounds.");
  EXPECT_THROW(Policy::parse(statement(R"("Effect": "Allow", "Action": "s3:*")")).check_identity(),
               PolicyError);
  EXPECT_THROW(Policy::parse(statement(R"("Effect": "Allow", "Action": "s3:*", "Resource": "*")"))
                   .check_resource(),
               PolicyError);
}

ResourceVerdict as_resource(std::string_view principal, const PolicyPrincipal& caller) {
  PolicyRequest what = request("sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:q");
  what.principal = caller;
  return Policy::parse(statement(R"("Effect": "Allow", "Action": "sqs:*", "Resource": "*",
                                    "Principal": )" +
                                 std::string(principal)))
      .evaluate_resource(what);
}

TEST(Policy, principals_are_accounts_users_roles_and_services) {
  const PolicyPrincipal user{.account = "111111111111", .arn = k_user};
  const PolicyPrincipal session{.account = "111111111111",
                                .arn = "arn:aws:sts::111111111111:assumed-role/r/s",
                                .role_arn = "arn:aws:iam::111111111111:role/r"};
  const PolicyPrincipal service{.service = "sns.amazonaws.com"};
  const PolicyPrincipal nobody{.anonymous = true};
  EXPECT_EQ(as_resource("\"*\"", nobody).grant, Grant::to_caller);
  EXPECT_EQ(as_resource(R"({"AWS": "111111111111"})", user).grant, Grant::to_account);
  EXPECT_EQ(as_resource(R"({"AWS": "arn:aws:iam::111111111111:root"})", user).grant,
            Grant::to_account);
  EXPECT_EQ(as_resource(R"({"AWS": "222222222222"})", user).grant, Grant::none);
  EXPECT_EQ(as_resource(R"({"AWS": ["x", ")" + std::string(k_user) + R"("]})", user).grant,
            Grant::to_caller);
  EXPECT_EQ(as_resource(R"({"AWS": "arn:aws:iam::111111111111:role/r"})", session).grant,
            Grant::to_caller);
  EXPECT_EQ(as_resource(R"({"Service": "sns.amazonaws.com"})", service).grant, Grant::to_caller);
  EXPECT_EQ(as_resource(R"({"Service": "events.amazonaws.com"})", service).grant, Grant::none);
  EXPECT_EQ(as_resource(R"({"AWS": "111111111111"})", nobody).grant, Grant::none);
}

Policy allow(std::string_view action) {
  return Policy::parse(
      statement(R"("Effect": "Allow", "Resource": "*", "Action": ")" + std::string(action) + "\""));
}

TEST(Decision, nothing_is_allowed_that_no_policy_allows) {
  const auto what = request("sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:q");
  const Decision refused = decide({}, what);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.message,
            "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: "
            "sqs:SendMessage on resource: arn:aws:sqs:us-east-1:111111111111:q because no "
            "identity-based policy allows the sqs:SendMessage action");
  PolicySet set;
  set.identity.push_back(allow("sqs:*"));
  EXPECT_TRUE(decide(set, what).allowed);
}

TEST(Decision, an_explicit_deny_says_where_it_stands) {
  const auto what = request("sqs:SendMessage", "*");
  PolicySet set;
  set.identity.push_back(allow("*"));
  set.identity.push_back(
      Policy::parse(statement(R"("Effect": "Deny", "Action": "sqs:*", "Resource": "*")")));
  EXPECT_EQ(decide(set, what).message,
            "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: "
            "sqs:SendMessage with an explicit deny in an identity-based policy");
}

TEST(Decision, boundaries_and_sessions_only_take_away) {
  const auto what = request("sqs:SendMessage", "*");
  PolicySet set;
  set.identity.push_back(allow("*"));
  set.boundary = allow("s3:*");
  EXPECT_NE(decide(set, what).message.find("because no permissions boundary allows"),
            std::string::npos);
  set.boundary.reset();
  set.session = allow("s3:*");
  EXPECT_NE(decide(set, what).message.find("because no session policy allows"), std::string::npos);
  set.session = allow("sqs:Send*");
  EXPECT_TRUE(decide(set, what).allowed);
}

TEST(Decision, in_one_account_a_resources_policy_is_enough_across_two_both_are_needed) {
  const auto what = request("sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:q");
  PolicySet set;
  set.resource = Policy::parse(
      statement(R"("Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Principal": {"AWS": ")" +
                std::string(k_user) + "\"}"));
  EXPECT_TRUE(decide(set, what).allowed);
  set.same_account = false;
  EXPECT_FALSE(decide(set, what).allowed);
  set.identity.push_back(allow("sqs:*"));
  EXPECT_TRUE(decide(set, what).allowed);
}

TEST(Decision, services_need_the_resources_consent) {
  auto what = request("sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:q",
                      {{"aws:SourceArn", {"arn:aws:sns:us-east-1:111111111111:t"}}});
  what.principal = {.service = "sns.amazonaws.com"};
  PolicySet set;
  EXPECT_FALSE(decide(set, what).allowed);
  set.resource = Policy::parse(statement(
      R"("Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*",
         "Principal": {"Service": "sns.amazonaws.com"},
         "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:111111111111:t"}})"));
  EXPECT_TRUE(decide(set, what).allowed);
  what.context["aws:SourceArn"] = {"arn:aws:sns:us-east-1:111111111111:other"};
  EXPECT_FALSE(decide(set, what).allowed);
}

}  // namespace
}  // namespace tarn::aws
