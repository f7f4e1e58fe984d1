// SPDX-License-Identifier: Apache-2.0
// The durable core: typed records in one RocksDB, changed by locking transactions whose commit
// survives kill -9 and power loss (group commit: concurrent commits share one fsync). Values of
// 1 KiB and more in the family `bodies` are written once, to the commit log, and read from there.
//
// Contract
//   - `find` locks the row shared, `find_for_update` exclusively, until commit or rollback; `scan`
//     locks nothing and sees what was committed when the scan began, plus the transaction's own
//     writes. A parent row is locked shared, so that deleting it excludes its children without
//     serialising them; and a scan behind the parent's exclusive lock sees all of its children.
//   - `commit` returns when the change is durable. A destroyed, uncommitted transaction rolls back.
//   - A lock timeout or deadlock throws `Conflict`; `transact` and the dispatcher of operations
//     re-run the handler a bounded number of times: so effects leave only through `emit`,
//     `set_timer` or `after_commit`, never from inside a handler before commit.
//   - A transaction belongs to one thread and never lives across a co_await.
//   - Disk full or an I/O error throws `StorageFailure`; nothing of the transaction is visible.
// Column families: `records` small rows; `bodies` values up to 64 KiB; `queues`
// whatever is consumed from the front; `events` append-only histories and logs, compressed.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "kernel/fault.hpp"
#include "kernel/record.hpp"

namespace tarn::kernel {

class Conflict : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
class StorageFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The directory is in use by another process; the text names the directory and, if known, the pid.
class StoreLocked : public StorageFailure {
  using StorageFailure::StorageFailure;
};
// Written by a newer Tarn; the text names both versions and the remedy.
class StoreTooNew : public StorageFailure {
  using StorageFailure::StorageFailure;
};

// What a transaction tells others about; delivered by the bus (bus.hpp) after the commit, at least
// once, in order for equal `ordering_key`s of one topic.
struct Event {
  std::string topic;         // "s3.object-created": whoever subscribed gets it
  std::string ordering_key;  // may be empty: no order needed
  std::string payload;       // encode_record or dump_json of what happened
};

// What a commit survives when it returns. `power_loss` waits for the disk. `kill` is for what may
// be lost with the machine but not with the process (a message's visibility): no fsync of its own.
enum class Survives { power_loss, kill };

struct ScanOptions {
  // Starts behind this key (exclusive): the last key of the page before. Raw Key bytes.
  std::string after;
  std::size_t limit = SIZE_MAX;
  bool reverse = false;
};

class Store;

class Txn {
 public:
  Txn(Txn&&) noexcept;
  Txn& operator=(Txn&&) noexcept;
  ~Txn();

  const Scope& scope() const;

  template <Record R, class... Parts>
  std::optional<R> find(const Parts&... parts) {
    return decode<R>(get(R::k_kind, scope(), make_key(parts...), Lock::shared));
  }
  template <Record R, class... Parts>
  std::optional<R> find_for_update(const Parts&... parts) {
    return decode<R>(get(R::k_kind, scope(), make_key(parts...), Lock::exclusive));
  }
  // Without a lock: for reads that no write of this transaction depends on.
  template <Record R, class... Parts>
  std::optional<R> peek(const Parts&... parts) {
    return decode<R>(get(R::k_kind, scope(), make_key(parts...), Lock::none));
  }
  template <Record R>
  void put(const R& record) {
    put_raw(R::k_kind, scope(), record.key(), encode_record(record));
  }
  template <Record R, class... Parts>
  void erase(const Parts&... parts) {
    erase_raw(R::k_kind, scope(), make_key(parts...));
  }
  // Calls `visit(record, key)` in key order for every row whose key begins with `prefix` (a Key;
  // empty for all of the scope) until it returns false or the limit is reached.
  template <Record R>
  void scan(const Key& prefix, const ScanOptions& options,
            const std::function<bool(R&, const std::string& key)>& visit) {
    scan_raw(R::k_kind, scope(), prefix, options,
             [&](const std::string& key, std::string_view value) {
               R record = decode_record<R>(value);
               return visit(record, key);
             });
  }
  template <Record R>
  std::vector<R> list(const Key& prefix = {}, const ScanOptions& options = {}) {
    std::vector<R> rows;
    scan<R>(prefix, options, [&](R& record, const std::string&) {
      rows.push_back(std::move(record));
      return true;
    });
    return rows;
  }

