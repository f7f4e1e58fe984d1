// SPDX-License-Identifier: Apache-2.0
#include "kernel/lane.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/store_impl.hpp"
#include "kernel/task_failure.hpp"

namespace tarn::kernel {
namespace {

constexpr std::size_t k_rows_per_read = 256;
constexpr std::size_t k_waiting_max = 100'000;  // behind slow ordering keys, as numbers
constexpr std::uint64_t k_acknowledged_per_mark = 1000;
constexpr auto k_backoff_min = Milliseconds(100);
constexpr auto k_backoff_max = Seconds(60);

Microseconds backoff(int attempt) {
  const auto doubled = k_backoff_min * (1 << std::min(attempt - 1, 12));
  return std::min<Microseconds>(doubled, k_backoff_max);
}

}  // namespace

Lane::Lane(Store& store, Executor& executor, Subscription subscription)
    : store_(store),
      executor_(executor),
      subscription_(std::move(subscription)) {}

std::string Lane::row_of(std::uint64_t sequence) const {
  return row_key(OutboxRow::k_kind, {}, row_parts(sequence));
}

Key Lane::row_parts(std::uint64_t sequence) const {
  return Key(subscription_.topic, subscription_.subscriber, sequence);
}

void Lane::start() {
  {
    std::lock_guard lock(mutex_);
    Txn txn = store_.begin({});
    const auto mark = txn.peek<OutboxMark>(subscription_.topic, subscription_.subscriber);
    cursor_ = mark ? mark->low_water : 0;
    started_ = true;
  }
  wake();
}

void Lane::wake() {
  {
    std::lock_guard lock(mutex_);
    if (!started_ || stopping_) return;
    again_ = true;
    if (pumping_) return;
    pumping_ = true;
  }
  executor_.post([self = shared_from_this()] { self->pump(); });
}

void Lane::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.request_stop();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return running_ == 0 && !pumping_; });
  if (!started_) return;
  const std::uint64_t low = unsettled_.empty() ? cursor_ : *unsettled_.begin();
  lock.unlock();
  try {
    rocksdb::WriteBatch batch;
    const OutboxMark mark{subscription_.topic, subscription_.subscriber, low};
    batch.Put(store_.impl().family(Family::records), row_key(OutboxMark::k_kind, {}, mark.key()),
              encode_record(mark));
    store_.impl().write_unlocked(batch);
  } catch (const StorageFailure& failure) {
    log::warning("bus", "the mark of {} stays behind: {}", subscription_.subscriber,
                 failure.what());
  }
}

bool Lane::idle() {
  const std::uint64_t horizon = store_.impl().outbox.horizon(subscription_.topic);
  std::lock_guard lock(mutex_);
  return !started_ || stopping_ || (unsettled_.empty() && cursor_ >= horizon && !pumping_);
}

void Lane::wait_change(Milliseconds at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, at_most);
}

void Lane::pump() {
  std::unique_lock lock(mutex_);
  while (again_ && !stopping_) {
    again_ = false;
    const bool room =
        ready_.size() < subscription_.in_flight_max && unsettled_.size() < k_waiting_max;
    if (room) {
      lock.unlock();
      bool more = false;
      try {
        more = read_rows();
      } catch (const std::exception& error) {
        log::error("bus", "cannot read events of {}: {}", subscription_.topic, error.what());
      }
      lock.lock();
      again_ = again_ || more;
    }
    start_ready(lock);
  }
  pumping_ = false;
  changed_.notify_all();
}

bool Lane::read_rows() {
  // The horizon first: whatever lies below it is visible to the scan that follows.
  const std::uint64_t horizon = store_.impl().outbox.horizon(subscription_.topic);
  std::uint64_t cursor;
  {
    std::lock_guard lock(mutex_);
    cursor = cursor_;
  }
  if (cursor >= horizon) return false;
  const std::string first = row_of(cursor);
  const std::string end = row_of(horizon);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &end_slice;
  Store::Impl& store = store_.impl();
  std::unique_ptr<rocksdb::Iterator> rows(
      store.db->NewIterator(read, store.family(Family::queues)));
  std::vector<Waiting> found;
  for (rows->Seek(first); rows->Valid() && found.size() < k_rows_per_read; rows->Next()) {
    const auto key = rows->key().ToStringView();
    const std::uint64_t sequence = KeyReader(key.substr(key.size() - 8)).number();
    auto row = decode_record<OutboxRow>(rows->value().ToStringView());
    found.push_back({sequence, std::move(row.ordering_key)});
  }
  check_status(rows->status(), "reading events");
  const bool more = found.size() == k_rows_per_read;
  std::lock_guard lock(mutex_);
  cursor_ = more ? found.back().sequence + 1 : horizon;
  for (Waiting& waiting : found) {
    unsettled_.insert(waiting.sequence);
    if (!waiting.ordering_key.empty()) {
      auto& line = lines_[waiting.ordering_key];
      line.push_back(waiting.sequence);
      if (line.size() > 1) continue;
    }
    ready_.push_back(std::move(waiting));
  }
  return more;
}

