// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/date_parts.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "base/strings.hpp"
#include "engines/sql/error.hpp"

namespace tarn::sql {

namespace {

constexpr std::int64_t k_second = 1'000'000, k_minute = 60 * k_second, k_hour = 60 * k_minute,
                       k_day = 24 * k_hour;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

std::int64_t plus_months(std::int64_t micros, std::int64_t months) {
  CivilTime t = CivilTime::from_micros(micros);
  const std::int64_t total = t.year * 12 + (t.month - 1) + months;
  t.year = floor_div(total, 12);
  t.month = static_cast<int>(total - t.year * 12) + 1;
  t.day = std::min(t.day, days_in_month(t.year, t.month));
  return t.to_micros();
}

std::int64_t months_of(DatePart part) {
  switch (part) {
    case DatePart::millennium: return 12000;
    case DatePart::century: return 1200;
    case DatePart::decade: return 120;
    case DatePart::year: return 12;
    case DatePart::quarter: return 3;
    case DatePart::month: return 1;
    default: return 0;
  }
}

std::int64_t micros_of(DatePart part) {
  switch (part) {
    case DatePart::week: return 7 * k_day;
    case DatePart::day:
    case DatePart::day_of_week:
    case DatePart::day_of_year: return k_day;
    case DatePart::hour: return k_hour;
    case DatePart::minute: return k_minute;
    case DatePart::second:
    case DatePart::epoch: return k_second;
    case DatePart::millisecond: return 1000;
    default: return 1;
  }
}

// ISO 8601 week and its year.
std::pair<int, std::int64_t> iso_week(const CivilTime& t) {
  const std::int64_t days = t.days();
  const std::int64_t weekday = (t.day_of_week() + 6) % 7;  // 0 = Monday
  const CivilTime thursday = CivilTime::from_micros((days - weekday + 3) * k_day);
  return {(thursday.day_of_year() - 1) / 7 + 1, thursday.year};
}

const char* const k_months[] = {"January",   "February", "March",    "April",
                                "May",       "June",     "July",     "August",
                                "September", "October",  "November", "December"};
const char* const k_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                              "Thursday", "Friday", "Saturday"};

}  // namespace

std::optional<DatePart> parse_date_part(std::string_view name) {
  static const std::map<std::string, DatePart, std::less<>> k_names = [] {
    std::map<std::string, DatePart, std::less<>> names;
    const std::pair<DatePart, const char*> lists[] = {
        {DatePart::millennium, "millennium,millennia,mil,mils"},
        {DatePart::century, "century,centuries,c,cent,cents"},
        {DatePart::decade, "decade,decades,dec,decs"},
        {DatePart::year, "year,years,y,yr,yrs"},
        {DatePart::quarter, "quarter,quarters,qtr,qtrs"},
        {DatePart::month, "month,months,mon,mons"},
        {DatePart::week, "week,weeks,w"},
        {DatePart::day, "day,days,d"},
        {DatePart::day_of_week, "dayofweek,dow,dw,weekday"},
        {DatePart::day_of_year, "dayofyear,doy,dy,yearday"},
        {DatePart::hour, "hour,hours,h,hr,hrs"},
        {DatePart::minute, "minute,minutes,m,min,mins"},
        {DatePart::second, "second,seconds,s,sec,secs"},
        {DatePart::millisecond,
         "millisecond,milliseconds,ms,msec,msecs,msecond,mseconds,millisec,"
         "millisecs,millisecon"},
        {DatePart::microsecond,
         "microsecond,microseconds,us,usec,usecs,usecond,useconds,microsec,"
         "microsecs,microsecon"},
        {DatePart::epoch, "epoch"}};
    for (const auto& [part, list] : lists) {
      for (const auto& one : split(list, ',')) names.emplace(one, part);
    }
    return names;
  }();
  const auto found = k_names.find(to_lower(name));
  return found == k_names.end() ? std::nullopt : std::optional(found->second);
}

