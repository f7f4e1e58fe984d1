// SPDX-License-Identifier: Apache-2.0
// Points in time and their texts. A `Timestamp` is UTC with microseconds: AWS speaks milliseconds,
// SQL microseconds. Pure functions; the current time comes only from a `Clock` (base/clock.hpp).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn {

using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using Timestamp = std::chrono::sys_time<Microseconds>;

Timestamp from_millis(std::int64_t millis_since_epoch);
Timestamp from_seconds(double seconds_since_epoch);
std::int64_t to_millis(Timestamp time);
std::int64_t to_micros(Timestamp time);
double to_seconds(Timestamp time);  // with fraction

enum class Precision { seconds, milliseconds, microseconds };
// 2026-11-21T08:00:00Z, 2026-11-21T08:00:00.123Z, …
std::string iso8601(Timestamp time, Precision precision = Precision::milliseconds);
// 20261121T080000Z, SigV4's x-amz-date.
std::string iso8601_basic(Timestamp time);
// Sat, 21 Nov 2026 08:00:00 GMT
std::string http_date(Timestamp time);

// Accepts an offset (Z, +02:00, +0200) and fractions; a date alone is midnight UTC.
std::optional<Timestamp> parse_iso8601(std::string_view text);
std::optional<Timestamp> parse_iso8601_basic(std::string_view text);
// RFC 7231's IMF-fixdate, and the two obsolete forms.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace tarn
