// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: how a schedule is kept, and what its timer does when it is due.
#pragma once
#include <string>
#include <string_view>

#include "kernel/store.hpp"

namespace tarn::kernel {

// The topic of the timers behind schedules. Nobody subscribes to it: firing puts the schedule's own
// event and its next timer in place of the old timer, in one transaction.
inline constexpr std::string_view k_schedule_topic = "kernel.schedule";

struct ScheduleRecord {
  static constexpr RecordKind k_kind{"kernel", "schedule", 1};
  std::string id, expression, time_zone, topic, ordering_key, payload;
  Timestamp anchor;  // rate() counts from here
  auto key() const { return Key(id); }
  void fields(auto& f) { f(id, expression, time_zone, topic, ordering_key, payload, anchor); }
};

// Emits the schedule's event and sets its next timer, whose time it returns (max: none).
// Occurrences before `resumed_at` were missed while Tarn was down: they count as one. Occurrences
// that the clock jumped over since are fired each, at their own time: hence a timer may be set in
// the past here.
Timestamp fire_schedule(Txn& txn, const std::string& id, Timestamp due, Timestamp resumed_at);

}  // namespace tarn::kernel
