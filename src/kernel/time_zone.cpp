// SPDX-License-Identifier: Apache-2.0
#include "kernel/time_zone.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include <fmt/format.h>

namespace tarn::kernel {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year;

constexpr std::size_t k_header_bytes = 44;

[[noreturn]] void broken() { throw UnknownTimeZone("the zone file is damaged"); }

std::int64_t big_endian(std::string_view bytes) {
  // The sign comes from the first byte.
  std::int64_t value = static_cast<signed char>(bytes[0]);
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

struct Counts {
  std::size_t utc, standard, leap, times, types, chars;
  std::size_t body(std::size_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + chars + leap * (time_bytes + 4) + standard + utc;
  }
};

Counts read_counts(std::string_view file) {
  if (file.size() < k_header_bytes || file.substr(0, 4) != "TZif") broken();
  std::array<std::size_t, 6> c{};
  for (std::size_t i = 0; i < c.size(); ++i) {
    const auto value = big_endian(file.substr(20 + i * 4, 4));
    if (value < 0 || value > 1'000'000) broken();
    c[i] = static_cast<std::size_t>(value);
  }
  return {c[0], c[1], c[2], c[3], c[4], c[5]};
}

// Reads the pieces of a POSIX TZ string: CET-1CEST,M3.5.0,M10.5.0/3
struct RuleReader {
  std::string_view text;

  bool take(char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  void name() {
    if (take('<')) {
      const auto end = text.find('>');
      if (end == std::string_view::npos) broken();
      text.remove_prefix(end + 1);
      return;
    }
    const auto end = text.find_first_of("+-0123456789,");
    text.remove_prefix(std::min(end, text.size()));
  }
  int number() {
    if (text.empty() || text.front() < '0' || text.front() > '9') broken();
    int value = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && value < 100'000) {
      value = value * 10 + (text.front() - '0');
      text.remove_prefix(1);
    }
    return value;
  }
  std::int64_t time() {
    const int sign = take('-') ? -1 : (take('+'), 1);
    std::int64_t seconds = number() * 3600LL;
    if (take(':')) seconds += number() * 60LL;
    if (take(':')) seconds += number();
    return sign * seconds;
  }
};

}  // namespace

std::shared_ptr<const TimeZone> TimeZone::find(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const TimeZone>, std::less<>> loaded;
  std::lock_guard lock(mutex);
  const auto known = loaded.find(name);
  if (known != loaded.end()) return known->second;
  std::shared_ptr<const TimeZone> zone;
  if (name == "UTC" || name == "Etc/UTC") {
    zone = std::make_shared<TimeZone>();  // needs no file
  } else {
    const bool plain = !name.empty() && name.front() != '/' && name.size() < 100 &&
                       name.find("..") == std::string_view::npos &&
                       name.find('\0') == std::string_view::npos;
    const auto path = std::filesystem::path("/usr/share/zoneinfo") / name;
    if (!plain || !std::filesystem::is_regular_file(path)) {
      throw UnknownTimeZone(fmt::format(
          "unknown time zone {}{}", name,
          std::filesystem::exists("/usr/share/zoneinfo") ? "" : " (install the package tzdata)"));
    }
    std::ifstream in(path, std::ios::binary);
    std::stringstream file;
    file << in.rdbuf();
    zone = std::make_shared<TimeZone>(parse(file.str()));
  }
  loaded.emplace(name, zone);
  return zone;
}

TimeZone TimeZone::parse(std::string_view file) {
  TimeZone zone;
  const Counts old = read_counts(file);
  if (file[4] < '2') {
    zone.parse_block(file, 4);
    return zone;
  }
  // Version 2 and later: the 64-bit block follows the 32-bit one, then the rule for the future.
  const std::size_t second = k_header_bytes + old.body(4);
  if (file.size() < second) broken();
  const auto block = file.substr(second);
  zone.parse_block(block, 8);
  auto rule = block.substr(k_header_bytes + read_counts(block).body(8));
  if (rule.size() < 2 || rule.front() != '\n') return zone;
  rule.remove_prefix(1);
  rule = rule.substr(0, rule.find('\n'));
  if (!rule.empty()) zone.parse_rule(rule);
  return zone;
}

void TimeZone::parse_block(std::string_view block, std::size_t time_bytes) {
  const Counts counts = read_counts(block);
  if (block.size() < k_header_bytes + counts.body(time_bytes) || counts.types == 0) broken();
  const auto times = block.substr(k_header_bytes);
  const auto indexes = times.substr(counts.times * time_bytes);
  const auto types = indexes.substr(counts.times);
  const auto offset_of = [&](std::size_t type) {
    if (type >= counts.types) broken();
    return big_endian(types.substr(type * 6, 4));
  };
  first_offset_ = offset_of(0);
  for (std::size_t i = 0; i < counts.times; ++i) {
    spans_.push_back({big_endian(times.substr(i * time_bytes, time_bytes)),
                      offset_of(static_cast<unsigned char>(indexes[i]))});
  }
}

void TimeZone::parse_rule(std::string_view text) {
  RuleReader in{text};
  in.name();
  rule_.standard = -in.time();  // POSIX counts westwards
  has_rule_ = true;
  if (in.text.empty()) return;
  in.name();
  rule_.has_daylight = true;
  rule_.daylight = rule_.standard + 3600;
  if (!in.text.empty() && in.text.front() != ',') rule_.daylight = -in.time();
  for (Change* change : {&rule_.to_daylight, &rule_.to_standard}) {
    if (!in.take(',')) broken();
    if (in.take('M')) {
      change->month = in.number();
      if (!in.take('.')) broken();
      change->week = in.number();
      if (!in.take('.')) broken();
      change->day = in.number();
      if (change->month < 1 || change->month > 12 || change->week < 1 || change->week > 5 ||
          change->day > 6) {
        broken();
      }
    } else {
      change->form = in.take('J') ? 'J' : 'D';
      change->day = in.number();
    }
    if (in.take('/')) change->seconds = in.time();
  }
}

std::int64_t TimeZone::Change::at(int in_year) const {
  const year y(in_year);
  sys_days date;
  if (form == 'M') {
    const std::chrono::month m(static_cast<unsigned>(month));
    const weekday w(static_cast<unsigned>(day));
    date = week == 5 ? sys_days(y / m / w[std::chrono::last])
                     : sys_days(y / m / w[static_cast<unsigned>(week)]);
  } else {
    const sys_days first(y / std::chrono::January / 1);
    // J counts from 1 and never the 29th of February.
    const bool behind_leap_day = form == 'J' && y.is_leap() && day >= 60;
    date = first + days(form == 'J' ? day - 1 + (behind_leap_day ? 1 : 0) : day);
  }
  return std::chrono::duration_cast<Seconds>(date.time_since_epoch()).count() + seconds;
}

std::int64_t TimeZone::offset_at(std::int64_t utc) const {
  if (has_rule_ && (spans_.empty() || utc >= spans_.back().since)) {
    if (!rule_.has_daylight) return rule_.standard;
    const auto date = std::chrono::year_month_day(
        std::chrono::floor<days>(std::chrono::sys_seconds(Seconds(utc + rule_.standard))));
    const int y = static_cast<int>(date.year());
    const std::int64_t begin = rule_.to_daylight.at(y) - rule_.standard;
    const std::int64_t end = rule_.to_standard.at(y) - rule_.daylight;
    // South of the equator daylight time spans the new year.
    const bool daylight = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
    return daylight ? rule_.daylight : rule_.standard;
  }
  const auto next = std::upper_bound(spans_.begin(), spans_.end(), utc,
                                     [](std::int64_t t, const Span& s) { return t < s.since; });
  return next == spans_.begin() ? first_offset_ : std::prev(next)->offset;
}

LocalTime TimeZone::to_local(Timestamp time) const {
  const auto utc = std::chrono::floor<Seconds>(time.time_since_epoch()).count();
  return LocalTime(Seconds(utc + offset_at(utc)));
}

bool TimeZone::to_utc(LocalTime local, Timestamp& out) const {
  const std::int64_t wall = local.time_since_epoch().count();
  // Every offset that can hold at that moment holds a day before or after it: a zone changes at
  // most once in two days.
  constexpr std::int64_t k_day = 86'400;
  const std::int64_t before = offset_at(wall - k_day);
  const std::int64_t after = offset_at(wall + k_day);
  std::int64_t best = INT64_MAX;
  for (const std::int64_t offset : {before, after}) {
    const std::int64_t utc = wall - offset;
    if (offset_at(utc) == offset) best = std::min(best, utc);
  }
  if (best == INT64_MAX) return false;
  out = Timestamp(Seconds(best));
  return true;
}

}  // namespace tarn::kernel