CivilTime CivilTime::from_micros(std::int64_t micros) {
  const std::int64_t days = floor_div(micros, k_day);
  std::int64_t rest = micros - days * k_day;
  // Days to civil, by Howard Hinnant's algorithm.
  const std::int64_t z = days + 719468;
  const std::int64_t era = floor_div(z, 146097);
  const std::int64_t doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  CivilTime t;
  t.day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  t.month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  t.year = yoe + era * 400 + (t.month <= 2);
  t.hour = static_cast<int>(rest / k_hour);
  rest %= k_hour;
  t.minute = static_cast<int>(rest / k_minute);
  rest %= k_minute;
  t.second = static_cast<int>(rest / k_second);
  t.microsecond = static_cast<int>(rest % k_second);
  return t;
}

std::int64_t CivilTime::days() const {
  const std::int64_t y = year - (month <= 2);
  const std::int64_t era = floor_div(y, 400);
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}
std::int64_t CivilTime::to_micros() const {
  return days() * k_day + hour * k_hour + minute * k_minute + second * k_second + microsecond;
}
int CivilTime::day_of_week() const {
  const std::int64_t d = (days() + 4) % 7;
  return static_cast<int>(d < 0 ? d + 7 : d);
}
int CivilTime::day_of_year() const {
  return static_cast<int>(days() - CivilTime{year, 1, 1}.days()) + 1;
}

int days_in_month(std::int64_t year, int month) {
  static constexpr int k_lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : k_lengths[month - 1];
}

std::int64_t date_add(DatePart part, std::int64_t amount, std::int64_t micros) {
  if (const std::int64_t months = months_of(part)) return plus_months(micros, amount * months);
  return micros + amount * micros_of(part);
}

std::int64_t date_diff(DatePart part, std::int64_t from, std::int64_t to) {
  if (const std::int64_t months = months_of(part)) {
    const auto index = [&](std::int64_t micros) {
      const CivilTime t = CivilTime::from_micros(micros);
      return floor_div(t.year * 12 + t.month - 1, months);
    };
    return index(to) - index(from);
  }
  // 1970-01-01 was a Thursday; four days later a week that begins on Sunday is whole.
  const std::int64_t offset = part == DatePart::week ? 4 * k_day : 0;
  const std::int64_t unit = micros_of(part);
  return floor_div(to + offset, unit) - floor_div(from + offset, unit);
}

std::int64_t date_trunc(DatePart part, std::int64_t micros) {
  if (const std::int64_t months = months_of(part)) {
    const CivilTime t = CivilTime::from_micros(micros);
    std::int64_t index = t.year * 12 + t.month - 1;
    // Centuries and millennia begin with year 1.
    const std::int64_t shift = months >= 1200 ? 12 : 0;
    index = floor_div(index - shift, months) * months + shift;
    const std::int64_t year = floor_div(index, 12);
    return CivilTime{year, static_cast<int>(index - year * 12) + 1, 1}.to_micros();
  }
  const std::int64_t offset = part == DatePart::week ? 3 * k_day : 0;
  const std::int64_t unit = micros_of(part);
  return floor_div(micros + offset, unit) * unit - offset;
}

double date_part(DatePart part, std::int64_t micros) {
  const CivilTime t = CivilTime::from_micros(micros);
  switch (part) {
    case DatePart::millennium: return static_cast<double>(floor_div(t.year - 1, 1000) + 1);
    case DatePart::century: return static_cast<double>(floor_div(t.year - 1, 100) + 1);
    case DatePart::decade: return static_cast<double>(floor_div(t.year, 10));
    case DatePart::year: return static_cast<double>(t.year);
    case DatePart::quarter: return (t.month - 1) / 3 + 1;
    case DatePart::month: return t.month;
    case DatePart::week: return iso_week(t).first;
    case DatePart::day: return t.day;
    case DatePart::day_of_week: return t.day_of_week();
    case DatePart::day_of_year: return t.day_of_year();
    case DatePart::hour: return t.hour;
    case DatePart::minute: return t.minute;
    case DatePart::second: return t.second;
    case DatePart::millisecond: return t.microsecond / 1000;
    case DatePart::microsecond: return t.microsecond;
    case DatePart::epoch: return static_cast<double>(floor_div(micros, k_second));
  }
  return 0;
}

std::int64_t add_months(std::int64_t micros, std::int64_t months) {
  const CivilTime t = CivilTime::from_micros(micros);
  CivilTime moved = CivilTime::from_micros(plus_months(micros, months));
  if (t.day == days_in_month(t.year, t.month)) moved.day = days_in_month(moved.year, moved.month);
  return moved.to_micros();
}

