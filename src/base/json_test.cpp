// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tarn {
namespace {

TEST(Json, TextReadsBackAsItWas) {
  for (const char* text :
       {"null", "true", "0", "-1", "9223372036854775807", "18446744073709551615", "1.5", "\"\"",
        R"("a\"\\\n\u0001")", "[]", "{}", R"({"b":1,"a":[null,{"x":"y"}]})", "\"ä€😀\""}) {
    EXPECT_EQ(dump_json(parse_json(text)), text);
  }
}

TEST(Json, MembersKeepTheirOrder) {
  EXPECT_EQ(dump_json(parse_json(R"({"z":1,"a":2,"m":3})")), R"({"z":1,"a":2,"m":3})");
}

struct DoubleCase {
  double value;
  const char* text;
};

TEST(Json, DoublesAreWrittenShortestWithAFraction) {
  const DoubleCase cases[] = {{1.0, "1.0"},
                              {-0.0, "-0.0"},
                              {0.1, "0.1"},
                              {1e17, "100000000000000000.0"},
                              {1e18, "1e+18"},
                              {1.5e-7, "0.00000015"},
                              {1e-8, "1e-08"},
                              {123456.789, "123456.789"},
                              {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
                              {std::nan(""), "null"}};
  for (const auto& test : cases) {
    EXPECT_EQ(dump_double(test.value), test.text);
    if (std::isfinite(test.value)) {
      EXPECT_EQ(parse_json(test.text).to_number<double>(), test.value);
    }
  }
}

TEST(Json, IntegersBeyond64BitsBecomeDoubles) {
  EXPECT_TRUE(parse_json("18446744073709551616").is_double());
  EXPECT_TRUE(parse_json("-9223372036854775809").is_double());
}

TEST(Json, NonsenseIsRefusedWithItsPlace) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "tru", "01", "1 2", "\"\n\"", "'a'",
                           "[1]x", "\"\\ud800\"", "NaN", "// c\n1"}) {
    EXPECT_THROW(parse_json(text), JsonError) << text;
  }
  try {
    parse_json("{\"a\": 1} x");
    FAIL();
  } catch (const JsonError& error) {
    EXPECT_EQ(error.offset, 9U);
  }
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(100)));
  EXPECT_THROW(parse_json(nested(200)), JsonError);
  EXPECT_THROW(parse_json(nested(11), 10), JsonError);
}

TEST(Json, LookUpsDoNotThrow) {
  const Json value = parse_json(R"({"text":"x","number":1})");
  EXPECT_EQ(find_string(value, "text"), "x");
  EXPECT_EQ(find_string(value, "number"), std::nullopt);
  EXPECT_EQ(find_string(Json(1), "text"), std::nullopt);
  EXPECT_EQ(string_or(value, "none", "fallback"), "fallback");
  EXPECT_EQ(find_member(value, "none"), nullptr);
  EXPECT_NE(find_member(value, "number"), nullptr);
}

struct EqualCase {
  const char* left;
  const char* right;
  bool equal;
};

TEST(Json, NumbersAreEqualByValueAndObjectsWhateverTheirOrder) {
  const EqualCase cases[] = {
      {"1", "1.0", true},
      {"1", "2", false},
      {"18446744073709551615", "-1", false},
      {R"({"a":1,"b":2})", R"({"b":2.0,"a":1})", true},
      {R"({"a":1})", R"({"a":1,"b":2})", false},
      {R"({"a":1})", R"({"b":1})", false},
      {"[1,2]", "[2,1]", false},
      {"[1,2]", "[1,2]", true},
      {"\"1\"", "1", false},
      {"null", "null", true},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(json_equal(parse_json(test.left), parse_json(test.right)), test.equal)
        << test.left << ' ' << test.right;
  }
}

TEST(Json, ThePrettyFormIsForPeople) {
  EXPECT_EQ(dump_json_pretty(parse_json(R"({"a":[1,2],"b":{},"c":[]})")),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

}  // namespace
}  // namespace tarn
