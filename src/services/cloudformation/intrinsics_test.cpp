// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/intrinsics.hpp"

#include <gtest/gtest.h>

#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

const char* k_template = R"(
Transform: AWS::LanguageExtensions
Parameters:
  Name: {Type: String}
  List: {Type: CommaDelimitedList}
Mappings:
  M: {k: {v: mapped, l: [1, 2]}}
Conditions:
  Same: !Equals [1, '1']
  Differs: !Not [!Condition Same]
  Both: !And [!Condition Same, !Condition Differs]
  Either: !Or [!Condition Same, !Condition Differs]
Resources:
  Known: {Type: T}
  Unknown: {Type: T}
)";

class Intrinsics : public testing::Test {
 protected:
  Intrinsics() : whole_(read_template(parse_template_text(k_template))) {
    surroundings_.pseudo = {"123456789012", "eu-west-1", "stack", "arn:stack"};
    surroundings_.parameters["Name"] = Json("name");
    surroundings_.parameters["List"] = parse_json(R"(["a","b"])");
    surroundings_.ref = [](std::string_view id) -> std::optional<Json> {
      if (id == "Known") return Json("known-id");
      return std::nullopt;
    };
    surroundings_.attribute = [](std::string_view id,
                                 std::string_view name) -> std::optional<Json> {
      if (id == "Known" && name == "Arn") return Json("arn:known");
      if (id == "Known" && name == "A.B") return Json(7);
      return std::nullopt;
    };
    surroundings_.import_value = [](const std::string& name) -> std::optional<std::string> {
      if (name == "exported") return "imported";
      return std::nullopt;
    };
  }
  std::string evaluated(const std::string& yaml) {
    const Json value = parse_template_text("v: " + yaml);
    Evaluator evaluator(whole_, surroundings_);
    return dump_json(evaluator.evaluate(*find_member(value, "v")));
  }
  std::string refusal(const std::string& yaml) {
    try {
      return "gave " + evaluated(yaml);
    } catch (const TemplateError& error) {
      return error.what();
    }
  }
  Template whole_;
  Surroundings surroundings_;
};

TEST_F(Intrinsics, GiveValues) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"!Ref Name", R"("name")"},
      {"!Ref List", R"(["a","b"])"},
      {"!Ref Known", R"("known-id")"},
      {"!Ref AWS::Region", R"("eu-west-1")"},
      {"!Ref AWS::AccountId", R"("123456789012")"},
      {"!Ref AWS::URLSuffix", R"("amazonaws.com")"},
      {"!Ref AWS::NotificationARNs", "[]"},
      {"!GetAtt Known.Arn", R"("arn:known")"},
      {"!GetAtt Known.A.B", "7"},
      {"{'Fn::GetAtt': [Known, !Sub '${AWS::NoSuch}']}", nullptr},
      {"!Sub '${Name}-${Known}-${Known.Arn}-${Known.A.B}-${AWS::Partition}'",
       R"("name-known-id-arn:known-7-aws")"},
      {"!Sub ['${x}${Name}${!Literal}$', {x: !Ref AWS::StackName}]", R"("stackname${Literal}$")"},
      {"!Sub 'no variables $ {x} }'", R"("no variables $ {x} }")"},
      {"!Join ['-', [a, 1, true, 1.5, !Ref Name]]", R"("a-1-true-1.5-name")"},
      {"!Join [',', !Ref List]", R"("a,b")"},
      {"!Join ['', []]", R"("")"},
      {"!Join [',', [a, !Ref 'AWS::NoValue', b]]", R"("a,b")"},
      {"!Select [1, !Ref List]", R"("b")"},
      {"!Select ['0', [x]]", R"("x")"},
      {"!Split ['|', 'a||b']", R"(["a","","b"])"},
      {"!Select [2, !Split [':', !GetAtt Known.Arn]]", nullptr},
      {"!FindInMap [M, k, v]", R"("mapped")"},
      {"!FindInMap [M, !Sub 'k', l]", "[1,2]"},
      {"!FindInMap [M, k, nope, {DefaultValue: d}]", R"("d")"},
      {"!Base64 hello", R"("aGVsbG8=")"},
      {"{'Fn::Base64': !Sub '${Name}'}", R"("bmFtZQ==")"},
      {"!Cidr [10.0.0.0/16, 3, 8]", R"(["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"])"},
      {"!Cidr [192.168.0.0/24, 6, 5]",
       R"(["192.168.0.0/27","192.168.0.32/27","192.168.0.64/27","192.168.0.96/27","192.168.0.128/27","192.168.0.160/27"])"},
      {"!Cidr ['2001:db8::/56', 2, 64]", R"(["2001:db8::/64","2001:db8:0:1::/64"])"},
      {"!GetAZs ''", R"(["eu-west-1a","eu-west-1b","eu-west-1c"])"},
      {"!GetAZs us-east-1", R"(["us-east-1a","us-east-1b","us-east-1c"])"},
      {"!ImportValue exported", R"("imported")"},
      {"!If [Same, a, b]", R"("a")"},
      {"!If [Both, a, !If [Either, c, d]]", R"("c")"},
      {"{keep: 1, drop: !Ref AWS::NoValue, list: [1, !If [Differs, 2, !Ref AWS::NoValue]]}",
       R"({"keep":1,"list":[1]})"},
      {"!Length [1, 2, 3]", "3"},
      {"!Length [!Ref Name]", "1"},
      {"!ToJsonString {a: !Ref Name, b: [1]}", R"("{\"a\":\"name\",\"b\":[1]}")"},
      {"{plain: [text, 1, {x: y}]}", R"({"plain":["text",1,{"x":"y"}]})"},
  };
  for (const auto& [yaml, json] : k_cases) {
    if (json) EXPECT_EQ(evaluated(yaml), json) << yaml;
  }
}

