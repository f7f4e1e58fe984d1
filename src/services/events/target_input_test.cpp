// SPDX-License-Identifier: Apache-2.0
#include "services/events/target_input.hpp"

#include <gtest/gtest.h>

namespace tarn::events {
namespace {

const char* const k_event = R"({"id":"1","source":"aws.s3","time":"2026-11-21T08:00:00Z",)"
                            R"("detail":{"bucket":{"name":"b"},"n":[1,{"x-y":"z"}],)"
                            R"("text":"say \"hi\"","flag":true}})";
const RuleNames k_rule{"arn:rule", "r", "2026-11-21T08:00:01Z"};

std::string input(const char* target) {
  return target_input(parse_json(target), parse_json(k_event), k_rule);
}

TEST(TargetInput, TheWholeEventWithoutAnythingElse) {
  EXPECT_TRUE(json_equal(parse_json(input("{}")), parse_json(k_event)));
}

TEST(TargetInput, AConstantIsGivenAsItIs) {
  EXPECT_EQ(input(R"({"Input":"{ \"a\" : 1 }"})"), R"({ "a" : 1 })");
}

TEST(TargetInput, APathSelectsAPart) {
  EXPECT_EQ(input(R"({"InputPath":"$.detail.bucket"})"), R"({"name":"b"})");
  EXPECT_EQ(input(R"({"InputPath":"$.detail.n[1]['x-y']"})"), R"("z")");
  EXPECT_EQ(input(R"({"InputPath":"$.detail.missing.deep"})"), "{}");
}

struct Case {
  const char* text;
  const char* expected;
};

TEST(TargetInput, ATemplateIsFilledInsideAndOutsideOfQuotes) {
  const std::map<std::string, std::string> paths = {{"bucket", "$.detail.bucket.name"},
                                                    {"list", "$.detail.n"},
                                                    {"text", "$.detail.text"},
                                                    {"flag", "$.detail.flag"},
                                                    {"none", "$.nowhere"}};
  const Case cases[] = {
      {R"({"b":<bucket>,"l":<list>,"f":<flag>})", R"({"b":"b","l":[1,{"x-y":"z"}],"f":true})"},
      {R"({"b":"in <bucket>!"})", R"({"b":"in b!"})"},
      {R"("Text: <text>")", R"("Text: say \"hi\"")"},
      {R"({"t":<text>})", R"({"t":"say \"hi\""})"},
      {R"({"a":<none>,"b":"x<none>y"})", R"({"a":"","b":"xy"})"},
      {R"({"r":<aws.events.rule-arn>,"n":"<aws.events.rule-name>"})",
       R"({"r":"arn:rule","n":"r"})"},
      {R"({"unknown":"<other>","less":"1 < 2"})", R"({"unknown":"<other>","less":"1 < 2"})"},
      {R"({"q":"a \"<bucket>\""})", R"({"q":"a \"b\""})"},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(fill_template(test.text, paths, parse_json(k_event), k_rule), test.expected);
  }
  EXPECT_NE(
      fill_template("<aws.events.event.json>", {}, parse_json(k_event), k_rule).find("\"detail\""),
      std::string::npos);
  EXPECT_EQ(fill_template("<aws.events.event>", {}, parse_json(k_event), k_rule).find("\"detail\""),
            std::string::npos);
}

TEST(TargetInput, TheReservedEventHasNoDetailAndAnotherNameForItsType) {
  const Json event = parse_json(R"({"version":"0","id":"1","detail-type":"T","source":"s",)"
                                R"("account":"2","time":"t","region":"r","resources":[],)"
                                R"("detail":{"a":1}})");
  EXPECT_EQ(fill_template("<aws.events.event>", {}, event, k_rule),
            R"({"id":"1","account":"2","detailType":"T","time":"t","source":"s","region":"r",)"
            R"("resources":[],"version":"0"})");
}

TEST(TargetInput, APlaceholderThatNothingDefinesIsFound) {
  EXPECT_EQ(unknown_placeholder(R"({"a":<b>,"c":"<d>"})", {{"b", "$.b"}}), "d");
  EXPECT_EQ(unknown_placeholder(R"(<aws.events.event> 1 < 2 > <b>)", {{"b", "$.b"}}), std::nullopt);
}

TEST(TargetInput, ABadPathIsSaidToBeOne) {
  for (const char* path : {"", "detail", "$detail", "$.", "$.a[", "$.a[x]", "$.a..b"}) {
    EXPECT_THROW(select(parse_json("{}"), path), BadPath) << path;
  }
}

}  // namespace
}  // namespace tarn::events
