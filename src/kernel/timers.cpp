// SPDX-License-Identifier: Apache-2.0
#include "kernel/timers.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "kernel/schedule_record.hpp"
#include "kernel/store_impl.hpp"

namespace tarn::kernel {
namespace {
constexpr std::size_t k_batch = 256;
constexpr auto k_margin = std::chrono::minutes(10);
}  // namespace

void TimerFront::attach(std::function<void()> earlier) {
  std::lock_guard lock(mutex_);
  earlier_ = std::move(earlier);
}

void TimerFront::note(Timestamp due) {
  std::lock_guard lock(mutex_);
  if (due >= threshold_) return;
  threshold_ = due;
  if (earlier_) earlier_();
}

Timestamp TimerFront::begin_scan() {
  std::lock_guard lock(mutex_);
  return std::exchange(threshold_, Timestamp::max());
}

Timestamp TimerFront::end_scan(Timestamp next) {
  std::lock_guard lock(mutex_);
  threshold_ = std::min(threshold_, next);
  return threshold_;
}

Timers::Timers(Store& store, Executor& executor) : store_(store), executor_(executor) {}

void Timers::start() {
  {
    Txn txn = store_.begin({});
    const auto mark = txn.peek<TimerMark>("mark");
    store_.impl().timers.end_scan(mark ? mark->fired_until - k_margin : Timestamp::min());
  }
  {
    std::lock_guard lock(mutex_);
    started_at_ = store_.clock().now();
    started_ = true;
  }
  store_.impl().timers.attach([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->wake();
  });
  wake();
}

void Timers::stop() {
  store_.impl().timers.attach({});
  std::unique_lock lock(mutex_);
  stopping_ = true;
  const auto armed = armed_id_;
  if (armed_ != Timestamp::max()) {
    lock.unlock();
    store_.clock().cancel(armed);
    lock.lock();
  }
  changed_.wait(lock, [&] { return !pumping_; });
}

bool Timers::idle() {
  std::lock_guard lock(mutex_);
  return !started_ || stopping_ || (!pumping_ && armed_ > store_.clock().now());
}

void Timers::wake() {
  {
    std::lock_guard lock(mutex_);
    if (!started_ || stopping_) return;
    again_ = true;
    if (pumping_) return;
    pumping_ = true;
  }
  executor_.post([self = shared_from_this()] { self->pump(); });
}

void Timers::pump() {
  TimerFront& front = store_.impl().timers;
  std::unique_lock lock(mutex_);
  while (again_ && !stopping_) {
    again_ = false;
    lock.unlock();
    const Timestamp low = front.begin_scan();
    const Timestamp now = store_.clock().now();
    Timestamp look_at = Timestamp::max();
    bool more = false;
    try {
      look_at = front.end_scan(fire_due(low, now));
      more = look_at <= now;
    } catch (const std::exception& error) {
      // The rows are still there: try again soon.
      log::error("timers", "cannot fire: {}", error.what());
      front.end_scan(low);
      look_at = now + Seconds(1);
    }
    if (!more) arm(look_at);
    lock.lock();
    again_ = again_ || more;
  }
  pumping_ = false;
  changed_.notify_all();
}

Timestamp Timers::fire_due(Timestamp low, Timestamp now) {
  return store_.transact({}, [&](Txn& txn) {
    Timestamp next = Timestamp::max();
    std::vector<TimerRow> due;
    ScanOptions from;
    from.after = Key(low).bytes();
    txn.scan<TimerRow>({}, from, [&](TimerRow& row, const std::string&) {
      if (row.due > now || due.size() == k_batch) {
        next = row.due;
        return false;
      }
      due.push_back(std::move(row));
      return true;
    });
    if (due.empty()) return next;
    Timestamp mark = due.back().due;
    for (TimerRow& row : due) {
      const auto id = txn.find_for_update<TimerId>(row.topic, row.id);
      if (!id || id->due != row.due) continue;  // moved or cleared since the scan
      txn.erase<TimerRow>(row.due, row.topic, row.id);
      txn.erase<TimerId>(row.topic, row.id);
      if (row.topic == k_schedule_topic) {
        const Timestamp set = fire_schedule(txn, row.id, row.due, started_at_);
        next = std::min(next, set);
        mark = std::min(mark, set);
      } else {
        txn.emit({std::move(row.topic), std::move(row.ordering_key), std::move(row.payload)});
      }
    }
    txn.put(TimerMark{mark});
    return next;
  });
}

// Only the pump calls this, one at a time.
void Timers::arm(Timestamp due) {
  {
    std::unique_lock lock(mutex_);
    if (stopping_ || armed_ == due) return;
    const bool cancel = armed_ != Timestamp::max();
    const auto old = armed_id_;
    armed_ = due;
    lock.unlock();
    if (cancel) store_.clock().cancel(old);
  }
  if (due == Timestamp::max()) return;
  const auto id = store_.clock().call_at(due, [weak = weak_from_this(), due] {
    const auto self = weak.lock();
    if (!self) return;
    {
      std::lock_guard lock(self->mutex_);
      if (self->armed_ == due) self->armed_ = Timestamp::max();
    }
    self->wake();
  });
  std::lock_guard lock(mutex_);
  if (armed_ == due) armed_id_ = id;
}

}  // namespace tarn::kernel
