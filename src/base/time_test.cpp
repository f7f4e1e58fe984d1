// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <gtest/gtest.h>

namespace tarn {
namespace {

const Timestamp k_moment = Timestamp(Microseconds(1'795'248'000'123'456));  // a Saturday

TEST(Time, EachFormatIsWrittenAsItsStandardSays) {
  EXPECT_EQ(iso8601(k_moment), "2026-11-21T08:00:00.123Z");
  EXPECT_EQ(iso8601(k_moment, Precision::seconds), "2026-11-21T08:00:00Z");
  EXPECT_EQ(iso8601(k_moment, Precision::microseconds), "2026-11-21T08:00:00.123456Z");
  EXPECT_EQ(iso8601_basic(k_moment), "20261121T080000Z");
  EXPECT_EQ(http_date(k_moment), "Sat, 21 Nov 2026 08:00:00 GMT");
  EXPECT_EQ(iso8601(Timestamp(Microseconds(-1)), Precision::microseconds),
            "1969-12-31T23:59:59.999999Z");
}

struct Case {
  const char* text;
  const char* expected;  // null: refused
};

TEST(Time, Iso8601IsReadWithOffsetsAndFractions) {
  const Case cases[] = {
      {"2026-11-21", "2026-11-21T00:00:00.000Z"},
      {"2026-11-21T08:00:00Z", "2026-11-21T08:00:00.000Z"},
      {"2026-11-21T08:00Z", "2026-11-21T08:00:00.000Z"},
      {"2026-11-21t08:00:00.5z", "2026-11-21T08:00:00.500Z"},
      {"2026-11-21T08:00:00,123456789Z", "2026-11-21T08:00:00.123Z"},
      {"2026-11-21T08:00:00+02:00", "2026-11-21T06:00:00.000Z"},
      {"2026-11-21T08:00:00-0530", "2026-11-21T13:30:00.000Z"},
      {"2026-11-21 08:00:00Z", "2026-11-21T08:00:00.000Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
      {"2026-11-21T08:00:00", nullptr},
      {"2026-02-29T00:00:00Z", nullptr},
      {"2026-13-01T00:00:00Z", nullptr},
      {"2026-11-21T25:00:00Z", nullptr},
      {"2026-11-21T08:60:00Z", nullptr},
      {"2026-11-21T08:00:00.Z", nullptr},
      {"2026-11-21T08:00:00Zx", nullptr},
      {"", nullptr},
      {"yesterday", nullptr},
  };
  for (const auto& test : cases) {
    const auto time = parse_iso8601(test.text);
    EXPECT_EQ(time.has_value(), test.expected != nullptr) << test.text;
    if (time && test.expected) EXPECT_EQ(iso8601(*time), test.expected) << test.text;
  }
}

TEST(Time, HttpDatesAreReadInAllThreeForms) {
  const auto expected = parse_iso8601("1994-11-06T08:49:37Z");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), expected);
  EXPECT_EQ(parse_http_date("Sun, 06 Foo 1994 08:49:37 GMT"), std::nullopt);
  EXPECT_EQ(parse_http_date(""), std::nullopt);
}

TEST(Time, SigningDatesAreReadStrictly) {
  EXPECT_EQ(parse_iso8601_basic("20261121T080000Z"), parse_iso8601("2026-11-21T08:00:00Z"));
  EXPECT_EQ(parse_iso8601_basic("20261121T080000"), std::nullopt);
  EXPECT_EQ(parse_iso8601_basic("2026-11-21T08:00:00Z"), std::nullopt);
}

TEST(Time, UnitsConvertWithoutLoss) {
  EXPECT_EQ(to_millis(k_moment), 1'795'248'000'123);
  EXPECT_EQ(from_millis(1'795'248'000'123), Timestamp(Microseconds(1'795'248'000'123'000)));
  EXPECT_EQ(from_seconds(1.5), Timestamp(Microseconds(1'500'000)));
  EXPECT_DOUBLE_EQ(to_seconds(Timestamp(Microseconds(-500'000))), -0.5);
  EXPECT_EQ(to_millis(Timestamp(Microseconds(-1))), -1);  // towards the past
}

}  // namespace
}  // namespace tarn
