// SPDX-License-Identifier: Apache-2.0
// The time that Tarn lives in. It is handed in everywhere, so that tests run on a manual clock and
// a user can move time forward. Wall time only: sockets' time-outs use the system's own clock.
//
// Threading: all functions may be called from any thread; callbacks run on the clock's thread, must
// be short, and usually post to an executor or set a OneShot.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/task.hpp"
#include "base/time.hpp"

namespace tarn {

class Clock {
 public:
  using TimerId = std::uint64_t;
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  // Calls back once at or after `when`; soon, if that has passed.
  virtual TimerId call_at(Timestamp when, std::function<void()> callback) = 0;
  // False if it has run, runs now, or was cancelled.
  virtual bool cancel(TimerId id) = 0;
};

// Waits until `when` on the awaiting task's executor; throws Cancelled when the task is stopped.
Task<void> sleep_until(Clock& clock, Timestamp when);
Task<void> sleep_for(Clock& clock, Microseconds duration);

// Time that a caller moves. Callbacks run inside `set`/`advance`, in order of their time, each
// seeing its own time as now().
class ManualClock : public Clock {
 public:
  explicit ManualClock(Timestamp start = from_millis(1'700'000'000'000)) : now_(start) {}
  Timestamp now() const override;
  TimerId call_at(Timestamp when, std::function<void()> callback) override;
  bool cancel(TimerId id) override;
  void advance(Microseconds by);
  void set(Timestamp to);
  std::size_t timer_count() const;

 private:
  mutable std::mutex mutex_;
  Timestamp now_;
  TimerId next_id_ = 1;
  std::map<std::pair<Timestamp, TimerId>, std::function<void()>> timers_;
};

// The machine's clock plus an offset that a user may move (`tarn clock advance`). One thread.
class SystemClock : public Clock {
 public:
  SystemClock();
  ~SystemClock() override;
  Timestamp now() const override;
  TimerId call_at(Timestamp when, std::function<void()> callback) override;
  bool cancel(TimerId id) override;
  // Moves time forward; timers that became due fire at once.
  void advance(Microseconds by);

 private:
  void run();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Microseconds offset_{0};
  bool stopping_ = false;
  TimerId next_id_ = 1;
  std::map<std::pair<Timestamp, TimerId>, std::function<void()>> timers_;
  std::thread thread_;
};

}  // namespace tarn
