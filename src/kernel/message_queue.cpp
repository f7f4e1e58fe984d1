// SPDX-License-Identifier: Apache-2.0
#include "kernel/message_queue.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "kernel/store_impl.hpp"

namespace tarn::kernel {
namespace {

constexpr std::size_t k_rows_per_read = 256;
constexpr std::size_t k_bytes_per_read = 1 << 20;
constexpr std::size_t k_window_max = 20'000;         // as AWS: how far a fifo queue looks
constexpr std::size_t k_window_bytes_max = 4 << 20;  // beyond it, payloads are read again
constexpr std::uint64_t k_removed_per_mark = 1000;

struct MessageRow {
  static constexpr RecordKind k_kind{"kernel", "message", 1, Family::queues};
  std::string group, payload;
  Timestamp sent;
  auto key() const { return Key(); }  // written under (queue, number)
  void fields(auto& f) { f(group, sent, payload); }
};

struct StateRow {
  static constexpr RecordKind k_kind{"kernel", "message-state", 1, Family::queues};
  Timestamp visible_at;
  std::uint32_t receives = 0;
  Timestamp first_received;
  std::string group;
  Timestamp sent;
  auto key() const { return Key(); }
  void fields(auto& f) { f(visible_at, receives, first_received, group, sent); }
};

// No message of the queue has a smaller number.
struct MarkRow {
  static constexpr RecordKind k_kind{"kernel", "message-mark", 1};
  std::string queue;
  std::uint64_t low_water = 0;
  auto key() const { return Key(queue); }
  void fields(auto& f) { f(queue, low_water); }
};

}  // namespace

struct MessageQueue::Impl : std::enable_shared_from_this<Impl> {
  struct Ready {
    std::string group;
    std::optional<std::string> payload;
    Timestamp sent;
    std::uint32_t receives = 0;
    Timestamp first_received;
  };
  // A number drawn by a transaction. The horizon passes it when that ends, either way.
  struct Ticket {
    std::shared_ptr<Impl> queue;
    std::uint64_t number;
    std::optional<StateRow> delayed;
    bool ended = false;
    ~Ticket() {
      if (!ended) queue->end(*this, false);
    }
  };

  Impl(Store& store, Scope scope, std::string name, bool fifo)
      : store(store),
        scope(std::move(scope)),
        name(std::move(name)),
        fifo(fifo) {
    load();
  }

  std::string message_row(std::uint64_t number) const {
    return row_key(MessageRow::k_kind, scope, Key(name, number));
  }
  std::string state_row(std::uint64_t number) const {
    return row_key(StateRow::k_kind, scope, Key(name, number));
  }
  rocksdb::ColumnFamilyHandle* queues() const { return store.impl().family(Family::queues); }

  void load();
  void end(Ticket& ticket, bool committed);
  void hide(std::uint64_t number, StateRow state);
  StateRow unhide(std::map<std::uint64_t, StateRow>::iterator found);
  void show_due(Timestamp now);
  std::uint64_t horizon() const;
  bool fill();
  std::vector<QueuedMessage> take(std::size_t max, Timestamp now, Timestamp visible_at,
                                  Timestamp expired_before, std::vector<std::uint64_t>& expired);
  bool forget(std::uint64_t number);
  void erase_rows(rocksdb::WriteBatch& batch, std::uint64_t number) const;
  void mark_progress(rocksdb::WriteBatch& batch, std::uint64_t removed_now);
  void wake();

  Store& store;
  const Scope scope;
  const std::string name;
  const bool fifo;

