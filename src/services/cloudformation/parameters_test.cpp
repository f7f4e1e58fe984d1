// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/parameters.hpp"

#include <gtest/gtest.h>

namespace tarn::cloudformation {
namespace {

Template with_parameter(const std::string& definition) {
  return read_template(parse_template_text("Parameters: {P: " + definition +
                                           "}\nResources: {Q: {Type: AWS::SQS::Queue}}"));
}

std::string outcome(const std::string& definition, std::optional<std::string> value) {
  try {
    const auto whole = with_parameter(definition);
    std::vector<ParameterInput> inputs;
    if (value) inputs.push_back({"P", value, false});
    return dump_json(bind_parameters(whole, choose_parameters(whole, inputs, {})).at("P"));
  } catch (const TemplateError& error) {
    return error.what();
  }
}

TEST(Parameters, AreCheckedAgainstTheirDefinitions) {
  struct Case {
    const char* definition;
    std::optional<std::string> value;
    const char* outcome;
  };
  const Case k_cases[] = {
      {"{Type: String}", "x", R"("x")"},
      {"{Type: String, Default: d}", {}, R"("d")"},
      {"{Type: String, Default: ''}", {}, R"("")"},
      {"{Type: Number, Default: 5}", {}, R"("5")"},
      {"{Type: String, Default: true}", {}, R"("true")"},
      {"{Type: String}", {}, "Parameters: [P] must have values"},
      {"{Type: String, AllowedValues: [a, b]}", "c", "Parameter 'P' must be one of AllowedValues"},
      {"{Type: Number, AllowedValues: [1, 2]}", "2", R"("2")"},
      {"{Type: String, AllowedPattern: '[a-z]+'}", "abc", R"("abc")"},
      {"{Type: String, AllowedPattern: '[a-z]+'}", "abc1",
       "Parameter 'P' must match pattern [a-z]+"},
      {"{Type: String, AllowedPattern: '^(?!x).*$'}", "xy",
       "Parameter 'P' must match pattern ^(?!x).*$"},
      {"{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: letters only}", "1",
       "Parameter 'P' failed to satisfy constraint: letters only"},
      {"{Type: String, MinLength: 3}", "ab", "Parameter 'P' must contain at least 3 characters"},
      {"{Type: String, MaxLength: 3}", "abcd", "Parameter 'P' must contain at most 3 characters"},
      {"{Type: Number}", "x", "Parameter 'P' must be a number."},
      {"{Type: Number, MinValue: 2}", "1", "Parameter 'P' must be a number not less than 2"},
      {"{Type: Number, MaxValue: 2}", "3", "Parameter 'P' must be a number not greater than 2"},
      {"{Type: CommaDelimitedList}", " a , b,c", R"(["a","b","c"])"},
      {"{Type: CommaDelimitedList}", "", "[]"},
      {"{Type: List<Number>}", "1,2", R"(["1","2"])"},
      {"{Type: List<Number>}", "1,x", "Parameter 'P' must be a number."},
      {"{Type: CommaDelimitedList, AllowedValues: [a, b]}", "a,c",
       "Parameter 'P' must be one of AllowedValues"},
      {"{Type: 'AWS::EC2::Subnet::Id'}", "subnet-1", R"("subnet-1")"},
      {"{Type: 'List<AWS::EC2::Subnet::Id>'}", "s1,s2", R"(["s1","s2"])"},
      {"{Type: 'AWS::SSM::Parameter::Name'}", "/a", R"("/a")"},
  };
  for (const auto& item : k_cases) {
    EXPECT_EQ(outcome(item.definition, item.value), item.outcome) << item.definition;
  }
}

TEST(Parameters, SsmTypesGiveTheirResolvedValue) {
  const auto whole = with_parameter("{Type: 'AWS::SSM::Parameter::Value<CommaDelimitedList>'}");
  EXPECT_EQ(whole.parameters[0].ssm_value_type(), "CommaDelimitedList");
  auto values = choose_parameters(whole, {{"P", "/name", false}}, {});
  values[0].resolved = "a,b";
  EXPECT_EQ(dump_json(bind_parameters(whole, values).at("P")), R"(["a","b"])");
}

TEST(Parameters, PreviousValuesAreUsedWhenAskedFor) {
  const auto whole = with_parameter("{Type: String, Default: d, NoEcho: true}");
  const auto kept = choose_parameters(whole, {{"P", {}, true}}, {{"P", "before", "", true}});
  EXPECT_EQ(kept[0].text, "before");
  EXPECT_TRUE(kept[0].no_echo);
  EXPECT_EQ(choose_parameters(whole, {}, {{"P", "before", "", true}})[0].text, "d");
}

TEST(Parameters, UnknownOnesAreRefusedTogether) {
  try {
    choose_parameters(with_parameter("{Type: String, Default: d}"),
                      {{"X", "1", false}, {"Y", "2", false}}, {});
    FAIL();
  } catch (const TemplateError& error) {
    EXPECT_STREQ(error.what(), "Parameters: [X, Y] do not exist in the template");
  }
}

}  // namespace
}  // namespace tarn::cloudformation
