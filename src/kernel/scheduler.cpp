// SPDX-License-Identifier: Apache-2.0
#include "kernel/scheduler.hpp"

#include "base/log.hpp"
#include "kernel/schedule_record.hpp"
#include "kernel/timers.hpp"

namespace tarn::kernel {

Schedules::Schedules(Store& store) : store_(store) {}

void Schedules::put(Txn& txn, std::string id, std::string expression, std::string time_zone,
                    Event event) {
  const auto parsed = ScheduleExpression::parse(expression, time_zone);
  Txn root = txn.in({});
  const Timestamp now = store_.clock().now();
  const ScheduleRecord record{id,
                              std::move(expression),
                              std::move(time_zone),
                              std::move(event.topic),
                              std::move(event.ordering_key),
                              std::move(event.payload),
                              now};
  root.put(record);
  const std::string topic(k_schedule_topic);
  if (const auto next = parsed.next(now, record.anchor)) {
    root.set_timer(std::move(id), *next, {topic, {}, {}});
  } else {
    root.clear_timer(topic, std::move(id));
  }
}

void Schedules::remove(Txn& txn, std::string id) {
  Txn root = txn.in({});
  root.clear_timer(std::string(k_schedule_topic), id);
  root.erase<ScheduleRecord>(id);
}

Timestamp fire_schedule(Txn& txn, const std::string& id, Timestamp due, Timestamp resumed_at) {
  Txn root = txn.in({});
  const auto record = root.find<ScheduleRecord>(id);
  if (!record) return Timestamp::max();
  std::string order = record->ordering_key;
  if (order.empty()) order = iso8601(due, Precision::seconds);
  root.emit({record->topic, std::move(order), record->payload});
  try {
    const auto expression = ScheduleExpression::parse(record->expression, record->time_zone);
    const auto next = expression.next(std::max(due, resumed_at), record->anchor);
    if (!next) return Timestamp::max();
    const std::string topic(k_schedule_topic);
    root.put(TimerId{topic, id, *next});
    root.put(TimerRow{*next, topic, id, {}, {}});
    return *next;
  } catch (const BadSchedule& error) {
    // It was valid when it was put: the time zone's file is gone.
    log::error("scheduler", "{} stops: {}", id, error.what());
    return Timestamp::max();
  }
}

}  // namespace tarn::kernel