  mutable std::mutex mutex;
  std::uint64_t cursor = 0;              // every row below was read
  std::set<std::uint64_t> writing;       // drawn, not yet committed
  std::map<std::uint64_t, Ready> ready;  // the window of the front
  std::size_t ready_bytes = 0;
  std::map<std::uint64_t, StateRow> hidden;
  std::set<std::pair<Timestamp, std::uint64_t>> by_time;
  std::map<std::string, std::size_t> groups_taken;  // fifo only
  std::uint64_t total = 0;
  std::uint64_t delayed = 0;
  std::uint64_t removed = 0;
  std::vector<OneShot<void>> waiters;
};

void MessageQueue::Impl::load() {
  Txn txn = store.begin(scope);
  const auto mark = txn.peek<MarkRow>(name);
  const std::uint64_t low = mark ? mark->low_water : 0;
  ScanOptions from;
  if (low > 0) from.after = Key(name, low - 1).bytes();
  const auto number_of = [](const std::string& key) {
    return KeyReader(std::string_view(key).substr(key.size() - 8)).number();
  };
  txn.scan_raw(StateRow::k_kind, scope, Key(name), from,
               [&](const std::string& key, std::string_view value) {
                 hide(number_of(key), decode_record<StateRow>(value));
                 return true;
               });
  cursor = UINT64_MAX;
  txn.scan_raw(MessageRow::k_kind, scope, Key(name), from,
               [&](const std::string& key, std::string_view) {
                 if (total++ == 0) cursor = number_of(key);
                 return true;
               });
  if (total == 0) cursor = store.impl().outbox.next_number();
}

std::uint64_t MessageQueue::Impl::horizon() const {
  return writing.empty() ? store.impl().outbox.next_number() : *writing.begin();
}

void MessageQueue::Impl::hide(std::uint64_t number, StateRow state) {
  by_time.emplace(state.visible_at, number);
  if (state.receives == 0) ++delayed;
  if (fifo && state.receives > 0) ++groups_taken[state.group];
  hidden.insert_or_assign(number, std::move(state));
}

StateRow MessageQueue::Impl::unhide(std::map<std::uint64_t, StateRow>::iterator found) {
  StateRow state = std::move(found->second);
  by_time.erase({state.visible_at, found->first});
  hidden.erase(found);
  if (state.receives == 0) {
    --delayed;
  } else if (fifo) {
    const auto group = groups_taken.find(state.group);
    if (--group->second == 0) groups_taken.erase(group);
  }
  return state;
}

void MessageQueue::Impl::show_due(Timestamp now) {
  while (!by_time.empty() && by_time.begin()->first <= now) {
    const std::uint64_t number = by_time.begin()->second;
    StateRow state = unhide(hidden.find(number));
    ready.insert_or_assign(number, Ready{std::move(state.group), std::nullopt, state.sent,
                                         state.receives, state.first_received});
  }
}

void MessageQueue::Impl::wake() {
  for (const auto& waiter : waiters) waiter.set();
  waiters.clear();
}

void MessageQueue::Impl::end(Ticket& ticket, bool committed) {
  ticket.ended = true;
  std::lock_guard lock(mutex);
  writing.erase(ticket.number);
  if (committed) {
    ++total;
    // Before the horizon passes it, so that no reader takes it for visible.
    if (ticket.delayed) hide(ticket.number, *ticket.delayed);
  }
  wake();
}

// Reads on from the cursor; false when nothing more is there.
bool MessageQueue::Impl::fill() {
  const std::uint64_t end_number = horizon();
  if (cursor >= end_number) return false;
  const std::string end = message_row(end_number);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &end_slice;
  std::unique_ptr<rocksdb::Iterator> rows(store.impl().db->NewIterator(read, queues()));
  std::size_t count = 0, bytes = 0;
  for (rows->Seek(message_row(cursor)); rows->Valid(); rows->Next()) {
    if (count == k_rows_per_read || bytes > k_bytes_per_read) return true;
    const auto key = rows->key().ToStringView();
    const std::uint64_t number = KeyReader(key.substr(key.size() - 8)).number();
    ++count;
    bytes += rows->value().size();
    cursor = number + 1;
    if (hidden.contains(number) || ready.contains(number)) continue;
    auto row = decode_record<MessageRow>(rows->value().ToStringView());
    Ready entry{std::move(row.group), std::nullopt, row.sent, 0, {}};
    if (ready_bytes < k_window_bytes_max) {
      ready_bytes += row.payload.size();
      entry.payload = std::move(row.payload);
    }
    ready.emplace(number, std::move(entry));
  }
  check_status(rows->status(), "reading messages");
  cursor = end_number;
  return count > 0;
}

std::vector<QueuedMessage> MessageQueue::Impl::take(std::size_t max, Timestamp now,
                                                    Timestamp visible_at, Timestamp expired_before,
                                                    std::vector<std::uint64_t>& expired) {
  std::vector<QueuedMessage> out;
  // The groups taken before this call are closed; those that it takes from stay open to it.
  const auto closed = groups_taken;
  const auto drop = [&](auto at) {
    if (at->second.payload) ready_bytes -= at->second.payload->size();
    return ready.erase(at);
  };
  while (true) {
    for (auto at = ready.begin(); at != ready.end() && out.size() < max;) {
      Ready& entry = at->second;
      if (entry.sent < expired_before) {
        expired.push_back(at->first);
        --total;
        at = drop(at);
        continue;
      }
      if (fifo && closed.contains(entry.group)) {
        ++at;
        continue;
      }
      if (!entry.payload) {
        std::string value;
        const auto status = store.impl().db->Get({}, queues(), message_row(at->first), &value);
        check_status(status, "reading a message");
        if (!status.ok()) {  // its row is gone: a crash kept only its state
          at = drop(at);
          continue;
        }
        entry.payload = decode_record<MessageRow>(value).payload;
        ready_bytes += entry.payload->size();
      }
      ready_bytes -= entry.payload->size();
      out.push_back({at->first, entry.group, *std::move(entry.payload), entry.sent,
                     entry.receives + 1, entry.receives == 0 ? now : entry.first_received});
      at = ready.erase(at);
      const QueuedMessage& taken = out.back();
      hide(taken.number,
           {visible_at, taken.receives, taken.first_received, taken.group, taken.sent});
    }
    if (out.size() == max || ready.size() >= k_window_max || !fill()) return out;
  }
}

// False if the message is not known, which includes that it was removed before.
bool MessageQueue::Impl::forget(std::uint64_t number) {
  const auto taken = hidden.find(number);
  if (taken != hidden.end()) {
    unhide(taken);
  } else {
    const auto shown = ready.find(number);
    if (shown == ready.end()) return false;
    if (shown->second.payload) ready_bytes -= shown->second.payload->size();
    ready.erase(shown);
  }
  --total;
  return true;
}

void MessageQueue::Impl::erase_rows(rocksdb::WriteBatch& batch, std::uint64_t number) const {
  batch.SingleDelete(queues(), message_row(number));
  batch.Delete(queues(), state_row(number));
}

void MessageQueue::Impl::mark_progress(rocksdb::WriteBatch& batch, std::uint64_t removed_now) {
  const std::uint64_t before = removed;
  removed += removed_now;
  if (before / k_removed_per_mark == removed / k_removed_per_mark) return;
  std::uint64_t low = cursor;
  if (!ready.empty()) low = std::min(low, ready.begin()->first);
  if (!hidden.empty()) low = std::min(low, hidden.begin()->first);
  const MarkRow mark{name, low};
  batch.Put(store.impl().family(Family::records), row_key(MarkRow::k_kind, scope, mark.key()),
            encode_record(mark));
}

MessageQueue::MessageQueue(Store& store, Scope scope, std::string name, bool fifo)
    : impl_(std::make_shared<Impl>(store, std::move(scope), std::move(name), fifo)) {}

std::uint64_t MessageQueue::send(Txn& txn, std::string payload, Timestamp visible_at,
                                 std::string group) {
  const Timestamp now = impl_->store.clock().now();
  auto ticket = std::make_shared<Impl::Ticket>();
  {
    std::lock_guard lock(impl_->mutex);
    ticket->number = impl_->store.impl().outbox.draw_number();
    impl_->writing.insert(ticket->number);
    ticket->queue = impl_;
  }
  const Key key(impl_->name, ticket->number);
  if (visible_at > now) {
    ticket->delayed = StateRow{visible_at, 0, {}, group, now};
    txn.put_raw(StateRow::k_kind, impl_->scope, key, encode_record(*ticket->delayed));
  }
  txn.append_raw(MessageRow::k_kind, impl_->scope, key,
                 encode_record(MessageRow{std::move(group), std::move(payload), now}));
  txn.after_commit([ticket] { ticket->queue->end(*ticket, true); });
  return ticket->number;
}

std::vector<QueuedMessage> MessageQueue::receive(std::size_t max, Microseconds visibility,
                                                 Timestamp expired_before) {
  Impl& queue = *impl_;
  const Timestamp now = queue.store.clock().now();
  std::vector<std::uint64_t> expired;
  std::vector<QueuedMessage> out;
  rocksdb::WriteBatch batch;
  {
    std::lock_guard lock(queue.mutex);
    queue.show_due(now);
    out = queue.take(max, now, now + visibility, expired_before, expired);
    queue.mark_progress(batch, expired.size());
  }
  // Outside the lock: the write may wait for others' fsync.
  for (const std::uint64_t number : expired) queue.erase_rows(batch, number);
  for (const QueuedMessage& taken : out) {
    batch.Put(queue.queues(), queue.state_row(taken.number),
              encode_record(StateRow{now + visibility, taken.receives, taken.first_received,
                                     taken.group, taken.sent}));
  }
  if (batch.Count() > 0) queue.store.impl().write_unlocked(batch);
  return out;
}

void MessageQueue::remove(const std::vector<std::uint64_t>& numbers) {
  Impl& queue = *impl_;
  rocksdb::WriteBatch batch;
  {
    std::lock_guard lock(queue.mutex);
    std::uint64_t known = 0;
    for (const std::uint64_t number : numbers) {
      if (!queue.forget(number)) continue;
      queue.erase_rows(batch, number);
      ++known;
    }
    queue.mark_progress(batch, known);
    if (queue.fifo && known > 0) queue.wake();  // the next of the group may go
  }
  if (batch.Count() > 0) queue.store.impl().write_unlocked(batch);
}

void MessageQueue::remove(Txn& txn, std::uint64_t number) {
  const Key key(impl_->name, number);
  txn.consume_raw(MessageRow::k_kind, impl_->scope, key);
  txn.erase_raw(StateRow::k_kind, impl_->scope, key);
  txn.after_commit([impl = impl_, number] {
    std::lock_guard lock(impl->mutex);
    impl->forget(number);
    if (impl->fifo) impl->wake();
  });
}

bool MessageQueue::hide_until(std::uint64_t number, Timestamp visible_at) {
  Impl& queue = *impl_;
  rocksdb::WriteBatch batch;
  {
    std::lock_guard lock(queue.mutex);
    queue.show_due(queue.store.clock().now());
    const auto found = queue.hidden.find(number);
    if (found == queue.hidden.end() || found->second.receives == 0) return false;
    StateRow state = queue.unhide(found);
    state.visible_at = visible_at;
    batch.Put(queue.queues(), queue.state_row(number), encode_record(state));
    queue.hide(number, std::move(state));
    queue.wake();
  }
  queue.store.impl().write_unlocked(batch);
  return true;
}

bool MessageQueue::is_taken(std::uint64_t number) const { return receives(number).value_or(0) > 0; }

std::optional<std::uint32_t> MessageQueue::receives(std::uint64_t number) const {
  std::lock_guard lock(impl_->mutex);
  impl_->show_due(impl_->store.clock().now());
  const auto found = impl_->hidden.find(number);
  if (found == impl_->hidden.end()) return std::nullopt;
  return found->second.receives;
}

bool MessageQueue::contains(std::uint64_t number) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->hidden.contains(number) || impl_->ready.contains(number);
}

