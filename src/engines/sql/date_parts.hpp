// SPDX-License-Identifier: Apache-2.0
// Redshift's names of date parts and its date templates, over plain calendar fields. Pure.
// https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::sql {

enum class DatePart {
  millennium,
  century,
  decade,
  year,
  quarter,
  month,
  week,
  day,
  day_of_week,
  day_of_year,
  hour,
  minute,
  second,
  millisecond,
  microsecond,
  epoch
};
std::optional<DatePart> parse_date_part(std::string_view name);

// Microseconds since 1970-01-01, proleptic Gregorian calendar, no zone.
struct CivilTime {
  std::int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0, microsecond = 0;
  static CivilTime from_micros(std::int64_t micros);
  std::int64_t to_micros() const;
  std::int64_t days() const;  // since 1970-01-01
  int day_of_week() const;    // 0 = Sunday
  int day_of_year() const;
};
int days_in_month(std::int64_t year, int month);

std::int64_t date_add(DatePart part, std::int64_t amount, std::int64_t micros);
// Boundaries crossed; weeks begin on Sunday.
std::int64_t date_diff(DatePart part, std::int64_t from, std::int64_t to);
std::int64_t date_trunc(DatePart part, std::int64_t micros);  // weeks begin on Monday
double date_part(DatePart part, std::int64_t micros);
std::int64_t add_months(std::int64_t micros, std::int64_t months);  // the last day stays the last
double months_between(std::int64_t left, std::int64_t right);
// Minutes east of UTC of an abbreviation (EST, UTC, …): never daylight saving of a place.
std::optional<int> zone_abbreviation(std::string_view name);
std::optional<std::int64_t> next_day(std::int64_t micros, std::string_view day);

// Throw SqlError: an unknown template pattern, text that does not fit.
std::string format_time(std::int64_t micros, std::string_view format);
// Days that a month does not have run into the next one unless `strict`, as TO_DATE's do.
std::int64_t parse_time(std::string_view text, std::string_view format, bool strict = true);
std::string format_number(std::string_view decimal_text, std::string_view format);

}  // namespace tarn::sql
