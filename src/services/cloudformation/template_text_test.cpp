// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/template_text.hpp"

#include <gtest/gtest.h>

namespace tarn::cloudformation {
namespace {

std::string parsed(std::string_view text) { return dump_json(parse_template_text(text)); }

std::string refusal(std::string_view text) {
  try {
    parse_template_text(text);
  } catch (const TemplateError& error) {
    return error.what();
  }
  return "";
}

TEST(TemplateText, ShortTagsBecomeLongFunctions) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"a: !Ref X", R"({"a":{"Ref":"X"}})"},
      {"a: !Ref AWS::Region", R"({"a":{"Ref":"AWS::Region"}})"},
      {"a: !GetAtt X.Endpoint.Address", R"({"a":{"Fn::GetAtt":["X","Endpoint.Address"]}})"},
      {"a: !GetAtt [X, Arn]", R"({"a":{"Fn::GetAtt":["X","Arn"]}})"},
      {"a: !Sub '${X}-y'", R"({"a":{"Fn::Sub":"${X}-y"}})"},
      {"a: !Sub\n  - '${V}'\n  - V: !GetAtt X.Arn",
       R"({"a":{"Fn::Sub":["${V}",{"V":{"Fn::GetAtt":["X","Arn"]}}]}})"},
      {"a: !Join ['-', [!Ref A, b]]", R"({"a":{"Fn::Join":["-",[{"Ref":"A"},"b"]]}})"},
      {"a: !If [C, !Ref B, !Ref 'AWS::NoValue']",
       R"({"a":{"Fn::If":["C",{"Ref":"B"},{"Ref":"AWS::NoValue"}]}})"},
      {"a: !Select [0, !GetAZs '']", R"({"a":{"Fn::Select":[0,{"Fn::GetAZs":""}]}})"},
      {"a: !GetAZs", R"({"a":{"Fn::GetAZs":""}})"},
      {"a:\n  Fn::Base64: !Sub |\n    x ${Y}\n", R"({"a":{"Fn::Base64":{"Fn::Sub":"x ${Y}\n"}}})"},
      {"a: !And [!Condition B, !Not [!Equals [1, '1']]]",
       R"({"a":{"Fn::And":[{"Condition":"B"},{"Fn::Not":[{"Fn::Equals":[1,"1"]}]}]}})"},
      {"a: !ImportValue x", R"({"a":{"Fn::ImportValue":"x"}})"},
      {"a: {b: !Ref C, d: [!Ref AWS::Region, e]}",
       R"({"a":{"b":{"Ref":"C"},"d":[{"Ref":"AWS::Region"},"e"]}})"},
  };
  for (const auto& [text, json] : k_cases) EXPECT_EQ(parsed(text), json) << text;
}

TEST(TemplateText, PlainScalarsAreNumbersOnlyIfTheirTextSurvives) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"a: 42", R"({"a":42})"},
      {"a: -1", R"({"a":-1})"},
      {"a: 1.5", R"({"a":1.5})"},
      {"a: 1.10", R"({"a":"1.10"})"},
      {"a: 007", R"({"a":"007"})"},
      {"a: 012345678901", R"({"a":"012345678901"})"},
      {"a: 0x1F", R"({"a":"0x1F"})"},
      {"a: 22:22", R"({"a":"22:22"})"},
      {"a: 1e3", R"({"a":"1e3"})"},
      {"a: 2012-10-17", R"({"a":"2012-10-17"})"},
      {"a: 123456789012345678901234567890", R"({"a":"123456789012345678901234567890"})"},
      {"a: yes", R"({"a":true})"},
      {"a: Off", R"({"a":false})"},
      {"a: 'yes'", R"({"a":"yes"})"},
      {"a: \"42\"", R"({"a":"42"})"},
      {"a: !!str 42", R"({"a":"42"})"},
      {"a: y", R"({"a":"y"})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"12: x", R"({"12":"x"})"},
  };
  for (const auto& [text, json] : k_cases) EXPECT_EQ(parsed(text), json) << text;
}

TEST(TemplateText, TheLastOfRepeatedKeysWins) {
  EXPECT_EQ(parsed("a: 1\na: 2"), R"({"a":2})");
  EXPECT_EQ(parsed(R"({"a": 1, "a": 2})"), R"({"a":2})");
}

TEST(TemplateText, ErrorsSayWhere) {
  EXPECT_EQ(refusal("{\n  \"a\": 1,\n  oops\n}"),
            "Template format error: JSON not well-formed. (line 3, column 3)");
  const auto yaml = refusal("a: [1, 2\nb: 3\n");
  EXPECT_TRUE(yaml.starts_with("Template format error: YAML not well-formed. (line ")) << yaml;
  EXPECT_EQ(refusal("a:\n  b: !Foo x"),
            "Template format error: Unsupported YAML tag '!Foo'. (line 2, column 6)");
  EXPECT_EQ(refusal("just text"), "Template format error: unsupported structure.");
  EXPECT_EQ(refusal("  \n"), "Template format error: unsupported structure.");
  EXPECT_EQ(refusal("[1, 2]"), "Template format error: unsupported structure.");
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n"), "");
}

TEST(TemplateText, AliasesAreRefusedAnchorsAlonePass) {
  EXPECT_EQ(refusal("a: &x 1\nb: *x"),
            "Template error: YAML aliases are not allowed in CloudFormation templates");
  EXPECT_EQ(parsed("a: &x 1"), R"({"a":1})");
}

TEST(TemplateText, DeepNestingIsRefusedNotFatal) {
  EXPECT_NE(refusal(std::string(100'000, '[')), "");
  EXPECT_NE(refusal("{\"a\":" + std::string(100'000, '[')), "");
}

}  // namespace
}  // namespace tarn::cloudformation