void MessageQueue::purge() { expire(Timestamp::max(), SIZE_MAX); }

std::size_t MessageQueue::expire(Timestamp sent_before, std::size_t max) {
  Impl& queue = *impl_;
  constexpr std::size_t k_batch = 1000;
  std::size_t removed = 0;
  while (removed < max) {
    rocksdb::WriteBatch batch;
    std::size_t count = 0;
    {
      // Everything below the horizon passes through `ready`, where it can be forgotten.
      std::lock_guard lock(queue.mutex);
      std::vector<std::uint64_t> old;
      const std::size_t room = std::min(k_batch, max - removed);
      for (const auto& [number, entry] : queue.ready) {
        if (old.size() < room && entry.sent < sent_before) old.push_back(number);
      }
      for (const auto& [number, state] : queue.hidden) {
        if (old.size() < room && state.sent < sent_before) old.push_back(number);
      }
      for (const std::uint64_t number : old) {
        queue.forget(number);
        queue.erase_rows(batch, number);
      }
      count = old.size();
      queue.mark_progress(batch, count);
      if (count == 0) {
        // Look further only if the front itself was old.
        const bool all_old = queue.ready.empty();
        if (!all_old || !queue.fill()) return removed;
        continue;
      }
    }
    queue.store.impl().write_unlocked(batch);
    removed += count;
  }
  return removed;
}

OneShot<void> MessageQueue::changed() {
  std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->waiters, [](const OneShot<void>& waiter) { return waiter.is_set(); });
  return impl_->waiters.emplace_back();
}

std::optional<Timestamp> MessageQueue::next_visible() const {
  std::lock_guard lock(impl_->mutex);
  if (impl_->by_time.empty()) return std::nullopt;
  return impl_->by_time.begin()->first;
}

MessageQueue::Counts MessageQueue::counts() const {
  std::lock_guard lock(impl_->mutex);
  impl_->show_due(impl_->store.clock().now());
  Counts counts;
  counts.delayed = impl_->delayed;
  counts.taken = impl_->hidden.size() - impl_->delayed;
  counts.visible = impl_->total - std::min<std::uint64_t>(impl_->total, impl_->hidden.size());
  return counts;
}

}  // namespace tarn::kernel