double months_between(std::int64_t left, std::int64_t right) {
  const CivilTime a = CivilTime::from_micros(left), b = CivilTime::from_micros(right);
  const auto months = static_cast<double>((a.year - b.year) * 12 + a.month - b.month);
  const bool both_last =
      a.day == days_in_month(a.year, a.month) && b.day == days_in_month(b.year, b.month);
  if (a.day == b.day || both_last) return months;
  const auto within = [](const CivilTime& t, std::int64_t micros) {
    return static_cast<double>(micros - CivilTime{t.year, t.month, 1}.to_micros()) / k_day;
  };
  return months + (within(a, left) - within(b, right)) / 31.0;
}

std::optional<int> zone_abbreviation(std::string_view name) {
  static const std::map<std::string, int, std::less<>> k_hours = {
      {"UTC", 0},  {"GMT", 0},  {"UCT", 0},   {"ZULU", 0},  {"WET", 0},   {"WEST", 1}, {"BST", 1},
      {"CET", 1},  {"CEST", 2}, {"MET", 1},   {"EET", 2},   {"EEST", 3},  {"MSK", 3},  {"JST", 9},
      {"KST", 9},  {"EST", -5}, {"EDT", -4},  {"CST", -6},  {"CDT", -5},  {"MST", -7}, {"MDT", -6},
      {"PST", -8}, {"PDT", -7}, {"AKST", -9}, {"AKDT", -8}, {"HST", -10}, {"AST", -4}, {"ADT", -3}};
  const auto found = k_hours.find(to_upper(name));
  return found == k_hours.end() ? std::nullopt : std::optional(found->second * 60);
}

std::optional<std::int64_t> next_day(std::int64_t micros, std::string_view day) {
  const std::string wanted = to_lower(day);
  for (int i = 0; i < 7; ++i) {
    if (wanted.size() < 2 || !to_lower(k_days[i]).starts_with(wanted)) continue;
    const CivilTime t = CivilTime::from_micros(micros);
    const int ahead = (i - t.day_of_week() + 7) % 7;
    return (t.days() + (ahead == 0 ? 7 : ahead)) * k_day;
  }
  return std::nullopt;
}

