// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/date_parts.hpp"

#include <gtest/gtest.h>

#include "engines/sql/error.hpp"

namespace tarn::sql {
namespace {

std::int64_t at(std::int64_t year, int month, int day, int hour = 0, int minute = 0) {
  return CivilTime{year, month, day, hour, minute}.to_micros();
}

TEST(DateParts, civil_time_round_trips_over_leap_years_and_before_the_epoch) {
  for (std::int64_t days = -800'000; days < 800'000; days += 37) {
    const std::int64_t micros = days * 86'400'000'000 + 12'345;
    EXPECT_EQ(CivilTime::from_micros(micros).to_micros(), micros);
  }
  const CivilTime leap = CivilTime::from_micros(at(2000, 2, 29));
  EXPECT_EQ(leap.month, 2);
  EXPECT_EQ(leap.day, 29);
  EXPECT_EQ(leap.day_of_week(), 2);
}

TEST(DateParts, adding_months_keeps_within_the_month) {
  EXPECT_EQ(date_add(DatePart::month, 1, at(2024, 1, 31)), at(2024, 2, 29));
  EXPECT_EQ(date_add(DatePart::month, -14, at(2024, 3, 31)), at(2023, 1, 31));
  EXPECT_EQ(add_months(at(2024, 2, 29), 1), at(2024, 3, 31));
  EXPECT_EQ(add_months(at(2024, 2, 28), 1), at(2024, 3, 28));
}

TEST(DateParts, differences_count_boundaries) {
  EXPECT_EQ(date_diff(DatePart::year, at(2023, 12, 31), at(2024, 1, 1)), 1);
  EXPECT_EQ(date_diff(DatePart::quarter, at(2024, 1, 31), at(2024, 4, 1)), 1);
  EXPECT_EQ(date_diff(DatePart::week, at(2024, 1, 6), at(2024, 1, 7)), 1);
  EXPECT_EQ(date_diff(DatePart::week, at(2024, 1, 7), at(2024, 1, 13)), 0);
  EXPECT_EQ(date_diff(DatePart::hour, at(2024, 1, 1, 1, 59), at(2024, 1, 1, 2, 0)), 1);
  EXPECT_EQ(date_diff(DatePart::day, at(2024, 1, 2), at(2023, 12, 31)), -2);
}

TEST(DateParts, truncation_finds_the_first_instant) {
  EXPECT_EQ(date_trunc(DatePart::week, at(2024, 5, 17, 10)), at(2024, 5, 13));
  EXPECT_EQ(date_trunc(DatePart::quarter, at(2024, 5, 17)), at(2024, 4, 1));
  EXPECT_EQ(date_trunc(DatePart::century, at(2024, 5, 17)), at(2001, 1, 1));
  EXPECT_EQ(date_trunc(DatePart::day, at(1969, 12, 31, 23)), at(1969, 12, 31));
}

TEST(DateParts, parts_and_their_many_names) {
  EXPECT_EQ(parse_date_part("QTRS"), DatePart::quarter);
  EXPECT_EQ(parse_date_part("dw"), DatePart::day_of_week);
  EXPECT_EQ(parse_date_part("fortnight"), std::nullopt);
  EXPECT_EQ(date_part(DatePart::week, at(2021, 1, 3)), 53);
  EXPECT_EQ(date_part(DatePart::day_of_year, at(2024, 12, 31)), 366);
  EXPECT_NEAR(months_between(at(2024, 3, 15), at(2024, 1, 1)), 2 + 14.0 / 31, 1e-9);
  EXPECT_EQ(months_between(at(2024, 2, 29), at(2024, 1, 31)), 1);
}

TEST(DateParts, templates_write_and_read) {
  const std::int64_t t = at(2024, 3, 5, 14, 3) + 2'050'000;
  EXPECT_EQ(format_time(t, "YYYY-MM-DD HH24:MI:SS.MS"), "2024-03-05 14:03:02.050");
  EXPECT_EQ(format_time(t, "FMDay, DD FMMonth HH12 AM"), "Tuesday, 05 March 02 PM");
  EXPECT_EQ(format_time(t, "\"Q\"Q IYYY-IW DDD"), "Q1 2024-10 065");
  EXPECT_EQ(parse_time("05/Mar/2024 02:03 pm", "DD/Mon/YYYY HH:MI AM"), at(2024, 3, 5, 14, 3));
  EXPECT_EQ(parse_time("20240305", "YYYYMMDD"), at(2024, 3, 5));
  EXPECT_THROW(parse_time("2024-02-30", "YYYY-MM-DD"), SqlError);
  EXPECT_THROW(parse_time("nonsense", "YYYY-MM-DD"), SqlError);
}

TEST(DateParts, a_day_too_many_runs_into_the_next_month_unless_strict) {
  EXPECT_EQ(parse_time("20010631", "YYYYMMDD", false), at(2001, 7, 1));
  EXPECT_THROW(parse_time("20010632", "YYYYMMDD", false), SqlError);
  EXPECT_THROW(parse_time(" ", "YYYYMMDD", false), SqlError);
}

TEST(DateParts, seconds_of_the_day_are_no_pair_of_seconds) {
  EXPECT_EQ(format_time(at(2024, 3, 5, 1, 0), "SSSS"), "3600");
  EXPECT_THROW(format_time(at(2024, 3, 5), "AD"), SqlError);
}

TEST(DateParts, abbreviations_of_zones_are_fixed_offsets) {
  EXPECT_EQ(zone_abbreviation("pst"), -8 * 60);
  EXPECT_EQ(zone_abbreviation("UTC"), 0);
  EXPECT_EQ(zone_abbreviation("XYZ"), std::nullopt);
}

TEST(DateParts, numbers_follow_their_template) {
  EXPECT_EQ(format_number("1234.5", "9,999.99"), " 1,234.50");
  EXPECT_EQ(format_number("-5", "999"), "  -5");
  EXPECT_EQ(format_number("0.5", "FM0.00"), "0.50");
  EXPECT_EQ(format_number("12345", "999"), " ###");
  EXPECT_EQ(format_number("999.995", "9999.99"), " 1000.00");
  EXPECT_EQ(format_number("7", "000S"), "007+");
}

}  // namespace
}  // namespace tarn::sql
