// SPDX-License-Identifier: Apache-2.0
// Recurring events on top of durable timers: EventBridge's rate(), cron() and at() expressions.
// Restart-safe: the next occurrence is a timer record; occurrences missed while Tarn was down fire
// once at start. Exact rules: AWS's "Schedule expressions" (minutes hours day-of-month month
// day-of-week year; L, W, # and ? as there). Pure parsing and arithmetic apart from `Schedules`.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "kernel/store.hpp"

namespace tarn::kernel {

class BadSchedule : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ScheduleExpression {
 public:
  // rate(5 minutes), cron(0 12 * * ? *), at(2026-11-21T08:00:00); time zone as an IANA name.
  static ScheduleExpression parse(std::string_view text, std::string_view time_zone = "UTC");
  // The first occurrence strictly after `after`; rate counts from `anchor`. None: never again.
  std::optional<Timestamp> next(Timestamp after, Timestamp anchor) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

class Schedules {
 public:
  explicit Schedules(Store& store);
  // In the caller's transaction. `event` is emitted at each occurrence; its payload is passed on
  // unchanged, with the occurrence's time as `ordering_key` when that is empty (ISO 8601, seconds).
  void put(Txn& txn, std::string id, std::string expression, std::string time_zone, Event event);
  void remove(Txn& txn, std::string id);

 private:
  Store& store_;
};

}  // namespace tarn::kernel
