// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <algorithm>

namespace tarn {
namespace {

template <class Timers>
bool erase_timer(Timers& timers, Clock::TimerId id) {
  const auto found = std::find_if(timers.begin(), timers.end(),
                                  [&](const auto& timer) { return timer.first.second == id; });
  if (found == timers.end()) return false;
  timers.erase(found);
  return true;
}

Timestamp system_now() {
  return std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
}

// Cancels its timer when the sleeping task is unwound.
struct TimerGuard {
  Clock& clock;
  Clock::TimerId id;
  ~TimerGuard() { clock.cancel(id); }
};

}  // namespace

Task<void> sleep_until(Clock& clock, Timestamp when) {
  OneShot<void> due;
  const TimerGuard guard{clock, clock.call_at(when, [due] { due.set(); })};
  co_await due;
}

Task<void> sleep_for(Clock& clock, Microseconds duration) {
  co_await sleep_until(clock, clock.now() + duration);
}

Timestamp ManualClock::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

Clock::TimerId ManualClock::call_at(Timestamp when, std::function<void()> callback) {
  std::unique_lock lock(mutex_);
  const TimerId id = next_id_++;
  if (when <= now_) {
    lock.unlock();
    callback();
    return id;
  }
  timers_.emplace(std::pair{when, id}, std::move(callback));
  return id;
}

bool ManualClock::cancel(TimerId id) {
  std::lock_guard lock(mutex_);
  return erase_timer(timers_, id);
}

void ManualClock::advance(Microseconds by) { set(now() + by); }

void ManualClock::set(Timestamp to) {
  while (true) {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      const auto first = timers_.begin();
      if (first == timers_.end() || first->first.first > to) {
        now_ = std::max(now_, to);
        return;
      }
      now_ = std::max(now_, first->first.first);
      callback = std::move(first->second);
      timers_.erase(first);
    }
    callback();
  }
}

std::size_t ManualClock::timer_count() const {
  std::lock_guard lock(mutex_);
  return timers_.size();
}

SystemClock::SystemClock() : thread_([this] { run(); }) {}

SystemClock::~SystemClock() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Timestamp SystemClock::now() const {
  std::lock_guard lock(mutex_);
  return system_now() + offset_;
}

Clock::TimerId SystemClock::call_at(Timestamp when, std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  const TimerId id = next_id_++;
  const bool earliest = timers_.empty() || when < timers_.begin()->first.first;
  timers_.emplace(std::pair{when, id}, std::move(callback));
  if (earliest) changed_.notify_all();
  return id;
}

bool SystemClock::cancel(TimerId id) {
  std::lock_guard lock(mutex_);
  return erase_timer(timers_, id);
}

void SystemClock::advance(Microseconds by) {
  std::lock_guard lock(mutex_);
  offset_ += by;
  changed_.notify_all();
}

void SystemClock::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (timers_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Timestamp due = timers_.begin()->first.first - offset_;
    if (system_now() < due) {
      // Bounded, so that a step of the machine's clock is noticed.
      changed_.wait_until(lock, std::min<std::chrono::system_clock::time_point>(
                                    due, std::chrono::system_clock::now() + Seconds(60)));
      continue;
    }
    const auto callback = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    lock.unlock();
    callback();
    lock.lock();
  }
}

}  // namespace tarn
