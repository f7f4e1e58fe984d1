// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: durable timers. A timer is two rows: `timer-id` (topic, id) says when it
// is due, which lets it be moved and cleared, and `timer` in the queues family is ordered by due
// time and holds the event. One wait on the Clock is armed, for the earliest; nothing polls.
//
// The front is read from a persisted mark, so that a start does not walk over the tombstones of
// all timers that ever fired. Transactions under way may still commit a timer that was due a
// little before the mark, hence the margin.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "base/task.hpp"
#include "kernel/store.hpp"

namespace tarn::kernel {

struct TimerId {
  static constexpr RecordKind k_kind{"kernel", "timer-id", 1};
  std::string topic, id;
  Timestamp due;
  auto key() const { return Key(topic, id); }
  void fields(auto& f) { f(topic, id, due); }
};

struct TimerRow {
  static constexpr RecordKind k_kind{"kernel", "timer", 1, Family::queues};
  Timestamp due;
  std::string topic, id, ordering_key, payload;
  auto key() const { return Key(due, topic, id); }
  void fields(auto& f) { f(due, topic, id, ordering_key, payload); }
};

struct TimerMark {
  static constexpr RecordKind k_kind{"kernel", "timer-mark", 1};
  Timestamp fired_until;
  auto key() const { return Key("mark"); }
  void fields(auto& f) { f(fired_until); }
};

// The earliest due time that may be unread: no timer is due before it. Committing transactions
// lower it, the reader raises it; whoever lowers it wakes the reader, the others do nothing.
class TimerFront {
 public:
  void attach(std::function<void()> earlier);
  void note(Timestamp due);  // after the commit that set it
  // A scan begins where this says; every timer noted meanwhile counts.
  Timestamp begin_scan();
  // `next` is the first that the scan left. Returns when to look again; max: not before a note.
  Timestamp end_scan(Timestamp next);

 private:
  std::mutex mutex_;
  Timestamp threshold_ = Timestamp::max();
  std::function<void()> earlier_;
};

// Fires what is due, on the executor. Owned by the bus.
class Timers : public std::enable_shared_from_this<Timers> {
 public:
  Timers(Store& store, Executor& executor);
  void start();
  void stop();
  // True when nothing is due and nothing runs.
  bool idle();

 private:
  void wake();
  void pump();
  // Fires up to a batch from `low` on; returns the due time of the first that is left.
  Timestamp fire_due(Timestamp low, Timestamp now);
  void arm(Timestamp due);

  Store& store_;
  Executor& executor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  bool stopping_ = false;
  bool pumping_ = false;
  bool again_ = false;
  Timestamp started_at_;
  Timestamp armed_ = Timestamp::max();
  Clock::TimerId armed_id_ = 0;
};

}  // namespace tarn::kernel
