// SPDX-License-Identifier: Apache-2.0
// Parsing and arithmetic of schedule expressions. The next occurrence of a cron expression is
// searched day by day in the zone's local time: a day either matches year, month, day-of-month and
// day-of-week or is skipped whole (and a month or year that does not match is skipped at once), so
// the search is short; within a matching day the minutes are walked in order.
//
// At the changes of daylight saving time, as AWS documents for EventBridge Scheduler: a local time
// that does not exist is skipped, one that exists twice counts once (the first).
#include <algorithm>
#include <array>
#include <bitset>

#include <fmt/format.h>

#include "base/strings.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/time_zone.hpp"

namespace tarn::kernel {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::year_month_day;

constexpr int k_year_min = 1970;
constexpr int k_year_max = 2199;

[[noreturn]] void bad(std::string_view text) {
  throw BadSchedule(fmt::format("{} is no schedule expression", text));
}

using Names = std::array<std::string_view, 12>;
constexpr Names k_months = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                            "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr Names k_weekdays = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

// One field: which values of [low, high] match.
struct Field {
  int low, high;
  std::bitset<256> set;  // by value minus low
  bool matches(int value) const {
    return value >= low && value <= high && set[static_cast<std::size_t>(value - low)];
  }
  void add(int value) { set.set(static_cast<std::size_t>(value - low)); }
};

// A value of the field as a number or one of its names.
int parse_value(std::string_view text, const Field& field, const Names* names) {
  if (names) {
    const std::string upper = to_upper(text);
    for (std::size_t i = 0; i < names->size(); ++i) {
      if (!(*names)[i].empty() && upper == (*names)[i]) return static_cast<int>(i) + 1;
    }
  }
  const auto number = parse_uint(text);
  if (!number || *number < static_cast<std::uint64_t>(field.low) ||
      *number > static_cast<std::uint64_t>(field.high)) {
    bad(text);
  }
  return static_cast<int>(*number);
}

// "1-5", "*/10", "MON", "3/5", without the special letters of the day fields.
void add_item(Field& field, std::string_view item, const Names* names) {
  int step = 1;
  const auto slash = item.find('/');
  if (slash != std::string_view::npos) {
    const auto parsed = parse_uint(item.substr(slash + 1));
    if (!parsed || *parsed == 0 || *parsed > 10'000) bad(item);
    step = static_cast<int>(*parsed);
    item = item.substr(0, slash);
  }
  int from = field.low, to = field.high;
  if (item != "*") {
    const auto dash = item.find('-');
    from = parse_value(item.substr(0, dash), field, names);
    if (dash != std::string_view::npos) {
      to = parse_value(item.substr(dash + 1), field, names);
    } else if (slash == std::string_view::npos) {
      to = from;
    }
  }
  // FRI-MON wraps around.
  const int span = field.high - field.low + 1;
  if (to < from) to += span;
  for (int value = from; value <= to; value += step) {
    field.add(field.low + (value - field.low) % span);
  }
}

Field parse_field(std::string_view text, int low, int high, const Names* names = nullptr) {
  Field field{low, high, {}};
  for (const auto& item : split(text, ',')) add_item(field, item, names);
  return field;
}

unsigned last_day(std::chrono::year year, std::chrono::month month) {
  return static_cast<unsigned>((year / month / std::chrono::last).day());
}

unsigned weekday_of(const year_month_day& date) {
  return std::chrono::weekday(local_days(date)).c_encoding() + 1;  // SUN is 1
}

struct DayOfMonth {
  Field plain{1, 31, {}};
  std::vector<int> from_last;  // L is 0, L-3 is 3
  std::vector<int> nearest;    // 15W; 0 is LW
  bool matches(const year_month_day& date) const {
    const int day = static_cast<int>(static_cast<unsigned>(date.day()));
    if (plain.matches(day)) return true;
    const int last = static_cast<int>(last_day(date.year(), date.month()));
    for (const int back : from_last) {
      if (day == last - back) return true;
    }
    for (const int wanted : nearest) {
      if (day == nearest_weekday(date, wanted == 0 ? last : wanted, last)) return true;
    }
    return false;
  }

 private:
  // The working day closest to `wanted` within its month; 0 if the month has no such day.
  static int nearest_weekday(const year_month_day& date, int wanted, int last) {
    if (wanted > last) return 0;
    const auto weekday =
        weekday_of(date.year() / date.month() / std::chrono::day(static_cast<unsigned>(wanted)));
    if (weekday == 7) return wanted > 1 ? wanted - 1 : wanted + 2;
    if (weekday == 1) return wanted < last ? wanted + 1 : wanted - 2;
    return wanted;
  }
};

struct DayOfWeek {
  Field plain{1, 7, {}};
  std::vector<int> last;                      // 6L: the month's last Friday
  std::vector<std::pair<int, int>> numbered;  // 6#3: its third Friday
  bool matches(const year_month_day& date) const {
    const int weekday = static_cast<int>(weekday_of(date));
    if (plain.matches(weekday)) return true;
    const auto day = static_cast<unsigned>(date.day());
    for (const int wanted : last) {
      if (weekday == wanted && day + 7 > last_day(date.year(), date.month())) return true;
    }
    for (const auto& [wanted, number] : numbered) {
      if (weekday == wanted && (static_cast<int>(day) - 1) / 7 + 1 == number) return true;
    }
    return false;
  }
};

DayOfMonth parse_day_of_month(std::string_view text) {
  DayOfMonth field;
  for (const auto& raw : split(text, ',')) {
    const std::string item = to_upper(raw);
    if (item == "L") {
      field.from_last.push_back(0);
    } else if (item == "LW") {
      field.nearest.push_back(0);
    } else if (item.starts_with("L-")) {
      const auto back = parse_uint(item.substr(2));
      if (!back || *back > 30) bad(item);
      field.from_last.push_back(static_cast<int>(*back));
    } else if (item.ends_with("W")) {
      field.nearest.push_back(
          parse_value(std::string_view(item).substr(0, item.size() - 1), field.plain, nullptr));
    } else {
      add_item(field.plain, item, nullptr);
    }
  }
  return field;
}

DayOfWeek parse_day_of_week(std::string_view text) {
  DayOfWeek field;
  for (const auto& raw : split(text, ',')) {
    const std::string item = to_upper(raw);
    const auto hash = item.find('#');
    if (item == "L") {
      field.plain.add(7);  // the week's last day
    } else if (hash != std::string::npos) {
      const auto number = parse_uint(std::string_view(item).substr(hash + 1));
      if (!number || *number < 1 || *number > 5) bad(item);
      field.numbered.emplace_back(
          parse_value(std::string_view(item).substr(0, hash), field.plain, &k_weekdays),
          static_cast<int>(*number));
    } else if (item.ends_with("L")) {
      field.last.push_back(
          parse_value(std::string_view(item).substr(0, item.size() - 1), field.plain, &k_weekdays));
    } else {
      add_item(field.plain, item, &k_weekdays);
    }
  }
  return field;
}

struct Cron {
  Field minutes{0, 59, {}}, hours{0, 23, {}}, months{1, 12, {}};
  Field years{k_year_min, k_year_max, {}};
  bool by_weekday = false;  // the other day field is '?'
  DayOfMonth day_of_month;
  DayOfWeek day_of_week;

  bool matches_day(const year_month_day& date) const {
    return by_weekday ? day_of_week.matches(date) : day_of_month.matches(date);
  }
};

Cron parse_cron(std::string_view inner, std::string_view whole) {
  std::vector<std::string> fields;
  for (auto& field : split(inner, ' ')) {
    if (!field.empty()) fields.push_back(std::move(field));
  }
  if (fields.size() != 6) bad(whole);
  // Exactly one of the day fields decides; the other must say so.
  if ((fields[2] == "?") == (fields[4] == "?")) bad(whole);
  Cron cron;
  cron.minutes = parse_field(fields[0], 0, 59);
  cron.hours = parse_field(fields[1], 0, 23);
  cron.months = parse_field(fields[3], 1, 12, &k_months);
  cron.years = parse_field(fields[5], k_year_min, k_year_max);
  cron.by_weekday = fields[2] == "?";
  if (cron.by_weekday) {
    cron.day_of_week = parse_day_of_week(fields[4]);
  } else {
    cron.day_of_month = parse_day_of_month(fields[2]);
  }
  return cron;
}

// rate(1 minute), rate(5 minutes): the unit agrees with the number, as AWS insists.
Microseconds parse_rate(std::string_view inner, std::string_view whole) {
  const auto space = inner.find(' ');
  if (space == std::string_view::npos) bad(whole);
  const auto value = parse_uint(inner.substr(0, space));
  const std::string_view unit = trim(inner.substr(space));
  if (!value || *value == 0 || *value > 1'000'000) bad(whole);
  const bool one = *value == 1;
  const auto count = static_cast<std::int64_t>(*value);
  if (unit == (one ? "minute" : "minutes")) return std::chrono::minutes(count);
  if (unit == (one ? "hour" : "hours")) return std::chrono::hours(count);
  if (unit == (one ? "day" : "days")) return days(count);
  bad(whole);
}

}  // namespace

struct ScheduleExpression::Impl {
  enum class Form { rate, cron, at } form = Form::rate;
  Microseconds period{};
  LocalTime once;
  Cron cron;
  std::shared_ptr<const TimeZone> zone;

