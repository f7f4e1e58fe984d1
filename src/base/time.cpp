// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace tarn {
namespace {

constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> k_days = {"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};

struct Parts {
  std::chrono::year_month_day date;
  unsigned weekday;
  int hour, minute, second;
  int micros;
};

Parts split(Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::int64_t micros = (time - day).count();
  const std::int64_t seconds = micros / 1'000'000;
  return {std::chrono::year_month_day(day), std::chrono::weekday(day).c_encoding(),
          static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
          static_cast<int>(seconds % 60),   static_cast<int>(micros % 1'000'000)};
}

// A cursor over text that reads fixed patterns; any mismatch makes it fail for good.
struct Reader {
  std::string_view text;
  bool ok = true;

  int digits(std::size_t count) {
    if (!ok || text.size() < count) return ok = false, 0;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text[i] < '0' || text[i] > '9') return ok = false, 0;
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
  }
  bool take(char c) {
    if (!ok || text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok = ok && take(c); }
  int fraction_micros() {
    int value = 0, scale = 100'000;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      value += (text.front() - '0') * scale;
      scale /= 10;
      any = true;
      text.remove_prefix(1);
    }
    ok = ok && any;
    return value;
  }
  int offset_minutes() {
    if (take('Z') || take('z')) return 0;
    const int sign = take('+') ? 1 : take('-') ? -1 : 0;
    if (sign == 0) return ok = false, 0;
    const int hours = digits(2);
    take(':');
    const int minutes = text.empty() ? 0 : digits(2);
    return sign * (hours * 60 + minutes);
  }
  int month_name() {
    for (std::size_t i = 0; ok && i < k_months.size(); ++i) {
      if (text.substr(0, 3) != k_months[i]) continue;
      text.remove_prefix(3);
      return static_cast<int>(i) + 1;
    }
    return ok = false, 0;
  }
};

std::optional<Timestamp> assemble(int year, int month, int day, int hour, int minute, int second,
                                  int micros, int offset_minutes) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 24 || minute > 59 || second > 60) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset_minutes) + std::chrono::seconds(second) +
         Microseconds(micros);
}

}  // namespace

Timestamp from_millis(std::int64_t millis) { return Timestamp(Milliseconds(millis)); }
Timestamp from_seconds(double seconds) {
  return Timestamp(Microseconds(static_cast<std::int64_t>(std::llround(seconds * 1e6))));
}
std::int64_t to_millis(Timestamp time) {
  return std::chrono::floor<Milliseconds>(time).time_since_epoch().count();
}
std::int64_t to_micros(Timestamp time) { return time.time_since_epoch().count(); }
double to_seconds(Timestamp time) { return static_cast<double>(to_micros(time)) / 1e6; }

std::string iso8601(Timestamp time, Precision precision) {
  const Parts p = split(time);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int(p.date.year()),
                  unsigned(p.date.month()), unsigned(p.date.day()), p.hour, p.minute, p.second);
  if (precision == Precision::milliseconds) out += fmt::format(".{:03}", p.micros / 1000);
  if (precision == Precision::microseconds) out += fmt::format(".{:06}", p.micros);
  out += 'Z';
  return out;
}

std::string iso8601_basic(Timestamp time) {
  const Parts p = split(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", int(p.date.year()),
                     unsigned(p.date.month()), unsigned(p.date.day()), p.hour, p.minute, p.second);
}

std::string http_date(Timestamp time) {
  const Parts p = split(time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", k_days[p.weekday],
                     unsigned(p.date.day()), k_months[unsigned(p.date.month()) - 1],
                     int(p.date.year()), p.hour, p.minute, p.second);
}

std::optional<Timestamp> parse_iso8601(std::string_view text) {
  Reader in{text};
  const int year = in.digits(4);
  in.expect('-');
  const int month = in.digits(2);
  in.expect('-');
  const int day = in.digits(2);
  if (in.ok && in.text.empty()) return assemble(year, month, day, 0, 0, 0, 0, 0);
  if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
  const int hour = in.digits(2);
  in.expect(':');
  const int minute = in.digits(2);
  int second = 0, micros = 0;
  if (in.take(':')) {
    second = in.digits(2);
    if (in.take('.') || in.take(',')) micros = in.fraction_micros();
  }
  const int offset = in.offset_minutes();
  if (!in.ok || !in.text.empty()) return std::nullopt;
  return assemble(year, month, day, hour, minute, second, micros, offset);
}

std::optional<Timestamp> parse_iso8601_basic(std::string_view text) {
  Reader in{text};
  const int year = in.digits(4), month = in.digits(2), day = in.digits(2);
  in.expect('T');
  const int hour = in.digits(2), minute = in.digits(2), second = in.digits(2);
  in.expect('Z');
  if (!in.ok || !in.text.empty()) return std::nullopt;
  return assemble(year, month, day, hour, minute, second, 0, 0);
}

std::optional<Timestamp> parse_http_date(std::string_view text) {
  const auto comma = text.find(", ");
  Reader in{comma == std::string_view::npos ? text : text.substr(comma + 2)};
  int year = 0, month = 0, day = 0;
  if (comma == std::string_view::npos) {  // asctime: Sun Nov  6 08:49:37 1994
    if (text.size() != 24) return std::nullopt;
    in.text.remove_prefix(4);
    month = in.month_name();
    in.expect(' ');
    day = in.take(' ') ? in.digits(1) : in.digits(2);
    in.expect(' ');
    year = Reader{text.substr(20)}.digits(4);
  } else {
    day = in.digits(2);
    if (in.take('-')) {  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
      month = in.month_name();
      in.expect('-');
      year = in.digits(2);
      year += year < 70 ? 2000 : 1900;
    } else {
      in.expect(' ');
      month = in.month_name();
      in.expect(' ');
      year = in.digits(4);
    }
    in.expect(' ');
  }
  const int hour = in.digits(2);
  in.expect(':');
  const int minute = in.digits(2);
  in.expect(':');
  const int second = in.digits(2);
  if (!in.ok) return std::nullopt;
  return assemble(year, month, day, hour, minute, second, 0, 0);
}

}  // namespace tarn
