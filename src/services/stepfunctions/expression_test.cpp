// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/expression.hpp"

#include <gtest/gtest.h>

#include "services/stepfunctions/choice.hpp"
#include "services/stepfunctions/definition.hpp"

namespace tarn::stepfunctions::asl {
namespace {

class Fixed : public Bindings {
 public:
  explicit Fixed(const std::string& input)
      : text_(input),
        input_(parse_json(input)),
        context_(parse_json(R"({"Execution":{"Id":"arn"}})")),
        variable_(parse_json(R"({"deep":[7]})")) {}
  const Json& input() override { return input_; }
  const std::string& input_text() override { return text_; }
  const Json& context() override { return context_; }
  const Json* variable(const std::string& name) override {
    return name == "v" ? &variable_ : nullptr;
  }
  Random& random() override { return random_; }

 private:
  std::string text_;
  Json input_, context_, variable_;
  SeededRandom random_{3};
};

std::string value_of(const std::string& expression, const std::string& input = "{}") {
  Fixed bindings(input);
  try {
    return dump_json(Expression::parse(expression).evaluate(bindings, "x.$"));
  } catch (const EvaluationError& error) {
    return error.error + ": " + error.what();
  }
}

TEST(Expression, ReadsInputContextAndVariables) {
  EXPECT_EQ(value_of("$.a", R"({"a":1})"), "1");
  EXPECT_EQ(value_of("$$.Execution.Id"), "\"arn\"");
  EXPECT_EQ(value_of("$v.deep[0]"), "7");
  EXPECT_EQ(value_of("$.b", R"({"a": 1})"),
            "States.Runtime: The JSONPath '$.b' specified for the field 'x.$' could not be found "
            "in the input '{\"a\": 1}'");
}

TEST(Intrinsics, WorkOnArrays) {
  EXPECT_EQ(value_of("States.Array(1, 'a', $.x, null, true)", R"({"x":[2]})"),
            R"([1,"a",[2],null,true])");
  EXPECT_EQ(value_of("States.ArrayPartition($.x, 2)", R"({"x":[1,2,3]})"), "[[1,2],[3]]");
  EXPECT_EQ(value_of("States.ArrayContains($.x, 2)", R"({"x":[1,2.0]})"), "true");
  EXPECT_EQ(value_of("States.ArrayRange(1, 9, 4)"), "[1,5,9]");
  EXPECT_EQ(value_of("States.ArrayRange(9, 1, -4)"), "[9,5,1]");
  EXPECT_EQ(value_of("States.ArrayLength($.x)", R"({"x":[1,2]})"), "2");
  EXPECT_EQ(value_of("States.ArrayUnique($.x)", R"({"x":[1,1,"1",1.0]})"), R"([1,"1"])");
  EXPECT_EQ(value_of("States.ArrayGetItem($.x, 1)", R"({"x":[1,2]})"), "2");
  EXPECT_NE(value_of("States.ArrayGetItem($.x, 5)", R"({"x":[1,2]})").find("IntrinsicFailure"),
            std::string::npos);
}

TEST(Intrinsics, WorkOnTextAndNumbers) {
  EXPECT_EQ(
      value_of("States.Format('{} and {} in \\{\\}', 1, $.o)", R"({"o":{"a":"b","c":[1,2]}})"),
      R"("1 and {a=b, c=[1, 2]} in {}")");
  EXPECT_NE(value_of("States.Format('{}')").find("does not match the occurrences"),
            std::string::npos);
  EXPECT_EQ(value_of("States.StringSplit('a.b+c..d', '.+')"), R"(["a","b","c","d"])");
  EXPECT_EQ(value_of("States.StringToJson('{\"a\":[1]}')"), R"({"a":[1]})");
  EXPECT_EQ(value_of("States.JsonToString($)", R"({"a": 1.0})"), R"("{\"a\":1.0}")");
  EXPECT_EQ(value_of("States.Base64Encode('Data')"), R"("RGF0YQ==")");
  EXPECT_EQ(value_of("States.Base64Decode('RGF0YQ==')"), R"("Data")");
  EXPECT_EQ(value_of("States.MathAdd(5, -7)"), "-2");
  EXPECT_EQ(value_of("States.Hash('input data', 'SHA-1')"),
            R"("aaff4a450a104cd177d28d18d74485e8cae074b7")");
  EXPECT_EQ(value_of("States.JsonMerge($.a, $.b, false)", R"({"a":{"x":1,"y":1},"b":{"y":2}})"),
            R"({"x":1,"y":2})");
  EXPECT_EQ(value_of("States.ArrayLength(States.StringSplit(States.Format('{},b', 'a'), ','))"),
            "2");
}

TEST(Intrinsics, ASeedGivesTheSameNumber) {
  EXPECT_EQ(value_of("States.MathRandom(1, 1000, 42)"), value_of("States.MathRandom(1, 1000, 42)"));
  EXPECT_EQ(value_of("States.UUID()").size(), 38U);
}

TEST(Expression, WhatIsNeitherPathNorCallIsRefused) {
  for (const char* bad : {"States.Nope()", "States.Array(1", "States.Array(1,)", "States.Hash('a')",
                          "States.Format('\\\"')", "nonsense", "States.Array({})", ""}) {
    EXPECT_THROW(Expression::parse(bad), BadPath) << bad;
  }
}

TEST(Template, ReplacesWhatEndsInDollar) {
  Fixed bindings(R"({"n":{"m":[1,2]}})");
  const auto made = Template::parse(parse_json(
      R"({"keep":"$.n","take.$":"$.n.m","deep":[{"id.$":"$$.Execution.Id"},5],"k":{}})"));
  EXPECT_EQ(dump_json(made.evaluate(bindings)),
            R"({"keep":"$.n","take":[1,2],"deep":[{"id":"arn"},5],"k":{}})");
  const auto bad = Template::check(parse_json(R"({"a":{"b.$":"no"},"c.$":1})"));
  ASSERT_EQ(bad.size(), 2U);
  EXPECT_EQ(bad[0].field, "b.$");
  EXPECT_EQ(bad[0].location, "/a");
}

bool chosen(const std::string& rule, const std::string& input) {
  const std::string text = R"({"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[)" + rule +
                           R"(],"Default":"D"},"T":{"Type":"Succeed"},"D":{"Type":"Succeed"}}})";
  const auto parsed = parse_definition(text, false);
  EXPECT_TRUE(parsed.ok()) << parsed.error_message();
  Fixed bindings(input);
  return holds(parsed.definition->flows[0].states[0].choices.at(0).condition, bindings);
}

TEST(Choice, OperatorsCompareOnlyTheirOwnKind) {
  EXPECT_TRUE(chosen(R"({"Variable":"$.a","NumericEquals":1,"Next":"T"})", R"({"a":1.0})"));
  EXPECT_FALSE(chosen(R"({"Variable":"$.a","NumericEquals":1,"Next":"T"})", R"({"a":"1"})"));
  EXPECT_TRUE(chosen(R"({"Variable":"$.a","StringLessThan":"b","Next":"T"})", R"({"a":"a"})"));
  EXPECT_TRUE(
      chosen(R"({"Variable":"$.a","StringMatches":"l*.zip","Next":"T"})", R"({"a":"log-1.zip"})"));
  EXPECT_TRUE(chosen(R"({"Variable":"$.a","StringMatches":"a\\*","Next":"T"})", R"({"a":"a*"})"));
  EXPECT_FALSE(chosen(R"({"Variable":"$.a","StringMatches":"a\\*","Next":"T"})", R"({"a":"ab"})"));
  EXPECT_TRUE(
      chosen(R"({"Variable":"$.a","TimestampGreaterThan":"2001-01-01T12:00:00Z","Next":"T"})",
             R"({"a":"2001-01-01T12:00:00.5Z"})"));
  EXPECT_TRUE(
      chosen(R"({"Variable":"$.a","NumericLessThanPath":"$.b","Next":"T"})", R"({"a":1,"b":2})"));
  EXPECT_TRUE(chosen(R"({"Variable":"$.x","IsPresent":false,"Next":"T"})", "{}"));
  EXPECT_TRUE(chosen(R"({"Variable":"$.a","IsTimestamp":true,"Next":"T"})",
                     R"({"a":"2001-01-01T12:00:00+02:00"})"));
  EXPECT_TRUE(chosen(R"({"Variable":"$.a","IsNull":true,"Next":"T"})", R"({"a":null})"));
}

TEST(Choice, RulesNest) {
  const char* rule = R"({"And":[{"Variable":"$.a","IsNumeric":true},{"Or":[{"Variable":"$.a",
    "NumericEquals":1},{"Not":{"Variable":"$.a","NumericLessThan":10}}]}],"Next":"T"})";
  EXPECT_TRUE(chosen(rule, R"({"a":1})"));
  EXPECT_TRUE(chosen(rule, R"({"a":11})"));
  EXPECT_FALSE(chosen(rule, R"({"a":5})"));
  EXPECT_FALSE(chosen(rule, R"({"a":"x"})"));
}

TEST(Choice, AMissingVariableIsAnError) {
  EXPECT_THROW(chosen(R"({"Variable":"$.a","IsString":true,"Next":"T"})", "{}"), EvaluationError);
}

}  // namespace
}  // namespace tarn::stepfunctions::asl