  std::optional<Timestamp> next_cron(Timestamp after) const;
  std::optional<Timestamp> next_in_day(local_days day, Timestamp after) const;
};

ScheduleExpression ScheduleExpression::parse(std::string_view text, std::string_view time_zone) {
  auto impl = std::make_shared<Impl>();
  try {
    impl->zone = TimeZone::find(time_zone.empty() ? "UTC" : time_zone);
  } catch (const UnknownTimeZone& error) {
    throw BadSchedule(error.what());
  }
  const auto open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(")")) bad(text);
  const std::string_view form = text.substr(0, open);
  const std::string_view inner = trim(text.substr(open + 1, text.size() - open - 2));
  if (form == "rate") {
    impl->period = parse_rate(inner, text);
  } else if (form == "cron") {
    impl->form = Impl::Form::cron;
    try {
      impl->cron = parse_cron(inner, text);
    } catch (const BadSchedule&) {
      bad(text);  // name the whole expression, not the field
    }
  } else if (form == "at") {
    impl->form = Impl::Form::at;
    const auto time = parse_iso8601(std::string(inner) + "Z");
    if (!time || inner.size() != 19) bad(text);
    impl->once = LocalTime(std::chrono::floor<Seconds>(time->time_since_epoch()));
  } else {
    bad(text);
  }
  ScheduleExpression expression;
  expression.impl_ = std::move(impl);
  return expression;
}