  // The same in another scope: `txn.in(k_global)` sees S3's bucket names. Shares the transaction.
  Txn in(Scope scope);

  void emit(Event event);
  // A durable timer: at `due`, the event is emitted (bus delivery). Setting the same id again moves
  // it; ids are unique per topic.
  void set_timer(std::string id, Timestamp due, Event event);
  void clear_timer(std::string topic, std::string id);
  // Runs on the committing thread after the commit is durable: wake a waiter, nothing more.
  void after_commit(std::function<void()> wake);

  // Once; then the transaction is over and only its destruction is allowed.
  void commit(Survives survives = Survives::power_loss);

  enum class Lock { none, shared, exclusive };
  std::optional<std::string> get(const RecordKind& kind, const Scope& scope, const Key& key,
                                 Lock lock);
  void put_raw(const RecordKind& kind, const Scope& scope, const Key& key, std::string value);
  void erase_raw(const RecordKind& kind, const Scope& scope, const Key& key);
  // For rows with one owner, who writes each once (under a key never used before) and removes it
  // once: no lock, and the removal vanishes together with its row. Never mix with put and erase.
  void append_raw(const RecordKind& kind, const Scope& scope, const Key& key, std::string value);
  void consume_raw(const RecordKind& kind, const Scope& scope, const Key& key);
  void scan_raw(const RecordKind& kind, const Scope& scope, const Key& prefix,
                const ScanOptions& options,
                const std::function<bool(const std::string& key, std::string_view value)>& visit);

 private:
  friend class Store;
  friend class LogKeeper;
  struct State;
  Txn(std::shared_ptr<State> state, Scope scope);
  template <Record R>
  static std::optional<R> decode(const std::optional<std::string>& bytes) {
    if (!bytes) return std::nullopt;
    return decode_record<R>(*bytes);
  }
  static Key make_key(const Key& key) { return key; }
  template <class... Parts>
  static Key make_key(const Parts&... parts) {
    return Key(parts...);
  }

  std::shared_ptr<State> state_;
  Scope scope_;
};

struct StoreOptions {
  std::filesystem::path directory;
  bool create = true;
  bool sync = true;        // false only for tests that measure something else
  bool in_memory = false;  // tests: RocksDB's in-memory environment, same code
  std::size_t cache_bytes = 16 * 1024 * 1024;
  std::uint32_t segment_bytes = 64 << 20;  // of the commit log; tests make them small
};

class Store {
 public:
  Store(StoreOptions options, Clock& clock, Random& random);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Txn begin(Scope scope);

  // Runs `body(txn)` and commits, re-running it on Conflict (at most 8 times, then rethrows).
  template <class F>
  auto transact(const Scope& scope, F&& body) {
    for (int attempt = 1;; ++attempt) {
      try {
        Txn txn = begin(scope);
        if constexpr (std::is_void_v<std::invoke_result_t<F, Txn&>>) {
          body(txn);
          txn.commit();
          return;
        } else {
          auto result = body(txn);
          txn.commit();
          return result;
        }
      } catch (const Conflict&) {
        if (attempt == k_attempts_max) throw;
      }
      back_off(attempt);
    }
  }
  static constexpr int k_attempts_max = 8;
  // Waits a moment, random and growing, before a body is run again: two who met once would meet
  // again otherwise. For whoever re-runs on Conflict without `transact`.
  static void back_off(int attempt);

  // All scopes of a kind, for start-up work: visit(scope, key bytes, value). One consistent state.
  void scan_all(const RecordKind& kind,
                const std::function<bool(const Scope&, const std::string& key,
                                         std::string_view value)>& visit);

  // Forces memtables out; for tests and shutdown.
  void flush();
  // Gives back what the commit log holds of values that no row has any more. It happens by itself
  // when much was written; now, for tests.
  void collect();
  void set_fault_point(FaultPoint fault);
  Clock& clock();
  Random& random();

  struct Impl;  // the bus and the timers share it
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tarn::kernel
