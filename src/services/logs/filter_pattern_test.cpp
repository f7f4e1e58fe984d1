// SPDX-License-Identifier: Apache-2.0
#include "services/logs/filter_pattern.hpp"

#include <gtest/gtest.h>

namespace tarn::logs {
namespace {

bool matches(std::string_view pattern, std::string_view message) {
  return FilterPattern::parse(pattern).matches(message);
}

TEST(FilterPattern, terms_must_all_be_there_with_their_case) {
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("ERROR", "an ERROR here"));
  EXPECT_FALSE(matches("ERROR", "an error here"));
  EXPECT_TRUE(matches("ERROR code", "code of ERROR"));
  EXPECT_FALSE(matches("ERROR code", "ERROR"));
}

TEST(FilterPattern, phrases_exclusions_and_alternatives) {
  EXPECT_TRUE(matches("\"not found\"", "it was not found"));
  EXPECT_FALSE(matches("\"not found\"", "found, not"));
  EXPECT_TRUE(matches("\"say \\\"hi\\\"\"", "say \"hi\""));
  EXPECT_FALSE(matches("ERROR -debug", "ERROR debug"));
  EXPECT_TRUE(matches("?ERROR ?WARN", "WARN"));
  EXPECT_FALSE(matches("?ERROR ?WARN", "INFO"));
  EXPECT_TRUE(matches("INFO ?WARN", "INFO"));
  EXPECT_TRUE(matches("-debug", "INFO"));
}

TEST(FilterPattern, regular_expressions) {
  EXPECT_TRUE(matches("%status=[45][0-9]{2}%", "GET / status=502"));
  EXPECT_FALSE(matches("%status=[45][0-9]{2}%", "GET / status=200"));
}

TEST(FilterPattern, json_conditions) {
  const char* message =
      R"({"level":"ERROR","code":503,"ok":false,"user":null,"a":{"b":[{"c":7}]},"x y":"z"})";
  EXPECT_TRUE(matches("{ $.level = \"ERROR\" }", message));
  EXPECT_TRUE(matches("{ $.level = ERR* }", message));
  EXPECT_FALSE(matches("{ $.level != \"ERROR\" }", message));
  EXPECT_TRUE(matches("{ $.code >= 500 && $.code < 600 }", message));
  EXPECT_TRUE(matches("{ $.code = 1 || ($.ok IS FALSE && $.user IS NULL) }", message));
  EXPECT_TRUE(matches("{ $.a.b[0].c = 7 }", message));
  EXPECT_FALSE(matches("{ $.a.b[1].c = 7 }", message));
  EXPECT_TRUE(matches("{ $.['x y'] = z }", message));
  EXPECT_TRUE(matches("{ $.missing NOT EXISTS }", message));
  EXPECT_FALSE(matches("{ $.missing = 1 }", message));
  EXPECT_TRUE(matches("{ $.level = %^ERR% }", message));
  EXPECT_FALSE(matches("{ $.level = \"ERROR\" }", "level=ERROR"));
  EXPECT_FALSE(matches("{ $.level = \"ERROR\" }", "{broken"));
}

TEST(FilterPattern, numbers_match_wildcards_by_their_digits) {
  EXPECT_TRUE(matches("{ $.code = 5* }", R"({"code":503})"));
  EXPECT_FALSE(matches("{ $.code = 4* }", R"({"code":503})"));
}

// The lines of AWS's documentation of space-delimited patterns.
TEST(FilterPattern, fields_between_spaces_quotes_and_brackets) {
  const char* line =
      "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534";
  EXPECT_TRUE(matches("[ip, server, user, time, request, status = 4*, bytes]", line));
  EXPECT_TRUE(matches("[ip, server, user, time, request, status = 404, bytes > 1000]", line));
  EXPECT_FALSE(matches("[ip, server, user, time, request, status = 404, bytes > 2000]", line));
  EXPECT_TRUE(matches("[..., status = 404, bytes]", line));
  EXPECT_TRUE(matches("[ip = 127.0.0.*, ...]", line));
  EXPECT_TRUE(matches("[ip, ..., request = \"GET *\", status, bytes]", line));
  EXPECT_TRUE(matches("[..., status = 404 || status = 410, bytes]", line));
  EXPECT_FALSE(matches("[..., status >= 400 && status < 404, bytes]", line));
  EXPECT_TRUE(matches("[ip, server = %^P%, ...]", line));
  EXPECT_TRUE(matches("[ip, server, user != Bob, ...]", line));
  EXPECT_FALSE(matches("[ip, server]", line));
  EXPECT_FALSE(matches("[a, b, ...]", "one"));
}

TEST(FilterPattern, what_cannot_be_read_is_refused) {
  for (const char* pattern :
       {"\"open", "a.b", "{ $.a }", "{ $.a = 1", "{ $.a < x }", "{ a = 1 }", "{ $.a = 1 } b", "%(%",
        "[ip, user", "[]", "[..., ...]", "[a > x]", "[a, b] c", "{ $.a = }", "?", "{ ($.a = 1 }"}) {
    EXPECT_THROW(FilterPattern::parse(pattern), BadPattern) << pattern;
  }
}

}  // namespace
}  // namespace tarn::logs
