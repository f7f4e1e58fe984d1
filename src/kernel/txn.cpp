// SPDX-License-Identifier: Apache-2.0
// Transactions: locks, reads, writes, and the one commit that carries rows, events and timers.
#include <algorithm>

#include <rocksdb/utilities/write_batch_with_index.h>

#include "kernel/store_impl.hpp"

namespace tarn::kernel {
namespace {

constexpr std::size_t k_body_bytes_min = 1024;  // smaller ones stay in their row
// The segment of a body that this transaction wrote; its offset is an index then.
constexpr std::uint32_t k_uncommitted = 0;

}  // namespace

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

void Txn::State::put(Family family, const std::string& row, std::string value) {
  auto* const handle = store.family(family);
  if (family != Family::bodies || value.size() < k_body_bytes_min) {
    check_status(txn().Put(handle, row, value), "locking");
    ++writes;
    return;
  }
  char address[BodyAddress::k_size];
  BodyAddress{k_uncommitted, static_cast<std::uint32_t>(bodies.size()), 0, 0}.write(address);
  check_status(txn().Put(handle, row, {address, sizeof address}), "locking");
  ++writes;
  // A value is the last thing of its row.
  const auto rows = rows_of(*txn().GetWriteBatch()->GetWriteBatch());
  bodies.push_back(logged_body(std::move(value), rows.size() - sizeof address));
}

std::optional<std::string> Txn::State::body(const BodyAddress& address,
                                            const CommitLog::Segments* pinned) const {
  if (address.segment == k_uncommitted) return bodies.at(address.offset).bytes;
  return store.commit_log->read(address, pinned);
}

void Txn::State::write(Survives survives) {
  done = true;
  if (writes > 0) {
    const rocksdb::WriteBatch& batch = *begun->GetWriteBatch()->GetWriteBatch();
    try {
      store.write({rows_of(batch), static_cast<std::uint32_t>(batch.Count()), bodies,
                   survives == Survives::power_loss});
    } catch (const StorageFailure&) {
      begun->Rollback().PermitUncheckedError();
      throw;
    }
  }
  if (begun) begun->Rollback().PermitUncheckedError();  // the rows are applied: locks are left
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
  const auto read = [&] {
    rocksdb::Status status;
    if (lock != Lock::none) {
      status = state_->txn().GetForUpdate({}, family, row, &value, lock == Lock::exclusive, false);
    } else if (state_->writes > 0) {
      status = state_->txn().Get({}, family, row, &value);
    } else {
      status = state_->store.db->Get({}, family, row, &value);
    }
    check_status(status, "reading");
    return status.ok();
  };
  if (!read()) return std::nullopt;
  std::optional<BodyAddress> before;
  while (const auto address = BodyAddress::read(value)) {
    state_->store.fault("body.before-read");
    if (auto body = state_->body(*address)) return body;
    // It moved since the row was read: the row says where to.
    if (address == before) state_->store.commit_log->throw_missing(address->segment);
    before = address;
    if (!read()) return std::nullopt;
  }
  return value;
}

void Txn::put_raw(const RecordKind& kind, const Scope& scope, const Key& key, std::string value) {
  state_->require_open();
  state_->put(kind.family, row_key(kind, scope, key), std::move(value));
}

void Txn::erase_raw(const RecordKind& kind, const Scope& scope, const Key& key) {
  state_->require_open();
  const auto status =
      state_->txn().Delete(state_->store.family(kind.family), row_key(kind, scope, key));
  check_status(status, "locking");
  ++state_->writes;
  if (kind.family == Family::bodies) state_->store.keeper->note_erased();
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
  std::shared_ptr<const CommitLog::Segments> pinned;  // what the rows' addresses are of
  std::unique_ptr<rocksdb::Iterator> rows;
  // Starts at the first row behind `from` in the direction of the scan.
  const auto seek = [&](const std::string& from, bool inclusive) {
    pinned = state.store.commit_log->pin();
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
    std::string_view value = rows->value().ToStringView();
    std::optional<std::string> body;
    if (const auto address = BodyAddress::read(value)) {
      body = state.body(*address, pinned.get());
      if (!body) state.store.commit_log->throw_missing(address->segment);
      value = *body;
    }
    if (!visit(row.substr(base.size()), value)) return;
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
  const bool wrote = state.writes > 0;
  if (wrote) store.fault("commit.before-write");
  state.write(survives);
  if (wrote) store.fault("commit.after-write");
  ticket.release();
  if (state.earliest_timer != Timestamp::max()) store.timers.note(state.earliest_timer);
  for (auto& wake : state.wakes) wake();
  store.fault("commit.end");
}

}  // namespace tarn::kernel