TEST_F(Intrinsics, LeaveWhatIsNotKnownAsFunctions) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"!Ref Unknown", R"({"Ref":"Unknown"})"},
      {"!GetAtt Unknown.A.B", R"({"Fn::GetAtt":["Unknown","A.B"]})"},
      {"!Sub 'a${Name}b${Unknown}c${Known}'",
       R"({"Fn::Join":["",["anameb",{"Ref":"Unknown"},"cknown-id"]]})"},
      {"!Join ['-', [a, b, !Ref Unknown]]", R"({"Fn::Join":["-",["a-b",{"Ref":"Unknown"}]]})"},
      {"!Select [0, !GetAtt Unknown.List]",
       R"({"Fn::Select":[0,{"Fn::GetAtt":["Unknown","List"]}]})"},
      {"!Select [0, [!Ref Known, !Ref Unknown]]", R"("known-id")"},
      {"!Split [',', !Ref Unknown]", R"({"Fn::Split":[",",{"Ref":"Unknown"}]})"},
      {"!Base64 {Ref: Unknown}", R"({"Fn::Base64":{"Ref":"Unknown"}})"},
      {"{a: {b: [!Ref Unknown]}}", R"({"a":{"b":[{"Ref":"Unknown"}]}})"},
  };
  for (const auto& [yaml, json] : k_cases) {
    EXPECT_EQ(evaluated(yaml), json) << yaml;
    EXPECT_EQ(is_unresolved(parse_json(evaluated(yaml))), std::string(json) != "\"known-id\"");
  }
}

TEST_F(Intrinsics, RefuseWithTheirMessages) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"!Select [5, [a]]", "Template error: Fn::Select cannot select nonexistent value at index 5"},
      {"!FindInMap [N, k, v]",
       "Template error: Mapping named 'N' is not present in the 'Mappings' section of template."},
      {"!FindInMap [M, k, z]", "Template error: Unable to get mapping for M::k::z"},
      {"!ImportValue nope", "No export named nope found."},
      {"!Sub '${a-b}'",
       "Template error: variable names in Fn::Sub syntax must contain only alphanumeric "
       "characters, "
       "underscores, periods, and colons"},
      {"!If [Same, a]",
       "Template error: Fn::If requires a list argument with three elements: a condition name, the "
       "value if true and the value if false"},
      {"{'Fn::Nope': 1}", "Template error: unsupported function: Fn::Nope"},
      {"!Transform {Name: 'AWS::Include'}", "No transform named AWS::Include found."},
      {"{'Fn::Sub': a, b: c}", "Template error: Fn::Sub must be the only member of its object"},
      {"!Sub '${List}'", "Template error: Fn::Sub variable List does not resolve to a string"},
      {"!Equals [a]",
       "Template error: every Fn::Equals object requires a list of 2 string parameters."},
      {"!Cidr [10.0.0.0/30, 9, 8]",
       "Template error: Fn::Cidr: 10.0.0.0/30 has no room for 9 subnets of 8 bits"},
  };
  for (const auto& [yaml, message] : k_cases) EXPECT_EQ(refusal(yaml), message) << yaml;
  for (const auto* yaml : {"!Join [a]", "!Join ['-', x]", "!Split ['', a]", "!Select [x, [a]]",
                           "!GetAtt X", "!FindInMap [M, k]", "!Sub [a, b, c]", "!Sub {a: b}"}) {
    EXPECT_TRUE(refusal(yaml).starts_with("Template error: ")) << refusal(yaml);
  }
}

}  // namespace
}  // namespace tarn::cloudformation