namespace {

// The patterns of TO_CHAR and TO_DATE, longest first.
const std::vector<std::string>& patterns() {
  static const std::vector<std::string> k_patterns = {
      "SSSSS", "SSSS", "A.D.", "B.C.", "a.d.", "b.c.",  "AD",    "BC",    "ad",   "bc",   "IDDD",
      "ID",    "A.M.", "P.M.", "a.m.", "p.m.", "MONTH", "Month", "month", "YYYY", "IYYY", "Y,YYY",
      "HH24",  "HH12", "DDD",  "DAY",  "Day",  "day",   "MON",   "Mon",   "mon",  "YYY",  "IYY",
      "YY",    "IY",   "MM",   "DD",   "DY",   "Dy",    "dy",    "HH",    "MI",   "SS",   "MS",
      "US",    "AM",   "PM",   "am",   "pm",   "WW",    "IW",    "CC",    "RM",   "TZ",   "tz",
      "OF",    "FM",   "fm",   "TH",   "th",   "Y",     "Q",     "D",     "W",    "J",    "I"};
  return k_patterns;
}

std::string_view match_pattern(std::string_view format) {
  for (const auto& pattern : patterns()) {
    if (format.starts_with(pattern)) return pattern;
  }
  // yyyy, dd, hh24: most patterns may be written in lower case.
  for (const auto& pattern : patterns()) {
    if (iequals(format.substr(0, pattern.size()), pattern)) return pattern;
  }
  return {};
}

std::string cased(std::string_view pattern, std::string_view text) {
  if (std::isupper(static_cast<unsigned char>(pattern[1]))) return to_upper(text);
  if (std::islower(static_cast<unsigned char>(pattern[0]))) return to_lower(text);
  return std::string(text);
}

std::string padded(std::string text, bool fill) {
  if (fill && text.size() < 9) text.resize(9, ' ');
  return text;
}

std::string format_one(const std::string& p, const CivilTime& t, bool fill) {
  const auto number = [&](std::int64_t value, int width) {
    return fill ? fmt::format("{:0{}}", value, width) : fmt::format("{}", value);
  };
  const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  const bool morning = t.hour < 12;
  const std::string key = to_upper(p);
  if (key == "SSSS" || key == "SSSSS") {
    return number(t.hour * 3600 + t.minute * 60 + t.second, 1);
  }
  if (key == "YYYY") return number(t.year, 4);
  if (key == "Y,YYY") return fmt::format("{},{:03}", t.year / 1000, t.year % 1000);
  if (key == "IYYY") return number(iso_week(t).second, 4);
  if (key == "YYY") return number(t.year % 1000, 3);
  if (key == "YY") return number(t.year % 100, 2);
  if (key == "Y") return number(t.year % 10, 1);
  if (key == "IYY") return number(iso_week(t).second % 1000, 3);
  if (key == "IY") return number(iso_week(t).second % 100, 2);
  if (key == "I") return number(iso_week(t).second % 10, 1);
  if (key == "Q") return number((t.month - 1) / 3 + 1, 1);
  if (key == "MM") return number(t.month, 2);
  if (key == "MONTH") return padded(cased(p, k_months[t.month - 1]), fill);
  if (key == "MON") return cased(p, std::string(k_months[t.month - 1]).substr(0, 3));
  if (key == "DDD") return number(t.day_of_year(), 3);
  if (key == "DD") return number(t.day, 2);
  if (key == "D") return number(t.day_of_week() + 1, 1);
  if (key == "DAY") return padded(cased(p, k_days[t.day_of_week()]), fill);
  if (key == "DY") return cased(p, std::string(k_days[t.day_of_week()]).substr(0, 3));
  if (key == "HH24") return number(t.hour, 2);
  if (key == "HH12" || key == "HH") return number(hour12, 2);
  if (key == "MI") return number(t.minute, 2);
  if (key == "SS") return number(t.second, 2);
  if (key == "MS") return number(t.microsecond / 1000, 3);
  if (key == "US") return number(t.microsecond, 6);
  if (key == "AM" || key == "PM")
    return p[0] == 'A' || p[0] == 'P' ? (morning ? "AM" : "PM") : (morning ? "am" : "pm");
  if (key == "A.M." || key == "P.M.") {
    return p[0] == 'A' || p[0] == 'P' ? (morning ? "A.M." : "P.M.") : (morning ? "a.m." : "p.m.");
  }
  if (key == "WW") return number((t.day_of_year() - 1) / 7 + 1, 2);
  if (key == "W") return number((t.day - 1) / 7 + 1, 1);
  if (key == "IW") return number(iso_week(t).first, 2);
  if (key == "CC") return number((t.year - 1) / 100 + 1, 2);
  if (key == "J") return number(t.days() + 2440588, 1);
  not_supported("date format pattern \"" + p + "\"");
}

}  // namespace

std::string format_time(std::int64_t micros, std::string_view format) {
  const CivilTime t = CivilTime::from_micros(micros);
  std::string out;
  bool fill = true;
  while (!format.empty()) {
    if (format[0] == '"') {
      const std::size_t end = format.find('"', 1);
      out += format.substr(1, end == std::string_view::npos ? end : end - 1);
      format.remove_prefix(end == std::string_view::npos ? format.size() : end + 1);
      continue;
    }
    const std::string_view pattern = match_pattern(format);
    if (pattern.empty()) {
      out += format[0];
      format.remove_prefix(1);
      continue;
    }
    const std::string exact(format.substr(0, pattern.size()));
    format.remove_prefix(pattern.size());
    if (iequals(exact, "FM")) {
      fill = false;
      continue;
    }
    // Mixed case such as `yyyy` takes the pattern's own case only where case shows.
    out += format_one(exact, t, fill);
    fill = true;
  }
  return out;
}

namespace {

struct TimeParser {
  std::string_view text;
  std::string_view whole, format;
  CivilTime t{1, 1, 1};
  std::optional<bool> afternoon;
  std::optional<int> day_of_year;
  std::optional<std::int64_t> julian;