void Lane::start_ready(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && running_ < subscription_.in_flight_max && !ready_.empty()) {
    Waiting waiting = std::move(ready_.front());
    ready_.pop_front();
    const int attempt = ++attempts_[waiting.sequence];
    ++running_;
    lock.unlock();
    auto self = shared_from_this();
    auto task = deliver(self, waiting.sequence, attempt);
    spawn<void>({&executor_, stop_.get_token()}, std::move(task),
                [self, waiting, attempt](Outcome<void> outcome) {
                  self->finish(waiting, attempt, std::move(outcome));
                });
    lock.lock();
  }
}

Task<void> Lane::deliver(std::shared_ptr<Lane> self, std::uint64_t sequence, int attempt) {
  Delivery delivery;
  {
    std::string value;
    const auto status = self->store_.impl().db->Get({}, self->store_.impl().family(Family::queues),
                                                    self->row_of(sequence), &value);
    check_status(status, "reading an event");
    if (!status.ok()) co_return;  // settled before: nothing to do
    auto row = decode_record<OutboxRow>(value);
    delivery.event_id = fmt::format("{:016x}", sequence);
    delivery.topic = self->subscription_.topic;
    delivery.ordering_key = std::move(row.ordering_key);
    delivery.payload = std::move(row.payload);
    delivery.emitted = row.emitted;
    delivery.attempt = attempt;
  }
  co_await self->subscription_.deliver(std::move(delivery));
}

void Lane::finish(const Waiting& waiting, int attempt, Outcome<void> outcome) {
  bool settled = false;
  try {
    if (!outcome.failed()) {
      store_.impl().fault("bus.before-acknowledge");
      acknowledge(waiting.sequence);
      settled = true;
    } else if (is_cancelled(outcome.error()) && stop_.stop_requested()) {
      // Neither: the next start delivers it again.
    } else {
      const std::string reason = reason_of(outcome.error());
      log::warning("bus", "{} of {}: attempt {} failed: {}", subscription_.subscriber,
                   subscription_.topic, attempt, reason);
      if (attempt >= subscription_.attempts_max) {
        bury(waiting.sequence, attempt, reason);
        settled = true;
      }
    }
  } catch (const std::exception& error) {
    log::error("bus", "cannot settle an event of {}: {}", subscription_.topic, error.what());
  }
  if (settled) {
    settle(waiting);
  } else {
    retry_later(waiting, attempt);
  }
  std::unique_lock lock(mutex_);
  --running_;
  start_ready(lock);
  lock.unlock();
  wake();  // there may be room to read on
  lock.lock();
  changed_.notify_all();
}

void Lane::acknowledge(std::uint64_t sequence) {
  Store::Impl& store = store_.impl();
  rocksdb::WriteBatch batch;
  // Written once, removed once: a single delete vanishes together with its row.
  batch.SingleDelete(store.family(Family::queues), row_of(sequence));
  {
    std::lock_guard lock(mutex_);
    if (++acknowledged_ % k_acknowledged_per_mark == 0) {
      // `sequence` is still unsettled here, so the mark is at most one row low.
      const OutboxMark mark{subscription_.topic, subscription_.subscriber,
                            unsettled_.empty() ? cursor_ : *unsettled_.begin()};
      batch.Put(store.family(Family::records), row_key(OutboxMark::k_kind, {}, mark.key()),
                encode_record(mark));
    }
  }
  store.write_unlocked(batch);
}

void Lane::bury(std::uint64_t sequence, int attempts, const std::string& reason) {
  Store::Impl& store = store_.impl();
  Txn txn = store_.begin({});
  auto row = txn.peek<OutboxRow>(subscription_.topic, subscription_.subscriber, sequence);
  if (!row) return;
  DeadLetter letter;
  letter.event_id = fmt::format("{:016x}", sequence);
  letter.topic = subscription_.topic;
  letter.subscriber = subscription_.subscriber;
  letter.ordering_key = std::move(row->ordering_key);
  letter.payload = std::move(row->payload);
  letter.reason = reason;
  letter.emitted = row->emitted;
  letter.died = store.clock.now();
  letter.attempts = attempts;
  txn.put(letter);
  txn.consume_raw(OutboxRow::k_kind, {}, row_parts(sequence));
  txn.commit();
  log::error("bus", "{} of {}: event {:016x} is a dead letter after {} attempts",
             subscription_.subscriber, subscription_.topic, sequence, attempts);
}

void Lane::settle(const Waiting& waiting) {
  std::lock_guard lock(mutex_);
  unsettled_.erase(waiting.sequence);
  attempts_.erase(waiting.sequence);
  if (waiting.ordering_key.empty()) return;
  const auto line = lines_.find(waiting.ordering_key);
  line->second.pop_front();
  if (line->second.empty()) {
    lines_.erase(line);
  } else {
    ready_.push_back({line->second.front(), waiting.ordering_key});
  }
}

void Lane::retry_later(const Waiting& waiting, int attempt) {
  if (stop_.stop_requested()) return;
  Clock& clock = store_.clock();
  clock.call_at(clock.now() + backoff(attempt), [weak = weak_from_this(), waiting] {
    const auto self = weak.lock();
    if (!self) return;
    {
      std::lock_guard lock(self->mutex_);
      if (self->stopping_) return;
      self->ready_.push_front(waiting);
    }
    self->wake();
  });
}

}  // namespace tarn::kernel
