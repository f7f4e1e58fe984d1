// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/json_path.hpp"

#include <gtest/gtest.h>

namespace tarn::stepfunctions::asl {
namespace {

const char* const k_store = R"({"book":[{"t":"A","price":8.95,"isbn":"1"},{"t":"B","price":12.99},
  {"t":"C","price":22,"tags":["x","y"]}],"bike":{"color":"red","price":19.95},"a b":{"c.d":1}})";

std::string evaluated(const char* path, const char* document = k_store) {
  return dump_json(JsonPath::parse(path).evaluate(parse_json(document)));
}

TEST(JsonPath, DefinitePathsGiveTheThingItself) {
  EXPECT_EQ(evaluated("$.bike.color"), "\"red\"");
  EXPECT_EQ(evaluated("$['bike']['color']"), "\"red\"");
  EXPECT_EQ(evaluated("$.book[1].t"), "\"B\"");
  EXPECT_EQ(evaluated("$.book[-1].t"), "\"C\"");
  EXPECT_EQ(evaluated("$['a b']['c.d']"), "1");
  EXPECT_EQ(evaluated("$", "[1]"), "[1]");
}

TEST(JsonPath, IndefinitePathsGiveLists) {
  EXPECT_EQ(evaluated("$.book[*].t"), R"(["A","B","C"])");
  EXPECT_EQ(evaluated("$.book[0,2].t"), R"(["A","C"])");
  EXPECT_EQ(evaluated("$.book[:2].t"), R"(["A","B"])");
  EXPECT_EQ(evaluated("$.book[-2:].t"), R"(["B","C"])");
  EXPECT_EQ(evaluated("$..price"), "[8.95,12.99,22,19.95]");
  EXPECT_EQ(evaluated("$.bike['color','price']"), R"(["red",19.95])");
  EXPECT_EQ(evaluated("$.none[*].t"), "[]");
  EXPECT_EQ(evaluated("$.item.items[:1]", "{}"), "[]");
}

TEST(JsonPath, FiltersCompareJoinAndLookForMembers) {
  EXPECT_EQ(evaluated("$.book[?(@.price < 10)].t"), R"(["A"])");
  EXPECT_EQ(evaluated("$.book[?(@.price >= 12.99 && @.price < 20)].t"), R"(["B"])");
  EXPECT_EQ(evaluated("$.book[?(@.isbn)].t"), R"(["A"])");
  EXPECT_EQ(evaluated("$.book[?(!(@.isbn))].t"), R"(["B","C"])");
  EXPECT_EQ(evaluated("$.book[?(@.t == 'A' || @.t == \"C\")].price"), "[8.95,22]");
  EXPECT_EQ(evaluated("$.book[?(@.price == $.book[1].price)].t"), R"(["B"])");
  EXPECT_EQ(evaluated("$.book[?(@.t =~ /[ab]/i)].t"), R"(["A","B"])");
  EXPECT_EQ(evaluated("$.book[?(@.t in ['B','C'])].t"), R"(["B","C"])");
  EXPECT_EQ(evaluated("$.book[?(@.tags[0] == 'x')].t"), R"(["C"])");
}

TEST(JsonPath, AMissedDefinitePathTellsJaywaysReason) {
  const Json document = parse_json(R"({"a":{"b":1},"l":[1]})");
  const auto reason = [&](const char* path) -> std::string {
    try {
      JsonPath::parse(path).find(document);
    } catch (const PathNotFound& missing) {
      return missing.what();
    }
    return "found";
  };
  EXPECT_EQ(reason("$.x"), "No results for path: $['x']");
  EXPECT_EQ(reason("$.x.y"), "Missing property in path $['x']");
  EXPECT_EQ(reason("$.a.c"), "No results for path: $['a']['c']");
  EXPECT_EQ(reason("$.l[3]"), "No results for path: $['l'][3]");
  EXPECT_NE(reason("$.a.b.c").find("found 'java.lang.Integer'"), std::string::npos);
}

TEST(JsonPath, RootsAreTheInputTheContextAndVariables) {
  EXPECT_EQ(JsonPath::parse("$.a").root(), JsonPath::Root::input);
  EXPECT_EQ(JsonPath::parse("$$.Execution").root(), JsonPath::Root::context);
  const auto variable = JsonPath::parse("$name.a[0]");
  EXPECT_EQ(variable.root(), JsonPath::Root::variable);
  EXPECT_EQ(variable.variable(), "name");
}

TEST(JsonPath, WhatIsNoPathIsRefused) {
  for (const char* bad : {"", "a", "$.", "$..", "$.a..", "$[", "$['a'", "$[a]", "$.a[?(@.b ==)]",
                          "$.a[?()]", "$.a b", "$.a[1:]x"}) {
    EXPECT_THROW(JsonPath::parse(bad), BadPath) << bad;
  }
}

TEST(ReferencePath, PutsAValueAndMakesObjectsOnTheWay) {
  const auto put = [](const char* document, const char* path) {
    return dump_json(put_at(parse_json(document), JsonPath::parse(path), Json(9)));
  };
  EXPECT_EQ(put("{}", "$.a.b"), R"({"a":{"b":9}})");
  EXPECT_EQ(put(R"({"a":[1,2]})", "$.a[1]"), R"({"a":[1,9]})");
  EXPECT_THROW(put(R"({"a":1})", "$.a.b"), PathNotFound);
  EXPECT_THROW(put(R"({"a":[1]})", "$.a[1]"), PathNotFound);
  EXPECT_FALSE(JsonPath::parse("$.a[*]").is_reference());
  EXPECT_FALSE(JsonPath::parse("$.a[-1]").is_reference());
}

}  // namespace
}  // namespace tarn::stepfunctions::asl
