// SPDX-License-Identifier: Apache-2.0
// Transactions: locks, reads, writes, and the one commit that carries rows, events and timers.
#include <algorithm>

#include <fmt/format.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include "kernel/store_impl.hpp"

namespace tarn::kernel {

Txn::State::~State() {
  if (!begun) return;
  if (!done) begun->Rollback().PermitUncheckedError();
  store.recycle(std::move(begun));
}

rocksdb::Transaction& Txn::State::txn() {
  if (!begun) begun = store.begin();
  return *begun;
}

void Txn::State::require_open() const {
  if (done) throw std::logic_error("the transaction is over");
}

Txn::Txn(std::shared_ptr<State> state, Scope scope)
    : state_(std::move(state)),
      scope_(std::move(scope)) {}
Txn::Txn(Txn&&) noexcept = default;
Txn& Txn::operator=(Txn&&) noexcept = default;
Txn::~Txn() = default;

Txn Store::begin(Scope scope) {
  return Txn(std::make_shared<Txn::State>(*impl_), std::move(scope));
}

const Scope& Txn::scope() const { return scope_; }

Txn Txn::in(Scope scope) { return Txn(state_, std::move(scope)); }

std::optional<std::string> Txn::get(const RecordKind& kind, const Scope& scope, const Key& key,
                                    Lock lock) {
  state_->require_open();
  auto* family = state_->store.family(kind.family);
  const std::string row = row_key(kind, scope, key);
  std::string value;
  rocksdb::Status status;
  if (lock != Lock::none) {
    status = state_->txn().GetForUpdate({}, family, row, &value, lock == Lock::exclusive, false);
  } else if (state_->writes > 0) {
    status = state_->txn().Get({}, family, row, &value);
  } else {
    status = state_->store.db->Get({}, family, row, &value);
  }
  check_status(status, "reading");
  if (!status.ok()) return std::nullopt;
  return value;
}

void Txn::put_raw(const RecordKind& kind, const Scope& scope, const Key& key, std::string value) {
  state_->require_open();
  const auto status =
      state_->txn().Put(state_->store.family(kind.family), row_key(kind, scope, key), value);
  check_status(status, "locking");
  ++state_->writes;
}

void Txn::erase_raw(const RecordKind& kind, const Scope& scope, const Key& key) {
  state_->require_open();
  const auto status =
      state_->txn().Delete(state_->store.family(kind.family), row_key(kind, scope, key));
  check_status(status, "locking");
  ++state_->writes;
}

void Txn::append_raw(const RecordKind& kind, const Scope& scope, const Key& key,
                     std::string value) {
  state_->require_open();
  // Straight into the batch: no lock is taken.
  const auto status = state_->txn().GetWriteBatch()->Put(state_->store.family(kind.family),
                                                         row_key(kind, scope, key), value);
  check_status(status, "writing");
  ++state_->writes;
}

void Txn::consume_raw(const RecordKind& kind, const Scope& scope, const Key& key) {
  state_->require_open();
  const auto status = state_->txn().GetWriteBatch()->SingleDelete(state_->store.family(kind.family),
                                                                  row_key(kind, scope, key));
  check_status(status, "writing");
  ++state_->writes;
}

void Txn::scan_raw(
    const RecordKind& kind, const Scope& scope, const Key& prefix, const ScanOptions& options,
    const std::function<bool(const std::string& key, std::string_view value)>& visit) {
  State& state = *state_;
  state.require_open();
  const std::string base = row_prefix(kind, scope);
  const std::string first = base + prefix.bytes();
  const std::string end = prefix_end(first);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  if (!options.reverse) read.iterate_upper_bound = &end_slice;
  auto* family = state.store.family(kind.family);
  std::unique_ptr<rocksdb::Iterator> rows;
  // Starts at the first row behind `from` in the direction of the scan.
  const auto seek = [&](const std::string& from, bool inclusive) {
    rows.reset(state.writes > 0 ? state.txn().GetIterator(read, family)
                                : state.store.db->NewIterator(read, family));
    options.reverse ? rows->SeekForPrev(from) : rows->Seek(from);
    const bool skip = !inclusive && rows->Valid() && rows->key() == from;
    if (skip) options.reverse ? rows->Prev() : rows->Next();
  };
  if (options.after.empty()) {
    seek(options.reverse ? end : first, !options.reverse);
  } else {
    const std::string after = base + options.after;
    // A position outside of the prefix starts at the prefix's own edge.
    if (options.reverse) {
      seek(std::min(after, end), false);
    } else {
      seek(std::max(after, first), after < first);
    }
  }
  for (std::size_t left = options.limit; left > 0 && rows->Valid(); --left) {
    if (!rows->key().starts_with(first)) break;
    const std::uint64_t writes = state.writes;
    const std::string row = rows->key().ToString();
    if (!visit(row.substr(base.size()), rows->value().ToStringView())) return;
    if (state.done) return;
    // Writing behind an iterator's back is not allowed: start again behind this row.
    if (state.writes != writes) {
      seek(row, false);
    } else {
      options.reverse ? rows->Prev() : rows->Next();
    }
  }
  check_status(rows->status(), "scanning");
}

void Txn::emit(Event event) {
  state_->require_open();
  state_->events.push_back(std::move(event));
}

void Txn::set_timer(std::string id, Timestamp due, Event event) {
  Txn root = in({});
  if (const auto old = root.find_for_update<TimerId>(event.topic, id)) {
    root.erase<TimerRow>(old->due, old->topic, old->id);
  }
  // Never before now: see the margin in timers.hpp.
  due = std::max(due, state_->store.clock.now());
  root.put(TimerId{event.topic, id, due});
  root.put(TimerRow{due, std::move(event.topic), std::move(id), std::move(event.ordering_key),
                    std::move(event.payload)});
  state_->earliest_timer = std::min(state_->earliest_timer, due);
}

void Txn::clear_timer(std::string topic, std::string id) {
  Txn root = in({});
  const auto old = root.find_for_update<TimerId>(topic, id);
  if (!old) return;
  root.erase<TimerRow>(old->due, topic, id);
  root.erase<TimerId>(topic, id);
}

void Txn::after_commit(std::function<void()> wake) {
  state_->require_open();
  state_->wakes.push_back(std::move(wake));
}

void Txn::commit(Survives survives) {
  State& state = *state_;
  state.require_open();
  Store::Impl& store = state.store;
  store.fault("commit.begin");
  if (state.writes > 0 || !state.events.empty()) store.require_writable();
  Outbox::Ticket ticket;  // released, whatever happens, once the outcome is known
  if (!state.events.empty()) {
    const Timestamp now = store.clock.now();
    ticket = store.outbox.draw(
        state.events, [&](const Event& event, const Outbox::Queue& queue, std::uint64_t number) {
          const OutboxRow row{event.topic,        queue.subscriber, number,
                              event.ordering_key, event.payload,    now};
          append_raw(OutboxRow::k_kind, {}, row.key(), encode_record(row));
        });
  }
  if (state.writes > 0) {
    state.begun->GetWriteOptions()->sync =
        store.write_options.sync && survives == Survives::power_loss;
    store.fault("commit.before-write");
    const auto status = state.begun->Commit();
    if (!status.ok()) {
      if (!status.IsBusy() && !status.IsTimedOut()) store.note_failed_write(status);
      state.begun->Rollback().PermitUncheckedError();
      state.done = true;
      check_status(status, "committing");
    }
    state.done = true;
    store.fault("commit.after-write");
  } else if (state.begun) {
    state.begun->Rollback().PermitUncheckedError();  // releases the locks; nothing to write
  }
  state.done = true;
  ticket.release();
  if (state.earliest_timer != Timestamp::max()) store.timers.note(state.earliest_timer);
  for (auto& wake : state.wakes) wake();
  store.fault("commit.end");
}

}  // namespace tarn::kernel
