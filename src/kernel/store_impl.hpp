// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: what stands behind `Store`. The only header that names RocksDB.
#pragma once
#include <array>
#include <atomic>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>

#include "kernel/commit_log.hpp"
#include "kernel/log_keeper.hpp"
#include "kernel/outbox.hpp"
#include "kernel/store.hpp"
#include "kernel/timers.hpp"

namespace tarn::kernel {

// Throws Conflict or StorageFailure for a status that is neither OK nor NotFound.
void check_status(const rocksdb::Status& status, std::string_view doing);

// The directory is ours as long as this lives. The file holds the pid for the other's message.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  explicit DirectoryLock(const std::filesystem::path& directory);
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  int file_ = -1;
};

// The rows of a batch as the log takes them: without RocksDB's head.
constexpr std::size_t k_batch_head = 12;
std::string_view rows_of(const rocksdb::WriteBatch& batch);

// Row key: service / kind / account / region, then the parts of the record's own key.
std::string row_prefix(const RecordKind& kind, const Scope& scope);
std::string row_key(const RecordKind& kind, const Scope& scope, const Key& key);
// The first key behind everything that begins with `prefix`; empty: nothing is behind.
std::string prefix_end(std::string prefix);

// Where the log is replayed from; written with each group, so what RocksDB has flushed says itself
// how far that goes.
struct LogMark {
  static constexpr RecordKind k_kind{"kernel", "log-mark", 1};
  LogPosition end;
  auto key() const { return Key("end"); }
  void fields(auto& f) { f(end.number, end.segment, end.offset); }
};

struct Store::Impl {
  Impl(StoreOptions options, Clock& clock, Random& random);
  ~Impl();

  rocksdb::ColumnFamilyHandle* family(Family f) const {
    return families[static_cast<std::size_t>(f)];
  }
  std::unique_ptr<rocksdb::Transaction> begin();
  void recycle(std::unique_ptr<rocksdb::Transaction> txn);

  // A write of rows that no transaction locks (the bus's own). Not synced: the next synced commit,
  // or a clean end, makes it durable; kill -9 alone loses nothing.
  void write_unlocked(rocksdb::WriteBatch& batch);

  // Through the log into the memory tables; throws StorageFailure if nothing of it was done.
  void write(const LoggedCommit& commit);

  // Throws StorageFailure while writes are off. After a failed write RocksDB refuses further ones
  // until it was resumed, and one that comes while it resumes makes that fail: so none reaches it,
  // and resuming is tried at most once a second. A disk that has room again is used again.
  void require_writable();
  void note_failed_write(std::string_view why);

  // What RocksDB's files have of the log: behind it everything must be kept for a replay.
  LogPosition flushed();
  // Everything in memory goes to files; the log needs no replay then.
  rocksdb::Status flush();

  void fault(std::string_view name) {
    if (has_fault.load(std::memory_order_acquire)) run_fault(name);
  }
  void run_fault(std::string_view name);

  StoreOptions options;
  Clock& clock;
  Random& random;
  DirectoryLock lock;
  std::unique_ptr<rocksdb::Env> memory_env;
  std::unique_ptr<rocksdb::TransactionDB> db;
  std::array<rocksdb::ColumnFamilyHandle*, 4> families{};
  std::unique_ptr<CommitLog> commit_log;
  std::unique_ptr<LogKeeper> keeper;
  rocksdb::TransactionOptions txn_options;

  Outbox outbox;
  TimerFront timers;

 private:
  void open();
  void open_log();
  void open_outbox();
  // A group of the log.
  void apply(std::string_view rows, std::uint32_t count, const LogPosition& end);

  std::string log_mark_row;
  std::uint32_t applied_segment = 0;  // of the last group
  std::mutex free_mutex;
  std::vector<std::unique_ptr<rocksdb::Transaction>> free_txns;
  std::atomic<bool> writes_off{false};
  std::mutex resume_mutex;  // what follows
  std::string failure;
  std::chrono::steady_clock::time_point resume_not_before;
  std::atomic<bool> has_fault{false};
  std::mutex fault_mutex;
  std::shared_ptr<const FaultPoint> fault_point;
  friend class Store;
};

struct Txn::State {
  explicit State(Store::Impl& store) : store(store) {}
  ~State();
  rocksdb::Transaction& txn();  // begins it at the first lock or write
  void require_open() const;
  // Makes what was written durable and visible, and releases the locks. It is over then, also if
  // this throws StorageFailure: nothing was written then.
  void write(Survives survives);
  // Rows of family `bodies`: a large value becomes its address.
  void put(Family family, const std::string& row, std::string value);
  // The bytes behind an address; nothing if they moved since it was read.
  std::optional<std::string> body(const BodyAddress& address,
                                  const CommitLog::Segments* pinned = nullptr) const;

  Store::Impl& store;
  std::unique_ptr<rocksdb::Transaction> begun;
  std::vector<LoggedBody> bodies;
  std::vector<Event> events;
  std::vector<std::function<void()>> wakes;
  Timestamp earliest_timer = Timestamp::max();
  std::uint64_t writes = 0;
  bool done = false;
};

}  // namespace tarn::kernel
