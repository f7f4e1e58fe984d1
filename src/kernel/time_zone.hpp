// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: IANA time zones, read from the machine's compiled zone files (RFC 8536).
// libstdc++ 12 has no std::chrono::time_zone, and the C library's is one per process.
//
// Immutable after loading; all functions from any thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace tarn::kernel {

class UnknownTimeZone : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A point on a zone's wall clock.
using LocalTime = std::chrono::local_time<Seconds>;

class TimeZone {
 public:
  // From the zone files, once per name; throws UnknownTimeZone.
  static std::shared_ptr<const TimeZone> find(std::string_view name);
  static TimeZone parse(std::string_view file);

  LocalTime to_local(Timestamp time) const;
  // What the wall clock shows `local`: the first time if it does twice. False: it never does.
  bool to_utc(LocalTime local, Timestamp& out) const;

 private:
  // From `since` on, local time is UTC plus `offset`.
  struct Span {
    std::int64_t since;
    std::int64_t offset;
  };
  // Each year's change as POSIX writes it: M month.week.day/time, J day, or day of the year.
  struct Change {
    char form = 'M';
    int month = 0, week = 0, day = 0;
    std::int64_t seconds = 2 * 3600;
    std::int64_t at(int year) const;  // local seconds since the epoch, by the offset before it
  };
  struct Rule {
    std::int64_t standard = 0, daylight = 0;
    bool has_daylight = false;
    Change to_daylight, to_standard;
  };
  void parse_block(std::string_view block, std::size_t time_bytes);
  void parse_rule(std::string_view text);
  std::int64_t offset_at(std::int64_t utc_seconds) const;

  std::vector<Span> spans_;
  std::int64_t first_offset_ = 0;
  Rule rule_;  // behind the last span
  bool has_rule_ = false;
};

}  // namespace tarn::kernel
