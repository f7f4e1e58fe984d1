// SPDX-License-Identifier: Apache-2.0
#include "base/strings.hpp"

#include <gtest/gtest.h>

namespace tarn {
namespace {

using Parts = std::vector<std::string>;

TEST(Strings, SplittingKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (Parts{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), Parts{""});
  EXPECT_EQ(join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join({}, ","), "");
}

TEST(Strings, TrimCaseAndReplacement) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(to_lower("ÄBc-Z"), "Äbc-z");
  EXPECT_EQ(to_upper("abc"), "ABC");
  EXPECT_TRUE(iequals("Content-Type", "content-TYPE"));
  EXPECT_FALSE(iequals("a", "ab"));
  EXPECT_EQ(replace_all("aXbXX", "X", "--"), "a--b----");
  EXPECT_EQ(replace_all("abc", "", "x"), "abc");
}

TEST(Strings, NumbersAreReadWholeOrNotAtAll) {
  EXPECT_EQ(parse_int("-42"), -42);
  EXPECT_EQ(parse_int("9223372036854775808"), std::nullopt);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "1.0"}) {
    EXPECT_EQ(parse_int(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_uint("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_uint("-1"), std::nullopt);
  EXPECT_EQ(parse_double("-1.5e3"), -1500.0);
  EXPECT_EQ(parse_double("1,5"), std::nullopt);
}

TEST(Strings, HexAndBase64ReadBack) {
  const std::string bytes("\x00\x01\xfe\xff z", 6);
  EXPECT_EQ(to_hex(bytes), "0001feff207a");
  EXPECT_EQ(from_hex("0001FEff207a"), bytes);
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("zz"), std::nullopt);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    EXPECT_EQ(from_base64(to_base64(bytes.substr(0, length))), bytes.substr(0, length));
  }
  EXPECT_EQ(to_base64("light w"), "bGlnaHQgdw==");
  EXPECT_EQ(from_base64("bGlnaHQgdw"), "light w");  // padding is optional
  EXPECT_EQ(from_base64("bGlnaHQgd"), std::nullopt);
  EXPECT_EQ(from_base64("b G="), std::nullopt);
}

TEST(Strings, UriEncodingIsRfc3986) {
  EXPECT_EQ(uri_encode("a b/ü~*"), "a%20b%2F%C3%BC~%2A");
  EXPECT_EQ(uri_encode("a b/c", true), "a%20b/c");
  EXPECT_EQ(uri_decode("a%20b%2Fc+d"), "a b/c+d");
  EXPECT_EQ(uri_decode("a+b", true), "a b");
  EXPECT_EQ(uri_decode("100%"), "100%");
  EXPECT_EQ(uri_decode("%zz%4"), "%zz%4");
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool expected;
};

TEST(Strings, GlobsAreIamsWildcards) {
  const GlobCase cases[] = {{"*", "", true},
                            {"*", "anything", true},
                            {"s3:Get*", "s3:GetObject", true},
                            {"s3:Get*", "s3:PutObject", false},
                            {"a?c", "abc", true},
                            {"a?c", "ac", false},
                            {"*a*b", "xaxb", true},
                            {"*a*b", "xbxa", false},
                            {"a*b*c", "abbbc", true},
                            {"", "", true},
                            {"", "x", false},
                            {"A", "a", false}};
  for (const auto& test : cases) {
    EXPECT_EQ(glob_match(test.pattern, test.text), test.expected) << test.pattern;
  }
  // No exponential search.
  EXPECT_FALSE(glob_match("a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST(Strings, Utf8IsCheckedToTheLetter) {
  EXPECT_TRUE(is_valid_utf8("aä€😀"));
  for (const char* text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"}) {
    EXPECT_FALSE(is_valid_utf8(text));
  }
}

TEST(Strings, SecretsCompareWhateverTheirContent) {
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "Secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secre"));
}

}  // namespace
}  // namespace tarn