std::optional<Timestamp> ScheduleExpression::next(Timestamp after, Timestamp anchor) const {
  switch (impl_->form) {
    case Impl::Form::rate: {
      if (after < anchor) return anchor + impl_->period;
      return anchor + ((after - anchor) / impl_->period + 1) * impl_->period;
    }
    case Impl::Form::at: {
      Timestamp time;
      if (!impl_->zone->to_utc(impl_->once, time) || time <= after) return std::nullopt;
      return time;
    }
    case Impl::Form::cron: return impl_->next_cron(after);
  }
  return std::nullopt;
}

std::optional<Timestamp> ScheduleExpression::Impl::next_cron(Timestamp after) const {
  auto day = std::chrono::floor<days>(zone->to_local(after));
  while (true) {
    const year_month_day date(day);
    const int year = static_cast<int>(date.year());
    if (year > k_year_max) return std::nullopt;
    if (!cron.years.matches(year)) {
      day = local_days((date.year() + std::chrono::years(1)) / std::chrono::January / 1);
      continue;
    }
    if (!cron.months.matches(static_cast<int>(static_cast<unsigned>(date.month())))) {
      day = local_days((date.year() / date.month() + std::chrono::months(1)) / std::chrono::day(1));
      continue;
    }
    if (cron.matches_day(date)) {
      if (const auto found = next_in_day(day, after)) return found;
    }
    day += days(1);
  }
}

std::optional<Timestamp> ScheduleExpression::Impl::next_in_day(local_days day,
                                                               Timestamp after) const {
  for (int hour = 0; hour < 24; ++hour) {
    if (!cron.hours.matches(hour)) continue;
    for (int minute = 0; minute < 60; ++minute) {
      if (!cron.minutes.matches(minute)) continue;
      Timestamp time;
      const LocalTime local = day + std::chrono::hours(hour) + std::chrono::minutes(minute);
      if (zone->to_utc(local, time) && time > after) return time;
    }
  }
  return std::nullopt;
}

}  // namespace tarn::kernel
