// SPDX-License-Identifier: Apache-2.0
// Small formats: ARNs, request URIs, page tokens, headers and queries.
#include <gtest/gtest.h>

#include "aws/arn.hpp"
#include "aws/http.hpp"
#include "aws/paging.hpp"
#include "aws/uri_template.hpp"

namespace tarn::aws {
namespace {

TEST(Arn, has_six_parts_of_which_the_last_keeps_its_colons) {
  const auto arn = Arn::parse("arn:aws:lambda:eu-west-1:111111111111:function:f:live");
  ASSERT_TRUE(arn);
  EXPECT_EQ(arn->region, "eu-west-1");
  EXPECT_EQ(arn->resource_type(), "function");
  EXPECT_EQ(arn->resource_id(), "f:live");
  EXPECT_EQ(arn->text(), "arn:aws:lambda:eu-west-1:111111111111:function:f:live");
  EXPECT_EQ(Arn::parse("arn:aws:s3:::b/a:b")->resource, "b/a:b");
  for (const char* bad : {"", "arn", "arn:aws:s3::b", "urn:aws:s3:::b",
                          "arn:aws:s3:::", "arn::s3:::b", "arn:aws::::b"}) {
    EXPECT_FALSE(Arn::parse(bad)) << bad;
  }
}

std::string labels(std::string_view pattern, std::string_view path) {
  const auto found = match_uri(pattern, path);
  if (!found) return "no match";
  std::string text;
  for (const auto& label : *found)
    text += std::string(label.name) + "=" + std::string(label.value) + ";";
  return text;
}

TEST(UriTemplate, labels_take_a_segment_greedy_ones_the_rest) {
  EXPECT_EQ(labels("/{Bucket}", "/b"), "Bucket=b;");
  EXPECT_EQ(labels("/{Bucket}", "/b/"), "Bucket=b;");
  EXPECT_EQ(labels("/{Bucket}", "/b/k"), "no match");
  EXPECT_EQ(labels("/{Bucket}", "/"), "no match");
  EXPECT_EQ(labels("/{Bucket}/{Key+}", "/b/"), "no match");
  EXPECT_EQ(labels("/{Bucket}/{Key+}", "/b/a/c/"), "Bucket=b;Key=a/c/;");
  EXPECT_EQ(labels("/{Bucket}/{Key+}", "/b//"), "Bucket=b;Key=/;");
  EXPECT_EQ(labels("/", "/"), "");
  EXPECT_EQ(labels("/", ""), "");
  EXPECT_EQ(labels("/2015-03-31/functions/", "/2015-03-31/functions"), "");
  EXPECT_EQ(labels("/a/{Name+}/policy", "/a/x/y/policy"), "Name=x/y;");
  EXPECT_EQ(labels("/a/{Name+}/policy", "/a/policy"), "no match");
  EXPECT_EQ(labels("/tags/{Arn}", "/tags/arn%3Aaws%2Fx"), "Arn=arn%3Aaws%2Fx;");
}

TEST(PageToken, belongs_to_its_operation) {
  const std::string token = encode_page_token("ListQueues", "queue/\xff name");
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
  EXPECT_EQ(decode_page_token("ListQueues", token), "queue/\xff name");
  EXPECT_FALSE(decode_page_token("ListTopics", token));
  EXPECT_FALSE(decode_page_token("ListQueues", token.substr(1)));
  EXPECT_FALSE(decode_page_token("ListQueues", ""));
  EXPECT_FALSE(decode_page_token("ListQueues", "not a token!"));
}

TEST(Query, keys_without_a_value_are_bare) {
  const auto pairs = parse_query("acl&prefix=a%2Fb+c&x=&&y=1=2");
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_TRUE(pairs[0].bare);
  EXPECT_EQ(pairs[1].value, "a/b c");
  EXPECT_FALSE(pairs[2].bare);
  EXPECT_EQ(pairs[3].value, "1=2");
}

TEST(Headers, ignore_case) {
  Headers headers{{"X-A", "1"}};
  set_header(headers, "x-a", "2");
  EXPECT_EQ(headers.size(), 1u);
  EXPECT_EQ(find_header(headers, "X-a"), "2");
  EXPECT_FALSE(find_header(headers, "b"));
}

}  // namespace
}  // namespace tarn::aws