  [[noreturn]] void fail() const {
    throw SqlError(
        sqlstate::k_invalid_datetime,
        fmt::format("Invalid input for format: \"{}\" does not match \"{}\"", whole, format));
  }
  std::int64_t number(std::size_t digits) {
    std::size_t n = 0;
    while (n < digits && n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
    const auto value = parse_int(text.substr(0, n));
    if (n == 0 || !value) fail();
    text.remove_prefix(n);
    return *value;
  }
  int name(const char* const* names, int count, bool abbreviated) {
    for (int i = 0; i < count; ++i) {
      const std::string full = names[i];
      const std::string wanted = abbreviated ? full.substr(0, 3) : full;
      if (iequals(text.substr(0, wanted.size()), wanted)) {
        text.remove_prefix(wanted.size());
        return i;
      }
    }
    fail();
  }
  void meridiem(std::size_t size) {
    const std::string part = to_lower(text.substr(0, size));
    if (part != "am" && part != "pm" && part != "a.m." && part != "p.m.") fail();
    afternoon = part[0] == 'p';
    text.remove_prefix(size);
  }
  void field(const std::string& key) {
    if (key == "YYYY")
      t.year = number(4);
    else if (key == "YY") {
      const std::int64_t y = number(2);
      t.year = y + (y < 70 ? 2000 : 1900);
    } else if (key == "MM")
      t.month = static_cast<int>(number(2));
    else if (key == "MON")
      t.month = name(k_months, 12, true) + 1;
    else if (key == "MONTH")
      t.month = name(k_months, 12, false) + 1;
    else if (key == "DD")
      t.day = static_cast<int>(number(2));
    else if (key == "DDD")
      day_of_year = static_cast<int>(number(3));
    else if (key == "DY")
      name(k_days, 7, true);
    else if (key == "DAY")
      name(k_days, 7, false);
    else if (key == "HH24" || key == "HH12" || key == "HH")
      t.hour = static_cast<int>(number(2));
    else if (key == "MI")
      t.minute = static_cast<int>(number(2));
    else if (key == "SS")
      t.second = static_cast<int>(number(2));
    else if (key == "MS")
      t.microsecond = fraction(3) * 1000;
    else if (key == "US")
      t.microsecond = fraction(6);
    else if (key == "AM" || key == "PM")
      meridiem(2);
    else if (key == "A.M." || key == "P.M.")
      meridiem(4);
    else if (key == "J")
      julian = number(9);
    else
      not_supported("date format pattern \"" + key + "\"");
  }
  int fraction(int digits) {
    const std::size_t before = text.size();
    auto value = static_cast<int>(number(static_cast<std::size_t>(digits)));
    for (std::size_t n = before - text.size(); n < static_cast<std::size_t>(digits); ++n) {
      value *= 10;
    }
    return value;
  }
};

}  // namespace

std::int64_t parse_time(std::string_view text, std::string_view format, bool strict) {
  if (trim(text).empty()) not_supported("a date of an empty text");
  TimeParser p{trim(text), text, format, {1, 1, 1}, {}, {}, {}};
  while (!format.empty()) {
    const std::string_view pattern = match_pattern(format);
    if (!pattern.empty()) {
      format.remove_prefix(pattern.size());
      if (pattern == "FM" || pattern == "fm") continue;
      if (p.text.empty()) break;
      p.field(to_upper(pattern));
      continue;
    }
    // Any separator stands for any other, as in PostgreSQL.
    const bool letter = std::isalnum(static_cast<unsigned char>(format[0]));
    format.remove_prefix(1);
    if (!p.text.empty() && (letter || !std::isalnum(static_cast<unsigned char>(p.text[0])))) {
      p.text.remove_prefix(1);
    }
  }
  if (p.afternoon) p.t.hour = p.t.hour % 12 + (*p.afternoon ? 12 : 0);
  if (p.julian) return (*p.julian - 2440588) * k_day;
  if (p.t.month < 1 || p.t.month > 12 || p.t.day < 1 ||
      p.t.day > (strict ? days_in_month(p.t.year, p.t.month) : 31) || p.t.hour > 24 ||
      p.t.minute > 59 || p.t.second > 60) {
    throw SqlError(sqlstate::k_invalid_datetime,
                   fmt::format("date/time field value out of range: \"{}\"", p.whole));
  }
  std::int64_t micros = p.t.to_micros();
  if (p.day_of_year) {
    micros = CivilTime{p.t.year, 1, 1}.to_micros() + (*p.day_of_year - 1) * k_day +
             (micros - p.t.days() * k_day);
  }
  return micros;
}

namespace {

// What a number template asks for.
struct NumberTemplate {
  std::size_t integer_places = 0, fraction_digits = 0;
  bool own_sign = false;  // S or MI
  explicit NumberTemplate(std::string_view format) {
    bool fraction = false;
    for (const char c : format) {
      if (c == '.' || c == 'D' || c == 'd')
        fraction = true;
      else if (c == '9' || c == '0')
        (fraction ? fraction_digits : integer_places)++;
      else if (c == 'S' || c == 's' || c == 'M' || c == 'm')
        own_sign = true;
      else if (!std::strchr(",GgIi$Ll ", c)) {
        not_supported("number format \"" + std::string(format) + "\"");
      }
    }
  }
};

struct Digits {
  std::string whole, fraction;  // the whole part without leading zeros
};

// Rounded in decimal, half away from zero.
Digits round_digits(std::string_view decimal_text, std::size_t fraction_digits) {
  const std::size_t dot = decimal_text.find('.');
  std::string whole(decimal_text.substr(0, dot));
  std::string rest(dot == std::string_view::npos ? "" : decimal_text.substr(dot + 1));
  const bool up = rest.size() > fraction_digits && rest[fraction_digits] >= '5';
  rest.resize(fraction_digits, '0');
  std::string all = whole + rest;
  if (up) {
    std::size_t i = all.size();
    while (i > 0 && all[i - 1] == '9') all[--i] = '0';
    if (i > 0)
      ++all[i - 1];
    else
      all.insert(all.begin(), '1');
  }
  Digits digits{all.substr(0, all.size() - fraction_digits),
                all.substr(all.size() - fraction_digits)};
  digits.whole.erase(0, std::min(digits.whole.find_first_not_of('0'), digits.whole.size()));
  return digits;
}

// Lays the digits out along the template.
std::string lay_out(std::string_view format, const NumberTemplate& wanted, const Digits& digits,
                    bool negative, bool fill) {
  const bool overflow = digits.whole.size() > wanted.integer_places;
  const std::size_t lead = overflow ? 0 : wanted.integer_places - digits.whole.size();
  std::string out;
  std::size_t place = 0, fraction_at = 0;
  bool started = false, in_fraction = false, forced = false;
  for (const char c : format) {
    if ((c == '9' || c == '0') && in_fraction) {
      out += overflow ? '#' : digits.fraction[fraction_at];
      ++fraction_at;
    } else if (c == '9' || c == '0') {
      forced = forced || c == '0';
      started = started || place >= lead || forced;
      if (overflow)
        out += '#';
      else if (place >= lead)
        out += digits.whole[place - lead];
      else if (forced)
        out += '0';
      else if (fill)
        out += ' ';
      ++place;
    } else if (c == '.' || c == 'D' || c == 'd') {
      out += '.';
      in_fraction = true;
    } else if (c == ',' || c == 'G' || c == 'g') {
      if (started || overflow)
        out += ',';
      else if (fill)
        out += ' ';
    } else if (c == '$' || c == 'L' || c == 'l') {
      out += '$';
    } else if (c == 'S' || c == 's') {
      out += negative ? '-' : '+';
    } else if (c == 'M' || c == 'm') {
      out += negative ? "-" : fill ? " " : "";
    } else if (c == ' ') {
      out += ' ';
    }
  }
  return out;
}

}  // namespace

std::string format_number(std::string_view decimal_text, std::string_view format) {
  const bool fill = !format.starts_with("FM") && !format.starts_with("fm");
  if (!fill) format.remove_prefix(2);
  const bool negative = decimal_text.starts_with("-");
  if (negative) decimal_text.remove_prefix(1);
  const NumberTemplate wanted(format);
  const Digits digits = round_digits(decimal_text, wanted.fraction_digits);
  std::string out = lay_out(format, wanted, digits, negative, fill);
  if (wanted.own_sign) return out;
  const std::size_t at = fill ? std::min(out.find_first_not_of(' '), out.size()) : 0;
  if (negative)
    out.insert(at, "-");
  else if (fill)
    out.insert(0, " ");
  return out;
}

}  // namespace tarn::sql
